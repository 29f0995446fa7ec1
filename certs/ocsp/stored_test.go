package ocsp

import (
	"bytes"
	"crypto"
	"crypto/x509"
	xpkix "crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/tashika-jp/tashika/certs/crl"
	"github.com/tashika-jp/tashika/certs/pkix"
	"github.com/tashika-jp/tashika/certs/reason"
	cb "golang.org/x/crypto/cryptobyte/asn1"
)

// stored are the options for a response that nobody asked for.
var stored = func() Options { o := options; o.RequireNonce = false; return o }()

const (
	idPKIXOCSP = "1.3.6.1.5.5.7.48.1"
	sctList    = "1.3.6.1.4.1.11129.2.4.5"
)

// TestStoredUnderAnyHash: a responder was free to choose the hash, and none of the three parts may differ under any.
func TestStoredUnderAnyHash(t *testing.T) {
	a, c := theCA(), holder()
	for algorithm, hash := range certIDHashes {
		r := &Request{about: c, id: identify(c, a.cert, algorithm)}
		if answer, found := CheckStored(a.conforming(r, nil).der(), c, a.cert, a.public, stored); answer == nil || answer.Status != Good {
			t.Errorf("%s: %v", hash, found)
		}
		for name, change := range map[string]func(*certIDSpec){
			"name hash": func(id *certIDSpec) { id.nameHash = digest(hash, []byte("somebody")) },
			"key hash":  func(id *certIDSpec) { id.keyHash = digest(hash, []byte("somebody's")) },
			"serial":    func(id *certIDSpec) { id.serial = []byte{1} },
			"cut":       func(id *certIDSpec) { id.nameHash = id.nameHash[:len(id.nameHash)-1] },
			"empty":     func(id *certIDSpec) { id.nameHash, id.keyHash = nil, nil },
		} {
			s, id := a.conforming(r, nil), idOf(r)
			change(&id)
			s.singles[0].id = id.der()
			if _, found := CheckStored(s.der(), c, a.cert, a.public, stored); !slices.Equal(found, []reason.ID{reason.OCSPCertIDMismatch}) {
				t.Errorf("%s, %s: %v", hash, name, found)
			}
		}
	}
	// Asked under SHA-256, answered under SHA-1: of this certificate, but not the answer to the request.
	s := a.conforming(theRequest(), nil)
	s.singles[0].id = idOf(must(NewRequest(c, a.cert, crypto.SHA1, nil))).der()
	if _, found := judge(t, s.der(), options); !slices.Equal(found, []reason.ID{reason.OCSPCertIDMismatch}) {
		t.Errorf("asked under another hash: %v", found)
	}
	if answer, found := judgeStored(t, s.der(), options); answer == nil {
		t.Errorf("stored under SHA-1: %v", found)
	}
}

// TestStoredOfAnotherIssuer: the issuer given is the certificate's, by name and, through the CertID, by key.
func TestStoredOfAnotherIssuer(t *testing.T) {
	a := theCA()
	renamed := *a.cert
	renamed.Subject = name("O=somebody,C=JP")
	s := a.conforming(theRequest(), nil)
	s.responder = byKey(a.cert)
	if _, found := CheckStored(s.der(), holder(), &renamed, a.public, stored); !slices.Equal(found, []reason.ID{reason.OCSPCertIDMismatch}) {
		t.Errorf("another name: %v", found)
	}
	other := newAuthority(delegateKey(), caName)
	_, found := CheckStored(s.der(), holder(), other.cert, other.public, stored)
	if !slices.Contains(found, reason.OCSPCertIDMismatch) || !slices.Contains(found, reason.OCSPResponderUnauthorized) {
		t.Errorf("another key: %v", found)
	}
	// The name hash is that of the name as the certificate spells it (RFC 6960 section 4.1.1).
	respelled := *a.cert
	respelled.Subject = name("OU=jpki for user authentication,O=jpki,C=jp")
	if answer, found := CheckStored(s.der(), holder(), &respelled, a.public, stored); answer == nil {
		t.Errorf("the issuer's name in other letters: %v", found)
	}
}

