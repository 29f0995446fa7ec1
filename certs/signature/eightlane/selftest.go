package eightlane

import "math/big"

// selfTest has numbers raised whose answers are known, eight at once: random-looking ones made by a simple recurrence, and the edges.
// The answers are math/big's, which shares no code with what is tested. It takes about 3 ms.
func selfTest(raise func(group []*Job)) bool {
	state := uint64(0x9e3779b97f4a7c15)
	octets := func() (b [Size]byte) {
		for i := range b {
			state = state*6364136223846793005 + 1442695040888963407
			b[i] = byte(state >> 56)
		}
		return b
	}
	var group [lanes]*Job
	for lane := range group {
		n := octets()
		n[0] |= 0x80
		n[Size-1] |= 1
		group[lane] = &Job{Modulus: NewModulus(n[:]), Signature: octets()}
		group[lane].Signature[0] &= 0x7f
	}
	clear(group[1].Signature[:])
	group[2].Signature = group[2].Modulus.be
	group[2].Signature[Size-1]--
	raise(group[:])
	e := big.NewInt(Exponent)
	for _, j := range group {
		s, n := new(big.Int).SetBytes(j.Signature[:]), new(big.Int).SetBytes(j.Modulus.be[:])
		want := [Size]byte(s.Exp(s, e, n).FillBytes(make([]byte, Size)))
		if !j.Valid || j.Result != want {
			return false
		}
	}
	return true
}
