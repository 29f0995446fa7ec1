//go:build ignore

// Command asm writes raise_amd64.s. It is kept with what it writes; `go generate` runs it.
package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

const (
	limbBits = 52
	blocks   = 4  // of each number, a lane for each
	rows     = 10 // limbs of a block, a vector for each

	// Where a workbench has its vectors.
	atN, atR2, atX, atS = 0, 64 * rows, 2 * 64 * rows, 3 * 64 * rows
	atK0                = 4 * 64 * rows
	atDigit, atOne      = atK0 + 64, atK0 + 2*64

	squarings = 16

	// Immediates of VPERMQ, which moves the lanes of each half: all get the first, each gets the next above it, or below it.
	first, above, below = 0x00, 0x39, 0x90
	// Lanes: the first of each half, all but the first, all but the last.
	firsts, laters, earlier = 0x11, 0xee, 0x77
)

func lanes(set uint32) OpmaskVirtual {
	r, k := GP32(), K()
	MOVL(U32(set), r)
	KMOVB(r, k)
	return k
}

func main() {
	ConstraintExpr("!noasm")
	TEXT("raisePair", NOSPLIT, "func(w *uint64)")
	Doc("raisePair sets x to s^65537 mod n for both numbers of the workbench that w begins, up to one n too much. AVX-512 F, DQ and IFMA are needed.")
	Pragma("noescape")
	w := Load(Param("w"), GP64())
	at := func(base Register, array, i int) Mem { return Mem{Base: base, Disp: array + 64*i} }
	mask, k0, one := ZMM(), ZMM(), ZMM()
	bi, next, ki, carry := ZMM(), ZMM(), ZMM(), ZMM()
	VPTERNLOGQ(U8(0xff), mask, mask, mask)
	VPSRLQ(U8(64-limbBits), mask, mask)
	VMOVDQU64(at(w, atK0, 0), k0)
	VMOVDQU64(at(w, atOne, 0), one)
	isFirst, isLater, isEarlier := lanes(firsts), lanes(laters), lanes(earlier)
	var a, sum [rows]VecVirtual
	for j := range a {
		a[j], sum[j] = ZMM(), ZMM()
		VMOVDQU64(at(w, atS, j), a[j])
	}
	// To the Montgomery form, the squarings, and times s: that takes the form off as well.
	round, b := GP64(), GP64()
	MOVQ(U32(squarings+2), round)
	LEAQ(at(w, atR2, 0), b)

	Label("rounds")
	for j := range sum {
		VPXORQ(sum[j], sum[j], sum[j])
	}
	block, digit := GP64(), ZMM()
	MOVQ(U32(blocks), block)
	VMOVDQU64(at(w, atDigit, 0), digit)
	Label("blocks")
	for j := range rows {
		// The sum moves down by a limb in each row: which register is limb 0 of each block moves instead.
		limb := func(i int) VecVirtual { return sum[(j+i)%rows] }
		if j == 0 {
			VPERMQ(at(b, 0, 0), digit, bi)
			VPMADD52LUQ(a[0], bi, limb(0))
		}
		// ki makes limb 0 a multiple of 2^52.
		VPXORQ(ki, ki, ki)
		VPMADD52LUQ(k0, limb(0), ki)
		VPERMQ(U8(first), ki, ki)
		if j+1 < rows { // the next waits for this product, and that for nothing
			VPERMQ(at(b, 0, j+1), digit, next)
			VPMADD52LUQ(a[0], next, limb(1))
		}
		for i := 1; i < rows; i++ {
			VPMADD52LUQ(a[i], bi, limb(i))
		}
		for i := range rows - 1 {
			VPMADD52HUQ(a[i], bi, limb(i+1))
		}
		VPMADD52LUQ(at(w, atN, 0), ki, limb(0))
		for i := 1; i < rows; i++ {
			VPMADD52LUQ(at(w, atN, i), ki, limb(i))
			VPMADD52HUQ(at(w, atN, i-1), ki, limb(i))
			if i == 1 {
				VPSRLQ_Z(U8(limbBits), limb(0), isFirst, carry)
				VPADDQ(carry, limb(1), limb(1))
				// What was the first limb of a block is now the last of the block below.
				VPERMQ_Z(U8(above), limb(0), isEarlier, limb(0))
			}
		}
		VPMADD52HUQ(a[rows-1], bi, limb(0))
		VPMADD52HUQ(at(w, atN, rows-1), ki, limb(0))
		bi, next = next, bi
	}
	VPADDQ(one, digit, digit)
	DECQ(block)
	JNZ(LabelRef("blocks"))

	// Limbs of 52 bits again. Out of a block goes a carry to the next, seldom more than into its first limb; else once more, at most
	// as often as there are blocks.
	Label("carry")
	none := K()
	for j := range sum {
		if j > 0 {
			VPADDQ(carry, sum[j], sum[j])
		}
		VPSRLQ(U8(limbBits), sum[j], carry)
		VPANDQ(mask, sum[j], sum[j])
	}
	VPERMQ_Z(U8(below), carry, isLater, carry)
	VPADDQ(carry, sum[0], sum[0])
	VPCMPUQ(U8(6), mask, sum[0], none)
	KORTESTB(none, none)
	JNZ(LabelRef("carry"))
	for j := range sum {
		VMOVDQA64(sum[j], a[j])
		VMOVDQU64(sum[j], at(w, atX, j))
	}
	LEAQ(at(w, atX, 0), b)
	DECQ(round)
	CMPQ(round, U8(1))
	JA(LabelRef("rounds"))
	LEAQ(at(w, atS, 0), b)
	JEQ(LabelRef("rounds"))
	VZEROUPPER()
	RET()
	Generate()
}
