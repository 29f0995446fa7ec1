package eightlane

import (
	"bytes"
	"math/big"
	"math/rand/v2"
	"testing"

	"filippo.io/bigmod"
)

func needLanes(t testing.TB) {
	t.Helper()
	if !Available {
		t.Skip("the processor has no AVX-512 IFMA, or this build leaves it out")
	}
}

var one = big.NewInt(1)

// modulus makes an odd number of 2048 bits out of random octets and a pattern.
func modulus(r *rand.Rand) []byte {
	n := pattern(r)
	n[0] |= 0x80
	n[Size-1] |= 1
	return n[:]
}

// pattern is a number with the shapes that break carries: random, runs of ones and zeros, single limbs all ones, few bits.
func pattern(r *rand.Rand) (b [Size]byte) {
	v := new(big.Int)
	switch r.IntN(6) {
	case 0, 1:
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		return b
	case 2: // runs
		for at := 0; at < 2048; {
			run := 1 + r.IntN(200)
			if r.IntN(2) == 0 {
				ones := new(big.Int).Sub(new(big.Int).Lsh(one, uint(min(run, 2048-at))), one)
				v.Or(v, ones.Lsh(ones, uint(at)))
			}
			at += run
		}
	case 3: // limbs all ones or nothing
		for i := range limbs {
			if r.IntN(2) == 0 {
				v.Or(v, new(big.Int).Lsh(big.NewInt(limbMask), uint(i*limbBits)))
			}
		}
	case 4: // all ones, less a bit
		v.Sub(v.Lsh(one, 2048), one)
		v.SetBit(v, r.IntN(2048), 0)
	default: // few bits
		for range 1 + r.IntN(4) {
			v.SetBit(v, r.IntN(2048), 1)
		}
	}
	v.And(v, new(big.Int).Sub(new(big.Int).Lsh(one, 2048), one))
	v.FillBytes(b[:])
	return b
}

// signatureFor is a number that is interesting beside the modulus.
func signatureFor(r *rand.Rand, n []byte) (s [Size]byte) {
	m := new(big.Int).SetBytes(n)
	v := new(big.Int)
	switch r.IntN(12) {
	case 0: // zero
	case 1:
		v.SetInt64(1)
	case 2:
		v.Sub(m, one)
	case 3:
		v.Set(m)
	case 4:
		if v.Add(m, one); v.BitLen() > 2048 {
			v.Set(m)
		}
	case 5:
		v.Sub(v.Lsh(one, 2048), one)
	case 6:
		v.Rsh(m, 1)
	default:
		s = pattern(r)
		return s
	}
	v.FillBytes(s[:])
	return s
}

func check(t *testing.T, j *Job) {
	t.Helper()
	n, s := new(big.Int).SetBytes(j.Modulus.be[:]), new(big.Int).SetBytes(j.Signature[:])
	if valid := s.Cmp(n) < 0; valid != j.Valid {
		t.Fatalf("valid %v for a signature that compares %d", j.Valid, s.Cmp(n))
	}
	want := [Size]byte(new(big.Int).Exp(s, big.NewInt(Exponent), n).FillBytes(make([]byte, Size)))
	if j.Valid && j.Result != want {
		t.Fatalf("wrong result for\ns = %x\nn = %x\ngot  %x\nwant %x", j.Signature, j.Modulus.be, j.Result, want)
	}
}

func value(x *number) *big.Int {
	v := new(big.Int)
	for i := limbs - 1; i >= 0; i-- {
		v.Add(v.Lsh(v, limbBits), new(big.Int).SetUint64(x[i%rows][i/rows]))
	}
	return v
}

// TestTake: a result is below the modulus, though the routine may leave one modulus too much, which it hardly ever does.
func TestTake(t *testing.T) {
	r := rand.New(rand.NewPCG(25, 26))
	for range 20000 {
		n := modulus(r)
		j := &Job{Modulus: NewModulus(n)}
		m := new(big.Int).SetBytes(n)
		want := new(big.Int)
		for s := signatureFor(r, n); ; s = signatureFor(r, n) {
			if want.SetBytes(s[:]).Cmp(m) < 0 {
				break
			}
		}
		var v vectors
		for i, left := range []*big.Int{want, new(big.Int).Add(want, m)} {
			left = new(big.Int).Set(left)
			for limb := range limbs {
				v[limb%rows][i][limb/rows] = new(big.Int).And(left, big.NewInt(limbMask)).Uint64()
				left.Rsh(left, limbBits)
			}
		}
		for i := range 2 {
			for at := range j.Result {
				j.Result[at] = 0xa5
			}
			if j.take(&v, i); new(big.Int).SetBytes(j.Result[:]).Cmp(want) != 0 {
				t.Fatalf("%x and %d times %x: %x", want, i, n, j.Result)
			}
		}
	}
}

