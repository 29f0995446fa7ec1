package server

import (
	"context"
	"io"
	"log/slog"
	"os"
	"testing"

	"github.com/tashika-jp/tashika/certs"
	"github.com/tashika-jp/tashika/certs/reason"
	tashikav1 "github.com/tashika-jp/tashika/proto/tashika/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
)

// benched is a server whose log goes where it is read, as the daemon's does, and the context of a call to it.
func benched(b *testing.B, level slog.Level) (*running, context.Context) {
	reader, writer, err := os.Pipe()
	if err != nil {
		b.Fatal(err)
	}
	go io.Copy(io.Discard, reader)
	b.Cleanup(func() { writer.Close() })
	r := refreshed(b, func(c *Config) {
		c.Logger = slog.New(newLines(writer, level))
		for i := range c.RelyingParties {
			c.RelyingParties[i].Rate = Rate{PerSecond: 1e6, Burst: 1e6}
		}
	})
	ctx := metadata.NewIncomingContext(context.Background(), metadata.Pairs("authorization", "Bearer "+allToken))
	return r, grpc.NewContextWithServerTransportStream(ctx, headerless{&withinHeader{}})
}

// headerless takes headers and keeps none.
type headerless struct{ *withinHeader }

func (headerless) SetHeader(metadata.MD) error { return nil }

// BenchmarkGuard is what stands around a handler that does nothing: trace, log, metrics, deadline, authentication, rate and capacity.
// Validation is told apart. With the log at INFO a line is made and written for each.
func BenchmarkGuard(b *testing.B) {
	for _, level := range []slog.Level{slog.LevelInfo, slog.LevelWarn} {
		b.Run("log="+level.String(), func(b *testing.B) {
			r, ctx := benched(b, level)
			m := r.methods[tashikav1.VerificationService_Verify_FullMethodName]
			reasons := []reason.ID{reason.Revoked}
			b.ReportAllocs()
			for b.Loop() {
				if err := r.guard(ctx, grpcDoor, m, func(c *call) error {
					c.verdict, c.reasons = conclusions[certs.Invalid].String(), reasons
					return nil
				}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkValidate holds a request against the rules of the .proto files.
func BenchmarkValidate(b *testing.B) {
	r, _ := benched(b, slog.LevelWarn)
	request := r.kycRequest(newPhone(b))
	b.ReportAllocs()
	for b.Loop() {
		if err := r.validate(request); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkHandler is a verification with its translation, without what stands around it.
func BenchmarkHandler(b *testing.B) {
	r, ctx := benched(b, slog.LevelWarn)
	phone := newPhone(b)
	request := r.kycRequest(phone)
	status := &tashikav1.CheckStatusRequest{Use: request.GetUse(), Certificate: request.GetCertificate()}
	h := &handlers{server: r.Server}
	state := r.state.Load()
	var party *party
	for _, p := range state.parties.all {
		if p.name == "all" {
			party = p
		}
	}
	b.Run("verify", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			c := &call{Context: ctx, state: state, method: r.verifyInside, party: party}
			if v, err := h.Verify(c, request); err != nil || v.GetVerdict() != tashikav1.Verdict_VERDICT_VALID {
				b.Fatal(v, err)
			}
		}
	})
	b.Run("status", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			c := &call{Context: ctx, state: state, method: r.statusInside, party: party}
			if v, err := h.CheckStatus(c, status); err != nil || v.GetVerdict() != tashikav1.Verdict_VERDICT_VALID {
				b.Fatal(v, err)
			}
		}
	})
}
