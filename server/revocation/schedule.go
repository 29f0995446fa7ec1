package revocation

import (
	"cmp"
	"container/heap"
	"context"
	"errors"
	"iter"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"
)

// idle is how long Run sleeps at most: a clock that was set is noticed by then.
const idle = time.Minute

// Run visits the sources when they are due, until the context ends; it then waits for
// the visits under way, which end with it, and returns nil. One Run at a time.
//
// A source is due its period after the last visit, less a random share. As the nextUpdate of its
// list comes near, it is visited at half of the time that is left, and again at half of that: an authority
// publishes before the end, nobody knows how long before. What failed, or is stale, is tried
// again after Config.RetryMin, then twice that, up to the period. After the first round the rows of a
// manifest are spread over the period.
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
	q, edition := newLine(), 0
	defer func() { l.expect(-q.Len()) }()
	ended := func(f *feed, err error) {
		l.book(func() {
			f.busy = false
			l.reconsider(f)
		})
		l.ended(err)
		l.signal()
	}
	for {
		changed := l.limit.changed()
		due, now, wake := l.due(&edition, q)
		l.expect(len(due))
		for _, w := range due {
			if w.feed.host == "" {
				visits.Go(func() { ended(w.feed, l.visit(ctx, w.feed)) })
				continue
			}
			heap.Push(&q.due, w)
		}
		l.begin(ctx, q, &visits, ended)
		told, soonest := q.resting(l.limit, now)
		for _, left := range told {
			l.notAsked(left, now)
		}
		if !soonest.IsZero() && soonest.Before(wake) {
			wake = soonest
		}
		timer := time.NewTimer(min(idle, wake.Sub(now)))
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		case <-changed:
			timer.Stop()
		case <-l.wake:
			timer.Stop()
		}
	}
}

// agenda is when Run has to look at each feed: a heap by feed.at. Guarded by Living.mu.
type agenda struct {
	feeds   agendaHeap
	byName  []*feed   // the same, in order
	edition int       // counts configurations
	changes uint64    // counts what may have changed what a feed has
	looked  time.Time // when, the last time
}

type agendaHeap []*feed

func (h agendaHeap) Len() int           { return len(h) }
func (h agendaHeap) Less(i, j int) bool { return h[i].at.Before(h[j].at) }
func (h agendaHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].slot, h[j].slot = i, j
}

// Push implements heap.Interface; an agenda does not grow.
func (h *agendaHeap) Push(any) {}

// Pop implements heap.Interface; an agenda does not shrink.
func (h *agendaHeap) Pop() any { return nil }

// reset takes the feeds of a configuration; all of them are looked at next.
func (a *agenda) reset(feeds map[string]*feed) {
	a.edition++
	a.changes++
	a.feeds = make(agendaHeap, 0, len(feeds))
	for _, f := range feeds {
		f.at, f.slot = time.Time{}, len(a.feeds)
		a.feeds = append(a.feeds, f)
	}
	a.byName = slices.SortedFunc(maps.Values(feeds), func(a, b *feed) int { return cmp.Compare(a.source.Name, b.source.Name) })
}

// reconsider has Run look at a feed next. Called with mu held.
func (l *Living) reconsider(f *feed) {
	if l.feeds[f.source.Name] == f { // not of an earlier configuration
		f.at = time.Time{}
		l.agenda.changes++
		heap.Fix(&l.agenda.feeds, f.slot)
	}
}

// enter finds out when Run has to look at a feed again: when it is due, and when its list ends. Called with mu held.
func (l *Living) enter(c *conf, f *feed, lists map[key]*live, now time.Time) {
	f.at = f.next
	if f.busy {
		f.at = now.Add(24 * time.Hour) // when the visit has ended, it is reconsidered
	}
	if end, ok := firstEnd(f, lists, c.ClockSkew); ok && end.After(now) && end.Add(time.Second).Before(f.at) {
		f.at = end.Add(time.Second)
	}
	heap.Fix(&l.agenda.feeds, f.slot)
}

// due takes the sources that are due and says when the next one is. It also says loudly when a source went stale, or came back.
// With a new configuration it empties the line.
func (l *Living) due(edition *int, q *line) (due []waiting, now, wake time.Time) {
	changed := make(map[string]State)
	c := l.conf.Load()
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
	now = c.Clock().Round(0) // the time of the wall: nextUpdate knows no other
	a := &l.agenda
	if *edition != a.edition {
		*edition = a.edition
		l.round.Total -= q.Len()
		*q = *newLine()
	}
	if now.Before(a.looked) { // our clock was set back
		for _, f := range a.feeds {
			if !f.busy && f.next.Sub(now) > f.source.Period {
				f.next = time.Time{}
			}
			f.at = time.Time{}
		}
		heap.Init(&a.feeds)
	}
	a.looked = now
	lists := l.snapshot.Load().lists
	for len(a.feeds) > 0 && !a.feeds[0].at.After(now) {
		f := a.feeds[0]
		state := c.stateOf(f, lists, now)
		if state != f.said && (state == Stale || f.said == Stale) {
			changed[f.source.Name] = state
		}
		f.said = state
		if !f.busy && !f.next.After(now) {
			f.busy = true
			due = append(due, l.inLine(f))
		}
		l.enter(c, f, lists, now)
	}
	wake = now.Add(idle)
	if len(a.feeds) > 0 && a.feeds[0].at.Before(wake) {
		wake = a.feeds[0].at
	}
	return due, now, wake
}

// inLine is where a feed stands in a line. Called with mu held.
func (l *Living) inLine(f *feed) waiting {
	end, _ := firstEnd(f, l.snapshot.Load().lists, 0)
	return waiting{feed: f, first: f.status.lastFetch.IsZero(), end: end}
}

// plan enters when the source is to be visited next.
func (l *Living) plan(c *conf, f *feed, err error) {
	now := c.Clock().Round(0)
	lists := l.snapshot.Load().lists
	l.mu.Lock()
	defer l.mu.Unlock()
	end, ok := firstEnd(f, lists, 0)
	if err != nil && f.source.URL != "" || ok && !end.After(now) {
		f.streak++
	} else {
		f.streak = 0
	}
	wait := c.wait(&f.source, f.streak, end.Sub(now), ok)
	if f.source.manifest != "" && !f.spread && f.streak == 0 {
		// They were all visited in one round; were they again after one period, they would be for ever.
		wait, f.spread = time.Duration(c.Random()*float64(wait)), true
	}
	f.next = now.Add(wait)
	l.reconsider(f)
}

// resume plans the first visit after a start: where the state directory had a list that is
// fresh, when it would have been without the stop.
func (l *Living) resume(c *conf, f *feed) {
	now := c.Clock()
	end, ok := firstEnd(f, l.snapshot.Load().lists, 0)
	if f.source.URL == "" || !ok || !end.After(now) || f.status.lastFetch.After(now) {
		return
	}
	f.next = f.status.lastFetch.Round(0).Add(c.wait(&f.source, 0, end.Sub(f.status.lastFetch), true))
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
	for h := range f.present() {
		if x := served(lists, h.key); x != nil {
			if next := x.index.NextUpdate().Add(skew); !ok || next.Before(end) {
				end, ok = next, true
			}
		}
	}
	return end, ok
}

// present are the lists that the source gives now, without those it has left behind. Called with mu held.
func (f *feed) present() iter.Seq[*held] {
	return func(yield func(*held) bool) {
		if f.source.URL != "" {
			if f.current != nil {
				yield(f.current)
			}
			return
		}
		for _, h := range f.held {
			if h.file != "" && !yield(h) {
				return
			}
		}
	}
}