// TestStoredNonce: a nonce in a stored response is the answer to somebody else's. Who demands one gets no answer.
func TestStoredNonce(t *testing.T) {
	for name, extensions := range map[string][][]byte{
		"none": nil, "one": {nonceExtension(nonce)}, "another": {nonceExtension([]byte{1})}, "no nonce at all": {extension(idPKIXOCSP+".2", true, null)},
	} {
		s := theCA().conforming(theRequest(), nil)
		s.extensions = extensions
		if answer, found := judgeStored(t, s.der(), stored); answer == nil {
			t.Errorf("%s: %v", name, found)
		}
		if _, found := CheckStored(s.der(), holder(), theCA().cert, theCA().public, options); !slices.Equal(found, []reason.ID{reason.OCSPNonceMissing}) {
			t.Errorf("%s, demanded: %v", name, found)
		}
	}
}

// TestUntrusted: a response may come without the delegate's certificate (RFC 6960 section 4.2.1: certs is optional).
func TestUntrusted(t *testing.T) {
	a := theCA()
	d, wrong := a.delegate(nil), a.delegate(func(c *x509.Certificate) { c.ExtKeyUsage = nil })
	foreign := newAuthority(strangersKey(), caName).delegate(nil)
	for name, c := range map[string]struct {
		inside    [][]byte
		untrusted []*pkix.Certificate
		want      []reason.ID
	}{
		"none":                   {nil, nil, []reason.ID{reason.OCSPResponderUnauthorized}},
		"only others":            {nil, []*pkix.Certificate{holder(), a.cert}, []reason.ID{reason.OCSPResponderUnauthorized}},
		"the one":                {nil, []*pkix.Certificate{d}, nil},
		"among others":           {nil, []*pkix.Certificate{holder(), foreign, wrong, d}, nil},
		"the wrong one":          {nil, []*pkix.Certificate{wrong}, []reason.ID{reason.OCSPResponderUnauthorized}},
		"a stranger's":           {nil, []*pkix.Certificate{foreign}, []reason.ID{reason.OCSPResponderUnauthorized}},
		"wrong inside":           {[][]byte{wrong.Raw}, []*pkix.Certificate{d}, nil},
		"inside, wrong outside":  {[][]byte{d.Raw}, []*pkix.Certificate{wrong}, nil},
		"many more than allowed": {nil, append(slices.Repeat([]*pkix.Certificate{wrong}, 20), d), nil},
	} {
		s := a.conforming(theRequest(), d)
		s.certificates = c.inside
		o := options
		o.Untrusted = c.untrusted
		refuse(t, name, s, o, c.want...)
	}
}

func nocheck(c *x509.Certificate) {
	c.ExtraExtensions = []xpkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 5}, Value: null}}
}

