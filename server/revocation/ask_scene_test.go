package revocation

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/tashika-jp/tashika/certs"
	"github.com/tashika-jp/tashika/certs/pkix"
	"golang.org/x/crypto/cryptobyte"
	cb "golang.org/x/crypto/cryptobyte/asn1"
)

// What a responder says of a certificate.
const (
	saysGood = iota
	saysRevoked
	saysHold
	saysUnknown
)

// respond answers an OCSP request as of a time, with its nonce, signed by the authority itself. The answer lasts a quarter of an hour,
// as J-LIS's data does.
func (a *authority) respond(request []byte, says int, at time.Time) []byte {
	var certID cryptobyte.String
	rest := cryptobyte.String(request)
	for range 4 { // OCSPRequest, tbsRequest, requestList, Request
		if !rest.ReadASN1(&rest, cb.SEQUENCE) {
			panic("no request")
		}
	}
	rest.ReadASN1Element(&certID, cb.SEQUENCE)
	// The nonce is the last that a request has.
	nonce := request[bytes.LastIndex(request, []byte("\x06\x09\x2b\x06\x01\x05\x05\x07\x30\x01\x02"))-2:]
	tag := func(n uint8) cb.Tag { return cb.Tag(n).ContextSpecific().Constructed() }
	type builder = cryptobyte.Builder
	sequence := func(b *builder, content func(*builder)) { b.AddASN1(cb.SEQUENCE, content) }
	var tbs builder
	sequence(&tbs, func(b *builder) {
		b.AddASN1(tag(1), func(b *builder) { b.AddBytes(a.cert.RawSubject) })
		b.AddASN1GeneralizedTime(at)
		sequence(b, func(b *builder) {
			sequence(b, func(b *builder) {
				b.AddBytes(certID)
				switch says {
				case saysGood:
					b.AddBytes([]byte{0x80, 0})
				case saysUnknown:
					b.AddBytes([]byte{0x82, 0})
				default:
					b.AddASN1(tag(1), func(b *builder) {
						b.AddASN1GeneralizedTime(at.Add(-time.Hour))
						if says == saysHold {
							b.AddASN1(tag(0), func(b *builder) { b.AddASN1Enum(6) })
						}
					})
				}
				b.AddASN1GeneralizedTime(at)
				b.AddASN1(tag(0), func(b *builder) { b.AddASN1GeneralizedTime(at.Add(15 * time.Minute)) })
			})
		})
		b.AddASN1(tag(1), func(b *builder) { sequence(b, func(b *builder) { b.AddBytes(nonce) }) })
	})
	signed := tbs.BytesOrPanic()
	digest := sha256.Sum256(signed)
	signature, err := a.key.Sign(rand.Reader, digest[:], crypto.SHA256)
	if err != nil {
		panic(err)
	}
	var out builder
	sequence(&out, func(b *builder) {
		b.AddASN1Enum(0)
		b.AddASN1(tag(0), func(b *builder) {
			sequence(b, func(b *builder) {
				b.AddASN1ObjectIdentifier([]int{1, 3, 6, 1, 5, 5, 7, 48, 1, 1})
				b.AddASN1(cb.OCTET_STRING, func(b *builder) {
					sequence(b, func(b *builder) {
						b.AddBytes(signed)
						sequence(b, func(b *builder) { b.AddASN1ObjectIdentifier([]int{1, 2, 840, 10045, 4, 3, 2}) })
						b.AddASN1BitString(signature)
					})
				})
			})
		})
	})
	return out.BytesOrPanic()
}

// wire is a responder at the end of no network, as a RoundTripper, so also inside of a synctest bubble.
type wire struct {
	*authority
	clock func() time.Time

	mu     sync.Mutex
	closed int                                                // guarded by mu: times that idle connections were closed
	says   int                                                // guarded by mu
	does   func(*wire, *http.Request) (*http.Response, error) // guarded by mu
	asked  int                                                // guarded by mu
	now    int                                                // guarded by mu: requests under way
	most   int                                                // guarded by mu: of them, ever
}

func (x *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	x.mu.Lock()
	x.asked++
	x.now++
	x.most = max(x.most, x.now)
	does := x.does
	x.mu.Unlock()
	defer func() {
		x.mu.Lock()
		x.now--
		x.mu.Unlock()
	}()
	return does(x, r)
}

