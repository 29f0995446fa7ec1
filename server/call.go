package server

import (
	"context"
	"sync"
	"time"

	"github.com/tashika-jp/tashika/certs/reason"
)

// call is one call at work, or one item of a stream or of a batch, and it is the context of that work: that of its caller, with a
// deadline of its own. Most work is done before anybody waits for the deadline, so a timer is only set for those who do.
type call struct {
	context.Context // the caller's

	state   *state // taken once, for the whole call
	door    door
	method  *method
	trace   trace
	started time.Time
	party   *party // nil until authenticated

	// What came of it, for log and metrics. Set by the handler.
	verdict string
	reasons []reason.ID

	deadline time.Time // zero: only the caller's

	mu    sync.Mutex
	timed context.Context // the caller's with the deadline; nil until somebody waits
	stop  context.CancelFunc
}

type callKey struct{}

// callOf returns the call that the guard let in.
func callOf(ctx context.Context) *call {
	if c, ok := ctx.(*call); ok {
		return c
	}
	return ctx.Value(callKey{}).(*call)
}

// item is a call for one item of c. It takes the configuration that holds now.
func (c *call) item(now *state, m *method) *call {
	return &call{Context: c.Context, state: now, door: c.door, method: m, trace: c.trace, started: time.Now(), party: c.party, deadline: c.deadline}
}

// limit sets the deadline: after the time that is asked for, or the server's default. It is before the work.
func (c *call) limit(asked time.Duration) {
	limits := &c.state.config.Limits
	span := limits.DefaultDeadline
	if asked > 0 {
		span = min(asked, limits.MaxDeadline)
	} else if _, ok := c.Context.Deadline(); ok { // the earlier one counts
		span = limits.MaxDeadline
	}
	if end := c.started.Add(span); c.deadline.IsZero() || end.Before(c.deadline) || asked > 0 {
		c.deadline = end
	}
}

// Deadline implements context.Context.
func (c *call) Deadline() (time.Time, bool) {
	theirs, ok := c.Context.Deadline()
	if c.deadline.IsZero() || ok && theirs.Before(c.deadline) {
		return theirs, ok
	}
	return c.deadline, true
}

// Done implements context.Context.
func (c *call) Done() <-chan struct{} {
	if c.deadline.IsZero() {
		return c.Context.Done()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.timed == nil {
		c.timed, c.stop = context.WithDeadline(c.Context, c.deadline)
	}
	return c.timed.Done()
}

// Err implements context.Context.
func (c *call) Err() error {
	if c.deadline.IsZero() {
		return c.Context.Err()
	}
	return c.errAt(time.Now())
}

// errAt is Err where the time is known.
func (c *call) errAt(now time.Time) error {
	if err := c.Context.Err(); err != nil || c.deadline.IsZero() || now.Before(c.deadline) {
		return err
	}
	return context.DeadlineExceeded
}

// Value implements context.Context. What package context asks of itself is answered by the context whose Done is ours.
func (c *call) Value(key any) any {
	if key == (callKey{}) {
		return c
	}
	c.mu.Lock()
	from := c.timed
	c.mu.Unlock()
	if from == nil {
		from = c.Context
	}
	return from.Value(key)
}

// end gives the timer back.
func (c *call) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stop != nil {
		c.stop()
	}
}
