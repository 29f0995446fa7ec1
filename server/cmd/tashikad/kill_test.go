package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tashika-jp/tashika/certs/sandbox"
	tashikav1 "github.com/tashika-jp/tashika/proto/tashika/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// asDaemon makes this test binary be the daemon.
const asDaemon = "TASHIKAD_UNDER_TEST"

func TestMain(m *testing.M) {
	if os.Getenv(asDaemon) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

const testToken = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFG"

// jlis is the pretend J-LIS of a test and the configuration that leads to it.
type jlis struct {
	*sandbox.World
	down   atomic.Bool
	config string
}

func newJLIS(t *testing.T) *jlis {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	j := &jlis{}
	if j.World, err = sandbox.New(sandbox.Config{PublicURL: "http://" + listener.Addr().String()}); err != nil {
		t.Fatal(err)
	}
	handler := j.Handler()
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if j.down.Load() {
			panic(http.ErrAbortHandler)
		}
		handler.ServeHTTP(w, r)
	})}
	go s.Serve(listener)
	t.Cleanup(func() { s.Close() })

	dir := t.TempDir()
	var b strings.Builder
	sum := sha256.Sum256([]byte(testToken))
	fmt.Fprintf(&b, `listen: {grpc: "127.0.0.1:0", http: "127.0.0.1:0", plaintext: loopback-only}
metrics: {address: none}
relying_parties:
  - {name: kyc, uses: [private-identity-verification], bearer_token_sha256: [%s], rate: {per_second: 100000}}
anchors:
  set: sandbox
  policies: {MOBILE_AUTH: ["%s"], MOBILE_SIGN: ["%s"]}
  files:
`, hex.EncodeToString(sum[:]), sandbox.PolicyMobileAuth, sandbox.PolicyMobileSign)
	for i, a := range j.Anchors() {
		path := filepath.Join(dir, fmt.Sprintf("anchor%d.cer", i))
		if err := os.WriteFile(path, a.DER, 0o600); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "    - {file: %q, ca: %s}\n", path, a.Authority)
	}
	fmt.Fprintf(&b, "revocation:\n  state_dir: %q\n  retry_min: 50ms\n  sources:\n", filepath.Join(dir, "state"))
	for _, l := range j.Sources().Lists {
		fmt.Fprintf(&b, "    - {name: %s-g%d-%s, url: %q, period: 1s}\n", l.Authority, l.Generation, l.Municipality, l.URL)
	}
	j.config = filepath.Join(dir, "tashikad.yaml")
	if err := os.WriteFile(j.config, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return j
}

// daemon is one life of tashikad.
type daemon struct {
	cmd  *exec.Cmd
	conn *grpc.ClientConn
}

// startDaemon starts it and reads from its log where it serves.
func startDaemon(t *testing.T, config string) *daemon {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-config", config)
	cmd.Env = append(os.Environ(), asDaemon+"=1")
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	d := &daemon{cmd: cmd}
	address := make(chan string, 1)
	go func() {
		defer close(address)
		lines := bufio.NewScanner(stderr)
		for lines.Scan() {
			var line struct{ Msg, GRPC string }
			if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "serving" {
				address <- line.GRPC
			}
		}
	}()
	at, ok := <-address
	if !ok {
		t.Fatal("the daemon ended before it served")
	}
	if d.conn, err = grpc.NewClient(at, grpc.WithTransportCredentials(insecure.NewCredentials())); err != nil {
		t.Fatal(err)
	}
	return d
}

// kill is kill -9.
func (d *daemon) kill() {
	_ = d.cmd.Process.Kill()
	_ = d.cmd.Wait()
}

