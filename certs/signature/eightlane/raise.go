package eightlane

import (
	"bytes"
	"sync"
)

// Job is one signature to be raised. It belongs to Raise until that returns.
type Job struct {
	Modulus   *Modulus
	Signature [Size]byte // big-endian
	// Result is s^65537 mod n, big-endian, if Valid: a signature that is not below the modulus is none (RFC 8017 section 5.2.2).
	Result [Size]byte
	Valid  bool
}

// vectors are two numbers, each of four blocks of ten limbs: a vector for each limb of a block, a lane for each
// block, four of one number and four of the other. So all of a number is multiplied by a digit at once, and to move it down by a
// limb only one vector has to be moved across lanes.
type vectors [rows][2][blocks]uint64

// workbench is where two signatures are raised. It is laid out in whole cache lines, as asm.go knows it.
//
// No limb overflows its 64 bits. A multiplication has a step for each limb of b. A step adds at most four halves of products
// to a limb of the sum, each below 2⁵², and moves that limb down by one, and limb 0 adds its carry to limb 1. So after at most 40
// steps a limb is below 160·2⁵² and a carry, which is therefore below 2⁸: below 2⁶⁰. At the end limbs are carried
// exactly; out of limb 39 nothing is, since a product is less than (4n/R+1)·n, and so below 2n < 2²⁰⁴⁹, for factors below 2n.
type workbench struct {
	n, r2, x, s vectors
	k0          [2][blocks]uint64
	// Constants of the routine: the lanes of the first block for every lane, and what makes them those of the next.
	digit, one [2][blocks]uint64
}

var benches = sync.Pool{New: func() any {
	w := aligned[workbench]()
	for block := range blocks {
		w.digit[1][block] = blocks
		w.one[0][block], w.one[1][block] = 1, 1
	}
	return w
}}

// Raise raises a signature, or two (b may be nil), without waiting for anybody else's. It may be called from any
// number of goroutines, where Available. One alone takes as long as two.
func Raise(a, b *Job) {
	w := benches.Get().(*workbench)
	w.set(0, a)
	if b != nil {
		w.set(1, b)
	} else {
		w.set(1, a)
	}
	raisePair(&w.n[0][0][0])
	a.take(&w.x, 0)
	if b != nil {
		b.take(&w.x, 1)
	}
	benches.Put(w)
}

func (w *workbench) set(i int, j *Job) {
	var x number
	x.set(&j.Signature)
	w.n.set(i, &j.Modulus.n)
	w.r2.set(i, &j.Modulus.r2)
	w.s.set(i, &x)
	for block := range blocks {
		w.k0[i][block] = j.Modulus.k0
	}
}

func (v *vectors) set(i int, x *number) {
	for row := range x {
		v[row][i] = x[row]
	}
}

// take takes the result, which is below twice the modulus.
func (j *Job) take(v *vectors, i int) {
	var x number
	for row := range x {
		x[row] = v[row][i]
	}
	if !x.below(&j.Modulus.n) {
		x.subtract(&j.Modulus.n)
	}
	x.octets(&j.Result)
	j.Valid = bytes.Compare(j.Signature[:], j.Modulus.be[:]) < 0
}
