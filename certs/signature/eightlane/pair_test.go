package eightlane

import (
	"bytes"
	"math/big"
	"math/rand/v2"
	"testing"

	"filippo.io/bigmod"
)

func needPair(t testing.TB) {
	t.Helper()
	if !PairAvailable {
		t.Skip("the processor has no AVX-512 IFMA, or this build leaves it out")
	}
}

// checkPair raises a job beside another, and holds both against math/big, bigmod and the eight lanes.
func checkPair(t *testing.T, jobs ...*Job) {
	t.Helper()
	group := make([]*Job, len(jobs))
	for i, j := range jobs {
		group[i] = &Job{Modulus: j.Modulus, Signature: j.Signature}
	}
	inPairs(jobs)
	if Available {
		raise(group)
	}
	for i, j := range jobs {
		check(t, j)
		if Available && (j.Result != group[i].Result || j.Valid != group[i].Valid) {
			t.Fatalf("the eight lanes have another result for\ns = %x\nn = %x", j.Signature, j.Modulus.be)
		}
		m, err := bigmod.NewModulus(j.Modulus.Octets())
		if err != nil {
			t.Fatal(err)
		}
		s, err := bigmod.NewNat().SetBytes(j.Signature[:], m)
		if (err == nil) != j.Valid {
			t.Fatalf("valid %v, and bigmod has %v", j.Valid, err)
		}
		if j.Valid && !bytes.Equal(bigmod.NewNat().ExpShortVarTime(s, Exponent, m).Bytes(m), j.Result[:]) {
			t.Fatalf("bigmod has another result for\ns = %x\nn = %x", j.Signature, j.Modulus.be)
		}
	}
}

// TestPairAgainstOthers: random and edge operands, two and one.
func TestPairAgainstOthers(t *testing.T) {
	needPair(t)
	r := rand.New(rand.NewPCG(21, 22))
	rounds := 10000
	if testing.Short() {
		rounds = 1000
	}
	for round := range rounds {
		jobs := make([]*Job, 1+min(1, round%5))
		for i := range jobs {
			n := modulus(r)
			jobs[i] = &Job{Modulus: NewModulus(n), Signature: signatureFor(r, n)}
		}
		checkPair(t, jobs...)
	}
}

// TestPairEdges: every edge modulus with every edge signature, beside the next in the list.
func TestPairEdges(t *testing.T) {
	needPair(t)
	top := new(big.Int).Lsh(one, 8*Size-1)
	all := new(big.Int).Sub(new(big.Int).Lsh(one, 8*Size), one)
	moduli := []*big.Int{all, new(big.Int).Add(top, one)}
	for i := range limbs { // limb i all ones, or nothing
		ones := new(big.Int).Lsh(big.NewInt(limbMask), uint(i*limbBits))
		ones.And(ones, all)
		moduli = append(moduli,
			new(big.Int).Or(new(big.Int).Or(top, one), ones),
			new(big.Int).Or(new(big.Int).Or(top, one), new(big.Int).AndNot(all, ones)))
	}
	var jobs []*Job
	for _, n := range moduli {
		m := NewModulus(n.FillBytes(make([]byte, Size)))
		for _, s := range []*big.Int{
			new(big.Int), one, big.NewInt(2), new(big.Int).Sub(n, one), n, all, top, new(big.Int).Rsh(n, 1),
			new(big.Int).Mod(new(big.Int).Lsh(one, limbs*limbBits), n),        // 1 in the Montgomery form
			new(big.Int).ModInverse(new(big.Int).Lsh(one, limbs*limbBits), n), // the form of it is 1
		} {
			j := &Job{Modulus: m}
			s.FillBytes(j.Signature[:])
			jobs = append(jobs, j)
		}
	}
	for i, j := range jobs {
		other := jobs[(i+11)%len(jobs)]
		checkPair(t, &Job{Modulus: j.Modulus, Signature: j.Signature}, &Job{Modulus: other.Modulus, Signature: other.Signature})
	}
}

func TestPairSelfTest(t *testing.T) {
	needPair(t)
	if !selfTest(inPairs) {
		t.Fatal("self-test")
	}
	// It notices a wrong answer of either.
	for which := range 2 {
		if selfTest(func(group []*Job) {
			inPairs(group)
			group[4+which].Result[Size-1] ^= 1
		}) {
			t.Error("a wrong answer passes")
		}
	}
}

// TestPairAllocates: nothing.
func TestPairAllocates(t *testing.T) {
	needPair(t)
	r := rand.New(rand.NewPCG(23, 24))
	a, b := &Job{Modulus: NewModulus(modulus(r))}, &Job{Modulus: NewModulus(modulus(r))}
	if n := testing.AllocsPerRun(1000, func() { RaisePair(a, b) }); n >= 1 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzPair(f *testing.F) {
	needPair(f)
	f.Add(make([]byte, 4*Size))
	f.Add(bytes.Repeat([]byte{0xff}, 4*Size))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) != 4*Size {
			return
		}
		jobs := make([]*Job, 2)
		for i := range jobs {
			n, s := data[2*i*Size:][:Size], data[(2*i+1)*Size:][:Size]
			n[0] |= 0x80
			n[Size-1] |= 1
			jobs[i] = &Job{Modulus: NewModulus(n), Signature: [Size]byte(s)}
		}
		checkPair(t, jobs...)
	})
}

func BenchmarkPair(b *testing.B) {
	needPair(b)
	r := rand.New(rand.NewPCG(9, 10))
	jobs := [2]*Job{}
	for i := range jobs {
		jobs[i] = &Job{Modulus: NewModulus(modulus(r))}
		jobs[i].Signature[Size-1] = 2
	}
	for b.Loop() {
		RaisePair(jobs[0], jobs[1])
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/2, "ns/signature")
}
