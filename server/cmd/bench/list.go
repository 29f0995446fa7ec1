package main

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"time"

	"github.com/tashika-jp/tashika/certs/crl"
)

// The revocation lists that are measured are made up, and are too long to be kept twice. So everything on one follows from a few
// numbers: whether a serial number is on it, and since when and why, can be told by calculation, for any serial number, without the list.
//
// A list is a window of entries, each with a key, in order. In a dense one, as JPKI's, serial numbers are a counter of the
// certificates issued, about one in twenty of them was revoked, which ones is chance, and the entries stand in serial order. Of several
// partitions each has its share of the one counter, strewn over all of it. In a random one, serial numbers are 128 random bits and
// stand in no order; half of them have a seventeenth octet, the sign. The next issue of a list is the window moved on a little: some entries
// have left it, as expired certificates do, and others are new.
//
// Dates are any second of five years with equal chance, whatever the serial number: that is the hardest to compress.

// listing is a list in these few numbers.
type listing struct {
	Random     bool            `json:"random"`
	Seeds      [domains]uint64 `json:"seeds"`
	Partition  int             `json:"partition"`  // from 0
	Partitions int             `json:"partitions"` // that share the counter

	First   uint64 `json:"first"` // key at which the window begins
	End     uint64 `json:"end"`   // and ends
	Entries int    `json:"entries"`
	Octets  int64  `json:"octets"` // of the DER of all entries

	Number     int64     `json:"number"`
	ThisUpdate time.Time `json:"this_update"`
	Since      int64     `json:"since"` // earliest revocation date, a midnight, in seconds since 1970
}

const (
	// listedOneIn: performance.md counts 10^7 entries among 2 x 10^8 certificates.
	listedOneIn = 20
	// firstCounter: the counter's first values are the authority's own certificates.
	firstCounter = 1 << 12

	revokedDays    = 5*365 + 1
	revokedSeconds = revokedDays * 86400
)

// Domains of the pseudo-random function, so that what it says of one thing tells nothing of another.
const (
	domainListed = iota
	domainSerial
	domainLow
	domainStatement
	domains
)

const (
	gamma    = 0x9e3779b97f4a7c15
	mixFirst = 0xbf58476d1ce4e5b9
	mixThen  = 0x94d049bb133111eb
)

// mix is the finalizer of SplitMix64: a bijection of 64 bits, whose output passes for random.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * mixFirst
	x = (x ^ x>>27) * mixThen
	return x ^ x>>31
}

// unmix is the inverse of mix.
func unmix(x uint64) uint64 {
	x ^= x>>31 ^ x>>62
	x *= inverse(mixThen)
	x ^= x>>27 ^ x>>54
	x *= inverse(mixFirst)
	return x ^ x>>30 ^ x>>60
}

// inverse is that of an odd number modulo 2^64, by Newton's iteration, which doubles the right bits each time.
func inverse(a uint64) uint64 {
	x := a
	for range 5 {
		x *= 2 - a*x
	}
	return x
}

// chance is the pseudo-random function of a list: 64 bits for a key in a domain.
func (l *listing) chance(domain int, key uint64) uint64 { return mix(l.Seeds[domain] + key*gamma) }

// newListing makes a list of so many entries.
func newListing(random bool, seed uint64, partition, partitions, entries int, number int64, thisUpdate time.Time) *listing {
	l := &listing{
		Random: random, Partition: partition, Partitions: partitions, Entries: entries, Number: number, ThisUpdate: thisUpdate,
		Since: thisUpdate.Truncate(24*time.Hour).AddDate(0, 0, -revokedDays).Unix(), First: firstCounter,
	}
	for i := range l.Seeds {
		l.Seeds[i] = mix(mix(seed+uint64(partition)*domains+uint64(i)) + gamma)
	}
	l.measure()
	return l
}

// next is the next issue of a list: as long, with another number, moved by so many entries.
func (l *listing) next(by int) *listing {
	n := *l
	n.Number++
	for ; by > 0; n.First++ {
		if n.lists(n.First) {
			by--
		}
	}
	n.measure()
	return &n
}

// measure finds where the window ends and how many octets its entries take.
func (l *listing) measure() {
	l.Octets, l.End = 0, l.First
	var serial [maxSerial]byte
	for n := 0; n < l.Entries; l.End++ {
		if l.lists(l.End) {
			n++
			l.Octets += int64(fixedOctets + len(l.serial(serial[:0], l.End)))
			if l.statement(l.End).Reason != crl.Unspecified {
				l.Octets += int64(len(reasonExtension))
			}
		}
	}
}

// lists says whether a key within the window is on the list.
func (l *listing) lists(key uint64) bool {
	return l.Random || l.chance(domainListed, key) < ^uint64(0)/listedOneIn
}

// maxSerial is the size of the longest serial number, in octets.
const maxSerial = 17

