package client

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	tashikav1 "github.com/tashika-jp/tashika/proto/tashika/v1"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
)

// batches answers batches beside what a script does.
type batches struct {
	script
	failures int // the first calls fail with UNAVAILABLE
	short    bool
	calls    int
}

func (s *batches) BatchVerify(_ context.Context, r *tashikav1.BatchVerifyRequest) (*tashikav1.BatchVerifyResponse, error) {
	if s.calls++; s.calls <= s.failures {
		return nil, errUnavailable
	}
	out := &tashikav1.BatchVerifyResponse{}
	for _, request := range r.GetRequests() {
		result := &tashikav1.VerifyResult{}
		switch name := string(request.GetContent()) + string(request.GetChallenge()); name {
		case "bad":
			result.Result = &tashikav1.VerifyResult_Error{Error: status.New(codes.InvalidArgument, "told").Proto()}
		case "empty":
		default:
			result.Result = &tashikav1.VerifyResult_Response{Response: &tashikav1.VerifyResponse{Profile: name,
				HolderAttributes: &tashikav1.HolderAttributes{GenderCode: "2"}}}
		}
		out.Results = append(out.Results, result)
	}
	if s.short {
		out.Results = out.Results[1:]
	}
	return out, nil
}

func (s *batches) BatchCheckStatus(_ context.Context, r *tashikav1.BatchCheckStatusRequest) (*tashikav1.BatchCheckStatusResponse, error) {
	out := &tashikav1.BatchCheckStatusResponse{}
	for _, request := range r.GetRequests() {
		out.Results = append(out.Results, &tashikav1.CheckStatusResult{Result: &tashikav1.CheckStatusResult_Response{
			Response: &tashikav1.CheckStatusResponse{Profile: string(request.GetCertificate())}}})
	}
	return out, nil
}

func TestVerifyBatch(t *testing.T) {
	s := &batches{failures: 1}
	within(t, s, func(t *testing.T, c *Client, _ *grpc.Server) {
		answers, err := c.VerifyBatch(in(t, time.Minute), []VerifyRequest{{Content: []byte("a")}, {}, {Content: []byte("bad")}, {Content: []byte("empty")}, {Content: []byte("b")}})
		if err != nil || len(answers) != 5 || s.calls != 2 { // without a challenge it is repeated
			t.Fatal(answers, err)
		}
		for i, want := range []struct {
			profile string
			err     error
			code    codes.Code
		}{{profile: "a"}, {err: ErrSigned}, {code: codes.InvalidArgument}, {code: codes.Internal}, {profile: "b"}} {
			a := answers[i]
			var e *Error
			switch {
			case want.profile != "":
				if a.Err != nil || a.Result.Profile != want.profile || a.Result.HolderAttributes.GenderCode != "2" {
					t.Errorf("%d: %+v", i, a)
				}
			case a.Result != nil, want.err != nil && !errors.Is(a.Err, want.err), want.err == nil && (!errors.As(a.Err, &e) || e.Code != want.code):
				t.Errorf("%d: %+v", i, a)
			}
		}
	})
}

func TestVerifyBatchWithAChallengeIsSentOnce(t *testing.T) {
	s := &batches{failures: 1}
	within(t, s, func(t *testing.T, c *Client, _ *grpc.Server) {
		answers, err := c.VerifyBatch(in(t, time.Minute), []VerifyRequest{{Content: []byte("a")}, {Challenge: []byte("b")}})
		if status.Code(err) != codes.Unavailable || answers != nil || s.calls != 1 {
			t.Errorf("%v %v after %d calls", answers, err, s.calls)
		}
	})
}

func TestBatchBounds(t *testing.T) {
	s := &batches{short: true}
	within(t, s, func(t *testing.T, c *Client, _ *grpc.Server) {
		if _, err := c.VerifyBatch(in(t, time.Minute), make([]VerifyRequest, MaxBatch+1)); !errors.Is(err, ErrBatchSize) {
			t.Error(err)
		}
		if _, err := c.CheckStatusBatch(in(t, time.Minute), make([]StatusRequest, MaxBatch+1)); !errors.Is(err, ErrBatchSize) {
			t.Error(err)
		}
		if _, err := c.CheckStatusBatch(t.Context(), make([]StatusRequest, 1)); !errors.Is(err, ErrNoDeadline) {
			t.Error(err)
		}
		if answers, err := c.VerifyBatch(in(t, time.Minute), []VerifyRequest{{}}); err != nil || s.calls != 0 || !errors.Is(answers[0].Err, ErrSigned) {
			t.Error(answers, err)
		}
		// An answer too few, and nobody knows whose.
		if _, err := c.VerifyBatch(in(t, time.Minute), []VerifyRequest{{Content: []byte("a")}, {Content: []byte("b")}}); status.Code(err) != codes.Internal {
			t.Error(err)
		}
		requests := make([]StatusRequest, MaxBatch)
		for i := range requests {
			requests[i].Certificate = fmt.Append(nil, i)
		}
		answers, err := c.CheckStatusBatch(in(t, time.Minute), requests)
		if err != nil {
			t.Fatal(err)
		}
		for i, a := range answers {
			if a.Err != nil || a.Result.Profile != fmt.Sprint(i) {
				t.Errorf("%d: %+v", i, a)
			}
		}
	})
}

