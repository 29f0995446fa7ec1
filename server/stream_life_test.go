package server

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tashika-jp/tashika/certs/anchors"
	"github.com/tashika-jp/tashika/certs/crl"
	"github.com/tashika-jp/tashika/certs/pkix"
	"github.com/tashika-jp/tashika/certs/profile"
	"github.com/tashika-jp/tashika/certs/sandbox"
	tashikav1 "github.com/tashika-jp/tashika/proto/tashika/v1"
	"github.com/tashika-jp/tashika/server/revocation"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/durationpb"
)

// gate is evidence that a verification waits for, for as long as the test says. There is none in it.
type gate struct {
	fakeEvidence
	entered chan struct{} // one for each that comes
	leave   chan struct{} // one lets one go on; closed, all
	at      atomic.Int64  // those that wait
	most    atomic.Int64  // the greatest number of them
	panics  atomic.Bool   // the next one does
}

// List waits.
func (g *gate) List(*anchors.Anchor, *pkix.Certificate) (*crl.Index, string) {
	if g.panics.Swap(false) {
		panic("what a holder's certificate says")
	}
	now := g.at.Add(1)
	for most := g.most.Load(); now > most && !g.most.CompareAndSwap(most, now); most = g.most.Load() {
	}
	g.entered <- struct{}{}
	<-g.leave
	g.at.Add(-1)
	return nil, ""
}

// gated starts a server whose verifications wait at a gate.
func gated(t *testing.T, change func(*Config)) (*running, *gate) {
	t.Helper()
	c, log := testConfig(), &journal{}
	c.Logger = slog.New(slog.NewJSONHandler(log, nil))
	if change != nil {
		change(&c)
	}
	g := &gate{entered: make(chan struct{}, 1<<16), leave: make(chan struct{})}
	s, err := newServer(c, func(revocation.Config) (evidence, error) { return g, nil })
	if err != nil {
		t.Fatal(err)
	}
	return serve(t, s, log), g
}

// with changes the configuration under a server's feet, to what no file could say.
func (r *running) with(change func(*Limits)) {
	next := *r.state.Load()
	change(&next.config.Limits)
	r.state.Store(&next)
}

// statusOf is a request for the status of a phone, and statusStream a stream for many.
func statusOf(p *sandbox.Phone) *tashikav1.CheckStatusRequest {
	return &tashikav1.CheckStatusRequest{Use: tashikav1.Use_USE_CONVENIENCE_STORE_ISSUANCE, Certificate: p.Certificate(sandbox.Auth).DER}
}

type statusClient = tashikav1.CertificateService_CheckStatusStreamClient

func (r *running) statusStream(ctx context.Context) statusClient {
	r.t.Helper()
	stream, err := r.certificates().CheckStatusStream(ctx)
	if err != nil {
		r.t.Fatal(err)
	}
	return stream
}

func (r *running) certificates() tashikav1.CertificateServiceClient {
	return tashikav1.NewCertificateServiceClient(r.conn)
}

