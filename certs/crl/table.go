package crl

import (
	"encoding/binary"
	"hash/crc32"
	"iter"
	"math/bits"
	"sync/atomic"
	"time"
)

// A table is the exact, immutable index of serial numbers. FORMAT.md describes its octets, and why they are so: serial numbers in order,
// cut into blocks, each with the width that its own numbers and times need. A look-up touches the block's counts and the entries of one
// bucket, which is two misses of the processor's cache in a table of any size.
type table struct {
	data    []byte // up to the directory
	blocked []block
	tops    []uint64 // of each block, see lengthClass
	classes [maxSerial + 1]lengthClass
	entries int
	bad     atomic.Bool
}

// lengthClass is the blocks of serial numbers of one length.
type lengthClass struct {
	first, last number // where the first and the last block begin
	end         int    // index of the last block
	// shift is such that last-first fits 64 bits: the top of a block is that part of where it begins. starts[j] is the first
	// block whose top>>step is j or more, so that few blocks are left to search where numbers lie evenly.
	shift, step uint
	starts      []uint32
}

// The states of a block.
const (
	unchecked = iota
	sound
	damaged
)

const (
	tableMagic    = "CRLTABLE"
	tableVersion  = 1
	headerSize    = 64
	directorySize = 44 // of one block
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// openTable opens what a tableWriter wrote. It looks at the header, the directory and the octets of the caller, not at the blocks.
func openTable(data []byte) (t *table, meta []byte, err error) {
	if len(data) < headerSize || string(data[:8]) != tableMagic ||
		binary.BigEndian.Uint32(data[8:]) != tableVersion || crc32.Checksum(data[:60], castagnoli) != binary.BigEndian.Uint32(data[60:]) {
		return nil, nil, ErrDamaged
	}
	size, entries := binary.BigEndian.Uint64(data[16:]), binary.BigEndian.Uint64(data[24:])
	at, blocks, metaSize := binary.BigEndian.Uint64(data[32:]), binary.BigEndian.Uint64(data[40:]), binary.BigEndian.Uint64(data[48:])
	// Each is bounded by the size, so that no sum below overflows.
	if size != uint64(len(data)) || at < headerSize || at > size || blocks > size/directorySize || metaSize > size ||
		at+blocks*directorySize+metaSize != size {
		return nil, nil, ErrDamaged
	}
	directory, meta := data[at:size-metaSize], data[size-metaSize:]
	if crc32.Checksum(directory, castagnoli) != binary.BigEndian.Uint32(data[12:]) || crc32.Checksum(meta, castagnoli) != binary.BigEndian.Uint32(data[56:]) {
		return nil, nil, ErrDamaged
	}
	t = &table{data: data[:at], blocked: make([]block, blocks)}
	offset := int64(headerSize)
	for i := range t.blocked {
		b := &t.blocked[i]
		b.read(directory[i*directorySize:])
		if !b.plausible() || i > 0 && !t.blocked[i-1].base.less(b.base) {
			return nil, nil, ErrDamaged
		}
		b.offset = offset
		if offset += b.size(); offset > int64(at) {
			return nil, nil, ErrDamaged
		}
		t.entries += int(b.n)
	}
	for i := range t.blocked {
		b := &t.blocked[i]
		b.counts = offset
		if offset += b.countsSize(); offset > int64(at) {
			return nil, nil, ErrDamaged
		}
	}
	if offset != int64(at) || uint64(t.entries) != entries {
		return nil, nil, ErrDamaged
	}
	t.arrange()
	return t, append([]byte(nil), meta...), nil
}

// arrange makes what a block is found by.
func (t *table) arrange() {
	t.tops = make([]uint64, len(t.blocked))
	for from, to := 0, 0; from < len(t.blocked); from = to {
		length := t.blocked[from].base.length()
		for to = from; to < len(t.blocked) && t.blocked[to].base.length() == length; to++ {
		}
		c := &t.classes[length]
		c.first, c.last, c.end = t.blocked[from].base, t.blocked[to-1].base, to-1
		span := c.last.sub(c.first)
		c.shift = uint(max(0, span.bits()-64))
		most := span.shr(c.shift).lo
		for most>>c.step >= uint64(2*(to-from)) {
			c.step++
		}
		c.starts = make([]uint32, most>>c.step+2)
		j := uint64(0)
		for i := from; i < to; i++ {
			t.tops[i] = t.blocked[i].base.sub(c.first).shr(c.shift).lo
			for ; j <= t.tops[i]>>c.step; j++ {
				c.starts[j] = uint32(i)
			}
		}
		c.starts[j] = uint32(to)
	}
}

// find returns the index of the block that a number is in if it is in any, or -1.
func (t *table) find(key number, length int) int {
	c := &t.classes[length]
	if c.starts == nil || key.less(c.first) {
		return -1
	}
	if !key.less(c.last) {
		return c.end
	}
	top := key.sub(c.first).shr(c.shift).lo
	low, high := c.starts[top>>c.step], c.starts[top>>c.step+1]
	for low < high {
		middle := (low + high) / 2
		if other := t.tops[middle]; other < top || other == top && !key.less(t.blocked[middle].base) {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return int(low) - 1
}

// lookup finds a serial number, the content octets of its INTEGER. The error is ErrDamaged.
func (t *table) lookup(serial []byte) (Entry, bool, error) {
	if len(serial) == 0 || len(serial) > maxSerial {
		return Entry{}, false, nil
	}
	key := numberOf(serial)
	i := t.find(key, len(serial))
	if i < 0 {
		return Entry{}, false, nil
	}
	b := &t.blocked[i]
	if state := atomic.LoadUint32(&b.state); state == damaged || state == unchecked && t.checkBlock(i) != nil {
		return Entry{}, false, ErrDamaged
	}
	offset := key.sub(b.base)
	bucket := offset.shr(uint(b.k))
	if bucket.hi|bucket.mid != 0 || bucket.lo >= uint64(b.buckets) {
		return Entry{}, false, nil
	}
	pair := binary.BigEndian.Uint32(t.data[uint64(b.counts)+2*bucket.lo:])
	low, high := int(pair>>16), int(pair&0xffff)
	if high > int(b.n) {
		return Entry{}, false, t.condemn(b)
	}
	packed := t.data[b.offset:][:b.size()]
	k := uint(b.k)
	bit, found := search(packed, low, high, k, k+uint(b.w), offset.shl(192-k))
	if !found {
		return Entry{}, false, nil
	}
	e, ok := b.entry(bitsAt(packed, bit+k) >> (64 - b.w))
	if !ok {
		return e, false, t.condemn(b)
	}
	return e, true, nil
}

// search finds a number among the entries of a bucket, and where its entry begins. The number is what is left of it in the bucket, k bits,
// its highest bit first.
func search(packed []byte, low, high int, k, width uint, rest number) (bit uint, found bool) {
	mask := ^(^uint64(0) >> k)
	// Most numbers are near to where they would be if they lay evenly; if they do not, halving ends it.
	share, _ := bits.Mul64(rest.hi, uint64(high-low))
	at := low + int(share)
	for steps := 0; low < high; steps++ {
		if steps >= 8 {
			at = int(uint(low+high) / 2)
		}
		bit = uint(at) * width
		word := bitsAt(packed, bit) & mask
		before := word < rest.hi
		if word == rest.hi {
			c := compareRest(packed, bit, k, rest)
			if c == 0 {
				return bit, true
			}
			before = c < 0
		}
		if before {
			low = at + 1
			at = low
		} else {
			high = at
			at = high - 1
		}
	}
	return 0, false
}

// compareRest compares the second and third word of an entry's k bits.
func compareRest(packed []byte, bit, k uint, rest number) int {
	for _, word := range [2]uint64{rest.mid, rest.lo} {
		if k <= 64 {
			return 0
		}
		k -= 64
		bit += 64
		found := bitsAt(packed, bit)
		if k < 64 {
			found &= ^(^uint64(0) >> k)
		}
		switch {
		case found < word:
			return -1
		case found > word:
			return 1
		}
	}
	return 0
}

func (t *table) len() int    { return t.entries }
func (t *table) blocks() int { return len(t.blocked) }

// damaged says whether a block was ever found damaged. One that was stays so, whatever is read of it later.
func (t *table) damaged() bool { return t.bad.Load() }

// condemn remembers that a block is damaged.
func (t *table) condemn(b *block) error {
	t.bad.Store(true)
	atomic.StoreUint32(&b.state, damaged)
	return ErrDamaged
}

// checkBlock checks a block against its checksum, again if it was before.
func (t *table) checkBlock(i int) error {
	b := &t.blocked[i]
	if sum(t.octets(b)) != b.checksum {
		return t.condemn(b)
	}
	if !atomic.CompareAndSwapUint32(&b.state, unchecked, sound) && atomic.LoadUint32(&b.state) == damaged {
		return ErrDamaged
	}
	return nil
}

func (t *table) octets(b *block) (counts, packed []byte) {
	return t.data[b.counts:][:b.countsSize()], t.data[b.offset:][:b.size()]
}

// all goes through the entries in order. An error ends it.
func (t *table) all() iter.Seq2[Listed, error] {
	return func(yield func(Listed, error) bool) {
		var entries []record
		var serial [24]byte
		var last number
		for i := range t.blocked {
			b := &t.blocked[i]
			err := t.checkBlock(i)
			if err == nil {
				var ok bool
				counts, packed := t.octets(b)
				if entries, ok = b.decode(counts, packed, entries[:0]); !ok || !last.less(entries[0].number) {
					err = t.condemn(b)
				}
			}
			if err != nil {
				yield(Listed{}, err)
				return
			}
			for j := range entries {
				if !yield(Listed{entries[j].appendTo(serial[:0]), entries[j].entry()}, nil) {
					return
				}
			}
			last = entries[len(entries)-1].number
		}
	}
}

// The times that a list can give: the years 0 to 9999.
const (
	minUnix = -62167219200
	maxUnix = 253402300799
)

// entry decodes what an entry says.
func (b *block) entry(code uint64) (Entry, bool) {
	n := uint64(bits.OnesCount16(b.reasons))
	unix := b.time + int64(code/n)
	if unix > maxUnix {
		return Entry{}, false
	}
	reasons := b.reasons
	for range code % n {
		reasons &= reasons - 1
	}
	return Entry{time.Unix(unix, 0).UTC(), Reason(bits.TrailingZeros16(reasons))}, true
}
