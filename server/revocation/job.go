package revocation

import (
	"cmp"
	"container/heap"
	"context"
	"errors"
	"log/slog"
	"maps"
	"math"
	"net/url"
	"slices"
	"sync"
	"time"
)

// A refresh of thousands of partitions is one job, not thousands of them at once. What is due stands in line, best first; as
// places become free, over all and to each host, the next goes. A visit is begun only when it has its place, so there are never
// more of them than places, and what waits costs nothing.
//
// A host that does not answer would make each of its partitions wait for a timeout. After a few of these in a row it is left alone
// for a while, all that is due there is noted as not asked, and then one visit tries it again.
const (
	silences    = 3 // failures in a row after which a host is left alone
	longestRest = 15 * time.Minute
)

// limits are the places, over all and to each host.
type limits struct {
	all, perHost int
	shortestRest time.Duration

	mu     sync.Mutex
	active int
	hosts  map[string]*host // as many as were ever configured
	freed  chan struct{}    // closed when something changes, and replaced
}

// host is guarded by limits.mu.
type host struct {
	active   int
	failures int       // in a row, of the host and not of a list
	rests    int       // in a row
	until    time.Time // left alone
}

func newLimits(c *conf) *limits {
	return &limits{all: c.MaxConcurrent, perHost: c.MaxPerHost, shortestRest: c.RetryMin, hosts: make(map[string]*host), freed: make(chan struct{})}
}

// permission is whether a visit may begin.
type permission uint8

const (
	granted permission = iota
	full               // over all
	hostFull
	hostResting
)

// ask says whether a visit to a host could begin. Called with mu held.
func (l *limits) ask(name string, now time.Time, insist bool) (*host, permission) {
	h := l.hosts[name]
	if h == nil {
		h = new(host)
		l.hosts[name] = h
	}
	most := l.perHost
	if h.failures >= silences && !insist {
		most = 1 // one tries
	}
	switch {
	case l.active >= l.all:
		return h, full
	case !insist && h.resting(now):
		return h, hostResting
	case h.active >= most:
		return h, hostFull
	}
	return h, granted
}

// resting: a rest that ends later than any can was planned before our clock was set back.
func (h *host) resting(now time.Time) bool {
	left := h.until.Sub(now)
	return left > 0 && left <= longestRest
}

// try takes a place, which release gives back.
func (l *limits) try(name string, now time.Time, insist bool) permission {
	l.mu.Lock()
	defer l.mu.Unlock()
	h, p := l.ask(name, now, insist)
	if p == granted {
		h.active++
		l.active++
	}
	return p
}

// look is try that takes nothing, and says until when the host rests.
func (l *limits) look(name string, now time.Time) (p permission, until time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	h, p := l.ask(name, now, false)
	return p, h.until
}

// release gives a place back and tells what came of the visit. It returns how long the host is left alone, if it is from now on, and
// whether it had been and answers again.
func (l *limits) release(name string, now time.Time, came outcome) (rest time.Duration, again bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	h := l.hosts[name]
	h.active--
	l.active--
	switch came {
	case answered:
		again = h.rests > 0
		h.failures, h.rests, h.until = 0, 0, time.Time{}
	case silent:
		if h.failures++; h.failures >= silences && !h.resting(now) {
			rest = min(l.shortestRest<<min(h.rests, 16), longestRest)
			h.rests++
			h.until = now.Add(rest)
		}
	}
	close(l.freed)
	l.freed = make(chan struct{})
	return rest, again
}

// rouse ends all rests: each host is tried by one visit.
func (l *limits) rouse() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, h := range l.hosts {
		h.until = time.Time{}
	}
}

// changed is closed at the next release.
func (l *limits) changed() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.freed
}

// outcome of a visit, for its host.
type outcome uint8

const (
	nothing  outcome = iota // the visit was called off
	answered                // whatever the answer was
	silent
)

func outcomeOf(ctx context.Context, err error) outcome {
	var failed *Error
	switch {
	case errors.As(err, &failed) && (failed.Failures[0] == FetchUnreachable || failed.Failures[0] == FetchTimeout):
		return silent
	case ctx.Err() != nil:
		return nothing
	}
	return answered
}

// hostOf is whom a visit asks; a directory has none, and needs no place.
func hostOf(s *Source) string {
	u, err := url.Parse(s.URL)
	if err != nil {
		return "" // it was checked
	}
	return u.Host
}

// line is what waits for a place. It belongs to one goroutine.
type line struct {
	due   queue
	aside map[string]*queue    // by host, what was due and had no place there
	noted map[string]time.Time // by host, the end of the rest that those in line were told of
}

