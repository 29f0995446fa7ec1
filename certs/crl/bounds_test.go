package crl

import (
	"bytes"
	"encoding/binary"
	"runtime"
	"testing"

	"github.com/tashika-jp/tashika/certs/pkix"
)

// allocated is how many octets were asked for while something ran.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// TestHostileSizes: what is made to be dear costs no more than its size, and no deep stack.
func TestHostileSizes(t *testing.T) {
	share := 1
	if underRace {
		share = 20
	}
	a := theCA()
	million := 1_000_000 / share
	many := func(part []byte, n int) []byte { return bytes.Repeat(part, n) }
	// nested is SEQUENCE in SEQUENCE in …, made from the inside out, with four octets of length.
	nested := func(depth int) []byte {
		out := make([]byte, 6*depth)
		for i := range depth {
			out[6*i], out[6*i+1] = 0x30, 0x84
			binary.BigEndian.PutUint32(out[6*i+2:], uint32(6*(depth-i-1)))
		}
		return out
	}
	set := func(id string, value []byte) func(*listSpec) { return func(s *listSpec) { s.set(id, true, value) } }
	entries := func(content []byte) func(*listSpec) { return func(s *listSpec) { s.entries = wrap(0x30, content) } }
	one := extension{"1.2.3", false, nil}
	for name, c := range map[string]struct {
		change func(*listSpec)
		factor uint64 // octets that may be asked for, for each of the list's
	}{
		"a million extensions": {func(s *listSpec) {
			s.after = wrap(explicit(0), wrap(0x30, many(one.der(), million)))
			s.extensions = nil
		}, 1},
		"a million extensions in an entry":    {entries(seq(integer(1), utc(now), wrap(0x30, many(one.der(), million)))), 1},
		"a million entries":                   {entries(many(revoke([]byte{1}, now, because(Superseded)), million)), 1},
		"a million entries of other issuers":  {entries(many(revoke([]byte{1}, now, extension{"2.5.29.29", true, seq(directory(tsukuba))}), million)), 20},
		"25 000 issuers of one entry":         {entries(revoke([]byte{1}, now, extension{"2.5.29.29", true, wrap(0x30, many(directory(tsukuba), million/40))})), 20},
		"a million names of the point":        {set("2.5.29.28", seq(wrap(explicit(0), wrap(explicit(0), many(uri("x"), million))))), 100},
		"250 000 points of the freshest":      {set("2.5.29.46", wrap(0x30, many(seq(fullName(uri("x"))), million/4))), 100},
		"100 000 RDNs":                        {func(s *listSpec) { s.issuer = wrap(0x30, many(tsukuba[2:15], million/10)) }, 20},
		"nesting in a known extension":        {set("2.5.29.35", nested(million)), 1},
		"nesting in the point":                {set("2.5.29.28", nested(million)), 1},
		"nesting in an unknown extension":     {set("1.2.3", nested(million)), 1},
		"nesting in an entry":                 {entries(nested(million)), 1},
		"nesting in the issuer":               {func(s *listSpec) { s.issuer = nested(million) }, 1},
		"nesting in the algorithm":            {func(s *listSpec) { s.algorithm = nested(million) }, 1},
		"a number of a million octets":        {set("2.5.29.20", wrap(2, many([]byte{1}, million))), 1},
		"a serial number of a million octets": {entries(seq(wrap(2, many([]byte{1}, million)), utc(now))), 1},
		"a length beyond the end":             {func(s *listSpec) { s.entries = []byte{0x30, 0x84, 0xff, 0xff, 0xff, 0xff} }, 1},
		"a length of 120 octets":              {func(s *listSpec) { s.entries = append([]byte{0x30, 0xf8}, many([]byte{0xff}, 200)...) }, 1},
	} {
		s := a.conforming(nil)
		c.change(s)
		der := seq(s.tbs(), ecdsaSHA256, wrap(3, []byte{0, 1}))
		var l *List
		var err error
		used := allocated(func() { l, err = Parse(der) })
		if bound := c.factor*uint64(len(der)) + 1<<16; used > bound {
			t.Errorf("%s: %d octets asked for, for a list of %d", name, used, len(der))
		}
		if err == nil {
			o := options(a)
			o.Strict = true
			cert := a.issue(points(wrap(explicit(0), wrap(explicit(0), many(uri("y"), 5000)))), nil)
			NewChecker([]*List{l}, o).Status(cert)
			l.find(cert)
			l.find(&pkix.Certificate{Issuer: l.Issuer, SerialNumber: []byte{1}})
		}
	}
}

// TestManyLists: a bag of many lists of other scopes costs no signature, and answers.
func TestManyLists(t *testing.T) {
	a := theCA()
	var lists []*List
	for i := range 2000 {
		s := a.conforming(name("CN=" + string(rune('a'+i%26)) + string(rune('a'+i/26)) + ",C=JP"))
		lists = append(lists, must(Parse(seq(s.tbs(), ecdsaSHA256, wrap(3, []byte{0, 1})))))
	}
	lists = append(lists, signed{a.conforming(tsukuba), a}.list(t))
	o := options(a)
	believed, asked := o.Signers, 0
	o.Signers = func(l *List) []Signer { asked++; return believed(l) }
	k := NewChecker(lists, o)
	for range 3 {
		expect(t, "good_", k.Status(a.issue(points(fullName(directory(tsukuba))), nil)))
	}
	if asked != 1 {
		t.Errorf("asked for %d signers", asked)
	}
}

// BenchmarkStatus is one certificate and one list of a million entries, signature and all.
func BenchmarkStatus(b *testing.B) {
	a := theCA()
	s := a.conforming(nil)
	s.entries = seq(bytes.Repeat(revoke([]byte{1, 2, 3, 4}, now), 1_000_000))
	l := signed{s, a}.list(b)
	c := a.issue(nil, nil)
	b.SetBytes(int64(len(l.Raw)))
	for b.Loop() {
		NewChecker([]*List{l}, options(a)).Status(c)
	}
}
