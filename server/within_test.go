package server

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	tashikav1 "github.com/tashika-jp/tashika/proto/tashika/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/encoding/protojson"
)

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
