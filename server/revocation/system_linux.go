package revocation

import (
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// humbly begins a task on a thread of its own that gives way to every other, and returns how to wait for its end: whoever answers requests
// has the processor at once. The thread ends with the task, because its priority cannot be raised again.
func humbly(task func()) (wait func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		const lowest = 19
		_ = unix.Setpriority(unix.PRIO_PROCESS, unix.Gettid(), lowest) // a wish
		task()
	}()
	return func() { <-done }
}

// largePages asks for memory in pages of 2 MiB: a page is made where it is first written, which costs more than what is then
// written if the pages are small.
func largePages(memory []byte) {
	const page = 2 << 20
	start := int(-uintptr(unsafe.Pointer(unsafe.SliceData(memory))) % page)
	if end := start + (len(memory)-start)/page*page; end > start {
		_ = unix.Madvise(memory[start:end], unix.MADV_HUGEPAGE) // a wish
	}
}

// startWriting lets the system write what is in a part of a file, so that little is left to wait for when it has to be durable.
func startWriting(f *os.File, offset, size int64) {
	_ = unix.SyncFileRange(int(f.Fd()), offset, size, unix.SYNC_FILE_RANGE_WRITE) // a wish
}
