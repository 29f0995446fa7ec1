package client

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	tashikav1 "github.com/tashika-jp/tashika/proto/tashika/v1"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
)

func TestFewCallsGoByThemselves(t *testing.T) {
	s := &script{onStatus: serve}
	within(t, s, func(t *testing.T, c *Client, _ *grpc.Server) {
		for range 10 {
			for _, err := range together(sharedFrom-1, func(i int) error { return check(in(t, time.Minute), c, fmt.Sprint(i)) }) {
				if err != nil {
					t.Error(err)
				}
			}
		}
		if s.streams.Load() != 0 || s.unary.Load() != 10*(sharedFrom-1) {
			t.Errorf("%d streams, %d calls", s.streams.Load(), s.unary.Load())
		}
	})
}

func TestManyCallsShareOneStreamWhateverTheOrderOfAnswers(t *testing.T) {
	s := &script{onStatus: pairs}
	within(t, s, func(t *testing.T, c *Client, _ *grpc.Server) {
		opened(t, c)
		before := s.unary.Load()
		for _, err := range together(100, func(i int) error { return check(in(t, time.Minute), c, fmt.Sprint(i)) }) {
			if err != nil {
				t.Error(err)
			}
		}
		if s.streams.Load() != 2 || s.unary.Load() != before { // one of them VerifyStream, which is not there
			t.Errorf("%d streams, %d calls beside them", s.streams.Load(), s.unary.Load()-before)
		}
	})
}

// What lies idle ends well; what comes then is answered as if nothing had been.
func TestIdleStreamEnds(t *testing.T) {
	ended := make(chan error, 2)
	s := &script{onStatus: func(stream statusStream) error {
		err := serve(stream)
		ended <- err
		return err
	}}
	within(t, s, func(t *testing.T, c *Client, _ *grpc.Server) {
		opened(t, c)
		time.Sleep(2 * idleAfter)
		synctest.Wait()
		select {
		case err := <-ended:
			if err != nil {
				t.Error(err)
			}
		default:
			t.Fatal("it has not ended")
		}
		before := s.unary.Load()
		if err := check(in(t, time.Minute), c, "later"); err != nil || s.unary.Load() != before+1 {
			t.Error(err, s.unary.Load())
		}
		opened(t, c)
		if s.streams.Load() != 3 { // two of CheckStatusStream
			t.Errorf("%d streams", s.streams.Load())
		}
	})
}

// An older server is asked once an hour.
func TestServerWithoutStreams(t *testing.T) {
	s := &script{}
	within(t, s, func(t *testing.T, c *Client, _ *grpc.Server) {
		for range 20 {
			opened(t, c)
		}
		if s.streams.Load() != 2 {
			t.Errorf("%d streams in %d s", s.streams.Load(), 20)
		}
		time.Sleep(pauseWithoutMethod)
		s.onStatus = serve
		opened(t, c)
		before := s.unary.Load()
		opened(t, c)
		if s.streams.Load() != 4 || s.unary.Load() != before+sharedFrom {
			t.Errorf("%d streams, %d calls after an hour", s.streams.Load(), s.unary.Load()-before)
		}
	})
}

func TestServerThatRefusesStreamsIsAskedLessAndLess(t *testing.T) {
	s := &script{onStatus: func(statusStream) error { return status.Error(codes.Unavailable, "told") }}
	within(t, s, func(t *testing.T, c *Client, _ *grpc.Server) {
		began := time.Now()
		for time.Since(began) < time.Hour {
			opened(t, c)
		}
		if n := s.streams.Load() - 1; n < 12 || n > 40 { // one is VerifyStream
			t.Errorf("%d streams in an hour", n)
		}
	})
}

