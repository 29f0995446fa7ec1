package sandbox

import (
	"testing"

	zx509 "github.com/zmap/zcrypto/x509"
	"github.com/zmap/zlint/v3"
	"github.com/zmap/zlint/v3/lint"
)

// explained are zlint's warnings that the profile itself asks for. Everything
// else at warning level or above fails.
var explained = map[string]string{
	"w_distribution_point_missing_ldap_or_uri": "jpki.md section 2: the distribution point is a directoryName; RFC 5280 only says SHOULD have a URI",
}

func TestZlintRFC5280(t *testing.T) {
	f := theWorld(t)
	registry, err := lint.GlobalRegistry().Filter(lint.FilterOptions{IncludeSources: lint.SourceList{lint.RFC5280}})
	if err != nil {
		t.Fatal(err)
	}
	ran, met := 0, make(map[string]bool)
	judge := func(t *testing.T, set *zlint.ResultSet) {
		t.Helper()
		for name, r := range set.Results {
			switch r.Status {
			case lint.Pass:
				ran++
			case lint.Error, lint.Fatal:
				t.Errorf("%s: %v: %s", name, r.Status, r.Details)
			case lint.Warn:
				met[name] = true
				if _, ok := explained[name]; !ok {
					t.Errorf("%s: unexplained warning: %s", name, r.Details)
				}
			}
		}
	}
	certificate := func(name string, der []byte) {
		t.Run(name, func(t *testing.T) {
			c, err := zx509.ParseCertificate(der)
			if err != nil {
				t.Fatal(err)
			}
			judge(t, zlint.LintCertificateEx(c, registry))
		})
	}
	for _, a := range f.Anchors() {
		certificate("CA/"+a.Authority.String(), a.DER)
	}
	for _, c := range f.cas {
		for _, g := range c.generations {
			certificate("responder/"+c.authority.String(), g.responder.der)
		}
	}
	for _, h := range Holders() {
		p, err := f.Issue(h, IssueOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range authorities {
			certificate(string(p.Certificate(a).Kind)+"/"+h.Registered, p.Certificate(a).DER)
		}
	}
	card, err := f.IssueCard(someone(), IssueOptions{})
	if err != nil {
		t.Fatal(err)
	}
	next := f.phone(t, IssueOptions{Key: P384})
	for _, a := range authorities {
		certificate(string(card.Certificate(a).Kind), card.Certificate(a).DER)
		certificate("P-384/"+string(next.Certificate(a).Kind), next.Certificate(a).DER)
	}
	for _, s := range f.Sources().Lists {
		t.Run("list"+s.Path(), func(t *testing.T) {
			der, err := f.CRL(s.ListID)
			if err != nil {
				t.Fatal(err)
			}
			l, err := zx509.ParseRevocationList(der)
			if err != nil {
				t.Fatal(err)
			}
			judge(t, zlint.LintRevocationListEx(l, registry))
		})
	}
	for name := range explained {
		if !met[name] {
			t.Errorf("%s is explained but never occurs", name)
		}
	}
	if ran < 500 {
		t.Errorf("only %d lints passed: the filter left too little", ran)
	}
}