// TestResponderStatus: asked about an authorized delegate without id-pkix-ocsp-nocheck, and about nobody else.
func TestResponderStatus(t *testing.T) {
	a := theCA()
	plain, exempt := a.delegate(nil), a.delegate(nocheck)
	wrong := a.delegate(func(c *x509.Certificate) { c.ExtKeyUsage = nil })
	for name, c := range map[string]struct {
		delegate *pkix.Certificate
		key      crypto.Signer
		finds    []reason.ID
		asked    bool
		want     []reason.ID
	}{
		"revoked":                   {plain, delegateKey(), []reason.ID{reason.OCSPResponderRevoked}, true, []reason.ID{reason.OCSPResponderRevoked}},
		"status not found":          {plain, delegateKey(), []reason.ID{reason.CRLMissing, reason.OCSPMissing}, true, []reason.ID{reason.CRLMissing, reason.OCSPMissing}},
		"nothing found":             {plain, delegateKey(), nil, true, nil},
		"nocheck":                   {exempt, delegateKey(), []reason.ID{reason.OCSPResponderRevoked}, false, nil},
		"not authorized":            {wrong, delegateKey(), []reason.ID{reason.OCSPResponderRevoked}, false, []reason.ID{reason.OCSPResponderUnauthorized}},
		"not the delegate's hand":   {plain, strangersKey(), []reason.ID{reason.OCSPResponderRevoked}, false, []reason.ID{reason.OCSPSignatureInvalid}},
		"the issuer, not delegated": {nil, a.key, []reason.ID{reason.OCSPResponderRevoked}, false, nil},
	} {
		s := a.conforming(theRequest(), c.delegate)
		s.key = c.key
		asked := false
		o := options
		o.ResponderStatus = func(d *pkix.Certificate) []reason.ID {
			asked = true
			if !bytes.Equal(d.Raw, c.delegate.Raw) {
				t.Errorf("%s: asked about another", name)
			}
			return c.finds
		}
		refuse(t, name, s, o, c.want...)
		if asked != c.asked {
			t.Errorf("%s: asked %v", name, asked)
		}
	}
	// Of two certificates of one responder, the one that is not revoked will do.
	s := a.conforming(theRequest(), plain)
	s.certificates = [][]byte{plain.Raw, exempt.Raw}
	o := options
	o.ResponderStatus = func(*pkix.Certificate) []reason.ID { return []reason.ID{reason.OCSPResponderRevoked} }
	refuse(t, "two certificates", s, o)
}

// TestDelegateIsAuthority: an intermediate authority with id-kp-OCSPSigning would answer for all its sisters.
func TestDelegateIsAuthority(t *testing.T) {
	a := theCA()
	for name, c := range map[string]struct {
		change func(*x509.Certificate)
		want   []reason.ID
	}{
		"authority": {func(c *x509.Certificate) {
			c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign|x509.KeyUsageDigitalSignature
		}, []reason.ID{reason.OCSPResponderUnauthorized}},
		"said to be none": {func(c *x509.Certificate) { c.BasicConstraintsValid = true }, nil},
	} {
		refuse(t, name, a.conforming(theRequest(), a.delegate(c.change)), options, c.want...)
	}
}

// TestDelegateAboutItself: a responder's word about its own certificate.
func TestDelegateAboutItself(t *testing.T) {
	a := theCA()
	for _, d := range []*pkix.Certificate{a.delegate(nil), a.delegate(nocheck)} {
		r := must(NewRequest(d, a.cert, crypto.SHA256, nonce))
		der := a.conforming(r, d).der()
		for name, check := range map[string]func() (*Answer, []reason.ID){
			"asked":  func() (*Answer, []reason.ID) { return Check(der, r, a.cert, a.public, options) },
			"stored": func() (*Answer, []reason.ID) { return CheckStored(der, d, a.cert, a.public, stored) },
		} {
			if _, found := check(); !slices.Equal(found, []reason.ID{reason.OCSPResponderUnauthorized}) {
				t.Errorf("%s: %v", name, found)
			}
		}
		// The issuer's word about it, and another delegate's, are what is wanted.
		a.answer(t, a.conforming(r, nil), r, options)
		other := a.delegate(func(c *x509.Certificate) { c.SerialNumber = big.NewInt(100) })
		a.answer(t, a.conforming(r, other), r, options)
	}
}

// TestDelegateKeyIdentifier: that it names another key than the one that signed is no more than a mistake.
func TestDelegateKeyIdentifier(t *testing.T) {
	a := *theCA()
	parent := *a.parent
	parent.SubjectKeyId = []byte("another")
	a.parent = &parent
	refuse(t, "another identifier", a.conforming(theRequest(), a.delegate(nil)), options)
}

