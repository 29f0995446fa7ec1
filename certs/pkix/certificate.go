package pkix

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// MaxCertificateSize bounds what ParseCertificate reads, in bytes.
const MaxCertificateSize = 64 << 10

// KeyUsage is the set of bits of RFC 5280 section 4.2.1.3.
type KeyUsage uint16

// The key usages, with the numbers of RFC 5280.
const (
	DigitalSignature KeyUsage = 1 << iota
	NonRepudiation
	KeyEncipherment
	DataEncipherment
	KeyAgreement
	KeyCertSign
	CRLSign
	EncipherOnly
	DecipherOnly
)

var keyUsageNames = []string{"digitalSignature", "nonRepudiation", "keyEncipherment", "dataEncipherment",
	"keyAgreement", "keyCertSign", "cRLSign", "encipherOnly", "decipherOnly"}

// Names are the names of RFC 5280 of the bits that are set.
func (u KeyUsage) Names() []string {
	var out []string
	for i, name := range keyUsageNames {
		if u&(1<<i) != 0 {
			out = append(out, name)
		}
	}
	return out
}

// Certificate is the view of a certificate (RFC 5280 section 4.1). It aliases Raw.
type Certificate struct {
	Raw    []byte // whole certificate
	RawTBS []byte // what the issuer signed

	Version            int    // 1, 2 or 3
	SerialNumber       []byte // content octets of the INTEGER
	SignatureAlgorithm AlgorithmIdentifier
	Issuer, Subject    Name
	NotBefore          time.Time
	NotAfter           time.Time

	RawSubjectPublicKeyInfo []byte
	PublicKeyAlgorithm      AlgorithmIdentifier
	PublicKey               []byte // content of subjectPublicKey

	Signature []byte // the issuer's, over RawTBS

	RawExtensions []byte // whole Extensions, for WalkExtensions; nil if there are none
	Extensions
}

// SelfIssued says whether issuer and subject are the same name (RFC 5280 section 3.2).
func (c *Certificate) SelfIssued() bool { return c.Issuer.Equal(c.Subject) }

// ParseCertificate reads one certificate and nothing after it.
func ParseCertificate(der []byte) (*Certificate, error) {
	if len(der) > MaxCertificateSize {
		return nil, errors.New("pkix: certificate is too large")
	}
	c := &Certificate{Raw: der}
	if err := c.parse(); err != nil {
		return nil, fmt.Errorf("pkix: certificate: %w", err)
	}
	return c, nil
}

func (c *Certificate) parse() error {
	input := cryptobyte.String(c.Raw)
	var outer, tbs cryptobyte.String
	if !input.ReadASN1(&outer, asn1.SEQUENCE) || !input.Empty() {
		return errors.New("not exactly one SEQUENCE")
	}
	if !outer.ReadASN1Element(&tbs, asn1.SEQUENCE) {
		return errors.New("no tbsCertificate")
	}
	c.RawTBS = tbs
	outerAlgorithm, err := ReadAlgorithmIdentifier(&outer)
	if err != nil {
		return err
	}
	var ok bool
	if c.Signature, ok = ReadSignature(&outer); !ok || !outer.Empty() {
		return errors.New("malformed signatureValue")
	}
	tbs.ReadASN1(&tbs, asn1.SEQUENCE)
	if err := c.parseTBS(tbs); err != nil {
		return err
	}
	// RFC 5280 section 4.1.1.2: signatureAlgorithm MUST be the same as signature.
	if !c.SignatureAlgorithm.Equal(outerAlgorithm) {
		return errors.New("inner and outer signature algorithm differ")
	}
	return nil
}

func (c *Certificate) parseTBS(tbs cryptobyte.String) error {
	var err error
	var ok bool
	if c.Version, err = readVersion(&tbs); err != nil {
		return err
	}
	if c.SerialNumber, ok = ReadInteger(&tbs); !ok {
		return errors.New("malformed serialNumber")
	}
	if c.SignatureAlgorithm, err = ReadAlgorithmIdentifier(&tbs); err != nil {
		return err
	}
	if c.Issuer, err = ReadName(&tbs); err != nil {
		return fmt.Errorf("issuer: %w", err)
	}
	var validity cryptobyte.String
	if !tbs.ReadASN1(&validity, asn1.SEQUENCE) {
		return errors.New("malformed validity")
	}
	if c.NotBefore, ok = ReadTime(&validity); !ok {
		return errors.New("malformed notBefore")
	}
	if c.NotAfter, ok = ReadTime(&validity); !ok || !validity.Empty() {
		return errors.New("malformed notAfter")
	}
	if c.Subject, err = ReadName(&tbs); err != nil {
		return fmt.Errorf("subject: %w", err)
	}
	var spki cryptobyte.String
	if !tbs.ReadASN1Element(&spki, asn1.SEQUENCE) {
		return errors.New("malformed subjectPublicKeyInfo")
	}
	c.RawSubjectPublicKeyInfo = spki
	if c.PublicKeyAlgorithm, c.PublicKey, err = ParsePublicKeyInfo(spki); err != nil {
		return err
	}
	return c.parseTail(tbs)
}

