package server

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tashika-jp/tashika/certs/reason"
	"github.com/tashika-jp/tashika/certs/sandbox"
	"github.com/tashika-jp/tashika/client"
	"google.golang.org/grpc/codes"
)

// sdk is a client of the SDK.
func (r *running) sdk(token string) *client.Client {
	r.t.Helper()
	c, err := client.New(client.Config{Target: r.GRPCAddr(), PlaintextLoopback: true, Token: token})
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { c.Close() })
	return c
}

// TestSDKSharesAStream: the client and the server mean the same by a stream. Many verifications at a time get their own verdicts, each challenge
// counts once, and the server's log of calls shows that most of them came on one stream.
func TestSDKSharesAStream(t *testing.T) {
	r := refreshed(t, nil)
	c, good := r.sdk(kioskToken), newPhone(t)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	verify := func(i int, challenge []byte) error {
		signature, err := good.SignChallenge(sandbox.DefaultPIN, sandbox.DefaultAlgorithm, challenge)
		if err != nil {
			return err
		}
		if i%4 == 3 {
			signature[7] ^= 1
		}
		request := client.VerifyRequest{Use: client.UseConvenienceStoreIssuance, Certificate: good.Certificate(sandbox.Auth).DER,
			Signature: signature, Algorithm: client.PKCS1SHA256, Challenge: challenge}
		result, err := c.Verify(ctx, request)
		if err == nil && result.Valid() == (i%4 == 3) {
			err = errors.New("a verdict that is not its own")
		}
		if err == nil && i%4 == 0 {
			if result, err = c.Verify(ctx, request); err == nil && (result.Valid() || result.Reasons[0].ID != string(reason.ChallengeReplayed)) {
				err = errors.New("a challenge counted twice")
			}
		}
		return err
	}
	var wg sync.WaitGroup
	for i := range 32 {
		wg.Go(func() {
			for range 4 {
				challenge, err := c.CreateChallenge(ctx, client.UseConvenienceStoreIssuance)
				if err == nil {
					err = verify(i, challenge.Bytes)
				}
				if err != nil {
					t.Errorf("%d: %v", i, err)
				}
			}
		})
	}
	wg.Wait()
	if metrics := r.scrape(); !strings.Contains(metrics, `method="tashika.v1.VerificationService/VerifyStream/item"`) {
		t.Error("no item came on a stream")
	}
}

// TestSDKChecksAll: the nightly run against the server, beside its errors and its rate.
func TestSDKChecksAll(t *testing.T) {
	r := refreshed(t, func(c *Config) { c.RelyingParties[0].Rate = Rate{PerSecond: 500, Burst: 20} })
	c, phones := r.sdk(kioskToken), []*sandbox.Phone{newPhone(t), newPhone(t)}
	const n = 300
	seen := map[int]bool{}
	for key, a := range client.CheckStatusAll(t.Context(), c, client.Recheck{}, func(yield func(int, client.StatusRequest) bool) {
		for i := range n {
			request := client.StatusRequest{Use: client.UseConvenienceStoreIssuance, Certificate: phones[i%2].Certificate(sandbox.Auth).DER}
			if i%10 == 9 {
				request.Certificate = request.Certificate[:100]
			}
			if !yield(i, request) {
				return
			}
		}
	}) {
		seen[key] = true
		var failure *client.Error
		if key%10 == 9 {
			if !errors.As(a.Err, &failure) || failure.Code != codes.InvalidArgument || failure.Reason != string(formatFailure) || failure.FieldViolations[0].Field != "certificate" {
				t.Errorf("%d: %+v", key, a)
			}
		} else if a.Err != nil || !a.Result.Valid() {
			t.Errorf("%d: %+v", key, a)
		}
	}
	if len(seen) != n {
		t.Errorf("%d of %d", len(seen), n)
	}
	requests := []client.StatusRequest{{Use: client.UseConvenienceStoreIssuance, Certificate: phones[0].Certificate(sandbox.Auth).DER}, {Use: client.UsePrivateIdentityVerification}}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	answers, err := c.CheckStatusBatch(ctx, requests)
	if err != nil || !answers[0].Result.Valid() || answers[1].Err == nil {
		t.Errorf("%+v, %v", answers, err)
	}
}
