package crl

import (
	"bytes"
	"crypto/x509"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/tashika-jp/tashika/certs/pkix"
	"github.com/tashika-jp/tashika/certs/reason"
	"github.com/tashika-jp/tashika/certs/signature"
)

// judge is NewIndex on a list as signed by key, and the findings in order of their names.
func judge(t testing.TB, a *authority, der []byte, allow signature.AllowList) (*Index, []reason.ID) {
	t.Helper()
	l, err := Parse(der)
	if err != nil {
		t.Fatal(err)
	}
	x, found := NewIndex(l, a.cert, a.public, allow)
	if (x == nil) != (len(found) > 0) {
		t.Errorf("index %v with findings %v", x != nil, found)
	}
	return x, slices.Sorted(slices.Values(found))
}

// TestNewIndexRefuses: each rule has its own reason, and nothing else is found.
func TestNewIndexRefuses(t *testing.T) {
	idp := func(parts ...[]byte) func(*listSpec) {
		return func(s *listSpec) { s.set("2.5.29.28", true, seq(parts...)) }
	}
	entry := func(list ...extension) func(*listSpec) {
		return func(s *listSpec) { s.entries = seq(revoke([]byte{1}, now), revoke([]byte{2}, now, list...)) }
	}
	for name, c := range map[string]struct {
		change func(*listSpec)
		want   reason.ID
	}{
		"no number":                    {func(s *listSpec) { s.drop("2.5.29.20") }, reason.CRLNumberMissing},
		"no nextUpdate":                {func(s *listSpec) { s.next = nil }, reason.CRLNextUpdateMissing},
		"nextUpdate before thisUpdate": {func(s *listSpec) { s.next = utc(now.Add(-2 * time.Hour)) }, reason.CRLFormatFailure},
		"nextUpdate is thisUpdate":     {func(s *listSpec) { s.next = s.this }, reason.CRLFormatFailure},
		"delta":                        {func(s *listSpec) { s.set("2.5.29.27", true, integer(1)) }, reason.CRLIsDelta},
		"delta, not critical":          {func(s *listSpec) { s.set("2.5.29.27", false, integer(0)) }, reason.CRLIsDelta},
		"unknown critical":             {func(s *listSpec) { s.set("1.2.3", true, nil) }, reason.CRLUnknownCriticalExtension},
		"freshest CRL, critical":       {func(s *listSpec) { s.set("2.5.29.46", true, points(fullName(directory(tsukuba)))) }, reason.CRLUnknownCriticalExtension},
		"entry: unknown critical":      {entry(extension{"1.2.3", true, nil}), reason.CRLUnknownCriticalExtension},
		"entry: critical instruction":  {entry(extension{"2.5.29.23", true, element("1.2.3")}), reason.CRLUnknownCriticalExtension},
		"entry: other issuer":          {entry(extension{"2.5.29.29", true, seq(directory(tsukuba))}), reason.CRLIsIndirect},
		"entry: removeFromCRL":         {entry(because(RemoveFromCRL)), reason.CRLFormatFailure},
		"IDP not critical":             {func(s *listSpec) { s.set("2.5.29.28", false, seq(fullName(directory(tsukuba)))) }, reason.CRLFormatFailure},
		"IDP empty":                    {idp(), reason.CRLFormatFailure},
		"IDP: users and CAs":           {idp(wrap(tag(1), flagTrue), wrap(tag(2), flagTrue)), reason.CRLFormatFailure},
		"IDP: users and attributes":    {idp(wrap(tag(1), flagTrue), wrap(tag(5), flagTrue)), reason.CRLFormatFailure},
		"IDP: indirect":                {idp(fullName(directory(tsukuba)), wrap(tag(4), flagTrue)), reason.CRLIsIndirect},
		"IDP: some reasons":            {idp(fullName(directory(tsukuba)), wrap(tag(3), []byte{5, 0x60})), reason.CRLReasonsPartial},
		"IDP: all reasons, by name":    {idp(wrap(tag(3), []byte{7, 0x7f, 0x80})), reason.CRLReasonsPartial},
		"IDP: relative, not an RDN":    {idp(wrap(explicit(0), wrap(explicit(1), integer(1)))), reason.CRLFormatFailure},
		"other issuer":                 {func(s *listSpec) { s.issuer = name("O=somebody,C=JP") }, reason.CRLIssuerMismatch},
		"no issuer":                    {func(s *listSpec) { s.issuer = seq() }, reason.CRLIssuerMismatch},
		"other key of the issuer":      {func(s *listSpec) { s.set("2.5.29.35", false, seq(wrap(tag(0), bytes.Repeat([]byte{1}, 20)))) }, reason.CRLIssuerMismatch},
	} {
		a := theCA()
		s := a.conforming(tsukuba, revoke([]byte{1}, now))
		c.change(s)
		if _, found := judge(t, a, s.sign(a.key), allowed); !slices.Equal(found, []reason.ID{c.want}) {
			t.Errorf("%s: %v, want %s", name, found, c.want)
		}
	}
}

