//go:build !linux

package revocation

// largePages: the system decides.
func largePages([]byte) {}
