package pkix

import (
	"strings"
	"testing"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// rdn is one attribute of a name to be built.
type rdn struct {
	oid string
	tag asn1.Tag
	val string
}

func buildName(t *testing.T, rdns ...[]rdn) Name {
	t.Helper()
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		for _, set := range rdns {
			b.AddASN1(asn1.SET, func(b *cryptobyte.Builder) {
				for _, a := range set {
					b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
						b.AddASN1(asn1.OBJECT_IDENTIFIER, func(b *cryptobyte.Builder) { b.AddBytes([]byte(MustOID(a.oid))) })
						b.AddASN1(a.tag, func(b *cryptobyte.Builder) { b.AddBytes([]byte(a.val)) })
					})
				}
			})
		}
	})
	der := b.BytesOrPanic()
	s := cryptobyte.String(der)
	name, err := ReadName(&s)
	if err != nil {
		t.Fatal(err)
	}
	return name
}

const cn, ou = "2.5.4.3", "2.5.4.11"

// TestNameComparison: RFC 5280 section 7.1.
func TestNameComparison(t *testing.T) {
	one := func(tag asn1.Tag, value string) Name { return buildName(t, []rdn{{cn, tag, value}}) }
	base := one(asn1.UTF8String, "Tsukuba-shi CRLDP")
	for _, c := range []struct {
		name  string
		a, b  Name
		equal bool
	}{
		{"same", base, one(asn1.UTF8String, "Tsukuba-shi CRLDP"), true},
		{"case", base, one(asn1.UTF8String, "TSUKUBA-SHI crldp"), true},
		{"white space", base, one(asn1.UTF8String, "  Tsukuba-shi   CRLDP "), true},
		{"string type", base, one(asn1.PrintableString, "Tsukuba-shi CRLDP"), true},
		{"BMPString", one(asn1.UTF8String, "Ab"), one(30, "\x00A\x00B"), true},
		{"UniversalString", one(asn1.UTF8String, "Ab"), one(28, "\x00\x00\x00A\x00\x00\x00B"), true},
		{"T61String", one(asn1.UTF8String, "é"), one(asn1.T61String, "\xe9"), true},
		{"full width", one(asn1.UTF8String, "つくば市"), one(asn1.UTF8String, "つくば市"), true},
		{"compatibility form", one(asn1.UTF8String, "ABC"), one(asn1.UTF8String, "ABC"), true},
		{"other value", base, one(asn1.UTF8String, "Tsuchiura-shi CRLDP"), false},
		{"white space inside matters", one(asn1.UTF8String, "a b"), one(asn1.UTF8String, "ab"), false},
		{"other type", base, buildName(t, []rdn{{ou, asn1.UTF8String, "Tsukuba-shi CRLDP"}}), false},
		{"order of an RDN", buildName(t, []rdn{{cn, asn1.UTF8String, "a"}, {ou, asn1.UTF8String, "b"}}),
			buildName(t, []rdn{{ou, asn1.UTF8String, "B"}, {cn, asn1.UTF8String, "A"}}), true},
		{"order of RDNs", buildName(t, []rdn{{cn, asn1.UTF8String, "a"}}, []rdn{{ou, asn1.UTF8String, "b"}}),
			buildName(t, []rdn{{ou, asn1.UTF8String, "b"}}, []rdn{{cn, asn1.UTF8String, "a"}}), false},
		{"one RDN or two", buildName(t, []rdn{{cn, asn1.UTF8String, "a"}, {ou, asn1.UTF8String, "b"}}),
			buildName(t, []rdn{{cn, asn1.UTF8String, "a"}}, []rdn{{ou, asn1.UTF8String, "b"}}), false},
		{"prefix", buildName(t, []rdn{{cn, asn1.UTF8String, "a"}}),
			buildName(t, []rdn{{cn, asn1.UTF8String, "a"}}, []rdn{{ou, asn1.UTF8String, "b"}}), false},
		{"what cannot be compared is not equal", one(30, "\xe0\x00"), one(28, "\x00\x00\xe0\x00"), false},
		{"boundary of values", buildName(t, []rdn{{cn, asn1.UTF8String, "a"}, {cn, asn1.UTF8String, "bc"}}),
			buildName(t, []rdn{{cn, asn1.UTF8String, "ab"}, {cn, asn1.UTF8String, "c"}}), false},
	} {
		if c.a.Equal(c.b) != c.equal || c.b.Equal(c.a) != c.equal {
			t.Errorf("%s: want equal=%v of %s and %s", c.name, c.equal, c.a, c.b)
		}
	}
}

