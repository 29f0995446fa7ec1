package server

import (
	"errors"
	"log/slog"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// report tells of a call that has ended: one line in the log, and the meters. Nothing in
// it is of the request but what closed sets have a name for.
func (s *Server) report(c *call, err error) {
	took := time.Since(c.started)
	code, why := status.Code(err), failureOf(err)
	s.metrics.observe(c, code, why, took)

	level := levelOf(c, code, why)
	if !s.log.Enabled(c, level) {
		return
	}
	attributes := append(make([]slog.Attr, 0, 10), slog.String("trace", c.trace.String()), slog.String("door", c.door.String()),
		slog.String("method", c.method.name), slog.String("code", code.String()), slog.Duration("duration", took))
	if c.party != nil {
		attributes = append(attributes, slog.String("relying_party", c.party.name))
	}
	if c.verdict != "" {
		attributes = append(attributes, slog.String("verdict", c.verdict), slog.Any("reasons", c.reasons))
	}
	if why != "" {
		attributes = append(attributes, slog.String("failure", string(why)))
	}
	if err != nil {
		var own *trouble
		if errors.As(err, &own) {
			attributes = append(attributes, slog.String("detail", own.detail.Error()))
		}
	}
	// Not by way of slog.Logger, which would ask for the time and the caller's place again.
	line := slog.NewRecord(c.started.Add(took), level, "call", 0)
	line.AddAttrs(attributes...)
	_ = s.log.Handler().Handle(c, line) // as slog.Logger has it: there is nowhere to say so
}

// levelOf: our own trouble is an error, unless it is the orderly end of a stream; that somebody asks whether we are well is
// nothing to note, nor is each that we had no place for (tap).
func levelOf(c *call, code codes.Code, why failure) slog.Level {
	switch {
	case c.method.kind == lasting && (why == streamEnded || why == shuttingDown):
		return slog.LevelInfo
	case code == codes.Internal || code == codes.Unknown || code == codes.Unavailable || code == codes.DataLoss:
		return slog.LevelError
	}
	if c.method.kind == public || why == serverBusy {
		return slog.LevelDebug
	}
	return slog.LevelInfo
}
