package ocsp

import (
	"bytes"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/tashika-jp/tashika/certs/pkix"
	"github.com/tashika-jp/tashika/certs/reason"
	cb "golang.org/x/crypto/cryptobyte/asn1"
)

// allocated is what f allocates, in bytes.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// unsigned makes a response around a tbsResponseData.
func unsigned(tbs []byte, rest ...[]byte) []byte {
	parts := [][]byte{tbs, ecdsaSHA256, wrap(cb.BIT_STRING, []byte{0}, seq(null))}
	return responseDER(0, seq(oid(idPKIXOCSP+".1"), octets(seq(append(parts, rest...)...))))
}

// TestBoundedMemory: what comes from the network is nobody's until its signature is checked, and must not cost.
func TestBoundedMemory(t *testing.T) {
	million := 1_000_000
	if underRace {
		million /= 10
	}
	a := theCA()
	responder, at := byName(a.cert), generalized(now)
	spec := a.conforming(theRequest(), nil)
	one := spec.singles[0].der()
	tbs := func(singles []byte, extensions ...[]byte) []byte {
		return seq(append([][]byte{responder, at, seq(singles)}, extensions...)...)
	}
	anExtension := extension("1.2.3", false, nil)
	distinct := func(n int) []byte { // extensions of n identifiers
		var b bytes.Buffer
		for i := range n {
			b.Write(seq(wrap(cb.OBJECT_IDENTIFIER, []byte{42, byte(i>>14) | 0x81, byte(i>>7) | 0x80, byte(i & 0x7f)}), octets(nil)))
		}
		return b.Bytes()
	}
	fits := func(unit []byte) int { return (MaxResponseSize - 1024) / len(unit) }
	rdn := wrap(cb.SET, seq(wrap(cb.OBJECT_IDENTIFIER, []byte{42}), wrap(cb.UTF8String, []byte("x"))))
	longName := wrap(explicit(1), seq(bytes.Repeat(rdn, fits(rdn))))
	deep := func(n int) []byte { // n levels, each of the longest header
		return append(bytes.Repeat([]byte{0x30, 0x80}, n), bytes.Repeat([]byte{0, 0}, n)...)
	}
	nested := null
	for range 2000 {
		nested = seq(nested)
	}
	for name, der := range map[string][]byte{
		"a million answers":             unsigned(tbs(bytes.Repeat(one, million))),
		"as many answers as fit":        unsigned(tbs(bytes.Repeat(one, fits(one)))),
		"a million extensions":          unsigned(tbs(one, wrap(explicit(1), seq(distinct(million))))),
		"as many extensions as fit":     unsigned(tbs(one, wrap(explicit(1), seq(distinct(8000))))),
		"one extension again and again": unsigned(tbs(one, wrap(explicit(1), seq(bytes.Repeat(anExtension, fits(anExtension)))))),
		"extensions of an answer": func() []byte {
			s := spec.singles[0]
			s.extensions = [][]byte{distinct(8000)}
			return unsigned(tbs(s.der()))
		}(),
		"a million certificates":       unsigned(tbs(one), wrap(explicit(0), seq(bytes.Repeat(seq(null), million)))),
		"certificates as many as fit":  unsigned(tbs(one), wrap(explicit(0), seq(bytes.Repeat(seq(null), 20_000)))),
		"a name of as much as fits":    unsigned(seq(longName, at, seq(one))),
		"deep nesting, indefinite":     deep(50_000),
		"deep nesting":                 nested,
		"deep nesting as certificates": unsigned(tbs(one), wrap(explicit(0), seq(nested))),
		"length of 4 GiB":              {0x30, 0x84, 0xff, 0xff, 0xff, 0xff, 0x0a, 1, 0},
		"length of 2^63-1":             append([]byte{0x30, 0x88, 0x7f}, bytes.Repeat([]byte{0xff}, 7)...),
		"length of 2^64 and more":      append([]byte{0x30, 0x8f}, bytes.Repeat([]byte{0xff}, 15)...),
		"length within":                unsigned([]byte{0x30, 0x84, 0x7f, 0xff, 0xff, 0xff}),
		"a gigabyte of an octet":       {0x0a, 0x84, 0x40, 0, 0, 0, 0},
		"nonce of as much as fits":     unsigned(tbs(one, wrap(explicit(1), seq(extension(idPKIXOCSP+".2", false, make([]byte, MaxResponseSize-1024)))))),
		"serial number as it fits": func() []byte {
			id := idOf(theRequest())
			id.serial = bytes.Repeat([]byte{1}, MaxResponseSize-1024)
			s := spec.singles[0]
			s.id = id.der()
			return unsigned(tbs(s.der()))
		}(),
	} {
		// Twice what fits is more than any of them needs; ten times is still no burden.
		limit := uint64(10 * MaxResponseSize)
		if strings.HasPrefix(name, "a name") { // compared with the issuer's, attribute by attribute
			limit = 128 * MaxResponseSize
		}
		var answer *Answer
		var found []reason.ID
		o := stored
		o.Untrusted = slices.Repeat([]*pkix.Certificate{holder()}, 64)
		if n := allocated(func() { answer, found = CheckStored(der, holder(), a.cert, a.public, o) }); n > limit {
			t.Errorf("%s: %d octets allocated for %d", name, n, len(der))
		}
		if answer != nil || len(found) == 0 {
			t.Errorf("%s: %+v", name, answer)
		}
		if len(der) > MaxResponseSize && !slices.Equal(found, []reason.ID{reason.OCSPFormatFailure}) {
			t.Errorf("%s: %v", name, found)
		}
	}
	// The most that is read: a response of many answers, all about others but one.
	s := a.conforming(theRequest(), nil)
	for n := range maxSingles - 1 {
		other, id := s.singles[0], idOf(theRequest())
		id.serial = []byte{1, byte(n)}
		other.id = id.der()
		s.singles = append(s.singles, other)
	}
	a.answer(t, s, theRequest(), options)
	der := s.der()
	if n := allocated(func() { judgeStored(t, der, stored) }); n > 4*MaxResponseSize {
		t.Errorf("%d octets allocated for %d answers", n, maxSingles)
	}
}
