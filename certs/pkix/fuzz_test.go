package pkix

import (
	"bytes"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// remarshal writes an element again from tags and contents alone, so that lengths come out as DER has them. What is inside
// of a primitive element stays as it is. False means that it is not well-formed to its end.
func remarshal(b *cryptobyte.Builder, s cryptobyte.String, depth int) bool {
	for !s.Empty() {
		var content cryptobyte.String
		var tag asn1.Tag
		if depth == 0 || !s.ReadAnyASN1(&content, &tag) {
			return false
		}
		ok := true
		b.AddASN1(tag, func(b *cryptobyte.Builder) {
			if tag&0x20 == 0 {
				b.AddBytes(content)
				return
			}
			ok = remarshal(b, content, depth-1)
		})
		if !ok {
			return false
		}
	}
	return true
}

// FuzzParseCertificate: what parses is DER, so that writing it again gives the same bytes; and where crypto/x509 reads it
// too, the two agree. The seeds stand in testdata: certificates with every extension that is read, made for this.
func FuzzParseCertificate(f *testing.F) {
	f.Add([]byte{0x30, 0x03, 0x02, 0x01, 0x00})
	f.Fuzz(func(t *testing.T, der []byte) {
		c, err := ParseCertificate(der)
		if err != nil {
			return
		}
		if len(der) > MaxCertificateSize || !bytes.Equal(c.Raw, der) {
			t.Error("read something else than what was given")
		}
		// The certificate itself, and what it says of itself.
		for _, part := range [][]byte{c.Raw, c.RawTBS, c.Issuer, c.Subject, c.RawSubjectPublicKeyInfo, c.RawExtensions} {
			var b cryptobyte.Builder
			if remarshal(&b, part, 64) { // x.400 and the like may nest deeper than anybody looks
				if again, err := b.Bytes(); err != nil || !bytes.Equal(again, part) {
					t.Fatalf("written again it is %x, not %x: %v", again, part, err)
				}
			}
		}
		n := 0
		if c.RawExtensions != nil {
			if err := WalkExtensions(c.RawExtensions, func(Extension) error { n++; return nil }); err != nil || n == 0 {
				t.Fatalf("%d extensions the second time: %v", n, err)
			}
		}
		agree(t, der)
	})
}

// FuzzName: a name is equal to itself where it can be compared, its text reads back as an equal one, and appending an RDN makes it
// another, of which it is a canonical prefix.
func FuzzName(f *testing.F) {
	for _, s := range []string{"CN=a,O=b,C=JP", `CN=\ a\,b\  ,OU=\#x`, "CN=確か", ""} {
		n, err := ParseName(s)
		if err != nil {
			f.Fatal(err)
		}
		f.Add([]byte(n))
	}
	rdn := []byte{0x31, 0x0a, 0x30, 0x08, 0x06, 0x03, 0x55, 0x04, 0x03, 0x0c, 0x01, 'z'}
	f.Fuzz(func(t *testing.T, der []byte) {
		s := cryptobyte.String(der)
		n, err := ReadName(&s)
		if err != nil || !s.Empty() || len(der) > 4096 {
			return
		}
		if !n.Equal(n) || n.Key() != append(Name{}, n...).Key() {
			t.Error("not equal to itself")
		}
		canonical := n.Canonical()
		if canonical == "" {
			return
		}
		if !n.Equal(append(Name{}, n...)) {
			t.Error("not equal to itself")
		}
		if again, err := ParseName(n.String()); err == nil && !strings.Contains(n.String(), "=#") && !n.Equal(again) && again.Canonical() != "" {
			t.Errorf("%q reads back as %q: %q and %q", n.String(), again.String(), canonical, again.Canonical())
		}
		content := der[len(der)-len(contentOf(der)):]
		var b cryptobyte.Builder
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddBytes(content); b.AddBytes(rdn) })
		longer := Name(b.BytesOrPanic())
		if longer.Equal(n) || !strings.HasPrefix(longer.Canonical(), canonical) {
			t.Errorf("%q with one more is %q", canonical, longer.Canonical())
		}
	})
}

func contentOf(der []byte) []byte {
	s := cryptobyte.String(der)
	var content cryptobyte.String
	s.ReadASN1(&content, asn1.SEQUENCE)
	return content
}

// FuzzForms: what is read of the text of a name is as net/url reads it, and nothing of it can hide a label.
func FuzzForms(f *testing.F) {
	for _, s := range []string{"example.com", "*.Example.com.", "a@b.c", `"a b\"@"@b.c`, "http://u:p@h.example:80/x?y#z", "ldap://[::1]/", "urn:a", "a..b", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if n, ok := ParseDomainName(s); ok {
			if again, ok := ParseDomainName(n.Domain); n.Domain != "" && (!ok || again.Domain != n.Domain || again.Wildcard) {
				t.Errorf("%q reads as %q, and that as %q", s, n.Domain, again.Domain)
			}
			if !Within(n.Domain, n.Domain) || !Within("x."+n.Domain, n.Domain) || n.Domain != "" && Within("x"+n.Domain, n.Domain) {
				t.Errorf("labels of %q", n.Domain)
			}
		}
		if m, ok := ParseMailbox(s); ok && (m.Local == "" || !IsHostname(m.Domain) || !strings.HasSuffix(strings.ToLower(s), "@"+m.Domain)) {
			t.Errorf("%q reads as %q at %q", s, m.Local, m.Domain)
		}
		if host, ok := URIHost(s); ok {
			if u, err := url.Parse(s); err == nil && strings.TrimSuffix(strings.ToLower(u.Hostname()), ".") != host {
				t.Errorf("host of %q is %q, to net/url %q", s, host, u.Hostname())
			}
		}
	})
}
