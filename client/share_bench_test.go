//go:build unix

package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"

	tashikav1 "github.com/tashika-jp/tashika/proto/tashika/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// echo is the least server: it says what a verdict says, without looking.
type echo struct {
	tashikav1.UnimplementedCertificateServiceServer
	response *tashikav1.CheckStatusResponse
}

func (e *echo) CheckStatus(context.Context, *tashikav1.CheckStatusRequest) (*tashikav1.CheckStatusResponse, error) {
	return e.response, nil
}

func (e *echo) CheckStatusStream(stream statusStream) error {
	if err := stream.SendHeader(nil); err != nil {
		return err
	}
	for {
		item, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := stream.Send(&tashikav1.CheckStatusStreamResponse{Id: item.GetId(),
			Result: &tashikav1.CheckStatusStreamResponse_Response{Response: e.response}}); err != nil {
			return err
		}
	}
}

// BenchmarkShare tells what sharedFrom is worth: the CPU time of a call, of both ends together, alone and on the shared stream, and
// their ratio, over loopback and with messages of the usual size.
func BenchmarkShare(b *testing.B) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	server := grpc.NewServer()
	tashikav1.RegisterCertificateServiceServer(server, &echo{response: &tashikav1.CheckStatusResponse{Profile: string(make([]byte, 300))}})
	go func() { _ = server.Serve(listener) }()
	defer server.Stop()
	request := StatusRequest{Certificate: make([]byte, 1600)}
	clients := map[bool]*Client{}
	for _, unary := range []bool{true, false} {
		conn, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDisableRetry())
		if err != nil {
			b.Fatal(err)
		}
		c := newClient(conn, unary)
		defer c.Close()
		clients[unary] = c
	}
	ctx, cancel := context.WithTimeout(b.Context(), time.Hour)
	defer cancel()
	run := func(c *Client, callers, calls int) (cpu time.Duration) {
		before := cpuTime()
		var wg sync.WaitGroup
		for i := range callers {
			wg.Go(func() {
				for range (calls + i) / callers {
					if _, err := c.CheckStatus(ctx, request); err != nil {
						b.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
		return cpuTime() - before
	}
	for _, unary := range []bool{true, false} { // connections, and the stream
		run(clients[unary], 64, 20_000)
	}
	for _, callers := range []int{1, 2, 4, 8, 64} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			var alone, shared time.Duration
			const turn = 500
			for range max(1, b.N/turn) { // by turns, as the machine is never the same for long
				alone += run(clients[true], callers, turn)
				shared += run(clients[false], callers, turn)
			}
			n := float64(max(1, b.N/turn) * turn)
			b.ReportMetric(float64(alone.Nanoseconds())/1e3/n, "cpu-µs/alone")
			b.ReportMetric(float64(shared.Nanoseconds())/1e3/n, "cpu-µs/shared")
			b.ReportMetric(float64(alone)/float64(shared), "alone/shared")
		})
	}
	b.Run("opening", func(b *testing.B) { // a stream for one call
		stub := tashikav1.NewCertificateServiceClient(clients[true].conn)
		before := cpuTime()
		for range b.N {
			stream, err := stub.CheckStatusStream(ctx)
			if err == nil {
				err = errors.Join(stream.Send(&tashikav1.CheckStatusStreamRequest{Request: request.message()}), stream.CloseSend())
			}
			for err == nil {
				_, err = stream.Recv()
			}
			if !errors.Is(err, io.EOF) {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64((cpuTime()-before).Nanoseconds())/1e3/float64(b.N), "cpu-µs/op")
	})
}

// cpuTime is that of this process.
func cpuTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
