package ocsp

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	xpkix "crypto/x509/pkix"
	"encoding/asn1"
	"testing"
	"time"

	"github.com/tashika-jp/tashika/certs/reason"
	"github.com/tashika-jp/tashika/certs/signature"
)

// TestTrapResponderEKU: any certificate of the issuer could else answer for all others, a
// holder's for itself to begin with.
func TestTrapResponderEKU(t *testing.T) {
	a := theCA()
	for name, c := range map[string]struct {
		change func(*x509.Certificate)
		want   []reason.ID
	}{
		"OCSPSigning":    {nil, nil},
		"none":           {func(c *x509.Certificate) { c.ExtKeyUsage = nil }, []reason.ID{reason.OCSPResponderUnauthorized}},
		"another":        {func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }, []reason.ID{reason.OCSPResponderUnauthorized}},
		"any":            {func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageAny} }, []reason.ID{reason.OCSPResponderUnauthorized}},
		"among others":   {func(c *x509.Certificate) { c.ExtKeyUsage = append(c.ExtKeyUsage, x509.ExtKeyUsageClientAuth) }, nil},
		"no key usage":   {func(c *x509.Certificate) { c.KeyUsage = 0 }, nil},
		"nonRepudiation": {func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageContentCommitment }, nil},
		"cannot sign":    {func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyEncipherment | x509.KeyUsageCRLSign }, []reason.ID{reason.OCSPResponderUnauthorized}},
		"critical extension": {func(c *x509.Certificate) {
			c.ExtraExtensions = []xpkix.Extension{{Id: asn1.ObjectIdentifier{1, 2, 3}, Critical: true}}
		}, []reason.ID{reason.OCSPResponderUnauthorized}},
		"nocheck": {func(c *x509.Certificate) {
			c.ExtraExtensions = []xpkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 5}, Value: []byte{5, 0}}}
		}, nil},
	} {
		refuse(t, name, a.conforming(theRequest(), a.delegate(c.change)), options, c.want...)
	}
}

// TestTrapResponderExpired: a delegate's certificate is for its time only.
func TestTrapResponderExpired(t *testing.T) {
	a := theCA()
	for name, c := range map[string]struct {
		change func(*x509.Certificate)
		want   []reason.ID
	}{
		"just over, within the skew":  {func(c *x509.Certificate) { c.NotAfter = now.Add(-time.Minute) }, nil},
		"over":                        {func(c *x509.Certificate) { c.NotAfter = now.Add(-time.Minute - time.Second) }, []reason.ID{reason.OCSPResponderNotValidNow}},
		"about to begin, in the skew": {func(c *x509.Certificate) { c.NotBefore = now.Add(time.Minute) }, nil},
		"not yet":                     {func(c *x509.Certificate) { c.NotBefore = now.Add(time.Minute + time.Second) }, []reason.ID{reason.OCSPResponderNotValidNow}},
	} {
		refuse(t, name, a.conforming(theRequest(), a.delegate(c.change)), options, c.want...)
	}
}

// TestTrapForeignResponder: a delegate of somebody else, or of nobody.
func TestTrapForeignResponder(t *testing.T) {
	a, r := theCA(), theRequest()
	sameName, otherName := newAuthority(strangersKey(), caName), newAuthority(strangersKey(), name("O=somebody,C=JP"))
	refuse(t, "another key of the issuer's name", a.conforming(r, sameName.delegate(nil)), options, reason.OCSPResponderUnauthorized)
	refuse(t, "another issuer", a.conforming(r, otherName.delegate(nil)), options, reason.OCSPResponderUnauthorized)

	// The key identifier of the issuer, the signature of somebody else.
	forger := *sameName
	forged := *sameName.parent
	forged.SubjectKeyId = a.cert.SubjectKeyID
	forger.parent = &forged
	refuse(t, "forged", a.conforming(r, forger.delegate(nil)), options, reason.OCSPResponderUnauthorized)

	// Below the delegate: there is no chain.
	middle := a.issue(strangersKey(), func(c *x509.Certificate) {
		c.RawSubject, c.IsCA, c.BasicConstraintsValid, c.KeyUsage = name("CN=middle"), true, true, x509.KeyUsageCertSign
	})
	below := &authority{cert: middle, parent: must(x509.ParseCertificate(middle.Raw)), key: strangersKey()}
	s := a.conforming(r, below.delegate(nil))
	s.certificates = append(s.certificates, middle.Raw)
	refuse(t, "a chain", s, options, reason.OCSPResponderUnauthorized)

	s = a.conforming(r, a.delegate(nil))
	s.certificates = nil
	refuse(t, "its certificate is not there", s, options, reason.OCSPResponderUnauthorized)
	s = a.conforming(r, a.delegate(nil))
	s.key = strangersKey()
	refuse(t, "signed by another key than the delegate's", s, options, reason.OCSPSignatureInvalid)
	s = a.conforming(r, nil)
	s.key = strangersKey()
	refuse(t, "signed by another key than the issuer's", s, options, reason.OCSPSignatureInvalid)
}

