//go:build !amd64 || noasm

package eightlane

// Available says whether Raise may be called: not here.
const Available = false

func aligned[T any]() *T { return new(T) }

func raisePair(w *uint64) { panic("eightlane: not available") }