// TestResponderNameThatCannotBeCompared: equal in every octet is equal, whatever the text (RFC 5280 section 7.1).
func TestResponderNameThatCannotBeCompared(t *testing.T) {
	private := pkix.Name(seq(wrap(cb.SET, seq(oid("2.5.4.3"), wrap(cb.UTF8String, []byte("caf\ue000"))))))
	d := theCA().delegate(func(c *x509.Certificate) { c.RawSubject = private })
	s := theCA().conforming(theRequest(), d)
	s.responder = wrap(explicit(1), private)
	refuse(t, "the same octets", s, options)
	s.responder = wrap(explicit(1), seq(wrap(cb.SET, seq(oid("2.5.4.3"), wrap(cb.UTF8String, []byte("CAF\ue000"))))))
	refuse(t, "other letters", s, options, reason.OCSPResponderUnauthorized)
}

// TestDelegateEKUCriticality: RFC 5280 section 4.2.1.12 leaves it to the issuer.
func TestDelegateEKUCriticality(t *testing.T) {
	for _, critical := range []bool{true, false} {
		d := theCA().delegate(func(c *x509.Certificate) {
			c.ExtKeyUsage = nil
			c.ExtraExtensions = []xpkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Critical: critical, Value: seq(oid("1.3.6.1.5.5.7.3.9"))}}
		})
		refuse(t, "critical or not", theCA().conforming(theRequest(), d), options)
	}
}

// TestArchiveCutoff: RFC 6960 section 4.4.4.
func TestArchiveCutoff(t *testing.T) {
	a, r := theCA(), theRequest()
	end := r.about.NotAfter
	cutoff := func(at time.Time, critical bool) [][]byte {
		return [][]byte{extension(idPKIXOCSP+".6", critical, generalized(at))}
	}
	for name, c := range map[string]struct {
		extensions [][]byte
		status     []byte
		want       []reason.ID
	}{
		"status kept":               {cutoff(end, false), good, nil},
		"critical, status kept":     {cutoff(now.AddDate(-7, 0, 0), true), good, nil},
		"status not kept":           {cutoff(end.Add(time.Second), false), good, []reason.ID{reason.OCSPStatusUnknown}},
		"critical, status not kept": {cutoff(end.Add(time.Second), true), good, []reason.ID{reason.OCSPStatusUnknown}},
		"status not kept, revoked":  {cutoff(end.Add(time.Second), false), revoked(now, 1), nil},
		"no time":                   {[][]byte{extension(idPKIXOCSP+".6", false, null)}, good, []reason.ID{reason.OCSPFormatFailure}},
		"time and more":             {[][]byte{extension(idPKIXOCSP+".6", false, join(generalized(now), null))}, good, []reason.ID{reason.OCSPFormatFailure}},
	} {
		s := a.conforming(r, nil)
		s.singles[0].extensions, s.singles[0].status = c.extensions, c.status
		refuse(t, name, s, options, c.want...)
	}
}

// TestProducedOutsideValidity: BoringSSL's produced_early_response and produced_late_response.
func TestProducedOutsideValidity(t *testing.T) {
	a, r := theCA(), theRequest()
	begin, end := r.about.NotBefore, r.about.NotAfter
	unknownStatus := []reason.ID{reason.OCSPStatusUnknown}
	for name, c := range map[string]struct {
		produced time.Time
		status   []byte
		cutoff   bool
		want     []reason.ID
	}{
		"early, within the skew": {begin.Add(-time.Minute), good, false, nil},
		"early":                  {begin.Add(-time.Minute - time.Second), good, false, unknownStatus},
		"late, within the skew":  {end.Add(time.Minute), good, false, nil},
		"late":                   {end.Add(time.Minute + time.Second), good, false, unknownStatus},
		"late, status kept":      {end.Add(time.Hour), good, true, nil},
		"early, revoked":         {begin.Add(-time.Hour), revoked(now, 1), false, nil},
		"late, revoked":          {end.Add(time.Hour), revoked(now, 1), false, nil},
		"late, unknown":          {end.Add(time.Hour), unknown, false, nil},
	} {
		s := a.conforming(r, nil)
		s.producedAt, s.singles[0].status = generalized(c.produced), c.status
		if c.cutoff {
			s.singles[0].extensions = [][]byte{extension(idPKIXOCSP+".6", false, generalized(begin))}
		}
		refuse(t, name, s, options, c.want...)
	}
}