// TestAllFindings: one refusal does not hide another.
func TestAllFindings(t *testing.T) {
	a := theCA()
	s := a.conforming(tsukuba, revoke([]byte{1}, now, extension{"1.2.3", true, nil}), revoke([]byte{2}, now, extension{"2.5.29.29", true, seq(directory(tsukuba))}))
	s.drop("2.5.29.20")
	s.set("2.5.29.27", true, integer(1))
	s.set("2.5.29.28", false, seq(wrap(tag(3), []byte{5, 0x60}), wrap(tag(4), flagTrue)))
	s.issuer, s.next = name("O=somebody"), nil
	_, found := judge(t, a, s.sign(otherECKey()), allowed)
	want := slices.Sorted(slices.Values([]reason.ID{reason.CRLUnknownCriticalExtension, reason.CRLIsIndirect, reason.CRLNumberMissing, reason.CRLIsDelta,
		reason.CRLFormatFailure, reason.CRLReasonsPartial, reason.CRLIssuerMismatch, reason.CRLNextUpdateMissing, reason.CRLSignatureInvalid}))
	if diff := cmp.Diff(want, found); diff != "" {
		t.Error(diff)
	}
}

// TestTrapSignatureNeverChecked: OpenBao cert auth believed every list that it was given.
func TestTrapSignatureNeverChecked(t *testing.T) {
	a := theCA()
	s := a.conforming(tsukuba)
	if _, found := judge(t, a, s.sign(otherECKey()), allowed); !slices.Equal(found, []reason.ID{reason.CRLSignatureInvalid}) {
		t.Errorf("signed by another key: %v", found)
	}
	l, _ := Parse(s.sign(a.key))
	for name, key := range map[string]*signature.PublicKey{"no key": nil, "key of another kind": newAuthority(rsaKey(), name(caName), nil).public} {
		if x, found := NewIndex(l, a.cert, key, allowed); x != nil || !slices.Equal(found, []reason.ID{reason.CRLAlgorithmRefused}) {
			t.Errorf("%s: %v", name, found)
		}
	}
	if x, _ := NewIndex(&List{Issuer: a.cert.Subject}, a.cert, a.public, allowed); x != nil {
		t.Error("a list that nobody parsed is believed")
	}
}

// TestSignerNotAllowed: cRLSign, if the issuer's certificate limits the use of its key at all.
func TestSignerNotAllowed(t *testing.T) {
	for usage, want := range map[x509.KeyUsage][]reason.ID{
		x509.KeyUsageCertSign: {reason.CRLSignerNotAllowed}, x509.KeyUsageCRLSign: nil, 0: nil,
	} {
		a := newAuthority(ecKey(), name(caName), func(c *x509.Certificate) { c.KeyUsage = usage })
		if _, found := judge(t, a, a.conforming(tsukuba).sign(a.key), allowed); !slices.Equal(found, want) {
			t.Errorf("key usage %d: %v, want %v", usage, found, want)
		}
	}
}

