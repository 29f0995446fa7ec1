package crl

import (
	"bytes"
	"crypto"
	"encoding/binary"
	"errors"
	"hash"
	"io"
	"maps"
	mrand "math/rand/v2"
	"slices"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/tashika-jp/tashika/certs/reason"
)

// built is Build of a stream into memory.
func built(src io.Reader) (*List, *Image, error) {
	var out Memory
	l, size, err := Build(src, BuildOptions{Output: &out})
	if err != nil {
		return nil, nil, err
	}
	if size != int64(len(out.Bytes())) {
		return nil, nil, errors.New("another size")
	}
	i, err := OpenImage(out.Bytes())
	return l, i, err
}

// chunks gives a stream in pieces of random sizes, now and then empty ones.
type chunks struct {
	src io.Reader
	r   *mrand.Rand
	max int
}

func (c chunks) Read(p []byte) (int, error) { return c.src.Read(p[:min(len(p), c.r.IntN(c.max+1))]) }

// withoutOctets is what a List of an image has of one that was parsed.
func withoutOctets(l *List) *List {
	out := *l
	out.Raw, out.RawTBS, out.RawEntries, out.digest = nil, nil, nil, l.Digest()
	return &out
}

var lists = cmp.Options{cmp.AllowUnexported(List{}), cmpopts.EquateEmpty()}

// saysTheSame builds a list and parses it: both accept it or refuse it, and if they accept it they have read the same. It says whether they do.
func saysTheSame(t *testing.T, der []byte, src io.Reader) bool {
	t.Helper()
	parsed, parseErr := Parse(der)
	l, i, err := built(src)
	switch {
	case parseErr != nil || parsed.longSerial:
		if !errors.Is(err, ErrFormat) {
			t.Fatalf("parsed: %v, built: %v", parseErr, err)
		}
		return false
	case err != nil:
		t.Fatalf("parsed, and not built: %v", err)
	}
	want := withoutOctets(parsed)
	if diff := cmp.Diff(want, l, lists); diff != "" {
		t.Fatal(diff)
	}
	if diff := cmp.Diff(want, i.List(), lists); diff != "" {
		t.Fatal(diff)
	}
	naive := naiveOf(parsed)
	for e, err := range i.all() {
		if err != nil || naive[string(e.Serial)] != e.Entry {
			t.Fatalf("%x: %v %v, want %v", e.Serial, e.Entry, err, naive[string(e.Serial)])
		}
		delete(naive, string(e.Serial))
	}
	if len(naive) > 0 {
		t.Fatalf("%d entries are lost", len(naive))
	}
	return true
}

// naiveOf are the entries of a list in a map, of several of one serial number the gravest.
func naiveOf(l *List) map[string]Entry {
	naive := make(map[string]Entry)
	for serial, e := range l.Entries() {
		old, found := naive[string(serial)]
		naive[string(serial)] = gravest(old, found, e)
	}
	return naive
}

