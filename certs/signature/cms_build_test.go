package signature

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	x509pkix "crypto/x509/pkix"
	"errors"
	"math/big"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/tashika-jp/tashika/certs/pkix"
	"github.com/tashika-jp/tashika/certs/reason"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// holder is a key with a certificate that it issued to itself.
type holder struct {
	key  crypto.Signer
	cert *pkix.Certificate
}

func newHolder(key crypto.Signer, serial int64) *holder {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: x509pkix.Name{CommonName: "確か", Organization: []string{"Tashika"}},
		NotBefore: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2036, 1, 1, 0, 0, 0, 0, time.UTC),
		KeyUsage: x509.KeyUsageDigitalSignature, SubjectKeyId: []byte{1, 2, 3, byte(serial)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(err)
	}
	cert, err := pkix.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	return &holder{key, cert}
}

// holders are three: RSA-2048, P-256, P-384.
var holders = sync.OnceValue(func() []*holder {
	return []*holder{newHolder(rsaKey(), 0x51), newHolder(testKey("p256"), 0x52), newHolder(testKey("p384"), 0x53)}
})

func (h *holder) sign(a Algorithm, message []byte) []byte {
	var opts crypto.SignerOpts = a.Hash
	if a.Scheme == RSASSA_PSS {
		opts = &rsa.PSSOptions{SaltLength: a.SaltLength, Hash: a.Hash}
	}
	sig, err := h.key.Sign(rand.Reader, digestOf(a.Hash, message), opts)
	if err != nil {
		panic(err)
	}
	return sig
}

// message is a SignedData to be built. The zero value of a field is what conforms.
type message struct {
	contentType  pkix.OID // id-data
	content      []byte
	detached     bool
	version      []byte
	digests      []byte // digestAlgorithms
	encap        []byte
	certificates [][]byte // those of the signers
	crls         [][]byte
	signers      []*signer
}

// signer is a SignerInfo to be built.
type signer struct {
	*holder
	a              Algorithm
	keyID          bool // subjectKeyIdentifier
	bare           bool // no signed attributes
	version, sid   []byte
	digest, scheme []byte // the algorithms
	attributes     [][]byte
	more           [][]byte // attributes beside content type and message digest
	order          func(attributes [][]byte)
	signedOver     []byte // instead of the attributes
	signature      []byte
	unsigned       [][]byte
}

// attr builds an attribute.
func attr(id pkix.OID, values ...[]byte) []byte {
	return sequence(oid(id), der(asn1.SET, values...))
}

func or(given, conforming []byte) []byte {
	if given != nil {
		return given
	}
	return conforming
}

func (m *message) build() []byte {
	if m.contentType == "" {
		m.contentType = oidData
	}
	var digests, infos [][]byte
	certificates := m.certificates
	for _, s := range m.signers {
		digests = append(digests, hashIdentifier(s.a.Hash))
		if m.certificates == nil && !slices.ContainsFunc(certificates, func(c []byte) bool { return bytes.Equal(c, s.cert.Raw) }) {
			certificates = append(certificates, s.cert.Raw)
		}
		infos = append(infos, s.build(m))
	}
	encap := sequence(oid(m.contentType))
	if !m.detached {
		encap = sequence(oid(m.contentType), der(explicit(0), der(asn1.OCTET_STRING, m.content)))
	}
	parts := [][]byte{or(m.version, integer(1)), or(m.digests, der(asn1.SET, digests...)), or(m.encap, encap)}
	if len(certificates) > 0 {
		parts = append(parts, der(explicit(0), certificates...))
	}
	if m.crls != nil {
		parts = append(parts, der(explicit(1), m.crls...))
	}
	parts = append(parts, der(asn1.SET, infos...))
	return contentInfo(sequence(parts...))
}

func contentInfo(signedData []byte) []byte {
	return sequence(oid(oidSignedData), der(explicit(0), signedData))
}

func (s *signer) build(m *message) []byte {
	version, sid := integer(1), sequence(s.cert.Issuer, der(asn1.INTEGER, s.cert.SerialNumber))
	if s.keyID {
		version, sid = integer(3), der(asn1.Tag(0).ContextSpecific(), s.cert.SubjectKeyID)
	}
	attributes := s.attributes
	if attributes == nil {
		attributes = [][]byte{attr(oidContentType, oid(m.contentType)),
			attr(oidMessageDigest, der(asn1.OCTET_STRING, digestOf(s.a.Hash, m.content)))}
		attributes = append(attributes, s.more...)
	}
	slices.SortFunc(attributes, bytes.Compare)
	over := der(asn1.SET, attributes...)
	if s.order != nil {
		s.order(attributes)
	}
	parts := [][]byte{or(s.version, version), or(s.sid, sid), or(s.digest, hashIdentifier(s.a.Hash))}
	if s.bare {
		over = m.content
	} else {
		parts = append(parts, der(explicit(0), attributes...))
	}
	signature := s.signature
	if signature == nil {
		signature = s.sign(s.a, or(s.signedOver, over))
	}
	parts = append(parts, or(s.scheme, identifier(s.a)), der(asn1.OCTET_STRING, signature))
	if s.unsigned != nil {
		parts = append(parts, der(explicit(1), s.unsigned...))
	}
	return sequence(parts...)
}

// judge does what a verifier does with a message that every signer of it must have signed. Trust in certificates
// is no matter here.
func judge(ber, content []byte, candidates ...*pkix.Certificate) []reason.ID {
	d, err := ParseCMS(ber)
	switch {
	case errors.Is(err, ErrSignerMissing):
		return []reason.ID{reason.CMSSignerMissing}
	case err != nil:
		return []reason.ID{reason.CMSFormatFailure}
	}
	var found reason.Findings
	for _, s := range d.Signers {
		c := s.FindCertificate(append(candidates, d.Certificates...))
		signed, ids := d.Check(s, c, content)
		for _, id := range ids {
			found.Add(true, id)
		}
		if c == nil {
			continue
		}
		key, err := NewPublicKey(c.PublicKeyAlgorithm, c.PublicKey)
		switch {
		case err != nil:
			found.Add(true, reason.PublicKeyUnacceptable)
		case !AllSHA2().Allows(signed.Algorithm):
			found.Add(true, reason.CryptoConstraintsFailure)
		case !key.Permits(signed.Algorithm):
			found.Add(true, reason.AlgorithmKeyMismatch)
		default:
			found.Add(key.Verify(signed.Algorithm, signed.Message, signed.Signature) != nil, reason.SigCryptoFailure)
		}
	}
	return found
}

// indefinite turns DER into BER: every constructed element down to a depth gets an indefinite length.
func indefinite(t testing.TB, in []byte, depth int) []byte {
	t.Helper()
	r := &berReader{nodes: maxBERNodes}
	var out []byte
	for len(in) > 0 {
		tag, content, raw, err := r.element(&in)
		if err != nil {
			t.Fatal(err)
		}
		if tag&berConstructed == 0 || depth == 0 {
			out = append(out, raw...)
			continue
		}
		out = slices.Concat(out, []byte{byte(tag), 0x80}, indefinite(t, content, depth-1), []byte{0, 0})
	}
	return out
}

// segments is an OCTET STRING in pieces of a size.
func segments(content []byte, size int) []byte {
	var parts [][]byte
	for piece := range slices.Chunk(content, size) {
		parts = append(parts, der(asn1.OCTET_STRING, piece))
	}
	return der(asn1.OCTET_STRING|berConstructed, parts...)
}
