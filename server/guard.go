package server

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/tashika-jp/tashika/certs/reason"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
)

// call is one call at work.
type call struct {
	state   *state // taken once, for the whole call
	door    door
	method  *method
	trace   trace
	started time.Time
	party   *party // nil until authenticated

	// What came of it, for log and metrics. Set by the handler.
	verdict string
	reasons []reason.ID
}

type callKey struct{}

// callOf returns the call that the guard let in.
func callOf(ctx context.Context) *call { return ctx.Value(callKey{}).(*call) }

// method is what the guard knows of a method. Names that callers make up are all one
// method, so that logs and metrics have no labels of theirs.
type method struct {
	name string // service and method, such as tashika.v1.VerificationService/Verify
	// public: needs no credentials, has no deadline, takes no capacity. Only grpc.health.v1.
	public bool
	meters meters
}

// guard is the way in for every call, at both doors, unary and streamed, in this order. It
// returns what the caller is told.
func (s *Server) guard(ctx context.Context, d door, name string, work func(context.Context, *call) error) (err error) {
	// Trace and snapshot.
	c := &call{state: s.state.Load(), door: d, method: s.method(name), trace: newTrace(incoming(ctx, traceparent)), started: time.Now()}
	ctx = context.WithValue(ctx, callKey{}, c)
	_ = grpc.SetHeader(ctx, metadata.Pairs(traceresponse, c.trace.header())) // fails only after the header was sent

	// Log and metrics: whatever happens below is told.
	s.metrics.inFlight.Inc()
	defer func() {
		s.metrics.inFlight.Dec()
		err = explained(err)
		s.report(ctx, c, err)
	}()
	if c.method.public {
		return s.recovered(ctx, c, work)
	}

	// Deadline: never none, never too long. Who has gone is not worked for.
	ctx, cancel := c.deadline(ctx)
	defer cancel()
	if err := ctx.Err(); err != nil {
		return err
	}
	// Authentication.
	if why := s.authenticate(ctx, c); why != "" {
		return fail(why)
	}
	// The party's rate.
	if err := c.party.admit(c.started); err != nil {
		return err
	}
	// The server's capacity.
	if s.working.Add(1) > int64(c.state.config.Limits.MaxConcurrent) {
		s.working.Add(-1)
		return fail(serverBusy)
	}
	defer s.working.Add(-1)
	// Recovery, and inside of it all that looks at what was sent: validation, then the handler.
	return s.recovered(ctx, c, work)
}

// unary is the guard for methods with one request and one answer.
func (s *Server) unary(d door) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, request any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (response any, err error) {
		err = s.guard(ctx, d, info.FullMethod, func(ctx context.Context, _ *call) error {
			if err := s.validate(request); err != nil {
				return err
			}
			var err error
			response, err = handler(ctx, request)
			return err
		})
		return response, err
	}
}

// stream is the guard for the others. Every message is validated as it comes.
func (s *Server) stream(d door) grpc.StreamServerInterceptor {
	return func(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
		return s.guard(ss.Context(), d, info.FullMethod, func(ctx context.Context, _ *call) error {
			return handler(srv, &guardedStream{ss, ctx, s})
		})
	}
}

type guardedStream struct {
	grpc.ServerStream
	ctx    context.Context
	server *Server
}

func (g *guardedStream) Context() context.Context { return g.ctx }

func (g *guardedStream) RecvMsg(m any) error {
	if err := g.ServerStream.RecvMsg(m); err != nil {
		return err
	}
	return g.server.validate(m)
}

// deadline gives the context its bound.
func (c *call) deadline(ctx context.Context) (context.Context, context.CancelFunc) {
	limits := c.state.config.Limits
	span := limits.DefaultDeadline
	if _, ok := ctx.Deadline(); ok { // WithTimeout keeps the earlier one
		span = limits.MaxDeadline
	}
	return context.WithTimeout(ctx, span)
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
func (s *Server) recovered(ctx context.Context, c *call, work func(context.Context, *call) error) (err error) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		said := fmt.Sprintf("a %T", p)
		if e, ok := p.(runtime.Error); ok {
			said = e.Error()
		}
		s.log.LogAttrs(ctx, slog.LevelError, "panic", slog.String("trace", c.trace.String()), slog.String("method", c.method.name),
			slog.String("panic", said), slog.String("stack", string(debug.Stack())))
		err = &trouble{internal, fmt.Errorf("panic: %s", said)}
	}()
	return work(ctx, c)
}

// incoming is the first value of a metadata key, or empty.
func incoming(ctx context.Context, key string) string {
	if values := metadata.ValueFromIncomingContext(ctx, key); len(values) > 0 {
		return values[0]
	}
	return ""
}

// method returns what is known of a full method name ("/service/method").
func (s *Server) method(full string) *method {
	if m := s.methods[full]; m != nil {
		return m
	}
	return s.unknownMethod
}