// variety are lists of all kinds, well-formed and not.
func variety() map[string][]byte {
	a := theCA()
	of := func(change func(*listSpec), entries ...[]byte) []byte {
		s := a.conforming(tsukuba, entries...)
		change(s)
		return s.sign(a.key)
	}
	same := func(*listSpec) {}
	hold, strange := because(CertificateHold), extension{"1.2.3", true, []byte("anything")}
	other := extension{"2.5.29.29", true, seq(directory(tsukuba))}
	return map[string][]byte{
		"nothing revoked":          of(same),
		"empty entries":            of(func(s *listSpec) { s.entries = seq() }),
		"some":                     of(same, revoke([]byte{1}, now), revoke([]byte{0, 0x80}, now, hold), revoke([]byte{1}, now, hold), revoke([]byte{5}, now, because(RemoveFromCRL))),
		"general entries":          of(same, revoke([]byte{9}, now, hold, extension{"2.5.29.24", false, generalized(now)}), seq(integer(3), generalized(now)), revoke([]byte{2}, now)),
		"unknown in one":           of(same, revoke([]byte{1}, now), revoke([]byte{2}, now, strange)),
		"other issuers":            of(same, revoke([]byte{1}, now, other), revoke([]byte{2}, now)),
		"odd numbers":              of(same, revoke([]byte{0}, now), revoke([]byte{0xff}, now), revoke([]byte{0x80, 0}, now, hold), revoke(append([]byte{0}, bytes.Repeat([]byte{0xff}, 20)...), now)),
		"a long number":            of(same, revoke([]byte{1}, now), revoke(bytes.Repeat([]byte{1}, 21), now)),
		"version 1":                of(func(s *listSpec) { s.version, s.extensions = nil, nil }, revoke([]byte{1}, now)),
		"version 1, with a reason": of(func(s *listSpec) { s.version, s.extensions = nil, nil }, revoke([]byte{1}, now, hold)),
		"delta":                    of(func(s *listSpec) { s.set("2.5.29.27", true, integer(1)) }, revoke([]byte{1}, now)),
		"no nextUpdate":            of(func(s *listSpec) { s.next = nil }, revoke([]byte{1}, now)),
		"other hash":               of(func(s *listSpec) { s.algorithm = seq(element("1.2.840.10045.4.3.4")) }, revoke([]byte{1}, now)),
		"unknown algorithm":        of(func(s *listSpec) { s.algorithm = seq(element("1.2.3.4")) }, revoke([]byte{1}, now)),
		"algorithms differ":        of(func(s *listSpec) { s.outer = rsaSHA256 }, revoke([]byte{1}, now)),
		"something behind":         of(func(s *listSpec) { s.after = integer(1) }, revoke([]byte{1}, now)),
		"unknown critical":         of(func(s *listSpec) { s.set("1.2.3", true, nil) }),
		"indirect":                 of(func(s *listSpec) { s.set("2.5.29.28", true, seq(relative("x"), wrap(tag(4), flagTrue))) }, revoke([]byte{1}, now, other)),
		"freshest":                 of(func(s *listSpec) { s.set("2.5.29.46", false, points(fullName(web))) }),
		"odd signature bits":       seq(a.conforming(nil).tbs(), ecdsaSHA256, wrap(3, []byte{4, 0x10})),
		"two lists":                append(of(same), of(same)...),
	}
}

// TestBuildIsParse: Build reads what Parse reads, in whatever pieces it comes.
func TestBuildIsParse(t *testing.T) {
	accepted := 0
	for name, der := range variety() {
		t.Run(name, func(t *testing.T) {
			for _, src := range []io.Reader{
				bytes.NewReader(der), iotest.OneByteReader(bytes.NewReader(der)), iotest.HalfReader(bytes.NewReader(der)), iotest.DataErrReader(bytes.NewReader(der)),
				chunks{bytes.NewReader(der), mrand.New(mrand.NewPCG(1, 2)), 9},
			} {
				if saysTheSame(t, der, src) {
					accepted++
				}
			}
		})
	}
	if accepted != 5*16 {
		t.Errorf("%d times accepted", accepted)
	}
}

// TestBuildFlips: they agree on lists in which one bit is another.
func TestBuildFlips(t *testing.T) {
	r := mrand.New(mrand.NewPCG(5, 6))
	a := theCA()
	s := a.conforming(tsukuba, revoke([]byte{1}, now), revoke([]byte{0, 0x80}, now, because(CertificateHold)), revoke([]byte{7}, now, extension{"1.2.3", false, nil}), seq(integer(3), generalized(now)))
	der := s.sign(a.key)
	accepted := 0
	for i := range der {
		for range 2 {
			changed := bytes.Clone(der)
			changed[i] ^= 1 << r.IntN(8)
			if saysTheSame(t, changed, bytes.NewReader(changed)) {
				accepted++
			}
		}
	}
	if accepted < len(der)/4 || accepted > 7*len(der)/4 {
		t.Errorf("%d of %d changed lists were read", accepted, 2*len(der))
	}
}

// TestBuildCutOff: what ends early is malformed, what cannot be read is not, and nothing behind the list is let through.
func TestBuildCutOff(t *testing.T) {
	broken := errors.New("broken")
	for _, name := range []string{"some", "nothing revoked", "general entries", "version 1"} {
		der := variety()[name]
		for n := range len(der) + 1 {
			if _, _, err := built(bytes.NewReader(der[:n])); errors.Is(err, ErrFormat) != (n < len(der)) {
				t.Errorf("%s: cut to %d of %d: %v", name, n, len(der), err)
			}
			src := io.MultiReader(bytes.NewReader(der[:n]), iotest.ErrReader(broken))
			if _, _, err := built(src); !errors.Is(err, broken) || errors.Is(err, ErrFormat) {
				t.Errorf("%s: broken after %d: %v", name, n, err)
			}
		}
		for _, more := range []string{"\x00", "\n", string(der)} {
			if _, _, err := built(io.MultiReader(bytes.NewReader(der), bytes.NewReader([]byte(more)))); !errors.Is(err, ErrFormat) {
				t.Errorf("%s: with more behind: %v", name, err)
			}
		}
	}
	if _, _, err := built(stuck{}); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("stuck: %v", err)
	}
}

