package pkix

import (
	"bytes"
	"runtime"
	"testing"

	"golang.org/x/crypto/cryptobyte/asn1"
)

// element is tag, length and content, of any size.
func element(tag asn1.Tag, content []byte) []byte {
	n := len(content)
	switch {
	case n < 0x80:
		return append([]byte{byte(tag), byte(n)}, content...)
	case n < 1<<16:
		return append([]byte{byte(tag), 0x82, byte(n >> 8), byte(n)}, content...)
	}
	return append([]byte{byte(tag), 0x84, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}, content...)
}

// allocated is how many bytes a call allocates, all in all.
func allocated(f func()) int64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return int64(after.TotalAlloc - before.TotalAlloc)
}

// TestBoundedMemory: what is given decides how much is allocated, never what is claimed.
func TestBoundedMemory(t *testing.T) {
	extension := element(asn1.SEQUENCE, append(element(asn1.OBJECT_IDENTIFIER, []byte{0x2a, 3}), element(asn1.OCTET_STRING, nil)...))
	nested := []byte{5, 0}
	for len(nested) < 60_000 {
		nested = element(asn1.SEQUENCE, nested)
	}
	policies := element(asn1.SEQUENCE, bytes.Repeat(element(asn1.SEQUENCE, element(asn1.OBJECT_IDENTIFIER, []byte{0x2a, 3})), 10_000))
	million := element(asn1.SEQUENCE, bytes.Repeat(extension, 1_000_000))
	ignore := func(Extension) error { return nil }
	for _, c := range []struct {
		name string
		most int64
		read func() error
	}{
		{"bad_certificate_of_a_million_extensions", 1 << 15, func() error { _, err := ParseCertificate(million); return err }},
		{"bad_extensions_a_million", 1 << 15, func() error { return WalkExtensions(million, ignore) }},
		{"bad_length_of_4_gigabytes", 1 << 15, func() error {
			_, err := ParseCertificate([]byte{0x30, 0x84, 0xff, 0xff, 0xff, 0xff, 0x30, 0x82})
			return err
		}},
		{"bad_nested", 1 << 15, func() error { _, err := ParseCertificate(nested); return err }},
		{"bad_policies", 1 << 15, func() error { return new(Extensions).parseExtension(Extension{ID: oidPolicies, Value: policies}) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.read() == nil {
				t.Error("accepted")
			}
			if n := allocated(func() { _ = c.read() }); n > c.most {
				t.Errorf("%d bytes allocated, at most %d wanted", n, c.most)
			}
		})
	}
}
