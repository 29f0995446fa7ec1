package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/tashika-jp/tashika/certs/sandbox"
	tashikav1 "github.com/tashika-jp/tashika/proto/tashika/v1"
	"github.com/tashika-jp/tashika/server"
	"google.golang.org/grpc"
)

// world is the pretend J-LIS with its phones, in this process, and the configuration that leads the server to it.
type world struct {
	world      *sandbox.World
	phones     []*sandbox.Phone
	jlis       *http.Server
	configFile string
	token      string
}

// keysShared is the number of different keys among the phones: making one takes longer than a hundred
// verifications. The certificates all differ.
const keysShared = 64

// newWorld makes a world of phones, every tenth of them revoked, and writes the server's configuration.
func newWorld(dir string, phones int) (*world, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	w := &world{jlis: &http.Server{ReadHeaderTimeout: 10 * time.Second}}
	w.world, err = sandbox.New(sandbox.Config{
		PublicURL: "http://" + listener.Addr().String(),
		Keys:      sandbox.NewKeyPool(sandbox.KeyPoolConfig{Reuse: keysShared}),
	})
	if err != nil {
		return nil, err
	}
	for i := range phones {
		p, err := w.world.Issue(sandbox.HolderN(i), sandbox.IssueOptions{})
		if err != nil {
			return nil, err
		}
		if i%10 == 0 {
			if err := w.world.Revoke(p, sandbox.DefaultPassword); err != nil {
				return nil, err
			}
		}
		w.phones = append(w.phones, p)
	}
	w.jlis.Handler = w.world.Handler()
	go w.jlis.Serve(listener)
	return w, w.writeConfig(dir)
}

func (w *world) close() { w.jlis.Close() }

// writeConfig writes the server's configuration for the world.
func (w *world) writeConfig(dir string) error {
	var b strings.Builder
	for _, l := range w.world.Sources().Lists {
		fmt.Fprintf(&b, "    - {name: %s-g%d-%s, url: %q}\n", l.Authority, l.Generation, l.Municipality, l.URL)
	}
	var err error
	w.configFile, w.token, err = writeConfig(dir, w.world.Anchors(), "", b.String())
	return err
}

// writeConfig writes a configuration as an operator would, and returns its name and the token of the relying party. The sources are
// lines of YAML.
func writeConfig(dir string, authorities []sandbox.Anchor, stateDir, sources string) (path, token string, err error) {
	secret := make([]byte, 32)
	if _, err := rand.Read(secret); err != nil {
		return "", "", err
	}
	token = base64.RawURLEncoding.EncodeToString(secret)
	sum := sha256.Sum256([]byte(token))
	var b strings.Builder
	fmt.Fprintf(&b, `listen: {grpc: "127.0.0.1:0", http: "127.0.0.1:0", plaintext: loopback-only}
metrics: {address: none}
log: {level: WARN}
challenge: {ttl: 30m}
relying_parties:
  - {name: bench, uses: [convenience-store-issuance], bearer_token_sha256: [%s], rate: {per_second: 500000, burst: 1000000}}
anchors:
  set: sandbox
  policies: {MOBILE_AUTH: ["%s"], MOBILE_SIGN: ["%s"]}
  files:
`, hex.EncodeToString(sum[:]), sandbox.PolicyMobileAuth, sandbox.PolicyMobileSign)
	for i, a := range authorities {
		path := filepath.Join(dir, fmt.Sprintf("anchor%d.cer", i))
		if err := os.WriteFile(path, a.DER, 0o600); err != nil {
			return "", "", err
		}
		fmt.Fprintf(&b, "    - {file: %q, ca: %s}\n", path, a.Authority)
	}
	b.WriteString("revocation:\n")
	if stateDir != "" {
		fmt.Fprintf(&b, "  state_dir: %q\n", stateDir)
	}
	b.WriteString("  sources:\n" + sources)
	path = filepath.Join(dir, "tashikad.yaml")
	return path, token, os.WriteFile(path, []byte(b.String()), 0o600)
}

// ready waits until the server has every list.
func (w *world) ready(ctx context.Context, conn *grpc.ClientConn) error {
	client := tashikav1.NewRevocationServiceClient(conn)
	for range 600 {
		r, err := client.ListSources(ctx, &tashikav1.ListSourcesRequest{PageSize: 1000})
		if err != nil {
			return err
		}
		missing := 0
		for _, s := range r.GetSources() {
			if s.GetState() == tashikav1.RevocationSource_STATE_MISSING || s.GetState() == tashikav1.RevocationSource_STATE_STALE {
				missing++
			}
		}
		if missing == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
	return errors.New("the server did not get its lists within 30 s")
}

// question is a request with the verdict that it must get.
type question struct {
	request *tashikav1.VerifyRequest
	want    tashikav1.Verdict
}

// sign gets n challenges and lets the phones answer them, each in its turn.
func (w *world) sign(ctx context.Context, client tashikav1.VerificationServiceClient, n int) ([]question, error) {
	questions := make([]question, n)
	errs := make([]error, runtime.NumCPU())
	var wg sync.WaitGroup
	for part := range errs {
		wg.Go(func() {
			for i := part; i < n && errs[part] == nil; i += len(errs) {
				questions[i], errs[part] = w.ask(ctx, client, i%len(w.phones))
			}
		})
	}
	wg.Wait()
	return questions, errors.Join(errs...)
}

func (w *world) ask(ctx context.Context, client tashikav1.VerificationServiceClient, phone int) (question, error) {
	const use = tashikav1.Use_USE_CONVENIENCE_STORE_ISSUANCE
	c, err := client.CreateChallenge(ctx, &tashikav1.CreateChallengeRequest{Use: use})
	if err != nil {
		return question{}, err
	}
	p := w.phones[phone]
	signature, err := p.SignChallenge(sandbox.DefaultPIN, sandbox.RSAPKCS1SHA256, c.GetChallenge())
	if err != nil {
		return question{}, err
	}
	q := question{want: tashikav1.Verdict_VERDICT_VALID, request: &tashikav1.VerifyRequest{
		Use: use, Certificate: p.Certificate(sandbox.Auth).DER, Signature: signature,
		SignatureAlgorithm: tashikav1.SignatureAlgorithm_SIGNATURE_ALGORITHM_RSASSA_PKCS1_V15_SHA256,
		Signed:             &tashikav1.VerifyRequest_Challenge{Challenge: c.GetChallenge()},
	}}
	if phone%10 == 0 {
		q.want = tashikav1.Verdict_VERDICT_INVALID
	}
	return q, nil
}

// serve is the server under test: the real one, with a configuration file.
func serve(ctx context.Context) error {
	config, err := server.LoadConfig(os.Args[1])
	if err != nil {
		return err
	}
	s, err := server.New(config)
	if err != nil {
		return err
	}
	fmt.Println(s.GRPCAddr())
	return s.Run(ctx)
}
