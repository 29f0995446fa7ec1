package conformance

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"path/filepath"
	"time"
)

// readOCSP reads OpenSSL's set of OCSP responses. The issuer is trusted as it is: the set
// accepts responses under an issuer's certificate whose own signature is broken.
func readOCSP(dir string) ([]Case, error) {
	var file struct {
		Cases []struct {
			ID, Group, Title, Dir   string
			Response, Cert, Trusted string
			Untrusted               []string
			Time                    time.Time
			NoCertChecks            bool `json:"no_cert_checks"`
			Expected                string
		}
	}
	if err := readJSON(filepath.Join(dir, "cases.json"), &file); err != nil {
		return nil, err
	}
	var cases []Case
	for _, c := range file.Cases {
		der, err := readFiles(filepath.Join(dir, c.Dir), append([]string{c.Response, c.Cert, c.Trusted}, c.Untrusted...))
		if err != nil {
			return nil, err
		}
		ok, err := valid(c.Expected, "accept", "reject")
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.ID, err)
		}
		cases = append(cases, Case{
			Name: c.Group + ": " + c.Title, Valid: ok, NoCertChecks: c.NoCertChecks,
			Line: Line{
				ID: c.ID, OCSPResponses: der[:1], Certificate: der[1], TrustAnchors: der[2:3], Intermediates: der[3:],
				Time: c.Time, Revocation: "ocsp", Scope: "leaf",
				AnchorsAreTrustedIssuers: true,
				AllowSHA1:                true, // everything in it is signed with SHA-1
			},
		})
	}
	return cases, nil
}

// issuer is the given certificate that names itself as the certificate's issuer, else the
// anchor; for judges that want to be told.
func (c Case) issuer() []byte {
	cert, err := x509.ParseCertificate(c.Certificate)
	if err != nil {
		return c.TrustAnchors[0]
	}
	for _, der := range append(c.TrustAnchors[:1:1], c.Intermediates...) {
		if ca, err := x509.ParseCertificate(der); err == nil && bytes.Equal(ca.RawSubject, cert.RawIssuer) {
			return der
		}
	}
	return c.TrustAnchors[0]
}
