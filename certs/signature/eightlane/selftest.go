package eightlane

import "math/big"

// selfTest has numbers raised whose answers are known, two at once: random-looking ones made by a simple recurrence, and the edges.
// The answers are math/big's, which shares no code with what is tested. It takes about 3 ms.
func selfTest(raise func(a, b *Job)) bool {
	state := uint64(0x9e3779b97f4a7c15)
	octets := func() (b [Size]byte) {
		for i := range b {
			state = state*6364136223846793005 + 1442695040888963407
			b[i] = byte(state >> 56)
		}
		return b
	}
	var jobs [8]*Job
	for i := range jobs {
		n := octets()
		n[0] |= 0x80
		n[Size-1] |= 1
		jobs[i] = &Job{Modulus: NewModulus(n[:]), Signature: octets()}
		jobs[i].Signature[0] &= 0x7f
	}
	clear(jobs[1].Signature[:])
	jobs[2].Signature = jobs[2].Modulus.be
	jobs[2].Signature[Size-1]--
	for i := 0; i < len(jobs); i += 2 {
		raise(jobs[i], jobs[i+1])
	}
	e := big.NewInt(Exponent)
	for _, j := range jobs {
		s, n := new(big.Int).SetBytes(j.Signature[:]), new(big.Int).SetBytes(j.Modulus.be[:])
		want := [Size]byte(s.Exp(s, e, n).FillBytes(make([]byte, Size)))
		if !j.Valid || j.Result != want {
			return false
		}
	}
	return true
}
