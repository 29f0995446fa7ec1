package server

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tashika-jp/tashika/certs"
	"github.com/tashika-jp/tashika/certs/anchors"
	"github.com/tashika-jp/tashika/certs/crl"
	"github.com/tashika-jp/tashika/certs/ocsp"
	"github.com/tashika-jp/tashika/certs/pkix"
	"github.com/tashika-jp/tashika/certs/profile"
	"github.com/tashika-jp/tashika/certs/reason"
	tashikav1 "github.com/tashika-jp/tashika/proto/tashika/v1"
	"github.com/tashika-jp/tashika/server/revocation"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
)

// probing is a service of a test: one method, which does what the test says.
func probing(work func(context.Context) error) Service {
	desc := grpc.ServiceDesc{ServiceName: "test.Probe", HandlerType: (*any)(nil), Methods: []grpc.MethodDesc{{MethodName: "Do",
		Handler: func(_ any, ctx context.Context, decode func(any) error, guard grpc.UnaryServerInterceptor) (any, error) {
			in := &tashikav1.ListDevicesRequest{}
			if err := decode(in); err != nil {
				return nil, err
			}
			return guard(ctx, in, &grpc.UnaryServerInfo{FullMethod: "/test.Probe/Do"}, func(ctx context.Context, _ any) (any, error) {
				return &tashikav1.ListDevicesResponse{}, work(ctx)
			})
		}}}}
	return Service{Register: func(r grpc.ServiceRegistrar) { r.RegisterService(&desc, struct{}{}) }}
}

func (r *running) probe(ctx context.Context) error {
	return r.conn.Invoke(ctx, "/test.Probe/Do", &tashikav1.ListDevicesRequest{}, &tashikav1.ListDevicesResponse{})
}

// TestPanic: a panic is INTERNAL, its stack is in the log, what it said is not.
func TestPanic(t *testing.T) {
	r := start(t, func(c *Config) {
		c.Services = []Service{probing(func(context.Context) error { panic(errors.New("the secret of the request")) })}
	})
	for range 3 {
		want(t, "panic", r.probe(as(kioskToken)), internal, "")
	}
	if log := r.log.String(); !strings.Contains(log, "life_test.go") || strings.Contains(log, "the secret") || !strings.Contains(log, "*errors.errorString") {
		t.Errorf("log: %s", log)
	}
	if _, err := tashikav1.NewDeviceServiceClient(r.conn).ListDevices(as(kioskToken), &tashikav1.ListDevicesRequest{}); err != nil {
		t.Error(err)
	}
}

// TestInternalDetail stays in the log.
func TestInternalDetail(t *testing.T) {
	r := start(t, func(c *Config) {
		c.Services = []Service{probing(func(context.Context) error { return errors.New("disk sda1 is full") })}
	})
	err := r.probe(as(kioskToken))
	want(t, "internal", err, internal, "")
	if strings.Contains(err.Error(), "sda1") || !strings.Contains(r.log.String(), "sda1") {
		t.Errorf("%v", err)
	}
}

