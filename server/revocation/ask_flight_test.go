package revocation

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tashika-jp/tashika/certs"
	"github.com/tashika-jp/tashika/certs/ocsp"
	"github.com/tashika-jp/tashika/certs/pkix"
	"github.com/tashika-jp/tashika/certs/reason"
	"github.com/tashika-jp/tashika/certs/signature"
)

// TestShared: many questions about one certificate are one request, and who goes away takes it from nobody.
func TestShared(t *testing.T) {
	a := newAuthority(t)
	c := a.certificate(t, 10, nil)
	synctest.Test(t, func(t *testing.T) {
		x := newCounsel(t, a, nil)
		x.set(saysGood, after(time.Second))
		first, leave := context.WithCancel(t.Context())
		began := time.Now()
		var all sync.WaitGroup
		put := func(what string, ctx context.Context, q certs.Question, want reason.ID, took time.Duration) {
			all.Go(func() {
				answer, _, found := x.Ask(ctx, q)
				if want == "" && (answer == nil || answer.Status != ocsp.Good) || want != "" && (answer != nil || !slices.Equal(found, []reason.ID{want})) {
					t.Errorf("%s: %+v %v", what, answer, found)
				}
				if got := time.Since(began); got != took {
					t.Errorf("%s: after %v, want %v", what, got, took)
				}
			})
			synctest.Wait() // it is waiting
		}
		q := x.question(c)
		q.Reuse = 0
		put("who began it and goes", first, q, reason.OCSPUnavailable, 300*time.Millisecond)
		for range 100 {
			put("who waits", t.Context(), q, "", time.Second)
		}
		short, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		put("who has little time", short, q, reason.OCSPUnavailable, 450*time.Millisecond)
		strict := q
		strict.Options.Allow = signature.AllowList{signature.PKCS1SHA256}
		put("who allows less", t.Context(), strict, reason.OCSPAlgorithmRefused, time.Second)
		if n := x.requests(); n != 1 {
			t.Errorf("%d requests of those that share", n)
		}
		impatient := q
		impatient.Timeout = 700 * time.Millisecond
		put("of another patience", t.Context(), impatient, reason.OCSPUnavailable, 700*time.Millisecond)
		if n := x.requests(); n != 1 {
			t.Errorf("%d requests of another patience", n)
		}
		time.Sleep(300 * time.Millisecond)
		leave()
		all.Wait()
		landed(t, x.Living)
		want := map[OCSPOutcome]int{OCSPShared: 100, OCSPLate: 2, OCSPFailed: 2}
		for outcome, n := range x.count() {
			if want[outcome] != n {
				t.Errorf("%s: %d, want %d", outcome, n, want[outcome])
			}
		}
	})
}

// TestLateAnswerIsKept: what comes when nobody waits any more is there for the caller's second try.
func TestLateAnswerIsKept(t *testing.T) {
	a := newAuthority(t)
	c := a.certificate(t, 10, nil)
	synctest.Test(t, func(t *testing.T) {
		x := newCounsel(t, a, nil)
		x.set(saysRevoked, after(time.Second))
		short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if answer, _, found := x.Ask(short, x.question(c)); answer != nil || found[0] != reason.OCSPUnavailable || short.Err() != nil {
			t.Errorf("%+v %v, %v", answer, found, short.Err())
		}
		time.Sleep(2 * time.Second)
		x.expect("second try", x.question(c), ocsp.Revoked, OCSPCached)
	})
}

// TestPatience: a question leaves its caller time to answer, and is not put where there is none.
func TestPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for left, want := range map[time.Duration]time.Duration{
			time.Minute:             2 * time.Second,
			2100 * time.Millisecond: 2 * time.Second,
			2 * time.Second:         1900 * time.Millisecond,
			time.Second:             900 * time.Millisecond,
			100 * time.Millisecond:  90 * time.Millisecond,
			20 * time.Millisecond:   15 * time.Millisecond,
			5 * time.Millisecond:    0,
			0:                       0,
		} {
			ctx, cancel := context.WithTimeout(t.Context(), left)
			if got := patience(ctx, 2*time.Second); got != want {
				t.Errorf("%v left: waits %v, want %v", left, got, want)
			}
			cancel()
		}
		if got := patience(t.Context(), 2*time.Second); got != 2*time.Second {
			t.Errorf("without a deadline: %v", got)
		}
		a := newAuthority(t)
		x := newCounsel(t, a, nil)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
		defer cancel()
		if _, _, found := x.Ask(ctx, x.question(a.certificate(t, 10, nil))); found[0] != reason.OCSPUnavailable || x.requests() != 0 || x.count()[OCSPLate] != 1 {
			t.Errorf("without time: %v, settled %v", found, x.count())
		}
	})
}

