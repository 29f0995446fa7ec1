//go:build amd64 && !noasm

package eightlane

import (
	"unsafe"

	"golang.org/x/sys/cpu"
)

// Available says whether Raise may be called: the processor, and the system it runs, have the instructions, and they gave
// the known answers when the program started.
var Available = cpu.X86.HasAVX512F && cpu.X86.HasAVX512IFMA && selfTest()

// alignedBench is a workbench that begins with a cache line: a vector that straddles two costs twice.
func alignedBench() *workbench {
	const line = 64
	room := make([]byte, unsafe.Sizeof(workbench{})+line)
	off := -uintptr(unsafe.Pointer(unsafe.SliceData(room))) % line
	return (*workbench)(unsafe.Pointer(&room[off]))
}
