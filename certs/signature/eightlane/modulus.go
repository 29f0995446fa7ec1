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

	blocks = 4 // of a number that is raised with another
	rows   = limbs / blocks

	pairOctets = 2 * limbBits / 8            // exactly
	lastBits   = 8*Size - (limbs-1)*limbBits // are left for the last limb
)

// number is one in blocks of ten limbs, a limb of each block in a row: as it lies beside another in vectors.
type number [rows][blocks]uint64

// Modulus is one that is prepared for eight lanes. Once it is, nothing changes it.
type Modulus struct {
	n  number
	k0 uint64 // -n⁻¹ mod 2⁵²
	r2 number
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
	m.n.set(&m.be)
	// Newton's iteration: each step doubles the bits that are right, of which n, being odd, has three.
	low := m.n[0][0]
	inverse := low
	for range 5 {
		inverse *= 2 - low*inverse
	}
	m.k0 = -inverse & limbMask
	w := toWords(&m.be)
	w = montgomerySquare(&w)
	var r2 [Size]byte
	for i, word := range w {
		binary.BigEndian.PutUint64(r2[Size-8*(i+1):], word)
	}
	m.r2.set(&r2)
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

// set reads big-endian octets.
func (x *number) set(b *[Size]byte) {
	end := Size
	for block := range blocks {
		for pair := range rows / 2 {
			x[2*pair][block] = binary.BigEndian.Uint64(b[end-8:]) & limbMask
			if end >= 14 {
				x[2*pair+1][block] = binary.BigEndian.Uint64(b[end-14:]) >> 4 & limbMask
			} else { // the last, of 20 bits
				x[2*pair+1][block] = binary.BigEndian.Uint64(b[:]) >> (64 - lastBits)
			}
			end -= pairOctets
		}
	}
}

// octets writes the number, which is below 2²⁰⁴⁸, big-endian.
func (x *number) octets(b *[Size]byte) {
	end := Size
	for block := range blocks {
		for pair := range rows / 2 {
			even, odd := x[2*pair][block], x[2*pair+1][block]
			binary.BigEndian.PutUint64(b[end-8:], even|odd<<limbBits)
			if end >= 16 { // with zeros above, which the next pair overwrites
				binary.BigEndian.PutUint64(b[end-16:], odd>>(64-limbBits))
			} else {
				b[0] = byte(odd >> (64 - limbBits))
			}
			end -= pairOctets
		}
	}
}

// below says whether x is less than y.
func (x *number) below(y *number) bool {
	for i := limbs - 1; i >= 0; i-- {
		if a, b := x[i%rows][i/rows], y[i%rows][i/rows]; a != b {
			return a < b
		}
	}
	return false
}

// subtract takes y from x, which is not below it.
func (x *number) subtract(y *number) {
	var borrow uint64
	for i := range limbs {
		limb := &x[i%rows][i/rows]
		*limb -= y[i%rows][i/rows] + borrow
		borrow = *limb >> 63
		*limb &= limbMask
	}
}

// montgomerySquare is R² mod n for R = 2²⁰⁸⁰: 2²⁰⁴⁸ mod n, which is 2²⁰⁴⁸-n because the top bit of n is set, with 33 words of
// nothing below it, by long division (Knuth, TAOCP volume 2, 4.3.1, algorithm D: n is normalized already). Each step takes the
// digit's multiple of n from the top 33 words that are left, four words at a time so that the compiler keeps the carries in the flag.
func montgomerySquare(n *[words]uint64) [words]uint64 {
	const steps = (2*limbs*limbBits - 8*Size) / 64
	var left [steps + words]uint64
	var borrow uint64
	for i := range n {
		left[steps+i], borrow = bits.Sub64(0, n[i], borrow)
	}
	top, second := n[words-1], n[words-2]
	for at := steps - 1; at >= 0; at-- {
		u := (*[words + 1]uint64)(left[at:])
		q := digit(u[words], u[words-1], u[words-2], top, second)
		var carry, borrow uint64
		for i := 0; i < words; i += 4 {
			v, m := (*[4]uint64)(u[i:]), (*[4]uint64)(n[i:])
			h0, l0 := bits.Mul64(q, m[0])
			h1, l1 := bits.Mul64(q, m[1])
			h2, l2 := bits.Mul64(q, m[2])
			h3, l3 := bits.Mul64(q, m[3])
			var c uint64
			l0, c = bits.Add64(l0, carry, 0)
			l1, c = bits.Add64(l1, h0, c)
			l2, c = bits.Add64(l2, h1, c)
			l3, c = bits.Add64(l3, h2, c)
			carry = h3 + c
			v[0], borrow = bits.Sub64(v[0], l0, borrow)
			v[1], borrow = bits.Sub64(v[1], l1, borrow)
			v[2], borrow = bits.Sub64(v[2], l2, borrow)
			v[3], borrow = bits.Sub64(v[3], l3, borrow)
		}
		if _, under := bits.Sub64(u[words], carry, borrow); under == 1 { // q was one too large
			var c uint64
			for i := range n {
				u[i], c = bits.Add64(u[i], n[i], c)
			}
		}
	}
	return [words]uint64(left[:words])
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
