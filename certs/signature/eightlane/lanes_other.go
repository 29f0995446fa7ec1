//go:build !amd64 || noasm

package eightlane

// Available says whether Raise may be called, PairAvailable whether RaisePair may: not here.
const Available, PairAvailable = false, false

func aligned[T any]() *T { return new(T) }

func raisePair(w *uint64) { panic("eightlane: not available") }

func montMul(z, x, y, n, k0, t *uint64) { panic("eightlane: not available") }
