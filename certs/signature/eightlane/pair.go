package eightlane

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"sync"
)

// pairBench is where two signatures are raised: an array for both of each, limb after limb, so that a vector holds eight limbs of
// one number. It is laid out in whole cache lines, as pair_asm.go knows it.
//
// No limb overflows its 64 bits. A multiplication has a step for each limb of b. A step adds at most four products' halves
// to a limb of the sum, each below 2⁵², and moves that limb down by one; so after at most 40 steps it is below 160·2⁵² < 2⁶⁰. Limb 0, apart in
// a register, gets such a one and what limb 0 before it had to carry, (2⁶¹+2·2¹⁰⁴)/2⁵² < 2⁵⁴: below 2⁶¹. The sum at
// the end has limbs below 2⁶¹, so the first carry is below 2⁹ and the second at most one; out of limb 39 there is none, since the
// product is below 2n (multiply has why) < 2²⁰⁴⁹.
type pairBench struct {
	n, r2, x, s [2][limbs]uint64
	k0          [2]uint64
}

var pairs = sync.Pool{New: func() any { return aligned[pairBench]() }}

// RaisePair raises a signature, or two (b may be nil), without waiting for anybody else's. It may be called from any
// number of goroutines, where PairAvailable. One alone takes as long as two.
func RaisePair(a, b *Job) {
	w := pairs.Get().(*pairBench)
	w.set(0, a)
	if b != nil {
		w.set(1, b)
	} else {
		w.set(1, a)
	}
	raisePair(&w.n[0][0])
	a.take(&w.x[0])
	if b != nil {
		b.take(&w.x[1])
	}
	pairs.Put(w)
}

func (w *pairBench) set(i int, j *Job) {
	s := toWords(&j.Signature)
	toLimbs(&w.s[i], &s)
	w.n[i], w.r2[i], w.k0[i] = j.Modulus.n, j.Modulus.r2, j.Modulus.k0
}

// take takes the result, which is below twice the modulus.
func (j *Job) take(x *[limbs]uint64) {
	n := toWords(&j.Modulus.be)
	var w, less [words]uint64
	var borrow uint64
	for i := range w {
		bit := 64 * i
		at, shift := bit/limbBits, bit%limbBits
		w[i] = x[at]>>shift | x[at+1]<<(limbBits-shift)
		if 2*limbBits-shift < 64 {
			w[i] |= x[at+2] << (2*limbBits - shift)
		}
		less[i], borrow = bits.Sub64(w[i], n[i], borrow)
	}
	over := x[limbs-1]>>(8*Size-(limbs-1)*limbBits) != 0
	if over || borrow == 0 { // not below the modulus
		w = less
	}
	for i, word := range w {
		binary.BigEndian.PutUint64(j.Result[Size-8*(i+1):], word)
	}
	j.Valid = bytes.Compare(j.Signature[:], j.Modulus.be[:]) < 0
}

// inPairs raises a group by RaisePair.
func inPairs(group []*Job) {
	for len(group) > 1 {
		RaisePair(group[0], group[1])
		group = group[2:]
	}
	if len(group) == 1 {
		RaisePair(group[0], nil)
	}
}
