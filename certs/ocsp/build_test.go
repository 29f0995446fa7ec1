package ocsp

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"math/big"
	"sync"
	"testing"
	"time"

	"github.com/tashika-jp/tashika/certs/pkix"
	"github.com/tashika-jp/tashika/certs/signature"
	cb "golang.org/x/crypto/cryptobyte/asn1"
)

// now is the time of all tests.
var now = time.Date(2026, 11, 23, 3, 0, 0, 0, time.UTC)

var (
	allowed = signature.AllowList{signature.PKCS1SHA256, signature.ECDSASHA256}
	options = Options{At: now, Skew: time.Minute, MaxAge: time.Hour, RequireNonce: true, Allow: allowed}
	nonce   = bytes.Repeat([]byte{0xA5}, 32)

	caName = name("OU=JPKI for user authentication,O=JPKI,C=JP")

	// Always the same, so that responses in testdata stay signed; and so are signatures by them (RFC 6979, because no
	// randomness is given).
	caKey        = sync.OnceValue(func() crypto.Signer { return fixedECKey("authority") })
	delegateKey  = sync.OnceValue(func() crypto.Signer { return fixedECKey("delegate") })
	strangersKey = sync.OnceValue(func() crypto.Signer { return fixedECKey("stranger") })
	rsaKey       = sync.OnceValue(func() crypto.Signer { return must(rsa.GenerateKey(rand.Reader, 2048)) })
)

func fixedECKey(whose string) crypto.Signer {
	return must(ecdsa.ParseRawPrivateKey(elliptic.P256(), digest(crypto.SHA256, []byte(whose))))
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func name(s string) pkix.Name { return must(pkix.ParseName(s)) }

// authority is an issuer with its key.
type authority struct {
	cert   *pkix.Certificate
	parent *x509.Certificate
	key    crypto.Signer
	public *signature.PublicKey
}

func newAuthority(key crypto.Signer, subject pkix.Name) *authority {
	t := &x509.Certificate{
		SerialNumber: big.NewInt(1), RawSubject: subject, NotBefore: now.AddDate(-20, 0, 0), NotAfter: now.AddDate(70, 0, 0),
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, IsCA: true, BasicConstraintsValid: true,
		SubjectKeyId: digest(crypto.SHA1, must(x509.MarshalPKIXPublicKey(key.Public()))),
	}
	der := must(x509.CreateCertificate(nil, t, t, key.Public(), key))
	c := must(pkix.ParseCertificate(der))
	return &authority{c, must(x509.ParseCertificate(der)), key, must(signature.NewPublicKey(c.PublicKeyAlgorithm, c.PublicKey))}
}

var theCA = sync.OnceValue(func() *authority { return newAuthority(caKey(), caName) })

// issue makes a certificate of the authority for a key.
func (a *authority) issue(key crypto.Signer, change func(*x509.Certificate)) *pkix.Certificate {
	t := &x509.Certificate{
		SerialNumber: big.NewInt(4711), RawSubject: name("CN=holder,C=JP"), NotBefore: now.AddDate(0, -1, 0), NotAfter: now.AddDate(1, 0, 0),
		KeyUsage: x509.KeyUsageDigitalSignature,
	}
	if change != nil {
		change(t)
	}
	return must(pkix.ParseCertificate(must(x509.CreateCertificate(nil, t, a.parent, key.Public(), a.key))))
}

// delegate makes the certificate of a responder, right until it is changed.
func (a *authority) delegate(change func(*x509.Certificate)) *pkix.Certificate {
	return a.issue(delegateKey(), func(c *x509.Certificate) {
		c.SerialNumber, c.RawSubject = big.NewInt(99), name("CN=OCSP responder,O=JPKI,C=JP")
		c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning}
		if change != nil {
			change(c)
		}
	})
}

var holder = sync.OnceValue(func() *pkix.Certificate { return theCA().issue(strangersKey(), nil) })

func theRequest() *Request {
	return must(NewRequest(holder(), theCA().cert, crypto.SHA256, nonce))
}

func tag(n uint8) cb.Tag          { return cb.Tag(n).ContextSpecific() }
func explicit(n uint8) cb.Tag     { return tag(n).Constructed() }
func seq(parts ...[]byte) []byte  { return wrap(cb.SEQUENCE, parts...) }
func octets(b []byte) []byte      { return wrap(cb.OCTET_STRING, b) }
func oid(dotted string) []byte    { return wrap(cb.OBJECT_IDENTIFIER, []byte(pkix.MustOID(dotted))) }
func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
func generalized(t time.Time) []byte {
	return wrap(cb.GeneralizedTime, []byte(t.UTC().Format("20060102150405Z")))
}

func wrap(t cb.Tag, parts ...[]byte) []byte {
	size := 0
	for _, part := range parts {
		size += len(part)
	}
	out := append(make([]byte, 0, size+6), byte(t))
	switch {
	case size < 0x80:
		out = append(out, byte(size))
	case size < 0x100:
		out = append(out, 0x81, byte(size))
	case size < 0x10000:
		out = append(out, 0x82, byte(size>>8), byte(size))
	default:
		out = append(out, 0x84, byte(size>>24), byte(size>>16), byte(size>>8), byte(size))
		if out[2] == 0 { // the fewest octets
			out = append(out[:1], 0x83, byte(size>>16), byte(size>>8), byte(size))
		}
	}
	for _, part := range parts {
		out = append(out, part...)
	}
	return out
}

func extension(id string, critical bool, value []byte) []byte {
	if critical {
		return seq(oid(id), []byte{1, 1, 0xff}, octets(value))
	}
	return seq(oid(id), octets(value))
}

