//go:build !linux

package revocation

import "os"

// humbly begins a task and returns how to wait for its end.
func humbly(task func()) (wait func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		task()
	}()
	return func() { <-done }
}

// largePages: the system decides.
func largePages([]byte) {}

// startWriting: the system decides.
func startWriting(*os.File, int64, int64) {}
