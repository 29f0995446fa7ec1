package signature

import (
	"bytes"
	"crypto"
	"errors"
	"fmt"
	"slices"

	"github.com/tashika-jp/tashika/certs/pkix"
	"github.com/tashika-jp/tashika/certs/reason"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// Bounds of a CMS message.
const (
	MaxCMSSize      = 16 << 20 // in bytes, content included
	maxSigners      = 16
	maxCertificates = 64 // and as many revocation lists
	// maxCertificateOctets is of all the certificates together: read, they can take fifty times that.
	maxCertificateOctets = 512 << 10
	maxDigests           = 16
)

// ErrSignerMissing: the message has no signer. Such messages carry certificates only, and nothing is signed.
var ErrSignerMissing = errors.New("signature: CMS message has no signer")

var (
	oidData       = pkix.MustOID("1.2.840.113549.1.7.1")
	oidSignedData = pkix.MustOID("1.2.840.113549.1.7.2")
)

// SignedData is a CMS message (RFC 5652 section 5). It aliases what it was read from. Nothing in it
// has been checked.
type SignedData struct {
	ContentType pkix.OID
	Content     []byte // of eContent, without tag and length; nil if Detached
	Detached    bool   // the content is not inside

	// Certificates are those that could be read. Who signed is found among them, and any of them may help to build a
	// path; that they are here says nothing for them.
	Certificates []*pkix.Certificate
	// CRLs are the revocation lists as encoded, believed no more than the certificates.
	CRLs [][]byte

	Signers []*Signer // one or more
}

// Signed is a signature with what it must be over: once a message is checked, it is a signature like any other.
type Signed struct {
	Algorithm Algorithm
	Message   []byte // the signed attributes in DER, or the content where there are none
	Signature []byte
}

// ParseCMS reads one ContentInfo with a SignedData, BER or DER, and nothing after it. The error is
// ErrSignerMissing, or says what is malformed.
//
// It reads PKCS#7 (RFC 2315) where the two are alike: its content must be an OCTET STRING. The version is one from
// 1 to 5 and no more is made of it: which one belongs to which certificates (section 5.1) was for readers who
// cannot read them.
func ParseCMS(ber []byte) (*SignedData, error) {
	if len(ber) > MaxCMSSize {
		return nil, errors.New("signature: CMS message is too large")
	}
	d := new(SignedData)
	err := d.parse(&berReader{nodes: maxBERNodes}, ber)
	switch {
	case errors.Is(err, ErrSignerMissing):
		return nil, ErrSignerMissing
	case err != nil:
		return nil, fmt.Errorf("signature: CMS: %w", err)
	}
	return d, nil
}

func explicit(n uint8) asn1.Tag { return asn1.Tag(n).ContextSpecific().Constructed() }

func (d *SignedData) parse(r *berReader, ber []byte) error {
	info, err := r.only(ber, asn1.SEQUENCE)
	if err != nil {
		return fmt.Errorf("ContentInfo: %w", err)
	}
	contentType, err := readType(r, &info)
	if err != nil || contentType != oidSignedData {
		return errors.New("content type is not SignedData")
	}
	content, err := r.only(info, explicit(0))
	if err != nil {
		return fmt.Errorf("content: %w", err)
	}
	body, err := r.only(content, asn1.SEQUENCE)
	if err != nil {
		return fmt.Errorf("SignedData: %w", err)
	}
	version, err := readSmallInteger(r, &body)
	if err != nil || version < 1 || version > 5 {
		return errors.New("version of SignedData")
	}
	digests, err := readDigestAlgorithms(r, &body)
	if err != nil {
		return err
	}
	if err := d.parseContent(r, &body); err != nil {
		return err
	}
	if err := d.parseSets(r, &body); err != nil {
		return err
	}
	return d.parseSigners(r, body, digests)
}

// parseContent reads EncapsulatedContentInfo.
func (d *SignedData) parseContent(r *berReader, b *[]byte) error {
	tag, info, _, err := r.element(b)
	if err != nil || tag != asn1.SEQUENCE {
		return errors.New("malformed encapContentInfo")
	}
	if d.ContentType, err = readType(r, &info); err != nil {
		return fmt.Errorf("eContentType: %w", err)
	}
	if d.Detached = len(info) == 0; d.Detached {
		return nil
	}
	inner, err := r.only(info, explicit(0))
	if err != nil {
		return fmt.Errorf("eContent: %w", err)
	}
	if d.Content, err = r.octets(inner); err != nil {
		return fmt.Errorf("eContent: %w", err)
	}
	return nil
}

// parseSets reads certificates and crls, byte by byte as they are (RFC 5652 sections 10.2.1, 10.2.3). What cannot
// be read, or is of another kind than X.509, is as if it were not here.
func (d *SignedData) parseSets(r *berReader, b *[]byte) error {
	certificates, err := readSet(r, b, explicit(0))
	if err != nil {
		return fmt.Errorf("certificates: %w", err)
	}
	octets := 0
	for _, raw := range certificates {
		if octets += len(raw); octets > maxCertificateOctets {
			return errors.New("certificates: too large")
		}
		if c, err := pkix.ParseCertificate(raw); err == nil {
			d.Certificates = append(d.Certificates, c)
		}
	}
	lists, err := readSet(r, b, explicit(1))
	if err != nil {
		return fmt.Errorf("crls: %w", err)
	}
	for _, raw := range lists {
		if raw[0] == byte(asn1.SEQUENCE) {
			d.CRLs = append(d.CRLs, raw)
		}
	}
	return nil
}

// readSet reads an optional SET under an implicit tag and returns its elements as they are.
func readSet(r *berReader, b *[]byte, tag asn1.Tag) (elements [][]byte, err error) {
	if len(*b) == 0 || (*b)[0] != byte(tag) {
		return nil, nil
	}
	_, list, _, err := r.element(b)
	for err == nil && len(list) > 0 {
		var raw []byte
		if _, _, raw, err = r.element(&list); err == nil && len(elements) == maxCertificates {
			err = errors.New("too many")
		}
		elements = append(elements, raw)
	}
	return elements, err
}

func (d *SignedData) parseSigners(r *berReader, b []byte, digests []pkix.OID) error {
	list, err := r.only(b, asn1.SET)
	if err != nil {
		return fmt.Errorf("signerInfos: %w", err)
	}
	if len(list) == 0 {
		return ErrSignerMissing
	}
	for len(list) > 0 {
		if len(d.Signers) == maxSigners {
			return errors.New("too many signers")
		}
		der, err := r.der(&list)
		if err != nil {
			return fmt.Errorf("SignerInfo: %w", err)
		}
		s, err := parseSigner(der)
		if err != nil {
			return fmt.Errorf("SignerInfo: %w", err)
		}
		// RFC 5652 section 5.1: a digest algorithm that is not in digestAlgorithms MAY fail to validate, and does.
		if !slices.Contains(digests, s.DigestAlgorithm.Algorithm) {
			return errors.New("digestAlgorithms lacks that of a signer")
		}
		d.Signers = append(d.Signers, s)
	}
	return nil
}

func readType(r *berReader, b *[]byte) (pkix.OID, error) {
	der, err := r.der(b)
	s := cryptobyte.String(der)
	oid, ok := pkix.ReadOID(&s)
	if err != nil || !ok {
		return "", errors.New("not an object identifier")
	}
	return oid, nil
}

// readSmallInteger reads an INTEGER of one octet.
func readSmallInteger(r *berReader, b *[]byte) (int8, error) {
	der, err := r.der(b)
	s := cryptobyte.String(der)
	n, ok := pkix.ReadInteger(&s)
	if err != nil || !ok || len(n) != 1 {
		return 0, errors.New("not a small integer")
	}
	return int8(n[0]), nil
}

func readDigestAlgorithms(r *berReader, b *[]byte) (ids []pkix.OID, err error) {
	der, err := r.der(b)
	if err != nil {
		return nil, fmt.Errorf("digestAlgorithms: %w", err)
	}
	s := cryptobyte.String(der)
	var list cryptobyte.String
	if !s.ReadASN1(&list, asn1.SET) {
		return nil, errors.New("malformed digestAlgorithms")
	}
	for !list.Empty() {
		id, err := pkix.ReadAlgorithmIdentifier(&list)
		if err != nil || len(ids) == maxDigests {
			return nil, errors.New("malformed digestAlgorithms, or too many")
		}
		ids = append(ids, id.Algorithm)
	}
	return ids, nil
}

// Check checks all of what a signer says but two things, which are the caller's as with any other signature: that
// the algorithm is allowed and the signature is one of the certificate's key, both for what is returned; and that
// the certificate can be relied on.
//
// The certificate is the one that FindCertificate found; nil if it found none. The content is what the caller
// presents beside the message, and nil if that is nothing.
func (d *SignedData) Check(s *Signer, certificate *pkix.Certificate, content []byte) (Signed, []reason.ID) {
	var found reason.Findings
	found.Add(certificate == nil, reason.CMSSignerCertificateMissing)
	// RFC 5652 section 5.2: content that is not inside is given by other means. What is given twice must be the same.
	found.Add(d.Detached && content == nil, reason.CMSContentMissing)
	found.Add(!d.Detached && content != nil && !bytes.Equal(content, d.Content), reason.CMSContentMismatch)
	if !d.Detached {
		content = d.Content
	}
	algorithm, err := s.Algorithm()
	found.Add(err != nil, reason.CryptoConstraintsFailure)
	signed := Signed{algorithm, s.message, s.Signature}
	if s.message == nil {
		// RFC 5652 section 5.3: signedAttrs MUST be present if the content is of another type than id-data.
		found.Add(d.ContentType != oidData, reason.CMSAttributesUnacceptable)
		// draft-ietf-lamps-cms-euf-cma-signeddata: a signature over signed attributes is also one over a
		// content of the same octets in a message without (TestTrapAttributesAsContent).
		found.Add(readsAsAttributes(content), reason.CMSAttributesUnacceptable)
		signed.Message = content
		return signed, found
	}
	found.Add(!s.attributes.acceptable(s, d.ContentType, certificate), reason.CMSAttributesUnacceptable)
	// RFC 5652 sections 5.4, 5.6, 11.2: the digest of the content, without tag and length, is the attribute's value.
	if hash, err := hashFromIdentifier(s.DigestAlgorithm); err == nil && (!d.Detached || content != nil) {
		found.Add(!bytes.Equal(digestOf(hash, content), s.attributes.messageDigest), reason.CMSMessageDigestMismatch)
	}
	return signed, found
}

func digestOf(hash crypto.Hash, message []byte) []byte {
	h := hash.New()
	h.Write(message)
	return h.Sum(nil)
}