// The errors of items are those of calls: code, details, time to come back, repetition.
func TestErrorsOfItems(t *testing.T) {
	failures := map[string]*spb.Status{}
	for name, err := range map[string]error{
		"bad": statusError(t, codes.InvalidArgument, &errdetails.ErrorInfo{Reason: "FIELD_INVALID", Domain: "tashika.jp"},
			&errdetails.BadRequest{FieldViolations: []*errdetails.BadRequest_FieldViolation{{Field: "certificate"}}}),
		"busy": statusError(t, codes.ResourceExhausted, &errdetails.RetryInfo{RetryDelay: durationpb.New(time.Hour)}),
		"none": nil,
	} {
		failures[name] = status.Convert(err).Proto()
	}
	var once atomic.Bool
	s := &script{onStatus: func(stream statusStream) error {
		for {
			item, err := stream.Recv()
			if err != nil {
				return nil
			}
			name := string(item.GetRequest().GetCertificate())
			a := answerTo(item)
			if failure, ok := failures[name]; ok {
				a.Result = &tashikav1.CheckStatusStreamResponse_Error{Error: failure}
			}
			if name == "empty" {
				a.Result = nil
			}
			if name == "once" && !once.Swap(true) {
				a.Result = &tashikav1.CheckStatusStreamResponse_Error{Error: status.New(codes.Unavailable, "told").Proto()}
			}
			if err := stream.Send(a); err != nil {
				return err
			}
		}
	}}
	within(t, s, func(t *testing.T, c *Client, _ *grpc.Server) {
		opened(t, c)
		before := s.unary.Load()
		var e *Error
		if err := check(in(t, time.Minute), c, "bad"); !errors.As(err, &e) || e.Code != codes.InvalidArgument || e.Reason != "FIELD_INVALID" || e.FieldViolations[0].Field != "certificate" {
			t.Error(err)
		}
		if err := check(in(t, time.Minute), c, "busy"); !errors.As(err, &e) || e.Code != codes.ResourceExhausted || e.RetryAfter != time.Hour {
			t.Error(err)
		}
		for _, name := range []string{"none", "empty"} { // neither a verdict nor an error
			if err := check(in(t, time.Minute), c, name); status.Code(err) != codes.Internal {
				t.Errorf("%s: %v", name, err)
			}
		}
		for _, name := range []string{"once", "good"} {
			if err := check(in(t, time.Minute), c, name); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if s.unary.Load() != before {
			t.Error("some went by themselves")
		}
	})
}

// A call that is given up returns at once, its answer is nobody's, and its slot is free when that has come.
func TestCancelledCallReturnsAtOnce(t *testing.T) {
	var timeouts sync.Map
	s := &script{onStatus: func(stream statusStream) error {
		var sending sync.Mutex
		for {
			item, err := stream.Recv()
			if err != nil {
				return nil
			}
			timeouts.Store(string(item.GetRequest().GetCertificate()), item.GetTimeout().AsDuration())
			time.AfterFunc(min(5*time.Second, item.GetTimeout().AsDuration()+time.Millisecond), func() {
				sending.Lock()
				defer sending.Unlock()
				_ = stream.Send(answerTo(item))
			})
		}
	}}
	within(t, s, func(t *testing.T, c *Client, _ *grpc.Server) {
		opened(t, c)
		for range 2 { // twice as many as there are slots for
			began := time.Now()
			errs := together(maxInFlight, func(i int) error {
				ctx, cancel := context.WithCancel(in(t, time.Minute))
				time.AfterFunc(time.Second, cancel)
				if i == 0 {
					return check(in(t, 20*time.Second), c, "stays")
				}
				if i == 1 {
					return check(in(t, 3*time.Second), c, "late")
				}
				return check(ctx, c, "goes")
			})
			for i, err := range errs {
				want := codes.Canceled
				if i < 2 {
					want = []codes.Code{codes.OK, codes.DeadlineExceeded}[i]
				}
				var e *Error
				if status.Code(err) != want || err != nil && !errors.As(err, &e) {
					t.Errorf("%d: %v", i, err)
				}
			}
			if d := time.Since(began); d > 11*time.Second {
				t.Errorf("after %v", d)
			}
		}
		if d, _ := timeouts.Load("stays"); d.(time.Duration) < 14*time.Second || d.(time.Duration) > 20*time.Second {
			t.Errorf("the item had %v", d)
		}
	})
}

// A stream on which nothing comes is given up after the first call that ran out of time; the next go another way.
func TestServerThatNeverAnswers(t *testing.T) {
	s := &script{onStatus: mute}
	within(t, s, func(t *testing.T, c *Client, _ *grpc.Server) {
		opened(t, c)
		if err := check(in(t, 5*time.Second), c, "lost"); status.Code(err) != codes.DeadlineExceeded {
			t.Error(err)
		}
		time.Sleep(stuckAfter)
		synctest.Wait()
		if err := check(in(t, 5*time.Second), c, "next"); err != nil {
			t.Error(err)
		}
		time.Sleep(closeWithin)
		if s.streams.Load() != 2 { // one is VerifyStream
			t.Errorf("%d streams", s.streams.Load())
		}
	})
}

// A server that does not even read: calls wait for its window no longer than their own time.
func TestServerThatNeverReads(t *testing.T) {
	s := &script{onStatus: func(stream statusStream) error {
		item, err := stream.Recv()
		for ; err == nil && strings.HasPrefix(string(item.GetRequest().GetCertificate()), "opening"); item, err = stream.Recv() {
			_ = stream.Send(answerTo(item))
		}
		<-stream.Context().Done()
		return nil
	}}
	within(t, s, func(t *testing.T, c *Client, _ *grpc.Server) {
		opened(t, c)
		large := strings.Repeat("x", largestShared-100)
		for _, err := range together(2*maxInFlight, func(int) error { return check(in(t, 10*time.Second), c, large) }) {
			if err != nil && status.Code(err) != codes.DeadlineExceeded {
				t.Error(err)
			}
		}
		if err := check(in(t, 5*time.Second), c, "next"); err != nil {
			t.Error(err)
		}
	})
}

// endAfter reads n items of VerifyStream, without answers, and ends.
func endAfter(s *script, n int, end func() error) func(verifyStream) error {
	return func(stream verifyStream) error {
		for range n {
			item, err := stream.Recv()
			for ; err == nil && strings.HasPrefix(string(item.GetRequest().GetChallenge()), "opening"); item, err = stream.Recv() {
				_ = stream.Send(&tashikav1.VerifyStreamResponse{Id: item.GetId(), Result: &tashikav1.VerifyStreamResponse_Response{
					Response: &tashikav1.VerifyResponse{Profile: string(item.GetRequest().GetChallenge())}}})
			}
			if err != nil {
				return err
			}
			s.came(item.GetRequest())
		}
		return end()
	}
}

// With the connection goes the knowledge whether a challenge was consumed: the call says UNAVAILABLE, as one alone
// would, and the challenge is not presented again. What may be repeated is.
func TestConnectionLost(t *testing.T) {
	s := &script{}
	var server *grpc.Server
	lost := func() error { go server.Stop(); time.Sleep(time.Second); return nil }
	s.onVerify = endAfter(s, 3, lost)
	s.onStatus = mute
	within(t, s, func(t *testing.T, c *Client, running *grpc.Server) {
		server = running
		opened(t, c)
		errs := together(4, func(i int) error {
			if i == 3 {
				return check(in(t, time.Minute), c, "check")
			}
			return verifyWith(in(t, time.Minute), c, fmt.Sprint(i))
		})
		var e *Error
		for i, err := range errs { // the check, too: there is no server left
			if !errors.As(err, &e) || e.Code != codes.Unavailable {
				t.Errorf("%d: %v", i, err)
			}
			if n := s.challenges[fmt.Sprint(i)]; i < 3 && n != 1 {
				t.Errorf("%d came %d times", i, n)
			}
		}
	})
}

// A stream that somebody in between cuts: there is no word of the server in how it ends.
func TestStreamCut(t *testing.T) {
	for _, code := range []codes.Code{codes.Unavailable, codes.Internal, codes.Canceled, codes.Unknown} {
		s := &script{}
		cut := func() error { return status.Error(code, "told") }
		s.onVerify = endAfter(s, 1, cut)
		s.onStatus = func(stream statusStream) error {
			if _, err := stream.Recv(); err != nil {
				return err
			}
			return cut()
		}
		within(t, s, func(t *testing.T, c *Client, _ *grpc.Server) {
			opened(t, c)
			if err := verifyWith(in(t, time.Minute), c, "x"); status.Code(err) != codes.Unavailable || s.challenges["x"] != 1 {
				t.Errorf("%v: %v after %d", code, err, s.challenges["x"])
			}
			if err := check(in(t, time.Minute), c, "repeated"); err != nil {
				t.Error(err)
			}
		})
	}
}

// By the API, what has no answer when the server ends a stream was not accepted: the challenge is as good as before.
func TestServerEndsTheStream(t *testing.T) {
	for name, end := range map[string]error{
		"ended": statusError(t, codes.Unavailable, &errdetails.ErrorInfo{Reason: "STREAM_ENDED", Domain: "tashika.jp"}),
		"ok":    nil,
	} {
		t.Run(name, func(t *testing.T) {
			s := &script{}
			s.onVerify = endAfter(s, 50, func() error { return end })
			within(t, s, func(t *testing.T, c *Client, _ *grpc.Server) {
				opened(t, c)
				for i, err := range together(50, func(i int) error { return verifyWith(in(t, time.Minute), c, fmt.Sprint(i)) }) {
					if err != nil || s.challenges[fmt.Sprint(i)] != 2 {
						t.Errorf("%d: %v after %d", i, err, s.challenges[fmt.Sprint(i)])
					}
				}
			})
		})
	}
}

// GOAWAY: a stream goes on, what is lost when its connection is cut at last is repeated, and the next stream is on another connection.
func TestGoAway(t *testing.T) {
	s := &script{onStatus: func(stream statusStream) error {
		var sending sync.Mutex
		for {
			item, err := stream.Recv()
			if err != nil {
				return nil
			}
			time.AfterFunc(time.Minute, func() {
				sending.Lock()
				defer sending.Unlock()
				_ = stream.Send(answerTo(item))
			})
		}
	}}
	within(t, s, func(t *testing.T, c *Client, _ *grpc.Server) {
		began := time.Now()
		for time.Since(began) < 10*time.Minute {
			for _, err := range together(50, func(i int) error { return check(in(t, 2*time.Minute), c, fmt.Sprint(i)) }) {
				if err != nil {
					t.Fatal(err)
				}
			}
		}
		if s.streams.Load() < 3 {
			t.Errorf("%d streams", s.streams.Load())
		}
	}, grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionAge: 90 * time.Second, MaxConnectionAgeGrace: 65 * time.Second}))
}

