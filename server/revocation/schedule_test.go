package revocation

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestWait(t *testing.T) {
	c := &conf{Config: Config{RetryMin: 30 * time.Second, Random: func() float64 { return 0 }}}
	s := &Source{URL: "http://ca.example/", Period: time.Hour, Jitter: 0.1}
	for _, test := range []struct {
		streak int
		left   time.Duration // 0: no list
		want   time.Duration
	}{
		{0, 0, time.Hour}, {0, 24 * time.Hour, time.Hour}, {0, time.Hour, 30 * time.Minute}, {0, 10 * time.Minute, 5 * time.Minute},
		{0, 10 * time.Second, 30 * time.Second},
		{1, 0, 30 * time.Second}, {2, 0, time.Minute}, {3, time.Hour, 2 * time.Minute}, {7, 0, 32 * time.Minute}, {8, 0, time.Hour}, {500, 0, time.Hour},
	} {
		if got := c.wait(s, test.streak, test.left, test.left > 0); got != test.want {
			t.Errorf("%+v: %v", test, got)
		}
	}
	c.Random = func() float64 { return 0.5 }
	if got := c.wait(s, 0, 0, false); got != 57*time.Minute {
		t.Errorf("jittered: %v", got)
	}
}

// TestRun: a day in the life of a list, in the bubble's time.
func TestRun(t *testing.T) {
	a := newAuthority(t)
	synctest.Test(t, func(t *testing.T) {
		s, logs := newSite(), new(journal)
		began := time.Now()
		publish := func(number int64) { s.list("/", a.list(t, listing{number: number, thisUpdate: time.Now()})) }
		publish(1)
		l := start(t, Config{Anchors: setOf(t, a), HTTPClient: s.client(), Clock: time.Now, Logger: logs.logger(), Random: func() float64 { return 0 },
			Sources: []Source{{Name: "x", URL: "http://ca.example/", Required: true}}})
		if l.Ready(time.Now()) {
			t.Error("ready without a list")
		}
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error)
		go func() { ended <- l.Run(ctx) }()
		synctest.Wait()
		if !l.Ready(time.Now()) || s.asked() != 1 {
			t.Errorf("ready %v after %d requests", l.Ready(time.Now()), s.asked())
		}
		if err := l.Run(ctx); err == nil {
			t.Error("two runs at once")
		}
		time.Sleep(20*time.Hour + time.Minute)
		if got := s.asked(); got != 21 {
			t.Errorf("%d requests in 20 hours", got)
		}
		// Nothing new comes: more often towards the end, stale after it, backing off then.
		s.page("/", http.NotFound)
		time.Sleep(time.Until(began.Add(24*time.Hour + 2*time.Second)))
		synctest.Wait()
		if s := sourceState(t, l, "x"); s.State != Stale || l.Ready(time.Now()) || s.Number != "1" || s.Failure != FetchStatus {
			t.Errorf("%+v", s)
		}
		if !strings.Contains(logs.String(), `"level":"ERROR","msg":"revocation source changed its state","source":"x","state":"stale"`) {
			t.Errorf("going stale is not said:\n%s", logs)
		}
		publish(2)
		time.Sleep(time.Hour)
		synctest.Wait()
		if s := sourceState(t, l, "x"); s.State != Fresh || !l.Ready(time.Now()) || s.Number != "2" {
			t.Errorf("%+v", s)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if s := sourceState(t, l, "x"); s.Failure != FetchStatus {
			t.Errorf("stopping is no failure: %+v", s)
		}
	})
}

// TestHerd: many sources are visited a few at a time.
func TestHerd(t *testing.T) {
	a := newAuthority(t)
	list := a.list(t, listing{number: 1, thisUpdate: testNow.AddDate(-27, 0, 0), nextUpdate: testNow})
	synctest.Test(t, func(t *testing.T) {
		var one, two, most, all atomic.Int64
		s := newSite()
		s.page("/", func(w http.ResponseWriter, r *http.Request) {
			here := &one
			if strings.HasPrefix(r.URL.Host, "two") {
				here = &two
			}
			if here.Add(1) > 4 {
				t.Error("more than four at one host")
			}
			most.Store(max(most.Load(), all.Add(1)))
			time.Sleep(time.Second)
			all.Add(-1)
			here.Add(-1)
			w.Write(list)
		})
		c := Config{Anchors: setOf(t, a), HTTPClient: s.client(), Clock: time.Now, MaxConcurrent: 6}
		for i := range 100 {
			c.Sources = append(c.Sources, Source{Name: fmt.Sprint("s", i), URL: fmt.Sprintf("http://%s.example/?%d", []string{"one", "two"}[i%2], i)})
		}
		l := start(t, c)
		began := time.Now()
		refresh(t, l)
		if took := time.Since(began); took > 20*time.Second || most.Load() != 6 {
			t.Errorf("took %v with %d at once", took, most.Load())
		}
	})
}

// TestKeyRoll: one URL, a new key: the old key's list serves until it is stale.
func TestKeyRoll(t *testing.T) {
	old, new := newAuthority(t), newAuthority(t)
	clock := &hands{at: testNow}
	s := newSite()
	l := start(t, Config{Anchors: setOf(t, old, new), HTTPClient: s.client(), Clock: clock.now, StateDir: t.TempDir(), Sources: []Source{{Name: "x", URL: "http://ca.example/"}}})
	s.list("/", old.list(t, listing{number: 9}))
	refresh(t, l)
	s.list("/", new.list(t, listing{number: 1, nextUpdate: testNow.Add(72 * time.Hour)}))
	refresh(t, l)
	for i, want := range []string{"9", ""} {
		clock.set(testNow.Add(time.Duration(i) * 48 * time.Hour))
		refresh(t, l)
		_, gotOld := revoked(l, old, old.certificate(t, 10, nil))
		_, gotNew := revoked(l, new, new.certificate(t, 10, nil))
		if gotOld != want || gotNew != "1" {
			t.Errorf("after %d days lists %q and %q", 2*i, gotOld, gotNew)
		}
	}
}
