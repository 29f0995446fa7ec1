// Package eightlane raises eight RSA signatures to the public exponent at once: s^65537 mod n for eight moduli of
// 2048 bits, each its own, with the 52-bit multiply-add instructions of AVX-512 (IFMA). A vector register holds one limb
// of each of the eight numbers, so that a Montgomery multiplication costs the same as one of them alone with vectors.
//
// It covers what nearly every JPKI signature is, an odd modulus of exactly 2048 bits and the exponent 65537, and
// only where the processor has the instructions and a self-test with known answers passed at the start
// (Available). For everything else there is the caller's other code. It does the public operation and nothing else: numbers
// are not secret here, and time may depend on them. The padding is the caller's to check, whole.
//
// Lanes that fill are worth everything, lanes that wait are worth nothing. So nobody waits for a group to fill: who
// comes while no group is under way starts one with whatever is there, and who comes meanwhile goes along with the next
// (Raise). The more there is to do the fuller the groups are, without a clock.
// Two signatures, as one verification has them, are raised at once without anybody else's by RaisePair: four lanes for each.
//
// What proves it: math/big and crypto/rsa over random and edge operands (limbs of all ones, top bits alone, s of 0, 1, n-1
// and above), Wycheproof through package signature, and in production a sample checked again by package signature.
// The build tag noasm leaves it out.
package eightlane

//go:generate go run -modfile=../../../.tools/go.mod asm.go -out montmul_amd64.s -stubs montmul_amd64.go -pkg eightlane
//go:generate go run -modfile=../../../.tools/go.mod pair_asm.go -out pair_amd64.s -stubs pair_stub_amd64.go -pkg eightlane
