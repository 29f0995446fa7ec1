package crl

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	xpkix "crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/tashika-jp/tashika/certs/pkix"
	"github.com/tashika-jp/tashika/certs/signature"
	"golang.org/x/crypto/cryptobyte"
	cb "golang.org/x/crypto/cryptobyte/asn1"
)

// now is the time of all tests.
var now = time.Date(2026, 11, 23, 3, 0, 0, 0, time.UTC)

var allowed = signature.AllowList{signature.PKCS1SHA256, signature.ECDSASHA256}

var (
	rsaKey     = sync.OnceValue(newRSAKey)
	otherRSA   = sync.OnceValue(newRSAKey)
	ecKey      = sync.OnceValue(newECKey)
	otherECKey = sync.OnceValue(newECKey)
)

func newRSAKey() crypto.Signer {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
}

func newECKey() crypto.Signer {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return k
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// name is a directory name from its RFC 4514 form.
func name(s string) pkix.Name { return must(pkix.ParseName(s)) }

var (
	caName    = "OU=JPKI for user authentication,O=JPKI,C=JP"
	tsukuba   = name("CN=Tsukuba-shi CRLDP,OU=Ibaraki-ken,OU=CRL Distribution Points," + caName)
	ushiku    = name("CN=Ushiku-shi CRLDP,OU=Ibaraki-ken,OU=CRL Distribution Points," + caName)
	oidPoints = asn1.ObjectIdentifier{2, 5, 29, 31}
)

// authority is an issuer with its key.
type authority struct {
	cert   *pkix.Certificate
	parent *x509.Certificate
	key    crypto.Signer
	public *signature.PublicKey
}

func newAuthority(key crypto.Signer, subject pkix.Name, change func(*x509.Certificate)) *authority {
	t := &x509.Certificate{
		SerialNumber: big.NewInt(1), RawSubject: subject, NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(9, 0, 0),
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, IsCA: true, BasicConstraintsValid: true,
	}
	if change != nil {
		change(t)
	}
	der := must(x509.CreateCertificate(rand.Reader, t, t, key.Public(), key))
	c := must(pkix.ParseCertificate(der))
	return &authority{c, must(x509.ParseCertificate(der)), key, publicKeyOf(c)}
}

func publicKeyOf(c *pkix.Certificate) *signature.PublicKey {
	return must(signature.NewPublicKey(c.PublicKeyAlgorithm, c.PublicKey))
}

var theCA = sync.OnceValue(func() *authority { return newAuthority(ecKey(), name(caName), nil) })

// issue makes a certificate of the authority; points is the value of its distribution points.
func (a *authority) issue(points []byte, change func(*x509.Certificate)) *pkix.Certificate {
	t := &x509.Certificate{
		SerialNumber: big.NewInt(4711), RawSubject: name("CN=holder,C=JP"), NotBefore: now.AddDate(0, -1, 0), NotAfter: now.AddDate(1, 0, 0),
		KeyUsage: x509.KeyUsageDigitalSignature,
	}
	if points != nil {
		t.ExtraExtensions = append(t.ExtraExtensions, xpkix.Extension{Id: oidPoints, Value: points})
	}
	if change != nil {
		change(t)
	}
	der := must(x509.CreateCertificate(rand.Reader, t, a.parent, ecKey().Public(), a.key))
	return must(pkix.ParseCertificate(der))
}

func tag(n uint8) cb.Tag      { return cb.Tag(n).ContextSpecific() }
func explicit(n uint8) cb.Tag { return tag(n).Constructed() }

func build(f func(b *cryptobyte.Builder)) []byte {
	var b cryptobyte.Builder
	f(&b)
	return b.BytesOrPanic()
}

func seq(parts ...[]byte) []byte { return wrap(cb.SEQUENCE, parts...) }
func wrap(t cb.Tag, parts ...[]byte) []byte {
	return build(func(b *cryptobyte.Builder) {
		b.AddASN1(t, func(b *cryptobyte.Builder) { b.AddBytes(bytes.Join(parts, nil)) })
	})
}

func integer(n int64) []byte { return build(func(b *cryptobyte.Builder) { b.AddASN1Int64(n) }) }

func utc(t time.Time) []byte { return build(func(b *cryptobyte.Builder) { b.AddASN1UTCTime(t) }) }
func generalized(t time.Time) []byte {
	return build(func(b *cryptobyte.Builder) { b.AddASN1GeneralizedTime(t) })
}

func directory(n pkix.Name) []byte { return wrap(explicit(4), n) }
func uri(s string) []byte          { return wrap(tag(6), []byte(s)) }

// fullName is a DistributionPointName, in the [0] that points and IDPs have.
func fullName(names ...[]byte) []byte { return wrap(explicit(0), wrap(explicit(0), names...)) }

// relative is the other choice: one RDN with a CN.
func relative(cn string) []byte {
	rdn := seq([]byte{6, 3, 0x55, 4, 3}, wrap(cb.UTF8String, []byte(cn)))
	return wrap(explicit(0), wrap(explicit(1), rdn))
}

func points(content ...[]byte) []byte {
	var all [][]byte
	for _, c := range content {
		all = append(all, seq(c))
	}
	return seq(all...)
}

var flagTrue = []byte{0xff}

type extension struct {
	id       string
	critical bool
	value    []byte
}

func (e extension) der() []byte {
	parts := [][]byte{element(e.id)}
	if e.critical {
		parts = append(parts, []byte{1, 1, 0xff})
	}
	return seq(append(parts, wrap(cb.OCTET_STRING, e.value))...)
}

func extensions(list []extension) []byte {
	var all [][]byte
	for _, e := range list {
		all = append(all, e.der())
	}
	return seq(all...)
}

// revoke is an entry; without extensions if there are none.
func revoke(serial []byte, at time.Time, list ...extension) []byte {
	parts := [][]byte{wrap(cb.INTEGER, serial), utc(at)}
	if list != nil {
		parts = append(parts, extensions(list))
	}
	return seq(parts...)
}

func because(r Reason) extension { return extension{"2.5.29.21", false, []byte{0x0a, 1, byte(r)}} }

// listSpec is a list to be made, right until it is changed.
type listSpec struct {
	version    []byte // nil for v1
	algorithm  []byte
	outer      []byte // nil for the same
	issuer     pkix.Name
	this, next []byte // next nil if absent
	entries    []byte // nil if absent
	extensions []extension
	after      []byte // the end of tbsCertList
}

var (
	ecdsaSHA256 = seq(element("1.2.840.10045.4.3.2"))
	rsaSHA256   = seq(element("1.2.840.113549.1.1.11"), []byte{5, 0})
	rsaSHA1     = seq(element("1.2.840.113549.1.1.5"), []byte{5, 0})
)

// conforming is a list of the authority for a partition; nil for all certificates.
func (a *authority) conforming(scope pkix.Name, entries ...[]byte) *listSpec {
	s := &listSpec{
		version: integer(1), algorithm: ecdsaSHA256, issuer: a.cert.Subject, this: utc(now.Add(-time.Hour)), next: utc(now.Add(23 * time.Hour)),
		extensions: []extension{
			{"2.5.29.35", false, seq(wrap(tag(0), a.cert.SubjectKeyID))},
			{"2.5.29.20", false, integer(300)},
		},
	}
	if _, is := a.key.(*rsa.PrivateKey); is {
		s.algorithm = rsaSHA256
	}
	if entries != nil {
		s.entries = seq(entries...)
	}
	if scope != nil {
		s.set("2.5.29.28", true, seq(fullName(directory(scope))))
	}
	return s
}

func (s *listSpec) drop(id string) {
	s.extensions = slices.DeleteFunc(s.extensions, func(e extension) bool { return e.id == id })
}

func (s *listSpec) set(id string, critical bool, value []byte) {
	s.drop(id)
	s.extensions = append(s.extensions, extension{id, critical, value})
}

func (s *listSpec) tbs() []byte {
	parts := [][]byte{s.version, s.algorithm, s.issuer, s.this, s.next, s.entries}
	if s.extensions != nil {
		parts = append(parts, wrap(explicit(0), extensions(s.extensions)))
	}
	return seq(append(parts, s.after)...)
}

func (s *listSpec) sign(key crypto.Signer) []byte { return s.signOver(s.tbs(), key) }

// signOver signs another tbsCertList than the one that was specified.
func (s *listSpec) signOver(tbs []byte, key crypto.Signer) []byte {
	hash := crypto.SHA256
	if bytes.Equal(s.algorithm, rsaSHA1) {
		hash = crypto.SHA1
	}
	h := hash.New()
	h.Write(tbs)
	value := must(key.Sign(rand.Reader, h.Sum(nil), hash))
	outer := s.outer
	if outer == nil {
		outer = s.algorithm
	}
	return seq(tbs, outer, wrap(cb.BIT_STRING, []byte{0}, value))
}

// index makes the index of a list that has to be fine.
func (a *authority) index(t testing.TB, s *listSpec) *Index {
	t.Helper()
	l, err := Parse(s.sign(a.key))
	if err != nil {
		t.Fatal(err)
	}
	x, found := NewIndex(l, a.cert, a.public, allowed)
	if x == nil || len(found) > 0 {
		t.Fatalf("refused: %v", found)
	}
	return x
}
