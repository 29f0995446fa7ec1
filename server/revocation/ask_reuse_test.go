package revocation

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tashika-jp/tashika/certs"
	"github.com/tashika-jp/tashika/certs/ocsp"
	"github.com/tashika-jp/tashika/certs/reason"
	"github.com/tashika-jp/tashika/certs/signature"
)

// TestReuse: an answer is used again while the profile of who asks says so, and not otherwise.
func TestReuse(t *testing.T) {
	a := newAuthority(t)
	c, other := a.certificate(t, 10, nil), a.certificate(t, 11, nil)
	synctest.Test(t, func(t *testing.T) {
		x := newCounsel(t, a, nil)
		x.expect("first", x.question(c), ocsp.Good, OCSPAsked)
		first, _, _ := x.Ask(t.Context(), x.question(c))
		time.Sleep(29 * time.Second)
		x.set(saysHold, replying)
		x.expect("again", x.question(c), ocsp.Good, OCSPCached)
		if again, _, _ := x.Ask(t.Context(), x.question(c)); again.ThisUpdate != first.ThisUpdate {
			t.Errorf("it is made younger: %v, %v", first.ThisUpdate, again.ThisUpdate)
		}
		x.expect("of another certificate", x.question(other), ocsp.Revoked, OCSPAsked)
		live := x.question(c)
		live.Reuse = 0
		x.expect("live", live, ocsp.Revoked, OCSPAsked)
		shorter := x.question(c)
		shorter.Reuse = 20 * time.Second
		x.expect("the use has a shorter one", shorter, ocsp.Revoked, OCSPAsked)
		if n := x.requests(); n != 4 {
			t.Errorf("%d requests", n)
		}
		// What was asked for last is kept. A hold is kept as long as a good one, and what was released is seen then.
		x.set(saysGood, replying)
		time.Sleep(20*time.Second + 1)
		shorter.Options.At = x.clock()
		x.expect("released", shorter, ocsp.Good, OCSPAsked)

		// What does not say anything of the certificate is not kept.
		third := a.certificate(t, 12, nil)
		x.set(saysUnknown, replying)
		x.expect("unknown", x.question(third), ocsp.Unknown, OCSPAsked)
		x.set(saysGood, breaks)
		x.expect("failed", x.question(third), reason.OCSPUnavailable, OCSPFailed)
		x.set(saysGood, replying)
		live = x.question(third)
		live.Reuse = 0
		x.expect("known now", live, ocsp.Good, OCSPAsked)
		x.expect("and not kept by who wants it live", x.question(third), ocsp.Good, OCSPAsked)
		x.expect("but by who does not", x.question(third), ocsp.Good, OCSPCached)
	})
}

// TestReuseStands: what was kept for one use is asked again what another demands.
func TestReuseStands(t *testing.T) {
	a := newAuthority(t)
	synctest.Test(t, func(t *testing.T) {
		x := newCounsel(t, a, nil)
		long := func(serial int64) certs.Question {
			q := x.question(a.certificate(t, serial, nil))
			q.Reuse = time.Hour
			x.expect("first", q, ocsp.Good, OCSPAsked)
			q.Options.At = x.clock()
			return q
		}
		later := func(q certs.Question, d time.Duration) certs.Question {
			time.Sleep(d)
			q.Options.At = x.clock()
			return q
		}
		q := later(long(20), time.Minute)
		x.expect("a minute later", q, ocsp.Good, OCSPCached)
		q.Options.MaxAge = 30 * time.Second
		x.expect("of half a minute", q, ocsp.Good, OCSPAsked)
		q = later(long(21), 16*time.Minute+time.Second)
		x.expect("past nextUpdate and the skew", q, ocsp.Good, OCSPAsked)
		q = long(22)
		q.Options.Allow = signature.AllowList{signature.PKCS1SHA256}
		x.expect("an algorithm that the use does not allow", q, reason.OCSPAlgorithmRefused, OCSPFailed)
		q = later(long(23), time.Minute)
		q.Options.At = testNow.Add(-2 * time.Hour)
		if answer, _, found := x.Ask(t.Context(), q); answer != nil || found[0] != reason.OCSPNotYetValid {
			t.Errorf("a clock that stepped back: %+v %v", answer, found)
		}
		// Another configuration may trust others: it begins with nothing.
		q = long(24)
		if err := x.Reconfigure(x.config); err != nil {
			t.Fatal(err)
		}
		x.expect("after a reload", q, ocsp.Good, OCSPAsked)
	})
}

// TestAnswersAreBounded: in number, whatever is asked, and the oldest go first.
func TestAnswersAreBounded(t *testing.T) {
	var a answers
	answer := &ocsp.Answer{Status: ocsp.Good}
	of := func(n int) subject { return subject{certificate: [32]byte{byte(n), byte(n >> 8), byte(n >> 16)}} }
	for n := range 3 * maxAnswers {
		a.keep(of(n), answer, testNow.Add(time.Duration(n)), time.Hour)
		a.keep(of(n/2), answer, testNow.Add(time.Duration(n)), time.Hour) // asked for again
		if len(a.by) > maxAnswers || len(a.order) > maxAnswers {
			t.Fatalf("%d answers are kept, %d in order", len(a.by), len(a.order))
		}
	}
	if _, ok := a.by[of(3*maxAnswers-1)]; !ok {
		t.Error("the newest is not kept")
	}
	if _, ok := a.by[of(maxAnswers/2-2)]; ok {
		t.Error("the oldest is kept")
	}
	for s := range a.by { // nothing is kept that nothing will take out
		found := false
		for _, o := range a.order[:min(len(a.order), 200)] {
			found = found || o.subject == s
		}
		if found {
			return
		}
	}
	t.Error("what is kept is not in the order")
}

func BenchmarkAsk(b *testing.B) {
	a := newAuthority(b)
	c := a.certificate(b, 10, nil)
	live := newCounsel(b, a, nil)
	base := serveOn(b, live.wire)
	x := newCounsel(b, a, func(c *Config) { c.HTTPClient, c.Responders[0].URL = nil, base })
	ask := func(b *testing.B, q *certs.Question) {
		if answer, _, found := x.Ask(context.Background(), *q); answer == nil {
			b.Fatal(found)
		}
	}
	b.Run("asked", func(b *testing.B) {
		b.ReportAllocs()
		q := x.question(c)
		q.Reuse = 0
		for b.Loop() {
			ask(b, &q)
		}
	})
	q := x.question(c)
	q.Reuse = time.Hour
	ask(b, &q)
	b.Run("cached", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			ask(b, &q)
		}
	})
	b.Run("cached, parallel", func(b *testing.B) {
		b.RunParallel(func(p *testing.PB) {
			for p.Next() {
				ask(b, &q)
			}
		})
	})
}
