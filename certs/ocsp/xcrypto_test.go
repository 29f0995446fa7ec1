package ocsp

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tashika-jp/tashika/certs/reason"
	xocsp "golang.org/x/crypto/ocsp"
)

// agree compares what is read here with x/crypto/ocsp, where both read it.
func agree(t *testing.T, der []byte) {
	r, err := parseResponse(der, 16)
	if (r == nil) != (err != nil) {
		t.Fatal("response and error, or neither")
	}
	if err != nil || len(r.singles) != 1 {
		return
	}
	theirs, err := xocsp.ParseResponse(der, nil)
	if err != nil { // it checks signatures of enclosed certificates, and fewer algorithms
		return
	}
	one := r.singles[0]
	status := map[int]Status{xocsp.Good: Good, xocsp.Revoked: Revoked, xocsp.Unknown: Unknown}[theirs.Status]
	serial := new(big.Int).SetBytes(one.id.serial)
	if one.id.serial[0]&0x80 != 0 {
		serial.Sub(serial, new(big.Int).Lsh(big.NewInt(1), uint(8*len(one.id.serial))))
	}
	if !bytes.Equal(r.rawTBS, theirs.TBSResponseData) || one.status != status || serial.Cmp(theirs.SerialNumber) != 0 ||
		!one.thisUpdate.Equal(theirs.ThisUpdate) || !one.nextUpdate.Equal(theirs.NextUpdate) || !r.producedAt.Equal(theirs.ProducedAt) ||
		status == Revoked && (!one.revoked.Equal(theirs.RevokedAt) || int(one.reason) != theirs.RevocationReason) {
		t.Errorf("%+v, x/crypto/ocsp %+v", one, theirs)
	}
}

// TestXCryptoAgrees: requests that x/crypto/ocsp reads, and responses that it makes.
func TestXCryptoAgrees(t *testing.T) {
	a := theCA()
	for _, hash := range []crypto.Hash{crypto.SHA1, crypto.SHA256} {
		r := must(NewRequest(holder(), a.cert, hash, nil))
		theirs := must(xocsp.ParseRequest(r.DER))
		if theirs.HashAlgorithm != hash || !bytes.Equal(theirs.IssuerNameHash, r.id.nameHash) || !bytes.Equal(theirs.IssuerKeyHash, r.id.keyHash) ||
			theirs.SerialNumber.Cmp(new(big.Int).SetBytes(r.id.serial)) != 0 {
			t.Errorf("x/crypto/ocsp reads %+v", theirs)
		}
		made := must(xocsp.CreateRequest(must(x509.ParseCertificate(holder().Raw)), a.parent, &xocsp.RequestOptions{Hash: hash}))
		if !bytes.Equal(made, r.DER) {
			t.Errorf("x/crypto/ocsp makes %x, we %x", made, r.DER)
		}
		d := a.delegate(nil)
		template := xocsp.Response{
			Status: xocsp.Revoked, SerialNumber: big.NewInt(4711), ThisUpdate: now, NextUpdate: now.Add(time.Minute), RevokedAt: now.Add(-time.Hour),
			RevocationReason: xocsp.CertificateHold, IssuerHash: hash, Certificate: must(x509.ParseCertificate(d.Raw)),
		}
		der := must(xocsp.CreateResponse(a.parent, template.Certificate, template, delegateKey()))
		o := options
		o.RequireNonce = false
		parsed := must(parseResponse(der, 4))
		o.At = parsed.producedAt // theirs is the clock's
		if o.At.Before(now) {
			o.At = now
		}
		_, found := Check(der, r, a.cert, a.public, o)
		for _, id := range found { // the template's times are fixed, so they may be over
			if id != reason.OCSPStale && id != reason.OCSPTooOld && id != reason.OCSPResponderNotValidNow {
				t.Errorf("response by x/crypto/ocsp: %v", found)
			}
		}
		agree(t, der)
	}
	for _, s := range []*responseSpec{a.conforming(theRequest(), nil), a.conforming(theRequest(), a.delegate(nil))} {
		if _, err := xocsp.ParseResponse(s.der(), a.parent); err != nil {
			t.Errorf("x/crypto/ocsp refuses ours: %v", err)
		}
		agree(t, s.der())
	}
}

// agreeWithXCrypto: where x/crypto/ocsp is right, which is where there is one answer and one certificate at the most, that of
// the signer that is named. (Of the issuer's own certificate it checks the signature, which the response does not rest on.)
func (c *trial) agreeWithXCrypto(t *testing.T) {
	agree(t, c.der)
	r := c.response
	if r == nil || !isDER(c.der) || c.certificates() > 1 || len(r.certificates) < c.certificates() {
		return
	}
	signer := c.cert
	if len(r.certificates) > 0 {
		if signer = r.certificates[0]; bytes.Equal(signer.PublicKey, c.cert.PublicKey) {
			return
		}
	}
	answers := slices.DeleteFunc(slices.Clone(r.singles), func(s single) bool { return !bytes.Equal(s.id.serial, c.holder.SerialNumber) })
	if !r.namedBy(signer) || len(answers) != 1 {
		return
	}
	theirs, err := xocsp.ParseResponseForCert(c.der, must(x509.ParseCertificate(c.holder.Raw)), c.parent)
	status := ""
	if err == nil {
		status = map[int]string{xocsp.Good: "good", xocsp.Revoked: "revoked", xocsp.Unknown: "unknown"}[theirs.Status]
	}
	// It knows no critical extension, and no certificate that crypto/x509 does not read.
	if c.ours != "refused" && c.ours != status && !strings.Contains(err.Error(), "critical extension") && !strings.Contains(err.Error(), "x509") {
		t.Errorf("here %s, x/crypto/ocsp %q %v\n%x", c.ours, status, err, c.der)
	}
	if err == nil && slices.Contains(c.found, reason.OCSPSignatureInvalid) {
		t.Errorf("here %v, x/crypto/ocsp %s\n%x", c.found, status, c.der)
	}
}
