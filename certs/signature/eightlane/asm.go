//go:build ignore

// Command asm writes montmul_amd64.s. It is kept with what it writes; `go generate` runs it.
package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// limbs of 52 bits that hold 2048 bits, with 32 bits to spare.
const limbs = 40

func main() {
	ConstraintExpr("!noasm")
	TEXT("montMul", NOSPLIT, "func(z, x, y, n, k0, t *uint64)")
	Doc("montMul sets z to x·y/R mod n in each of eight lanes, R = 2²⁰⁸⁰, up to one n too much. All are 40 limbs of 52 bits by eight lanes,",
		"k0 is -n⁻¹ mod 2⁵² of each, and t is scratch of 80 limbs. z may be x or y. AVX-512 F and IFMA are needed.")
	Pragma("noescape")
	z := Load(Param("z"), GP64())
	x := Load(Param("x"), GP64())
	y := Load(Param("y"), GP64())
	n := Load(Param("n"), GP64())
	k := Load(Param("k0"), GP64())
	t := Load(Param("t"), GP64())
	at := func(p Register, i int) Mem { return Mem{Base: p, Disp: 64 * i} }
	zero := ZMM()
	VPXORQ(zero, zero, zero)
	for i := 0; i < 2*limbs; i++ {
		VMOVDQU64(zero, at(t, i))
	}
	k0 := ZMM()
	VMOVDQU64(at(k, 0), k0)
	row := GP64()
	MOVQ(U32(limbs/2), row)
	Label("rows")
	b0, b1 := ZMM(), ZMM()
	VMOVDQU64(at(y, 0), b0)
	VMOVDQU64(at(y, 1), b1)
	var xs, ns [limbs]Register
	load := func(j int) {
		a, b := ZMM(), ZMM()
		VMOVDQU64(at(x, j), a)
		VMOVDQU64(at(n, j), b)
		xs[j], ns[j] = a, b
	}
	load(0)
	load(1)
	c := ZMM()
	VMOVDQU64(at(t, 0), c)
	VPMADD52LUQ(b0, xs[0], c)
	m0 := ZMM()
	VPXORQ(m0, m0, m0)
	VPMADD52LUQ(k0, c, m0)
	d := ZMM()
	VMOVDQU64(at(t, 1), d)
	VPMADD52HUQ(b0, xs[0], d)
	VPMADD52LUQ(b0, xs[1], d)
	VPMADD52LUQ(b1, xs[0], d)
	VPMADD52LUQ(m0, ns[0], c)
	VPSRLQ(U8(52), c, c)
	VPADDQ(c, d, d)
	VPMADD52HUQ(m0, ns[0], d)
	VPMADD52LUQ(m0, ns[1], d)
	m1 := ZMM()
	VPXORQ(m1, m1, m1)
	VPMADD52LUQ(k0, d, m1)
	VPMADD52LUQ(m1, ns[0], d)
	VPSRLQ(U8(52), d, d)
	for j := 2; j < limbs+2; j++ {
		e := ZMM()
		if j < limbs {
			load(j)
		}
		VMOVDQU64(at(t, j), e)
		if j == 2 {
			VPADDQ(d, e, e)
		}
		if j < limbs {
			VPMADD52LUQ(b0, xs[j], e)
			VPMADD52LUQ(m0, ns[j], e)
		}
		if j <= limbs {
			VPMADD52HUQ(b0, xs[j-1], e)
			VPMADD52HUQ(m0, ns[j-1], e)
			VPMADD52LUQ(b1, xs[j-1], e)
			VPMADD52LUQ(m1, ns[j-1], e)
		}
		VPMADD52HUQ(b1, xs[j-2], e)
		VPMADD52HUQ(m1, ns[j-2], e)
		VMOVDQU64(e, at(t, j))
	}
	ADDQ(U32(128), y)
	ADDQ(U32(128), t)
	DECQ(row)
	JNZ(LabelRef("rows"))
	mask := ZMM()
	VPTERNLOGQ(U8(0xff), mask, mask, mask)
	VPSRLQ(U8(12), mask, mask)
	carry := ZMM()
	VPXORQ(carry, carry, carry)
	for j := 0; j < limbs; j++ {
		v := ZMM()
		VPADDQ(at(t, j), carry, v)
		if j < limbs-1 {
			VPSRLQ(U8(52), v, carry)
			VPANDQ(mask, v, v)
		}
		VMOVDQU64(v, at(z, j))
	}
	VZEROUPPER()
	RET()
	Generate()
}