// next is the next answer, or the test fails.
func next(t testing.TB, stream statusClient) *tashikav1.CheckStatusStreamResponse {
	t.Helper()
	a, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// TestStreamOrder: who is ready first is answered first, and no more are at work than is allowed.
func TestStreamOrder(t *testing.T) {
	const most = 3
	r, g := gated(t, func(c *Config) { c.Limits.MaxInFlight = most })
	request, stream := statusOf(newPhone(t)), r.statusStream(as(kioskToken))
	send(t, stream, &tashikav1.CheckStatusStreamRequest{Id: 1, Request: request})
	<-g.entered
	send(t, stream, &tashikav1.CheckStatusStreamRequest{Id: 2})
	if a := next(t, stream); a.GetId() != 2 {
		t.Errorf("%d came before the one that is ready", a.GetId())
	}
	for id := range uint64(20) {
		send(t, stream, &tashikav1.CheckStatusStreamRequest{Id: 10 + id, Request: request})
	}
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	for range most - 1 {
		<-g.entered
	}
	close(g.leave)
	for range 21 {
		if a := next(t, stream); a.GetResponse().GetVerdict() != tashikav1.Verdict_VERDICT_INDETERMINATE {
			t.Errorf("%v", a)
		}
	}
	if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
	if got := g.most.Load(); got != most {
		t.Errorf("%d were at work at once", got)
	}
}

// TestStreamItemPanic harms one item, in a stream and in a batch, and its words are nowhere.
func TestStreamItemPanic(t *testing.T) {
	r, g := gated(t, nil)
	close(g.leave)
	request, stream := statusOf(newPhone(t)), r.statusStream(as(kioskToken))
	for _, panics := range []bool{false, true, false} {
		g.panics.Store(panics)
		send(t, stream, &tashikav1.CheckStatusStreamRequest{Id: 1, Request: request})
		if a := next(t, stream); panics {
			want(t, "panic", item(a), internal, "")
		} else if a.GetResponse() == nil {
			t.Errorf("%v", a)
		}
	}
	g.panics.Store(true)
	out, err := r.certificates().BatchCheckStatus(as(kioskToken), &tashikav1.BatchCheckStatusRequest{Requests: []*tashikav1.CheckStatusRequest{request, request, request}})
	if err != nil {
		t.Fatal(err)
	}
	failed := 0
	for _, result := range out.GetResults() {
		if result.GetError() != nil {
			failed++
			want(t, "panic", item(result), internal, "")
		}
	}
	if failed != 1 || strings.Contains(r.log.String(), "holder's") || strings.Count(r.log.String(), `"msg":"panic"`) != 2 {
		t.Errorf("%d failed: %s", failed, r.log)
	}
}

// TestStreamDeadline: an item has its own, and what is late says so.
func TestStreamDeadline(t *testing.T) {
	r, g := gated(t, nil)
	request, stream := statusOf(newPhone(t)), r.statusStream(as(kioskToken))
	send(t, stream, &tashikav1.CheckStatusStreamRequest{Id: 1, Request: request, Timeout: durationpb.New(time.Microsecond)})
	want(t, "late", item(next(t, stream)), deadlineExceeded, "")
	send(t, stream, &tashikav1.CheckStatusStreamRequest{Id: 2, Request: request, Timeout: durationpb.New(time.Hour)})
	<-g.entered
	close(g.leave)
	if a := next(t, stream); a.GetResponse() == nil {
		t.Errorf("%v", a)
	}
}

// TestStreamCallerGone: what a caller has sent that has gone since is not worked for.
func TestStreamCallerGone(t *testing.T) {
	r, g := gated(t, func(c *Config) { c.Limits.MaxInFlight = 1 })
	ctx, cancel := context.WithCancel(as(kioskToken))
	request, stream := statusOf(newPhone(t)), r.statusStream(ctx)
	for id := range uint64(20) {
		send(t, stream, &tashikav1.CheckStatusStreamRequest{Id: id, Request: request})
	}
	<-g.entered
	cancel()
	for err := error(nil); err == nil; {
		_, err = stream.Recv()
	}
	// The server hears of it before it hears of a later call on the same connection.
	if _, err := tashikav1.NewDeviceServiceClient(r.conn).ListDevices(as(kioskToken), &tashikav1.ListDevicesRequest{}); err != nil {
		t.Fatal(err)
	}
	close(g.leave)
	r.settle()
	if extra := len(g.entered); extra != 0 {
		t.Errorf("%d more were worked for", extra)
	}
}

// TestShutdownOfStreams: what was accepted is answered, then the stream ends and says why; nothing is cut off.
func TestShutdownOfStreams(t *testing.T) {
	r, g := gated(t, nil)
	request, stream, quiet := statusOf(newPhone(t)), r.statusStream(as(kioskToken)), r.statusStream(as(kioskToken))
	if _, err := quiet.Header(); err != nil {
		t.Fatal(err)
	}
	for id := range uint64(5) {
		send(t, stream, &tashikav1.CheckStatusStreamRequest{Id: id, Request: request})
		<-g.entered
	}
	r.stop()
	_, err := quiet.Recv()
	want(t, "a stream without items", err, shuttingDown, "")
	close(g.leave)
	for range 5 {
		if a := next(t, stream); a.GetResponse() == nil {
			t.Errorf("%v", a)
		}
	}
	_, err = stream.Recv()
	want(t, "a stream with items", err, shuttingDown, "")
	<-r.done
	if log := r.log.String(); !strings.Contains(log, `"cut_off":false`) || strings.Contains(log, `"level":"ERROR"`) {
		t.Errorf("log: %s", log)
	}
}

// TestStreamReload: each item goes by the configuration that holds when it comes. A use that was taken away is refused, and a token that was
// taken away ends the stream.
func TestStreamReload(t *testing.T) {
	r, g := gated(t, nil)
	close(g.leave)
	request, stream := statusOf(newPhone(t)), r.statusStream(as(kioskToken))
	ask := func() *tashikav1.CheckStatusStreamResponse {
		send(t, stream, &tashikav1.CheckStatusStreamRequest{Request: request})
		return next(t, stream)
	}
	if a := ask(); a.GetResponse() == nil {
		t.Errorf("%v", a)
	}
	c := testConfig()
	c.RelyingParties[0].Uses = []profile.Use{profile.HealthInsurance}
	if err := r.Reload(c); err != nil {
		t.Fatal(err)
	}
	want(t, "a use that was taken away", item(ask()), useNotGranted, "")
	if n := r.streams(); n != 1 {
		t.Errorf("%d streams are counted after a reload", n)
	}
	c = testConfig()
	c.RelyingParties[0].BearerTokenSHA256 = hashOf(kioskToken + "2")
	if err := r.Reload(c); err != nil {
		t.Fatal(err)
	}
	send(t, stream, &tashikav1.CheckStatusStreamRequest{Request: request})
	_, err := stream.Recv()
	want(t, "a token that was taken away", err, credentialsUnknown, "")
}

// TestStreamsAreCounted: a party has so many and no more, and another has its own.
func TestStreamsAreCounted(t *testing.T) {
	r, _ := gated(t, func(c *Config) { c.Limits.MaxStreams = 2 })
	ctx, cancel := context.WithCancel(as(kioskToken))
	for range 2 {
		if _, err := r.statusStream(ctx).Header(); err != nil {
			t.Fatal(err)
		}
	}
	_, err := r.statusStream(as(kioskToken)).Recv()
	want(t, "a third", err, streamsExhausted, "")
	if _, err := r.statusStream(as(allToken)).Header(); err != nil {
		t.Errorf("another party's: %v", err)
	}
	cancel()
	for r.streams() > 1 {
		time.Sleep(time.Millisecond)
	}
	if _, err := r.statusStream(as(kioskToken)).Header(); err != nil {
		t.Errorf("when there is room again: %v", err)
	}
}

// TestStreamsEnd: one on which nothing moves does, whether nothing is sent or nothing is read; so does an old one.
func TestStreamsEnd(t *testing.T) {
	r, g := gated(t, func(c *Config) { c.Limits.MaxInFlight = 64 })
	close(g.leave)
	request := statusOf(newPhone(t))
	r.with(func(l *Limits) { l.StreamIdle = 20 * time.Millisecond })
	_, err := r.statusStream(as(kioskToken)).Recv()
	want(t, "nothing is sent", err, streamEnded, "")

	// Who never reads can send until the windows of both directions are full. Its own connection, for they are the connection's.
	conn, err := grpc.NewClient(r.GRPCAddr(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithCancel(as(kioskToken))
	stream, err := tashikav1.NewCertificateServiceClient(conn).CheckStatusStream(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var sending sync.WaitGroup
	sending.Go(func() {
		for stream.Send(&tashikav1.CheckStatusStreamRequest{Request: request}) == nil {
		}
	})
	<-g.entered
	r.settle() // the server has done with it
	cancel()
	sending.Wait()
	if most := g.most.Load(); most > 64 {
		t.Errorf("%d were at work at once", most)
	}

	r.with(func(l *Limits) { l.StreamIdle, l.StreamAge = time.Hour, time.Millisecond })
	_, err = r.statusStream(as(kioskToken)).Recv()
	want(t, "old", err, streamEnded, "")
	if strings.Contains(r.log.String(), `"level":"ERROR"`) {
		t.Error("the end of a stream is told as an error")
	}
}

// TestOverload: ten times as many as there is room for. Those for whom there is none are told at once, while those that were let
// in are at work, at both doors and on streams; a stream that has an item at work takes no more; and when they have done all is as before.
func TestOverload(t *testing.T) {
	const room = 6
	r, g := gated(t, func(c *Config) { c.Limits.MaxConcurrent = room })
	request := statusOf(newPhone(t))
	results := make(chan error, 10*room)
	stream := r.statusStream(as(kioskToken))
	for range 2 {
		send(t, stream, &tashikav1.CheckStatusStreamRequest{Request: request})
		<-g.entered
	}
	other := r.statusStream(as(kioskToken))
	if _, err := other.Header(); err != nil {
		t.Fatal(err)
	}
	for range room - 2 {
		go func() {
			_, err := r.certificates().CheckStatus(as(kioskToken), request)
			results <- err
		}()
		<-g.entered
	}
	// Full. Nobody waits for room, so every answer comes before the gate opens.
	for range 10 * room {
		_, err := r.certificates().CheckStatus(as(kioskToken), request)
		if reasonOf(err) != serverBusy || retryOf(err) != time.Second {
			t.Fatalf("%v, come back after %v", err, retryOf(err))
		}
	}
	_, err := r.certificates().BatchCheckStatus(as(kioskToken), &tashikav1.BatchCheckStatusRequest{Requests: []*tashikav1.CheckStatusRequest{request}})
	want(t, "batch", err, serverBusy, "")
	if a := r.post("/v1/certificates:checkStatus", kioskToken, "{"); a.code != http.StatusTooManyRequests || a.header.Get("Retry-After") != "1" || a.failure() != string(serverBusy) {
		t.Errorf("HTTP, and what was sent was not looked at: %d %v %s", a.code, a.header, a.body)
	}
	for range 10 {
		send(t, other, &tashikav1.CheckStatusStreamRequest{Request: request})
		if err := item(next(t, other)); reasonOf(err) != serverBusy || retryOf(err) != time.Second {
			t.Fatalf("an item: %v", err)
		}
	}
	for range 20 {
		send(t, stream, &tashikav1.CheckStatusStreamRequest{Request: request})
	}
	if most := g.most.Load(); most != room {
		t.Errorf("%d were at work at once", most)
	}
	close(g.leave)
	for range room - 2 {
		if err := <-results; err != nil {
			t.Errorf("of those that were let in: %v", err)
		}
	}
	for range 22 {
		if a := next(t, stream); a.GetResponse() == nil && reasonOf(item(a)) != serverBusy {
			t.Errorf("%v", a)
		}
	}
	for _, s := range []statusClient{stream, other} {
		if err := s.CloseSend(); err != nil {
			t.Error(err)
		}
		if _, err := s.Recv(); !errors.Is(err, io.EOF) {
			t.Error(err)
		}
	}
	r.settle()
	if _, err := r.certificates().CheckStatus(as(kioskToken), request); err != nil {
		t.Errorf("after it: %v", err)
	}
	if !strings.Contains(r.scrape(), `tashika_calls_total{code="ResourceExhausted",door="grpc",method="tashika.v1.CertificateService/CheckStatus"} 60`) {
		t.Error("the metrics do not tell")
	}
}

// TestManyLeaveRoom: streams and batches that have no end of items spread over half of the places, each has one for certain, and single calls have
// the rest; then all is given back.
func TestManyLeaveRoom(t *testing.T) {
	const room = 8
	r, g := gated(t, func(c *Config) { c.Limits.MaxConcurrent = room })
	request := statusOf(newPhone(t))
	in := &tashikav1.BatchCheckStatusRequest{}
	stream := r.statusStream(as(kioskToken))
	for id := range uint64(40) {
		in.Requests = append(in.Requests, request)
		send(t, stream, &tashikav1.CheckStatusStreamRequest{Id: id, Request: request})
	}
	for range room / 2 { // the stream's
		<-g.entered
	}
	var calls sync.WaitGroup
	calls.Go(func() {
		out, err := r.certificates().BatchCheckStatus(as(kioskToken), in)
		if err != nil || len(out.GetResults()) != 40 {
			t.Error(err)
		}
		for _, result := range out.GetResults() {
			if result.GetResponse() == nil {
				t.Errorf("%v", result)
			}
		}
	})
	<-g.entered // the batch's one
	for range room/2 - 2 {
		calls.Go(func() {
			if _, err := r.certificates().CheckStatus(as(kioskToken), request); err != nil {
				t.Errorf("a single call: %v", err)
			}
		})
		<-g.entered
	}
	if got := g.at.Load(); got != room-1 {
		t.Errorf("%d are at work", got)
	}
	close(g.leave)
	calls.Wait()
	for range 40 {
		if a := next(t, stream); a.GetResponse() == nil {
			t.Errorf("%v", a)
		}
	}
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
	r.settle()
}
