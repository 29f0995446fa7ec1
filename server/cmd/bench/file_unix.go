//go:build unix

package main

import (
	"os"
	"syscall"
)

// room is how many octets may still be written below a directory.
func room(dir string) (int64, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, err
	}
	return int64(s.Bavail) * int64(s.Bsize), nil
}

// mapped maps a file into memory, to be read, as long as the process lives.
func mapped(file *os.File, size int64) ([]byte, error) {
	return syscall.Mmap(int(file.Fd()), 0, int(size), syscall.PROT_READ, syscall.MAP_SHARED)
}
