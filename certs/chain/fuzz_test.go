package chain

import (
	"bytes"
	"crypto/x509"
	"math/big"
	"testing"

	"github.com/tashika-jp/tashika/certs/pkix"
)

// FuzzBuild: whatever is presented as certificate and helper, a path is one of certificates that somebody signed as they are, each
// by the one above it, and never more than the budget.
func FuzzBuild(f *testing.F) {
	serial := func(n int64) func(*x509.Certificate) {
		return func(c *x509.Certificate) { c.SerialNumber = big.NewInt(n) }
	}
	root := issue(f, nil, "root", 0, changes(ca, serial(1), permitDNS("example.com")))
	middle := issue(f, root, "middle", 1, changes(ca, serial(2), pathLen(1), excludeDNS("bad.example.com")))
	rolled := issue(f, middle, "middle", 2, changes(ca, serial(3)))
	leaf := issue(f, middle, "leaf", 3, changes(serial(4), dns("a.example.com")))
	below := issue(f, rolled, "leaf", 3, changes(serial(5), dns("b.example.com", "bad.example.com")))
	signed := [][]byte{root.RawTBS, middle.RawTBS, rolled.RawTBS, leaf.RawTBS, below.RawTBS}
	for _, seed := range [][2]*entity{{leaf, middle}, {below, rolled}, {leaf, rolled}, {middle, leaf}, {root, root}} {
		f.Add(seed[0].Raw, seed[1].Raw)
	}
	anchor := root.anchor()
	f.Fuzz(func(t *testing.T, target, helper []byte) {
		c, err := pkix.ParseCertificate(target)
		if err != nil {
			return
		}
		untrusted := []*pkix.Certificate{middle.Certificate}
		if u, err := pkix.ParseCertificate(helper); err == nil {
			untrusted = append(untrusted, u)
		}
		for _, strict := range []bool{false, true} {
			budget := DefaultBudget()
			b := NewBuilder(untrusted, Settings{At: now, Allow: allowed, Strict: strict, Budget: budget})
			path, found := b.Build(c, Options{Anchors: []*Anchor{anchor}, MaxIntermediates: -1})
			if (path == nil) != (len(found) > 0) || budget.Signatures < 0 || budget.Steps < 0 || budget.Comparisons < 0 || budget.Paths < 0 {
				t.Fatalf("path %v with findings %v and budget %v", path, found, budget)
			}
			if path == nil {
				continue
			}
			for i, on := range path.Certificates {
				known := false
				for _, tbs := range signed {
					known = known || bytes.Equal(tbs, on.RawTBS)
				}
				if !known || !on.Issuer.Equal(path.Issuer(i).Subject) {
					t.Fatalf("certificate %d of the path was signed by nobody, or by another: %x", i, on.Raw)
				}
			}
		}
	})
}
