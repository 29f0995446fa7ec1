package crl

import (
	"bytes"
	"crypto/x509"
	"maps"
	mrand "math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/tashika-jp/tashika/certs/pkix"
	"github.com/tashika-jp/tashika/certs/reason"
)

// numbered is a list of the authority with a number; since is the number of the complete list that a delta is about, less than zero for
// a complete one.
func (a *authority) numbered(since, number int64, entries ...[]byte) *listSpec {
	s := a.conforming(nil, entries...)
	s.set("2.5.29.20", false, integer(number))
	if since >= 0 {
		s.set("2.5.29.27", true, integer(since))
	}
	return s
}

// TestWithDeltaRefuses: each rule has its own reason, and nothing else is found.
func TestWithDeltaRefuses(t *testing.T) {
	a, rolled := theCA(), newAuthority(otherECKey(), name(caName), func(c *x509.Certificate) { c.SubjectKeyId = theCA().cert.SubjectKeyID })
	other := newAuthority(otherECKey(), name("O=somebody,C=JP"), nil)
	same := func(*listSpec) {}
	number := func(n int64) func(*listSpec) { return func(s *listSpec) { s.set("2.5.29.20", false, integer(n)) } }
	base := func(n int64) func(*listSpec) { return func(s *listSpec) { s.set("2.5.29.27", true, integer(n)) } }
	idp := func(parts ...[]byte) func(*listSpec) {
		return func(s *listSpec) { s.set("2.5.29.28", true, seq(parts...)) }
	}
	drop := func(id string) func(*listSpec) { return func(s *listSpec) { s.drop(id) } }
	for name, c := range map[string]struct {
		complete, delta func(*listSpec)
		by              *authority
		want            []reason.ID
	}{
		"good":                         {same, same, a, nil},
		"good_base_before":             {same, base(3), a, nil},
		"good_removed":                 {same, func(s *listSpec) { s.entries = seq(revoke([]byte{1}, now, because(RemoveFromCRL))) }, a, nil},
		"good_no_key_ids":              {drop("2.5.29.35"), drop("2.5.29.35"), a, nil},
		"good_same_scope":              {idp(relative("x"), flag(1)), idp(fullName(directory(xName)), flag(1)), a, nil},
		"no delta":                     {same, drop("2.5.29.27"), a, []reason.ID{reason.CRLBaseMismatch}},
		"no number":                    {same, drop("2.5.29.20"), a, []reason.ID{reason.CRLNumberMissing}},
		"the number of the complete":   {same, number(5), a, []reason.ID{reason.CRLBaseMismatch}},
		"a number before":              {same, number(4), a, []reason.ID{reason.CRLBaseMismatch}},
		"of a later complete list":     {same, base(6), a, []reason.ID{reason.CRLBaseMismatch}},
		"not critical":                 {same, func(s *listSpec) { s.set("2.5.29.27", false, integer(5)) }, a, []reason.ID{reason.CRLFormatFailure}},
		"no nextUpdate":                {same, func(s *listSpec) { s.next = nil }, a, []reason.ID{reason.CRLNextUpdateMissing}},
		"nextUpdate before thisUpdate": {same, func(s *listSpec) { s.next = utc(now.Add(-2 * time.Hour)) }, a, []reason.ID{reason.CRLFormatFailure}},
		"unknown critical":             {same, func(s *listSpec) { s.set("1.2.3", true, nil) }, a, []reason.ID{reason.CRLUnknownCriticalExtension}},
		"freshest critical":            {same, func(s *listSpec) { s.set("2.5.29.46", true, points(fullName(web))) }, a, []reason.ID{reason.CRLUnknownCriticalExtension}},
		"entry: unknown critical": {same, func(s *listSpec) { s.entries = seq(revoke([]byte{1}, now, extension{"1.2.3", true, nil})) }, a,
			[]reason.ID{reason.CRLUnknownCriticalExtension}},
		"entry: other issuer": {same, func(s *listSpec) {
			s.entries = seq(revoke([]byte{1}, now, extension{"2.5.29.29", true, seq(directory(tsukuba))}))
		}, a,
			[]reason.ID{reason.CRLIsIndirect}},
		"of users":             {same, idp(flag(1)), a, []reason.ID{reason.CRLScopeMismatch}},
		"of all":               {idp(flag(1)), same, a, []reason.ID{reason.CRLScopeMismatch}},
		"of another partition": {idp(fullName(directory(tsukuba))), idp(fullName(directory(ushiku))), a, []reason.ID{reason.CRLScopeMismatch}},
		"of some reasons":      {same, idp(wrap(tag(3), []byte{5, 0x60})), a, []reason.ID{reason.CRLReasonsPartial, reason.CRLScopeMismatch}},
		"other key identifier": {drop("2.5.29.35"), same, a, []reason.ID{reason.CRLBaseMismatch}},
		"key without identifier": {same, func(s *listSpec) {
			s.set("2.5.29.35", false, seq(wrap(explicit(1), directory(a.cert.Subject)), wrap(tag(2), []byte{1})))
		}, a,
			[]reason.ID{reason.CRLBaseMismatch}},
		"of another key":   {same, same, rolled, []reason.ID{reason.CRLBaseMismatch}},
		"of somebody else": {drop("2.5.29.35"), func(s *listSpec) { s.drop("2.5.29.35"); s.issuer = other.cert.Subject }, other, []reason.ID{reason.CRLBaseMismatch, reason.CRLIssuerMismatch}},
	} {
		s, d := a.numbered(-1, 5), a.numbered(5, 6)
		c.complete(s)
		c.delta(d)
		x := a.index(t, s)
		y, found := x.WithDelta(imageOf(t, d.sign(c.by.key)), c.by.cert, c.by.public, allowed)
		if slices.Sort(found); !slices.Equal(found, c.want) || (y == nil) != (len(found) > 0) {
			t.Errorf("%s: %v, want %v", name, found, c.want)
		}
	}
	// Who signed it is asked as for any list.
	d := a.numbered(5, 6)
	if _, found := a.index(t, a.numbered(-1, 5)).WithDelta(imageOf(t, d.sign(otherECKey())), a.cert, a.public, allowed); !slices.Equal(found, []reason.ID{reason.CRLSignatureInvalid}) {
		t.Errorf("signed by another: %v", found)
	}
	if _, found := a.index(t, a.numbered(-1, 5)).WithDelta(imageOf(t, d.sign(a.key)), a.cert, a.public, nil); !slices.Equal(found, []reason.ID{reason.CRLAlgorithmRefused}) {
		t.Errorf("nothing allowed: %v", found)
	}
}

