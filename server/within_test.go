package server

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	tashikav1 "github.com/tashika-jp/tashika/proto/tashika/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// TestDoorsAreAlike: what a call is told does not depend on the door: refusals with all their details, our own trouble without any, deadline,
// trace and whether the caller has gone.
func TestDoorsAreAlike(t *testing.T) {
	var work atomic.Pointer[func(context.Context) error] // a call that was given up may still begin
	do := func(f func(context.Context) error) { work.Store(&f) }
	r := start(t, func(c *Config) {
		c.Services = []Service{probing(func(ctx context.Context) error { return (*work.Load())(ctx) })}
	})
	doors := map[string]grpc.ClientConnInterface{"grpc": r.conn, "http": r.within}
	probe := func(ctx context.Context, door string, options ...grpc.CallOption) error {
		return doors[door].Invoke(ctx, "/test.Probe/Do", &tashikav1.ListDevicesRequest{}, &tashikav1.ListDevicesResponse{}, options...)
	}
	for _, c := range []struct {
		name, token string
		work        func(context.Context) error
		failure     failure
	}{
		{"good", kioskToken, func(context.Context) error { return nil }, ""},
		{"nobody", "", nil, credentialsMissing},
		{"unknown", kioskToken + "x", nil, credentialsUnknown},
		{"panic", kioskToken, func(context.Context) error { panic("secret") }, internal},
		{"trouble", kioskToken, func(context.Context) error { return errors.New("secret") }, internal},
		{"a violation", kioskToken, func(context.Context) error { return fail(fieldInvalid, violation{"a.b", "WHY", "Because."}) }, fieldInvalid},
		{"busy", kioskToken, func(context.Context) error { return failAfter(rateLimited, time.Minute) }, rateLimited},
		{"late", kioskToken, func(ctx context.Context) error { return context.DeadlineExceeded }, deadlineExceeded},
	} {
		do(c.work)
		told := map[string]*status.Status{}
		for door := range doors {
			err := probe(as(c.token), door)
			if reasonOf(err) != c.failure {
				t.Errorf("%s, %s: %v", c.name, door, err)
			}
			told[door] = status.Convert(err)
		}
		if !proto.Equal(told["grpc"].Proto(), told["http"].Proto()) || strings.Contains(told["http"].String(), "secret") {
			t.Errorf("%s: gRPC is told %v, HTTP %v", c.name, told["grpc"].Proto(), told["http"].Proto())
		}
	}
	for door, conn := range doors {
		want(t, door, conn.Invoke(as(kioskToken), "/test.Probe/Other", &tashikav1.ListDevicesRequest{}, &tashikav1.ListDevicesResponse{}), methodUnknown, "")
		const id = "0af7651916cd43dd8448eb211c80319c"
		do(func(ctx context.Context) error {
			if end, ok := ctx.Deadline(); !ok || time.Until(end) > time.Second {
				t.Errorf("%s: the deadline is %v", door, end)
			}
			<-ctx.Done()
			return ctx.Err()
		})
		ctx, cancel := context.WithTimeout(as(kioskToken, traceparent, "00-"+id+"-b7ad6b7169203331-01"), 20*time.Millisecond)
		var header metadata.MD
		if err := probe(ctx, door, grpc.Header(&header)); status.Code(err) != codes.DeadlineExceeded {
			t.Errorf("%s: %v", door, err)
		}
		if sent := header.Get(traceresponse); door == "http" && (len(sent) != 1 || !strings.Contains(sent[0], id)) {
			t.Errorf("%s: %v", door, header)
		}
		cancel()
		if !strings.Contains(r.log.String(), `"door":"`+door+`"`) {
			t.Errorf("%s has no line in the log", door)
		}
		ctx, cancel = context.WithCancel(as(kioskToken))
		gone := cancel
		do(func(ctx context.Context) error {
			gone()
			<-ctx.Done()
			return ctx.Err()
		})
		if err := probe(ctx, door); status.Code(err) != codes.Canceled {
			t.Errorf("%s: %v", door, err)
		}
	}
	large := &tashikav1.ListDevicesRequest{PageToken: strings.Repeat("x", 4<<20)}
	want(t, "too large", r.within.Invoke(as(kioskToken), "/test.Probe/Do", large, &tashikav1.ListDevicesResponse{}), requestTooLarge, "")
	if err := r.conn.Invoke(as(kioskToken), "/test.Probe/Do", large, &tashikav1.ListDevicesResponse{}); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("too large: %v", err)
	}
}

// BenchmarkWithin is a request through the HTTP door with nothing to do at its end, over the way that the server has and over gRPC
// on a connection in memory; and the same two alone, without HTTP and JSON.
func BenchmarkWithin(b *testing.B) {
	r := refreshed(b, nil)
	request := r.kioskRequest(newPhone(b))
	answer, err := r.verification().Verify(as(kioskToken), request)
	if err != nil {
		b.Fatal(err)
	}
	body, err := protojson.Marshal(request)
	if err != nil {
		b.Fatal(err)
	}
	listener := bufconn.Listen(1 << 20)
	over := grpc.NewServer()
	go over.Serve(listener)
	b.Cleanup(over.Stop)
	conn, err := grpc.NewClient("passthrough:///memory", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) { return listener.Dial() }))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { conn.Close() })
	ours := &within{limit: 4 << 20, methods: map[string]withinMethod{}}
	for _, to := range []grpc.ServiceRegistrar{over, ours} {
		tashikav1.RegisterVerificationServiceServer(to, echoing{answer: answer})
	}
	for _, way := range []struct {
		name string
		conn grpc.ClientConnInterface
	}{{"within", ours}, {"memory", conn}} {
		client := tashikav1.NewVerificationServiceClient(way.conn)
		b.Run("call/"+way.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := client.Verify(as(kioskToken), request); err != nil {
					b.Fatal(err)
				}
			}
		})
		gateway, err := r.newGateway(way.conn)
		if err != nil {
			b.Fatal(err)
		}
		b.Run("http/"+way.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				w := httptest.NewRecorder()
				in := httptest.NewRequest(http.MethodPost, "/v1:verify", strings.NewReader(string(body)))
				in.Header.Set("Content-Type", jsonType)
				gateway.ServeHTTP(w, in)
				if w.Code != http.StatusOK {
					b.Fatal(w.Body)
				}
			}
		})
	}
}

// echoing answers without any work.
type echoing struct {
	tashikav1.UnimplementedVerificationServiceServer
	answer *tashikav1.VerifyResponse
}

func (e echoing) Verify(context.Context, *tashikav1.VerifyRequest) (*tashikav1.VerifyResponse, error) {
	return e.answer, nil
}
