package client

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
)

// ErrNoDeadline is returned for a context without a deadline, before anything is sent.
var ErrNoDeadline = errors.New("client: the context has no deadline")

// The bounds of repetition: with these, the waits of one call add up to at most 1.4 seconds
// unless the server asks for more. CheckStatusAll, which has nobody waiting, goes on for as long as a check has time.
const (
	maxAttempts    = 4
	firstBackoff   = 200 * time.Millisecond
	longestBackoff = 6400 * time.Millisecond
)

// method is a method of the generated clients.
type method[Q, R any] func(context.Context, *Q, ...grpc.CallOption) (*R, error)

// repeatable makes a call that may be made twice.
func repeatable[Q, R any](ctx context.Context, c *Client, call method[Q, R], request *Q) (*R, error) {
	return repeat(ctx, c, maxAttempts, call, request)
}

// repeat makes a call up to a number of times.
func repeat[Q, R any](ctx context.Context, c *Client, attempts int, call method[Q, R], request *Q) (*R, error) {
	deadline, _ := ctx.Deadline()
	for attempt := 1; ; attempt++ {
		response, err := once(ctx, call, request)
		var failure *Error
		if !errors.As(err, &failure) || !failure.temporary() || attempt == attempts {
			return response, err
		}
		// Half of the backoff is certain and half is chance: clients that failed together
		// do not come back together, and none comes back sooner than the server asked.
		backoff := min(firstBackoff<<min(attempt-1, 16), longestBackoff)
		pause := failure.RetryAfter + backoff/2 + rand.N(backoff/2+1)
		if pause >= time.Until(deadline) || c.wait(ctx, pause) != nil {
			return nil, err
		}
	}
}

// once makes a call that must not be made twice.
func once[Q, R any](ctx context.Context, call method[Q, R], request *Q) (*R, error) {
	if _, ok := ctx.Deadline(); !ok {
		return nil, ErrNoDeadline
	}
	response, err := call(ctx, request)
	if err != nil {
		return nil, newError(err)
	}
	return response, nil
}

// temporary says whether another attempt may succeed. RESOURCE_EXHAUSTED without a time to come
// back is also what gRPC says of a message that is too large, for ever.
func (e *Error) temporary() bool {
	return e.Code == codes.Unavailable || e.Code == codes.ResourceExhausted && e.RetryAfter > 0
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
