package server

import (
	"context"
	"errors"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tashika-jp/tashika/certs/sandbox"
	tashikav1 "github.com/tashika-jp/tashika/proto/tashika/v1"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
)

// verifyStream opens a stream.
func (r *running) verifyStream(ctx context.Context) tashikav1.VerificationService_VerifyStreamClient {
	r.t.Helper()
	stream, err := r.verification().VerifyStream(ctx)
	if err != nil {
		r.t.Fatal(err)
	}
	return stream
}

// send sends an item, or fails.
func send[Q, A any](t testing.TB, stream grpc.BidiStreamingClient[Q, A], item *Q) {
	t.Helper()
	if err := stream.Send(item); err != nil {
		t.Fatal(err)
	}
}

// rest reads a stream to its end: what came by id, and how it ended.
func rest(t testing.TB, stream tashikav1.VerificationService_VerifyStreamClient) (map[uint64]*tashikav1.VerifyStreamResponse, error) {
	t.Helper()
	out := map[uint64]*tashikav1.VerifyStreamResponse{}
	for {
		a, err := stream.Recv()
		if err != nil {
			return out, err
		}
		if out[a.GetId()] != nil {
			t.Errorf("%d was answered twice", a.GetId())
		}
		out[a.GetId()] = a
	}
}

// item is the error of an item.
func item(a interface{ GetError() *spb.Status }) error { return status.FromProto(a.GetError()).Err() }

// through makes a call at a door.
func (r *running) through(door, method, path, token string, in, out proto.Message) {
	r.t.Helper()
	if door == "grpc" {
		if err := r.conn.Invoke(as(token), method, in, out); err != nil {
			r.t.Fatal(err)
		}
		return
	}
	body, err := protojson.Marshal(in)
	if err != nil {
		r.t.Fatal(err)
	}
	a := r.post(path, token, string(body))
	if err := protojson.Unmarshal(a.body, out); err != nil || a.code != http.StatusOK {
		r.t.Fatalf("HTTP %d %s: %v", a.code, a.body, err)
	}
}

// TestVerifyStream: all is answered by its id, what is wrong with an item is in its own answer as Verify would have said it, and the
// stream ends with OK.
func TestVerifyStream(t *testing.T) {
	r := refreshed(t, nil)
	good, phone := r.kioskRequest(newPhone(t)), newPhone(t)
	wrong, unknown := r.kioskRequest(phone), r.kioskRequest(phone)
	wrong.Signature[5] ^= 1
	unknown.ProtoReflect().SetUnknown(unreadable)
	garbled := proto.CloneOf(good)
	garbled.Certificate = []byte{0x30, 0x03, 1, 2, 3}
	stream := r.verifyStream(as(kioskToken))
	requests := map[uint64]*tashikav1.VerifyRequest{7: good, 1 << 63: wrong, 0: garbled, 2: {}, 3: unknown, 4: r.kycRequest(phone), 5: nil}
	for id, request := range requests {
		send(t, stream, &tashikav1.VerifyStreamRequest{Id: id, Request: request})
	}
	send(t, stream, &tashikav1.VerifyStreamRequest{Id: 6, Request: good, Timeout: durationpb.New(-time.Second)})
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	answers, err := rest(t, stream)
	if !errors.Is(err, io.EOF) || len(answers) != len(requests)+1 {
		t.Fatalf("%d answers, then %v", len(answers), err)
	}
	if v := answers[7].GetResponse().GetVerdict(); v != tashikav1.Verdict_VERDICT_VALID {
		t.Errorf("good: %v %v", v, answers[7])
	}
	if v := answers[1<<63].GetResponse().GetVerdict(); v != tashikav1.Verdict_VERDICT_INVALID {
		t.Errorf("wrong: %v", v)
	}
	want(t, "garbled", item(answers[0]), formatFailure, "certificate")
	want(t, "empty", item(answers[2]), fieldInvalid, "use")
	want(t, "empty", item(answers[2]), fieldInvalid, "certificate")
	want(t, "unknown", item(answers[3]), unknownField, "")
	want(t, "not granted", item(answers[4]), useNotGranted, "")
	want(t, "nothing", item(answers[5]), fieldInvalid, "request")
	want(t, "timeout", item(answers[6]), fieldInvalid, "timeout")
	header, err := stream.Header()
	if err != nil || len(header.Get(traceresponse)) != 1 {
		t.Errorf("header: %v %v", header, err)
	}
	metrics := r.scrape()
	for _, line := range []string{
		`tashika_calls_total{code="OK",door="grpc",method="tashika.v1.VerificationService/VerifyStream"} 1`,
		`tashika_calls_total{code="OK",door="grpc",method="tashika.v1.VerificationService/VerifyStream/item"} 2`,
		`tashika_verdicts_total{method="tashika.v1.VerificationService/VerifyStream/item",verdict="VERDICT_VALID"} 1`,
	} {
		if !strings.Contains(metrics, line+"\n") {
			t.Errorf("%s is missing", line)
		}
	}
}

