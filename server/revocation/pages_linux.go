package revocation

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// largePages asks for memory in pages of 2 MiB: a page is made where it is first written, which costs more than what is then
// written if the pages are small.
func largePages(memory []byte) {
	const page = 2 << 20
	start := int(-uintptr(unsafe.Pointer(unsafe.SliceData(memory))) % page)
	if end := start + (len(memory)-start)/page*page; end > start {
		_ = unix.Madvise(memory[start:end], unix.MADV_HUGEPAGE) // a wish
	}
}
