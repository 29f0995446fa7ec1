package server

import (
	"io"
	"log/slog"
	"testing"

	tashikav1 "github.com/tashika-jp/tashika/proto/tashika/v1"
)

// BenchmarkWays is the status of one certificate by each way on the network, with 64 in flight: the client's work is in it, so
// it compares the ways and nothing else. A line of the log is written for each.
func BenchmarkWays(b *testing.B) {
	const inFlight = 64
	r := refreshed(b, func(c *Config) {
		c.Logger = slog.New(slog.NewJSONHandler(io.Discard, nil))
		for i := range c.RelyingParties {
			c.RelyingParties[i].Rate = Rate{PerSecond: 1e6, Burst: 1e6}
		}
	})
	request := statusOf(newPhone(b))
	b.Run("unary", func(b *testing.B) {
		b.ReportAllocs()
		b.SetParallelism(inFlight / 2)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, err := r.certificates().CheckStatus(as(kioskToken), request); err != nil {
					b.Error(err)
				}
			}
		})
	})
	b.Run("stream", func(b *testing.B) {
		b.ReportAllocs()
		stream := r.statusStream(as(kioskToken))
		sent := 0
		for ; sent < min(inFlight, b.N); sent++ {
			send(b, stream, &tashikav1.CheckStatusStreamRequest{Request: request})
		}
		for range b.N {
			if a := next(b, stream); a.GetResponse() == nil {
				b.Fatal(a)
			}
			if sent < b.N {
				sent++
				send(b, stream, &tashikav1.CheckStatusStreamRequest{Request: request})
			}
		}
	})
	b.Run("batch", func(b *testing.B) {
		b.ReportAllocs()
		in := &tashikav1.BatchCheckStatusRequest{}
		for range 32 {
			in.Requests = append(in.Requests, request)
		}
		for done := 0; done < b.N; done += 32 {
			if _, err := r.certificates().BatchCheckStatus(as(kioskToken), in); err != nil {
				b.Fatal(err)
			}
		}
	})
}
