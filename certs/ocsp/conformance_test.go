package ocsp

import (
	"crypto"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/tashika-jp/tashika/certs/pkix"
	"github.com/tashika-jp/tashika/certs/reason"
	"github.com/tashika-jp/tashika/certs/signature"
)

// TestConformance is OpenSSL's set, as answers to requests of ours and as stored responses: 58 of 58 with SHA-1 allowed, and
// nothing accepted without.
func TestConformance(t *testing.T) {
	const dir = "../../../shared/conformance/ocsp"
	text, err := os.ReadFile(filepath.Join(dir, "cases.json"))
	if err != nil {
		t.Skip("no shared material: ", err)
	}
	var set struct {
		Cases []struct {
			ID, Dir, Response, Cert, Trusted, Expected, Group string
			Untrusted                                         []string
			Time                                              time.Time
		}
	}
	if err := json.Unmarshal(text, &set); err != nil {
		t.Fatal(err)
	}
	withSHA1 := append(signature.AllowList{signature.PKCS1SHA1}, allowed...)
	asked, stored, accepted := 0, 0, 0
	for _, c := range set.Cases {
		read := func(name string) []byte { return must(os.ReadFile(filepath.Join(dir, c.Dir, name))) }
		cert, issuer := must(pkix.ParseCertificate(read(c.Cert))), must(pkix.ParseCertificate(read(c.Trusted)))
		for _, name := range c.Untrusted { // in one case the certificate's issuer is not the one that is trusted
			if other := must(pkix.ParseCertificate(read(name))); other.Subject.Equal(cert.Issuer) {
				issuer = other
			}
		}
		key := must(signature.NewPublicKey(issuer.PublicKeyAlgorithm, issuer.PublicKey))
		request, err := NewRequest(cert, issuer, crypto.SHA1, nil)
		if err != nil {
			// The issuer given is not the certificate's: there is nothing to ask. Ask all the same,
			// to see the response refused as well.
			request = &Request{about: cert, id: identify(cert, issuer, oidSHA1)}
		}
		expect := func(t *testing.T, right *int, check func(Options) (*Answer, []reason.ID)) {
			want := c.Expected == "accept"
			answer, found := check(Options{At: c.Time, Allow: withSHA1})
			if got := answer != nil && answer.Status == Good; got != want {
				t.Errorf("%s: accepted %v, expected %s: %v", c.Group, got, c.Expected, found)
			} else {
				*right++
			}
			answer, found = check(Options{At: c.Time, Allow: allowed})
			if answer != nil || !slices.Contains(found, reason.OCSPAlgorithmRefused) && want {
				t.Errorf("without SHA-1: %+v with %v", answer, found)
			}
			if want {
				accepted++
			}
		}
		t.Run(c.ID+"/asked", func(t *testing.T) {
			expect(t, &asked, func(o Options) (*Answer, []reason.ID) { return Check(read(c.Response), request, issuer, key, o) })
		})
		t.Run(c.ID+"/stored", func(t *testing.T) {
			expect(t, &stored, func(o Options) (*Answer, []reason.ID) { return CheckStored(read(c.Response), cert, issuer, key, o) })
		})
	}
	if len(set.Cases) != 58 || asked != 58 || stored != 58 || accepted != 2*13 {
		t.Errorf("of %d: %d asked, %d stored, %d expected to be accepted", len(set.Cases), asked, stored, accepted)
	}
}