// An answer to what nobody asked could be anybody's: the stream is ended, and nobody gets it.
func TestStrangeAnswers(t *testing.T) {
	for _, id := range []uint64{0, 1 << 40} {
		s := &script{onStatus: func(stream statusStream) error {
			item, err := stream.Recv()
			if err != nil {
				return err
			}
			a := answerTo(item)
			a.Id = id
			return errors.Join(stream.Send(a), mute(stream))
		}}
		within(t, s, func(t *testing.T, c *Client, _ *grpc.Server) {
			opened(t, c)
			before := s.unary.Load()
			if err := check(in(t, time.Minute), c, "mine"); err != nil || s.unary.Load() != before+1 { // repeated, by itself
				t.Error(err)
			}
		})
	}
}

// A call ends with the client, in the way that one alone does.
func TestCloseEndsCalls(t *testing.T) {
	for _, many := range []bool{false, true} {
		s := &script{onStatus: mute}
		within(t, s, func(t *testing.T, c *Client, _ *grpc.Server) {
			if many {
				opened(t, c)
			}
			time.AfterFunc(100*time.Millisecond, func() { _ = c.Close() })
			if err := check(in(t, time.Second), c, "x"); status.Code(err) != codes.Canceled {
				t.Errorf("many %t: %v", many, err)
			}
		})
	}
}

