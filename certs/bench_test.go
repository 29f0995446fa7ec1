package certs_test

import (
	"context"
	"testing"

	"github.com/tashika-jp/tashika/certs"
	"github.com/tashika-jp/tashika/certs/anchors"
	"github.com/tashika-jp/tashika/certs/crl"
	"github.com/tashika-jp/tashika/certs/pkix"
	"github.com/tashika-jp/tashika/certs/sandbox"
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

// BenchmarkVerify is a whole verification in-process: parse, profile, chain, look-up and two
// RSA-2048 signatures.
func BenchmarkVerify(b *testing.B) {
	w := newWorld(b)
	p := w.presented(w.issue(sandbox.IssueOptions{}), kiosk)
	der := p.Certificate.Raw
	_, issuer := certs.Identify(p.Certificate, w.set, w.clock())
	lists := &oneList{world: w}
	lists.index, lists.source = w.List(issuer, p.Certificate)
	trust := certs.Trust{Profile: w.profile(kiosk), Anchors: w.set, Revocation: lists, Now: w.clock()}
	b.ReportAllocs()
	for b.Loop() {
		c, err := pkix.ParseCertificate(der)
		if err != nil {
			b.Fatal(err)
		}
		p.Certificate = c
		if v := certs.Verify(context.Background(), p, trust); v.Conclusion != certs.Valid {
			b.Fatal(v.Reasons)
		}
	}
}