// handful are random entries of few serial numbers, some of them twice.
func handful(r *mrand.Rand, reasons ...Reason) (entries [][]byte) {
	for range r.IntN(30) {
		entries = append(entries, revoke([]byte{1 + byte(r.IntN(20))}, now.Add(-time.Duration(r.IntN(3))*time.Hour), because(reasons[r.IntN(len(reasons))])))
	}
	return entries
}

// TestDeltaIsWhatTheCheckerSays: an index with a delta answers what a Checker says of both lists, counts and lists what it answers, and
// the list it is made from is as it was.
func TestDeltaIsWhatTheCheckerSays(t *testing.T) {
	a := theCA()
	r := mrand.New(mrand.NewPCG(7, 8))
	for range 60 {
		s := a.numbered(-1, 5, handful(r, KeyCompromise, CertificateHold, CertificateHold)...)
		d := a.numbered(3, 7, handful(r, Superseded, CertificateHold, RemoveFromCRL)...)
		s.this, d.next = utc(now.Add(-3*time.Hour)), utc(now.Add(30*time.Hour))
		x := a.index(t, s)
		y, found := x.WithDelta(imageOf(t, d.sign(a.key)), a.cert, a.public, allowed)
		if y == nil {
			t.Fatal(found)
		}
		if y.Number() != "7" || !y.ThisUpdate().Equal(now.Add(-time.Hour)) || !y.NextUpdate().Equal(now.Add(30*time.Hour)) || x.Number() != "5" || y.Blocks() < x.Blocks() {
			t.Errorf("number %s, times %s and %s", y.Number(), y.ThisUpdate(), y.NextUpdate())
		}
		k := NewChecker([]*List{signed{s, a}.list(t), signed{d, a}.list(t)}, options(a))
		listed := make(map[string]Entry)
		cert := *a.issue(nil, nil)
		for n := range 25 {
			cert.SerialNumber = []byte{byte(n)}
			want := k.Status(&cert)
			e, is, err := y.Lookup(cert.SerialNumber)
			status := Good
			switch {
			case is && e.Reason == CertificateHold:
				status = OnHold
			case is:
				status = Revoked
			}
			if err != nil || status != want.Status || is && (e.Reason != want.Reason || !e.RevocationTime.Equal(want.RevocationTime)) {
				t.Fatalf("%d: %v %v %v, the Checker says %+v", n, e, is, err, want)
			}
			if is {
				listed[string(cert.SerialNumber)] = e
			}
		}
		if all := entriesIn(t, y); !maps.Equal(all, listed) || y.Entries() != len(listed) {
			t.Fatalf("all are %v, %d of them, want %v", all, y.Entries(), listed)
		}
		changes(t, x, y)
		changes(t, y, x)
		// The next delta of the same list is in the place of this one.
		z, found := y.WithDelta(imageOf(t, a.numbered(5, 8, revoke([]byte{9}, now)).sign(a.key)), a.cert, a.public, allowed)
		if z == nil {
			t.Fatal(found)
		}
		want := entriesIn(t, x)
		want["\x09"] = Entry{now, Unspecified}
		if got := entriesIn(t, z); !maps.Equal(got, want) || z.Number() != "8" {
			t.Errorf("%v, want %v", got, want)
		}
	}
}

