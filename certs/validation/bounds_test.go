package validation

import (
	"crypto/x509"
	"testing"

	"github.com/tashika-jp/tashika/certs/reason"
)

// TestBounded: what an attacker can pile up ends soon, and undecided or refused. There is no clock in it: without the budget these
// would not end while anybody watches.
func TestBounded(t *testing.T) {
	root := issue(nil, "root", 1, ca)
	leaf := issue(root, "leaf", 3, nil)
	var signers []*entity
	var lists [][]byte
	for i := range 200 { // all may sign lists for the root, by its name, and each has signed one
		s := issue(root, "root", 10+i%200, func(c *x509.Certificate) {
			c.KeyUsage, c.SubjectKeyId = x509.KeyUsageCRLSign, []byte("the same for all")
		})
		signers = append(signers, s)
		lists = append(lists, list(s, 1, map[int64]int{int64(10 + (i+1)%200): 1}, nil)) // and says that the next one is revoked
	}
	a := ask(t, Question{TrustAnchors: ders(root), Intermediates: ders(signers...), Certificate: leaf.Raw, CRLs: lists})
	if a.Verdict != "indeterminate" || a.Status != "unknown" {
		t.Errorf("%+v", a)
	}
	var middles []*entity
	for range 400 {
		middles = append(middles, issue(root, "middle", 5, ca))
	}
	forged := issue(&entity{Certificate: middles[0].Certificate, key: middles[0].key}, "leaf", 6, nil)
	forged.Raw[len(forged.Raw)-1] ^= 1
	if a := ask(t, Question{TrustAnchors: ders(root), Intermediates: ders(middles...), Certificate: forged.Raw}); a.Verdict != "indeterminate" || a.Reasons[0] != reason.PathBudgetExceeded {
		t.Errorf("%+v", a)
	}
}
