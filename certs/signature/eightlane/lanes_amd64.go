//go:build amd64 && !noasm

package eightlane

import (
	"unsafe"

	"golang.org/x/sys/cpu"
)

// Available says whether Raise may be called: the processor, and the system it runs, have the instructions, and they gave
// the known answers when the program started.
var Available = cpu.X86.HasAVX512F && cpu.X86.HasAVX512DQ && cpu.X86.HasAVX512IFMA && selfTest(Raise)

// aligned is a new T, which has no pointers, that begins with a cache line: a vector that straddles two costs twice.
func aligned[T any]() *T {
	const line = 64
	room := make([]byte, unsafe.Sizeof(*new(T))+line)
	off := -uintptr(unsafe.Pointer(unsafe.SliceData(room))) % line
	return (*T)(unsafe.Pointer(&room[off]))
}
