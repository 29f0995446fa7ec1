package main

import (
	"net"
	"os"
	"os/exec"
	"testing"

	tashikav1 "github.com/tashika-jp/tashika/proto/tashika/v1"
	"google.golang.org/grpc"
)

// TestWays: by every way each question gets its answer once, and who answers otherwise than is right is counted.
func TestWays(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	tashikav1.RegisterVerificationServiceServer(server, &bare{response: &tashikav1.VerifyResponse{Verdict: tashikav1.Verdict_VERDICT_VALID}})
	go server.Serve(listener)
	t.Cleanup(server.Stop)
	conn, err := dial(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	questions := make([]question, 333)
	for i := range questions {
		questions[i] = question{request: &tashikav1.VerifyRequest{}, want: tashikav1.Verdict_VERDICT_VALID}
		if i%10 == 0 {
			questions[i].want = tashikav1.Verdict_VERDICT_INVALID
		}
	}
	for mode := range ways {
		t.Run(mode, func(t *testing.T) {
			f := figures{Mode: mode, Concurrency: 64}
			_, err := f.drive(t.Context(), &process{cmd: &exec.Cmd{Process: self}}, tashikav1.NewVerificationServiceClient(conn), questions,
				func(q question, r *tashikav1.VerifyResponse) bool { return r.GetVerdict() == q.want }, true)
			if err != nil {
				t.Fatal(err)
			}
			if f.WrongVerdicts != 34 {
				t.Errorf("%d wrong, not 34", f.WrongVerdicts)
			}
		})
	}
}
