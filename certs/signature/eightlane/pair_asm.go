//go:build ignore

// Command pair_asm writes pair_amd64.s. It is kept with what it writes; `go generate` runs it.
package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

const (
	limbs    = 40 // of 52 bits
	limbBits = 52
	vectors  = limbs / 8
	octets   = 8 * limbs // of one number

	// Where a pairBench has each of its numbers, two by two.
	atN, atR2, atX, atS, atK0 = 0, 2 * octets, 4 * octets, 6 * octets, 8 * octets

	squarings = 16
)

// number is one of the two that are worked on in turn.
type number struct {
	which  int
	a, acc [vectors]VecVirtual // a and the sum of products, limb 0 of the sum elsewhere
	low    GPVirtual           // limb 0 of the sum, with what it has to carry
	b, k   VecVirtual          // the digit of b and that of n, in every lane
}

var (
	w, digit, left GPVirtual
	mask           GPVirtual
	masks, zero    VecVirtual
)

func (x *number) at(array, vector int) Mem {
	return Mem{Base: w, Disp: array + x.which*octets + 64*vector}
}

// begin clears the sum.
func (x *number) begin() {
	for j := range x.acc {
		VPXORQ(x.acc[j], x.acc[j], x.acc[j])
	}
	XORQ(x.low, x.low)
}

// digits adds the lower halves of a·b_i and of n·k, where k makes limb 0 a multiple of 2^52.
func (x *number) digits() {
	b := Mem{Base: digit, Disp: x.which * octets}
	high, l, h := GP64(), GP64(), GP64()
	MOVQ(b, RDX)
	VPBROADCASTQ(b, x.b)
	MULXQ(x.at(atX, 0), l, high)
	ADDQ(l, x.low)
	ADCQ(U8(0), high)
	MOVQ(x.low, RDX)
	IMULQ(Mem{Base: w, Disp: atK0 + 8*x.which}, RDX)
	VPBROADCASTQ(RDX, x.k) // only the lower 52 bits are multiplied
	ANDQ(mask, RDX)
	MULXQ(x.at(atN, 0), l, h)
	ADDQ(l, x.low)
	ADCQ(h, high)
	SHRQ(U8(limbBits), high, x.low)
	for j := range x.acc {
		VPMADD52LUQ(x.a[j], x.b, x.acc[j])
	}
	for j := range x.acc {
		VPMADD52LUQ(x.at(atN, j), x.k, x.acc[j])
	}
}

// shift moves the sum down by a limb, and adds the upper halves.
func (x *number) shift() {
	for j := range x.acc {
		above := zero
		if j+1 < vectors {
			above = x.acc[j+1]
		}
		VALIGNQ(U8(1), x.acc[j], above, x.acc[j])
	}
	l := GP64()
	VMOVQ(x.acc[0].AsX(), l)
	ADDQ(l, x.low)
	for j := range x.acc {
		VPMADD52HUQ(x.a[j], x.b, x.acc[j])
	}
	for j := range x.acc {
		VPMADD52HUQ(x.at(atN, j), x.k, x.acc[j])
	}
}

// carry makes a and x of the sum: limbs of 52 bits again.
func (x *number) carry() {
	lane0 := K()
	one := GP32()
	MOVL(U32(1), one)
	KMOVB(one, lane0)
	VPBROADCASTQ(x.low, lane0, x.acc[0])
	var up [vectors]VecVirtual
	for j := range x.acc {
		up[j] = ZMM()
		VPSRLQ(U8(limbBits), x.acc[j], up[j])
		VPANDQ(masks, x.acc[j], x.acc[j])
	}
	for j := vectors - 1; j >= 0; j-- {
		below := zero
		if j > 0 {
			below = up[j-1]
		}
		VALIGNQ(U8(7), below, up[j], up[j])
		VPADDQ(up[j], x.acc[j], x.acc[j])
	}
	// What is left to carry is at most one of each limb: out of those above 2^52-1, through those of just that.
	out, through, t := GP64(), GP64(), GP64()
	for j := vectors - 1; j >= 0; j-- {
		over, full := K(), K()
		VPCMPUQ(U8(6), masks, x.acc[j], over)
		VPCMPUQ(U8(0), masks, x.acc[j], full)
		if j == vectors-1 {
			KMOVB(over, out.As32())
			KMOVB(full, through.As32())
			continue
		}
		SHLQ(U8(8), out)
		SHLQ(U8(8), through)
		KMOVB(over, t.As32())
		ORQ(t, out)
		KMOVB(full, t.As32())
		ORQ(t, through)
	}
	ADDQ(out, out)
	ADDQ(through, out)
	XORQ(through, out)
	for j := range x.acc {
		in := K()
		KMOVB(out.As32(), in)
		SHRQ(U8(8), out)
		VPSUBQ(masks, x.acc[j], in, x.acc[j]) // adds one, but for 2^52
		VPANDQ(masks, x.acc[j], x.a[j])
		VMOVDQU64(x.a[j], x.at(atX, j))
	}
}

func main() {
	ConstraintExpr("!noasm")
	TEXT("raisePair", NOSPLIT, "func(w *uint64)")
	Doc("raisePair sets x to s^65537 mod n for both numbers of the pairBench that w begins, up to one n too much. AVX-512 F, DQ and IFMA, and BMI2 are needed.")
	Pragma("noescape")
	w = Load(Param("w"), GP64()).(GPVirtual)
	digit, left, mask = GP64(), GP64(), GP64()
	masks, zero = ZMM(), ZMM()
	VPXORQ(zero, zero, zero)
	MOVQ(U64(1<<limbBits-1), mask)
	VPBROADCASTQ(mask, masks)
	var pair [2]number
	for i := range pair {
		x := &pair[i]
		x.which = i
		x.low = GP64()
		x.b, x.k = ZMM(), ZMM()
		for j := range x.a {
			x.a[j], x.acc[j] = ZMM(), ZMM()
			VMOVDQU64(x.at(atS, j), x.a[j])
			VMOVDQU64(x.a[j], x.at(atX, j))
		}
	}
	// To the Montgomery form, the squarings, and times s: that takes the form off as well.
	round := GP64()
	MOVQ(U32(squarings+2), round)
	LEAQ(Mem{Base: w, Disp: atR2}, digit)
	Label("rounds")
	for i := range pair {
		pair[i].begin()
	}
	MOVQ(U32(limbs), left)
	Label("rows")
	for i := range pair {
		pair[i].digits()
	}
	for i := range pair {
		pair[i].shift()
	}
	ADDQ(U8(8), digit)
	DECQ(left)
	JNZ(LabelRef("rows"))
	for i := range pair {
		pair[i].carry()
	}
	LEAQ(Mem{Base: w, Disp: atX}, digit)
	DECQ(round)
	CMPQ(round, U8(1))
	JA(LabelRef("rounds"))
	LEAQ(Mem{Base: w, Disp: atS}, digit)
	JEQ(LabelRef("rounds"))
	VZEROUPPER()
	RET()
	Generate()
}
