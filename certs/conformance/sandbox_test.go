package conformance

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/tashika-jp/tashika/certs/sandbox"
)

// phoneCases are both certificates of a pretended phone, each with the one list of its
// partition; all are good.
func phoneCases(t *testing.T) (cases []Case) {
	t.Helper()
	w, err := sandbox.New(sandbox.Config{Clock: func() time.Time { return worldTime }, PublicURL: "http://sandbox.invalid"})
	if err != nil {
		t.Fatal(err)
	}
	phone, err := w.Issue(sandbox.HolderN(1), sandbox.IssueOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var anchors [][]byte
	for _, a := range w.Anchors() {
		anchors = append(anchors, a.DER)
	}
	for _, authority := range []sandbox.Authority{sandbox.Auth, sandbox.Sign} {
		c := Case{Name: authority.String(), Valid: true, Line: Line{
			ID: authority.String(), TrustAnchors: anchors, Certificate: phone.Certificate(authority).DER,
			Time: worldTime, Revocation: "crl", Scope: "leaf",
		}}
		for _, source := range w.Sources().Lists {
			answer := httptest.NewRecorder()
			w.Handler().ServeHTTP(answer, httptest.NewRequest("GET", source.URL, nil))
			c.CRLs = [][]byte{answer.Body.Bytes()}
			if ask(t, c.Line).Accept {
				cases = append(cases, c)
				break
			}
		}
	}
	if len(cases) != 2 {
		t.Fatalf("of two certificates of a good phone, good by a list: %d", len(cases))
	}
	return cases
}

// changedPhones are phones of which one thing was changed and not signed again.
func changedPhones(t *testing.T, n int) (cases []Case) {
	r := rand.New(rand.NewPCG(*firstSeed, 2560))
	for _, original := range phoneCases(t) {
		for i := range n {
			c := original
			target := &c.Certificate
			if r.IntN(2) == 0 {
				c.CRLs = [][]byte{c.CRLs[0]}
				target = &c.CRLs[0]
			}
			changed, what := mutateDER(r, *target)
			if bytes.Equal(changed, *target) {
				continue
			}
			*target = changed
			c.ID, c.Needs = fmt.Sprintf("%s, change %d", c.ID, i), []string{what, "changed phone"}
			cases = append(cases, c)
		}
	}
	return cases
}

// TestPhonesChanged: whatever was changed in a certificate or list that nobody has signed
// again, in what is signed or around it, it is not accepted: there is one encoding of each.
func TestPhonesChanged(t *testing.T) {
	cases := changedPhones(t, few(3000))
	for _, c := range cases {
		if a := ask(t, c.Line); a.Accept || a.Why == "" {
			t.Errorf("%s (%v): %s %q", c.ID, c.Needs, a.Verdict, a.Why)
		}
	}
	t.Logf("%d changed certificates and lists, none accepted", len(cases))
}

// TestPhonesChangedOpenSSL: the same before openssl verify.
func TestPhonesChangedOpenSSL(t *testing.T) {
	compare(t, OpenSSL{}, append(phoneCases(t), changedPhones(t, few(300))...))
}
