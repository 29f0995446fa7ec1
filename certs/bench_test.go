package certs_test

import (
	"context"
	"testing"

	"github.com/tashika-jp/tashika/certs"
	"github.com/tashika-jp/tashika/certs/anchors"
	"github.com/tashika-jp/tashika/certs/crl"
	"github.com/tashika-jp/tashika/certs/pkix"
	"github.com/tashika-jp/tashika/certs/sandbox"
	"github.com/tashika-jp/tashika/certs/signature"
)

// oneList answers every look-up with one index that was built before.
type oneList struct {
	*world
	index  *crl.Index
	source string
}

func (o *oneList) List(*anchors.Anchor, *pkix.Certificate) (*crl.Index, string) {
	return o.index, o.source
}

// oneVerification is all that a verification of a challenge takes, made ready. Nothing goes on beside it, so that what is allocated is the
// verification's own.
func oneVerification(t testing.TB) (der []byte, p certs.Presented, trust certs.Trust) {
	w := newWorldOf(t, sandbox.NewKeyPool(sandbox.KeyPoolConfig{Ahead: -1}))
	p = w.presented(w.issue(sandbox.IssueOptions{}), kiosk)
	_, issuer := certs.Identify(p.Certificate, w.set, w.clock())
	lists := &oneList{world: w}
	lists.index, lists.source = w.List(issuer, p.Certificate)
	return p.Certificate.Raw, p, certs.Trust{Profile: w.profile(kiosk), Anchors: w.set, Revocation: lists, Now: w.clock()}
}

func verifyDER(t testing.TB, der []byte, p certs.Presented, trust certs.Trust) {
	c, err := trust.Cache.Parse(der)
	if err != nil {
		t.Fatal(err)
	}
	p.Certificate = c
	if v := certs.Verify(context.Background(), p, trust); v.Conclusion != certs.Valid {
		t.Fatal(v.Reasons)
	}
}

// TestVerificationAllocates: the view of the certificate, the holder's key made ready, the verdict.
func TestVerificationAllocates(t *testing.T) {
	if underRace || !signature.Lanes().InUse {
		t.Skip("what raises signatures allocates")
	}
	der, p, trust := oneVerification(t)
	verifyDER(t, der, p, trust) // what is made once
	const most = 3
	if n := testing.AllocsPerRun(100, func() { verifyDER(t, der, p, trust) }); n > most {
		t.Errorf("%v allocations, want at most %d", n, most)
	}
}

// BenchmarkVerify is a whole verification in-process: parse, profile, chain, look-up and two
// RSA-2048 signatures.
func BenchmarkVerify(b *testing.B) {
	der, p, trust := oneVerification(b)
	b.ReportAllocs()
	for b.Loop() {
		verifyDER(b, der, p, trust)
	}
}

// BenchmarkVerifyCached is one of a certificate that is remembered.
func BenchmarkVerifyCached(b *testing.B) {
	der, p, trust := oneVerification(b)
	trust.Cache = certs.NewCache(4096)
	b.ReportAllocs()
	for b.Loop() {
		verifyDER(b, der, p, trust)
	}
}

// BenchmarkVerifyMissed is one of a certificate that is not remembered and takes the place of another: what a cache costs where it
// is of no use.
func BenchmarkVerifyMissed(b *testing.B) {
	der, p, trust := oneVerification(b)
	b.ReportAllocs()
	for b.Loop() {
		trust.Cache = certs.NewCache(1)
		verifyDER(b, der, p, trust)
	}
}

// BenchmarkParse is the reading of a certificate alone.
func BenchmarkParse(b *testing.B) {
	der, _, _ := oneVerification(b)
	b.SetBytes(int64(len(der)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := pkix.ParseCertificate(der); err != nil {
			b.Fatal(err)
		}
	}
}
