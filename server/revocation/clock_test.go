package revocation

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestClockAYearAhead: a clock that jumps makes answers unknown as long as it is wrong, and loses nothing: neither the list of an old key, nor
// that of a file that is gone, nor over a restart.
func TestClockAYearAhead(t *testing.T) {
	old, new := newAuthority(t), newAuthority(t)
	clock := &hands{at: testNow}
	s, state := newSite(), t.TempDir()
	c := Config{Anchors: setOf(t, old, new), HTTPClient: s.client(), Clock: clock.now, StateDir: state, Sources: []Source{{Name: "x", URL: "http://ca.example/"}}}
	l := start(t, c)
	s.list("/", old.list(t, listing{number: 9, serials: []int64{10}, nextUpdate: testNow.Add(48 * time.Hour)}))
	refresh(t, l)
	s.list("/", new.list(t, listing{number: 1, serials: []int64{20}, nextUpdate: testNow.Add(48 * time.Hour)}))
	refresh(t, l)
	expect := func(what string, wantState State) {
		t.Helper()
		isOld, _ := revoked(l, old, old.certificate(t, 10, nil))
		isNew, _ := revoked(l, new, new.certificate(t, 20, nil))
		if !isOld || !isNew {
			t.Errorf("%s: lost: %v, %v", what, isOld, isNew)
		}
		if s := sourceState(t, l, "x"); s.State != wantState {
			t.Errorf("%s: %+v", what, s)
		}
		if left := stored(t, state, recordSuffix); len(left) != 2 {
			t.Errorf("%s: state files %v", what, left)
		}
	}
	for _, jump := range []time.Duration{0, 365 * 24 * time.Hour, -365 * 24 * time.Hour, 0} {
		clock.set(testNow.Add(jump))
		want := Fresh
		if jump != 0 {
			want = Stale
		}
		for range 2 {
			_ = l.RefreshAll(context.Background())
			expect(jump.String(), want)
		}
		l.Close()
		l = start(t, c)
		expect(jump.String()+" after a restart", want)
	}
	// A list that is new while the clock is a year behind has to wait; it is no loss.
	clock.set(testNow.Add(-365 * 24 * time.Hour))
	s.list("/", new.list(t, listing{number: 2, serials: []int64{20}, nextUpdate: testNow.Add(48 * time.Hour)}))
	if err := l.RefreshAll(context.Background()); !errors.Is(err, &Error{Failures: []Failure{"CRL_NOT_YET_VALID"}}) {
		t.Errorf("error %v", err)
	}
	expect("a list from the future", Stale)
	clock.set(testNow)
	refresh(t, l)
	expect("and back", Fresh)
	if s := sourceState(t, l, "x"); s.Number != "2" {
		t.Errorf("%+v", s)
	}
	// And where time really has passed, as the source itself says, the old list goes; but it is not deleted.
	s.list("/", new.list(t, listing{number: 3, thisUpdate: testNow.Add(72 * time.Hour)}))
	clock.set(testNow.Add(72 * time.Hour))
	refresh(t, l)
	if _, number := revoked(l, old, old.certificate(t, 10, nil)); number != "" {
		t.Errorf("list %q of the old key serves", number)
	}
	if aside, err := os.ReadDir(state + "/" + asideDir); err != nil || len(aside) != 2 {
		t.Errorf("aside are %v, %v", aside, err)
	}
}

func TestClockWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wall := testNow
		w := newClockWatch(wall)
		for _, test := range []struct {
			by   time.Duration
			want bool
		}{{0, false}, {time.Second, false}, {-time.Second, false}, {30 * time.Second, false}, {32 * time.Second, true}, {0, false}, {-time.Hour, true}, {365 * 24 * time.Hour, true}, {0, false}} {
			time.Sleep(watchPeriod)
			wall = wall.Add(watchPeriod + test.by)
			if by, stepped := w.stepped(wall, 30*time.Second); by != test.by || stepped != test.want {
				t.Errorf("moved by %v: %v, %v", test.by, by, stepped)
			}
		}
	})
}

// TestClockStepIsSaid once, and has the schedule looked at again.
func TestClockStepIsSaid(t *testing.T) {
	a := newAuthority(t)
	synctest.Test(t, func(t *testing.T) {
		var ahead time.Duration
		began, logs := time.Now(), new(journal)
		clock := &hands{at: began}
		l := start(t, Config{Anchors: setOf(t, a), Clock: clock.now, Logger: logs.logger()})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- l.Run(ctx) }()
		for i := range 100 {
			if i == 50 {
				ahead = time.Hour
			}
			synctest.Wait()
			clock.set(time.Now().Add(watchPeriod + ahead))
			time.Sleep(watchPeriod)
		}
		synctest.Wait()
		if n := strings.Count(logs.String(), string(ClockStepped)); n != 1 {
			t.Errorf("said %d times:\n%s", n, logs)
		}
		cancel()
		<-ended
	})
}
