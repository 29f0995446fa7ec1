package chain

import (
	"slices"
	"testing"
	"time"

	"github.com/tashika-jp/tashika/certs/anchors"
	"github.com/tashika-jp/tashika/certs/pkix"
	"github.com/tashika-jp/tashika/certs/profile"
	"github.com/tashika-jp/tashika/certs/reason"
	"github.com/tashika-jp/tashika/certs/sandbox"
)

// TestIssuerByKeyIdentifier: both generations of an authority have one name; the certificate's key identifier
// chooses, and the name alone never does.
func TestIssuerByKeyIdentifier(t *testing.T) {
	now := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	w, err := sandbox.New(sandbox.Config{PublicURL: "http://127.0.0.1:1", Clock: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	c := anchors.Config{Set: "sandbox", Policies: map[profile.Kind][]pkix.OID{
		profile.MobileSign: {pkix.MustOID(sandbox.PolicyMobileSign)}, profile.MobileAuth: {pkix.MustOID(sandbox.PolicyMobileAuth)},
	}}
	for _, a := range w.Anchors() {
		if a.Authority == sandbox.Auth {
			c.Sources = append(c.Sources, anchors.Source{DER: a.DER, CA: anchors.Auth})
		}
	}
	set, err := anchors.New(c)
	if err != nil {
		t.Fatal(err)
	}
	for generation := 1; generation <= sandbox.Generations; generation++ {
		p, err := w.Issue(sandbox.HolderN(generation), sandbox.IssueOptions{Generation: generation})
		if err != nil {
			t.Fatal(err)
		}
		cert, err := pkix.ParseCertificate(p.Certificate(sandbox.Auth).DER)
		if err != nil {
			t.Fatal(err)
		}
		a, found := FindIssuer(cert, set, now)
		if a == nil || len(found) > 0 || string(a.Certificate.SubjectKeyID) != string(cert.AuthorityKeyID) {
			t.Fatalf("generation %d: %v", generation, found)
		}
		if found := CheckIssuer(a, now); len(found) > 0 || !signedBy(t, cert, a) {
			t.Errorf("generation %d: %v", generation, found)
		}
		for _, other := range set.All() {
			if other != a && signedBy(t, cert, other) {
				t.Error("another key of the same name signed it as well")
			}
		}
		if found := CheckIssuer(a, a.Certificate.NotAfter.Add(time.Second)); !slices.Contains(found, reason.IssuerNotValidNow) {
			t.Errorf("an expired authority: %v", found)
		}
		stranger := *cert
		stranger.AuthorityKeyID = []byte("another key")
		if a, found := FindIssuer(&stranger, set, now); a != nil || !slices.Contains(found, reason.NoCertificateChainFound) {
			t.Errorf("found by name alone: %v", found)
		}
		stranger.AuthorityKeyID = nil
		if a, found := FindIssuer(&stranger, set, now); a != nil || !slices.Contains(found, reason.AuthorityKeyIDMissing) {
			t.Errorf("found without a key identifier: %v", found)
		}
		// A certificate for signatures has another authority.
		cert, err = pkix.ParseCertificate(p.Certificate(sandbox.Sign).DER)
		if err != nil {
			t.Fatal(err)
		}
		if a, _ := FindIssuer(cert, set, now); a != nil {
			t.Error("the other authority's certificate found an issuer")
		}
	}
}

func signedBy(t *testing.T, cert *pkix.Certificate, a *anchors.Anchor) bool {
	t.Helper()
	check, err := SignatureCheck(cert, a)
	if err != nil {
		t.Fatal(err)
	}
	return check.Key.Verify(check.Algorithm, check.Message, check.Signature) == nil
}
