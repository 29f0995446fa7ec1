// Package eightlane raises two RSA signatures to the public exponent at once: s^65537 mod n for two moduli of 2048 bits, each its own, with
// the 52-bit multiply-add instructions of AVX-512 (IFMA). A vector register has eight lanes, four for each number, so that a
// verification's two signatures, the issuer's and the holder's, fill them by themselves.
//
// It covers what nearly every JPKI signature is, an odd modulus of exactly 2048 bits and the exponent 65537, and
// only where the processor has the instructions and a self-test with known answers passed at the start
// (Available). For everything else there is the caller's other code. It does the public operation and nothing else: numbers
// are not secret here, and time may depend on them. The padding is the caller's to check, whole.
//
// Eight numbers, one in each lane, gathered from whoever verified at the time, were tried first. A full group took 3.7 µs for
// a signature and this takes 4.0, but groups of single calls were seldom half full, and who waits for another's group is put to sleep and
// woken: 16 callers with two signatures each took 15 to 18 µs of processor for both, and take 9.4 this way.
//
// What proves it: math/big and bigmod over random and edge operands (limbs of all ones, top bits alone, s of 0, 1, n-1
// and above), Wycheproof through package signature, and in production a sample checked again by package signature.
// The build tag noasm leaves it out.
package eightlane

//go:generate go run -modfile=../../../.tools/go.mod asm.go -out raise_amd64.s -stubs raise_amd64.go -pkg eightlane
