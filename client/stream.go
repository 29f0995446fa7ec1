package client

import (
	"context"
	"errors"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
)

// stream is a stream at work. A call gives in an item and waits for its outcome; one goroutine sends, one receives. No call
// touches the wire, which would hold it up for as long as the server likes, beyond its own deadline.
type stream[Q, R any] struct {
	shared *shared[Q, R]
	wire   grpc.ClientStream
	cancel context.CancelFunc
	slots  chan struct{}    // holds one for each item without answer
	queue  chan *item[Q, R] // never full: it has room for all slots
	shut   chan struct{}    // closed when closed
	over   chan struct{}    // closed when closed and no call waits

	mu      sync.Mutex
	items   map[uint64]*item[Q, R] // without answer
	waiting int                    // those of them whose call waits
	last    uint64                 // id
	answers uint64                 // received
	closed  bool                   // takes no more items
}

// item is a call on a stream. What can change is guarded by the stream's mu.
type item[Q, R any] struct {
	id       uint64
	request  *Q // the sender's, which forgets it
	deadline time.Time
	answers  uint64          // of the stream when it was given in
	sent     bool            // the server may have it
	gone     bool            // its call does not wait any more
	outcome  chan outcome[R] // room for the one
}

type outcome[R any] struct {
	response *R
	err      error
}

func newStream[Q, R any](s *shared[Q, R], wire grpc.ClientStream, cancel context.CancelFunc) *stream[Q, R] {
	return &stream[Q, R]{shared: s, wire: wire, cancel: cancel, slots: make(chan struct{}, maxInFlight),
		queue: make(chan *item[Q, R], maxInFlight), shut: make(chan struct{}), over: make(chan struct{}), items: map[uint64]*item[Q, R]{}}
}

// call makes a call.
func (w *stream[Q, R]) call(ctx context.Context, request *Q) (*R, error) {
	select {
	case w.slots <- struct{}{}:
	case <-w.shut:
		return nil, errNotAccepted
	case <-ctx.Done():
		return nil, status.FromContextError(ctx.Err()).Err()
	}
	it := w.give(ctx, request)
	if it == nil {
		<-w.slots
		return nil, errNotAccepted
	}
	select {
	case o := <-it.outcome:
		return o.response, o.err
	case <-ctx.Done():
	}
	if w.abandon(it, errors.Is(ctx.Err(), context.DeadlineExceeded)) {
		return nil, status.FromContextError(ctx.Err()).Err()
	}
	o := <-it.outcome // it has come meanwhile
	return o.response, o.err
}

// give gives an item in; nil if the stream takes no more.
func (w *stream[Q, R]) give(ctx context.Context, request *Q) *item[Q, R] {
	deadline, _ := ctx.Deadline()
	it := &item[Q, R]{request: request, deadline: deadline, outcome: make(chan outcome[R], 1)}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return nil
	}
	w.last++
	it.id, it.answers = w.last, w.answers
	w.items[it.id] = it
	w.waiting++
	w.queue <- it
	return it
}

// abandon takes a call away from its item, and says false if the outcome was there before. The answer of an item that the server may
// have is dropped when it comes; until then it keeps its slot, as the server works on it.
func (w *stream[Q, R]) abandon(it *item[Q, R], late bool) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.items[it.id] != it {
		return false
	}
	it.gone = true
	w.waiting--
	if late && it.answers == w.answers {
		time.AfterFunc(stuckAfter, func() { w.suspect(it) })
	}
	w.finish()
	return true
}

// suspect looks again at an item that was late. The server answers at an item's deadline: where that did not come and nothing else
// did either, nothing is to be hoped for. What still waits may wait; who comes now goes another way.
func (w *stream[Q, R]) suspect(it *item[Q, R]) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed || w.items[it.id] != it || w.answers != it.answers {
		return
	}
	w.shared.postpone(context.DeadlineExceeded)
	w.close()
	w.finish()
}

// close lets no more items in. Call with mu.
func (w *stream[Q, R]) close() {
	w.closed = true
	close(w.shut)
	w.shared.live.CompareAndSwap(w, nil)
}

// finish ends a closed stream when no call waits. Call with mu.
func (w *stream[Q, R]) finish() {
	if !w.closed || w.waiting > 0 {
		return
	}
	select {
	case <-w.over:
	default:
		close(w.over)
		time.AfterFunc(closeWithin, w.cancel)
	}
}

// send sends items until the stream is over or broken; how it broke is for receive to learn.
func (w *stream[Q, R]) send() {
	idle := time.NewTicker(idleAfter)
	defer idle.Stop()
	moved := true
	for {
		select {
		case it := <-w.queue:
			moved = true
			timeout := w.take(it)
			if timeout <= 0 {
				continue
			}
			err := w.wire.SendMsg(w.shared.item(it.id, it.request, durationpb.New(min(timeout, longestTimeout))))
			it.request = nil
			if err != nil { // then nothing of it was sent
				w.mu.Lock()
				it.sent = false
				w.mu.Unlock()
				return
			}
		case <-idle.C:
			if !moved {
				w.retire()
			}
			moved = false
		case <-w.over:
			_ = w.wire.CloseSend() // never fails
			return
		}
	}
}

// take prepares an item to be sent and returns the time that it has; 0 if it is not to be sent.
func (w *stream[Q, R]) take(it *item[Q, R]) time.Duration {
	timeout := time.Until(it.deadline)
	w.mu.Lock()
	defer w.mu.Unlock()
	if it.gone || timeout <= 0 {
		w.settle(it, outcome[R]{err: status.FromContextError(context.DeadlineExceeded).Err()})
		return 0
	}
	it.sent = true
	return timeout
}

// settle gives an item its outcome, which nobody gets if its call has gone. Call with mu.
func (w *stream[Q, R]) settle(it *item[Q, R], o outcome[R]) {
	delete(w.items, it.id)
	<-w.slots
	if it.gone {
		return
	}
	it.outcome <- o
	w.waiting--
	w.finish()
}

// retire ends a stream without calls.
func (w *stream[Q, R]) retire() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.items) == 0 {
		w.close()
		w.finish()
	}
}

// receive gives answers to their calls until the stream ends.
func (w *stream[Q, R]) receive() error {
	for {
		a := w.shared.answer()
		if err := w.wire.RecvMsg(a); err != nil {
			return err
		}
		if !w.received(a) {
			return errStrange
		}
	}
}

// received is false for an answer that no item can have: who gives that may give anybody's to anybody.
func (w *stream[Q, R]) received(a answer[R]) bool {
	var o outcome[R]
	o.response, o.err = resultOf(a.GetResponse(), a.GetError())
	w.mu.Lock()
	defer w.mu.Unlock()
	it := w.items[a.GetId()]
	if it == nil || !it.sent {
		return false
	}
	w.answers++
	w.settle(it, o)
	return true
}

// end tells the calls that wait how the stream ended.
func (w *stream[Q, R]) end(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.closed { // else it ended as was wanted
		why := err
		if w.answers > 0 {
			why = nil
		}
		w.shared.postpone(why)
		w.close()
	}
	notAccepted, lost := serverEnded(err), w.shared.lost(err)
	for _, it := range w.items {
		if notAccepted || !it.sent {
			w.settle(it, outcome[R]{err: errNotAccepted})
		} else {
			w.settle(it, outcome[R]{err: lost})
		}
	}
	w.finish()
}
