package ocsp

import (
	"bytes"
	"crypto"
	"slices"

	"github.com/tashika-jp/tashika/certs/pkix"
	"github.com/tashika-jp/tashika/certs/reason"
	"github.com/tashika-jp/tashika/certs/signature"
)

// checkSigner: RFC 6960 section 3.2 (2), (3): the signature is valid, and its signer is authorized.
// Of several certificates that the responder may mean, one that is right is enough; if none is,
// the findings are of the one with the fewest. Its certificate comes with them, nil for the issuer.
func (r *response) checkSigner(about, issuer *pkix.Certificate, key *signature.PublicKey, o Options) (best reason.Findings, signer *pkix.Certificate) {
	considered := false
	consider := func(f reason.Findings, c *pkix.Certificate) {
		if !considered || len(f) < len(best) {
			best, signer, considered = f, c, true
		}
	}
	// RFC 6960 section 4.2.2.2 (2): the issuer itself. Its key usage is not asked: to sign about
	// its own certificates is part of what it is.
	if r.namedBy(issuer) {
		var f reason.Findings
		r.checkSignature(&f, key, o)
		consider(f, nil)
	}
	for _, c := range slices.Concat(r.certificates, o.Untrusted) {
		if considered && len(best) == 0 {
			break
		}
		if r.namedBy(c) && !bytes.Equal(c.Raw, issuer.Raw) {
			consider(r.checkDelegate(c, about, issuer, key, o), c)
		}
	}
	if !considered {
		// RFC 6960 section 4.2.2.3: responderID is the name or the key of whoever signed, and that is
		// neither the issuer nor a certificate at hand.
		return reason.Findings{reason.OCSPResponderUnauthorized}, nil
	}
	return best, signer
}

// namedBy says whether the responderID means the subject of the certificate: by name as pkix.Name.Equal has it, where
// an empty one is nobody's, or by the SHA-1 hash of the key, whatever the hashes elsewhere.
func (r *response) namedBy(c *pkix.Certificate) bool {
	if r.responderKey != nil {
		return bytes.Equal(r.responderKey, digest(crypto.SHA1, c.PublicKey))
	}
	same := bytes.Equal(r.responderName, c.Subject) || r.canonicalName != "" && r.canonicalName == c.Subject.Canonical()
	return same && !r.responderName.Empty()
}

func (r *response) checkSignature(found *reason.Findings, key *signature.PublicKey, o Options) {
	algorithm, err := signature.FromIdentifier(r.algorithm)
	if err != nil || !o.Allow.Allows(algorithm) || key == nil || !key.Permits(algorithm) {
		found.Add(true, reason.OCSPAlgorithmRefused)
		return
	}
	// RFC 6960 section 3.2 (2): the signature on the response is valid.
	found.Add(key.Verify(algorithm, r.rawTBS, r.signature) != nil, reason.OCSPSignatureInvalid)
}

// checkDelegate: RFC 6960 section 4.2.2.2 (3), an authorized responder: a certificate issued
// directly by the issuer of the one in question, for this purpose.
func (r *response) checkDelegate(c, about, issuer *pkix.Certificate, key *signature.PublicKey, o Options) reason.Findings {
	var found reason.Findings
	// RFC 6960 section 4.2.2.2: issued directly by the CA that issued the certificate in question; by name here, and by
	// the key below. A key identifier helps to find an issuer (RFC 5280 section 4.2.1.1), and this one is found.
	found.Add(!c.Issuer.Equal(issuer.Subject), reason.OCSPResponderUnauthorized)
	// RFC 6960 section 4.2.2.2.1 lets the CA say how a responder's certificate is checked. That it vouches for
	// itself is none of the ways: whoever stole its key would (TestDelegateAboutItself).
	found.Add(bytes.Equal(c.Raw, about.Raw), reason.OCSPResponderUnauthorized)
	// RFC 5280 section 4.2.1.12: an extended key usage is for the key of an end entity. In the certificate of an authority
	// it is read as a bound on those below, so an authority that may have responders would be one of its
	// parent's without anybody meaning it (TestDelegateIsAuthority).
	found.Add(c.IsCA, reason.OCSPResponderUnauthorized)
	// RFC 6960 section 4.2.2.2: id-kp-OCSPSigning MUST be included; anyExtendedKeyUsage does not
	// include it (TestTrapResponderEKU).
	found.Add(!slices.Contains(c.ExtendedKeyUsages, oidOCSPSigning), reason.OCSPResponderUnauthorized)
	// RFC 5280 section 4.2.1.12: with id-kp-OCSPSigning go digitalSignature and nonRepudiation.
	signs := c.KeyUsage&(pkix.DigitalSignature|pkix.NonRepudiation) != 0
	found.Add(c.HasKeyUsage && !signs, reason.OCSPResponderUnauthorized)
	// RFC 5280 section 4.2: unknown critical extensions.
	found.Add(c.Version != 3 || len(c.UnknownCritical) > 0 || c.PathCritical, reason.OCSPResponderUnauthorized)
	// RFC 5280 section 6.1.3 (a)(2): valid at the time (TestTrapResponderExpired).
	notYet, over := o.At.Add(o.Skew).Before(c.NotBefore), o.At.Add(-o.Skew).After(c.NotAfter)
	found.Add(notYet || over, reason.OCSPResponderNotValidNow)
	// RFC 6960 section 4.2.2.2: recognized only if signed by the same key as the certificate in question,
	// which an older or newer key of the same authority is not (TestTrapForeignResponder).
	algorithm, err := signature.FromIdentifier(c.SignatureAlgorithm)
	if err != nil || !o.Allow.Allows(algorithm) || key == nil || !key.Permits(algorithm) {
		found.Add(true, reason.OCSPAlgorithmRefused)
	} else {
		found.Add(key.Verify(algorithm, c.RawTBS, c.Signature) != nil, reason.OCSPResponderUnauthorized)
	}
	own, err := signature.NewPublicKey(c.PublicKeyAlgorithm, c.PublicKey)
	found.Add(err != nil, reason.OCSPAlgorithmRefused)
	if err == nil {
		r.checkSignature(&found, own, o)
	}
	// RFC 6960 section 4.2.2.2.1: with id-pkix-ocsp-nocheck the CA says that nobody need ask; without it, only about
	// a certificate that is right in all else, so that no stranger makes us ask (TestResponderStatus).
	if len(found) == 0 && !c.OCSPNoCheck && o.ResponderStatus != nil {
		for _, id := range o.ResponderStatus(c) {
			found.Add(true, id)
		}
	}
	return found
}