func nonceExtension(n []byte) []byte { return extension("1.3.6.1.5.5.7.48.1.2", false, octets(n)) }

var (
	good        = []byte{0x80, 0}
	unknown     = []byte{0x82, 0}
	ecdsaSHA256 = seq(oid("1.2.840.10045.4.3.2"))
	rsaSHA256   = seq(oid("1.2.840.113549.1.1.11"), []byte{5, 0})
	rsaSHA1     = seq(oid("1.2.840.113549.1.1.5"), []byte{5, 0})
	null        = []byte{5, 0}
)

func revoked(at time.Time, why int) []byte {
	if why < 0 {
		return wrap(explicit(1), generalized(at))
	}
	return wrap(explicit(1), generalized(at), wrap(explicit(0), []byte{0x0a, 1, byte(why)}))
}

// certIDSpec is a CertID to be made.
type certIDSpec struct {
	hash                      string
	parameters                []byte
	nameHash, keyHash, serial []byte
}

func (s certIDSpec) der() []byte {
	return seq(seq(oid(s.hash), s.parameters), octets(s.nameHash), octets(s.keyHash), wrap(cb.INTEGER, s.serial))
}

func idOf(r *Request) certIDSpec {
	return certIDSpec{r.id.hash.String(), null, r.id.nameHash, r.id.keyHash, r.id.serial}
}

// singleSpec is a SingleResponse to be made.
type singleSpec struct {
	id         []byte
	status     []byte
	this, next []byte   // next nil if absent
	extensions [][]byte // nil if absent
	after      []byte
}

func (s singleSpec) der() []byte {
	parts := [][]byte{s.id, s.status, s.this}
	if s.next != nil {
		parts = append(parts, wrap(explicit(0), s.next))
	}
	if s.extensions != nil {
		parts = append(parts, wrap(explicit(1), seq(s.extensions...)))
	}
	return seq(append(parts, s.after)...)
}

// responseSpec is a response to be made, right until it is changed.
type responseSpec struct {
	status       byte
	kind         []byte
	version      []byte
	responder    []byte
	producedAt   []byte
	singles      []singleSpec
	extensions   [][]byte // nil if absent
	after        []byte   // end of tbsResponseData
	algorithm    []byte
	key          crypto.Signer
	certificates [][]byte // nil if absent
	end          []byte   // end of BasicOCSPResponse
}

// conforming answers a request "good", signed by the issuer itself or by a delegate.
func (a *authority) conforming(r *Request, delegate *pkix.Certificate) *responseSpec {
	s := &responseSpec{
		kind: oid("1.3.6.1.5.5.7.48.1.1"), responder: byName(a.cert), producedAt: generalized(now.Add(-time.Minute)),
		singles:   []singleSpec{{id: idOf(r).der(), status: good, this: generalized(now.Add(-5 * time.Minute)), next: generalized(now.Add(10 * time.Minute))}},
		algorithm: ecdsaSHA256, key: a.key,
	}
	if r.nonce != nil {
		s.extensions = [][]byte{nonceExtension(r.nonce)}
	}
	if delegate != nil {
		s.responder, s.key, s.certificates = byKey(delegate), delegateKey(), [][]byte{delegate.Raw}
	}
	if _, is := s.key.(*rsa.PrivateKey); is {
		s.algorithm = rsaSHA256
	}
	return s
}

func byName(c *pkix.Certificate) []byte { return wrap(explicit(1), c.Subject) }
func byKey(c *pkix.Certificate) []byte {
	return wrap(explicit(2), octets(digest(crypto.SHA1, c.PublicKey)))
}

func (s *responseSpec) der() []byte { return s.around(s.tbs()) }

// tbs is the tbsResponseData.
func (s *responseSpec) tbs() []byte {
	var singles [][]byte
	for _, one := range s.singles {
		singles = append(singles, one.der())
	}
	parts := [][]byte{s.version, s.responder, s.producedAt, seq(singles...)}
	if s.extensions != nil {
		parts = append(parts, wrap(explicit(1), seq(s.extensions...)))
	}
	return seq(append(parts, s.after)...)
}

// around signs a tbsResponseData and makes the response of it.
func (s *responseSpec) around(tbs []byte) []byte {
	hash := crypto.SHA256
	if bytes.Equal(s.algorithm, rsaSHA1) {
		hash = crypto.SHA1
	}
	value := must(s.key.Sign(nil, digest(hash, tbs), hash))
	parts := [][]byte{tbs, s.algorithm, wrap(cb.BIT_STRING, []byte{0}, value)}
	if s.certificates != nil {
		parts = append(parts, wrap(explicit(0), seq(s.certificates...)))
	}
	return responseDER(s.status, seq(s.kind, octets(seq(append(parts, s.end)...))))
}

func responseDER(status byte, typed []byte) []byte {
	if typed == nil {
		return seq([]byte{0x0a, 1, status})
	}
	return seq([]byte{0x0a, 1, status}, wrap(explicit(0), typed))
}

// answer checks a response that has to be fine, also without the request.
func (a *authority) answer(t testing.TB, s *responseSpec, r *Request, o Options) *Answer {
	t.Helper()
	answer, found := Check(s.der(), r, a.cert, a.public, o)
	if answer == nil || len(found) > 0 {
		t.Fatalf("refused: %v", found)
	}
	o.RequireNonce = false
	if stored, found := CheckStored(s.der(), r.about, a.cert, a.public, o); stored == nil || len(found) > 0 || stored.said() != answer.said() {
		t.Fatalf("stored: %+v with %v, want %+v", stored, found, answer)
	}
	return answer
}
