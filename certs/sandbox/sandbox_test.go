package sandbox

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"
)

// A testClock is moved by hand; no test sleeps.
type testClock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *testClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *testClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

var testNow = time.Date(2026, 11, 23, 3, 0, 0, 0, time.UTC)

// pool is shared by all worlds of the tests; nothing here depends on who has which key.
var pool = NewKeyPool(KeyPoolConfig{Ahead: 4})

// A fixture is a world, its clock and its HTTP server.
type fixture struct {
	*World
	clock *testClock
	url   string
}

func newFixture(t testing.TB, c Config) *fixture {
	t.Helper()
	clock := &testClock{t: testNow}
	f := &fixture{clock: clock}
	if c.Clock == nil {
		c.Clock = clock.now
	}
	c.Keys = pool
	w, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(w.Handler())
	t.Cleanup(s.Close)
	if err := w.SetPublicURL(s.URL); err != nil {
		t.Fatal(err)
	}
	f.World, f.url = w, s.URL
	return f
}

// shared is the world of the tests that neither move the clock nor set faults,
// each with holders of its own.
var shared = sync.OnceValues(func() (*fixture, error) {
	clock := &testClock{t: testNow}
	w, err := New(Config{Clock: clock.now, Keys: pool})
	if err != nil {
		return nil, err
	}
	s := httptest.NewServer(w.Handler()) // lives as long as the test binary
	return &fixture{w, clock, s.URL}, w.SetPublicURL(s.URL)
})

func theWorld(t testing.TB) *fixture {
	t.Helper()
	f, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	return f
}

var holderCount = 100 // beyond the curated ones

func someone() Holder {
	holderCount++
	return HolderN(holderCount)
}

func (f *fixture) phone(t testing.TB, o IssueOptions) *Phone {
	t.Helper()
	p, err := f.Issue(someone(), o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (f *fixture) issuer(t testing.TB, c Certificate) *x509.Certificate {
	t.Helper()
	for _, a := range f.Anchors() {
		if a.Authority == c.Authority && a.Generation == c.Generation {
			return parse(t, a.DER)
		}
	}
	t.Fatal("no anchor")
	return nil
}

func parse(t testing.TB, der []byte) *x509.Certificate {
	t.Helper()
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// fetch gets a served thing and its response.
func fetch(t testing.TB, url string, header ...string) (*http.Response, []byte) {
	t.Helper()
	r, err := http.NewRequest("GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, body
}

// listed is what the certificate's list, fetched over HTTP and checked by
// crypto/x509, says: the entry's reason, or -1 for no entry.
func (f *fixture) listed(t testing.TB, c Certificate) Reason {
	t.Helper()
	_, der := fetch(t, f.url+c.List().Path())
	l, err := x509.ParseRevocationList(der)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.CheckSignatureFrom(f.issuer(t, c)); err != nil {
		t.Fatal(err)
	}
	for _, e := range l.RevokedCertificateEntries {
		if e.SerialNumber.IsUint64() && e.SerialNumber.Uint64() == c.Serial {
			return Reason(e.ReasonCode)
		}
	}
	return -1
}

// asked is what the responder says, over HTTP, checked by x/crypto/ocsp.
func (f *fixture) asked(t testing.TB, c Certificate) *ocsp.Response {
	t.Helper()
	cert, issuer := parse(t, c.DER), f.issuer(t, c)
	req, err := ocsp.CreateRequest(cert, issuer, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.Post(cert.OCSPServer[0], "application/ocsp-request", bytes.NewReader(req))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	der, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	r, err := ocsp.ParseResponseForCert(der, cert, issuer)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

const notListed Reason = -1

// expect checks one certificate through register, list and responder.
func (f *fixture) expect(t testing.TB, what string, c Certificate, want Status, reason Reason) {
	t.Helper()
	state, ok := f.Status(c.Authority, c.Serial)
	if !ok || state.Status != want || (want != Good && state.Reason != reason) {
		t.Errorf("%s: register says %v (%v), want %v (%v)", what, state.Status, state.Reason, want, reason)
	}
	wantList := reason
	if want == Good {
		wantList = notListed
	}
	if got := f.listed(t, c); got != wantList {
		t.Errorf("%s: list says %v, want %v", what, got, wantList)
	}
	r := f.asked(t, c)
	switch {
	case want == Good && r.Status != ocsp.Good:
		t.Errorf("%s: responder says %d, want good", what, r.Status)
	case want != Good && (r.Status != ocsp.Revoked || Reason(r.RevocationReason) != reason):
		t.Errorf("%s: responder says %d (%d), want revoked (%v)", what, r.Status, r.RevocationReason, reason)
	}
}

func writePEM(t testing.TB, dir, file, kind string, ders ...[]byte) string {
	t.Helper()
	var b bytes.Buffer
	for _, der := range ders {
		if err := pem.Encode(&b, &pem.Block{Type: kind, Bytes: der}); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, file)
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
