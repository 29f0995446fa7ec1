package certs

import (
	"errors"

	"github.com/tashika-jp/tashika/certs/pkix"
	"github.com/tashika-jp/tashika/certs/reason"
	"github.com/tashika-jp/tashika/certs/signature"
)

// ReadCMS reads a CMS message as the signature of one holder, and finds the holder's certificate: the one given, or where
// none is, one of those inside. The content is what is presented beside the message; nil if nothing is.
//
// What is refused is no signature that a verdict could be about; the reason is empty otherwise. What else is wrong with
// the message goes into the signature, for the verdict.
func ReadCMS(ber []byte, given *pkix.Certificate, content []byte) (*Signature, *pkix.Certificate, reason.ID) {
	message, err := signature.ParseCMS(ber)
	switch {
	case errors.Is(err, signature.ErrSignerMissing):
		return nil, nil, reason.CMSSignerMissing
	case err != nil:
		return nil, nil, reason.CMSFormatFailure
	case len(message.Signers) != 1:
		// RFC 5652 section 5.1 leaves it to whoever uses the message what more signers mean. Nobody says here who of them is
		// the holder.
		return nil, nil, reason.CMSSignersAmbiguous
	case message.Detached && content == nil:
		// RFC 5652 section 5.2: the content of a detached message is given by other means.
		return nil, nil, reason.CMSContentMissing
	}
	candidates := message.Certificates
	if given != nil {
		candidates = []*pkix.Certificate{given}
	}
	// RFC 5652 section 5.3: the signer's identifier says which certificate is needed.
	signer := message.Signers[0]
	certificate := signer.FindCertificate(candidates)
	if certificate == nil {
		return nil, nil, reason.CMSSignerCertificateMissing
	}
	signed, findings := message.Check(signer, certificate, content)
	return &Signature{Value: signed.Signature, Algorithm: signed.Algorithm, Message: signed.Message, CMS: true, Findings: findings}, certificate, ""
}
