package signature

import (
	"bytes"
	"crypto"
	"encoding/hex"
	"runtime"
	"slices"
	"testing"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// toDER reads one element and nothing after it.
func toDER(ber []byte) ([]byte, error) {
	r := &berReader{nodes: maxBERNodes}
	rest := ber
	out, err := r.der(&rest)
	if err == nil && len(rest) != 0 {
		err = errBER
	}
	return out, err
}

// TestBER: examples of X.690 and what is near them. No output: refused.
func TestBER(t *testing.T) {
	for _, c := range []struct{ name, in, out string }{
		{"primitive", "020101", "020101"},
		{"length of two octets where one is enough", "02820001" + "01", "020101"},
		{"length with zeros before it", "0488000000000000000101", "040101"},
		{"indefinite", "30800201010000", "3003020101"},
		{"indefinite in indefinite", "3080308002010100000000", "30053003020101"},
		{"indefinite in definite", "300730800201010000", "30053003020101"},
		{"empty indefinite", "30800000", "3000"},
		{"OCTET STRING in segments", "2408040201020402" + "0304", "040401020304"},
		{"OCTET STRING in segments of segments", "2480240304010104010200" + "00", "04020102"},
		{"OCTET STRING of no segment", "2400", "0400"},
		{"VisibleString, X.690 section 8.23", "3a0904034a6f6e04026573", "1a054a6f6e6573"},
		{"UTF8String in segments of its own type", "2c050c03e7a2ba", ""},
		{"UTCTime in segments", "370f040632363131323404" + "053030303030", "170b3236313132343030303030"},
		{"BIT STRING in segments is left", "2304030200ff", "2304030200ff"},
		{"context tag", "a080020101" + "0000", "a003020101"},
		{"context tag, primitive", "8081" + "01ff", "8001ff"},
		{"a long string", "2482008604820082" + hex.EncodeToString(make([]byte, 130)), "048182" + hex.EncodeToString(make([]byte, 130))},

		{"nothing", "", ""},
		{"only a tag", "02", ""},
		{"content cut", "020201", ""},
		{"length cut", "0282", ""},
		{"length 255", "04ff" + "00", ""},
		{"length beyond all", "0488ffffffffffffffff00", ""},
		{"length of 2^31", "048480000000", ""},
		{"indefinite and primitive", "0480" + "0000", ""},
		{"without end of contents", "3080020101", ""},
		{"half an end of contents", "308002010100", ""},
		{"end of contents with a content", "3080" + "00010000", ""},
		{"end of contents of a long length", "3080" + "008100" + "0000", ""},
		{"end of contents inside definite", "30020000", ""},
		{"end of contents alone", "0000", ""},
		{"end of contents, constructed", "2000", ""},
		{"high tag number", "1f8001" + "00", ""},
		{"high tag number inside", "30041f220100", ""},
		{"INTEGER, constructed", "2203020101", ""},
		{"BOOLEAN, constructed", "2103010100", ""},
		{"SEQUENCE, primitive", "1003020101", ""},
		{"SET, primitive", "1100", ""},
		{"a segment of another type", "2403020101", ""},
		{"something after it", "02010100", ""},
	} {
		in, err := hex.DecodeString(c.in)
		if err != nil {
			t.Fatal(c.name, err)
		}
		out, err := toDER(in)
		if got := hex.EncodeToString(out); err == nil && got != c.out || (err == nil) != (c.out != "") {
			t.Errorf("%s: %s became %s (%v), want %s", c.name, c.in, got, err, c.out)
		}
	}
}

// TestDERIsNotCopied: what needs no change is the input itself.
func TestDERIsNotCopied(t *testing.T) {
	m := message{content: bytes.Repeat([]byte("x"), 1<<20), signers: []*signer{{holder: holders()[1], a: ECDSASHA256}}}
	ber := m.build()
	out, err := toDER(ber)
	if err != nil || &out[0] != &ber[0] || len(out) != len(ber) {
		t.Error("DER was copied", err)
	}
	d, err := ParseCMS(ber)
	if err != nil {
		t.Fatal(err)
	}
	if at := bytes.Index(ber, d.Content); &ber[at] != &d.Content[0] {
		t.Error("content was copied")
	}
	if used := cost(func() { _, err = ParseCMS(ber) }); err != nil || used > 64<<10 {
		t.Errorf("%d bytes of memory for a message of %d in DER (%v)", used, len(ber), err)
	}
}

// cost is the memory that f asks for in all.
func cost(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// TestTrapBERBombs: a small message must not cost much, nor a large one more than in proportion (smallstep/pkcs7
// and go.mozilla.org/pkcs7 allocate without bound).
func TestTrapBERBombs(t *testing.T) {
	h := holders()[1]
	plain := message{content: []byte("m"), signers: []*signer{{holder: h, a: ECDSASHA256, signature: []byte{1}}}}
	info := plain.signers[0].build(&message{contentType: oidData, content: []byte("m")})
	with := func(f func(*message)) []byte { m := plain; f(&m); return m.build() }
	encap := func(content []byte) []byte {
		return with(func(m *message) { m.encap = sequence(oid(oidData), der(explicit(0), content)) })
	}
	large := func(element []byte) []byte { return slices.Repeat(element, (MaxCMSSize-4096)/len(element)) }
	nested := func(tag byte, n int) []byte { return slices.Repeat([]byte{tag, 0x80}, n) }
	// deep is nested once more than may be, with a content that each level would have to move.
	deep := sequence(large([]byte{4, 1, 0}))
	for range 70 {
		deep = slices.Concat([]byte{0x30, 0x80}, deep, []byte{0, 0})
	}
	for name, bomb := range map[string][]byte{
		"indefinite 100,000 deep":          nested(0x30, 100_000),
		"indefinite 8,000,000 deep":        nested(0x30, MaxCMSSize/2),
		"strings in strings, 100,000 deep": encap(slices.Concat(nested(0x24, 100_000), make([]byte, 200_000))),
		"strings in strings, without end":  append([]byte{0x30, 0x80, 0x06, 0x09}, append([]byte(oidSignedData), nested(0xa0, 1_000_000)...)...),
		"attributes 100,000 deep": with(func(m *message) {
			m.signers = []*signer{{holder: h, a: ECDSASHA256, signature: []byte{1}, attributes: [][]byte{slices.Concat(nested(0x30, 100_000), make([]byte, 200_000))}}}
		}),
		"unsigned attributes 71 deep and 16 MiB": with(func(m *message) {
			m.signers = []*signer{{holder: h, a: ECDSASHA256, signature: []byte{1}, unsigned: [][]byte{attr(oidData, deep)}}}
		}),
		"five million segments":             encap(der(asn1.OCTET_STRING|berConstructed, large([]byte{4, 1, 0}))),
		"eight million empty segments":      encap(der(asn1.OCTET_STRING|berConstructed, large([]byte{4, 0}))),
		"a million segments without length": encap(slices.Concat([]byte{0x24, 0x80}, large([]byte{0x24, 0x80, 4, 1, 0, 0, 0}), []byte{0, 0})),
		"a length of 2^31 claimed":          {0x30, 0x84, 0x80, 0, 0, 0, 6, 1},
		"a length of 2^62 claimed":          {0x30, 0x88, 0x40, 0, 0, 0, 0, 0, 0, 0},
		"a content of 2^31 claimed":         encap([]byte{0x24, 0x80, 4, 0x84, 0x7f, 0xff, 0xff, 0xff}),
		"a million attributes": with(func(m *message) {
			m.signers = []*signer{{holder: h, a: ECDSASHA256, signature: []byte{1}, attributes: [][]byte{large(attr(oidData, null))}}}
		}),
		"a million values": with(func(m *message) {
			m.signers = []*signer{{holder: h, a: ECDSASHA256, signature: []byte{1}, attributes: [][]byte{attr(oidData, large(null))}}}
		}),
		"a million unsigned attributes": with(func(m *message) {
			m.signers = []*signer{{holder: h, a: ECDSASHA256, signature: []byte{1}, unsigned: [][]byte{large(attr(oidData, null))}}}
		}),
		"a hundred thousand signers": signersOnly(large(info)),
		"a million signers":          signersOnly(large([]byte{0x30, 0})),
		"ten thousand certificates":  with(func(m *message) { m.certificates = [][]byte{large(h.cert.Raw)} }),
		"eight million certificates": with(func(m *message) { m.certificates = [][]byte{large([]byte{0x30, 0})} }),
		"ten certificates of 60 kB": with(func(m *message) {
			m.certificates = [][]byte{slices.Repeat(der(asn1.SEQUENCE, make([]byte, 60_000)), 10)}
		}),
		"eight million lists":                  with(func(m *message) { m.crls = [][]byte{large([]byte{0x30, 0})} }),
		"a million digest algorithms":          with(func(m *message) { m.digests = der(asn1.SET, large(hashIdentifier(crypto.SHA256))) }),
		"larger than may be":                   make([]byte, MaxCMSSize+1),
		"an object identifier of 16 MiB":       sequence(der(asn1.OBJECT_IDENTIFIER, large([]byte{0x81})), der(explicit(0))),
		"end of contents, eight million times": slices.Concat([]byte{0x30, 0x80}, large([]byte{0x30, 0x80, 0, 0})),
		"a signature of 16 MiB in segments of bytes": with(func(m *message) {
			m.signers = []*signer{{holder: h, a: ECDSASHA256, scheme: der(asn1.OCTET_STRING|berConstructed, large([]byte{4, 1, 0})), signature: []byte{1}}}
		}),
	} {
		var err error
		used := cost(func() { _, err = ParseCMS(bomb) })
		if err == nil {
			t.Errorf("%s: accepted", name)
		}
		// A copy in DER, and the slices of a few elements; growth by append asks for up to five times in all.
		if limit := 6*uint64(len(bomb)) + 64<<10; used > limit {
			t.Errorf("%s: %d bytes of memory for a message of %d", name, used, len(bomb))
		}
	}
}

// TestDeepAndLarge: the deepest nesting around the largest content, which every level moves to make room for its
// length.
func TestDeepAndLarge(t *testing.T) {
	inner := der(asn1.OCTET_STRING, make([]byte, 15<<20))
	for range maxBERDepth - 5 {
		inner = slices.Concat([]byte{0x30, 0x80}, inner, []byte{0, 0})
	}
	m := message{content: []byte("m"), signers: []*signer{{holder: holders()[1], a: ECDSASHA256, unsigned: [][]byte{attr(oidData, inner)}}}}
	ber := m.build()
	if got := judge(ber, nil); got != nil {
		t.Fatal(got)
	}
	var err error
	if used := cost(func() { _, err = ParseCMS(ber) }); used > 6*uint64(len(ber)) {
		t.Errorf("%d bytes of memory for %d (%v)", used, len(ber), err)
	}
}

// signersOnly is a SignedData with the content of signerInfos.
func signersOnly(infos []byte) []byte {
	return contentInfo(sequence(integer(1), der(asn1.SET, hashIdentifier(crypto.SHA256)), sequence(oid(oidData)), der(asn1.SET, infos)))
}

// TestLargeContent: 15 MiB in segments, as a stream makes them, costs one copy.
func TestLargeContent(t *testing.T) {
	content := bytes.Repeat([]byte("0123456789abcdef"), 15<<16)
	m := message{content: content, encap: sequence(oid(oidData), der(explicit(0), indefinite(t, segments(content, 1000), 1))),
		signers: []*signer{{holder: holders()[1], a: ECDSASHA256}}}
	ber := berOf(t, m.build())
	if got := judge(ber, nil); got != nil {
		t.Fatal(got)
	}
	var err error
	if used := cost(func() { _, err = ParseCMS(ber) }); used > uint64(len(ber))+64<<10 {
		t.Errorf("%d bytes of memory for %d (%v)", used, len(ber), err)
	}
}

// wellFormedDER says whether cryptobyte, which knows no BER, walks through all of it.
func wellFormedDER(in []byte) bool {
	s := cryptobyte.String(in)
	for !s.Empty() {
		var content cryptobyte.String
		var tag asn1.Tag
		if !s.ReadAnyASN1(&content, &tag) || tag&berConstructed != 0 && !wellFormedDER(content) {
			return false
		}
	}
	return true
}