// stuck is a source that gives nothing.
type stuck struct{}

func (stuck) Read([]byte) (int, error) { return 0, nil }

// TestBuildWindows: entries of every kind lie across the ends of windows.
func TestBuildWindows(t *testing.T) {
	a := theCA()
	r := mrand.New(mrand.NewPCG(3, 4))
	share := 1
	if underRace {
		share = 10
	}
	var body []byte
	for len(body) < 5*windowSize/share {
		serial := binary.BigEndian.AppendUint32([]byte{1}, r.Uint32())
		switch r.IntN(20) {
		case 0:
			body = append(body, revoke(serial, now, extension{"1.2.3", false, bytes.Repeat([]byte{1}, r.IntN(3000))})...)
		case 1:
			body = append(body, revoke(randomSerial(20), now, because(Superseded), extension{"2.5.29.24", false, generalized(now)})...)
		case 2:
			body = append(body, revoke(serial, now)...)
		default:
			body = append(body, revoke(serial[:1+r.IntN(5)], now, because(Reason(r.IntN(6))))...)
		}
	}
	s := a.conforming(nil)
	s.entries = seq(body)
	der := s.sign(a.key)
	for range 10 {
		if !saysTheSame(t, der, chunks{bytes.NewReader(der), r, 1 << r.IntN(20)}) {
			t.Fatal("refused")
		}
	}
	wrong := bytes.Clone(der)
	wrong[len(wrong)*2/3] ^= 0xff
	saysTheSame(t, wrong, bytes.NewReader(wrong))
}

// TestBuildBounds: what a head, an entry and a tail may have, and nothing is asked for because a length says so.
func TestBuildBounds(t *testing.T) {
	a := theCA()
	many := func(n int) []byte { return bytes.Repeat([]byte{1}, n) }
	country := name("C=JP")[2:] // 13 octets
	unknown := func(n int) extension { return extension{"1.2.3", false, many(n)} }
	for name, c := range map[string]struct {
		change func(*listSpec)
		fits   bool
	}{
		"a long name":          {func(s *listSpec) { s.issuer = seq(bytes.Repeat(country, 4500)) }, true},
		"too long a name":      {func(s *listSpec) { s.issuer = seq(bytes.Repeat(country, 5100)) }, false},
		"a long entry":         {func(s *listSpec) { s.entries = seq(revoke([]byte{1}, now, unknown(65_000))) }, true},
		"too long an entry":    {func(s *listSpec) { s.entries = seq(revoke([]byte{1}, now, unknown(66_000))) }, false},
		"long extensions":      {func(s *listSpec) { s.set("1.2.3", false, many(130_000)) }, true},
		"too long extensions":  {func(s *listSpec) { s.set("1.2.3", false, many(131_000)) }, false},
		"20 octets, zero":      {func(s *listSpec) { s.entries = seq(revoke(append([]byte{0, 0x80}, many(19)...), now)) }, true},
		"21 octets":            {func(s *listSpec) { s.entries = seq(revoke(many(21), now)) }, false},
		"22 octets":            {func(s *listSpec) { s.entries = seq(revoke(append([]byte{0, 0x80}, many(20)...), now)) }, false},
		"21 octets, not alone": {func(s *listSpec) { s.entries = seq(revoke(many(20), now), revoke(many(21), now, because(Superseded))) }, false},
	} {
		s := a.conforming(tsukuba)
		c.change(s)
		der := s.sign(a.key)
		l, err := Parse(der)
		if err != nil {
			t.Fatal(name, err)
		}
		if _, _, err := built(bytes.NewReader(der)); (err == nil) != c.fits || err != nil && !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
		if _, found := NewIndex(l, a.cert, a.public, allowed); slices.Contains(found, reason.CRLFormatFailure) != l.longSerial {
			t.Errorf("%s: %v", name, found)
		}
	}
	s := a.conforming(nil)
	head := bytes.Join([][]byte{s.version, s.algorithm, s.issuer, s.this, s.next}, nil)
	long := func(n uint64) []byte { return binary.BigEndian.AppendUint64([]byte{0x30}, n|0x87<<56) }
	for name, der := range map[string][]byte{
		"a list beyond all measure":     bytes.Join([][]byte{long(1<<56 - 1), long(1<<56 - 10), head, long(1<<56 - 500), many(1000)}, nil),
		"an entry beyond all measure":   bytes.Join([][]byte{long(1<<56 - 1), long(1<<55 - 10), head, long(1<<55 - 500), long(1 << 50), many(1000)}, nil),
		"lengths that do not fit":       bytes.Join([][]byte{long(1 << 40), long(1 << 40), head}, nil),
		"entries that do not fit":       bytes.Join([][]byte{long(1 << 40), long(1 << 39), head, long(1 << 39), many(1000)}, nil),
		"a length of eight octets":      bytes.Join([][]byte{{0x30, 0x88}, many(1000)}, nil),
		"a length of octets enough":     bytes.Join([][]byte{{0x30, 0xff}, many(1000)}, nil),
		"a length that is not minimal":  bytes.Join([][]byte{long(1 << 47), many(1000)}, nil),
		"a tail beyond all measure":     bytes.Join([][]byte{long(1<<56 - 1), long(1<<56 - 10), head, {0xa0, 0x84, 0x7f}, many(1000)}, nil),
		"a signature beyond all bounds": bytes.Join([][]byte{long(1 << 55), seq(head), s.algorithm, {3, 0x84, 0x7f}, many(1000)}, nil),
	} {
		var err error
		used := allocated(func() { _, _, err = built(bytes.NewReader(der)) })
		if !errors.Is(err, ErrFormat) || used > 2*windowSize {
			t.Errorf("%s: %v, %d octets asked for", name, err, used)
		}
		if _, err := Parse(der); err == nil {
			t.Errorf("%s: parsed", name)
		}
	}
}