// customers are n requests, whose keys are their numbers; taken counts them.
func customers(n int, taken *atomic.Int64) iter.Seq2[int, StatusRequest] {
	return func(yield func(int, StatusRequest) bool) {
		for i := range n {
			taken.Add(1)
			if !yield(i, StatusRequest{Certificate: fmt.Append(nil, i)}) {
				return
			}
		}
	}
}

func TestCheckStatusAll(t *testing.T) {
	s := &script{onStatus: shuffled(100 * time.Millisecond)}
	within(t, s, func(t *testing.T, c *Client, _ *grpc.Server) {
		const n = 5000
		var taken atomic.Int64
		seen := map[int]bool{}
		for key, a := range CheckStatusAll(t.Context(), c, Recheck{InFlight: 32}, customers(n, &taken)) {
			if a.Err != nil || a.Result.Profile != fmt.Sprint(key) || seen[key] {
				t.Fatalf("%d: %+v", key, a)
			}
			seen[key] = true
			// Those that are under way, and one in hand.
			if ahead := taken.Load() - int64(len(seen)); ahead > 32+1 {
				t.Fatalf("%d were taken that have no answer", ahead)
			}
		}
		if len(seen) != n {
			t.Errorf("%d of %d", len(seen), n)
		}
		if s.streams.Load() != 1 || s.unary.Load() > 32 {
			t.Errorf("%d streams, %d by themselves", s.streams.Load(), s.unary.Load())
		}
	})
}

// Who is slow is not run ahead of, and who leaves leaves nothing behind.
func TestCheckStatusAllWaitsForItsReader(t *testing.T) {
	s := &script{onStatus: serve}
	within(t, s, func(t *testing.T, c *Client, _ *grpc.Server) {
		var taken atomic.Int64
		n := int64(0)
		for range CheckStatusAll(t.Context(), c, Recheck{InFlight: 8}, customers(1000, &taken)) {
			n++
			time.Sleep(time.Minute)
			if ahead := taken.Load() - n; ahead > 8+1 {
				t.Fatalf("%d ahead", ahead)
			}
			if n == 20 {
				break
			}
		}
		synctest.Wait()
		if got := taken.Load(); got > n+8+1 {
			t.Errorf("%d were taken", got)
		}
	})
}

// What was answered when the context ends is yielded; nothing else is.
func TestCheckStatusAllEndsWithItsContext(t *testing.T) {
	answered := make(chan string, 10_000)
	s := &script{onStatus: func(stream statusStream) error {
		for i := 0; ; i++ {
			item, err := stream.Recv()
			if err != nil {
				return nil
			}
			if i >= 100 { // then it is mute
				continue
			}
			answered <- string(item.GetRequest().GetCertificate())
			if err := stream.Send(answerTo(item)); err != nil {
				return err
			}
		}
	}}
	within(t, s, func(t *testing.T, c *Client, _ *grpc.Server) {
		opened(t, c)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(10*time.Second, cancel)
		var taken atomic.Int64
		var got []string
		for key, a := range CheckStatusAll(ctx, c, Recheck{}, customers(1000, &taken)) {
			if a.Err != nil {
				t.Errorf("%d: %v", key, a.Err)
			}
			got = append(got, fmt.Sprint(key))
		}
		if ctx.Err() == nil {
			t.Error("it ended before")
		}
		close(answered)
		for name := range answered {
			if name[0] != 'o' && !slices.Contains(got, name) { // opening
				t.Errorf("%s was lost", name)
			}
		}
	})
}

// A server that is busy is waited for within the time of the check; what is wrong with one is its own.
func TestCheckStatusAllRepeats(t *testing.T) {
	busy := statusError(t, codes.ResourceExhausted, &errdetails.RetryInfo{RetryDelay: durationpb.New(time.Second)})
	times := map[string]int{} // items come one after the other
	s := &script{onStatus: func(stream statusStream) error {
		for {
			item, err := stream.Recv()
			if err != nil {
				return nil
			}
			name, a := string(item.GetRequest().GetCertificate()), answerTo(item)
			switch times[name]++; {
			case name == "7":
				a.Result = &tashikav1.CheckStatusStreamResponse_Error{Error: status.New(codes.InvalidArgument, "told").Proto()}
			case name == "8" || times[name] < 10 && name[0] != 'o':
				a.Result = &tashikav1.CheckStatusStreamResponse_Error{Error: status.Convert(busy).Proto()}
			}
			if err := stream.Send(a); err != nil {
				return err
			}
		}
	}}
	within(t, s, func(t *testing.T, c *Client, _ *grpc.Server) {
		opened(t, c)
		var taken atomic.Int64
		n := 0
		for key, a := range CheckStatusAll(t.Context(), c, Recheck{Timeout: 2 * time.Minute}, customers(10, &taken)) {
			n++
			want := map[int]codes.Code{7: codes.InvalidArgument, 8: codes.ResourceExhausted}[key]
			if status.Code(a.Err) != want || (a.Err == nil) != (a.Result != nil) {
				t.Errorf("%d: %v", key, a.Err)
			}
		}
		if n != 10 || times["7"] != 1 {
			t.Errorf("%d answers, %d times", n, times["7"])
		}
	})
}
