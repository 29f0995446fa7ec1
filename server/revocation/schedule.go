package revocation

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"
)

// idle is how long Run sleeps where nothing is due.
const idle = time.Hour

// Run visits the sources when they are due, until the context ends; it then waits for
// the visits under way, which end with it, and returns nil. One Run at a time.
//
// A source is due its period after the last visit, less a random share. As the nextUpdate of its
// list comes near, it is visited at half of the time that is left, and again at half of that: an authority
// publishes before the end, nobody knows how long before. What failed, or is stale, is tried
// again after Config.RetryMin, then twice that, up to the period.
func (l *Living) Run(ctx context.Context) error {
	l.mu.Lock()
	running := l.running
	l.running = true
	l.mu.Unlock()
	if running {
		return errors.New("revocation: runs already")
	}
	var visits sync.WaitGroup
	defer l.book(func() { l.running = false })
	defer visits.Wait()
	visits.Go(func() { l.tend(ctx) })
	for {
		due, sleep := l.due()
		for _, f := range due {
			visits.Go(func() {
				_ = l.visit(ctx, f) // said and entered where it happened
				l.book(func() { f.busy = false })
				l.signal()
			})
		}
		timer := time.NewTimer(sleep)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		case <-l.wake:
			timer.Stop()
		}
	}
}

// due takes the sources that are due and says how long until the next is. It also says
// loudly when a source went stale, or came back.
func (l *Living) due() (due []*feed, sleep time.Duration) {
	c := l.conf.Load()
	now := c.Clock()
	sleep = idle
	lists := l.snapshot.Load().lists
	changed := make(map[string]State)
	defer func() { // after the unlock: a log may block
		for name, state := range changed {
			level := slog.LevelInfo
			if state == Stale {
				level = slog.LevelError
			}
			c.log(level, "revocation source changed its state", "source", name, "state", state.String())
		}
	}()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, f := range l.feeds {
		state := c.stateOf(f, lists, now)
		if state != f.said && (state == Stale || f.said == Stale) {
			changed[f.source.Name] = state
		}
		f.said = state
		if next, ok := firstEnd(f, lists, c.ClockSkew); ok && next.After(now) {
			sleep = min(sleep, next.Sub(now)+time.Second)
		}
		if f.busy {
			continue
		}
		wait := f.next.Sub(now)
		// Further away than a whole period: our clock was set back.
		if f.next.IsZero() || wait <= 0 || wait > f.source.Period {
			f.busy = true
			due = append(due, f)
			continue
		}
		sleep = min(sleep, wait)
	}
	return due, sleep
}

// plan enters when the source is to be visited next.
func (l *Living) plan(c *conf, f *feed, err error) {
	now := c.Clock()
	lists := l.snapshot.Load().lists
	l.mu.Lock()
	defer l.mu.Unlock()
	end, ok := firstEnd(f, lists, 0)
	if err != nil && f.source.URL != "" || ok && !end.After(now) {
		f.streak++
	} else {
		f.streak = 0
	}
	f.next = now.Add(c.wait(&f.source, f.streak, end.Sub(now), ok))
}

// resume plans the first visit after a start: where the state directory had a list that is
// fresh, when it would have been without the stop.
func (l *Living) resume(c *conf, f *feed) {
	now := c.Clock()
	end, ok := firstEnd(f, l.snapshot.Load().lists, 0)
	if f.source.URL == "" || !ok || !end.After(now) || f.status.lastFetch.After(now) {
		return
	}
	f.next = f.status.lastFetch.Add(c.wait(&f.source, 0, end.Sub(f.status.lastFetch), true))
}

// wait is the time to the next visit.
func (c *conf) wait(s *Source, streak int, left time.Duration, hasEnd bool) time.Duration {
	wait := s.Period
	shortest := min(c.RetryMin, s.Period)
	switch {
	case s.Directory != "": // looking costs nothing
	case streak > 0:
		wait = shortest
		for i := 1; i < streak && wait < s.Period; i++ {
			wait *= 2
		}
	case hasEnd:
		wait = max(left/2, shortest)
	}
	wait = min(wait, s.Period)
	return wait - time.Duration(s.Jitter*c.Random()*float64(wait))
}

// firstEnd is the earliest nextUpdate of the lists that a source gives now. Called with mu held.
func firstEnd(f *feed, lists map[key]*live, skew time.Duration) (end time.Time, ok bool) {
	for _, h := range f.present() {
		if x := lists[h.key]; x != nil {
			if next := x.index.NextUpdate().Add(skew); !ok || next.Before(end) {
				end, ok = next, true
			}
		}
	}
	return end, ok
}

// present are the lists that the source gives now, without those it has left behind. Called with mu held.
func (f *feed) present() []*held {
	if f.source.URL != "" {
		if f.current == nil {
			return nil
		}
		return []*held{f.current}
	}
	var out []*held
	for _, h := range f.held {
		if h.file != "" {
			out = append(out, h)
		}
	}
	return out
}