// CloseIdleConnections is what a transport does when nothing more is to be expected of them.
func (x *wire) CloseIdleConnections() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.closed++
}

// ServeHTTP is the responder at the end of a network.
func (x *wire) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	x.mu.Lock()
	says := x.says
	x.mu.Unlock()
	w.Header().Set("Content-Type", "application/ocsp-response")
	w.Write(x.respond(body, says, x.clock()))
}

func (x *wire) set(says int, does func(*wire, *http.Request) (*http.Response, error)) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.says, x.does = says, does
}

// requests are those since the last time.
func (x *wire) requests() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	n := x.asked
	x.asked = 0
	return n
}

// What a wire does with a request.

func replying(x *wire, r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	x.ServeHTTP(w, r)
	return w.Result(), r.Context().Err()
}

func hangs(_ *wire, r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

func breaks(*wire, *http.Request) (*http.Response, error) { return nil, errors.New("connection reset") }

func after(d time.Duration) func(*wire, *http.Request) (*http.Response, error) {
	return func(x *wire, r *http.Request) (*http.Response, error) {
		select {
		case <-time.After(d):
			return replying(x, r)
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
}

// replies with whatever it is told.
func replies(code int, kind string, body string) func(*wire, *http.Request) (*http.Response, error) {
	return func(*wire, *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: code, Header: http.Header{"Content-Type": {kind}}, Body: io.NopCloser(bytes.NewReader([]byte(body))),
			ContentLength: int64(len(body))}, nil
	}
}

// counsel is a Living with one responder on a wire, and a count of how questions were settled.
type counsel struct {
	*Living
	t testing.TB
	*wire
	config Config

	settledMu sync.Mutex
	settled   map[OCSPOutcome]int // guarded by settledMu
}

// newCounsel starts at testNow and goes by the machine's clock, which in a bubble is the bubble's.
func newCounsel(t testing.TB, a *authority, change func(*Config)) *counsel {
	t.Helper()
	began := time.Now()
	clock := func() time.Time { return testNow.Add(time.Since(began)) }
	x := &counsel{t: t, wire: &wire{authority: a, clock: clock, does: replying}, settled: map[OCSPOutcome]int{}}
	x.config = Config{Anchors: setOf(t, a), Allow: allow, Logger: quiet, Clock: clock, HTTPClient: &http.Client{Transport: x.wire},
		Responders: []Responder{{Name: "r", URL: "http://ocsp.example/", IssuerKeyID: a.cert.SubjectKeyId}},
		Asked: func(o OCSPOutcome, _ time.Duration) {
			x.settledMu.Lock()
			defer x.settledMu.Unlock()
			x.settled[o]++
		}}
	if change != nil {
		change(&x.config)
	}
	x.Living = start(t, x.config)
	return x
}

// question about a certificate, as a profile with a reuse of half a minute puts it.
func (x *counsel) question(c *pkix.Certificate) certs.Question {
	q := certs.Question{Issuer: x.anchor, Certificate: c, Options: asAProfile, Timeout: 2 * time.Second, Reuse: 30 * time.Second}
	q.Options.At = x.clock()
	return q
}

// expect asks and wants a status, or a finding, and the outcome.
func (x *counsel) expect(what string, q certs.Question, want any, outcome OCSPOutcome) {
	x.t.Helper()
	before := x.count()
	answer, source, found := x.Ask(context.Background(), q)
	switch {
	case source != "r" || (answer == nil) == (len(found) == 0):
		x.t.Errorf("%s: %+v from %q with %v", what, answer, source, found)
	case answer != nil && answer.Status != want, answer == nil && (len(found) != 1 || found[0] != want):
		x.t.Errorf("%s: %+v with %v, want %v", what, answer, found, want)
	}
	before[outcome]++
	if got := x.count(); !maps.Equal(got, before) {
		x.t.Errorf("%s: settled %v, want %v", what, got, before)
	}
}

func (x *counsel) count() map[OCSPOutcome]int {
	x.settledMu.Lock()
	defer x.settledMu.Unlock()
	return maps.Clone(x.settled)
}

func (x *counsel) circuit() Circuit {
	x.t.Helper()
	return sourceState(x.t, x.Living, "r").Circuit
}