func newLine() *line { return &line{aside: make(map[string]*queue), noted: make(map[string]time.Time)} }

// Len is how many wait.
func (q *line) Len() int {
	n := q.due.Len()
	for _, aside := range q.aside {
		n += aside.Len()
	}
	return n
}

// waiting is a feed in line.
type waiting struct {
	feed  *feed
	first bool      // never fetched
	end   time.Time // nextUpdate of what it gave; zero: none
}

// queue is a heap: what was never fetched, then what ends first.
type queue []waiting

func (q queue) Len() int      { return len(q) }
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q queue) Less(i, j int) bool {
	a, b := &q[i], &q[j]
	if a.first != b.first {
		return a.first
	}
	return cmp.Or(a.end.Compare(b.end), cmp.Compare(a.feed.source.Name, b.feed.source.Name)) < 0
}
func (q *queue) Push(x any) { *q = append(*q, x.(waiting)) }
func (q *queue) Pop() any {
	last := len(*q) - 1
	x := (*q)[last]
	(*q)[last] = waiting{}
	*q = (*q)[:last]
	return x
}

// next takes the best in line for whom there is a place, with the place; nil if there is none.
func (q *line) next(l *limits, now time.Time) *feed {
	for name, aside := range q.aside {
		if p, _ := l.look(name, now); p != granted {
			continue
		}
		heap.Push(&q.due, heap.Pop(aside))
		if aside.Len() == 0 {
			delete(q.aside, name)
		}
	}
	for q.due.Len() > 0 {
		w := q.due[0]
		switch l.try(w.feed.host, now, false) {
		case granted:
			heap.Pop(&q.due)
			return w.feed
		case full:
			return nil
		}
		heap.Pop(&q.due)
		if q.aside[w.feed.host] == nil {
			q.aside[w.feed.host] = new(queue)
		}
		heap.Push(q.aside[w.feed.host], w)
	}
	return nil
}

// resting returns what waits for hosts that rest, by host and each rest once, and the soonest end of a rest.
func (q *line) resting(l *limits, now time.Time) (told map[string]queue, soonest time.Time) {
	for name, aside := range q.aside {
		p, until := l.look(name, now)
		if p != hostResting {
			continue
		}
		if soonest.IsZero() || until.Before(soonest) {
			soonest = until
		}
		if !q.noted[name].Equal(until) {
			q.noted[name] = until
			if told == nil {
				told = make(map[string]queue)
			}
			told[name] = *aside
		}
	}
	return told, soonest
}

// begin visits whoever has a place. ended is called when a visit has.
func (l *Living) begin(ctx context.Context, q *line, visits *sync.WaitGroup, ended func(*feed, error)) {
	for {
		f := q.next(l.limit, l.conf.Load().Clock())
		if f == nil {
			return
		}
		visits.Go(func() {
			err := error(errReconfigured)
			if l.known(f) {
				err = l.visit(ctx, f) // said and entered where it happened
			}
			l.leave(ctx, f, err)
			ended(f, err)
		})
	}
}

// leave gives back the place of a visit that has ended.
func (l *Living) leave(ctx context.Context, f *feed, err error) {
	c := l.conf.Load()
	rest, again := l.limit.release(f.host, c.Clock(), outcomeOf(ctx, err))
	if rest > 0 {
		c.log(slog.LevelError, "a host does not answer and is left alone for a while", "host", f.host, "for", rest)
	}
	if !again {
		return
	}
	c.log(slog.LevelInfo, "a host answers again", "host", f.host)
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, other := range l.feeds { // what failed with the host need not sit out its own backing off
		if other.host == f.host && (other.status.failure == FetchUnreachable || other.status.failure == FetchTimeout) && other.streak > 0 {
			other.next = time.Time{}
			l.reconsider(other)
		}
	}
	l.signal()
}

// known is false once a feed was replaced by another configuration.
func (l *Living) known(f *feed) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.feeds[f.source.Name] == f
}

// notAsked enters that feeds were due while their host rests. It is not counted as a visit.
func (l *Living) notAsked(waiting queue, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, w := range waiting {
		w.feed.status.lastFailure, w.feed.status.failure = now, FetchHostResting
	}
}

