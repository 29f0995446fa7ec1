//go:build unix

package revocation

import (
	"os"

	"golang.org/x/sys/unix"
)

// mapFile makes the first octets of a file readable as memory, until unmap is called with them. The file may be closed, renamed and
// removed meanwhile, but must not be changed.
func mapFile(f *os.File, size int64) (data []byte, unmap func([]byte), err error) {
	if size == 0 { // which cannot be mapped, and is no index
		return nil, func([]byte) {}, nil
	}
	if data, err = unix.Mmap(int(f.Fd()), 0, int(size), unix.PROT_READ, unix.MAP_SHARED); err == nil {
		largePages(data) // a look-up touches few octets far apart, and each small page would have to be found first
	}
	return data, func(data []byte) { unix.Munmap(data) }, err
}
