package revocation

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/tashika-jp/tashika/certs"
	"github.com/tashika-jp/tashika/certs/ocsp"
	"github.com/tashika-jp/tashika/certs/pkix"
)

// counted is a responder on loopback that counts its connections.
func counted(t *testing.T, secure bool, h http.Handler) (s *httptest.Server, connections *atomic.Int64) {
	t.Helper()
	s, connections = httptest.NewUnstartedServer(h), new(atomic.Int64)
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	if s.EnableHTTP2 = secure; secure {
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	return s, connections
}

// TestConnections: questions share connections, one after the other and at once, whatever they are answered.
func TestConnections(t *testing.T) {
	a := newAuthority(t)
	var people []*pkix.Certificate
	for n := range 40 {
		people = append(people, a.certificate(t, 1000+int64(n), nil))
	}
	const most = 8
	var x *counsel
	var bad atomic.Int64 // answers that are none, still to be given
	var version atomic.Int64
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		version.Store(int64(r.ProtoMajor))
		switch n := bad.Add(-1); {
		case n < 0:
			x.wire.ServeHTTP(w, r)
		case n%3 == 0:
			http.Error(w, "not now", http.StatusNotFound)
		case n%3 == 1:
			w.Write([]byte("<html>please log in</html>"))
		default:
			w.Header().Set("Content-Type", "application/ocsp-response")
			w.Write(make([]byte, maxResponse/2))
		}
	})
	for name, secure := range map[string]bool{"HTTP/1.1": false, "HTTP/2": true} {
		s, connections := counted(t, secure, handler)
		x = newCounsel(t, a, func(c *Config) {
			c.HTTPClient, c.OCSPMaxConcurrent, c.Responders[0].URL = nil, most, s.URL
		})
		if secure {
			roots := x509.NewCertPool()
			roots.AddCert(s.Certificate())
			x.conf.Load().asking.Transport.(*http.Transport).TLSClientConfig = &tls.Config{RootCAs: roots}
		}
		ask := func(c *pkix.Certificate) bool {
			answer, _, _ := x.Ask(context.Background(), certs.Question{Issuer: a.anchor, Certificate: c, Options: asAProfile})
			return answer != nil && answer.Status == ocsp.Good
		}
		for _, c := range people {
			if !ask(c) {
				t.Errorf("%s: no answer", name)
			}
		}
		bad.Store(4) // as many as do not open the circuit
		for range 4 {
			ask(people[0])
		}
		if !ask(people[0]) {
			t.Errorf("%s: no answer after what is none", name)
		}
		if n := connections.Load(); n != 1 {
			t.Errorf("%s: %d connections for questions one after the other", name, n)
		}
		var crowd sync.WaitGroup
		for from := range most {
			crowd.Go(func() {
				for range 20 {
					for n := from; n < len(people); n += most {
						if !ask(people[n]) {
							t.Errorf("%s: no answer in the crowd", name)
						}
					}
				}
			})
		}
		crowd.Wait()
		// Who asks a moment before the last answer's connection is back dials another.
		if n, want := connections.Load(), map[bool]int64{false: 4 * most, true: 1}[secure]; n > want {
			t.Errorf("%s: %d connections for %d questions, %d at once, want at most %d", name, n, 20*len(people), most, want)
		}
		if want := map[bool]int64{false: 1, true: 2}[secure]; version.Load() != want {
			t.Errorf("%s: spoke HTTP/%d", name, version.Load())
		}
	}
}

// TestConnectionGivenUp: a responder that ends an idle connection just as it is used has not failed.
func TestConnectionGivenUp(t *testing.T) {
	a := newAuthority(t)
	c := a.certificate(t, 10, nil)
	var x *counsel
	var used sync.Map // addresses of clients that were answered
	s, connections := counted(t, false, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, again := used.LoadOrStore(r.RemoteAddr, true); !again {
			x.wire.ServeHTTP(w, r)
			return
		}
		if conn, _, err := w.(http.Hijacker).Hijack(); err == nil {
			conn.Close()
		}
	}))
	x = newCounsel(t, a, func(c *Config) { c.HTTPClient, c.Responders[0].URL = nil, s.URL })
	for range 20 {
		q := x.question(c)
		q.Reuse = 0
		x.expect("on a connection that is given up", q, ocsp.Good, OCSPAsked)
	}
	if n := connections.Load(); n != 20 {
		t.Errorf("%d connections: nothing was given up", n)
	}
}