// entriesIn are all entries of an index; they are in order.
func entriesIn(t *testing.T, x *Index) map[string]Entry {
	t.Helper()
	all := make(map[string]Entry)
	var last []byte
	for l, err := range x.All() {
		if err != nil {
			t.Fatal(err)
		}
		if last != nil && compareOctets(last, l.Serial) >= 0 {
			t.Fatalf("%x after %x", l.Serial, last)
		}
		last = append(last[:0], l.Serial...)
		all[string(l.Serial)] = l.Entry
	}
	return all
}

// TestDamagedDelta: what is damaged in the delta is damaged in the index.
func TestDamagedDelta(t *testing.T) {
	a := theCA()
	x := a.index(t, a.numbered(-1, 5, revoke([]byte{1}, now)))
	var out Memory
	if _, _, err := Build(bytes.NewReader(a.numbered(5, 6, revoke([]byte{2}, now)).sign(a.key)), BuildOptions{Output: &out}); err != nil {
		t.Fatal(err)
	}
	delta := must(OpenImage(out.Bytes()))
	y, _ := x.WithDelta(delta, a.cert, a.public, allowed)
	if y.Damaged() || y.CheckBlock(0) != nil || y.CheckBlock(1) != nil || y.Blocks() != 2 {
		t.Fatal("damaged already")
	}
	spoil(delta)
	if err := y.CheckBlock(1); err != ErrDamaged || !y.Damaged() || y.CheckBlock(0) != nil || x.Damaged() {
		t.Error(err)
	}
	if _, found, err := y.Lookup([]byte{2}); found || err != ErrDamaged {
		t.Errorf("%v %v", found, err)
	}
	if _, found, err := x.Lookup([]byte{1}); !found || err != nil {
		t.Errorf("without the delta: %v %v", found, err)
	}
	if z, found := x.WithDelta(delta, a.cert, a.public, allowed); z != nil || !slices.Equal(found, []reason.ID{reason.CRLIndexDamaged}) {
		t.Errorf("%v", found)
	}
}

// TestDeltaCovers: an index with a delta is of the same scope.
func TestDeltaCovers(t *testing.T) {
	a := theCA()
	of := func(s *listSpec) *listSpec {
		s.set("2.5.29.28", true, seq(fullName(directory(tsukuba))))
		return s
	}
	x := a.index(t, of(a.numbered(-1, 5)))
	y, found := x.WithDelta(imageOf(t, of(a.numbered(5, 6)).sign(a.key)), a.cert, a.public, allowed)
	if y == nil {
		t.Fatal(found)
	}
	for _, scope := range []pkix.Name{tsukuba, ushiku} {
		c := a.issue(points(fullName(directory(scope))), nil)
		if y.Covers(c) != scope.Equal(tsukuba) || !y.Scope().Equal(tsukuba) {
			t.Errorf("covers %s: %v", scope, y.Covers(c))
		}
	}
}