// Refresh visits one source now and waits for what comes of it; for a manifest, all its rows. The error is an *Error,
// or that of the context.
func (l *Living) Refresh(ctx context.Context, name string) error {
	l.mu.Lock()
	f := l.feeds[name]
	var rows []*feed
	for _, row := range l.feeds {
		if f == nil && row.source.manifest == name {
			rows = append(rows, row)
		}
	}
	l.mu.Unlock()
	switch {
	case f == nil && rows == nil:
		return unknownSource(name)
	case f == nil:
		return l.refresh(ctx, rows)
	case f.source.URL == "":
		return l.visit(ctx, f)
	}
	// Whoever asks for one source means it, also while its host rests.
	for {
		changed := l.limit.changed()
		if l.limit.try(f.host, l.conf.Load().Clock(), true) == granted {
			break
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		}
	}
	err := l.visit(ctx, f)
	l.leave(ctx, f, err)
	return err
}

// RefreshAll visits all sources now and waits. A host that rests is tried again, by one visit; what a host that does not answer
// leaves over fails. The errors are joined.
func (l *Living) RefreshAll(ctx context.Context) error {
	l.mu.Lock()
	all := make([]*feed, 0, len(l.feeds))
	for _, f := range l.feeds {
		all = append(all, f)
	}
	l.mu.Unlock()
	return l.refresh(ctx, all)
}

// refresh visits feeds in good order, and directories at once.
func (l *Living) refresh(ctx context.Context, feeds []*feed) error {
	q := newLine()
	var visits sync.WaitGroup
	var mu sync.Mutex
	errs := make(map[string]error) // guarded by mu
	ended := func(f *feed, err error) {
		mu.Lock()
		errs[f.source.Name] = err
		mu.Unlock()
		l.ended(err)
	}
	l.expect(len(feeds))
	l.limit.rouse()
	l.mu.Lock()
	for _, f := range feeds {
		if f.host == "" {
			visits.Go(func() { ended(f, l.visit(ctx, f)) })
			continue
		}
		heap.Push(&q.due, l.inLine(f))
	}
	l.mu.Unlock()
	for ctx.Err() == nil && q.Len() > 0 {
		changed := l.limit.changed()
		l.begin(ctx, q, &visits, ended)
		now := l.conf.Load().Clock()
		if told, _ := q.resting(l.limit, now); told != nil {
			for name, left := range told {
				l.notAsked(left, now)
				for _, w := range left {
					ended(w.feed, &Error{w.feed.source.Name, []Failure{FetchHostResting}})
				}
				delete(q.aside, name)
			}
			continue
		}
		if q.Len() == 0 {
			break
		}
		select {
		case <-ctx.Done():
		case <-changed:
		}
	}
	visits.Wait()
	l.expect(-q.Len())
	var all []error
	for _, name := range slices.Sorted(maps.Keys(errs)) {
		all = append(all, errs[name])
	}
	if q.Len() > 0 {
		all = append(all, ctx.Err())
	}
	return errors.Join(all...)
}

// Progress is how far the visits are that are due, of all since there last were none.
type Progress struct {
	Done, Failed, Total int
	Began               time.Time
}

// Progress of the visits that are due. While nothing is due, it is that of the last time.
func (l *Living) Progress() Progress {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.round.Progress
}

// A round is said every so often, and its end where it was said before or has that many visits.
const (
	sayEvery = 10 * time.Second
	sayMany  = 100
)

// round is the visits from when some are due until none is.
type round struct {
	Progress
	said  time.Time
	spoke bool
}

// expect enters visits that are due, or fewer.
func (l *Living) expect(n int) {
	now := l.conf.Load().Clock()
	l.mu.Lock()
	if r := &l.round; n > 0 && r.Done >= r.Total {
		*r = round{Progress: Progress{Began: now}, said: now}
	}
	l.round.Total += n
	l.mu.Unlock()
}

// ended enters a visit that has ended, and says how far the round is.
func (l *Living) ended(err error) {
	c := l.conf.Load()
	now := c.Clock()
	l.mu.Lock()
	r := &l.round
	if r.Done++; err != nil {
		r.Failed++
	}
	over := r.Done >= r.Total
	say := over && (r.spoke || r.Total >= sayMany) || !over && now.Sub(r.said) >= sayEvery
	if say {
		r.said, r.spoke = now, true
	}
	p := r.Progress
	l.mu.Unlock()
	if !say {
		return
	}
	took := now.Sub(p.Began)
	attributes := []any{"done", p.Done, "of", p.Total, "failed", p.Failed, "took", took.Round(time.Millisecond)}
	if took > 0 {
		rate := float64(p.Done) / took.Seconds()
		attributes = append(attributes, "per_second", math.Round(rate*10)/10, "left", time.Duration(float64(p.Total-p.Done)/rate*float64(time.Second)).Round(time.Second))
	}
	c.log(slog.LevelInfo, "revocation sources visited", attributes...)
}
