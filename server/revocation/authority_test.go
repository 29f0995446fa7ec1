package revocation

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	stdpkix "crypto/x509/pkix"
	"encoding/asn1"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/tashika-jp/tashika/certs/anchors"
	"github.com/tashika-jp/tashika/certs/pkix"
	"github.com/tashika-jp/tashika/certs/profile"
	"github.com/tashika-jp/tashika/certs/signature"
	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

var (
	allow   = signature.AllowList{signature.ECDSASHA256, signature.PKCS1SHA256}
	testNow = time.Date(2026, 11, 23, 3, 0, 0, 0, time.UTC)
)

// authority is a CA made by crypto/x509, the oracle: all of them have one name, as JPKI's key generations do.
type authority struct {
	key    *ecdsa.PrivateKey
	cert   *x509.Certificate
	anchor *anchors.Anchor
}

var authorityName = stdpkix.Name{Country: []string{"JP"}, Organization: []string{"Test JPKI"}}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	a := new(authority)
	var err error
	if a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: authorityName, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, SignatureAlgorithm: x509.ECDSAWithSHA256,
		NotBefore: testNow.AddDate(-30, 0, 0), NotAfter: testNow.AddDate(9, 0, 0),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, a.key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	a.cert, err = x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	a.anchor = setOf(t, a).All()[0]
	return a
}

func setOf(t testing.TB, all ...*authority) *anchors.Set {
	t.Helper()
	c := anchors.Config{Set: "test", Policies: map[profile.Kind][]pkix.OID{
		profile.MobileAuth: {pkix.MustOID("2.999.1")}, profile.MobileSign: {pkix.MustOID("2.999.2")},
	}}
	for _, a := range all {
		c.Sources = append(c.Sources, anchors.Source{DER: a.cert.Raw, CA: anchors.Auth})
	}
	set, err := anchors.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func nameFrom(t testing.TB, text string) pkix.Name {
	t.Helper()
	n, err := pkix.ParseName(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// point writes [0] DistributionPointName with a directoryName.
func point(b *cryptobyte.Builder, n pkix.Name) {
	context := func(n uint8) cbasn1.Tag { return cbasn1.Tag(n).ContextSpecific().Constructed() }
	b.AddASN1(context(0), func(b *cryptobyte.Builder) {
		b.AddASN1(context(0), func(b *cryptobyte.Builder) {
			b.AddASN1(context(4), func(b *cryptobyte.Builder) { b.AddBytes(n) })
		})
	})
}

// listing says what a list is to be like.
type listing struct {
	number     int64
	thisUpdate time.Time // default testNow
	nextUpdate time.Time // default a day later
	scope      pkix.Name
	onlyCAs    bool
	serials    []int64
	holds      []int64
	released   []int64 // removeFromCRL
	base       int64   // of a delta; 0 for a complete list
}

func (a *authority) list(t testing.TB, o listing) []byte {
	t.Helper()
	if o.thisUpdate.IsZero() {
		o.thisUpdate = testNow
	}
	if o.nextUpdate.IsZero() {
		o.nextUpdate = o.thisUpdate.Add(24 * time.Hour)
	}
	template := &x509.RevocationList{Number: big.NewInt(o.number), ThisUpdate: o.thisUpdate, NextUpdate: o.nextUpdate}
	for _, serial := range o.serials {
		template.RevokedCertificateEntries = append(template.RevokedCertificateEntries,
			x509.RevocationListEntry{SerialNumber: big.NewInt(serial), RevocationTime: o.thisUpdate.Add(-time.Hour)})
	}
	for reason, serials := range map[int][]int64{6: o.holds, 8: o.released} {
		for _, serial := range serials {
			template.RevokedCertificateEntries = append(template.RevokedCertificateEntries,
				x509.RevocationListEntry{SerialNumber: big.NewInt(serial), RevocationTime: o.thisUpdate.Add(-time.Hour), ReasonCode: reason})
		}
	}
	if o.base != 0 {
		var b cryptobyte.Builder
		b.AddASN1Int64(o.base)
		template.ExtraExtensions = append(template.ExtraExtensions, stdpkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 27}, Critical: true, Value: b.BytesOrPanic()})
	}
	if o.scope != nil || o.onlyCAs {
		var b cryptobyte.Builder
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			if o.scope != nil {
				point(b, o.scope)
			}
			if o.onlyCAs {
				b.AddASN1(cbasn1.Tag(2).ContextSpecific(), func(b *cryptobyte.Builder) { b.AddUint8(0xff) })
			}
		})
		template.ExtraExtensions = append(template.ExtraExtensions, stdpkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 28}, Critical: true, Value: b.BytesOrPanic()})
	}
	der, err := x509.CreateRevocationList(rand.Reader, template, a.cert, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// certificate issues one with a directoryName distribution point, or none.
func (a *authority) certificate(t testing.TB, serial int64, scope pkix.Name, ocsp ...string) *pkix.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: stdpkix.Name{CommonName: "a holder's name"},
		NotBefore: testNow.AddDate(-1, 0, 0), NotAfter: testNow.AddDate(1, 0, 0), OCSPServer: ocsp,
	}
	if scope != nil {
		var b cryptobyte.Builder
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { point(b, scope) })
		})
		template.ExtraExtensions = []stdpkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 31}, Value: b.BytesOrPanic()}}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, a.key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := pkix.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// site is a web site that changes, on loopback or, as a RoundTripper, without any network.
