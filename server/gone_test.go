package server

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tashika-jp/tashika/certs/anchors"
	"github.com/tashika-jp/tashika/certs/crl"
	"github.com/tashika-jp/tashika/certs/pkix"
	tashikav1 "github.com/tashika-jp/tashika/proto/tashika/v1"
	"github.com/tashika-jp/tashika/server/revocation"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
)

// tally is evidence that counts how often it is looked at, which is what certs.Verify begins with. There is none in it.
type tally struct {
	fakeEvidence
	looks atomic.Int64
}

// List counts.
func (y *tally) List(*anchors.Anchor, *pkix.Certificate) (*crl.Index, string) {
	y.looks.Add(1)
	return nil, ""
}

// tallied starts a server whose verifications are counted.
func tallied(t *testing.T) (*running, *tally) {
	t.Helper()
	c, log, y := testConfig(), &journal{}, &tally{}
	c.Logger = slog.New(newLines(log, slog.LevelDebug))
	s, err := newServer(c, func(revocation.Config) (evidence, error) { return y, nil })
	if err != nil {
		t.Fatal(err)
	}
	return serve(t, s, log), y
}

// leaving is the context of a caller that goes when it has been looked for so many times.
type leaving struct {
	context.Context
	looks int
}

// Err implements context.Context.
func (l *leaving) Err() error {
	if l.looks == 0 {
		return context.Canceled
	}
	l.looks--
	return nil
}

// TestGoneWithinVerify: whenever the caller goes, what comes after is not begun. A challenge that was not consumed until then can be
// answered again.
func TestGoneWithinVerify(t *testing.T) {
	r, y := tallied(t)
	request := r.kioskRequest(newPhone(t))
	h := &handlers{server: r.Server}
	var kiosk *party
	for _, p := range r.state.Load().parties.all {
		if p.name == "kiosk" {
			kiosk = p
		}
	}
	verify := func(ctx context.Context) (*tashikav1.VerifyResponse, error) {
		return h.Verify(&call{Context: ctx, state: r.state.Load(), method: r.verifyInside, party: kiosk}, request)
	}
	spent, begun := false, false
	unspent, idle := 0, 0 // moments before either
	for moment := 0; ; moment++ {
		if moment > 20 {
			t.Fatal("it is never done")
		}
		looks, consumed := y.looks.Load(), r.challenges.Stats().Consumed
		out, err := verify(&leaving{context.Background(), moment})
		nowSpent, nowBegun := r.challenges.Stats().Consumed > consumed, y.looks.Load() > looks
		if err == nil {
			if !spent || out.GetVerdict() == tashikav1.Verdict_VERDICT_UNSPECIFIED {
				t.Errorf("moment %d: %v", moment, out)
			}
			break
		}
		if !errors.Is(err, context.Canceled) || out != nil {
			t.Fatalf("moment %d: %v, %v", moment, out, err)
		}
		if nowSpent && spent || nowBegun && !nowSpent && !spent {
			t.Errorf("moment %d: consumed %v, begun %v", moment, nowSpent, nowBegun)
		}
		if spent, begun = spent || nowSpent, begun || nowBegun; !spent {
			unspent++
		} else if !begun {
			idle++
		}
	}
	if unspent == 0 || idle == 0 {
		t.Errorf("the caller is looked for %d times before the challenge, %d between it and the verification", unspent, idle)
	}
}

// TestGoneBefore: for who has gone, or whose time is over, nothing is begun by any way, the challenge is not spent and
// nothing is told of it but that.
func TestGoneBefore(t *testing.T) {
	r, y := tallied(t)
	request := r.kioskRequest(newPhone(t))
	said := metadata.Pairs("authorization", "Bearer "+kioskToken)
	gone, leave := context.WithCancel(context.Background())
	leave()
	late, cancel := context.WithDeadline(context.Background(), time.Unix(1, 0))
	defer cancel()
	method := r.methods[tashikav1.VerificationService_Verify_FullMethodName]
	for f, ctx := range map[failure]context.Context{cancelled: gone, deadlineExceeded: late} {
		for _, d := range []door{grpcDoor, httpDoor} {
			err := r.guard(metadata.NewIncomingContext(ctx, said), d, method, func(*call) error {
				t.Error("begun")
				return nil
			})
			want(t, d.String(), err, f, "")
		}
		err := r.within.Invoke(metadata.NewOutgoingContext(ctx, said), tashikav1.VerificationService_Verify_FullMethodName, request, &tashikav1.VerifyResponse{})
		want(t, "the way within", err, f, "")
	}
	// The items of a batch, of a caller that goes and of one whose time ends while the first is at work.
	for f, end := range map[failure]func(*call) context.CancelFunc{
		cancelled: func(c *call) context.CancelFunc {
			ctx, leave := context.WithCancel(c.Context)
			c.Context = ctx
			return leave
		},
		deadlineExceeded: func(c *call) context.CancelFunc { return func() { c.deadline = time.Unix(1, 0) } },
	} {
		begun, refused := 0, 0
		c := &call{Context: context.Background(), state: r.state.Load(), method: method, trace: newTrace(""), party: r.state.Load().parties.all[0], deadline: time.Now().Add(time.Hour)}
		leave := end(c)
		for r.working.Load() < int64(c.state.config.Limits.MaxConcurrent) { // no helpers, so that they come one after the other
			r.enter(c.state)
		}
		r.batch(c, 10, r.verifyInside, func(*call, int) error {
			begun++
			leave()
			return nil
		}, func(_ int, why *spb.Status) {
			refused++
			want(t, "an item", status.FromProto(why).Err(), f, "")
		})
		for r.working.Load() > 0 {
			r.leave()
		}
		if begun != 1 || refused != 9 {
			t.Errorf("%s: %d begun, %d refused", f, begun, refused)
		}
	}
	// An item of a stream, whose own time is over.
	stream := r.verifyStream(as(kioskToken))
	send(t, stream, &tashikav1.VerifyStreamRequest{Request: request, Timeout: durationpb.New(1)})
	a, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	want(t, "an item of a stream", item(a), deadlineExceeded, "")
	if looks, stats := y.looks.Load(), r.challenges.Stats(); looks != 0 || stats.Consumed != 0 {
		t.Errorf("%d verifications were begun, %d challenges consumed", looks, stats.Consumed)
	}
	if _, err := r.verification().Verify(as(kioskToken), request); err != nil || r.challenges.Stats().Consumed != 1 {
		t.Errorf("when there is time: %v", err)
	}
}
