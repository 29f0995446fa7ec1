package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	tashikav1 "github.com/tashika-jp/tashika/proto/tashika/v1"
)

// way is how questions come to the server.
type way struct {
	// together is how many are asked at once by one caller.
	together int
	// ask asks some and returns as many answers, in their order. Any number of callers may.
	ask func(context.Context, []question) ([]*tashikav1.VerifyResponse, error)
	// end gives back what the way has taken, when nobody asks any more.
	end func() error
}

// ways are those that can be measured, by name.
var ways = map[string]func(tashikav1.VerificationServiceClient) way{"unary": unary, "stream": stream, "batch": batch}

func nothing() error { return nil }

func unary(client tashikav1.VerificationServiceClient) way {
	return way{1, func(ctx context.Context, some []question) ([]*tashikav1.VerifyResponse, error) {
		r, err := client.Verify(ctx, some[0].request)
		return []*tashikav1.VerifyResponse{r}, err
	}, nothing}
}

// batchSize is how many verifications there are in a batch.
const batchSize = 32

func batch(client tashikav1.VerificationServiceClient) way {
	return way{batchSize, func(ctx context.Context, some []question) ([]*tashikav1.VerifyResponse, error) {
		in := &tashikav1.BatchVerifyRequest{}
		for _, q := range some {
			in.Requests = append(in.Requests, q.request)
		}
		out, err := client.BatchVerify(ctx, in)
		if err != nil {
			return nil, err
		}
		if len(out.GetResults()) != len(some) {
			return nil, fmt.Errorf("%d results of %d", len(out.GetResults()), len(some))
		}
		answers := make([]*tashikav1.VerifyResponse, len(some))
		for i, result := range out.GetResults() {
			if why := result.GetError(); why != nil {
				return nil, fmt.Errorf("an item failed: %s", why.GetMessage())
			}
			answers[i] = result.GetResponse()
		}
		return answers, nil
	}, nothing}
}

// stream is one stream for all callers.
func stream(client tashikav1.VerificationServiceClient) way {
	s := &shared{client: client, waiting: map[uint64]chan *tashikav1.VerifyStreamResponse{}}
	return way{1, s.ask, s.end}
}

// shared is one VerifyStream that many callers have together.
type shared struct {
	client tashikav1.VerificationServiceClient

	sending sync.Mutex // held by who sends
	wire    tashikav1.VerificationService_VerifyStreamClient
	read    chan struct{} // closed when nothing more comes

	mu      sync.Mutex
	last    uint64
	waiting map[uint64]chan *tashikav1.VerifyStreamResponse
	failed  error
}

func (s *shared) ask(ctx context.Context, some []question) ([]*tashikav1.VerifyResponse, error) {
	answered := make(chan *tashikav1.VerifyStreamResponse, 1)
	s.mu.Lock()
	s.last++
	id := s.last
	s.waiting[id] = answered
	s.mu.Unlock()
	if err := s.send(ctx, &tashikav1.VerifyStreamRequest{Id: id, Request: some[0].request}); err != nil {
		return nil, err
	}
	select {
	case r := <-answered:
		if why := r.GetError(); why != nil {
			return nil, fmt.Errorf("an item failed: %s", why.GetMessage())
		}
		return []*tashikav1.VerifyResponse{r.GetResponse()}, nil
	case <-s.read:
		s.mu.Lock()
		defer s.mu.Unlock()
		return nil, fmt.Errorf("the stream ended: %w", s.failed)
	}
}

func (s *shared) send(ctx context.Context, r *tashikav1.VerifyStreamRequest) error {
	s.sending.Lock()
	defer s.sending.Unlock()
	if s.wire == nil {
		wire, err := s.client.VerifyStream(ctx)
		if err != nil {
			return err
		}
		s.wire, s.read = wire, make(chan struct{})
		go s.receive()
	}
	return s.wire.Send(r)
}

func (s *shared) receive() {
	defer close(s.read)
	for {
		r, err := s.wire.Recv()
		s.mu.Lock()
		if err != nil {
			s.failed = err
			s.mu.Unlock()
			return
		}
		answered := s.waiting[r.GetId()]
		delete(s.waiting, r.GetId())
		s.mu.Unlock()
		if answered != nil { // else it was answered twice, and somebody will wait in vain: the run does not end well
			answered <- r
		}
	}
}

func (s *shared) end() error {
	if s.wire == nil {
		return nil
	}
	if err := s.wire.CloseSend(); err != nil {
		return err
	}
	<-s.read
	if !errors.Is(s.failed, io.EOF) {
		return s.failed
	}
	return nil
}