// TestCheckStatusStream is the later check of many.
func TestCheckStatusStream(t *testing.T) {
	r := refreshed(t, nil)
	phones := []*sandbox.Phone{newPhone(t), newPhone(t)}
	stream, err := tashikav1.NewCertificateServiceClient(r.conn).CheckStatusStream(as(kioskToken))
	if err != nil {
		t.Fatal(err)
	}
	const n = 200
	go func() {
		for i := range n {
			request := &tashikav1.CheckStatusRequest{Use: tashikav1.Use_USE_CONVENIENCE_STORE_ISSUANCE, Certificate: phones[i%2].Certificate(sandbox.Auth).DER}
			if i%10 == 9 {
				request.Certificate = request.Certificate[:100]
			}
			if err := stream.Send(&tashikav1.CheckStatusStreamRequest{Id: uint64(i), Request: request}); err != nil {
				t.Error(err)
			}
		}
		if err := stream.CloseSend(); err != nil {
			t.Error(err)
		}
	}()
	seen := map[uint64]bool{}
	for {
		a, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		seen[a.GetId()] = true
		if a.GetId()%10 == 9 {
			want(t, "cut short", item(a), formatFailure, "certificate")
		} else if a.GetResponse().GetVerdict() != tashikav1.Verdict_VERDICT_VALID {
			t.Errorf("%d: %v", a.GetId(), a)
		}
	}
	if len(seen) != n {
		t.Errorf("%d of %d are answered", len(seen), n)
	}
}

// TestStreamAuthentication: without credentials no stream, and nothing of it is read.
func TestStreamAuthentication(t *testing.T) {
	r := start(t, nil)
	for token, f := range map[string]failure{"": credentialsMissing, kioskToken + "x": credentialsUnknown} {
		_, err := r.verifyStream(as(token)).Recv()
		want(t, token, err, f, "")
	}
	if strings.Contains(r.scrape(), `VerifyStream/item"} 1`) {
		t.Error("an item was done")
	}
}

// TestStreamRate: each item counts, and says when to come back; the stream goes on.
func TestStreamRate(t *testing.T) {
	r := refreshed(t, func(c *Config) { c.RelyingParties[1].Rate = Rate{PerSecond: 0.001, Burst: 3} })
	request := r.kycRequest(newPhone(t))
	stream := r.verifyStream(as(kycToken))
	for i := range uint64(5) {
		send(t, stream, &tashikav1.VerifyStreamRequest{Id: i, Request: request})
	}
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	answers, err := rest(t, stream)
	if !errors.Is(err, io.EOF) || len(answers) != 5 {
		t.Fatalf("%d answers, then %v", len(answers), err)
	}
	valid := 0
	for _, a := range answers {
		if a.GetResponse().GetVerdict() == tashikav1.Verdict_VERDICT_VALID {
			valid++
		} else if err := item(a); reasonOf(err) != rateLimited || retryOf(err) < time.Minute {
			t.Errorf("%v, come back after %v", err, retryOf(err))
		}
	}
	if valid != 2 { // the stream itself is a call
		t.Errorf("%d of 5", valid)
	}
}

// octets sends bytes as they are.
type octets struct{ encoding.CodecV2 }

func (c octets) Marshal(v any) (mem.BufferSlice, error) {
	if b, ok := v.([]byte); ok {
		return mem.BufferSlice{mem.SliceBuffer(b)}, nil
	}
	return c.CodecV2.Marshal(v)
}

