//go:build !amd64 || noasm

package eightlane

// Available says whether Raise may be called: not here.
const Available = false

func alignedBench() *workbench { return new(workbench) }

func montMul(z, x, y, n, k0, t *uint64) { panic("eightlane: not available") }
