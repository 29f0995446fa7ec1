package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	tashikav1 "github.com/tashika-jp/tashika/proto/tashika/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
)

// The streams of the two methods, as a server sees them.
type (
	statusStream = grpc.BidiStreamingServer[tashikav1.CheckStatusStreamRequest, tashikav1.CheckStatusStreamResponse]
	verifyStream = grpc.BidiStreamingServer[tashikav1.VerifyStreamRequest, tashikav1.VerifyStreamResponse]
)

// script is a server whose streams a test writes. Alone, it has no streams and takes a second for each call.
type script struct {
	tashikav1.UnimplementedVerificationServiceServer
	tashikav1.UnimplementedCertificateServiceServer
	onStatus func(statusStream) error
	onVerify func(verifyStream) error

	unary, streams atomic.Int64 // calls that came
	mu             sync.Mutex
	challenges     map[string]int // how often each came, in whatever way
}

func (s *script) CheckStatus(_ context.Context, r *tashikav1.CheckStatusRequest) (*tashikav1.CheckStatusResponse, error) {
	s.unary.Add(1)
	time.Sleep(time.Second)
	return &tashikav1.CheckStatusResponse{Profile: string(r.GetCertificate())}, nil
}

func (s *script) Verify(_ context.Context, r *tashikav1.VerifyRequest) (*tashikav1.VerifyResponse, error) {
	s.unary.Add(1)
	s.came(r)
	time.Sleep(time.Second)
	return &tashikav1.VerifyResponse{Profile: string(r.GetChallenge())}, nil
}

func (s *script) came(r *tashikav1.VerifyRequest) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.challenges == nil {
		s.challenges = map[string]int{}
	}
	s.challenges[string(r.GetChallenge())]++
}

func (s *script) CheckStatusStream(stream statusStream) error {
	s.streams.Add(1)
	if s.onStatus == nil {
		return status.Error(codes.Unimplemented, "told")
	}
	if err := stream.SendHeader(nil); err != nil {
		return err
	}
	return s.onStatus(stream)
}

func (s *script) VerifyStream(stream verifyStream) error {
	s.streams.Add(1)
	if s.onVerify == nil {
		return status.Error(codes.Unimplemented, "told")
	}
	if err := stream.SendHeader(nil); err != nil {
		return err
	}
	return s.onVerify(stream)
}

// services is a scripted server.
type services interface {
	tashikav1.VerificationServiceServer
	tashikav1.CertificateServiceServer
}

// within runs a test in a bubble, where time passes when nothing is to be done, with a client of a scripted server. When
// it ends, so has every goroutine.
func within(t *testing.T, s services, test func(t *testing.T, c *Client, server *grpc.Server), options ...grpc.ServerOption) {
	synctest.Test(t, func(t *testing.T) {
		listener := bufconn.Listen(1 << 20)
		server := grpc.NewServer(append(options, grpc.WaitForHandlers(true))...)
		tashikav1.RegisterVerificationServiceServer(server, s)
		tashikav1.RegisterCertificateServiceServer(server, s)
		go func() { _ = server.Serve(listener) }()
		conn, err := grpc.NewClient("passthrough:///script", grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDisableRetry(),
			grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
		if err != nil {
			t.Fatal(err)
		}
		c := newClient(conn, false)
		defer func() {
			if err := c.Close(); err != nil && status.Code(err) != codes.Canceled { // a second time
				t.Error(err)
			}
			server.Stop()
			_ = listener.Close()
		}()
		test(t, c, server)
	})
}

// check makes a call whose answer has to be its own.
func check(ctx context.Context, c *Client, name string) error {
	r, err := c.CheckStatus(ctx, StatusRequest{Certificate: []byte(name)})
	if err == nil && r.Profile != name {
		err = fmt.Errorf("%s got the answer of %s", name, r.Profile)
	}
	return err
}

func verifyWith(ctx context.Context, c *Client, challenge string) error {
	r, err := c.Verify(ctx, VerifyRequest{Challenge: []byte(challenge)})
	if err == nil && r.Profile != challenge {
		err = fmt.Errorf("%s got the answer of %s", challenge, r.Profile)
	}
	return err
}

// within a time of the test's clock.
func in(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// together makes n calls at the same time and returns their errors.
func together(n int, call func(i int) error) []error {
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { errs[i] = call(i) })
	}
	wg.Wait()
	return errs
}

// opened makes calls of both methods until there is a stream where the server lets one be.
func opened(t *testing.T, c *Client) {
	t.Helper()
	errs := together(2*sharedFrom, func(i int) error {
		if i%2 == 0 {
			return verifyWith(in(t, time.Minute), c, fmt.Sprint("opening ", i))
		}
		return check(in(t, time.Minute), c, fmt.Sprint("opening ", i))
	})
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
}

// answerTo is what the scripts answer to a check.
func answerTo(item *tashikav1.CheckStatusStreamRequest) *tashikav1.CheckStatusStreamResponse {
	return &tashikav1.CheckStatusStreamResponse{Id: item.GetId(), Result: &tashikav1.CheckStatusStreamResponse_Response{
		Response: &tashikav1.CheckStatusResponse{Profile: string(item.GetRequest().GetCertificate())}}}
}

// serve answers each item as it comes.
func serve(stream statusStream) error {
	for {
		item, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := stream.Send(answerTo(item)); err != nil {
			return err
		}
	}
}

// pairs answers two items at a time, the second first.
func pairs(stream statusStream) error {
	for {
		first, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		second, err := stream.Recv()
		if err == nil {
			err = errors.Join(stream.Send(answerTo(second)), stream.Send(answerTo(first)))
		}
		if err != nil {
			return err
		}
	}
}

// shuffled answers in any order, each within a time.
func shuffled(within time.Duration) func(statusStream) error {
	return func(stream statusStream) error {
		var sending sync.Mutex
		for {
			item, err := stream.Recv()
			if err != nil {
				return nil
			}
			time.AfterFunc(rand.N(within), func() {
				sending.Lock()
				defer sending.Unlock()
				_ = stream.Send(answerTo(item))
			})
		}
	}
}

// mute never answers, but those that have it opened.
func mute(stream statusStream) error {
	for {
		item, err := stream.Recv()
		if err != nil {
			return nil
		}
		if strings.HasPrefix(string(item.GetRequest().GetCertificate()), "opening") {
			if err := stream.Send(answerTo(item)); err != nil {
				return err
			}
		}
	}
}
