package crl

import (
	"encoding/binary"
	"hash/crc32"
	"math/bits"
	"slices"
	"time"
)

// maxSerial is how many content octets a serial number has at most. RFC 5280 section 4.1.2.2 allows 20.
const maxSerial = 21

// number is a serial number as the table orders it: its length above its content octets, as one number. Its order is that
// of compareOctets.
type number struct{ hi, mid, lo uint64 }

const lengthShift = 8 * (maxSerial - 16) // of the length, in hi

// numberOf takes 1 to maxSerial octets.
func numberOf(serial []byte) number {
	n := len(serial)
	x := number{hi: uint64(n) << lengthShift}
	switch {
	case n >= 16:
		x.hi |= binary.BigEndian.Uint64(serial) >> (8 * (24 - n))
		x.mid = binary.BigEndian.Uint64(serial[n-16:])
		x.lo = binary.BigEndian.Uint64(serial[n-8:])
	case n >= 8:
		x.mid = binary.BigEndian.Uint64(serial) >> (8 * (16 - n))
		x.lo = binary.BigEndian.Uint64(serial[n-8:])
	case n >= 4:
		x.lo = uint64(binary.BigEndian.Uint32(serial))<<(8*(n-4)) | uint64(binary.BigEndian.Uint32(serial[n-4:]))
	default:
		for _, b := range serial {
			x.lo = x.lo<<8 | uint64(b)
		}
	}
	return x
}

func (x number) length() int { return int(x.hi >> lengthShift) }

// valid: there is such a serial number.
func (x number) valid() bool {
	n := x.length()
	return n >= 1 && n <= maxSerial && x.sub(number{hi: uint64(n) << lengthShift}).bits() <= 8*n
}

// appendTo appends the 24 octets of a valid number and returns those of the serial number.
func (x number) appendTo(b []byte) []byte {
	b = x.append24(b)
	return b[len(b)-x.length():]
}

func (x number) append24(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, x.hi)
	b = binary.BigEndian.AppendUint64(b, x.mid)
	return binary.BigEndian.AppendUint64(b, x.lo)
}

func (x number) less(y number) bool {
	if x.hi != y.hi {
		return x.hi < y.hi
	}
	if x.mid != y.mid {
		return x.mid < y.mid
	}
	return x.lo < y.lo
}

func (x number) sub(y number) number {
	lo, borrow := bits.Sub64(x.lo, y.lo, 0)
	mid, borrow := bits.Sub64(x.mid, y.mid, borrow)
	return number{x.hi - y.hi - borrow, mid, lo}
}

func (x number) add(y number) number {
	lo, carry := bits.Add64(x.lo, y.lo, 0)
	mid, carry := bits.Add64(x.mid, y.mid, carry)
	return number{x.hi + y.hi + carry, mid, lo}
}

func (x number) shr(k uint) number {
	switch {
	case k < 64:
		return number{x.hi >> k, x.mid>>k | x.hi<<(64-k), x.lo>>k | x.mid<<(64-k)}
	case k < 128:
		k -= 64
		return number{0, x.hi >> k, x.mid>>k | x.hi<<(64-k)}
	}
	return number{0, 0, x.hi >> (k - 128)}
}

func (x number) shl(k uint) number {
	switch {
	case k < 64:
		return number{x.hi<<k | x.mid>>(64-k), x.mid<<k | x.lo>>(64-k), x.lo << k}
	case k < 128:
		k -= 64
		return number{x.mid<<k | x.lo>>(64-k), x.lo << k, 0}
	}
	return number{x.lo << (k - 128), 0, 0}
}

func (x number) bits() int {
	switch {
	case x.hi != 0:
		return 128 + bits.Len64(x.hi)
	case x.mid != 0:
		return 64 + bits.Len64(x.mid)
	}
	return bits.Len64(x.lo)
}

// record is an entry in memory: its serial number, and seconds since minUnix above eight bits of reason.
type record struct {
	number
	what uint64
}

func (r *record) entry() Entry {
	return Entry{time.Unix(int64(r.what>>8)+minUnix, 0).UTC(), Reason(r.what & 0xff)}
}