// counted is a hash that counts what it is given.
type counted struct {
	hash.Hash
	writes, octets *int
}

func (c counted) Write(p []byte) (int, error) {
	*c.writes++
	*c.octets += len(p)
	return c.Hash.Write(p)
}

// TestNewHash: the hash that is asked for is the signature's, once, and is given what is signed in windows and not in entries.
func TestNewHash(t *testing.T) {
	a := theCA()
	s := a.conforming(nil)
	s.entries = seq(manyEntries(100_000, false))
	der := s.sign(a.key)
	parsed := must(Parse(der))
	var asked []crypto.Hash
	var writes, octets int
	var out Memory
	l, _, err := Build(bytes.NewReader(der), BuildOptions{Output: &out, NewHash: func(h crypto.Hash) hash.Hash {
		asked = append(asked, h)
		return counted{h.New(), &writes, &octets}
	}})
	if err != nil || !bytes.Equal(l.Digest(), parsed.Digest()) || len(l.Digest()) != 32 {
		t.Fatal(err)
	}
	if !slices.Equal(asked, []crypto.Hash{crypto.SHA256}) || octets != len(parsed.RawTBS) || writes > len(der)/windowSize+2 {
		t.Errorf("asked for %v, %d octets of %d in %d writes", asked, octets, len(parsed.RawTBS), writes)
	}
	s.algorithm = seq(element("1.2.3.4"))
	l, i, err := built(bytes.NewReader(s.sign(a.key)))
	if err != nil || l.Digest() != nil || i.List().Digest() != nil {
		t.Fatal("a digest under an algorithm that nobody knows", err)
	}
	if x, found := i.Authenticate(a.cert, a.public, allowed); x != nil || !slices.Equal(found, []reason.ID{reason.CRLAlgorithmRefused}) {
		t.Errorf("%v", found)
	}
}

// failing is a Storage that does not write.
type failing struct{ Memory }

var errFull = errors.New("disk full")

func (*failing) WriteAt([]byte, int64) (int, error) { return 0, errFull }

