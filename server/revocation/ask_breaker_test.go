package revocation

import (
	"context"
	"crypto"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tashika-jp/tashika/certs/ocsp"
	"github.com/tashika-jp/tashika/certs/signature"
)

// TestBreaker plays a circuit: what opens it, who tries, and how long the rest waits.
func TestBreaker(t *testing.T) {
	now := testNow
	var b breaker
	one := func(failed bool) {
		t.Helper()
		probe, refused := b.enter(now, 3)
		if refused != "" || probe {
			t.Fatalf("refused %q, probe %v", refused, probe)
		}
		b.leave(now, probe, failed, 0)
	}
	want := func(what string, c Circuit) {
		t.Helper()
		if got := b.circuit(now); got != c {
			t.Fatalf("%s: %v, want %v", what, got, c)
		}
	}
	for range tripRow - 1 {
		one(true)
	}
	one(false)
	for range tripRow - 1 {
		one(true)
	}
	want("never as many in a row", CircuitClosed)
	one(true)
	want("in a row", CircuitOpen)
	for wait := firstWait; wait < 5*time.Minute; wait *= 2 {
		wait := min(wait, lastWait)
		if _, refused := b.enter(now.Add(wait/2-1), 3); refused != OCSPRefused {
			t.Fatalf("%v: %q before its time", wait, refused)
		}
		now = now.Add(wait / 2) // without jitter, the half of it
		want("over", CircuitHalfOpen)
		probe, refused := b.enter(now, 3)
		if !probe || refused != "" {
			t.Fatalf("%v: refused %q, probe %v", wait, refused, probe)
		}
		if _, refused := b.enter(now, 3); refused != OCSPRefused {
			t.Fatal("two try at once")
		}
		want("one tries", CircuitHalfOpen)
		if changed, _ := b.leave(now, true, true, 0); changed {
			t.Fatal("it opened again without having been closed")
		}
		want("it fails", CircuitOpen)
	}
	now = now.Add(-24 * time.Hour)
	want("a clock that stepped back", CircuitHalfOpen)
	if probe, _ := b.enter(now, 3); !probe {
		t.Fatal("nobody tries")
	}
	if changed, wait := b.leave(now, true, false, 0); !changed || wait != 0 {
		t.Fatal("it is not said that it closed")
	}
	want("it answers", CircuitClosed)

	// A share of failures, never in a row.
	for n := range 4 * tripWindow {
		one(n%3 == 0) // a third
	}
	want("a third fails", CircuitClosed)
	for n := 0; n < 2*tripWindow && b.circuit(now) == CircuitClosed; n++ {
		one(n%2 == 0)
	}
	want("half fails", CircuitOpen)
	if got := b.until.Sub(now); got != firstWait/2 {
		t.Errorf("a circuit that was closed opens for %v", got)
	}

	// Those under way when it opened say nothing new, whatever comes of them.
	b = breaker{}
	for range 3 {
		b.enter(now, 3)
	}
	if _, refused := b.enter(now, 3); refused != OCSPBusy {
		t.Errorf("a fourth of three: %q", refused)
	}
	b.leave(now, false, false, 0)
	for range tripRow {
		one(true)
	}
	until := b.until
	b.leave(now, false, true, 0)
	b.leave(now, false, false, 0)
	if want("late ones", CircuitOpen); b.until != until || b.asking != 0 {
		t.Errorf("until %v and not %v, %d under way", b.until, until, b.asking)
	}
}