// TestNameStrings: X.680 section 41: what is no string of its type is no name. The first word of a name is what is expected.
func TestNameStrings(t *testing.T) {
	for name, a := range map[string]rdn{
		"good_printable": {cn, asn1.PrintableString, "aZ09 '()+,-./:=?"}, "bad_printable_NUL": {cn, asn1.PrintableString, "\x00Example"},
		"bad_printable_at": {cn, asn1.PrintableString, "a@b"}, "bad_printable_star": {cn, asn1.PrintableString, "*"},
		"good_numeric": {cn, 18, "0 9"}, "bad_numeric": {cn, 18, "x"}, "good_visible": {cn, 26, " ~"}, "bad_visible": {cn, 26, "\x7f"},
		"good_ia5": {cn, asn1.IA5String, "a@b\x00"}, "bad_ia5": {cn, asn1.IA5String, "\x80"},
		"good_utf8": {cn, asn1.UTF8String, "確か"}, "bad_utf8": {cn, asn1.UTF8String, "\xff"}, "bad_utf8_surrogate": {cn, asn1.UTF8String, "\xed\xa0\x80"},
		"bad_bmp_odd": {cn, 30, "\x00"}, "bad_bmp_surrogate": {cn, 30, "\xd8\x00"}, "bad_universal": {cn, 28, "\x00\x11\x00\x00"},
		"good_t61": {cn, asn1.T61String, "\xff"}, "bad_constructed": {cn, asn1.PrintableString | 0x20, "\x13\x01a"},
		"bad_common_name_integer": {cn, asn1.INTEGER, "\x01"}, "bad_common_name_sequence": {cn, asn1.SEQUENCE, ""},
		"good_unknown_type_integer": {"1.2.3", asn1.INTEGER, "\x01"}, "bad_unknown_type_constructed": {"1.2.3", asn1.UTF8String | 0x20, ""},
	} {
		var b cryptobyte.Builder
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(asn1.SET, func(b *cryptobyte.Builder) {
				b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1(asn1.OBJECT_IDENTIFIER, func(b *cryptobyte.Builder) { b.AddBytes([]byte(MustOID(a.oid))) })
					b.AddASN1(a.tag, func(b *cryptobyte.Builder) { b.AddBytes([]byte(a.val)) })
				})
			})
		})
		s := cryptobyte.String(b.BytesOrPanic())
		if _, err := ReadName(&s); (err == nil) != strings.HasPrefix(name, "good") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNameText(t *testing.T) {
	name := buildName(t, []rdn{{"2.5.4.6", asn1.PrintableString, "JP"}}, []rdn{{ou, asn1.UTF8String, `a,b+"c" `}}, []rdn{{cn, asn1.UTF8String, "#つくば"}})
	const want = `CN=\#つくば,OU=a\,b\+\"c\"\ ,C=JP`
	if got := name.String(); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	back, err := ParseName(want)
	if err != nil {
		t.Fatal(err)
	}
	if !back.Equal(name) {
		t.Errorf("%s read back is %s", want, back)
	}
	for _, bad := range []string{"CN", "CN=a,", "CN=a+OU=b", "XX=1", `CN="a"`, `CN=a\`, `CN=\zz1`} {
		if _, err := ParseName(bad); err == nil {
			t.Errorf("accepted %q", bad)
		}
	}
}

func TestOID(t *testing.T) {
	for _, dotted := range []string{"0.0", "1.39", "2.5.29.31", "1.2.392.200149.8.5.1.3.30", "2.999.1", "1.3.6.1.4.1.32473.8.3.40"} {
		oid, err := ParseOID(dotted)
		if err != nil || oid.String() != dotted || !validOID([]byte(oid)) {
			t.Errorf("%s became %s (%v)", dotted, oid, err)
		}
	}
	for _, bad := range []string{"", "1", "3.1", "1.40", "1..2", "1.02", "1.-2", "a.b", "1.2."} {
		if _, err := ParseOID(bad); err == nil {
			t.Errorf("accepted %q", bad)
		}
	}
}

func TestTimes(t *testing.T) {
	for text, want := range map[string]string{
		"\x17\x0d491231235959Z":     "2049-12-31T23:59:59Z",
		"\x17\x0d500101000000Z":     "1950-01-01T00:00:00Z",
		"\x18\x0f20500101000000Z":   "2050-01-01T00:00:00Z",
		"\x18\x0f20240229120000Z":   "2024-02-29T12:00:00Z",
		"\x17\x0b4912312359Z":       "", // no seconds
		"\x17\x11491231235959+0900": "",
		"\x17\x0d490230000000Z":     "", // 30 February
		"\x17\x0d491331000000Z":     "",
		"\x17\x0d491231240000Z":     "",
		"\x18\x1120500101000000.5Z": "",
		"\x17\x0d49 231235959Z":     "",
	} {
		s := cryptobyte.String(text)
		got, ok := ReadTime(&s)
		if ok != (want != "") || ok && got.Format("2006-01-02T15:04:05Z07:00") != want {
			t.Errorf("%q: %v %v, want %q", text, got, ok, want)
		}
	}
}

func TestNamedBits(t *testing.T) {
	for text, want := range map[string]int{
		"\x03\x02\x07\x80": 1, "\x03\x02\x06\xc0": 3, "\x03\x02\x01\x06": 0x60, "\x03\x03\x07\x00\x80": 0x100, "\x03\x01\x00": 0,
		"\x03\x02\x00\x80": -1, "\x03\x02\x07\x00": -1, "\x03\x02\x08\x80": -1, "\x03\x00": -1, "\x03\x02\x06\x80": -1,
	} {
		s := cryptobyte.String(text)
		got, ok := ReadNamedBits(&s, asn1.BIT_STRING)
		if ok != (want >= 0) || ok && int(got) != want {
			t.Errorf("%x: %d %v, want %d", text, got, ok, want)
		}
	}
}

// TestPlain: what is written as it stands would be written so rune by rune, whatever octet stands where.
func TestPlain(t *testing.T) {
	var asItStands int
	for c := range 256 {
		for at := range 3 {
			text := []byte("ab1")
			text[at] = byte(c)
			var b strings.Builder
			writeRunes(&b, string(text))
			if plain(string(text)) {
				asItStands++
				if b.String() != string(text) {
					t.Errorf("%q is written %q", text, b.String())
				}
			}
		}
	}
	if asItStands != 3*86+1+2 { // 95 printable, less nine special; '#' not first and ' ' only within
		t.Errorf("%d of %d stand as they are", asItStands, 3*256)
	}
}
