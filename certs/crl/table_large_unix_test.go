//go:build unix

package crl

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"syscall"
	"testing"
)

// TestTableBeyond32Bits: a table of more than 4 GiB, of which only the ends are touched: blocks that nobody looks at between them.
func TestTableBeyond32Bits(t *testing.T) {
	if testing.Short() || ^uint(0)>>32 == 0 {
		t.Skip("needs 5 GiB of address space")
	}
	all := listings(seeded(12), "consecutive", 64)
	counts, packed, last := encode(nil, nil, recordsOf(all), 4)
	last.checksum = sum(counts, packed)
	var directory []byte
	offset, countsSize, entries := int64(headerSize), int64(0), 0
	for i := uint32(1); offset < 5<<30; i++ {
		between := block{base: numberOf(binary.BigEndian.AppendUint32(nil, i)), n: 1<<16 - 1, buckets: 1, reasons: 1, k: 20, w: 48}
		directory = between.append(directory)
		offset, countsSize, entries = offset+between.size(), countsSize+between.countsSize(), entries+int(between.n)
	}
	directory = last.append(directory)
	at := offset + last.size() + countsSize + last.countsSize()
	size := at + int64(len(directory))
	// Zero pages: only what is written is there.
	image, err := syscall.Mmap(-1, 0, int(size), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Skip("no address space: ", err)
	}
	defer syscall.Munmap(image)
	copy(image[offset:], packed)
	copy(image[at-last.countsSize():], counts)
	copy(image[at:], directory)
	h := append([]byte(tableMagic), 0, 0, 0, tableVersion)
	h = binary.BigEndian.AppendUint32(h, crc32.Checksum(directory, castagnoli))
	for _, n := range []int64{size, int64(entries + len(all)), at, int64(len(directory) / directorySize), 0} {
		h = binary.BigEndian.AppendUint64(h, uint64(n))
	}
	h = binary.BigEndian.AppendUint32(h, 0)
	copy(image, binary.BigEndian.AppendUint32(h, crc32.Checksum(h, castagnoli)))
	x, _, err := openTable(image)
	if err != nil || x.blocked[x.blocks()-1].offset <= 1<<32 {
		t.Fatal(err)
	}
	for _, l := range all {
		if e, found, err := x.lookup(l.serial); err != nil || !found || e.RevocationTime.Unix() != l.unix || e.Reason != l.why {
			t.Fatal(e, found, err)
		}
	}
	if _, found, err := x.lookup([]byte{1, 0, 0, 1, 0}); found || err != nil {
		t.Error(found, err)
	}
	if err := x.checkBlock(x.blocks() - 2); err != ErrDamaged {
		t.Error("a block of zeros is whole")
	}
}

func recordsOf(all []listing) []record {
	var records []record
	for _, l := range all {
		records = append(records, record{numberOf(l.serial), uint64(l.unix-minUnix)<<8 | uint64(l.why)})
	}
	return records
}

// far is storage that begins at an offset, and a header.
type far struct {
	Memory
	from   int64
	header []byte
}

func (f *far) WriteAt(p []byte, at int64) (int, error) {
	if at == 0 {
		f.header = bytes.Clone(p)
		return len(p), nil
	}
	return f.Memory.WriteAt(p, at-f.from)
}

func (f *far) ReadAt(p []byte, at int64) (int, error) { return f.Memory.ReadAt(p, at-f.from) }

// TestTableWritesBeyond32Bits: writers that have written 5 GiB already.
func TestTableWritesBeyond32Bits(t *testing.T) {
	const from = 5 << 30
	all := listings(seeded(13), "consecutive", 3000)
	scratch, out := &far{from: from}, &far{from: from}
	s := runs{storage: scratch, at: from}
	for rest := recordsOf(all); len(rest) > 0; rest = rest[500:] {
		if err := s.write(rest[:500]); err != nil {
			t.Fatal(err)
		}
	}
	w := newBlockWriter(out, nil)
	w.at, w.buffer, w.blockSize = from, w.buffer[:0], 100
	if err := s.merge(w.push); err != nil {
		t.Fatal(err)
	}
	size, err := w.finish(nil)
	if err != nil || size != from+int64(len(out.octets)) || binary.BigEndian.Uint64(out.header[16:]) != uint64(size) {
		t.Fatal(size, err)
	}
	at := from
	for i := range w.blocks {
		if w.blocks[i].offset != int64(at) {
			t.Fatalf("block %d begins at %d, not %d", i, w.blocks[i].offset, at)
		}
		at += int(w.blocks[i].size())
	}
	directory := int64(binary.BigEndian.Uint64(out.header[32:]))
	if directory != int64(at+len(w.counts)) || size-directory != int64(len(w.blocks)*directorySize) {
		t.Errorf("directory at %d of %d", directory, size)
	}
}
