package signature

import (
	"bytes"
	"crypto"
	"errors"
	"fmt"
	"time"

	"github.com/tashika-jp/tashika/certs/pkix"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// Signer is one SignerInfo (RFC 5652 section 5.3).
type Signer struct {
	Issuer       pkix.Name // with SerialNumber; or else
	SerialNumber []byte    // content octets of the INTEGER
	SubjectKeyID []byte

	DigestAlgorithm    pkix.AlgorithmIdentifier
	SignatureAlgorithm pkix.AlgorithmIdentifier
	Signature          []byte

	// SigningTime is when the signer says that it signed; zero if it does not say. Nobody vouches for it.
	SigningTime time.Time

	// message is signedAttrs as the signature is over them; nil if there are none.
	message    []byte
	attributes attributes
}

// ErrAlgorithmsDisagree: the digest algorithm is not the hash of the signature algorithm.
var ErrAlgorithmsDisagree = errors.New("signature: digest and signature algorithm do not belong together")

func parseSigner(der []byte) (*Signer, error) {
	input := cryptobyte.String(der)
	var s cryptobyte.String
	if !input.ReadASN1(&s, asn1.SEQUENCE) || !input.Empty() {
		return nil, errors.New("not a SEQUENCE")
	}
	out := new(Signer)
	if err := out.parseIdentifier(&s); err != nil {
		return nil, err
	}
	var err error
	if out.DigestAlgorithm, err = pkix.ReadAlgorithmIdentifier(&s); err != nil {
		return nil, fmt.Errorf("digestAlgorithm: %w", err)
	}
	if s.PeekASN1Tag(explicit(0)) {
		if err := out.parseSignedAttributes(&s); err != nil {
			return nil, fmt.Errorf("signedAttrs: %w", err)
		}
	}
	if out.SignatureAlgorithm, err = pkix.ReadAlgorithmIdentifier(&s); err != nil {
		return nil, fmt.Errorf("signatureAlgorithm: %w", err)
	}
	var value cryptobyte.String
	if !s.ReadASN1(&value, asn1.OCTET_STRING) {
		return nil, errors.New("signature is not an OCTET STRING")
	}
	out.Signature = value
	if s.PeekASN1Tag(explicit(1)) {
		var list cryptobyte.String
		s.ReadASN1(&list, explicit(1))
		if err := checkUnsigned(list); err != nil {
			return nil, fmt.Errorf("unsignedAttrs: %w", err)
		}
	}
	if !s.Empty() {
		return nil, errors.New("something after its end")
	}
	return out, nil
}

// parseIdentifier reads version and sid. RFC 5652 section 5.3: version 1 is with issuerAndSerialNumber, 3 with
// subjectKeyIdentifier, and each only with its own.
func (s *Signer) parseIdentifier(in *cryptobyte.String) error {
	version, ok := pkix.ReadInteger(in)
	if !ok {
		return errors.New("malformed version")
	}
	switch string(version) {
	case "\x01":
		var pair cryptobyte.String
		if !in.ReadASN1(&pair, asn1.SEQUENCE) {
			return errors.New("version 1 without issuerAndSerialNumber")
		}
		var err error
		if s.Issuer, err = pkix.ReadName(&pair); err != nil {
			return fmt.Errorf("issuer: %w", err)
		}
		if s.SerialNumber, ok = pkix.ReadInteger(&pair); !ok || !pair.Empty() {
			return errors.New("malformed serialNumber")
		}
	case "\x03":
		var id cryptobyte.String
		if !in.ReadASN1(&id, asn1.Tag(0).ContextSpecific()) {
			return errors.New("version 3 without subjectKeyIdentifier")
		}
		s.SubjectKeyID = id
	default:
		return errors.New("version is neither 1 nor 3")
	}
	return nil
}

func (s *Signer) parseSignedAttributes(in *cryptobyte.String) error {
	var list cryptobyte.String
	in.ReadASN1(&list, explicit(0))
	var err error
	if s.attributes, err = parseAttributes(list); err != nil {
		return err
	}
	s.SigningTime = s.attributes.signingTime
	// RFC 5652 section 5.4: the signature is over the DER encoding as a SET OF, not over the [0] of the message.
	s.message = s.attributes.encode()
	return nil
}

// FindCertificate returns the signer's certificate of the candidates, or nil.
func (s *Signer) FindCertificate(candidates []*pkix.Certificate) *pkix.Certificate {
	for _, c := range candidates {
		if s.names(c) {
			return c
		}
	}
	return nil
}

// names says whether the signer's identifier is one of the certificate.
func (s *Signer) names(c *pkix.Certificate) bool {
	switch {
	case s.Issuer != nil:
		return bytes.Equal(s.SerialNumber, c.SerialNumber) && s.Issuer.Equal(c.Issuer)
	case c.SubjectKeyID != nil:
		return bytes.Equal(s.SubjectKeyID, c.SubjectKeyID)
	}
	// RFC 5280 section 4.2.1.2 (1): what the extension would be. It only finds: the key proves itself.
	return bytes.Equal(s.SubjectKeyID, digestOf(crypto.SHA1, c.PublicKey))
}

// Algorithm is what digest and signature algorithm say together. Errors are ErrUnknown and ErrAlgorithmsDisagree.
func (s *Signer) Algorithm() (Algorithm, error) {
	digest, err := hashFromIdentifier(s.DigestAlgorithm)
	if err != nil {
		return Algorithm{}, err
	}
	id := s.SignatureAlgorithm
	if id.Algorithm == oidRSA {
		// RFC 3370 section 3.2, RFC 5754 section 3.2: rsaEncryption is RSASSA-PKCS1-v1_5 with the digest algorithm;
		// parameters MUST be NULL, and absent ones are taken as well.
		if id.Parameters != nil && string(id.Parameters) != derNull {
			return Algorithm{}, ErrUnknown
		}
		return Algorithm{Scheme: RSASSA_PKCS1_V15, Hash: digest}, nil
	}
	algorithm, err := FromIdentifier(id)
	if err != nil {
		return Algorithm{}, err
	}
	// RFC 4056 section 3, RFC 5753 section 2.1.1, RFC 5754 section 3: the hash of both is the same.
	if algorithm.Hash != digest {
		return Algorithm{}, ErrAlgorithmsDisagree
	}
	return algorithm, nil
}
