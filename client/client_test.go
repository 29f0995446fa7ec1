package client

import (
	"context"
	"crypto/tls"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tashika-jp/tashika/client/internal/fake"
	tashikav1 "github.com/tashika-jp/tashika/proto/tashika/v1"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"
)

// start returns a client of a fake server over mutual TLS with a token. Its waits end at
// once and are recorded.
func start(t *testing.T, answer fake.Answer) (*Client, *fake.Server, *[]time.Duration) {
	t.Helper()
	pki, err := fake.NewPKI()
	if err != nil {
		t.Fatal(err)
	}
	server, err := fake.Start(pki, answer)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	c, err := New(Config{Target: server.Addr, Token: "s3cret", UserAgent: "kiosk/3.1",
		TLS: &tls.Config{RootCAs: pki.Roots, Certificates: []tls.Certificate{pki.Client}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	var waits []time.Duration
	c.wait = func(_ context.Context, d time.Duration) error { waits = append(waits, d); return nil }
	return c, server, &waits
}

// hour is a context whose deadline no test comes near.
func hour(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	t.Cleanup(cancel)
	return ctx
}

// failing answers with the errors in turn, then with an empty response.
func failing(errs ...error) fake.Answer {
	n := 0 // calls come one after the other
	return func(call fake.Call) (proto.Message, error) {
		if n++; n <= len(errs) {
			return nil, errs[n-1]
		}
		switch call.Method {
		case "CreateChallenge":
			return &tashikav1.CreateChallengeResponse{}, nil
		case "Verify":
			return &tashikav1.VerifyResponse{}, nil
		case "CheckStatus":
			return &tashikav1.CheckStatusResponse{}, nil
		case "Inspect":
			return &tashikav1.InspectResponse{}, nil
		case "ListSources":
			return &tashikav1.ListSourcesResponse{}, nil
		case "CheckDevice":
			return &tashikav1.CheckDeviceResponse{}, nil
		}
		return &tashikav1.ListDevicesResponse{}, nil
	}
}

func statusError(t *testing.T, code codes.Code, details ...protoadapt.MessageV1) error {
	t.Helper()
	s, err := status.New(code, "told").WithDetails(details...)
	if err != nil {
		t.Fatal(err)
	}
	return s.Err()
}

var errUnavailable = status.Error(codes.Unavailable, "told")

// calls is every call of the SDK. All but the last may be repeated.
var calls = []struct {
	name string
	do   func(context.Context, *Client) error
}{
	{"CreateChallenge", func(ctx context.Context, c *Client) error {
		_, err := c.CreateChallenge(ctx, UseHealthInsurance)
		return err
	}},
	{"CheckStatus", func(ctx context.Context, c *Client) error { _, err := c.CheckStatus(ctx, StatusRequest{}); return err }},
	{"Inspect", func(ctx context.Context, c *Client) error { _, err := c.Inspect(ctx, nil); return err }},
	{"CheckDevice", func(ctx context.Context, c *Client) error { _, err := c.CheckDevice(ctx, Handset{}); return err }},
	{"ListSources", func(ctx context.Context, c *Client) error {
		for _, err := range c.ListSources(ctx) {
			return err
		}
		return nil
	}},
	{"ListDevices", func(ctx context.Context, c *Client) error {
		for _, err := range c.ListDevices(ctx) {
			return err
		}
		return nil
	}},
	{"Verify with content", func(ctx context.Context, c *Client) error {
		_, err := c.Verify(ctx, VerifyRequest{Content: []byte("contract")})
		return err
	}},
	{"Verify with digest", func(ctx context.Context, c *Client) error {
		_, err := c.Verify(ctx, VerifyRequest{ContentDigest: make([]byte, 32)})
		return err
	}},
	{"Verify with CMS", func(ctx context.Context, c *Client) error {
		_, err := c.Verify(ctx, VerifyRequest{CMS: []byte("message")})
		return err
	}},
	{"Verify with challenge", verifyChallenge},
}

func verifyChallenge(ctx context.Context, c *Client) error {
	_, err := c.Verify(ctx, VerifyRequest{Challenge: []byte("challenge")})
	return err
}

func TestWhatArrives(t *testing.T) {
	c, server, _ := start(t, failing())
	for _, call := range calls {
		if err := call.do(hour(t), c); err != nil {
			t.Errorf("%s: %v", call.name, err)
		}
	}
	for _, call := range server.Calls() {
		if call.Client != "kiosk" {
			t.Errorf("%s: client certificate of %q", call.Method, call.Client)
		}
		if got := call.Header.Get("authorization"); !slices.Equal(got, []string{"Bearer s3cret"}) {
			t.Errorf("%s: authorization %q", call.Method, got)
		}
		if got := call.Header.Get("user-agent"); len(got) != 1 || !strings.HasPrefix(got[0], "kiosk/3.1 ") {
			t.Errorf("%s: user agent %q", call.Method, got)
		}
	}
	if got := len(server.Calls()); got != len(calls) {
		t.Errorf("%d calls arrived, want %d", got, len(calls))
	}
}

func TestDeadlineRequired(t *testing.T) {
	c, server, _ := start(t, failing())
	for _, call := range calls {
		if err := call.do(t.Context(), c); !errors.Is(err, ErrNoDeadline) {
			t.Errorf("%s: %v", call.name, err)
		}
	}
	if n := len(server.Calls()); n != 0 {
		t.Errorf("%d calls arrived", n)
	}
}

func TestRetry(t *testing.T) {
	retryIn := func(code codes.Code, d time.Duration) error {
		return statusError(t, code, &errdetails.RetryInfo{RetryDelay: durationpb.New(d)})
	}
	always := slices.Repeat([]error{errUnavailable}, 10)
	for _, test := range []struct {
		name     string
		errs     []error
		attempts int
		ok       bool
		atLeast  time.Duration // of the first wait
	}{
		{"good_unavailable_once", always[:1], 2, true, firstBackoff / 2},
		{"good_unavailable_until_the_last_attempt", always[:3], 4, true, firstBackoff / 2},
		{"good_exhausted_with_a_time", []error{retryIn(codes.ResourceExhausted, 3*time.Second)}, 2, true, 3 * time.Second},
		{"good_unavailable_with_a_time", []error{retryIn(codes.Unavailable, 5*time.Second)}, 2, true, 5 * time.Second},
		{"good_unavailable_with_a_negative_time", []error{retryIn(codes.Unavailable, -5*time.Second)}, 2, true, firstBackoff / 2},
		{"bad_unavailable_for_ever", always, maxAttempts, false, firstBackoff / 2},
		{"bad_exhausted_without_a_time", []error{status.Error(codes.ResourceExhausted, "told")}, 1, false, 0},
		{"bad_exhausted_beyond_the_deadline", []error{retryIn(codes.ResourceExhausted, 2*time.Hour)}, 1, false, 0},
		{"bad_internal", []error{status.Error(codes.Internal, "told")}, 1, false, 0},
		{"bad_invalid_argument", []error{status.Error(codes.InvalidArgument, "told")}, 1, false, 0},
		{"bad_deadline_exceeded", []error{status.Error(codes.DeadlineExceeded, "told")}, 1, false, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, server, waits := start(t, failing(test.errs...))
			err := calls[1].do(hour(t), c)
			if (err == nil) != test.ok || len(server.Calls()) != test.attempts || len(*waits) != test.attempts-1 {
				t.Errorf("error %v after %d attempts and waits %v, want ok %t after %d", err, len(server.Calls()), *waits, test.ok, test.attempts)
			}
			for i, d := range *waits {
				low, high := test.atLeast, test.atLeast+firstBackoff<<i
				if i > 0 {
					low = firstBackoff << i / 2
				}
				if d < low || d > high {
					t.Errorf("wait %d is %v, want %v to %v", i, d, low, high)
				}
			}
		})
	}
}

// Every call but Verify with a challenge is made again after UNAVAILABLE.
func TestOnlyWhatIsSafeIsRepeated(t *testing.T) {
	for i, call := range calls {
		want, ok := 2, true
		if i == len(calls)-1 {
			want, ok = 1, false
		}
		c, server, _ := start(t, failing(errUnavailable))
		err := call.do(hour(t), c)
		if got := len(server.Calls()); got != want || (err == nil) != ok {
			t.Errorf("%s arrived %d times, want %d: %v", call.name, got, want, err)
		}
	}
}

func TestVerifyWithAChallengeIsSentExactlyOnceWhateverTheError(t *testing.T) {
	soon := &errdetails.RetryInfo{RetryDelay: durationpb.New(time.Millisecond)}
	for code := codes.Canceled; code <= codes.Unauthenticated; code++ {
		c, server, waits := start(t, failing(statusError(t, code, soon)))
		if err := verifyChallenge(hour(t), c); status.Code(err) != code || len(server.Calls()) != 1 || len(*waits) != 0 {
			t.Errorf("%v: %v after %d calls", code, err, len(server.Calls()))
		}
	}
}

func TestWaitEndsWithTheContext(t *testing.T) {
	c, server, _ := start(t, failing(errUnavailable))
	ctx, cancel := context.WithCancel(hour(t))
	c.wait = func(ctx context.Context, _ time.Duration) error { cancel(); return wait(ctx, time.Hour) }
	err := calls[0].do(ctx, c)
	if status.Code(err) != codes.Unavailable || len(server.Calls()) != 1 {
		t.Errorf("%v after %d calls, want the server's own error after one", err, len(server.Calls()))
	}
	if err := wait(t.Context(), 0); err != nil {
		t.Error(err)
	}
}

func TestErrorMapping(t *testing.T) {
	sent := statusError(t, codes.InvalidArgument,
		&errdetails.ErrorInfo{Reason: "INVALID_FIELDS", Domain: "tashika.jp"},
		&errdetails.BadRequest{FieldViolations: []*errdetails.BadRequest_FieldViolation{
			{Field: "certificate", Reason: "bytes.min_len", Description: "must not be empty"}}},
		&errdetails.RetryInfo{RetryDelay: durationpb.New(7 * time.Second)},
		&errdetails.LocalizedMessage{Locale: "ja-JP", Message: "証明書がありません。"},
		&errdetails.LocalizedMessage{Locale: "en", Message: "There is no certificate."},
		&errdetails.LocalizedMessage{Locale: "fr", Message: "…"},
		&errdetails.DebugInfo{Detail: "not for here"})
	c, _, _ := start(t, failing(sent))
	_, err := c.Inspect(hour(t), nil)
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("%T is not an *Error", err)
	}
	if e.Code != codes.InvalidArgument || e.Reason != "INVALID_FIELDS" || e.Domain != "tashika.jp" || e.RetryAfter != 7*time.Second ||
		e.Message != (Text{"証明書がありません。", "There is no certificate."}) ||
		!slices.Equal(e.FieldViolations, []FieldViolation{{"certificate", "bytes.min_len", "must not be empty"}}) {
		t.Errorf("got %+v", e)
	}
	const want = "client: InvalidArgument (INVALID_FIELDS): told; certificate: must not be empty"
	if e.Error() != want {
		t.Errorf("%q, want %q", e, want)
	}
	if status.Code(errors.Unwrap(err)) != codes.InvalidArgument {
		t.Errorf("unwraps to %v", errors.Unwrap(err))
	}
}

func TestExactlyOneSigned(t *testing.T) {
	c, server, _ := start(t, failing())
	some := []byte{1}
	for _, request := range []VerifyRequest{{}, {Challenge: some, Content: some}, {Content: some, ContentDigest: some},
		{CMS: some, Challenge: some}, {CMS: some, ContentDigest: some}, {CMS: some, Content: some, ContentDigest: some}} {
		if _, err := c.Verify(hour(t), request); !errors.Is(err, ErrSigned) {
			t.Error(err)
		}
	}
	if n := len(server.Calls()); n != 0 {
		t.Errorf("%d calls arrived", n)
	}
}

func TestCMSArrives(t *testing.T) {
	c, server, _ := start(t, failing())
	for _, content := range [][]byte{nil, []byte("contract")} {
		if _, err := c.Verify(hour(t), VerifyRequest{CMS: []byte("message"), Content: content, Certificate: []byte("certificate")}); err != nil {
			t.Fatal(err)
		}
	}
	for i, call := range server.Calls() {
		want := &tashikav1.VerifyRequest{CmsSignedData: []byte("message"), Certificate: []byte("certificate")}
		if i == 1 {
			want.Signed = &tashikav1.VerifyRequest_Content{Content: []byte("contract")}
		}
		if !proto.Equal(call.Request, want) {
			t.Errorf("%v arrived, want %v", call.Request, want)
		}
	}
}

func TestConfig(t *testing.T) {
	verifies := func(tls.ConnectionState) error { return nil }
	for _, test := range []struct {
		name   string
		config Config
		ok     bool
	}{
		{"good_system_roots", Config{Target: "tashika.example.jp:443", Token: "abc"}, true},
		{"good_plaintext_localhost", Config{Target: "localhost:8443", PlaintextLoopback: true, Token: "abc"}, true},
		{"good_plaintext_ipv6", Config{Target: "[::1]:8443", PlaintextLoopback: true}, true},
		{"good_own_verification", Config{Target: "h:1", TLS: &tls.Config{InsecureSkipVerify: true, VerifyConnection: verifies}}, true},
		{"bad_no_target", Config{}, false},
		{"bad_plaintext_other_machine", Config{Target: "192.0.2.1:8443", PlaintextLoopback: true}, false},
		{"bad_plaintext_name_like_localhost", Config{Target: "localhost.example.jp:8443", PlaintextLoopback: true}, false},
		{"bad_plaintext_scheme", Config{Target: "dns:///localhost:8443", PlaintextLoopback: true}, false},
		{"bad_plaintext_without_port", Config{Target: "localhost", PlaintextLoopback: true}, false},
		{"bad_plaintext_and_tls", Config{Target: "localhost:8443", PlaintextLoopback: true, TLS: &tls.Config{}}, false},
		{"bad_nobody_verifies", Config{Target: "h:1", TLS: &tls.Config{InsecureSkipVerify: true}}, false},
		{"bad_token_with_line_break", Config{Target: "h:1", Token: "abc\n"}, false},
		{"bad_target", Config{Target: "dns://authority/%zz"}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, err := New(test.config)
			if (err == nil) != test.ok {
				t.Fatal(err)
			}
			if err == nil {
				c.Close()
			} else if test.config.Token != "" && strings.Contains(err.Error(), "abc") {
				t.Error("the error shows the token")
			}
		})
	}
}

