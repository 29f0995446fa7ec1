package server

import (
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// itemStream is one stream of items at work.
//
// There is no goroutine for a message and no queue. Each worker receives an item, does it and sends its answer; one of them at a
// time waits for the next item, one at a time sends. When the last that was free has taken an item, and there is room in the stream and
// in the server (crowded), one more worker is begun, so that a busy stream has as many as its items need and an idle one has one. Where
// there is no room nobody receives, and HTTP/2's flow control holds the caller back: what is read is bounded by the
// workers, what is not is in the connection's window. A caller that does not read its answers holds up its own workers, and
// after a while its stream ends.
type itemStream struct {
	server *Server
	call   *call // of the stream
	wire   grpc.ServerStream
	item   *method
	do     func(c *call, item []byte, id uint64) (proto.Message, error)
	refuse func(id uint64, why *spb.Status) proto.Message

	receiving sync.Mutex    // held by the worker that waits for an item
	sending   sync.Mutex    // held by the worker that sends an answer
	moves     atomic.Uint64 // items received and answers sent

	mu            sync.Mutex
	workers, busy int           // busy: those that have an item
	closed        bool          // no item is accepted any more
	end           error         // how the stream ends
	finished      chan struct{} // closed when closed and all is answered
	// who is the caller by the configuration that it was last looked up in.
	who *call
}

// spare is how many workers stay that have nothing to do.
const spare = 4

// serveItems serves a stream to its end. do is the work for one item, refuse makes the answer for one without a verdict.
func (s *Server) serveItems(wire grpc.ServerStream, item *method, do func(c *call, item []byte, id uint64) (proto.Message, error),
	refuse func(id uint64, why *spb.Status) proto.Message) error {
	c := callOf(wire.Context())
	limits := &c.state.config.Limits
	if c.party.streams.Add(1) > int64(limits.MaxStreams) {
		c.party.streams.Add(-1)
		return fail(streamsExhausted)
	}
	defer c.party.streams.Add(-1)
	// The caller may wait for the header before it sends.
	if err := wire.SendHeader(nil); err != nil {
		return err
	}
	w := &itemStream{server: s, call: c, wire: wire, item: item, do: do, refuse: refuse, workers: 1, finished: make(chan struct{}), who: c}
	go w.work()

	idle, age := time.NewTicker(limits.StreamIdle), time.NewTimer(limits.StreamAge)
	defer idle.Stop()
	defer age.Stop()
	gone, draining := c.Done(), s.draining
	for moves := w.moves.Load(); ; {
		select {
		case <-w.finished:
			return w.end
		case <-gone: // the work that is left ends soon: its context is over
			gone = nil
			w.close(c.Err())
		case <-draining:
			draining = nil
			w.close(fail(shuttingDown))
		case <-age.C:
			w.close(fail(streamEnded))
		case <-idle.C:
			// An item has a deadline below this time, so if one is left its answer cannot be sent, and only the
			// end of the stream sets its worker free.
			if now := w.moves.Load(); now == moves {
				w.close(fail(streamEnded))
				return w.end
			} else {
				moves = now
			}
		}
	}
}

// close ends the stream when all that was accepted is answered. The first who says why is heard.
func (w *itemStream) close(why error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return
	}
	w.closed, w.end = true, why
	if w.busy == 0 {
		close(w.finished)
	}
}

// work is one worker.
func (w *itemStream) work() {
	var f frame
	for {
		placed, ok := w.receive(&f)
		if !ok {
			return
		}
		w.serve(&f, placed)
		f.free()
		if !w.next() {
			return
		}
	}
}

