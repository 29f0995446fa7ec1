package server

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// report tells of a call that has ended: one line in the log, and the meters. Nothing in
// it is of the request but what closed sets have a name for.
func (s *Server) report(ctx context.Context, c *call, err error) {
	took := time.Since(c.started)
	code, why := codes.OK, ""
	if err != nil {
		answer := status.Convert(err)
		code = answer.Code()
		if info := infoOf(answer); info != nil && info.GetDomain() == Domain {
			why = info.GetReason()
		}
	}
	s.metrics.observe(c, code, failure(why), took)

	level := levelOf(c, code)
	if !s.log.Enabled(ctx, level) {
		return
	}
	attributes := make([]slog.Attr, 0, 10)
	attributes = append(attributes, slog.String("trace", c.trace.String()), slog.String("door", c.door.String()),
		slog.String("method", c.method.name), slog.String("code", code.String()), slog.Duration("duration", took))
	if c.party != nil {
		attributes = append(attributes, slog.String("relying_party", c.party.name))
	}
	if c.verdict != "" {
		attributes = append(attributes, slog.String("verdict", c.verdict), slog.Any("reasons", c.reasons))
	}
	if why != "" {
		attributes = append(attributes, slog.String("failure", why))
	}
	var own *trouble
	if errors.As(err, &own) {
		attributes = append(attributes, slog.String("detail", own.detail.Error()))
	}
	s.log.LogAttrs(ctx, level, "call", attributes...)
}

// levelOf: our own trouble is an error; that somebody asks whether we are well is nothing to note.
func levelOf(c *call, code codes.Code) slog.Level {
	switch code {
	case codes.Internal, codes.Unknown, codes.Unavailable, codes.DataLoss:
		return slog.LevelError
	}
	if c.method.public {
		return slog.LevelDebug
	}
	return slog.LevelInfo
}