// block is what the directory says of a block, and whether its checksum was found right.
type block struct {
	base     number // serial number of the first entry
	offset   int64  // of the entries
	counts   int64  // offset of the counts
	time     int64  // the earliest, Unix seconds
	n        uint16
	buckets  uint16
	reasons  uint16 // those in use, a bit each
	k, w     uint8  // bits of an entry's serial number in its bucket, and of what it says
	checksum uint32
	state    uint32 // atomic
}

const (
	// spareOctets end a block, so that nine octets can be read wherever an entry begins or ends.
	spareOctets  = 9
	maxWidth     = 48    // of what an entry says; the years 0 to 9999 with ten reasons need 42
	validReasons = 0x77f // RFC 5280 section 5.3.1
)

// size is how many octets the entries take.
func (b *block) size() int64 { return (int64(b.n)*(int64(b.k)+int64(b.w))+7)/8 + spareOctets }

// countsSize is how many octets the counts take.
func (b *block) countsSize() int64 { return 2 * (int64(b.buckets) + 1) }

// append appends the block's part of the directory.
func (b *block) append(d []byte) []byte {
	d = b.base.append24(d)
	d = binary.BigEndian.AppendUint64(d, uint64(b.time))
	d = binary.BigEndian.AppendUint16(d, b.n)
	d = binary.BigEndian.AppendUint16(d, b.buckets)
	d = binary.BigEndian.AppendUint16(d, b.reasons)
	d = append(d, b.k, b.w)
	return binary.BigEndian.AppendUint32(d, b.checksum)
}

func (b *block) read(d []byte) {
	b.base = number{binary.BigEndian.Uint64(d), binary.BigEndian.Uint64(d[8:]), binary.BigEndian.Uint64(d[16:])}
	b.time = int64(binary.BigEndian.Uint64(d[24:]))
	b.n, b.buckets, b.reasons = binary.BigEndian.Uint16(d[32:]), binary.BigEndian.Uint16(d[34:]), binary.BigEndian.Uint16(d[36:])
	b.k, b.w = d[38], d[39]
	b.checksum = binary.BigEndian.Uint32(d[40:])
}

// plausible: whatever the block's octets are, they can be read without leaving them or the range of serial numbers.
func (b *block) plausible() bool {
	if !b.base.valid() || b.n == 0 || b.buckets == 0 || b.buckets > b.n || b.w > maxWidth ||
		b.reasons == 0 || b.reasons&^validReasons != 0 || b.time < minUnix || b.time > maxUnix {
		return false
	}
	last := number{lo: uint64(b.buckets - 1)}
	if last.bits()+int(b.k) > 8*b.base.length() {
		return false
	}
	last = b.base.add(last.shl(uint(b.k)))
	return last.length() == b.base.length() && last.valid()
}

// bitsAt reads 64 bits.
func bitsAt(b []byte, bit uint) uint64 {
	b = b[bit>>3:]
	return binary.BigEndian.Uint64(b)<<(bit&7) | uint64(b[8])>>(8-bit&7)
}

// bitWriter writes numbers of up to 64 bits. It is a value, so that the processor's registers can hold it.
type bitWriter struct {
	word uint64
	room uint // bits of word that are free, 1 to 64
	at   int
}

func (p bitWriter) put(to []byte, v uint64, n uint) bitWriter {
	if n < p.room {
		p.room -= n
		p.word |= v << p.room
		return p
	}
	n -= p.room
	binary.BigEndian.PutUint64(to[p.at:], p.word|v>>n)
	return bitWriter{v << (64 - n), 64 - n, p.at + 8}
}

// entriesPerBucket is how many entries a bucket has at least, on the average, if an entry takes so many bits. If numbers lie evenly, an entry is
// within about half the square root of that from where it is looked for; that should be in the same line of the processor's cache, of 512 bits. The
// fewer buckets the more of their counts are in the cache.
func entriesPerBucket(width int) int {
	lines := 512 / width
	return min(max(lines*lines, 8), 128)
}