// serial appends the serial number of a key, the content octets of its INTEGER.
func (l *listing) serial(to []byte, key uint64) []byte {
	var whole [maxSerial]byte
	if l.Random {
		high := l.chance(domainSerial, key)
		binary.BigEndian.PutUint64(whole[1:], high)
		binary.BigEndian.PutUint64(whole[9:], l.low(high))
	} else {
		binary.BigEndian.PutUint64(whole[9:], l.counter(key))
	}
	// X.690 section 8.3.2: no more octets than the sign needs.
	n := 0
	for n < len(whole)-1 && whole[n] == 0 && whole[n+1] < 0x80 {
		n++
	}
	return append(to, whole[n:]...)
}

// low are the low 64 bits of the random serial number with these high ones.
func (l *listing) low(high uint64) uint64 { return mix(l.Seeds[domainLow] + high) }

// counter is where in the counter a key is: each partition has one of every so many certificates, anywhere among them.
func (l *listing) counter(key uint64) uint64 {
	if l.Partitions == 1 {
		return key
	}
	p := uint64(l.Partitions)
	return key*p + l.chance(domainSerial, key)%p
}

// find is what the list says of a serial number, whatever that is.
func (l *listing) find(serial []byte) (e crl.Entry, found bool) {
	key, ok := l.keyOf(serial)
	if !ok || key < l.First || key >= l.End || !l.lists(key) {
		return e, false
	}
	return l.statement(key), true
}

// keyOf is the key that has a serial number, if any could.
func (l *listing) keyOf(serial []byte) (key uint64, ok bool) {
	var whole [maxSerial]byte
	if len(serial) > len(whole) || len(serial) == 0 || serial[0]&0x80 != 0 {
		return 0, false
	}
	copy(whole[len(whole)-len(serial):], serial)
	high, low := binary.BigEndian.Uint64(whole[1:]), binary.BigEndian.Uint64(whole[9:])
	switch {
	case whole[0] != 0:
		return 0, false
	case l.Random:
		return (unmix(high) - l.Seeds[domainSerial]) * inverse(gamma), low == l.low(high)
	case high != 0:
		return 0, false
	}
	key = low / uint64(l.Partitions)
	return key, l.counter(key) == low
}

// reasons are as frequent as they are here: about one in five entries gives none, which RFC 5280 section 5.3.1 prefers to "unspecified".
var reasons = func() (out [256]crl.Reason) {
	at := 0
	for _, r := range []struct {
		reason crl.Reason
		share  int
	}{{crl.Unspecified, 51}, {crl.KeyCompromise, 13}, {crl.AffiliationChanged, 38}, {crl.Superseded, 90}, {crl.CessationOfOperation, 51}, {crl.CertificateHold, 13}} {
		for range r.share {
			out[at] = r.reason
			at++
		}
	}
	return out
}()

// statement is what the entry of a key says.
func (l *listing) statement(key uint64) crl.Entry {
	v := l.chance(domainStatement, key)
	second, _ := bits.Mul64(v, revokedSeconds)
	return crl.Entry{RevocationTime: time.Unix(l.Since+int64(second), 0).UTC(), Reason: reasons[byte(v)]}
}

// fixedOctets of an entry: the SEQUENCE's header, the INTEGER's, the UTCTime.
const fixedOctets = 2 + 2 + 15

// reasonExtension is crlEntryExtensions with a reasonCode, whose last octet is the reason (RFC 5280 section 5.3.1).
const reasonExtension = "\x30\x0c\x30\x0a\x06\x03\x55\x1d\x15\x04\x03\x0a\x01\x00"

// scribe writes entries: a hundred million must not take minutes.
type scribe struct {
	since int64
	days  [revokedDays][6]byte // YYMMDD since then
	two   [100][2]byte         // two digits
}

func newScribe(since int64) *scribe {
	s := &scribe{since: since}
	for i := range s.days {
		copy(s.days[i][:], time.Unix(since, 0).UTC().AddDate(0, 0, i).Format("060102"))
	}
	for i := range s.two {
		copy(s.two[i][:], fmt.Sprintf("%02d", i))
	}
	return s
}

// entry appends the entry of a key of a list (RFC 5280 section 5.1).
func (s *scribe) entry(to []byte, l *listing, key uint64) []byte {
	v := l.chance(domainStatement, key)
	second, _ := bits.Mul64(v, revokedSeconds)
	reason := reasons[byte(v)]
	begin := len(to)
	to = append(to, 0x30, 0, 0x02, 0)
	to = l.serial(to, key)
	to[begin+3] = byte(len(to) - begin - 4)
	to = append(to, 0x17, 13)
	to = append(to, s.days[second/86400][:]...)
	second %= 86400
	to = append(to, s.two[second/3600][:]...)
	to = append(to, s.two[second/60%60][:]...)
	to = append(to, s.two[second%60][:]...)
	to = append(to, 'Z')
	if reason != crl.Unspecified {
		to = append(to, reasonExtension...)
		to[len(to)-1] = byte(reason)
	}
	to[begin+1] = byte(len(to) - begin - 2)
	return to
}
