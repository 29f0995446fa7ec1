package crl

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"
	"time"

	"golang.org/x/crypto/cryptobyte"
)

// Entry is what a list says of a revoked certificate.
type Entry struct {
	RevocationTime time.Time
	Reason         Reason // Unspecified if the entry gives none
}

// serials finds the entry of a serial number. It leaves the entries where they are, in the
// list, and sorts their offsets, which fit 32 bits because a DER length here does. Every
// markStride-th entry is marked by a key, so that all but the last few steps of a search
// stay in an array that the processor's cache holds.
type serials struct {
	version int
	entries []byte   // RawEntries of the list
	order   []uint32 // offsets in entries, by serial number, one for each
	marks   []uint64 // sortKey of order[0], order[markStride], …
}

const markStride = 64

// compareOctets orders INTEGER contents: by length, then octet by octet. For numbers that are
// not negative that is their order; for all it is a total order, which is all a search needs.
func compareOctets(a, b []byte) int {
	if c := cmp.Compare(len(a), len(b)); c != 0 {
		return c
	}
	return bytes.Compare(a, b)
}

// sortKey is the beginning of a serial number's place in that order: of two numbers the
// smaller never has the greater key.
func sortKey(serial []byte) uint64 {
	if len(serial) >= 0xff {
		return 0xff << 56
	}
	var b [8]byte
	b[0] = byte(len(serial))
	copy(b[1:], serial)
	return binary.BigEndian.Uint64(b[:])
}

// header returns where the content of a DER element with a one-octet tag begins, and where
// it ends. Parse has checked the element.
func header(der []byte) (begin, end int) {
	n := int(der[1])
	if n < 0x80 {
		return 2, 2 + n
	}
	begin = 2 + n&0x7f
	n = 0
	for _, b := range der[2:begin] {
		n = n<<8 | int(b)
	}
	return begin, begin + n
}

// serialAt is the serial number of the entry at an offset, and the offset of the next entry.
func (x *serials) serialAt(offset int) (serial []byte, next int) {
	entry := x.entries[offset:]
	begin, end := header(entry)
	content := entry[begin:end]
	begin, stop := header(content)
	return content[begin:stop], offset + end
}

func newSerials(l *List) serials {
	x := serials{version: l.Version, entries: l.RawEntries, order: make([]uint32, 0, l.EntryCount)}
	sorted := true
	var last []byte
	for offset := 0; offset < len(x.entries); {
		serial, next := x.serialAt(offset)
		sorted = sorted && (last == nil || compareOctets(last, serial) < 0)
		last = serial
		x.order = append(x.order, uint32(offset))
		offset = next
	}
	if !sorted {
		x.sort()
		x.mergeDuplicates()
	}
	x.marks = make([]uint64, 0, (len(x.order)+markStride-1)/markStride)
	for i := 0; i < len(x.order); i += markStride {
		serial, _ := x.serialAt(int(x.order[i]))
		x.marks = append(x.marks, sortKey(serial))
	}
	return x
}

// sort orders the offsets, entries of the same serial number in the list's order. It sorts
// keys beside them: most comparisons then need not go to the list.
func (x *serials) sort() {
	type keyed struct {
		key    uint64
		offset uint32
	}
	all := make([]keyed, len(x.order))
	for i, offset := range x.order {
		serial, _ := x.serialAt(int(offset))
		all[i] = keyed{sortKey(serial), offset}
	}
	slices.SortFunc(all, func(a, b keyed) int {
		if c := cmp.Compare(a.key, b.key); c != 0 {
			return c
		}
		s, _ := x.serialAt(int(a.offset))
		t, _ := x.serialAt(int(b.offset))
		if c := compareOctets(s, t); c != 0 {
			return c
		}
		return cmp.Compare(a.offset, b.offset)
	})
	for i := range all {
		x.order[i] = all[i].offset
	}
}

// mergeDuplicates leaves one entry for each serial number, the graver. RFC 5280 does not say
// what a serial number means that is listed twice; it must not be less than either
// says (TestDuplicateSerials).
func (x *serials) mergeDuplicates() {
	kept := x.order[:0]
	var last []byte
	for _, offset := range x.order {
		serial, _ := x.serialAt(int(offset))
		switch {
		case last == nil || !bytes.Equal(last, serial):
			kept = append(kept, offset)
		case graver(x.entryAt(offset), x.entryAt(kept[len(kept)-1])):
			kept[len(kept)-1] = offset
		}
		last = serial
	}
	x.order = slices.Clip(kept)
}

func (x *serials) entryAt(offset uint32) Entry {
	s := cryptobyte.String(x.entries[offset:])
	e, _ := readEntry(&s, x.version) // Parse has read it before
	return Entry{e.revoked, e.reason}
}

func (x *serials) lookup(serial []byte) (Entry, bool) {
	key := sortKey(serial)
	// Of the marks, those below the key are of smaller serial numbers, those above it of
	// greater ones; any number of marks may be equal to it.
	below, above := 0, len(x.marks)
	for high := above; below < high; {
		if middle := int(uint(below+high) / 2); x.marks[middle] < key {
			below = middle + 1
		} else {
			high = middle
		}
	}
	for low := below; low < above; {
		if middle := int(uint(low+above) / 2); x.marks[middle] <= key {
			low = middle + 1
		} else {
			above = middle
		}
	}
	first, last := max(below-1, 0)*markStride, min(above*markStride, len(x.order))
	for first < last {
		middle := int(uint(first+last) / 2)
		found, _ := x.serialAt(int(x.order[middle]))
		switch c := compareOctets(found, serial); {
		case c == 0:
			return x.entryAt(x.order[middle]), true
		case c < 0:
			first = middle + 1
		default:
			last = middle
		}
	}
	return Entry{}, false
}