// receive waits for an item and accepts it, if there is one: not ok ends the worker. The item is placed if there was a place for it.
func (w *itemStream) receive(f *frame) (placed, ok bool) {
	w.receiving.Lock()
	defer w.receiving.Unlock()
	if w.over() {
		return false, false
	}
	err := w.wire.RecvMsg(f)
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil || w.closed {
		w.workers--
		if err == nil {
			f.free()
		}
	}
	switch {
	case w.closed:
		return false, false
	case err != nil:
		if !errors.Is(err, io.EOF) { // else the caller has said that this is all
			w.end = err
		}
		w.closed = true
		if w.busy == 0 {
			close(w.finished)
		}
		return false, false
	}
	w.moves.Add(1)
	w.busy++
	now := w.server.state.Load()
	placed = w.server.enter(now)
	if w.busy == w.workers && w.workers < now.config.Limits.MaxInFlight && !w.server.crowded() {
		w.workers++
		go w.work()
	}
	return placed, true
}

// over says whether the stream takes no more; the worker that asks goes.
func (w *itemStream) over() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		w.workers--
	}
	return w.closed
}

// next counts an item as done; false ends the worker.
func (w *itemStream) next() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.busy--
	if w.closed && w.busy == 0 {
		close(w.finished)
	}
	idle := w.workers - w.busy // with this one
	if w.closed || idle > spare || idle > 1 && w.server.crowded() {
		w.workers--
		return false
	}
	return true
}

// serve does one item and sends the answer.
func (w *itemStream) serve(f *frame, placed bool) {
	answer := w.answer(f, placed)
	if placed {
		w.server.leave() // the caller may be slow to read
	}
	if answer == nil {
		return
	}
	w.sending.Lock()
	defer w.sending.Unlock()
	if err := w.wire.SendMsg(&frame{answer}); err != nil {
		w.close(err) // the caller has gone
		return
	}
	w.moves.Add(1)
}

// answer does one item; nil if there is nothing to answer, because the stream is closed.
func (w *itemStream) answer(f *frame, placed bool) (answer mem.BufferSlice) {
	data := f.data.MaterializeToBuffer(mem.DefaultBufferPool())
	defer data.Free()
	id, err := itemID(data.ReadOnlyData())
	if err != nil { // nobody could tell whose answer it is
		w.close(fail(malformedRequest))
		return nil
	}
	who, err := w.caller()
	if err != nil {
		w.close(err)
		return nil
	}
	err = w.server.guarded(who.item(who.state, w.item), func(c *call) error {
		if !placed {
			return fail(serverBusy)
		}
		out, err := w.do(c, data.ReadOnlyData(), id)
		if err == nil {
			answer, err = wire.Marshal(out)
		}
		return err
	})
	if err != nil {
		if answer, err = wire.Marshal(w.refuse(id, status.Convert(err).Proto())); err != nil {
			w.close(err)
			return nil
		}
	}
	return answer
}

// caller is the stream's call under the configuration that holds now: the caller is looked up again when that
// has changed. Credentials that were taken out end the stream.
func (w *itemStream) caller() (*call, error) {
	now := w.server.state.Load()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.who.state == now {
		return w.who, nil
	}
	again := w.call.item(now, w.call.method)
	if why := w.server.authenticate(again); why != "" {
		return nil, fail(why)
	}
	w.who = again
	return again, nil
}

// readItem parses an item into its message, and sets the item's deadline.
func (s *Server) readItem(data []byte, m proto.Message) error {
	_ = wire.Unmarshal(mem.BufferSlice{mem.SliceBuffer(data)}, m) // never fails for a message
	return s.validate(m)
}

// batch does n items beside each other, as many as there is room for. refuse is told of each that has no verdict.
func (s *Server) batch(c *call, n int, item *method, do func(c *call, i int) error, refuse func(i int, why *spb.Status)) {
	var next atomic.Int64
	work := func() {
		for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
			err := s.guarded(c.item(c.state, item), func(c *call) error { return do(c, i) })
			if err != nil {
				refuse(i, status.Convert(err).Proto())
			}
		}
	}
	var helpers sync.WaitGroup
	for range min(n, batchWorkers) - 1 {
		if s.crowded() || !s.enter(c.state) {
			break
		}
		helpers.Go(func() {
			defer s.leave()
			work()
		})
	}
	work()
	helpers.Wait()
}

// batchWorkers bounds the items of one batch that are at work: several, for the processors there are and because an item may wait for OCSP.
const batchWorkers = 16
