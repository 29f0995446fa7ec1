package validation

import (
	"crypto"
	"errors"

	"github.com/tashika-jp/tashika/certs/crl"
	"github.com/tashika-jp/tashika/certs/pkix"
	"github.com/tashika-jp/tashika/certs/reason"
	"github.com/tashika-jp/tashika/certs/signature"
)

// ValidateSignature judges a signature under a key (SubjectPublicKeyInfo).
func ValidateSignature(publicKeyInfo []byte, s signature.Signed, allowSHA1 bool) Result {
	algorithm, bits, err := pkix.ParsePublicKeyInfo(publicKeyInfo)
	if err != nil {
		return Result{Verdict: Malformed, Reasons: []reason.ID{reason.FormatFailure}}
	}
	result := Result{Reasons: checkSignature(algorithm, bits, s, allowSHA1)}
	result.conclude()
	return result
}

// ValidateSigned judges a certificate, and a signature under its key.
func ValidateSigned(c *pkix.Certificate, s signature.Signed, m Material, r Rules) Result {
	result := newJudge(m, r).validate(c)
	result.Reasons = append(result.Reasons, checkHolder(c, s, r.AllowSHA1)...)
	result.conclude()
	return result
}

// checkHolder checks a signature under the key of a certificate, which has to be for that: RFC 5280 section 4.2.1.3: digitalSignature or
// nonRepudiation, if the certificate says what its key is for.
func checkHolder(c *pkix.Certificate, s signature.Signed, allowSHA1 bool) []reason.ID {
	found := checkSignature(c.PublicKeyAlgorithm, c.PublicKey, s, allowSHA1)
	if c.HasKeyUsage && c.KeyUsage&(pkix.DigitalSignature|pkix.NonRepudiation) == 0 {
		found = append(found, reason.KeyUsageMismatch)
	}
	return found
}

func checkSignature(keyAlgorithm pkix.AlgorithmIdentifier, bits []byte, s signature.Signed, allowSHA1 bool) []reason.ID {
	// The hash of MGF1 is free: a mask need not resist collisions (RFC 8017 section 9.1 note 3).
	if s.Algorithm.Scheme == 0 || s.Algorithm.Hash == crypto.SHA1 && !allowSHA1 {
		return []reason.ID{reason.CryptoConstraintsFailure}
	}
	key, err := signature.NewPublicKey(keyAlgorithm, bits)
	switch {
	case err != nil:
		return []reason.ID{reason.PublicKeyUnacceptable}
	case !key.Permits(s.Algorithm):
		return []reason.ID{reason.AlgorithmKeyMismatch}
	case key.Verify(s.Algorithm, s.Message, s.Signature) != nil:
		return []reason.ID{reason.SigCryptoFailure}
	}
	return nil
}

// Message is a CMS message and what comes with it.
type Message struct {
	CMS     []byte // ContentInfo with SignedData, BER or DER
	Content []byte // of a detached message; nil if there is none
	// Signer is the signer's certificate where it is known; nil to look for it in the message and the intermediates.
	Signer *pkix.Certificate
}

// ValidateCMS judges a message: every signer's signature and, where there are anchors, every signer's certificate. Certificates
// and lists inside the message help, and are believed no more than those beside it. Without anchors and without a signer's
// certificate the signatures are judged alone, and the result says so.
func ValidateCMS(message Message, m Material, r Rules) Result {
	d, err := signature.ParseCMS(message.CMS)
	switch {
	case errors.Is(err, signature.ErrSignerMissing):
		return Result{Verdict: Invalid, Reasons: []reason.ID{reason.CMSSignerMissing}}
	case err != nil:
		return Result{Verdict: Malformed, Reasons: []reason.ID{reason.CMSFormatFailure}}
	}
	candidates := []*pkix.Certificate{message.Signer}
	if message.Signer == nil {
		candidates = append(append([]*pkix.Certificate{}, d.Certificates...), m.Intermediates...)
	}
	m.Intermediates = append(append([]*pkix.Certificate{}, m.Intermediates...), d.Certificates...)
	m.CRLs = append([]*crl.List{}, m.CRLs...)
	for _, der := range d.CRLs {
		list, err := crl.Parse(der)
		if err != nil {
			m.UnreadableCRLs = true
			continue
		}
		m.CRLs = append(m.CRLs, list)
	}
	var result Result
	for i, s := range d.Signers {
		one := judgeSigner(d, s, message, candidates, m, r)
		if i == 0 || one.Status > result.Status {
			result.Status = one.Status
		}
		result.Policies, result.Path = one.Policies, one.Path
		result.Reasons = append(result.Reasons, one.Reasons...)
	}
	if m.Anchors == nil && message.Signer == nil {
		result.Reasons = append(result.Reasons, reason.SignerNotValidated)
	}
	result.conclude()
	return result
}

// maxSignerCertificates bounds how many certificates are tried that bear the identifier of one signer.
const maxSignerCertificates = 8

// judgeSigner tries every certificate that bears the signer's identifier, because anybody can put one more into a message; the first
// with nothing against it decides.
func judgeSigner(d *signature.SignedData, s *signature.Signer, message Message, candidates []*pkix.Certificate, m Material, r Rules) Result {
	var best Result
	tried := 0
	for _, c := range candidates {
		if s.FindCertificate([]*pkix.Certificate{c}) == nil || tried == maxSignerCertificates {
			continue
		}
		signed, found := d.Check(s, c, message.Content)
		found = append(found, checkHolder(c, signed, r.AllowSHA1)...)
		one := Result{}
		if m.Anchors != nil {
			one = newJudge(m, r).validate(c)
		}
		one.Reasons = append(one.Reasons, found...)
		if tried++; tried == 1 || len(one.Reasons) < len(best.Reasons) {
			best = one
		}
		if len(best.Reasons) == 0 {
			break
		}
	}
	if tried == 0 {
		_, best.Reasons = d.Check(s, nil, message.Content)
	}
	return best
}
