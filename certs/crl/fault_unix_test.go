//go:build unix

package crl

import (
	"bytes"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestFileCutOff: the file that an image is mapped from is cut off under it: nothing is known then, and nothing ends.
func TestFileCutOff(t *testing.T) {
	a := theCA()
	s := a.conforming(nil)
	s.entries = seq(manyEntries(50_000, true))
	l := must(Parse(s.sign(a.key)))
	mapped := func(t *testing.T) (*os.File, []byte) {
		f, err := os.Create(filepath.Join(t.TempDir(), "index"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		_, size, err := Build(bytes.NewReader(l.Raw), BuildOptions{Output: f})
		if err != nil {
			t.Fatal(err)
		}
		data, err := syscall.Mmap(int(f.Fd()), 0, int(size), syscall.PROT_READ, syscall.MAP_SHARED)
		if err != nil {
			t.Skip("no mapping: ", err)
		}
		t.Cleanup(func() { syscall.Munmap(data) })
		return f, data
	}
	var serials [][]byte
	for serial := range l.Entries() {
		serials = append(serials, serial)
	}
	for name, touch := range map[string]func(*Index) error{
		"Lookup":     func(x *Index) error { _, _, err := x.Lookup(serials[len(serials)/2]); return err },
		"CheckBlock": func(x *Index) error { return x.CheckBlock(x.Blocks() - 1) },
		"All": func(x *Index) (err error) {
			for _, err = range x.All() {
			}
			return err
		},
		"Diff": func(x *Index) (err error) {
			for _, err = range Diff(a.index(t, a.conforming(nil)), x) {
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			f, data := mapped(t)
			x, found := must(OpenImage(data)).Authenticate(a.cert, a.public, allowed)
			if x == nil {
				t.Fatal(found)
			}
			if err := touch(x); err != nil || x.Damaged() {
				t.Fatal(err)
			}
			if err := f.Truncate(0); err != nil {
				t.Fatal(err)
			}
			if err := touch(x); err != ErrDamaged || !x.Damaged() {
				t.Errorf("%v, damaged %v", err, x.Damaged())
			}
		})
	}
	t.Run("OpenImage", func(t *testing.T) {
		f, data := mapped(t)
		if err := f.Truncate(0); err != nil {
			t.Fatal(err)
		}
		if i, err := OpenImage(data); i != nil || err != ErrDamaged {
			t.Error(err)
		}
	})
}
