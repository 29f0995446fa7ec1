package eightlane

import (
	"encoding/binary"
	"math/bits"
)

const (
	// Size of a modulus and of a signature, in octets.
	Size = 256
	// Exponent that is covered.
	Exponent = 65537

	limbs    = 40 // of 52 bits: 2080, so that twice a modulus is far below the Montgomery radix
	limbBits = 52
	limbMask = 1<<limbBits - 1
	words    = Size / 8
)

// Modulus is one that is prepared for eight lanes. Once it is, nothing changes it.
type Modulus struct {
	n  [limbs]uint64
	k0 uint64 // -n⁻¹ mod 2⁵²
	r2 [limbs]uint64
	be [Size]byte
}

// NewModulus prepares a modulus; nil where Prepare refuses it.
func NewModulus(n []byte) *Modulus {
	m := new(Modulus)
	if !m.Prepare(n) {
		return nil
	}
	return m
}

// Prepare takes a modulus, big-endian; false if it is not odd or not of exactly 2048 bits.
func (m *Modulus) Prepare(n []byte) bool {
	if len(n) != Size || n[0]&0x80 == 0 || n[Size-1]&1 == 0 {
		return false
	}
	m.be = [Size]byte(n)
	w := toWords(&m.be)
	toLimbs(&m.n, &w)
	// Newton's iteration: each step doubles the bits that are right, of which n, being odd, has three.
	inverse := m.n[0]
	for range 5 {
		inverse *= 2 - m.n[0]*inverse
	}
	m.k0 = -inverse & limbMask
	r2 := montgomerySquare(&w)
	toLimbs(&m.r2, &r2)
	return true
}

// Octets are the modulus, big-endian; they are only to be read.
func (m *Modulus) Octets() []byte { return m.be[:] }

// toWords reads big-endian octets as words, the least significant first.
func toWords(b *[Size]byte) (w [words]uint64) {
	for i := range w {
		w[i] = binary.BigEndian.Uint64(b[Size-8*(i+1):])
	}
	return w
}

// toLimbs spreads words over limbs of 52 bits.
func toLimbs(out *[limbs]uint64, w *[words]uint64) {
	for i := range out {
		bit := i * limbBits
		at, shift := bit/64, bit%64
		if at >= words {
			break
		}
		v := w[at] >> shift
		if shift > 64-limbBits && at+1 < words {
			v |= w[at+1] << (64 - shift)
		}
		out[i] = v & limbMask
	}
}

// montgomerySquare is R² mod n for R = 2²⁰⁸⁰: 2²⁰⁴⁸ mod n, which is 2²⁰⁴⁸-n because the top bit of n is set, moved up
// by 33 words, each reduced by one step of long division (Knuth, TAOCP volume 2, 4.3.1, algorithm D: n is normalized already).
func montgomerySquare(n *[words]uint64) (u [words]uint64) {
	var borrow uint64
	for i := range u {
		u[i], borrow = bits.Sub64(0, n[i], borrow)
	}
	top, second := n[words-1], n[words-2]
	for range (2*limbs*limbBits - 8*Size) / 64 {
		high := u[words-1]
		q := digit(high, u[words-2], u[words-3], top, second)
		copy(u[1:], u[:words-1])
		u[0] = 0
		var carry, borrow uint64
		for i := range u {
			h, l := bits.Mul64(q, n[i])
			l, c := bits.Add64(l, carry, 0)
			carry = h + c
			u[i], borrow = bits.Sub64(u[i], l, borrow)
		}
		if _, under := bits.Sub64(high, carry, borrow); under == 1 { // q was one too large
			var c uint64
			for i := range u {
				u[i], c = bits.Add64(u[i], n[i], c)
			}
		}
	}
	return u
}

// digit is the quotient of three words by two, or one more.
func digit(high, middle, low, top, second uint64) uint64 {
	q, r, carry := ^uint64(0), uint64(0), uint64(0)
	if high < top {
		q, r = bits.Div64(high, middle, top)
	} else {
		r, carry = bits.Add64(middle, top, 0)
	}
	for carry == 0 {
		h, l := bits.Mul64(q, second)
		if h < r || h == r && l <= low {
			break
		}
		q--
		r, carry = bits.Add64(r, top, 0)
	}
	return q
}
