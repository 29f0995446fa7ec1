package server

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"time"

	"google.golang.org/grpc/metadata"
)

// method is what the guard knows of a method. Names that callers make up are all one
// method, so that logs and metrics have no labels of theirs.
type method struct {
	name   string // service and method, such as tashika.v1.VerificationService/Verify
	kind   kind
	meters meters
}

// kind says what a method asks of the guard beside authentication and its party's rate.
type kind uint8

const (
	// ordinary: a deadline, and a place among the calls at work.
	ordinary kind = iota
	// public: nothing at all, not even credentials. Only grpc.health.v1.
	public
	// lasting: a stream of items, each of which has its own deadline and its own place.
	lasting
	// inside: an item, whose place its stream or batch has taken.
	inside
)

// guard is the way in for every call, at both doors, unary and streamed. It returns what the caller is told.
func (s *Server) guard(ctx context.Context, d door, m *method, work func(*call) error) error {
	c := &call{Context: ctx, state: s.state.Load(), door: d, method: m, trace: newTrace(incoming(ctx, traceparent)), started: time.Now()}
	c.trace.tell(ctx)
	return s.guarded(c, work)
}

// guarded is what calls share with the items of streams and batches, in this order.
func (s *Server) guarded(c *call, work func(*call) error) (err error) {
	// Log and metrics: whatever happens below is told.
	s.metrics.inFlight.Inc()
	defer func() {
		s.metrics.inFlight.Dec()
		err = explained(err)
		s.report(c, err)
		c.end()
	}()
	if c.method.kind == public {
		return s.recovered(c, work)
	}
	// Deadline: never none, never too long. Who has gone is not worked for.
	if c.method.kind != lasting {
		c.limit(0)
	}
	if err := c.errAt(c.started); err != nil {
		return err
	}
	// Authentication. Of an item it is that of its call.
	if c.party == nil {
		if why := s.authenticate(c); why != "" {
			return fail(why)
		}
	}
	// The party's rate.
	if err := c.party.admit(c.started); err != nil {
		return err
	}
	// The server's capacity.
	if c.method.kind == ordinary {
		if !s.enter(c.state) {
			return fail(serverBusy)
		}
		defer s.leave()
	}
	// Recovery, and inside of it all that looks at what was sent: parsing, validation, then the handler.
	return s.recovered(c, work)
}

// enter takes a place among the calls at work; false if there is none. There is no queue: who is
// turned away at once can come again, and who waits may have gone when the turn comes.
func (s *Server) enter(now *state) bool {
	if s.working.Add(1) > int64(now.config.Limits.MaxConcurrent) {
		s.working.Add(-1)
		return false
	}
	return true
}

func (s *Server) leave() { s.working.Add(-1) }

// full says whether a call that came now would be turned away.
func (s *Server) full() bool {
	return s.working.Load() >= int64(s.state.Load().config.Limits.MaxConcurrent)
}

// crowded says whether half of the places are taken. From then on streams and batches spread no further, so that what is sent
// by the million leaves the other half to single calls, for which people wait at a counter.
func (s *Server) crowded() bool {
	return s.working.Load() >= int64(s.state.Load().config.Limits.MaxConcurrent+1)/2
}

// admit takes one of the party's calls.
func (p *party) admit(now time.Time) error {
	r := p.limiter.ReserveN(now, 1)
	if wait := r.DelayFrom(now); wait > 0 {
		r.CancelAt(now)
		return failAfter(rateLimited, wait)
	}
	return nil
}

// recovered makes of a panic an error. The stack is logged, but nothing that the panic has to say unless it is
// the runtime's: it could quote the request.
func (s *Server) recovered(c *call, work func(*call) error) (err error) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		said := fmt.Sprintf("a %T", p)
		if e, ok := p.(runtime.Error); ok {
			said = e.Error()
		}
		s.log.LogAttrs(c, slog.LevelError, "panic", slog.String("trace", c.trace.String()), slog.String("method", c.method.name),
			slog.String("panic", said), slog.String("stack", string(debug.Stack())))
		err = &trouble{internal, fmt.Errorf("panic: %s", said)}
	}()
	return work(c)
}

// incoming is the first value of a metadata key, or empty.
func incoming(ctx context.Context, key string) string {
	if values := metadata.ValueFromIncomingContext(ctx, key); len(values) > 0 {
		return values[0]
	}
	return ""
}
