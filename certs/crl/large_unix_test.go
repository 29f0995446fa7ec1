//go:build unix

package crl

import (
	"bytes"
	"encoding/binary"
	"syscall"
	"testing"
)

// TestTwoGibibytes: offsets beyond 2^31. The list is one entry with a serial number of 2 GiB, which
// nobody touches, and some more behind it.
func TestTwoGibibytes(t *testing.T) {
	if testing.Short() || ^uint(0)>>32 == 0 {
		t.Skip("needs 2 GiB of address space")
	}
	const huge = 1<<31 + 5
	behind := append(revoke([]byte{0x11, 0x22}, now), revoke([]byte{5}, now, because(Superseded))...)
	// tag and four octets of length
	long := func(tag byte, n int) []byte {
		return append([]byte{tag, 0x84}, binary.BigEndian.AppendUint32(nil, uint32(n))...)
	}
	time := utc(now)
	s := theCA().conforming(nil)
	before := bytes.Join([][]byte{s.version, s.algorithm, s.issuer, s.this, s.next}, nil)
	trailer := append(bytes.Clone(s.algorithm), wrap(3, []byte{0, 1})...)
	entry := 6 + huge + len(time)
	entries := 6 + entry + len(behind)
	tbs := len(before) + 6 + entries
	// Zero pages: only what is written is there.
	der, err := syscall.Mmap(-1, 0, 6+6+tbs+len(trailer), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Skip("no address space: ", err)
	}
	defer syscall.Munmap(der)
	at := 0
	put := func(parts ...[]byte) {
		for _, part := range parts {
			at += copy(der[at:], part)
		}
	}
	put(long(0x30, 6+tbs+len(trailer)), long(0x30, tbs), before, long(0x30, entries), long(0x30, entry), long(2, huge), []byte{1})
	at += huge - 1
	put(time, behind, trailer)
	if at != len(der) {
		t.Fatal("wrong arithmetic in the test", at, len(der))
	}
	l, err := Parse(der)
	if err != nil || l.EntryCount != 3 {
		t.Fatal(err)
	}
	x := newSerials(l)
	if e, ok := x.lookup([]byte{5}); !ok || e.Reason != Superseded || x.order[0] <= 1<<31 {
		t.Errorf("%v %v, offsets %v", e, ok, x.order)
	}
	if _, ok := x.lookup([]byte{0x11, 0x22}); !ok {
		t.Error("entry beyond 2^31 is not found")
	}
	if _, ok := x.lookup([]byte{0x11}); ok {
		t.Error("found what is not there")
	}
}
