package ocsp

import (
	"bytes"
	"crypto"
	_ "crypto/sha1" // names of issuers and keys
	_ "crypto/sha256"
	_ "crypto/sha512"
	"errors"

	"github.com/tashika-jp/tashika/certs/pkix"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// maxNonceSize is the largest nonce of RFC 9654 section 2.1, in octets.
const maxNonceSize = 128

var (
	oidBasic           = pkix.MustOID("1.3.6.1.5.5.7.48.1.1")
	oidNonce           = pkix.MustOID("1.3.6.1.5.5.7.48.1.2")
	oidExtendedRevoke  = pkix.MustOID("1.3.6.1.5.5.7.48.1.9")
	oidOCSPSigning     = pkix.MustOID("1.3.6.1.5.5.7.3.9")
	oidArchiveCutoff   = pkix.MustOID("1.3.6.1.5.5.7.48.1.6")
	oidSCTs            = pkix.MustOID("1.3.6.1.4.1.11129.2.4.5")
	oidSHA1            = pkix.MustOID("1.3.14.3.2.26")
	oidSHA256          = pkix.MustOID("2.16.840.1.101.3.4.2.1")
	explicit0          = asn1.Tag(0).ContextSpecific().Constructed()
	explicit1          = asn1.Tag(1).ContextSpecific().Constructed()
	explicit2          = asn1.Tag(2).ContextSpecific().Constructed()
	errCertIDHash      = errors.New("ocsp: CertID with SHA-1 or SHA-256 only")
	errNonce           = errors.New("ocsp: nonce of 1 to 128 octets only")
	errNotIssuer       = errors.New("ocsp: the certificate is not the issuer's")
	errUnsuccessful    = errors.New("ocsp: unsuccessful response")
	errMalformed       = errors.New("ocsp: malformed response")
	errTooLarge        = errors.New("ocsp: response is too large")
	errTooManyElements = errors.New("ocsp: too many answers or certificates in the response")
)

// certIDHashes are the hashes under which a CertID is understood. Requests are made under the first two.
var certIDHashes = map[pkix.OID]crypto.Hash{
	oidSHA1:                                crypto.SHA1,
	oidSHA256:                              crypto.SHA256,
	pkix.MustOID("2.16.840.1.101.3.4.2.2"): crypto.SHA384,
	pkix.MustOID("2.16.840.1.101.3.4.2.3"): crypto.SHA512,
}

// Request is one question about one certificate, made by NewRequest. It is immutable.
type Request struct {
	DER []byte // OCSPRequest

	about *pkix.Certificate
	id    certID // without a hash if nothing was sent
	nonce []byte // nil if none was sent
}

// certID identifies a certificate (RFC 6960 section 4.1.1).
type certID struct {
	hash     pkix.OID
	nameHash []byte
	keyHash  []byte
	serial   []byte // content octets of the INTEGER
}

func (id certID) equal(other certID) bool {
	return id.hash == other.hash && bytes.Equal(id.nameHash, other.nameHash) &&
		bytes.Equal(id.keyHash, other.keyHash) && bytes.Equal(id.serial, other.serial)
}

// identify makes the CertID of c under a hash.
func identify(c, issuer *pkix.Certificate, algorithm pkix.OID) certID {
	hash := certIDHashes[algorithm]
	return certID{
		hash: algorithm,
		// RFC 6960 section 4.1.1: over the DER of the issuer field of the certificate being checked.
		nameHash: digest(hash, c.Issuer),
		// RFC 6960 section 4.1.1: over the value of the subject public key, without tag, length and unused bits.
		keyHash: digest(hash, issuer.PublicKey),
		serial:  c.SerialNumber,
	}
}

// identifies says whether the CertID is that of c, under whatever hash it is made.
func (id certID) identifies(c, issuer *pkix.Certificate) bool {
	_, known := certIDHashes[id.hash]
	return known && bytes.Equal(id.serial, c.SerialNumber) && id.equal(identify(c, issuer, id.hash))
}

func digest(hash crypto.Hash, b []byte) []byte {
	h := hash.New()
	h.Write(b)
	return h.Sum(nil)
}

// NewRequest makes the question about c, with a CertID under SHA-1 or SHA-256, whichever the
// responder knows. The nonce is 1 to 128 random octets of the caller's, 32 being recommended by
// RFC 9654; nil sends none. It is an error if the issuer is not c's by name and key identifier.
func NewRequest(c, issuer *pkix.Certificate, hash crypto.Hash, nonce []byte) (*Request, error) {
	var algorithm pkix.OID
	switch hash {
	case crypto.SHA1:
		algorithm = oidSHA1
	case crypto.SHA256:
		algorithm = oidSHA256
	default:
		return nil, errCertIDHash
	}
	if nonce != nil && (len(nonce) == 0 || len(nonce) > maxNonceSize) {
		return nil, errNonce
	}
	if !c.Issuer.Equal(issuer.Subject) || keyIDsDiffer(c, issuer) {
		return nil, errNotIssuer
	}
	r := &Request{about: c, id: identify(c, issuer, algorithm), nonce: bytes.Clone(nonce)}
	var err error
	r.DER, err = r.encode()
	return r, err
}

// keyIDsDiffer: both say which key of the issuer's it is, and say otherwise.
func keyIDsDiffer(c, issuer *pkix.Certificate) bool {
	return len(c.AuthorityKeyID) > 0 && len(issuer.SubjectKeyID) > 0 && !bytes.Equal(c.AuthorityKeyID, issuer.SubjectKeyID)
}

func (r *Request) encode() ([]byte, error) {
	var b cryptobyte.Builder
	sequence := func(b *cryptobyte.Builder, content func(*cryptobyte.Builder)) { b.AddASN1(asn1.SEQUENCE, content) }
	sequence(&b, func(b *cryptobyte.Builder) { // OCSPRequest
		sequence(b, func(b *cryptobyte.Builder) { // tbsRequest
			sequence(b, func(b *cryptobyte.Builder) { // requestList
				sequence(b, func(b *cryptobyte.Builder) { // Request
					sequence(b, r.id.add)
				})
			})
			if r.nonce == nil {
				return
			}
			b.AddASN1(explicit2, func(b *cryptobyte.Builder) {
				sequence(b, func(b *cryptobyte.Builder) {
					sequence(b, func(b *cryptobyte.Builder) {
						addOID(b, oidNonce)
						b.AddASN1(asn1.OCTET_STRING, func(b *cryptobyte.Builder) { b.AddBytes(nonceValue(r.nonce)) })
					})
				})
			})
		})
	})
	return b.Bytes()
}

// add writes the content of a CertID. The hash has NULL parameters, as everybody sends them.
func (id certID) add(b *cryptobyte.Builder) {
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		addOID(b, id.hash)
		b.AddASN1NULL()
	})
	b.AddASN1OctetString(id.nameHash)
	b.AddASN1OctetString(id.keyHash)
	b.AddASN1(asn1.INTEGER, func(b *cryptobyte.Builder) { b.AddBytes(id.serial) })
}

func addOID(b *cryptobyte.Builder, oid pkix.OID) {
	b.AddASN1(asn1.OBJECT_IDENTIFIER, func(b *cryptobyte.Builder) { b.AddBytes([]byte(oid)) })
}

// nonceValue is the value of the nonce extension: Nonce ::= OCTET STRING (RFC 9654 section 2.1).
func nonceValue(nonce []byte) []byte {
	var b cryptobyte.Builder
	b.AddASN1OctetString(nonce)
	return b.BytesOrPanic() // at most maxNonceSize octets: there is nothing to fail
}