// TestStreamRubbish: an item that has a number is answered under it, whatever else is in it; after what has none the stream ends, when
// all before is answered.
func TestStreamRubbish(t *testing.T) {
	r := refreshed(t, nil)
	good, err := proto.Marshal(&tashikav1.VerifyStreamRequest{Id: 1, Request: r.kioskRequest(newPhone(t))})
	if err != nil {
		t.Fatal(err)
	}
	stream, err := r.conn.NewStream(as(kioskToken), &tashikav1.VerificationService_ServiceDesc.Streams[0],
		tashikav1.VerificationService_VerifyStream_FullMethodName, grpc.ForceCodecV2(octets(wire)))
	if err != nil {
		t.Fatal(err)
	}
	// Number 2 and a request that says to be longer than it is, number 3 and a field that nobody knows, the good one.
	for _, b := range [][]byte{{0x08, 2, 0x12, 3, 0x12, 0x7f, 0}, {0x08, 3, 0x78, 1}, good, {}} {
		if err := stream.SendMsg(b); err != nil {
			t.Fatal(err)
		}
	}
	answers := map[uint64]*tashikav1.VerifyStreamResponse{}
	for range 4 {
		a := &tashikav1.VerifyStreamResponse{}
		if err := stream.RecvMsg(a); err != nil {
			t.Fatal(err)
		}
		answers[a.GetId()] = a
	}
	want(t, "2", item(answers[2]), malformedRequest, "")
	want(t, "3", item(answers[3]), unknownField, "")
	want(t, "0", item(answers[0]), fieldInvalid, "request")
	if answers[1].GetResponse().GetVerdict() != tashikav1.Verdict_VERDICT_VALID {
		t.Errorf("good among rubbish: %v", answers[1])
	}
	if err := stream.SendMsg([]byte{0xff, 0xff, 0xff}); err != nil {
		t.Fatal(err)
	}
	want(t, "no message at all", stream.RecvMsg(&tashikav1.VerifyStreamResponse{}), malformedRequest, "")
}

// settle waits until nobody works and no stream is open.
func (r *running) settle() {
	for r.working.Load() > 0 || r.streams() > 0 {
		runtime.Gosched()
	}
}

func (r *running) streams() (n int64) {
	for _, p := range r.state.Load().parties.all {
		n += p.streams.Load()
	}
	return n
}

// TestStreamCancelled: when the caller has gone nothing stays at work.
func TestStreamCancelled(t *testing.T) {
	r := refreshed(t, nil)
	request := r.kycRequest(newPhone(t))
	ctx, cancel := context.WithCancel(as(kycToken))
	stream := r.verifyStream(ctx)
	for i := range uint64(300) {
		send(t, stream, &tashikav1.VerifyStreamRequest{Id: i, Request: request})
	}
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := rest(t, stream); status.Code(err) != codes.Canceled {
		t.Error(err)
	}
	r.settle()
	if _, err := r.verification().Verify(as(kycToken), request); err != nil {
		t.Errorf("after it: %v", err)
	}
}

// TestStreamLong: ten thousand items on one stream, each answered once, some before those that came earlier.
func TestStreamLong(t *testing.T) {
	r := refreshed(t, nil)
	request := &tashikav1.CheckStatusRequest{Use: tashikav1.Use_USE_CONVENIENCE_STORE_ISSUANCE, Certificate: newPhone(t).Certificate(sandbox.Auth).DER}
	stream, err := tashikav1.NewCertificateServiceClient(r.conn).CheckStatusStream(as(kioskToken))
	if err != nil {
		t.Fatal(err)
	}
	const n = 10000
	var sending sync.WaitGroup
	sending.Go(func() {
		for i := range uint64(n) {
			if err := stream.Send(&tashikav1.CheckStatusStreamRequest{Id: i, Request: request}); err != nil {
				t.Error(err)
				return
			}
		}
		_ = stream.CloseSend()
	})
	seen := make([]bool, n)
	for range n {
		a, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if seen[a.GetId()] || a.GetResponse().GetVerdict() != tashikav1.Verdict_VERDICT_VALID {
			t.Fatalf("%v", a)
		}
		seen[a.GetId()] = true
	}
	if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %v", err)
	}
	sending.Wait()
	r.settle()
}