// encode appends the entries of a block, which are of one length, in order, at least one, at most 65535, to out, and their counts to counts.
func encode(counts, out []byte, entries []record, most int) ([]byte, []byte, block) {
	b := block{base: entries[0].number, n: uint16(len(entries))}
	earliest, latest := entries[0].what>>8, entries[0].what>>8
	for i := range entries {
		what := entries[i].what
		earliest, latest = min(earliest, what>>8), max(latest, what>>8)
		b.reasons |= 1 << (what & 15)
	}
	b.time = int64(earliest) + minUnix
	var codes [16]uint64
	reasons := uint64(0)
	for r := range codes {
		codes[r] = reasons
		reasons += uint64(b.reasons >> r & 1)
	}
	b.w = uint8(bits.Len64((latest-earliest)*reasons + reasons - 1))

	span := entries[len(entries)-1].sub(b.base)
	width := max(0, span.bits()-bits.Len(uint(len(entries)))) + 6 + int(b.w) // about
	buckets := uint64(min(most, max(1, len(entries)/entriesPerBucket(width))))
	k := uint(max(0, span.bits()-bits.Len64(buckets)))
	if span.shr(k).lo >= buckets {
		k++
	}
	b.k, b.buckets = uint8(k), uint16(span.shr(k).lo+1)

	start, size := len(out), int(b.size())
	out = slices.Grow(out, size)[:start+size]
	packed, to := bitWriter{room: 64}, out[start:]
	w := uint(b.w)
	begun := uint64(0) // buckets whose first entry is written, or a later one
	for i := range entries {
		e := &entries[i]
		code := (e.what>>8-earliest)*reasons + codes[e.what&15]
		offset := e.sub(b.base)
		for bucket := offset.shr(k).lo; begun <= bucket; begun++ {
			counts = binary.BigEndian.AppendUint16(counts, uint16(i))
		}
		switch {
		case k+w <= 64:
			packed = packed.put(to, offset.lo&(1<<k-1)<<w|code, k+w)
			continue
		case k <= 64:
			packed = packed.put(to, offset.lo&(1<<k-1), k)
		case k <= 128:
			packed = packed.put(to, offset.mid&(1<<(k-64)-1), k-64)
			packed = packed.put(to, offset.lo, 64)
		default:
			packed = packed.put(to, offset.hi&(1<<(k-128)-1), k-128)
			packed = packed.put(to, offset.mid, 64)
			packed = packed.put(to, offset.lo, 64)
		}
		packed = packed.put(to, code, w)
	}
	counts = binary.BigEndian.AppendUint16(counts, b.n)
	binary.BigEndian.PutUint64(to[packed.at:], packed.word)
	clear(to[packed.at+8:])
	return counts, out, b
}

// sum is the checksum of a block.
func sum(counts, octets []byte) uint32 {
	return crc32.Update(crc32.Checksum(counts, castagnoli), castagnoli, octets)
}

// decode appends a block's entries; false if they are not what encode writes.
func (b *block) decode(counts, packed []byte, entries []record) ([]record, bool) {
	entries = slices.Grow(entries, int(b.n))
	reasons := make([]uint64, 0, 16)
	for set := b.reasons; set != 0; set &= set - 1 {
		reasons = append(reasons, uint64(bits.TrailingZeros16(set)))
	}
	k, w := uint(b.k), uint(b.w)
	earliest := uint64(b.time - minUnix)
	from, bit := 0, uint(0)
	var last number
	for bucket := range uint64(b.buckets) {
		pair := binary.BigEndian.Uint32(counts[2*bucket:])
		to := int(pair & 0xffff)
		if int(pair>>16) != from || to < from || to > int(b.n) {
			return entries, false
		}
		begin := b.base.add(number{lo: bucket}.shl(k))
		for ; from < to; from++ {
			var low number
			switch {
			case k <= 64:
				low.lo = bitsAt(packed, bit) >> (64 - k)
			case k <= 128:
				low.mid, low.lo = bitsAt(packed, bit)>>(128-k), bitsAt(packed, bit+k-64)
			default:
				low.hi, low.mid, low.lo = bitsAt(packed, bit)>>(192-k), bitsAt(packed, bit+k-128), bitsAt(packed, bit+k-64)
			}
			bit += k
			code := bitsAt(packed, bit) >> (64 - w)
			bit += w
			what := (earliest+code/uint64(len(reasons)))<<8 | reasons[code%uint64(len(reasons))]
			key := begin.add(low)
			if !last.less(key) || what>>8 > maxUnix-minUnix {
				return entries, false
			}
			last = key
			entries = append(entries, record{key, what})
		}
	}
	return entries, from == int(b.n) && last.length() == b.base.length() && last.valid()
}
