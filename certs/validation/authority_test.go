package validation

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	xpkix "crypto/x509/pkix"
	"encoding/json"
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/tashika-jp/tashika/certs/reason"
	"golang.org/x/crypto/ocsp"
)

// now is the time of all tests: the real one, because the oracle's OCSP responses are produced then.
var now = time.Now().UTC().Truncate(time.Second)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// entity is somebody with a certificate and the key to it. Keys and signatures (RFC 6979) are always the same.
type entity struct {
	*x509.Certificate
	key crypto.Signer
}

func key(n int) crypto.Signer {
	scalar := make([]byte, 32)
	scalar[31] = byte(n)
	return must(ecdsa.ParseRawPrivateKey(elliptic.P256(), scalar))
}

// issue makes a certificate of an issuer's, nil for a self-signed one, with key and serial number n; change is what is odd about it.
func issue(issuer *entity, cn string, n int, change func(*x509.Certificate)) *entity {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(int64(n)), Subject: xpkix.Name{CommonName: cn},
		NotBefore: now.Add(-24 * time.Hour), NotAfter: now.Add(24 * time.Hour),
	}
	if change != nil {
		change(template)
	}
	e := &entity{key: key(n)}
	parent, signer := template, e.key
	if issuer != nil {
		parent, signer = issuer.Certificate, issuer.key
	}
	e.Certificate = must(x509.ParseCertificate(must(x509.CreateCertificate(nil, template, parent, e.key.Public(), signer))))
	return e
}

func ca(c *x509.Certificate) {
	c.BasicConstraintsValid, c.IsCA = true, true
	c.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
}

// list is a revocation list of now, with reasons by serial number.
func list(issuer *entity, number int64, revoked map[int64]int, change func(*x509.RevocationList)) []byte {
	template := &x509.RevocationList{Number: big.NewInt(number), ThisUpdate: now.Add(-time.Hour), NextUpdate: now.Add(time.Hour)}
	for serial, why := range revoked {
		template.RevokedCertificateEntries = append(template.RevokedCertificateEntries,
			x509.RevocationListEntry{SerialNumber: big.NewInt(serial), RevocationTime: now.Add(-2 * time.Hour), ReasonCode: why})
	}
	if change != nil {
		change(template)
	}
	return must(x509.CreateRevocationList(nil, template, issuer.Certificate, issuer.key))
}

// response is an OCSP response by the issuer itself, or by a delegate of its.
func response(issuer, responder, about *entity, status int, why int, thisUpdate time.Time) []byte {
	template := ocsp.Response{
		Status: status, SerialNumber: about.SerialNumber, ThisUpdate: thisUpdate, NextUpdate: now.Add(time.Hour),
		RevokedAt: now.Add(-2 * time.Hour), RevocationReason: why, IssuerHash: crypto.SHA256,
	}
	if responder != issuer {
		template.Certificate = responder.Certificate
	}
	return must(ocsp.CreateResponse(issuer.Certificate, responder.Certificate, template, responder.key))
}

func ders(all ...*entity) [][]byte {
	out := [][]byte{}
	for _, e := range all {
		out = append(out, e.Raw)
	}
	return out
}

// ask puts a question as a line, and checks that the same line has the same answer.
func ask(t *testing.T, q Question) Answer {
	t.Helper()
	if q.Time == nil {
		q.Time = &now
	}
	line, err := json.Marshal(q)
	if err != nil {
		t.Fatal(err)
	}
	out := Line(line, now)
	if again := Line(line, now); string(again) != string(out) {
		t.Errorf("first %s, then %s", out, again)
	}
	var a Answer
	if err := json.Unmarshal(out, &a); err != nil {
		t.Fatal(err)
	}
	return a
}

// expect checks verdict and status, and that the reasons are those given.
func (a Answer) expect(t *testing.T, verdict, status string, reasons ...reason.ID) {
	t.Helper()
	slices.Sort(reasons)
	got := slices.Sorted(slices.Values(a.Reasons))
	if a.Verdict != verdict || a.Status != status || !slices.Equal(got, reasons) {
		t.Errorf("%s %s %v, want %s %s %v", a.Verdict, a.Status, a.Reasons, verdict, status, reasons)
	}
}