// TestBatchVerify: each has a result of its own, in order, over both doors.
func TestBatchVerify(t *testing.T) {
	r := refreshed(t, nil)
	good, wrong := r.kioskRequest(newPhone(t)), r.kioskRequest(newPhone(t))
	wrong.Signature[9] ^= 1
	garbled := proto.CloneOf(good)
	garbled.Certificate = garbled.Certificate[:50]
	other := r.kycRequest(newPhone(t))
	for _, door := range []string{"grpc", "http"} {
		in := &tashikav1.BatchVerifyRequest{Requests: []*tashikav1.VerifyRequest{garbled, good, wrong, {}, other}}
		answer := &tashikav1.BatchVerifyResponse{}
		r.through(door, tashikav1.VerificationService_BatchVerify_FullMethodName, "/v1:batchVerify", kioskToken, in, answer)
		out := answer.GetResults()
		if len(out) != len(in.GetRequests()) {
			t.Fatalf("%s: %d results", door, len(out))
		}
		want(t, door+" garbled", item(out[0]), formatFailure, "certificate")
		if v := out[1].GetResponse().GetVerdict(); v != tashikav1.Verdict_VERDICT_VALID {
			t.Errorf("%s good: %v", door, out[1])
		}
		if v := out[2].GetResponse().GetVerdict(); v != tashikav1.Verdict_VERDICT_INVALID {
			t.Errorf("%s wrong: %v", door, v)
		}
		want(t, door+" empty", item(out[3]), fieldInvalid, "signature")
		want(t, door+" not granted", item(out[4]), useNotGranted, "")
		good = r.kioskRequest(newPhone(t))
	}
	for n, requests := range map[string][]*tashikav1.VerifyRequest{"none": nil, "too many": make([]*tashikav1.VerifyRequest, 257)} {
		for i := range requests {
			requests[i] = &tashikav1.VerifyRequest{}
		}
		_, err := r.verification().BatchVerify(as(kioskToken), &tashikav1.BatchVerifyRequest{Requests: requests})
		want(t, n, err, fieldInvalid, "requests")
	}
}

// TestBatchReplay: of one challenge many times in one batch exactly one is consumed.
func TestBatchReplay(t *testing.T) {
	r := refreshed(t, nil)
	in := &tashikav1.BatchVerifyRequest{}
	one := r.kioskRequest(newPhone(t))
	for range 64 {
		in.Requests = append(in.Requests, one)
	}
	out, err := r.verification().BatchVerify(as(kioskToken), in)
	if err != nil {
		t.Fatal(err)
	}
	valid := 0
	for i, result := range out.GetResults() {
		if result.GetResponse().GetVerdict() == tashikav1.Verdict_VERDICT_VALID {
			valid++
		} else if id := result.GetResponse().GetReasons()[0].GetId(); id != "CHALLENGE_REPLAYED" {
			t.Errorf("%d: %v", i, result)
		}
	}
	if valid != 1 {
		t.Errorf("%d are valid", valid)
	}
}

// TestBatchCheckStatus over both doors.
func TestBatchCheckStatus(t *testing.T) {
	r := refreshed(t, nil)
	in := &tashikav1.BatchCheckStatusRequest{}
	for range 40 {
		in.Requests = append(in.Requests, &tashikav1.CheckStatusRequest{Use: tashikav1.Use_USE_CONVENIENCE_STORE_ISSUANCE, Certificate: newPhone(t).Certificate(sandbox.Auth).DER})
		if len(in.Requests) > 2 {
			in.Requests[len(in.Requests)-1] = proto.CloneOf(in.Requests[0])
		}
	}
	in.Requests[17].Certificate = []byte("rubbish")
	for _, door := range []string{"grpc", "http"} {
		out := &tashikav1.BatchCheckStatusResponse{}
		r.through(door, tashikav1.CertificateService_BatchCheckStatus_FullMethodName, "/v1/certificates:batchCheckStatus", kioskToken, in, out)
		for i, result := range out.GetResults() {
			if i == 17 {
				want(t, door, item(result), formatFailure, "certificate")
			} else if result.GetResponse().GetVerdict() != tashikav1.Verdict_VERDICT_VALID {
				t.Errorf("%s %d: %v", door, i, result)
			}
		}
	}
}
