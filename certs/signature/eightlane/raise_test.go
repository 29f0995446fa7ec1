package eightlane

import (
	"crypto/sha256"
	"encoding/binary"
	"math/big"
	"math/rand/v2"
	"sync"
	"testing"
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

// TestAgainstBig: random and edge operands, groups of every size.
func TestAgainstBig(t *testing.T) {
	needLanes(t)
	r := rand.New(rand.NewPCG(1, 2))
	groups := 3000
	if testing.Short() {
		groups = 300
	}
	for g := range groups {
		jobs := make([]*Job, 1+g%11)
		for i := range jobs {
			n := modulus(r)
			jobs[i] = &Job{Modulus: NewModulus(n), Signature: signatureFor(r, n)}
		}
		Raise(jobs...)
		for _, j := range jobs {
			check(t, j)
		}
	}
}

// TestModulus: R² mod n and -n⁻¹, without lanes.
func TestModulus(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	radix := new(big.Int).Lsh(one, limbs*limbBits)
	limb := new(big.Int).Lsh(one, limbBits)
	value := func(l *[limbs]uint64) *big.Int {
		v := new(big.Int)
		for i := limbs - 1; i >= 0; i-- {
			v.Add(v.Lsh(v, limbBits), new(big.Int).SetUint64(l[i]))
		}
		return v
	}
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

// TestManyCallers: whoever leads, everybody gets what is his.
func TestManyCallers(t *testing.T) {
	needLanes(t)
	var callers sync.WaitGroup
	for c := range 64 {
		callers.Go(func() {
			r := rand.New(rand.NewPCG(5, uint64(c)))
			n := NewModulus(modulus(r))
			for i := range 50 {
				jobs := []*Job{{Modulus: n}, {Modulus: n}, {Modulus: n}}[:1+i%3]
				for k, j := range jobs {
					sum := sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(c<<32|i<<8|k)))
					copy(j.Signature[Size-32:], sum[:])
				}
				Raise(jobs...)
				for _, j := range jobs {
					check(t, j)
				}
			}
		})
	}
	callers.Wait()
	if engine.led || len(engine.waiting) > 0 {
		t.Error("somebody still leads, or waits")
	}
}

func TestSelfTest(t *testing.T) {
	needLanes(t)
	if !selfTest(raise) {
		t.Fatal("self-test")
	}
	// It notices: a workbench whose modulus constant is wrong gives wrong answers.
	j := &Job{Modulus: NewModulus(modulus(rand.New(rand.NewPCG(7, 8))))}
	j.Signature[Size-1] = 3
	wrong := *j.Modulus
	wrong.k0 ^= 1
	bad := &Job{Modulus: &wrong, Signature: j.Signature}
	raise([]*Job{j, bad})
	if j.Result == bad.Result {
		t.Error("a wrong constant makes no difference")
	}
}

func FuzzRaise(f *testing.F) {
	needLanes(f)
	f.Add(make([]byte, 2*Size))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) != 2*Size {
			return
		}
		data[0] |= 0x80
		data[Size-1] |= 1
		j := &Job{Modulus: NewModulus(data[:Size]), Signature: [Size]byte(data[Size:])}
		Raise(j)
		check(t, j)
	})
}

func BenchmarkGroup(b *testing.B) {
	needLanes(b)
	r := rand.New(rand.NewPCG(9, 10))
	jobs := make([]*Job, lanes)
	for i := range jobs {
		n := modulus(r)
		jobs[i] = &Job{Modulus: NewModulus(n)}
		jobs[i].Signature[Size-1] = 2
	}
	for b.Loop() {
		Raise(jobs...)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/lanes, "ns/signature")
}

func BenchmarkNewModulus(b *testing.B) {
	n := modulus(rand.New(rand.NewPCG(11, 12)))
	for b.Loop() {
		NewModulus(n)
	}
}
