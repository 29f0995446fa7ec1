package client

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
)

const (
	// sharedFrom is how many calls of a method have to be under way at a time for a stream to be opened. Measured by BenchmarkShare (CPU
	// of both ends): alone 54 to 67 µs, on the stream 21 to 32, twice to 2.5 times less at any number of callers; to open a stream costs 58, as
	// one call. So an open one serves whoever comes, even one call at a time, and would soon pay for itself from the first on. But it
	// also holds one of the places that the server has for the streams of a relying party (256 unless told otherwise), and
	// a thousand kiosks, each with a person or two before it, are to leave those to who has many calls.
	sharedFrom = 4
	// maxInFlight bounds the calls on a stream, and those beside it that go by themselves. It is what a server works on
	// for one stream at a time unless it is told otherwise: what goes beyond would wait there, its time running unseen.
	maxInFlight = 256
	// largestShared is the size in bytes of a request that still goes on the stream. What is larger than the window of a
	// stream would keep all others waiting for the server to make room.
	largestShared = 32 << 10
	// openWithin is the time for a stream to be let in, and closeWithin for the server to end one that takes no more calls.
	openWithin, closeWithin = 10 * time.Second, 5 * time.Second
	// idleAfter is when a stream without calls ends, at the latest after twice that time. The server's own patience is minutes.
	idleAfter = 30 * time.Second
	// stuckAfter is how long after its deadline the answer to a call may come before its stream is given up.
	stuckAfter = 2 * time.Second
	// Between two streams is at least a time within the first of these, doubled for each that failed, up to the second. A server
	// that does not have the method is asked again after the third: it may have been replaced.
	firstPause, longestPause, pauseWithoutMethod = time.Second, 5 * time.Minute, time.Hour
	// longestTimeout is the greatest that the API takes for an item.
	longestTimeout = time.Hour
)

// errNotAccepted says that the server has not begun with a call's item and never will: the call may be made in another way,
// a challenge is as good as before.
var errNotAccepted = errors.New("client: not accepted")

// shared makes the calls of one method: by themselves while they are few, and on one stream that they share while they are many. Its
// method call stands in for the method of the generated client, and fails as that does.
type shared[Q, R any] struct {
	unary method[Q, R]
	// The method's stream: how it is opened, and its messages.
	open   func(context.Context) (grpc.ClientStream, error)
	item   func(id uint64, request *Q, timeout *durationpb.Duration) proto.Message
	answer func() answer[R]

	ctx     context.Context // of the streams
	stop    context.CancelFunc
	calls   atomic.Int64                 // under way
	singles chan struct{}                // holds one for each that goes by itself
	live    atomic.Pointer[stream[Q, R]] // takes calls; nil: none does
	running sync.WaitGroup               // the streams

	mu       sync.Mutex
	opening  chan struct{} // closed when the stream that is being opened is open or has failed; nil: none is
	notUntil time.Time     // no stream is opened before
	failures int           // streams that failed one after the other
	closed   bool
}

// answer is the answer to an item.
type answer[R any] interface {
	proto.Message
	GetId() uint64
	GetResponse() *R
	GetError() *spb.Status
}

func (s *shared[Q, R]) init() *shared[Q, R] {
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.singles = make(chan struct{}, maxInFlight)
	return s
}

// close lets no more streams be.
func (s *shared[Q, R]) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
}

// wait ends the streams, and returns when nothing is at work any more. It comes after close, and after the connection has gone.
func (s *shared[Q, R]) wait() {
	s.stop()
	s.running.Wait()
}

// call is the method.
func (s *shared[Q, R]) call(ctx context.Context, request *Q, _ ...grpc.CallOption) (*R, error) {
	calls := s.calls.Add(1)
	defer s.calls.Add(-1)
	// Metadata of a caller's own is the call's and no stream's.
	own, _ := metadata.FromOutgoingContext(ctx)
	alone := len(own) > 0 || proto.Size(any(request).(proto.Message)) > largestShared
	for !alone {
		live, opening := s.join(calls)
		if live != nil {
			response, err := live.call(ctx, request)
			if errors.Is(err, errNotAccepted) {
				continue
			}
			return response, err
		}
		select {
		case s.singles <- struct{}{}:
			defer func() { <-s.singles }()
			alone = true
		case <-opening:
		case <-ctx.Done():
			return nil, status.FromContextError(ctx.Err()).Err()
		}
	}
	return s.unary(ctx, request)
}

// join returns the open stream. If there is none and the calls are many, it sees to it that there will be: who waits for that
// waits for opening.
func (s *shared[Q, R]) join(calls int64) (live *stream[Q, R], opening <-chan struct{}) {
	if live := s.live.Load(); live != nil {
		return live, nil
	}
	if calls < sharedFrom {
		return nil, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.opening == nil && !s.closed && s.live.Load() == nil && !time.Now().Before(s.notUntil) {
		opening := make(chan struct{})
		s.opening = opening
		s.running.Go(func() { s.run(opening) })
	}
	return s.live.Load(), s.opening
}

// run is the life of a stream.
func (s *shared[Q, R]) run(opening chan struct{}) {
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	wire, err := s.connect(ctx, cancel)
	var w *stream[Q, R]
	if err == nil {
		w = newStream(s, wire, cancel)
		s.live.Store(w)
	} else {
		s.postpone(err)
	}
	s.mu.Lock()
	s.opening = nil
	s.mu.Unlock()
	close(opening)
	if err != nil {
		return
	}
	var sender sync.WaitGroup
	sender.Go(w.send)
	err = w.receive()
	cancel()
	w.end(err)
	sender.Wait()
}

// connect opens a stream and waits until the server has let it in: before that no call is at stake.
func (s *shared[Q, R]) connect(ctx context.Context, cancel func()) (grpc.ClientStream, error) {
	late := time.AfterFunc(openWithin, cancel)
	defer late.Stop()
	wire, err := s.open(ctx)
	if err != nil {
		return nil, err
	}
	header, err := wire.Header()
	if err == nil && header == nil { // it has ended, and how comes with the next message
		if err = wire.RecvMsg(s.answer()); err == nil {
			err = errStrange
		}
	}
	return wire, err
}

// postpone keeps the next stream from being opened too soon after one that failed, or ended well (nil).
func (s *shared[Q, R]) postpone(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	pause := firstPause
	if err == nil {
		s.failures = 0
	} else {
		pause = min(firstPause<<min(s.failures, 16), longestPause)
		s.failures++
	}
	if status.Code(err) == codes.Unimplemented {
		pause = pauseWithoutMethod
	}
	s.notUntil = time.Now().Add(pause/2 + rand.N(pause/2+1))
}

// errStrange is a server that does not keep to the API.
var errStrange = status.Error(codes.Internal, "client: the server's answers on the stream are not those of the API")

// lost is the error of a call that was on its way when its stream ended: with the connection or by
// somebody in between, never by the server's word. Whatever code that had, no call has it that was made alone, unless
// the client was closed.
func (s *shared[Q, R]) lost(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if why := status.Convert(err); why.Code() != codes.Unavailable && !s.closed {
		return status.Error(codes.Unavailable, "the stream broke: "+why.Message())
	}
	return err
}

// serverEnded says whether the server itself has ended the stream. Then what has no answer was not accepted.
func serverEnded(err error) bool {
	return errors.Is(err, io.EOF) || newError(err).Reason != ""
}