// TestGracefulShutdown: what is in flight is finished, what comes then is not begun, and health says so first.
func TestGracefulShutdown(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	r := refreshed(t, func(c *Config) {
		c.Services = []Service{probing(func(context.Context) error {
			close(entered)
			<-leave
			return nil
		})}
	})
	watch, err := healthv1.NewHealthClient(r.conn).Watch(context.Background(), &healthv1.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if first, err := watch.Recv(); err != nil || first.GetStatus() != healthv1.HealthCheckResponse_SERVING {
		t.Fatal(first, err)
	}
	inFlight := make(chan error, 1)
	go func() { inFlight <- r.probe(as(kioskToken)) }()
	<-entered
	r.stop()
	if next, err := watch.Recv(); err != nil || next.GetStatus() != healthv1.HealthCheckResponse_NOT_SERVING {
		t.Error(next, err)
	}
	if _, err := watch.Recv(); status.Code(err) != codes.Unavailable {
		t.Error(err)
	}
	select {
	case <-r.done:
		t.Error("Run returned before the call in flight was finished")
	default:
	}
	close(leave)
	if err := <-inFlight; err != nil {
		t.Errorf("the call in flight: %v", err)
	}
	<-r.done
	if !strings.Contains(r.log.String(), `"cut_off":false`) {
		t.Error("something was cut off")
	}
	if err := r.probe(as(kioskToken)); status.Code(err) != codes.Unavailable {
		t.Errorf("after the end: %v", err)
	}
}

// TestShutdownIsBounded: who does not finish is cut off.
func TestShutdownIsBounded(t *testing.T) {
	entered := make(chan struct{})
	r := start(t, func(c *Config) {
		c.Limits.ShutdownGrace = time.Millisecond
		c.Services = []Service{probing(func(ctx context.Context) error {
			close(entered)
			<-ctx.Done()
			return ctx.Err()
		})}
	})
	inFlight := make(chan error, 1)
	go func() { inFlight <- r.probe(as(kioskToken)) }()
	<-entered
	r.stop()
	<-r.done
	if err := <-inFlight; err == nil {
		t.Error("finished")
	}
	if !strings.Contains(r.log.String(), `"cut_off":true`) {
		t.Error("nothing was cut off")
	}
}

// TestLimits: a party's rate, and the server's capacity.
func TestLimits(t *testing.T) {
	entered := make(chan struct{})
	r := start(t, func(c *Config) {
		c.Limits.MaxConcurrent = 1
		c.RelyingParties[1].Rate = Rate{PerSecond: 0.001, Burst: 2}
		c.Services = []Service{probing(func(ctx context.Context) error {
			close(entered)
			<-ctx.Done()
			return ctx.Err()
		})}
	})
	ctx, cancel := context.WithCancel(as(kioskToken))
	inFlight := make(chan error, 1)
	go func() { inFlight <- r.probe(ctx) }()
	<-entered
	devices := tashikav1.NewDeviceServiceClient(r.conn)
	_, err := devices.ListDevices(as(allToken), &tashikav1.ListDevicesRequest{})
	want(t, "busy", err, serverBusy, "")
	if a := r.do(http.MethodGet, "/v1/devices", allToken, nil); a.code != http.StatusTooManyRequests || a.header.Get("Retry-After") != "1" || a.failure() != string(serverBusy) {
		t.Errorf("busy over HTTP: %d %v %s", a.code, a.header, a.body)
	}
	if _, err := healthv1.NewHealthClient(r.conn).Check(context.Background(), &healthv1.HealthCheckRequest{}); err != nil {
		t.Errorf("health takes capacity: %v", err)
	}
	if _, err := devices.ListDevices(as(kycToken), &tashikav1.ListDevicesRequest{}); reasonOf(err) != serverBusy || retryOf(err) != time.Second {
		t.Errorf("busy: %v, come back after %v", err, retryOf(err))
	}
	cancel()
	<-inFlight
	for r.working.Load() > 0 { // the caller has gone; the server is told of it a moment later
		runtime.Gosched()
	}
	if _, err := tashikav1.NewDeviceServiceClient(r.conn).ListDevices(as(allToken), &tashikav1.ListDevicesRequest{}); err != nil {
		t.Errorf("when there is room again: %v", err)
	}
	for i, f := range []failure{"", "", rateLimited, rateLimited} { // what was turned away took nothing of the rate
		_, err := devices.ListDevices(as(kycToken), &tashikav1.ListDevicesRequest{})
		if reasonOf(err) != f || f == rateLimited && retryOf(err) < 10*time.Minute {
			t.Errorf("call %d: %v, come back after %v", i, err, retryOf(err))
		}
	}
}

// TestDeadlines: never none, never longer than is allowed, the caller's own if it is shorter.
func TestDeadlines(t *testing.T) {
	left := make(chan time.Duration, 1)
	r := start(t, func(c *Config) {
		c.Services = []Service{probing(func(ctx context.Context) error {
			at, _ := ctx.Deadline()
			left <- time.Until(at)
			return nil
		})}
	})
	limits := r.state.Load().config.Limits
	for given, most := range map[time.Duration]time.Duration{0: limits.DefaultDeadline, time.Hour: limits.MaxDeadline, 5 * time.Second: 5 * time.Second} {
		ctx, cancel := as(kioskToken), context.CancelFunc(func() {})
		if given > 0 {
			ctx, cancel = context.WithTimeout(ctx, given)
		}
		if err := r.probe(ctx); err != nil {
			t.Error(err)
		}
		cancel()
		if got := <-left; got > most || got < most/2 {
			t.Errorf("%v given: %v left", given, got)
		}
	}
}

// fakeEvidence is a revocation index whose freshness the test decides.
type fakeEvidence struct{ fresh atomic.Bool }

func (*fakeEvidence) List(*anchors.Anchor, *pkix.Certificate) (*crl.Index, string) { return nil, "" }
func (*fakeEvidence) Ask(context.Context, certs.Question) (*ocsp.Answer, string, []reason.ID) {
	return nil, "", []reason.ID{reason.OCSPNoResponder}
}
func (*fakeEvidence) Run(ctx context.Context) error       { <-ctx.Done(); return nil }
func (*fakeEvidence) Sources() []revocation.SourceState   { return nil }
func (*fakeEvidence) Refusals() revocation.Refusals       { return revocation.Refusals{} }
func (*fakeEvidence) Progress() revocation.Progress       { return revocation.Progress{} }
func (f *fakeEvidence) Ready(time.Time) bool              { return f.fresh.Load() }
func (*fakeEvidence) Reconfigure(revocation.Config) error { return nil }
func (*fakeEvidence) RefreshAll(context.Context) error    { return nil }
func (*fakeEvidence) Close() error                        { return nil }

// TestReadiness follows freshness, everywhere that it is told.
func TestReadiness(t *testing.T) {
	f := &fakeEvidence{}
	c := testConfig()
	log := &journal{}
	c.Logger = slog.New(slog.NewJSONHandler(log, nil))
	s, err := newServer(c, func(revocation.Config) (evidence, error) { return f, nil })
	if err != nil {
		t.Fatal(err)
	}
	r := serve(t, s, log)
	health := healthv1.NewHealthClient(r.conn)
	watch, err := health.Watch(context.Background(), &healthv1.HealthCheckRequest{Service: "tashika.v1.VerificationService"})
	if err != nil {
		t.Fatal(err)
	}
	for _, fresh := range []bool{false, true, false} {
		f.fresh.Store(fresh)
		code, serving, metric := http.StatusServiceUnavailable, healthv1.HealthCheckResponse_NOT_SERVING, "tashika_ready 0"
		if fresh {
			code, serving, metric = http.StatusOK, healthv1.HealthCheckResponse_SERVING, "tashika_ready 1"
		}
		for _, service := range []string{"", "tashika.v1.VerificationService"} {
			if out, err := health.Check(context.Background(), &healthv1.HealthCheckRequest{Service: service}); err != nil || out.GetStatus() != serving {
				t.Errorf("fresh %v: %v %v", fresh, out, err)
			}
		}
		if told, err := watch.Recv(); err != nil || told.GetStatus() != serving {
			t.Errorf("fresh %v: watch: %v %v", fresh, told, err)
		}
		if a := r.do(http.MethodGet, "/readyz", "", nil); a.code != code {
			t.Errorf("fresh %v: /readyz %d", fresh, a.code)
		}
		if a := r.do(http.MethodGet, "/healthz", "", nil); a.code != http.StatusOK {
			t.Errorf("fresh %v: /healthz %d", fresh, a.code)
		}
		if text := r.scrape(); !strings.Contains(text, metric) {
			t.Errorf("fresh %v: metrics", fresh)
		}
	}
	_, err = health.Check(context.Background(), &healthv1.HealthCheckRequest{Service: "no.Service"})
	want(t, "no service", err, serviceUnknown, "")
	if list, err := health.List(context.Background(), &healthv1.HealthListRequest{}); err != nil || len(list.GetStatuses()) < 5 {
		t.Errorf("%v %v", list, err)
	}
}

// scrape scrapes once.
func (r *running) scrape() string {
	r.t.Helper()
	at := r.base
	r.base = "http://" + r.MetricsAddr()
	defer func() { r.base = at }()
	return string(r.do(http.MethodGet, "/metrics", "", nil).body)
}

// TestReload: a good configuration serves at once, a bad one changes nothing, and what needs a restart says so.
func TestReload(t *testing.T) {
	r := refreshed(t, nil)
	next := func(change func(*Config)) Config {
		c := testConfig()
		c.Listen.GRPC, c.Listen.HTTP = "127.0.0.1:0", "127.0.0.1:0"
		change(&c)
		return c
	}
	challenge := func(token string) failure {
		_, err := r.verification().CreateChallenge(as(token), &tashikav1.CreateChallengeRequest{Use: tashikav1.Use_USE_CONVENIENCE_STORE_ISSUANCE})
		return reasonOf(err)
	}
	request := r.kioskRequest(newPhone(t))
	const newToken = "new-token-0123456789-0123456789-0123456789"
	if err := r.Reload(next(func(c *Config) {
		c.RelyingParties[0].BearerTokenSHA256 = hashOf(newToken)
		c.RelyingParties[2].Uses = []profile.Use{profile.HealthInsurance}
	})); err != nil {
		t.Fatal(err)
	}
	for token, f := range map[string]failure{kioskToken: credentialsUnknown, newToken: "", allToken: useNotGranted} {
		if got := challenge(token); got != f {
			t.Errorf("after the reload, %s: %s", token, got)
		}
	}
	if v, err := r.verification().Verify(as(newToken), request); err != nil || v.GetVerdict() != tashikav1.Verdict_VERDICT_VALID {
		t.Errorf("a challenge of before, the lists of before: %v %v", v, err)
	}
	for name, change := range map[string]func(*Config){
		"listen.grpc":              func(c *Config) { c.Listen.GRPC = "127.0.0.1:1" },
		"listen.http":              func(c *Config) { c.Listen.HTTP = "127.0.0.1:1" },
		"challenge":                func(c *Config) { c.Challenge.TTL = time.Minute },
		"metrics":                  func(c *Config) { c.Metrics.Address = noMetrics },
		"revocation.state_dir":     func(c *Config) { c.Revocation.StateDir = t.TempDir() },
		"limits.max_message_bytes": func(c *Config) { c.Limits.MaxMessageBytes = 8 << 20 },
		"relying_parties":          func(c *Config) { c.RelyingParties = nil },
		"profiles_dir":             func(c *Config) { c.ProfilesDir = filepath.Join(t.TempDir(), "none") },
		"revocation: responder":    func(c *Config) { c.Revocation.Responders = []Responder{{Name: "x", URL: "x", IssuerKeyID: "00"}} },
	} {
		if err := r.Reload(next(change)); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got := challenge(newToken); got != "" {
		t.Errorf("a refused configuration changed something: %s", got)
	}
	path := filepath.Join(t.TempDir(), "broken.yaml")
	if err := os.WriteFile(path, []byte("listen: {grpc: x, colour: red}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := r.ReloadFile(path); err == nil || !strings.Contains(r.log.String(), "the old one stays") {
		t.Errorf("%v", err)
	}
	if text := r.scrape(); !strings.Contains(text, `tashika_reloads_total{outcome="accepted"} 1`) || !strings.Contains(text, `outcome="refused"} 10`) {
		t.Error("reloads are not counted")
	}
}

// TestRunOnce and close without a run.
func TestRunOnce(t *testing.T) {
	r := start(t, nil)
	r.do(http.MethodGet, "/healthz", "", nil) // it runs
	if err := r.Run(context.Background()); err == nil {
		t.Error("ran twice")
	}
	c := testConfig()
	c.Logger = slog.New(slog.DiscardHandler)
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Error(err)
	}
	c.Listen.GRPC = s.GRPCAddr()
	again, err := New(c) // the address is free again
	if err != nil {
		t.Fatal(err)
	}
	if _, err := New(c); err == nil {
		t.Error("two servers on one address")
	}
	again.Close()
}
