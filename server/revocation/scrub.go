package revocation

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"log/slog"
	"maps"
	"os"
	"slices"
	"sync"
	"time"
)

// What was built and found right does not stay right by itself: disks and memory rot. Behind the requests all that serves is
// looked through, at a bounded rate, and then once in a day again.
const (
	scrubRate   = 16 << 20 // bytes in a second
	scrubPeriod = 24 * time.Hour
	watchPeriod = 10 * time.Second
)

// tend looks after what serves, until the context ends.
func (l *Living) tend(ctx context.Context) {
	var jobs sync.WaitGroup
	jobs.Go(func() { l.watch(ctx) })
	for ctx.Err() == nil {
		began := time.Now()
		l.scrub(ctx)
		sleep(ctx, scrubPeriod-time.Since(began))
	}
	jobs.Wait()
}

// watch sees what a look-up found damaged, and whether somebody moved the clock.
func (l *Living) watch(ctx context.Context) {
	c := l.conf.Load()
	clock := newClockWatch(c.Clock())
	for sleep(ctx, watchPeriod) {
		c = l.conf.Load()
		if by, stepped := clock.stepped(c.Clock(), c.ClockSkew); stepped {
			c.log(slog.LevelError, "the clock was set, or the machine slept: what is stale, due or from the future is judged anew",
				"failure", ClockStepped, "by", by)
			l.signal()
		}
		for _, x := range l.snapshot.Load().lists {
			if x.index.Damaged() {
				l.damaged(c, x)
			}
		}
	}
}

// scrub goes once through all that serves. Every part of every index is checked. An index that was found in the state directory was
// believed at the start for its checksums and its signature alone; here it is held, octet for octet, against what its list gives.
func (l *Living) scrub(ctx context.Context) {
	keys := slices.Collect(maps.Keys(l.snapshot.Load().lists)) // not the lists, which would stay with us as long as this takes
	slices.SortFunc(keys, func(a, b key) int {
		return cmp.Or(cmp.Compare(a.issuer, b.issuer), cmp.Compare(a.keyID, b.keyID), cmp.Compare(a.scope, b.scope))
	})
	rate := &pace{ctx: ctx}
	for _, k := range keys {
		if !l.scrubOne(ctx, k, rate) {
			return
		}
	}
}

// scrubOne is false once the context has ended.
func (l *Living) scrubOne(ctx context.Context, k key, rate *pace) bool {
	x := l.snapshot.Load().lists[k]
	if x == nil {
		return true
	}
	var err error
	for i := 0; i < x.index.Blocks() && err == nil; i++ {
		if err = x.index.CheckBlock(i); !rate.spend(64 << 10) {
			return false
		}
	}
	if err == nil && !x.proven {
		err = l.prove(ctx, x, rate)
	}
	if err == nil || ctx.Err() != nil || l.snapshot.Load().lists[k] != x {
		return ctx.Err() == nil
	}
	c := l.conf.Load()
	if !atFault(err) {
		c.log(slog.LevelWarn, "an index could not be held against its list: that is tried again with the next pass", "source", x.source,
			"failure", StateNotWritten, "error", err)
		return true
	}
	c.log(slog.LevelError, "a revocation list and its index do not agree", "source", x.source, "failure", IndexDamaged, "error", err)
	l.damaged(c, x)
	return true
}

var errDiffers = errors.New("the index is not what the list gives")

// prove builds the index of a list from the state directory again and compares.
func (l *Living) prove(ctx context.Context, x *live, rate *pace) error {
	d, err := l.redraft(ctx, x.key.file(), &x.about, largeList)
	if err != nil {
		return err
	}
	defer d.discard()
	rate.spend(int(d.body.size))
	is, err := os.Open(l.store.file(x.key.file(), x.about.Generation, indexSuffix))
	if err != nil {
		return err
	}
	defer is.Close()
	should, err := d.read()
	if err != nil {
		return err
	}
	defer should.Close()
	return same(ctx, is, should)
}

// same compares to the end.
func same(ctx context.Context, a, b io.Reader) error {
	p, q := make([]byte, 64<<10), make([]byte, 64<<10)
	for ctx.Err() == nil {
		n, errA := io.ReadFull(a, p)
		m, errB := io.ReadFull(b, q)
		switch {
		case !bytes.Equal(p[:n], q[:m]):
			return errDiffers
		case errA == io.EOF || errA == io.ErrUnexpectedEOF:
			return nil
		case errA != nil || errB != nil:
			return errors.Join(errA, errB)
		}
	}
	return ctx.Err()
}

// pace bounds the rate of a job.
type pace struct {
	ctx  context.Context
	debt time.Duration
}

// spend accounts for so many bytes, and sleeps if it is time to. It is false once the context has ended.
func (p *pace) spend(bytes int) bool {
	p.debt += time.Duration(bytes) * time.Second / scrubRate
	if p.debt < 10*time.Millisecond {
		return p.ctx.Err() == nil
	}
	debt := p.debt
	p.debt = 0
	return sleep(p.ctx, debt)
}

// sleep is false if the context ended it.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// clockWatch holds the clock on the wall against one that nobody can set.
type clockWatch struct{ wall, monotonic time.Time }

func newClockWatch(wall time.Time) *clockWatch { return &clockWatch{wall.Round(0), time.Now()} }

// stepped says by how much the wall's clock was moved since the last call, and whether that is more than the skew of clocks that is allowed
// for, and a second.
func (w *clockWatch) stepped(wall time.Time, skew time.Duration) (by time.Duration, stepped bool) {
	last := *w
	*w = *newClockWatch(wall)
	by = w.wall.Sub(last.wall) - w.monotonic.Sub(last.monotonic)
	return by.Round(time.Second), by.Abs() > skew+time.Second
}