// readVersion reads [0] EXPLICIT Version DEFAULT v1.
func readVersion(tbs *cryptobyte.String) (int, error) {
	tag := asn1.Tag(0).ContextSpecific().Constructed()
	if !tbs.PeekASN1Tag(tag) {
		return 1, nil
	}
	var explicit cryptobyte.String
	tbs.ReadASN1(&explicit, tag)
	n, ok := ReadInteger(&explicit)
	if !ok || !explicit.Empty() || len(n) != 1 || n[0] < 1 || n[0] > 2 {
		return 0, errors.New("malformed version")
	}
	return int(n[0]) + 1, nil
}

// parseTail reads the unique identifiers, which nobody uses, and the extensions.
func (c *Certificate) parseTail(tbs cryptobyte.String) error {
	for tag := asn1.Tag(1); tag <= 2; tag++ {
		if !tbs.PeekASN1Tag(tag.ContextSpecific()) {
			continue
		}
		if c.Version < 2 || !tbs.SkipASN1(tag.ContextSpecific()) {
			return errors.New("malformed unique identifier")
		}
	}
	c.MaxPathLen, c.RequireExplicitPolicy, c.InhibitPolicyMapping, c.InhibitAnyPolicy = -1, -1, -1, -1
	if tbs.Empty() {
		return nil
	}
	var explicit cryptobyte.String
	if c.Version < 3 || !tbs.ReadASN1(&explicit, asn1.Tag(3).ContextSpecific().Constructed()) || !tbs.Empty() {
		return errors.New("malformed end of tbsCertificate")
	}
	c.RawExtensions = explicit
	return WalkExtensions(explicit, c.parseExtension)
}

// ParsePublicKeyInfo reads a SubjectPublicKeyInfo.
func ParsePublicKeyInfo(der []byte) (AlgorithmIdentifier, []byte, error) {
	input := cryptobyte.String(der)
	var s cryptobyte.String
	if !input.ReadASN1(&s, asn1.SEQUENCE) || !input.Empty() {
		return AlgorithmIdentifier{}, nil, errors.New("malformed subjectPublicKeyInfo")
	}
	algorithm, err := ReadAlgorithmIdentifier(&s)
	if err != nil {
		return algorithm, nil, err
	}
	key, ok := readOctetBits(&s)
	if !ok || !s.Empty() {
		return algorithm, nil, errors.New("malformed subjectPublicKey")
	}
	return algorithm, key, nil
}

// Extension is one extension as encoded.
type Extension struct {
	ID       OID
	Critical bool
	Value    []byte // content of extnValue
}

// WalkExtensions reads Extensions and calls visit for each. An identifier that appears
// twice is refused (RFC 5280 section 4.2), as is an empty list.
func WalkExtensions(der []byte, visit func(Extension) error) error {
	input := cryptobyte.String(der)
	var list cryptobyte.String
	if !input.ReadASN1(&list, asn1.SEQUENCE) || !input.Empty() || list.Empty() {
		return errors.New("malformed extensions")
	}
	var ordinary [16]OID
	seen := ordinary[:0]
	for !list.Empty() {
		var s, value cryptobyte.String
		var e Extension
		var ok bool
		if !list.ReadASN1(&s, asn1.SEQUENCE) {
			return errors.New("malformed extension")
		}
		if e.ID, ok = ReadOID(&s); !ok {
			return errors.New("malformed extension identifier")
		}
		if e.Critical, ok = readDefaultFalse(&s, asn1.BOOLEAN); !ok {
			return errors.New("malformed criticality")
		}
		if !s.ReadASN1(&value, asn1.OCTET_STRING) || !s.Empty() {
			return errors.New("malformed extension value")
		}
		e.Value = value
		for _, id := range seen {
			if id == e.ID {
				return fmt.Errorf("extension %s appears twice", e.ID)
			}
		}
		if seen = append(seen, e.ID); len(seen) > maxExtensions {
			return errors.New("too many extensions")
		}
		if err := visit(e); err != nil {
			return fmt.Errorf("extension %s: %w", e.ID, err)
		}
	}
	return nil
}

// maxExtensions bounds the quadratic search for duplicates.
const maxExtensions = 64