// Metadata of the caller's own, large requests and the choice of Unary make a call go by itself.
func TestWhatIsNotShared(t *testing.T) {
	s := &script{onStatus: serve}
	within(t, s, func(t *testing.T, c *Client, _ *grpc.Server) {
		opened(t, c)
		before := s.unary.Load()
		if err := check(metadata.AppendToOutgoingContext(in(t, time.Minute), "traceparent", "00"), c, "traced"); err != nil {
			t.Error(err)
		}
		if err := check(in(t, time.Minute), c, strings.Repeat("x", largestShared)); err != nil {
			t.Error(err)
		}
		alone := newClient(c.conn, true)
		if err := check(in(t, time.Minute), alone, "unary"); err != nil {
			t.Error(err)
		}
		if s.unary.Load() != before+3 {
			t.Errorf("%d went by themselves", s.unary.Load()-before)
		}
	})
}

// Ten thousand at a time: each gets its own answer, and the server never has more than the bound.
func TestTenThousandAtATime(t *testing.T) {
	n := 10_000
	if testing.Short() {
		n = 2_000
	}
	var now, most atomic.Int64
	s := &script{onStatus: func(stream statusStream) error {
		var sending sync.Mutex
		for {
			item, err := stream.Recv()
			if err != nil {
				return nil
			}
			if n := now.Add(1); n > most.Load() {
				most.Store(n) // only here
			}
			time.AfterFunc(rand.N(100*time.Millisecond), func() {
				now.Add(-1)
				sending.Lock()
				defer sending.Unlock()
				_ = stream.Send(answerTo(item))
			})
		}
	}}
	within(t, s, func(t *testing.T, c *Client, _ *grpc.Server) {
		for i, err := range together(n, func(i int) error { return check(in(t, time.Hour), c, fmt.Sprint(i)) }) {
			if err != nil {
				t.Fatal(i, err)
			}
		}
		if most.Load() > maxInFlight || s.unary.Load() > 2*maxInFlight || s.streams.Load() != 1 {
			t.Errorf("%d at a time, %d by themselves, %d streams", most.Load(), s.unary.Load(), s.streams.Load())
		}
	})
}

// Calls that are given up at any moment, among others that are not, while streams come and go.
func TestCancellationStorm(t *testing.T) {
	s := &script{onStatus: func(stream statusStream) error {
		var sending sync.Mutex
		for range 1 + rand.N(500) {
			item, err := stream.Recv()
			if err != nil {
				return nil
			}
			time.AfterFunc(rand.N(20*time.Millisecond), func() {
				sending.Lock()
				defer sending.Unlock()
				_ = stream.Send(answerTo(item))
			})
		}
		time.Sleep(20 * time.Millisecond) // all are answered
		return nil
	}}
	within(t, s, func(t *testing.T, c *Client, _ *grpc.Server) {
		errs := together(300, func(i int) (err error) {
			for j := range 20 {
				ctx, cancel := context.WithCancel(in(t, time.Hour))
				if i%3 > 0 {
					time.AfterFunc(rand.N(40*time.Millisecond), cancel)
				}
				if e := check(ctx, c, fmt.Sprint(i, " ", j)); status.Code(e) != codes.Canceled || i%3 == 0 {
					err = errors.Join(err, e)
				}
				cancel()
			}
			return err
		})
		if err := errors.Join(errs...); err != nil {
			t.Error(err)
		}
	})
}