// TestModulus: R² mod n and -n⁻¹, without lanes.
func TestModulus(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	radix := new(big.Int).Lsh(one, limbs*limbBits)
	limb := new(big.Int).Lsh(one, limbBits)
	for range 20000 {
		be := modulus(r)
		m, n := NewModulus(be), new(big.Int).SetBytes(be)
		if value(&m.n).Cmp(n) != 0 {
			t.Fatalf("limbs of %x", be)
		}
		if want := new(big.Int).Mod(new(big.Int).Mul(radix, radix), n); value(&m.r2).Cmp(want) != 0 {
			t.Fatalf("R² of %x", be)
		}
		product := new(big.Int).Mul(n, new(big.Int).SetUint64(m.k0))
		if new(big.Int).Mod(product.Add(product, one), limb).Sign() != 0 {
			t.Fatalf("inverse of %x", be)
		}
	}
	odd := modulus(r)
	even := append([]byte{}, odd...)
	even[Size-1] &^= 1
	small := append([]byte{}, odd...)
	small[0] &= 0x7f
	for name, n := range map[string][]byte{"even": even, "2047 bits": small, "none": nil, "3072 bits": append(make([]byte, 128), odd...), "short": odd[1:]} {
		if NewModulus(n) != nil {
			t.Errorf("%s: covered", name)
		}
	}
}

// checkAll raises one job, or two together, and holds them against math/big and bigmod.
func checkAll(t *testing.T, jobs ...*Job) {
	t.Helper()
	var other *Job
	if len(jobs) == 2 {
		other = jobs[1]
	}
	Raise(jobs[0], other)
	for _, j := range jobs {
		check(t, j)
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

// TestAgainstOthers: random and edge operands, two and one.
func TestAgainstOthers(t *testing.T) {
	needLanes(t)
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
		checkAll(t, jobs...)
	}
}

// TestEdges: every edge modulus with every edge signature, beside the next in the list.
func TestEdges(t *testing.T) {
	needLanes(t)
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
		checkAll(t, &Job{Modulus: j.Modulus, Signature: j.Signature}, &Job{Modulus: other.Modulus, Signature: other.Signature})
	}
}

func TestSelfTest(t *testing.T) {
	needLanes(t)
	if !selfTest(Raise) {
		t.Fatal("self-test")
	}
	// It notices a wrong answer of either.
	for which := range 2 {
		calls := 0
		if selfTest(func(a, b *Job) {
			Raise(a, b)
			if calls++; calls == 3 {
				[]*Job{a, b}[which].Result[Size-1] ^= 1
			}
		}) {
			t.Error("a wrong answer passes")
		}
	}
}

// TestAllocatesNothing: nothing.
func TestAllocatesNothing(t *testing.T) {
	needLanes(t)
	r := rand.New(rand.NewPCG(23, 24))
	a, b := &Job{Modulus: NewModulus(modulus(r))}, &Job{Modulus: NewModulus(modulus(r))}
	if n := testing.AllocsPerRun(1000, func() { Raise(a, b) }); n >= 1 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzRaise(f *testing.F) {
	needLanes(f)
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
		checkAll(t, jobs...)
	})
}

func BenchmarkRaise(b *testing.B) {
	needLanes(b)
	r := rand.New(rand.NewPCG(9, 10))
	jobs := [2]*Job{}
	for i := range jobs {
		jobs[i] = &Job{Modulus: NewModulus(modulus(r))}
		jobs[i].Signature[Size-1] = 2
	}
	for b.Loop() {
		Raise(jobs[0], jobs[1])
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/2, "ns/signature")
}

func BenchmarkNewModulus(b *testing.B) {
	n := modulus(rand.New(rand.NewPCG(11, 12)))
	for b.Loop() {
		NewModulus(n)
	}
}