type site struct {
	mu       sync.Mutex
	pages    map[string]func(http.ResponseWriter, *http.Request) // guarded by mu
	requests []*http.Request                                     // guarded by mu
}

func newSite() *site { return &site{pages: make(map[string]func(http.ResponseWriter, *http.Request))} }

func (s *site) page(path string, f func(http.ResponseWriter, *http.Request)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pages[path] = f
}

func (s *site) list(path string, der []byte) {
	s.page(path, func(w http.ResponseWriter, r *http.Request) {
		etag := `"` + anchors.Fingerprint(der)[:16] + `"`
		w.Header().Set("ETag", etag)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(der))
	})
}

func (s *site) asked() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.requests)
}

func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.requests = append(s.requests, r)
	f := s.pages[r.URL.Path]
	s.mu.Unlock()
	if f == nil {
		http.NotFound(w, r)
		return
	}
	f(w, r)
}

func (s *site) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return w.Result(), nil
}

// client reaches the site without a network, so also inside a synctest bubble.
func (s *site) client() *http.Client { return &http.Client{Transport: s} }

// hands is a clock moved by hand.
type hands struct {
	mu sync.Mutex
	at time.Time // guarded by mu
}

func (h *hands) now() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.at
}

func (h *hands) set(at time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.at = at
}

// journal takes log lines down.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer // guarded by mu
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

func (j *journal) logger() *slog.Logger {
	return slog.New(slog.NewJSONHandler(j, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

func start(t testing.TB, c Config) *Living {
	t.Helper()
	if c.Allow == nil {
		c.Allow = allow
	}
	if c.Logger == nil {
		c.Logger = quiet
	}
	if c.Clock == nil {
		c.Clock = func() time.Time { return testNow.Add(time.Minute) }
	}
	l, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func refresh(t testing.TB, l *Living) {
	t.Helper()
	if err := l.RefreshAll(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// revoked looks a certificate up as certs.Verify does; the number is empty where no list is authoritative.
func revoked(l *Living, a *authority, c *pkix.Certificate) (revoked bool, number string) {
	x, _ := l.List(a.anchor, c)
	if x == nil {
		return false, ""
	}
	_, revoked, err := x.Lookup(c.SerialNumber)
	if err != nil {
		return false, "damaged"
	}
	return revoked, x.Number()
}

func sourceState(t testing.TB, l *Living, name string) SourceState {
	t.Helper()
	for _, s := range l.Sources() {
		if s.Name == name {
			return s
		}
	}
	t.Fatalf("no source %s among %+v", name, l.Sources())
	return SourceState{}
}

func parseCertificate(t testing.TB, der []byte) *x509.Certificate {
	t.Helper()
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// newBody is a response's.
func newBody(data []byte) io.ReadCloser { return io.NopCloser(bytes.NewReader(data)) }