// TestAlgorithms: only those of the allow-list; SHA-1 where a test allows it.
func TestAlgorithms(t *testing.T) {
	a := newAuthority(rsaKey(), name(caName), nil)
	sha1 := a.conforming(tsukuba)
	sha1.algorithm = rsaSHA1
	for name, c := range map[string]struct {
		list  *listSpec
		allow signature.AllowList
		want  []reason.ID
	}{
		"SHA-256":         {a.conforming(tsukuba), allowed, nil},
		"nothing allowed": {a.conforming(tsukuba), nil, []reason.ID{reason.CRLAlgorithmRefused}},
		"others allowed":  {a.conforming(tsukuba), signature.AllowList{signature.PSSSHA256}, []reason.ID{reason.CRLAlgorithmRefused}},
		"SHA-1":           {sha1, allowed, []reason.ID{reason.CRLAlgorithmRefused}},
		"SHA-1, allowed":  {sha1, signature.AllowList{signature.PKCS1SHA1}, nil},
	} {
		if _, found := judge(t, a, c.list.sign(a.key), c.allow); !slices.Equal(found, c.want) {
			t.Errorf("%s: %v, want %v", name, found, c.want)
		}
	}
}

// TestIssuerNameCompared: by RFC 5280 section 7.1, not octet by octet.
func TestIssuerNameCompared(t *testing.T) {
	a := theCA()
	s := a.conforming(tsukuba)
	s.issuer = name(strings.ToUpper(strings.ReplaceAll(caName, "JPKI for", "JPKI   for")))
	if bytes.Equal(s.issuer, a.cert.Subject) {
		t.Fatal("the names are the same octets: nothing is tested")
	}
	a.index(t, s)
}

// TestTrapCriticalExtensions: a list whose meaning is not known is not used, be the unknown in
// the list or in somebody else's entry.
func TestTrapCriticalExtensions(t *testing.T) {
	a := theCA()
	for _, change := range []func(*listSpec){
		func(s *listSpec) { s.set("1.3.6.1.4.1.99999.1", true, []byte{5, 0}) },
		func(s *listSpec) {
			s.entries = seq(revoke([]byte{1}, now), revoke([]byte{99}, now, extension{"1.3.6.1.4.1.99999.1", true, nil}))
		},
	} {
		s := a.conforming(tsukuba)
		change(s)
		if x, found := judge(t, a, s.sign(a.key), allowed); x != nil || !slices.Equal(found, []reason.ID{reason.CRLUnknownCriticalExtension}) {
			t.Errorf("%v", found)
		}
	}
}

// TestTrapNextUpdateIgnored: a list past its nextUpdate is stale, and one without is none.
func TestTrapNextUpdateIgnored(t *testing.T) {
	a := theCA()
	x := a.index(t, a.conforming(tsukuba)) // an hour old, with 23 to go
	next, this := x.NextUpdate(), x.ThisUpdate()
	for _, c := range []struct {
		name         string
		at           time.Time
		skew, maxAge time.Duration
		want         []reason.ID
	}{
		{"now", now, 0, 0, nil},
		{"at thisUpdate", this, 0, 0, nil},
		{"before thisUpdate", this.Add(-time.Second), 0, 0, []reason.ID{reason.CRLNotYetValid}},
		{"before, within the skew", this.Add(-time.Minute), time.Minute, 0, nil},
		{"before, beyond the skew", this.Add(-time.Minute - 1), time.Minute, 0, []reason.ID{reason.CRLNotYetValid}},
		{"at nextUpdate", next, 0, 0, nil},
		{"after nextUpdate", next.Add(1), 0, 0, []reason.ID{reason.CRLStale}},
		{"after, within the skew", next.Add(time.Minute), time.Minute, 0, nil},
		{"after, beyond the skew", next.Add(time.Minute + 1), time.Minute, 0, []reason.ID{reason.CRLStale}},
		{"young enough", now, 0, time.Hour, nil},
		{"too old", now.Add(1), 0, time.Hour, []reason.ID{reason.CRLTooOld}},
		{"the skew does not make it younger", now.Add(1), time.Hour, time.Hour, []reason.ID{reason.CRLTooOld}},
		{"stale and too old", next.Add(1), 0, time.Hour, []reason.ID{reason.CRLStale, reason.CRLTooOld}},
		{"a negative bound allows nothing", now, 0, -1, []reason.ID{reason.CRLTooOld}},
		{"a thousand years on", now.AddDate(1000, 0, 0), time.Hour, time.Hour, []reason.ID{reason.CRLStale, reason.CRLTooOld}},
	} {
		if found := x.CheckTimes(c.at, c.skew, c.maxAge); !slices.Equal(found, c.want) {
			t.Errorf("%s: %v, want %v", c.name, found, c.want)
		}
	}
}