// ready waits until the daemon says SERVING.
func (d *daemon) ready(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	watch, err := healthv1.NewHealthClient(d.conn).Watch(ctx, &healthv1.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for {
		r, err := watch.Recv()
		if err != nil {
			t.Fatal("not ready: ", err)
		}
		if r.GetStatus() == healthv1.HealthCheckResponse_SERVING {
			return
		}
	}
}

// TestKilledInTheMiddleOfAVerify kills the daemon with -9 under load, again and again, every other time with J-LIS out
// of reach when it starts again. No answer before or after is wrong, and the last good lists serve.
func TestKilledInTheMiddleOfAVerify(t *testing.T) {
	j := newJLIS(t)
	type holder struct {
		request *tashikav1.VerifyRequest
		want    tashikav1.Verdict
		number  string // of the list, when last seen
	}
	holders := make([]*holder, 6)
	for i := range holders {
		p, err := j.Issue(sandbox.HolderN(i), sandbox.IssueOptions{})
		if err != nil {
			t.Fatal(err)
		}
		content := []byte("content of a transaction")
		signature, err := p.SignContent(sandbox.DefaultPassword, sandbox.DefaultAlgorithm, content)
		if err != nil {
			t.Fatal(err)
		}
		holders[i] = &holder{want: tashikav1.Verdict_VERDICT_VALID, request: &tashikav1.VerifyRequest{
			Use: tashikav1.Use_USE_PRIVATE_IDENTITY_VERIFICATION, Certificate: p.Certificate(sandbox.Sign).DER, Signature: signature,
			SignatureAlgorithm: tashikav1.SignatureAlgorithm_SIGNATURE_ALGORITHM_RSASSA_PKCS1_V15_SHA256,
			Signed:             &tashikav1.VerifyRequest_Content{Content: content}, RevocationMethod: tashikav1.RevocationMethod_REVOCATION_METHOD_CRL,
		}}
		if i%3 == 1 {
			err = j.Revoke(p, sandbox.DefaultPassword)
		} else if i%3 == 2 {
			err = j.ReportLost(p)
		}
		if err != nil {
			t.Fatal(err)
		}
		if i%3 != 0 {
			holders[i].want = tashikav1.Verdict_VERDICT_INVALID
		}
	}
	ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+testToken)
	ask := func(d *daemon, h *holder) error {
		limited, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		r, err := tashikav1.NewVerificationServiceClient(d.conn).Verify(limited, h.request)
		if err != nil {
			return err
		}
		if r.GetVerdict() != h.want {
			t.Errorf("%s %v, want %s", r.GetVerdict(), r.GetReasons(), h.want)
		}
		if number := r.GetStatus().GetCrlNumber(); len(number) < len(h.number) || len(number) == len(h.number) && number < h.number {
			t.Errorf("list number %s after %s: an older list serves", number, h.number)
		} else {
			h.number = number
		}
		return nil
	}
	answers, killed := 0, 0
	for round := range 12 {
		j.down.Store(round%2 == 1)
		d := startDaemon(t, j.config)
		d.ready(t)
		for _, h := range holders { // before any trouble of this life
			if err := ask(d, h); err != nil {
				t.Fatal(err)
			}
		}
		if round%2 == 0 {
			j.PublishCRLs() // so that fetches and swaps are under way too
		}
		var mu sync.Mutex
		var load sync.WaitGroup
		for _, h := range holders {
			load.Go(func() {
				for range 100_000 {
					err := ask(d, h)
					mu.Lock()
					if answers++; err != nil {
						if killed++; status.Code(err) != codes.Unavailable {
							t.Errorf("cut off with %v", err)
						}
						mu.Unlock()
						return
					}
					mu.Unlock()
				}
			})
		}
		time.Sleep(time.Duration(20+rand.IntN(200)) * time.Millisecond) // the moment of the kill is what is varied
		d.kill()
		load.Wait()
		d.conn.Close()
	}
	if killed == 0 || answers < 100 {
		t.Errorf("%d answers, %d cut off: nothing was in flight", answers, killed)
	}
	t.Logf("%d answers, %d cut off by kill -9 in 12 lives", answers, killed)
}

// TestCheck: -check says what is wrong without starting, and the exit status tells.
func TestCheck(t *testing.T) {
	j := newJLIS(t)
	good, err := os.ReadFile(j.config)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change [2]string
		code   int
		say    string
	}{
		"good":               {[2]string{"", ""}, 0, "is right"},
		"unknown field":      {[2]string{"metrics:", "metricks: {}\nmetrics:"}, 1, "metricks"},
		"plaintext anywhere": {[2]string{`grpc: "127.0.0.1:0"`, `grpc: "0.0.0.0:0"`}, 1, "loopback"},
		"missing anchor":     {[2]string{"anchor0.cer", "nowhere.cer"}, 1, "nowhere.cer"},
		"no mobile policy":   {[2]string{"MOBILE_AUTH", "CARD_AUTH"}, 1, "MOBILE_AUTH"},
		"production":         {[2]string{"set: sandbox", "set: production"}, 1, "pinned"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(filepath.Dir(j.config), "check.yaml")
			if err := os.WriteFile(path, []byte(strings.Replace(string(good), c.change[0], c.change[1], 1)), 0o600); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(os.Args[0], "-config", path, "-check")
			cmd.Env = append(os.Environ(), asDaemon+"=1")
			out, _ := cmd.CombinedOutput()
			if code := cmd.ProcessState.ExitCode(); code != c.code || !strings.Contains(string(out), c.say) {
				t.Errorf("exit status %d: %s", code, out)
			}
		})
	}
}
