package crl

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/tashika-jp/tashika/certs/reason"
)

// imageOf builds the image of a list by way of a file.
func imageOf(t testing.TB, der []byte) *Image {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "image"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	_, size, err := Build(bytes.NewReader(der), BuildOptions{Output: f})
	if err != nil {
		t.Fatal(err)
	}
	data := make([]byte, size)
	if _, err := f.ReadAt(data, 0); err != nil {
		t.Fatal(err)
	}
	image, err := OpenImage(data)
	if err != nil {
		t.Fatal(err)
	}
	return image
}

// TestLook: who looks at a list without its issuer sees what the index answers from.
func TestLook(t *testing.T) {
	ca := theCA()
	spec := ca.conforming(nil, revoke([]byte{9}, now), revoke([]byte{3}, now, because(CertificateHold)), revoke([]byte{1, 0}, now))
	var seen [][]byte
	for e, err := range imageOf(t, spec.sign(otherECKey())).Entries() { // signed by a stranger
		if err != nil {
			t.Fatal(err)
		}
		seen = append(seen, bytes.Clone(e.Serial))
	}
	var want [][]byte
	for e, err := range ca.index(t, spec).All() {
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, bytes.Clone(e.Serial))
	}
	if len(want) != 3 || !slices.EqualFunc(seen, want, bytes.Equal) {
		t.Errorf("entries %x, want %x", seen, want)
	}
}

// TestImageCheck: what is wrong with a list in itself does not depend on who signed it, and strictness is asked for.
func TestImageCheck(t *testing.T) {
	ca := theCA()
	for _, test := range []struct {
		name         string
		change       func(*listSpec)
		want, strict []reason.ID
	}{
		{name: "conforming", change: func(*listSpec) {}},
		{name: "delta", change: func(s *listSpec) { s.set("2.5.29.27", true, integer(299)) }},
		{name: "delta without number", change: func(s *listSpec) { s.set("2.5.29.27", true, integer(299)); s.drop("2.5.29.20") },
			want: []reason.ID{reason.CRLNumberMissing}, strict: []reason.ID{reason.CRLNumberMissing}},
		{name: "unknown critical", change: func(s *listSpec) { s.set("2.999.1", true, nil) },
			want: []reason.ID{reason.CRLUnknownCriticalExtension}, strict: []reason.ID{reason.CRLUnknownCriticalExtension}},
		{name: "without key identifier", change: func(s *listSpec) { s.drop("2.5.29.35") }, strict: []reason.ID{reason.CRLProfileViolated}},
		{name: "listed twice", change: func(s *listSpec) { s.entries = seq(revoke([]byte{9}, now), revoke([]byte{9}, now)) },
			strict: []reason.ID{reason.CRLProfileViolated}},
	} {
		spec := ca.conforming(nil, revoke([]byte{9}, now))
		test.change(spec)
		image := imageOf(t, spec.sign(otherECKey()))
		if got := image.Check(false); !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
		if got := image.Check(true); !slices.Equal(got, test.strict) {
			t.Errorf("%s, strictly: %v, want %v", test.name, got, test.strict)
		}
	}
}