func TestFacts(t *testing.T) {
	a := theCA()
	s := a.conforming(tsukuba, revoke([]byte{1}, now), revoke([]byte{2}, now), revoke([]byte{2}, now))
	number := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 160), big.NewInt(1))
	s.set("2.5.29.20", false, wrap(2, contents(number)))
	x := a.index(t, s)
	if x.Number() != number.String() || x.Entries() != 2 || !x.Scope().Equal(tsukuba) || !bytes.Equal(x.IssuerKeyID(), a.cert.SubjectKeyID) ||
		!x.Issuer().Equal(a.cert.Subject) || !x.ThisUpdate().Equal(now.Add(-time.Hour)) || !x.NextUpdate().Equal(now.Add(23*time.Hour)) {
		t.Errorf("number %s, %d entries, scope %s", x.Number(), x.Entries(), x.Scope())
	}
	zero := a.conforming(nil)
	zero.set("2.5.29.20", true, integer(0))
	if x = a.index(t, zero); x.Number() != "0" || x.Scope() != nil || x.Entries() != 0 {
		t.Errorf("number %s, scope %s", x.Number(), x.Scope())
	}
}

func TestOlder(t *testing.T) {
	a := theCA()
	index := func(number *big.Int, at time.Time) *Index {
		s := a.conforming(tsukuba)
		s.this = utc(at)
		s.set("2.5.29.20", false, wrap(2, contents(number)))
		return a.index(t, s)
	}
	n := big.NewInt
	huge := new(big.Int).Lsh(n(1), 159)
	before := now.Add(-time.Minute)
	for _, c := range []struct {
		next, last *Index
		want       []reason.ID
	}{
		{index(n(5), now), nil, nil},
		{index(n(5), now), index(n(5), now), nil},
		{index(n(6), now), index(n(5), before), nil},
		{index(n(128), now), index(n(127), before), nil},
		{index(n(127), now), index(n(128), before), []reason.ID{reason.CRLNumberLower}},
		{index(n(255), now), index(n(256), before), []reason.ID{reason.CRLNumberLower}},
		{index(n(0), now), index(huge, before), []reason.ID{reason.CRLNumberLower}},
		{index(huge, now), index(n(0), before), nil},
		{index(n(6), before), index(n(5), now), []reason.ID{reason.CRLOlder}},
		{index(n(5), before), index(n(6), now), []reason.ID{reason.CRLNumberLower, reason.CRLOlder}},
	} {
		if found := Older(c.next, c.last); !slices.Equal(found, c.want) {
			t.Errorf("%s after %v: %v, want %v", c.next.Number(), c.last, found, c.want)
		}
	}
}

// TestEveryBitFlipRefused: no list that differs in one bit from a good one is believed.
func TestEveryBitFlipRefused(t *testing.T) {
	for _, a := range []*authority{theCA(), newAuthority(rsaKey(), name(caName), nil)} {
		der := a.conforming(tsukuba, revoke([]byte{1}, now), revoke([]byte{0, 0x80}, now, because(CertificateHold))).sign(a.key)
		if x, found := judge(t, a, der, allowed); x == nil {
			t.Fatal(found)
		}
		for i := range der {
			for bit := range 8 {
				changed := bytes.Clone(der)
				changed[i] ^= 1 << bit
				l, err := Parse(changed)
				if err != nil {
					continue
				}
				if x, found := NewIndex(l, a.cert, a.public, allowed); x != nil || len(found) == 0 {
					t.Errorf("octet %d bit %d flipped: believed", i, bit)
				}
			}
		}
	}
}

