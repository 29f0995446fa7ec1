package signature

import (
	"bytes"
	"crypto"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tashika-jp/tashika/certs/pkix"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// Bounds of the attributes of a signer, and of the values of each.
const (
	maxAttributes = 64
	maxValues     = 64
)

var (
	oidContentType          = pkix.MustOID("1.2.840.113549.1.9.3")
	oidMessageDigest        = pkix.MustOID("1.2.840.113549.1.9.4")
	oidSigningTime          = pkix.MustOID("1.2.840.113549.1.9.5")
	oidCountersignature     = pkix.MustOID("1.2.840.113549.1.9.6")
	oidAlgorithmProtection  = pkix.MustOID("1.2.840.113549.1.9.52")
	oidSigningCertificate   = pkix.MustOID("1.2.840.113549.1.9.16.2.12")
	oidSigningCertificateV2 = pkix.MustOID("1.2.840.113549.1.9.16.2.47")

	errAttribute = errors.New("malformed attribute")
	errTooMany   = errors.New("too many attributes, or values of one")
)

// attribute is an Attribute (RFC 5652 section 5.3): a type with a SET of values.
type attribute struct {
	id     pkix.OID
	values [][]byte // each a whole element
}

// attributes are the signed attributes of a signer.
type attributes struct {
	list          []attribute
	messageDigest []byte
	signingTime   time.Time
	malformed     bool // a value that is read here is not what its type says
}

// readAttributes reads the content of a SET OF Attribute.
func readAttributes(s cryptobyte.String) ([]attribute, error) {
	var list []attribute
	for !s.Empty() {
		var pair, set cryptobyte.String
		var a attribute
		var ok bool
		if len(list) == maxAttributes {
			return nil, errTooMany
		}
		if !s.ReadASN1(&pair, asn1.SEQUENCE) {
			return nil, errAttribute
		}
		if a.id, ok = pkix.ReadOID(&pair); !ok || !pair.ReadASN1(&set, asn1.SET) || !pair.Empty() {
			return nil, errAttribute
		}
		for !set.Empty() {
			var value cryptobyte.String
			var tag asn1.Tag
			if len(a.values) == maxValues {
				return nil, errTooMany
			}
			if !set.ReadAnyASN1Element(&value, &tag) {
				return nil, errAttribute
			}
			a.values = append(a.values, value)
		}
		list = append(list, a)
	}
	return list, nil
}

func parseAttributes(s cryptobyte.String) (attributes, error) {
	list, err := readAttributes(s)
	if err != nil {
		return attributes{}, err
	}
	a := attributes{list: list}
	if value := cryptobyte.String(a.value(oidMessageDigest)); value != nil {
		var digest cryptobyte.String
		a.malformed = !value.ReadASN1(&digest, asn1.OCTET_STRING) || !value.Empty()
		a.messageDigest = digest
	}
	if value := cryptobyte.String(a.value(oidSigningTime)); value != nil {
		// RFC 5652 section 11.3: UTCTime or GeneralizedTime with seconds, in Z and without fraction.
		var ok bool
		a.signingTime, ok = pkix.ReadTime(&value)
		a.malformed = a.malformed || !ok || !value.Empty()
	}
	return a, nil
}

// value is the one value of the one attribute of a type; nil if there is none or more.
func (a *attributes) value(id pkix.OID) []byte {
	var found []byte
	for _, attribute := range a.list {
		if attribute.id != id {
			continue
		}
		if found != nil || len(attribute.values) != 1 {
			return nil
		}
		found = attribute.values[0]
	}
	return found
}

func (a *attributes) has(id pkix.OID) bool {
	return slices.ContainsFunc(a.list, func(other attribute) bool { return other.id == id })
}

// encode is the DER of the attributes as a SET OF. X.690 section 11.6: the elements in ascending order, of the
// attributes and of the values in each. A signer that signed another order than DER's did not sign what RFC 5652
// section 5.4 says, and its signature fails.
func (a *attributes) encode() []byte {
	elements := make([][]byte, len(a.list))
	for i, attribute := range a.list {
		values := slices.Clone(attribute.values)
		slices.SortFunc(values, bytes.Compare)
		var b cryptobyte.Builder
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(asn1.OBJECT_IDENTIFIER, func(b *cryptobyte.Builder) { b.AddBytes([]byte(attribute.id)) })
			b.AddASN1(asn1.SET, func(b *cryptobyte.Builder) { b.AddBytes(slices.Concat(values...)) })
		})
		elements[i] = b.BytesOrPanic()
	}
	slices.SortFunc(elements, bytes.Compare)
	var b cryptobyte.Builder
	b.AddASN1(asn1.SET, func(b *cryptobyte.Builder) { b.AddBytes(slices.Concat(elements...)) })
	return b.BytesOrPanic()
}

