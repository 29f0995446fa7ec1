package chain

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	xpkix "crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tashika-jp/tashika/certs/pkix"
	"github.com/tashika-jp/tashika/certs/reason"
	"github.com/tashika-jp/tashika/certs/signature"
	"golang.org/x/crypto/cryptobyte"
	cb "golang.org/x/crypto/cryptobyte/asn1"
)

// now is the time of all tests.
var now = time.Date(2026, 11, 23, 3, 0, 0, 0, time.UTC)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// keys are always the same ones, and so are signatures (RFC 6979): a fuzzer's processes have to make the same certificates. Nothing
// in the tests is about a key, but that it is another.
var keys = sync.OnceValue(func() (all []crypto.Signer) {
	for i := range 12 {
		scalar := make([]byte, 32)
		scalar[31] = byte(i + 1)
		all = append(all, must(ecdsa.ParseRawPrivateKey(elliptic.P256(), scalar)))
	}
	return all
})

// entity is somebody with a certificate and the key to it.
type entity struct {
	*pkix.Certificate
	template *x509.Certificate
	key      crypto.Signer
}

func (e *entity) anchor() *Anchor {
	return &Anchor{Certificate: e.Certificate, Key: must(signature.NewPublicKey(e.PublicKeyAlgorithm, e.PublicKey))}
}

var serials atomic.Int64

// issue makes a certificate of an issuer's, nil for a self-signed one; change is what is odd about it.
func issue(t testing.TB, issuer *entity, cn string, key int, change func(*x509.Certificate)) *entity {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1000 + serials.Add(1)), Subject: xpkix.Name{CommonName: cn},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour), SignatureAlgorithm: x509.ECDSAWithSHA256,
	}
	if change != nil {
		change(template)
	}
	e := &entity{template: template, key: keys()[key]}
	parent := e
	if issuer != nil {
		parent = issuer
	}
	der, err := x509.CreateCertificate(nil, template, parent.template, e.key.Public(), parent.key)
	if err != nil {
		t.Fatal(err)
	}
	if e.Certificate, err = pkix.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	e.template.SubjectKeyId = e.SubjectKeyID
	return e
}

// changes joins changes.
func changes(all ...func(*x509.Certificate)) func(*x509.Certificate) {
	return func(c *x509.Certificate) {
		for _, change := range all {
			if change != nil {
				change(c)
			}
		}
	}
}

func ca(c *x509.Certificate) {
	c.BasicConstraintsValid, c.IsCA, c.MaxPathLen = true, true, -1
	c.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
}

func pathLen(n int) func(*x509.Certificate) {
	return func(c *x509.Certificate) { c.MaxPathLen, c.MaxPathLenZero = n, n == 0 }
}

func dns(names ...string) func(*x509.Certificate) {
	return func(c *x509.Certificate) { c.DNSNames = names }
}

func mail(addresses ...string) func(*x509.Certificate) {
	return func(c *x509.Certificate) { c.EmailAddresses = addresses }
}

func ip(addresses ...string) func(*x509.Certificate) {
	return func(c *x509.Certificate) {
		for _, a := range addresses {
			c.IPAddresses = append(c.IPAddresses, net.ParseIP(a))
		}
	}
}

func uri(all ...string) func(*x509.Certificate) {
	return func(c *x509.Certificate) {
		for _, s := range all {
			c.URIs = append(c.URIs, must(url.Parse(s)))
		}
	}
}

func permitDNS(names ...string) func(*x509.Certificate) {
	return func(c *x509.Certificate) { c.PermittedDNSDomains, c.PermittedDNSDomainsCritical = names, true }
}

func excludeDNS(names ...string) func(*x509.Certificate) {
	return func(c *x509.Certificate) { c.ExcludedDNSDomains, c.PermittedDNSDomainsCritical = names, true }
}

// extension adds an extension as it is.
func extension(dotted string, critical bool, value []byte) func(*x509.Certificate) {
	return func(c *x509.Certificate) {
		var id asn1.ObjectIdentifier
		rest := must(asn1.Unmarshal(oid(dotted), &id))
		if len(rest) > 0 {
			panic("trailing bytes")
		}
		c.ExtraExtensions = append(c.ExtraExtensions, xpkix.Extension{Id: id, Critical: critical, Value: value})
	}
}