// TestResponderID: the signer is whom the response names, by name or key.
func TestResponderID(t *testing.T) {
	a, r := theCA(), theRequest()
	d := a.delegate(nil)
	for name, c := range map[string]struct {
		responder []byte
		delegated bool
		want      []reason.ID
	}{
		"delegate by name":               {byName(d), true, nil},
		"delegate by key":                {byKey(d), true, nil},
		"issuer named, delegate signs":   {byName(a.cert), true, []reason.ID{reason.OCSPSignatureInvalid}},
		"issuer's key, delegate signs":   {byKey(a.cert), true, []reason.ID{reason.OCSPSignatureInvalid}},
		"delegate named, issuer signs":   {byName(d), false, []reason.ID{reason.OCSPResponderUnauthorized}},
		"delegate's key, issuer signs":   {byKey(d), false, []reason.ID{reason.OCSPResponderUnauthorized}},
		"somebody's name, issuer signs":  {wrap(explicit(1), name("CN=x")), false, []reason.ID{reason.OCSPResponderUnauthorized}},
		"somebody's key, delegate signs": {wrap(explicit(2), octets(bytes.Repeat([]byte{1}, 20))), true, []reason.ID{reason.OCSPResponderUnauthorized}},
		"no name":                        {wrap(explicit(1), seq()), false, []reason.ID{reason.OCSPResponderUnauthorized}},
		"key hash of another length":     {wrap(explicit(2), octets(make([]byte, 32))), true, []reason.ID{reason.OCSPFormatFailure}},
	} {
		s := a.conforming(r, nil)
		if c.delegated {
			s = a.conforming(r, d)
		}
		s.responder = c.responder
		refuse(t, name, s, options, c.want...)
	}
	// Several certificates of one name: the right one is found, whichever it is; and a delegate may
	// bear the issuer's name.
	wrong := a.delegate(func(c *x509.Certificate) { c.ExtKeyUsage = nil })
	for _, certificates := range [][][]byte{{wrong.Raw, d.Raw}, {d.Raw, wrong.Raw}, {holder().Raw, wrong.Raw, a.cert.Raw, d.Raw}} {
		s := a.conforming(r, d)
		s.responder, s.certificates = byName(d), certificates
		a.answer(t, s, r, options)
	}
	namesake := a.delegate(func(c *x509.Certificate) { c.RawSubject = caName })
	s := a.conforming(r, namesake)
	s.responder = byName(namesake)
	a.answer(t, s, r, options)
}

// TestTooMany: certificates and answers are bounded before they cost anything.
func TestTooMany(t *testing.T) {
	a, r := theCA(), theRequest()
	s := a.conforming(r, a.delegate(nil))
	for range 4 {
		s.certificates = append(s.certificates, holder().Raw)
	}
	refuse(t, "five certificates", s, options, reason.OCSPFormatFailure)
	negative := options
	negative.MaxDelegateCertificates = -1
	refuse(t, "five certificates, nonsense configured", s, negative, reason.OCSPFormatFailure)
	five := options
	five.MaxDelegateCertificates = 5
	a.answer(t, s, r, five)
	s = a.conforming(r, nil)
	for range maxSingles {
		s.singles = append(s.singles, s.singles[0])
	}
	refuse(t, "answers", s, options, reason.OCSPFormatFailure)
	s = a.conforming(r, nil)
	s.extensions = append(s.extensions, extension("1.2.3", false, make([]byte, MaxResponseSize)))
	refuse(t, "octets", s, options, reason.OCSPFormatFailure)
}

// TestWeakDelegate: the delegate's key and the signature on its certificate are held to the
// same rules as the issuer's.
func TestWeakDelegate(t *testing.T) {
	a := newAuthority(rsaKey(), caName)
	r := must(NewRequest(a.issue(strangersKey(), nil), a.cert, 5, nonce))
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Skip("no weak key to be had: ", err)
	}
	d := a.issue(weak, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning} })
	s := a.conforming(r, d)
	s.key, s.algorithm = weak, rsaSHA256
	if _, found := Check(s.der(), r, a.cert, a.public, options); len(found) != 1 || found[0] != reason.OCSPAlgorithmRefused {
		t.Errorf("1024 bits: %v", found)
	}
	o := options
	o.Allow = signature.AllowList{signature.ECDSASHA256} // of the response, but not of the delegate's certificate
	s = a.conforming(r, a.delegate(nil))
	if _, found := Check(s.der(), r, a.cert, a.public, o); len(found) != 1 || found[0] != reason.OCSPAlgorithmRefused {
		t.Errorf("algorithm of the certificate: %v", found)
	}
}