func TestPlaintextLoopback(t *testing.T) {
	server, err := fake.Start(nil, failing())
	if err != nil {
		t.Fatal(err)
	}
	defer server.Stop()
	c, err := New(Config{Target: server.Addr, PlaintextLoopback: true, Token: "s3cret"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := calls[0].do(hour(t), c); err != nil {
		t.Fatal(err)
	}
	if got := server.Calls()[0].Header.Get("authorization"); !slices.Equal(got, []string{"Bearer s3cret"}) {
		t.Errorf("authorization %q", got)
	}
}

// "localhost" may resolve to anything: the dialled address is what counts.
func TestDialLoopbackRefusesOtherMachines(t *testing.T) {
	if _, err := dialLoopback(hour(t), "192.0.2.1:443"); err == nil || !strings.Contains(err.Error(), "not a loopback address") {
		t.Error(err)
	}
}

func TestServerOfAnotherAuthorityIsRefused(t *testing.T) {
	_, server, _ := start(t, failing())
	other, err := fake.NewPKI()
	if err != nil {
		t.Fatal(err)
	}
	c, err := New(Config{Target: server.Addr, TLS: &tls.Config{RootCAs: other.Roots}, Token: "s3cret"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := verifyChallenge(hour(t), c); status.Code(err) != codes.Unavailable || len(server.Calls()) != 0 {
		t.Errorf("%v after %d calls", err, len(server.Calls()))
	}
}