// der is an element; its content are the parts, one after the other.
func der(tag cb.Tag, parts ...[]byte) []byte {
	var b cryptobyte.Builder
	b.AddASN1(tag, func(b *cryptobyte.Builder) {
		for _, p := range parts {
			b.AddBytes(p)
		}
	})
	return b.BytesOrPanic()
}

func sequence(parts ...[]byte) []byte { return der(cb.SEQUENCE, parts...) }
func oid(dotted string) []byte        { return der(cb.OBJECT_IDENTIFIER, []byte(pkix.MustOID(dotted))) }

func context(n uint8, constructed bool, parts ...[]byte) []byte {
	tag := cb.Tag(n).ContextSpecific()
	if constructed {
		tag = tag.Constructed()
	}
	return der(tag, parts...)
}

// constrain is the extension nameConstraints of encoded general names.
func constrain(permitted, excluded [][]byte) func(*x509.Certificate) {
	var parts [][]byte
	for i, list := range [][][]byte{permitted, excluded} {
		var subtrees [][]byte
		for _, name := range list {
			subtrees = append(subtrees, sequence(name))
		}
		if subtrees != nil {
			parts = append(parts, context(uint8(i), true, subtrees...))
		}
	}
	return extension("2.5.29.30", true, sequence(parts...))
}

// directory is a directoryName with one attribute an RDN, all common names.
func directory(names ...string) []byte {
	return context(4, true, rdns(names...))
}

func rdns(names ...string) []byte {
	var out [][]byte
	for _, n := range names {
		out = append(out, der(cb.SET, sequence(oid("2.5.4.3"), der(cb.UTF8String, []byte(n)))))
	}
	return sequence(out...)
}

// world is a question.
type world struct {
	target    *entity
	untrusted []*entity
	anchors   []*entity
	options   Options
	settings  Settings
}

func (w world) build() (*Path, []reason.ID) {
	var untrusted []*pkix.Certificate
	for _, u := range w.untrusted {
		untrusted = append(untrusted, u.Certificate)
	}
	for _, a := range w.anchors {
		w.options.Anchors = append(w.options.Anchors, a.anchor())
	}
	if w.options.MaxIntermediates == 0 {
		w.options.MaxIntermediates = -1
	}
	if w.settings.At.IsZero() {
		w.settings.At = now
	}
	w.settings.Allow = signature.AllSHA2()
	return NewBuilder(untrusted, w.settings).Build(w.target.Certificate, w.options)
}

// expect checks what comes of it: a valid path if want is empty.
func (w world) expect(t testing.TB, want reason.ID) *Path {
	t.Helper()
	path, found := w.build()
	switch {
	case (path == nil) != (len(found) > 0):
		t.Fatalf("path %v with findings %v", path, found)
	case want == "" && path == nil:
		t.Fatalf("refused: %v", found)
	case want != "" && path != nil:
		t.Fatal("accepted")
	case want != "":
		for _, id := range found {
			if id == want {
				return nil
			}
		}
		t.Fatalf("%v, want %s", found, want)
	}
	return path
}

var allowed = signature.AllSHA2()

// name is one of a row of names.
func name(i int) xpkix.Name { return xpkix.Name{CommonName: string(rune('a' + i))} }

// rewrite changes the content of what was signed, and has the issuer sign it again.
func rewrite(t testing.TB, e, issuer *entity, change func(tbs []byte) []byte) *entity {
	t.Helper()
	tbs := sequence(change(e.RawTBS[headerSize(e.RawTBS):]))
	digest := sha256.Sum256(tbs)
	value := must(issuer.key.Sign(nil, digest[:], crypto.SHA256))
	c, err := pkix.ParseCertificate(sequence(tbs, e.SignatureAlgorithm.Raw, der(cb.BIT_STRING, []byte{0}, value)))
	if err != nil {
		t.Fatal(err)
	}
	return &entity{Certificate: c, template: e.template, key: e.key}
}

// headerSize is the size of tag and length.
func headerSize(element []byte) int {
	s := cryptobyte.String(element)
	var content cryptobyte.String
	var tag cb.Tag
	if !s.ReadAnyASN1(&content, &tag) {
		panic("no element")
	}
	return len(element) - len(content)
}
