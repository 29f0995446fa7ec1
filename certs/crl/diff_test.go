package crl

import (
	mrand "math/rand/v2"
	"testing"
)

// changes is Diff, held against the entries of both.
func changes(t *testing.T, old, new *Index) map[string]Change {
	t.Helper()
	before, after := entriesIn(t, old), entriesIn(t, new)
	all := make(map[string]Change)
	var last []byte
	for c, err := range Diff(old, new) {
		if err != nil {
			t.Fatal(err)
		}
		if last != nil && compareOctets(last, c.Serial) >= 0 {
			t.Fatalf("%x after %x", c.Serial, last)
		}
		last = append(last[:0], c.Serial...)
		o, is := before[string(c.Serial)]
		n, will := after[string(c.Serial)]
		if is != (c.Old != nil) || will != (c.New != nil) || is && o != *c.Old || will && n != *c.New || is && will && o == n || !is && !will {
			t.Fatalf("%x: %v to %v, want %v to %v", c.Serial, c.Old, c.New, o, n)
		}
		kept := Change{}
		if c.Old != nil {
			kept.Old = &o
		}
		if c.New != nil {
			kept.New = &n
		}
		all[string(c.Serial)] = kept
	}
	for serial, e := range before {
		n, will := after[serial]
		if _, told := all[serial]; told != (!will || n != e) {
			t.Fatalf("%x: %v to %v: told %v", serial, e, n, told)
		}
	}
	for serial := range after {
		if _, is := before[serial]; !is {
			if _, told := all[serial]; !told {
				t.Fatalf("%x is new and not told", serial)
			}
		}
	}
	return all
}

// TestDiff: what was added, removed and changed, and nothing else.
func TestDiff(t *testing.T) {
	a := theCA()
	r := mrand.New(mrand.NewPCG(9, 10))
	empty := a.index(t, a.conforming(nil))
	if got := changes(t, empty, empty); len(got) > 0 {
		t.Errorf("%v of nothing and nothing", got)
	}
	some := a.index(t, a.conforming(nil, revoke([]byte{1}, now), revoke([]byte{5}, now, because(CertificateHold)), revoke([]byte{0, 0x80}, now)))
	if got := changes(t, empty, some); len(got) != 3 {
		t.Errorf("%v", got)
	}
	if got := changes(t, some, empty); len(got) != 3 {
		t.Errorf("%v", got)
	}
	if got := changes(t, some, some); len(got) > 0 {
		t.Errorf("%v of a list and itself", got)
	}
	released := a.index(t, a.conforming(nil, revoke([]byte{1}, now, because(KeyCompromise)), revoke([]byte{0, 0x80}, now)))
	got := changes(t, some, released)
	if c := got["\x05"]; len(got) != 2 || c.New != nil || c.Old.Reason != CertificateHold {
		t.Errorf("%v", got)
	}
	told := 0
	for range 200 {
		old := a.index(t, a.conforming(nil, handful(r, Superseded, CertificateHold)...))
		new := a.index(t, a.conforming(nil, handful(r, Superseded, CertificateHold, KeyCompromise)...))
		told += len(changes(t, old, new))
	}
	if told < 1000 {
		t.Errorf("%d changes were told", told)
	}
}

// TestDiffStops: who has seen enough is told no more.
func TestDiffStops(t *testing.T) {
	a := theCA()
	r := mrand.New(mrand.NewPCG(11, 12))
	for range 20 {
		old, new := a.index(t, a.conforming(nil, handful(r, Superseded)...)), a.index(t, a.conforming(nil, handful(r, KeyCompromise)...))
		whole := len(changes(t, old, new))
		for most := range whole {
			n := 0
			for range Diff(old, new) {
				if n++; n > most {
					break
				}
			}
			if n != most+1 {
				t.Errorf("%d of %d", n, most+1)
			}
		}
	}
}

// TestDiffOfDamaged: a damage on either side ends it with an error, and is told once.
func TestDiffOfDamaged(t *testing.T) {
	a := theCA()
	s := a.conforming(nil)
	s.entries = seq(manyEntries(50_000, true))
	fine, spoiled, spoiledToo := a.index(t, s), a.index(t, s), a.index(t, s)
	other := a.index(t, a.conforming(nil, revoke([]byte{1}, now)))
	spoil(spoiled.image)
	spoil(spoiledToo.image)
	for name, c := range map[string][2]*Index{
		"old": {spoiled, fine}, "new": {fine, spoiled}, "both": {spoiled, spoiledToo}, "old and short": {spoiled, other}, "new and short": {other, spoiled},
	} {
		var errs []error
		for _, err := range Diff(c[0], c[1]) {
			if err != nil {
				errs = append(errs, err)
			} else if errs != nil {
				t.Fatalf("%s: goes on", name)
			}
		}
		if len(errs) != 1 {
			t.Errorf("%s: %v", name, errs)
		}
	}
	if got := entriesIn(t, fine); len(got) != 50_000 {
		t.Errorf("%d entries", len(got))
	}
}