// TestWhatOpensTheCircuit: silence of the responder and what is no OCSP response, and nothing that a caller or a
// certificate can bring about.
func TestWhatOpensTheCircuit(t *testing.T) {
	a := newAuthority(t)
	const kind = "application/ocsp-response"
	for _, test := range []struct {
		name  string
		opens bool
		does  func(*wire, *http.Request) (*http.Response, error)
	}{
		{"hangs", true, hangs},
		{"no connection", true, breaks},
		{"500", true, replies(500, kind, "")},
		{"503", true, replies(503, kind, "")},
		{"429", true, replies(429, kind, "")},
		{"redirect", true, replies(302, kind, "")},
		{"page", true, replies(200, "text/html", "please log in")},
		{"rubbish", true, replies(200, kind, "rubbish")},
		{"nothing", true, replies(200, kind, "")},
		{"huge", true, replies(200, kind, strings.Repeat("x", maxResponse+1))},
		{"try later", true, replies(200, kind, "\x30\x03\x0a\x01\x03")},
		{"internal error", true, replies(200, kind, "\x30\x03\x0a\x01\x02")},
		{"malformed request", false, replies(200, kind, "\x30\x03\x0a\x01\x01")},
		{"unauthorized", false, replies(200, kind, "\x30\x03\x0a\x01\x06")},
		{"404", false, replies(404, kind, "")},
		{"400", false, replies(400, kind, "")},
		{"good", false, replying},
		{"slow, but in time", false, after(1900 * time.Millisecond)},
		{"another's nonce", false, func(x *wire, r *http.Request) (*http.Response, error) {
			request, err := ocsp.NewRequest(a.certificate(t, 1, nil), a.anchor.Certificate, crypto.SHA1, make([]byte, nonceSize))
			if err != nil {
				return nil, err
			}
			return replies(200, kind, string(x.respond(request.DER, saysGood, x.clock())))(x, r)
		}},
	} {
		c := a.certificate(t, 10, nil)
		synctest.Test(t, func(t *testing.T) {
			x := newCounsel(t, a, nil)
			x.set(saysGood, test.does)
			for range 3 * tripRow {
				q := x.question(c)
				q.Reuse = 0
				x.Ask(t.Context(), q)
				synctest.Wait()
			}
			if got := x.circuit(); (got == CircuitOpen) != test.opens {
				t.Errorf("%s: circuit %v", test.name, got)
			}
			if want := map[bool]int{false: 3 * tripRow, true: tripRow}[test.opens]; x.requests() != want {
				t.Errorf("%s: not %d requests", test.name, want)
			}
		})
	}
	// What callers can do: demand what no answer has, ask about what the responder does not know, have no time, go away.
	synctest.Test(t, func(t *testing.T) {
		x := newCounsel(t, a, nil)
		for n := range 50 {
			q := x.question(a.certificate(t, int64(100+n), nil))
			q.Reuse = 0
			q.Options.MaxAge = 1
			q.Options.Allow = signature.AllowList{signature.PKCS1SHA256}
			x.set(saysUnknown, replying)
			x.Ask(t.Context(), q)
			x.set(saysGood, after(time.Second))
			short, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			x.Ask(short, q)
			cancel()
			gone, leave := context.WithCancel(t.Context())
			go x.Ask(gone, q)
			synctest.Wait()
			leave()
			time.Sleep(time.Second)
		}
		if x.circuit() != CircuitClosed || x.requests() != 100 {
			t.Errorf("circuit %v", x.circuit())
		}
	})
}

// TestAddressesOfCertificates: one that does not answer is no other's fault, and there are not too many of them.
func TestAddressesOfCertificates(t *testing.T) {
	a := newAuthority(t)
	dead, alive := a.certificate(t, 10, nil, "http://dead.example/ocsp"), a.certificate(t, 11, nil, "http://alive.example/ocsp")
	synctest.Test(t, func(t *testing.T) {
		x := newCounsel(t, a, func(c *Config) { c.Responders, c.AllowAIA = nil, true })
		x.set(saysGood, func(x *wire, r *http.Request) (*http.Response, error) {
			if r.URL.Host == "dead.example" {
				return breaks(x, r)
			}
			return replying(x, r)
		})
		live := x.question(alive)
		live.Reuse = 0
		for range 2 * tripRow {
			x.Ask(t.Context(), x.question(dead))
			if answer, source, found := x.Ask(t.Context(), live); answer == nil || source != aiaName {
				t.Errorf("%+v from %q with %v", answer, source, found)
			}
		}
		if n := x.requests(); n != 3*tripRow {
			t.Errorf("%d requests", n)
		}
		if s := sourceState(t, x.Living, aiaName); s.Circuit != CircuitOpen {
			t.Errorf("circuit %v", s.Circuit)
		}
	})
	var all breakers
	busy := all.of("http://busy.example/")
	busy.enter(testNow, 1)
	for n := range 3 * maxBreakers {
		if all.of(fmt.Sprintf("http://host-%d.example/", n)) == nil || len(all.byID) > maxBreakers {
			t.Fatalf("%d breakers", len(all.byID))
		}
	}
	if all.of("http://busy.example/other/path") != busy {
		t.Error("one that is at work was given up")
	}
	for n := range 3 * maxBreakers {
		if b := all.of(fmt.Sprintf("http://busy-%d.example/", n)); b != nil {
			b.enter(testNow, 1)
		}
	}
	if all.of("http://one-more.example/") != nil || len(all.byID) != maxBreakers {
		t.Errorf("%d breakers, all at work, and one more", len(all.byID))
	}
}

// TestReloadKeepsTheCircuit: a responder that does not answer is not forgotten with a new configuration, unless it is another.
func TestReloadKeepsTheCircuit(t *testing.T) {
	a := newAuthority(t)
	c := a.certificate(t, 10, nil)
	synctest.Test(t, func(t *testing.T) {
		x := newCounsel(t, a, nil)
		x.set(saysGood, breaks)
		for range tripRow {
			x.Ask(t.Context(), x.question(c))
			synctest.Wait()
		}
		next := x.config
		for _, test := range []struct {
			url  string
			want Circuit
		}{{next.Responders[0].URL, CircuitOpen}, {"http://other.example/", CircuitClosed}} {
			next.Responders = []Responder{{Name: "r", URL: test.url, IssuerKeyID: a.cert.SubjectKeyId}}
			if err := x.Reconfigure(next); err != nil {
				t.Fatal(err)
			}
			if got := x.circuit(); got != test.want {
				t.Errorf("circuit %v, want %v", got, test.want)
			}
		}
	})
}
