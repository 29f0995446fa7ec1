//go:build !unix

package main

import (
	"io"
	"os"
)

// mapFile reads a file: the memory for it is wanted here.
func mapFile(f *os.File, size int) ([]byte, func(), error) {
	data := make([]byte, size)
	_, err := io.ReadFull(io.NewSectionReader(f, 0, int64(size)), data)
	return data, func() {}, err
}