// acceptable says whether the attributes keep the rules for those that are known; all others are free.
func (a *attributes) acceptable(s *Signer, contentType pkix.OID, certificate *pkix.Certificate) bool {
	// RFC 5652 sections 11.1 to 11.3, RFC 2634 section 5.4, RFC 5035 section 3, RFC 6211 section 2: one attribute
	// of each type, with one value.
	for _, id := range []pkix.OID{oidContentType, oidMessageDigest, oidSigningTime,
		oidSigningCertificate, oidSigningCertificateV2, oidAlgorithmProtection} {
		if a.has(id) && a.value(id) == nil {
			return false
		}
	}
	// RFC 5652 section 5.3: content-type and message-digest MUST be there, if any attribute is.
	// RFC 5652 section 11.1: the content type MUST match eContentType.
	value := cryptobyte.String(a.value(oidContentType))
	id, ok := pkix.ReadOID(&value)
	if !ok || !value.Empty() || id != contentType || a.messageDigest == nil || a.malformed {
		return false
	}
	// RFC 5652 section 11.4: a countersignature MUST be an unsigned attribute.
	if a.has(oidCountersignature) {
		return false
	}
	if value := a.value(oidAlgorithmProtection); value != nil && !s.protectedBy(value) {
		return false
	}
	for _, id := range []pkix.OID{oidSigningCertificate, oidSigningCertificateV2} {
		if value := a.value(id); value != nil && certificate != nil && !identifies(value, id, certificate) {
			return false
		}
	}
	return true
}

// protectedBy reads CMSAlgorithmProtection (RFC 6211 section 2): the algorithms MUST be those of the SignerInfo.
func (s *Signer) protectedBy(der []byte) bool {
	input := cryptobyte.String(der)
	var inner, raw cryptobyte.String
	if !input.ReadASN1(&inner, asn1.SEQUENCE) || !input.Empty() {
		return false
	}
	digest, err := pkix.ReadAlgorithmIdentifier(&inner)
	if err != nil || !sameAlgorithm(digest, s.DigestAlgorithm) {
		return false
	}
	// [1] IMPLICIT: in a SignedData, the signature algorithm and never [2], that of a MAC.
	if !inner.ReadASN1(&raw, explicit(1)) || !inner.Empty() {
		return false
	}
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddBytes(raw) })
	element := cryptobyte.String(b.BytesOrPanic())
	signature, err := pkix.ReadAlgorithmIdentifier(&element)
	return err == nil && sameAlgorithm(signature, s.SignatureAlgorithm)
}

// sameAlgorithm compares two identifiers, of which one may have NULL where the other has nothing.
func sameAlgorithm(a, b pkix.AlgorithmIdentifier) bool {
	empty := func(parameters []byte) bool { return parameters == nil || string(parameters) == derNull }
	return a.Algorithm == b.Algorithm &&
		(bytes.Equal(a.Parameters, b.Parameters) || empty(a.Parameters) && empty(b.Parameters))
}

// identifies reads SigningCertificate (RFC 2634 section 5.4) or SigningCertificateV2 (RFC 5035 section 3): the first
// certificate of the list MUST be the signer's. The others restrict paths, which is left to whoever builds one.
func identifies(der []byte, id pkix.OID, c *pkix.Certificate) bool {
	input := cryptobyte.String(der)
	var outer, list, first, hash cryptobyte.String
	if !input.ReadASN1(&outer, asn1.SEQUENCE) || !input.Empty() || !outer.ReadASN1(&list, asn1.SEQUENCE) ||
		!list.ReadASN1(&first, asn1.SEQUENCE) {
		return false
	}
	algorithm := crypto.SHA1
	if id == oidSigningCertificateV2 {
		algorithm = crypto.SHA256 // DEFAULT
		if first.PeekASN1Tag(asn1.SEQUENCE) {
			named, err := pkix.ReadAlgorithmIdentifier(&first)
			if err != nil {
				return false
			}
			if algorithm, err = hashFromIdentifier(named); err != nil {
				return false
			}
		}
	}
	// RFC 5035 section 4: the hash is over the whole DER of the certificate.
	if !first.ReadASN1(&hash, asn1.OCTET_STRING) || !bytes.Equal(hash, digestOf(algorithm, c.Raw)) {
		return false
	}
	return first.Empty() || issuedAs(&first, c)
}

// issuedAs reads IssuerSerial (RFC 5035 section 4): one directoryName, which MUST be the issuer's, and the serial
// number.
func issuedAs(s *cryptobyte.String, c *pkix.Certificate) bool {
	var pair cryptobyte.String
	if !s.ReadASN1(&pair, asn1.SEQUENCE) || !s.Empty() {
		return false
	}
	names, err := pkix.ReadGeneralNames(&pair, asn1.SEQUENCE)
	if err != nil || len(names) != 1 || names[0].Kind != pkix.DirectoryName || !pkix.Name(names[0].Value).Equal(c.Issuer) {
		return false
	}
	serial, ok := pkix.ReadInteger(&pair)
	return ok && pair.Empty() && bytes.Equal(serial, c.SerialNumber)
}

// checkUnsigned reads the unsigned attributes, which nobody signed and nothing is made of.
func checkUnsigned(s cryptobyte.String) error {
	list, err := readAttributes(s)
	if err != nil {
		return err
	}
	for _, a := range list {
		// RFC 5652 sections 11.1 to 11.3: MUST NOT be an unsigned attribute.
		switch a.id {
		case oidContentType, oidMessageDigest, oidSigningTime:
			return fmt.Errorf("%s must be signed", a.id)
		}
	}
	return nil
}

// readsAsAttributes says whether content is the encoding of signed attributes.
func readsAsAttributes(content []byte) bool {
	s := cryptobyte.String(content)
	var set cryptobyte.String
	if !s.ReadASN1(&set, asn1.SET) || !s.Empty() {
		return false
	}
	list, err := readAttributes(set)
	return err == nil && slices.ContainsFunc(list, func(a attribute) bool {
		return a.id == oidContentType || a.id == oidMessageDigest
	})
}