// TestBuildOutputFails: the output's error is not the list's.
func TestBuildOutputFails(t *testing.T) {
	der := theCA().conforming(nil, revoke([]byte{1}, now)).sign(theCA().key)
	s := theCA().conforming(nil)
	s.entries = seq(manyEntries(1_100_000, false))
	for _, der := range [][]byte{der, s.sign(theCA().key)} {
		_, _, err := Build(bytes.NewReader(der), BuildOptions{Output: new(failing)})
		if !errors.Is(err, errFull) || errors.Is(err, ErrFormat) {
			t.Error(err)
		}
	}
}

// endless gives one octet string again and again, between others.
type endless struct {
	before, again, after []byte
	times                int
	at                   int
}

func (e *endless) Read(p []byte) (n int, err error) {
	for n < len(p) {
		part := e.again
		switch {
		case len(e.before) > 0:
			part = e.before
		case e.times == 0:
			part = e.after
		}
		if len(part) == 0 {
			return n, io.EOF
		}
		c := copy(p[n:], part[e.at:])
		n += c
		if e.at += c; e.at < len(part) {
			continue
		}
		e.at = 0
		switch {
		case len(e.before) > 0:
			e.before = nil
		case e.times > 0:
			e.times--
		default:
			e.after = nil
		}
	}
	return n, nil
}

// TestBeyondFourGibibytes: a list of more octets than four of a length can say is read, in the memory of a window.
func TestBeyondFourGibibytes(t *testing.T) {
	if testing.Short() || underRace {
		t.Skip("4.3 GB are read")
	}
	a := theCA()
	s := a.conforming(nil)
	entry := revoke([]byte{5}, now, extension{"1.2.3", false, bytes.Repeat([]byte{1}, 65_000)})
	last := revoke([]byte{7}, now, because(Superseded))
	const times = 66_200
	head := bytes.Join([][]byte{s.version, s.algorithm, s.issuer, s.this, s.next}, nil)
	extensions := wrap(explicit(0), extensions(s.extensions))
	tail := append(bytes.Clone(s.algorithm), wrap(3, []byte{0, 1})...)
	long := func(n int) []byte {
		if n>>32 == 0 {
			t.Fatal("not beyond four gibibytes")
		}
		return append([]byte{0x30, 0x85, byte(n >> 32)}, binary.BigEndian.AppendUint32(nil, uint32(n))...)
	}
	entries := times*len(entry) + len(last)
	tbs := len(head) + 7 + entries + len(extensions)
	before := bytes.Join([][]byte{long(7 + tbs + len(tail)), long(tbs), head, long(entries)}, nil)
	hashed := uint64(0)
	src := &endless{before: before, again: entry, after: bytes.Join([][]byte{last, extensions, tail}, nil), times: times}
	var out Memory
	var l *List
	var err error
	used := allocated(func() {
		l, _, err = Build(src, BuildOptions{Output: &out, NewHash: func(crypto.Hash) hash.Hash { return length{&hashed} }})
	})
	if err != nil || l.EntryCount != times+1 || hashed != uint64(tbs+7) || !bytes.Equal(l.Number, []byte{1, 44}) {
		t.Fatal(err, hashed, tbs)
	}
	if used > 64<<20 {
		t.Errorf("%d octets asked for", used)
	}
	i := must(OpenImage(out.Bytes()))
	if e, ok, err := i.lookup([]byte{7}); err != nil || !ok || e.Reason != Superseded || i.table.len() != 2 {
		t.Errorf("%v %v %v", e, ok, err)
	}
}

// length is the hash that costs nothing.
type length struct{ octets *uint64 }

func (l length) Write(p []byte) (int, error) { *l.octets += uint64(len(p)); return len(p), nil }
func (l length) Sum(b []byte) []byte         { return binary.BigEndian.AppendUint64(b, *l.octets) }
func (length) Reset()                        {}
func (length) Size() int                     { return 8 }
func (length) BlockSize() int                { return 1 }

// FuzzBuild: Build reads what Parse reads.
func FuzzBuild(f *testing.F) {
	lists := variety()
	for _, name := range slices.Sorted(maps.Keys(lists)) {
		f.Add(lists[name], uint64(1), uint16(300))
	}
	f.Fuzz(func(t *testing.T, der []byte, seed uint64, most uint16) {
		if len(der) > headSize {
			return // the bounds of Build are not those of Parse
		}
		saysTheSame(t, der, chunks{bytes.NewReader(der), mrand.New(mrand.NewPCG(seed, 5)), 1 + int(most)})
	})
}