// TestOutage: a responder that hangs. No question takes longer than the profile allows, few take any time, and none is
// lost when it is back.
func TestOutage(t *testing.T) {
	a := newAuthority(t)
	var people []*pkix.Certificate
	for n := range 100 {
		people = append(people, a.certificate(t, 1000+int64(n), nil))
	}
	synctest.Test(t, func(t *testing.T) {
		logs := new(journal)
		x := newCounsel(t, a, func(c *Config) { c.OCSPMaxConcurrent, c.Logger = 16, logs.logger() })
		x.set(saysGood, hangs)
		var mu sync.Mutex
		waits := map[time.Duration]int{}
		rush := func() {
			var all sync.WaitGroup
			for _, c := range people {
				all.Go(func() {
					began := time.Now()
					_, _, found := x.Ask(t.Context(), x.question(c))
					mu.Lock()
					defer mu.Unlock()
					if waits[time.Since(began)]++; len(found) > 0 && !slices.Equal(found, []reason.ID{reason.OCSPUnavailable}) {
						t.Errorf("%v", found)
					}
				})
			}
			all.Wait()
			synctest.Wait()
		}
		// At first as many wait as may, and the others go without.
		rush()
		if waits[2*time.Second] != 16 || waits[0] != len(people)-16 || x.requests() != 16 || x.count()[OCSPBusy] != len(people)-16 {
			t.Errorf("waited %v, settled %v", waits, x.count())
		}
		if x.circuit() != CircuitOpen || x.wire.closed != 1 {
			t.Errorf("circuit %v, idle connections closed %d times", x.circuit(), x.wire.closed)
		}
		// From then on nobody but who tries whether it is back.
		clear(waits)
		for range 300 { // ten minutes
			rush()
			time.Sleep(2 * time.Second)
		}
		tried := x.requests()
		if waits[2*time.Second] != tried || waits[0] != 300*len(people)-tried || tried < 20 || tried > 50 {
			t.Errorf("waited %v, %d requests", waits, tried)
		}
		// Back: half a minute at most, and a single good answer.
		x.set(saysGood, replying)
		clear(waits)
		time.Sleep(30 * time.Second)
		if x.circuit() != CircuitHalfOpen {
			t.Errorf("circuit %v", x.circuit())
		}
		x.expect("who tries", x.question(people[0]), ocsp.Good, OCSPAsked)
		if x.circuit() != CircuitClosed {
			t.Errorf("circuit %v", x.circuit())
		}
		for _, c := range people[1:] {
			x.expect("after it", x.question(c), ocsp.Good, OCSPAsked)
		}
		text := logs.String()
		for message, want := range map[string]int{"is not asked for a while": 1, "is asked again": 1, "responder fails": 1, "answers again": 1} {
			if n := strings.Count(text, message); n != want {
				t.Errorf("%q is logged %d times, want %d", message, n, want)
			}
		}
	})
}

// TestFlightThatPanics ends nothing but itself.
func TestFlightThatPanics(t *testing.T) {
	a := newAuthority(t)
	c := a.certificate(t, 10, nil)
	synctest.Test(t, func(t *testing.T) {
		logs := new(journal)
		x := newCounsel(t, a, func(c *Config) { c.Logger = logs.logger() })
		x.set(saysGood, func(*wire, *http.Request) (*http.Response, error) { panic("a secret") })
		x.expect("panic", x.question(c), reason.OCSPFormatFailure, OCSPFailed)
		if text := logs.String(); strings.Contains(text, "secret") || !strings.Contains(text, `"panic":"a string"`) {
			t.Errorf("logged %s", text)
		}
		x.set(saysGood, replying)
		x.expect("after it", x.question(c), ocsp.Good, OCSPAsked)
	})
}