func TestReasonNames(t *testing.T) {
	for r, want := range map[Reason]string{Unspecified: "unspecified", CertificateHold: "certificateHold", 7: "7", RemoveFromCRL: "removeFromCRL", AACompromise: "aACompromise", 99: "99"} {
		if r.String() != want {
			t.Errorf("%d is %s", r, r)
		}
	}
}

// TestTrapSerialOnlyAcrossIssuers: the same serial number under another issuer is another
// certificate.
func TestTrapSerialOnlyAcrossIssuers(t *testing.T) {
	a := theCA()
	other := newAuthority(otherECKey(), name("OU=JPKI for digital signature,O=JPKI,C=JP"), nil)
	x := a.index(t, a.conforming(nil, revoke(contents(big.NewInt(4711)), now)))
	ours, theirs := a.issue(nil, nil), other.issue(nil, nil)
	if !bytes.Equal(ours.SerialNumber, theirs.SerialNumber) {
		t.Fatal("different serial numbers: nothing is tested")
	}
	if _, revoked, err := x.Lookup(ours.SerialNumber); err != nil || !x.Covers(ours) || !revoked {
		t.Error("our own is not on our list")
	}
	if x.Covers(theirs) {
		t.Error("the list speaks for another issuer")
	}
	if _, found := judge(t, other, a.conforming(nil).sign(a.key), allowed); !slices.Contains(found, reason.CRLIssuerMismatch) {
		t.Errorf("another issuer's list: %v", found)
	}
}

// TestTrapKeyGenerationsShareOneName: the list of one key of an authority is not that of
// another, although both bear one name.
func TestTrapKeyGenerationsShareOneName(t *testing.T) {
	first, second := theCA(), newAuthority(otherECKey(), name(caName), nil)
	x := first.index(t, first.conforming(nil))
	if !x.Covers(first.issue(nil, nil)) || x.Covers(second.issue(nil, nil)) {
		t.Error("a list covers the certificates of another key")
	}
	_, found := judge(t, second, first.conforming(nil).sign(first.key), allowed)
	if want := []reason.ID{reason.CRLIssuerMismatch, reason.CRLSignatureInvalid}; !slices.Equal(found, want) {
		t.Errorf("%v, want %v", found, want)
	}
	silent := newAuthority(ecKey(), name(caName), nil)
	silent.cert = new(pkix.Certificate)
	*silent.cert = *first.cert
	silent.cert.SubjectKeyID = nil
	if y := silent.index(t, first.conforming(nil)); !y.Covers(second.issue(nil, nil)) || y.IssuerKeyID() != nil {
		t.Error("an issuer without key identifier is known by its name")
	}
}

// TestTrapSignatureCheckedAtEachLookUp: OpenSSL checks the list's signature again at every verification (160 ms with a
// million entries). Here it is checked once, when the index is made: what happens to its octets afterwards is of
// no account.
func TestTrapSignatureCheckedAtEachLookUp(t *testing.T) {
	a := theCA()
	l := must(Parse(a.conforming(tsukuba, revoke([]byte{7}, now)).sign(a.key)))
	x, found := NewIndex(l, a.cert, a.public, allowed)
	if x == nil {
		t.Fatal(found)
	}
	clear(l.Signature)
	if again, _ := NewIndex(l, a.cert, a.public, allowed); again != nil {
		t.Fatal("an index was made of a list whose signature is gone: nothing is shown")
	}
	if _, revoked, err := x.Lookup([]byte{7}); err != nil || !revoked {
		t.Error("the look-up asks for the signature again")
	}
}
