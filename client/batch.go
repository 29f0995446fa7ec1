package client

import (
	"context"
	"fmt"
	"iter"
	"math"
	"sync"
	"time"

	tashikav1 "github.com/tashika-jp/tashika/proto/tashika/v1"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// MaxBatch is the greatest number of requests in one call of VerifyBatch or CheckStatusBatch: the API's bound.
const MaxBatch = 256

// ErrBatchSize is returned for more than MaxBatch requests, before anything is sent. They are not divided: a batch
// is one call, with one deadline and one fate.
var ErrBatchSize = fmt.Errorf("client: a batch has at most %d requests", MaxBatch)

// Answer is what came of one of many: a result or an error, never both.
type Answer struct {
	Result *Result
	Err    error // as the call for this one alone would have returned it
}

// VerifyBatch verifies up to MaxBatch at once in one call, for a server that can then work on them together, and returns an answer for
// each in their order. What is wrong with one is in its own answer and is not repeated. An error of the call leaves all without an answer;
// the call is repeated as Verify is, and never if any request has a challenge. The whole must fit into a message of the server, of 4 MiB unless it is told otherwise.
func (c *Client) VerifyBatch(ctx context.Context, requests []VerifyRequest) ([]Answer, error) {
	answers := make([]Answer, len(requests))
	message := &tashikav1.BatchVerifyRequest{}
	var sent []int
	consumes := false
	for i := range requests {
		request, err := requests[i].message()
		if err != nil {
			answers[i].Err = err
			continue
		}
		consumes = consumes || requests[i].Challenge != nil
		message.Requests, sent = append(message.Requests, request), append(sent, i)
	}
	attempts := maxAttempts
	if consumes {
		attempts = 1
	}
	return batch(ctx, c, attempts, c.verification.BatchVerify, message, sent, func(r *tashikav1.BatchVerifyResponse) []Answer {
		return each(r.GetResults(), func(r *tashikav1.VerifyResult) Answer {
			return newAnswer(r.GetResponse(), r.GetError(), newVerification)
		})
	}, answers)
}

// CheckStatusBatch is VerifyBatch for CheckStatus.
func (c *Client) CheckStatusBatch(ctx context.Context, requests []StatusRequest) ([]Answer, error) {
	answers := make([]Answer, len(requests))
	message := &tashikav1.BatchCheckStatusRequest{}
	var sent []int
	for i := range requests {
		message.Requests, sent = append(message.Requests, requests[i].message()), append(sent, i)
	}
	return batch(ctx, c, maxAttempts, c.certificates.BatchCheckStatus, message, sent, func(r *tashikav1.BatchCheckStatusResponse) []Answer {
		return each(r.GetResults(), func(r *tashikav1.CheckStatusResult) Answer {
			return newAnswer(r.GetResponse(), r.GetError(), func(r *tashikav1.CheckStatusResponse) *Result { return newResult(r) })
		})
	}, answers)
}

// batch makes the call for those that are sent, and puts their answers in their places.
func batch[Q, R any](ctx context.Context, c *Client, attempts int, call method[Q, R], message *Q, sent []int, results func(*R) []Answer, answers []Answer) ([]Answer, error) {
	switch {
	case len(answers) > MaxBatch:
		return nil, ErrBatchSize
	case len(sent) == 0:
		return answers, nil
	}
	r, err := repeat(ctx, c, attempts, call, message)
	if err != nil {
		return nil, err
	}
	got := results(r)
	if len(got) != len(sent) { // whose is whose?
		return nil, newError(status.Errorf(codes.Internal, "%d answers to %d requests", len(got), len(sent)))
	}
	for i, at := range sent {
		answers[at] = got[i]
	}
	return answers, nil
}

func newAnswer[R any](response *R, failure *spb.Status, result func(*R) *Result) Answer {
	response, err := resultOf(response, failure)
	if err != nil {
		return Answer{Err: newError(err)}
	}
	return Answer{Result: result(response)}
}

// resultOf is the result of an item: one or the other, whatever the server has sent.
func resultOf[R any](response *R, failure *spb.Status) (*R, error) {
	err := status.FromProto(failure).Err() // nil for none, and for one that is OK
	if (response == nil) == (err == nil) {
		return nil, status.Error(codes.Internal, "the answer has no result that this version knows")
	}
	return response, err
}

// Recheck says how CheckStatusAll goes about it. The zero value is good.
type Recheck struct {
	// Timeout is the time for each check, with all its repetitions; 0 means a minute.
	Timeout time.Duration
	// InFlight is how many are under way at a time; 0 means 64.
	InFlight int
}

// CheckStatusAll checks any number of certificates, such as those of all customers every night, with little memory: no more of them
// are taken from requests than are under way, and none while whoever ranges over the answers is slow.
//
// Each request has a key of the caller's own, any value, and the answer comes with it, in the order in which they are ready. Who has
// written down the keys that were answered goes on after an interruption with the others.
//
// A check is repeated until its time is over while the server says that it is busy, restarting or that the rate is used
// up, so a run goes at the rate that was granted; any other error is the answer. The context needs no
// deadline, as each check has one. When it ends, what has its answer is still yielded and what has none is not, then the
// iteration ends: look at ctx.Err().
//
// Requests is ranged over in a goroutine of its own. If the iteration ends before it, that goroutine
// ends when requests yields the next time.
func CheckStatusAll[K any](ctx context.Context, c *Client, how Recheck, requests iter.Seq2[K, StatusRequest]) iter.Seq2[K, Answer] {
	timeout, workers := how.Timeout, how.InFlight
	if timeout <= 0 {
		timeout = time.Minute
	}
	if workers <= 0 {
		workers = 64
	}
	type question struct {
		key     K
		request StatusRequest
	}
	type answered struct {
		key    K
		answer Answer
	}
	return func(yield func(K, Answer) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		questions, answers := make(chan question), make(chan answered)
		go func() {
			defer close(questions)
			for key, request := range requests {
				select {
				case questions <- question{key, request}:
				case <-ctx.Done():
					return
				}
			}
		}()
		stopped := make(chan struct{}) // nobody ranges any more
		var work sync.WaitGroup
		for range workers {
			work.Go(func() {
				for {
					var q question
					var ok bool
					select {
					case q, ok = <-questions:
					case <-ctx.Done():
					}
					if !ok {
						return
					}
					a := c.recheck(ctx, timeout, q.request)
					if a.Err != nil && ctx.Err() != nil {
						return
					}
					select {
					case answers <- answered{q.key, a}:
					case <-stopped:
						return
					}
				}
			})
		}
		go func() {
			work.Wait()
			close(answers)
		}()
		defer work.Wait()
		defer close(stopped)
		defer cancel()
		for a := range answers {
			if !yield(a.key, a.answer) {
				return
			}
		}
	}
}

func (c *Client) recheck(ctx context.Context, timeout time.Duration, request StatusRequest) Answer {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	r, err := repeat(ctx, c, math.MaxInt, c.checkStatus, request.message())
	if err != nil {
		return Answer{Err: err}
	}
	return Answer{Result: newResult(r)}
}