// TestTimestampsOfLogs: BoringSSL's has_critical_ct_extension.
func TestTimestampsOfLogs(t *testing.T) {
	s := theCA().conforming(theRequest(), nil)
	s.singles[0].extensions = [][]byte{extension(sctList, true, octets(octets(nil)))}
	refuse(t, "in the answer", s, options)
	s = theCA().conforming(theRequest(), nil)
	s.extensions = append(s.extensions, extension(sctList, true, octets(octets(nil))))
	refuse(t, "in the response, where RFC 6962 has none", s, options, reason.OCSPUnknownCriticalExtension)
}

// TestCertificatesThatAreNone: what cannot be read among the certificates is passed over, unless it was the signer's.
func TestCertificatesThatAreNone(t *testing.T) {
	a := theCA()
	d := a.delegate(nil)
	garbage, cut := seq(null), bytes.Clone(d.Raw)
	cut[4] = 0x31 // the tag of tbsCertificate
	for name, c := range map[string]struct {
		certificates [][]byte
		delegate     *pkix.Certificate
		want         []reason.ID
	}{
		"before and behind":           {[][]byte{garbage, d.Raw, garbage}, d, nil},
		"beside the issuer's hand":    {[][]byte{garbage}, nil, nil},
		"no certificates":             {[][]byte{}, nil, nil},
		"the signer's":                {[][]byte{cut}, d, []reason.ID{reason.OCSPResponderUnauthorized}},
		"counted, though not read":    {[][]byte{garbage, garbage, garbage, garbage, d.Raw}, d, []reason.ID{reason.OCSPFormatFailure}},
		"element that is no SEQUENCE": {[][]byte{d.Raw, octets(d.Raw)}, d, []reason.ID{reason.OCSPFormatFailure}},
	} {
		s := a.conforming(theRequest(), c.delegate)
		s.certificates = c.certificates
		refuse(t, name, s, options, c.want...)
	}
}

// TestSignatureEncoding: parameters of the algorithm and unused bits of the signature.
func TestSignatureEncoding(t *testing.T) {
	a := theCA()
	s := a.conforming(theRequest(), nil)
	s.algorithm = seq(oid("1.2.840.10045.4.3.2"), null) // RFC 5758 section 3.2: absent
	refuse(t, "ECDSA with parameters", s, options, reason.OCSPAlgorithmRefused)
	der := a.conforming(theRequest(), nil).der()
	parsed := must(parseResponse(der, 4))
	at := bytes.Index(der, parsed.signature) - 1
	for unused, want := range map[byte]reason.ID{1: reason.OCSPFormatFailure, 8: reason.OCSPFormatFailure, 255: reason.OCSPFormatFailure} {
		changed := bytes.Clone(der)
		changed[at] = unused
		changed[len(changed)-1] |= 1 // a bit that is unused and set
		if _, found := judge(t, changed, options); !slices.Equal(found, []reason.ID{want}) {
			t.Errorf("%d unused bits: %v", unused, found)
		}
	}
	changed := bytes.Clone(der)
	changed[at] = 1
	changed[len(changed)-1] &^= 1 // well-formed, but no whole number of octets
	if _, found := judge(t, changed, options); !slices.Equal(found, []reason.ID{reason.OCSPSignatureInvalid}) {
		t.Errorf("one unused bit: %v", found)
	}
}

// TestReasonNumbers: all that RFC 5280 section 5.3.1 has, and that a list alone can say or nobody, refused.
func TestReasonNumbers(t *testing.T) {
	for n := range 13 {
		s := theCA().conforming(theRequest(), nil)
		s.singles[0].status = revoked(now, n)
		if n == 7 || n == 8 || n > 10 {
			refuse(t, "no reason of a revocation", s, options, reason.OCSPFormatFailure)
			continue
		}
		if got := theCA().answer(t, s, theRequest(), options); got.Status != Revoked || got.Reason != crl.Reason(n) {
			t.Errorf("%d: %+v", n, got)
		}
	}
}
