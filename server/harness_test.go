package server

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tashika-jp/tashika/certs/anchors"
	"github.com/tashika-jp/tashika/certs/profile"
	"github.com/tashika-jp/tashika/certs/sandbox"
	tashikav1 "github.com/tashika-jp/tashika/proto/tashika/v1"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// The tokens of the tests' relying parties.
const (
	kioskToken = "kiosk-token-0123456789-0123456789-0123456789"
	kycToken   = "kyc-token-0123456789-0123456789-0123456789-xx"
	allToken   = "all-token-0123456789-0123456789-0123456789-xx"
)

func hashOf(token string) []string {
	sum := sha256.Sum256([]byte(token))
	return []string{hex.EncodeToString(sum[:])}
}

// world is one pretend J-LIS for all tests, behind a listener of its own.
var world = sync.OnceValue(func() *sandbox.World {
	w, err := sandbox.New(sandbox.Config{Keys: sandbox.NewKeyPool(sandbox.KeyPoolConfig{Ahead: 4})})
	if err != nil {
		panic(err)
	}
	s := httptest.NewServer(w.Handler()) // lives as long as the test binary
	if err := w.SetPublicURL(s.URL); err != nil {
		panic(err)
	}
	return w
})

var people struct {
	sync.Mutex
	n int
}

func newPhone(t testing.TB) *sandbox.Phone {
	t.Helper()
	people.Lock()
	people.n++
	holder := sandbox.HolderN(people.n)
	people.Unlock()
	p, err := world().Issue(holder, sandbox.IssueOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// testConfig is a server on the world: plaintext on loopback, free ports.
func testConfig() Config {
	w := world()
	c := Config{
		Listen: Listen{GRPC: "127.0.0.1:0", HTTP: "127.0.0.1:0", Plaintext: loopbackOnly},
		RelyingParties: []RelyingParty{
			{Name: "kiosk", Uses: []profile.Use{profile.ConvenienceStoreIssuance}, BearerTokenSHA256: hashOf(kioskToken), Rate: Rate{PerSecond: 1e5}},
			{Name: "kyc", Uses: []profile.Use{profile.PrivateIdentityVerification}, BearerTokenSHA256: hashOf(kycToken), Rate: Rate{PerSecond: 1e5}},
			{Name: "all", Uses: profile.Uses, BearerTokenSHA256: hashOf(allToken), Rate: Rate{PerSecond: 1e5}},
		},
		Anchors: Anchors{Set: "sandbox", Policies: map[string][]string{"MOBILE_AUTH": {sandbox.PolicyMobileAuth}, "MOBILE_SIGN": {sandbox.PolicyMobileSign}}},
		Metrics: Metrics{Address: "127.0.0.1:0"},
	}
	for _, a := range w.Anchors() {
		ca := anchors.Auth
		if a.Authority == sandbox.Sign {
			ca = anchors.Sign
		}
		c.AnchorSources = append(c.AnchorSources, anchors.Source{DER: a.DER, CA: ca})
	}
	for _, list := range w.Sources().Lists {
		c.Revocation.Sources = append(c.Revocation.Sources, ListSource{Name: strings.NewReplacer("/", "-").Replace(strings.Trim(list.Path(), "/")),
			URL: list.URL, IssuerKeyID: hex.EncodeToString(list.KeyID)})
	}
	return c
}

// journal keeps what was logged.
type journal struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.String()
}

// running is a server that serves.
type running struct {
	*Server
	t    testing.TB
	log  *journal
	conn *grpc.ClientConn
	stop context.CancelFunc
	done chan struct{} // closed when Run has returned
	err  error         // of Run
	base string        // of HTTP
	http *http.Client
}

// start serves a configuration until the test ends. change may be nil.
func start(t testing.TB, change func(*Config)) *running {
	t.Helper()
	c, log := testConfig(), &journal{}
	c.Logger = slog.New(newLines(log, slog.LevelDebug))
	if change != nil {
		change(&c)
	}
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return serve(t, s, log)
}

func serve(t testing.TB, s *Server, log *journal) *running {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	r := &running{Server: s, t: t, log: log, stop: stop, done: make(chan struct{}), base: "http://" + s.HTTPAddr(),
		http: &http.Client{Transport: &http.Transport{ExpectContinueTimeout: 20 * time.Second}, Timeout: 30 * time.Second}}
	go func() {
		r.err = s.Run(ctx)
		close(r.done)
	}()
	t.Cleanup(func() {
		stop()
		<-r.done
		if r.err != nil {
			t.Errorf("Run: %v", r.err)
		}
	})
	if s.state.Load().tls == nil {
		conn, err := grpc.NewClient(s.GRPCAddr(), grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithDefaultCallOptions(grpc.MaxCallSendMsgSize(64<<20)))
		if err != nil {
			t.Fatal(err)
		}
		r.conn = conn
		t.Cleanup(func() { conn.Close() })
	}
	return r
}

// refreshed starts a server whose lists are all there.
func refreshed(t testing.TB, change func(*Config)) *running {
	t.Helper()
	r := start(t, change)
	if err := r.Refresh(context.Background()); err != nil {
		t.Fatal(err)
	}
	return r
}

func as(token string, more ...string) context.Context {
	pairs := more
	if token != "" {
		pairs = append(pairs, "authorization", "Bearer "+token)
	}
	return metadata.NewOutgoingContext(context.Background(), metadata.Pairs(pairs...))
}

// answer is what came back over HTTP.
type answer struct {
	code   int
	header http.Header
	body   []byte
}

// do makes an HTTP request; header is name, value, name, value.
func (r *running) do(method, path, token string, body io.Reader, header ...string) answer {
	r.t.Helper()
	request, err := http.NewRequest(method, r.base+path, body)
	if err != nil {
		r.t.Fatal(err)
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	response, err := r.http.Do(request)
	if err != nil {
		r.t.Fatal(err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return answer{response.StatusCode, response.Header, data}
}

func (r *running) post(path, token, body string, header ...string) answer {
	r.t.Helper()
	return r.do(http.MethodPost, path, token, strings.NewReader(body), header...)
}

// failure is the reason of the ErrorInfo in an HTTP answer.
func (a answer) failure() string {
	var s struct {
		Details []map[string]any `json:"details"`
	}
	if json.Unmarshal(a.body, &s) != nil {
		return "not a google.rpc.Status: " + string(a.body)
	}
	for _, d := range s.Details {
		if d["@type"] == "type.googleapis.com/google.rpc.ErrorInfo" && d["domain"] == Domain {
			return d["reason"].(string)
		}
	}
	return ""
}

// reasonOf is the reason of the ErrorInfo in an error of gRPC.
func reasonOf(err error) failure {
	if info := infoOf(status.Convert(err)); info != nil && info.GetDomain() == Domain {
		return failure(info.GetReason())
	}
	return ""
}

func detailOf[T proto.Message](err error) (out T) {
	for _, d := range status.Convert(err).Details() {
		if found, ok := d.(T); ok {
			return found
		}
	}
	return out
}

// retryOf is when an error says to come back; 0 if it does not.
func retryOf(err error) time.Duration {
	return detailOf[*errdetails.RetryInfo](err).GetRetryDelay().AsDuration()
}

// want fails unless an error is of a failure, with the code that the table has for it.
func want(t testing.TB, what string, err error, f failure, field string) {
	t.Helper()
	if status.Code(err) != failures[f].code || reasonOf(err) != f {
		t.Errorf("%s: %v (%s), want %s", what, err, reasonOf(err), f)
		return
	}
	if status.Code(err) == codes.OK || field == "" {
		return
	}
	for _, v := range detailOf[*errdetails.BadRequest](err).GetFieldViolations() {
		if v.GetField() == field {
			return
		}
	}
	t.Errorf("%s: field %s is not named: %v", what, field, status.Convert(err).Details())
}

func (r *running) verification() tashikav1.VerificationServiceClient {
	return tashikav1.NewVerificationServiceClient(r.conn)
}

// kioskRequest is a good request of the kiosk.
func (r *running) kioskRequest(p *sandbox.Phone) *tashikav1.VerifyRequest {
	r.t.Helper()
	c, err := r.verification().CreateChallenge(as(kioskToken), &tashikav1.CreateChallengeRequest{Use: tashikav1.Use_USE_CONVENIENCE_STORE_ISSUANCE})
	if err != nil {
		r.t.Fatal(err)
	}
	signature, err := p.SignChallenge(sandbox.DefaultPIN, sandbox.DefaultAlgorithm, c.GetChallenge())
	if err != nil {
		r.t.Fatal(err)
	}
	return &tashikav1.VerifyRequest{
		Use: tashikav1.Use_USE_CONVENIENCE_STORE_ISSUANCE, Certificate: p.Certificate(sandbox.Auth).DER, Signature: signature,
		SignatureAlgorithm: tashikav1.SignatureAlgorithm_SIGNATURE_ALGORITHM_RSASSA_PKCS1_V15_SHA256,
		Signed:             &tashikav1.VerifyRequest_Challenge{Challenge: c.GetChallenge()},
	}
}

// kycRequest is a good request of the party that verifies identities.
func (r *running) kycRequest(p *sandbox.Phone) *tashikav1.VerifyRequest {
	r.t.Helper()
	content := []byte("a transaction that means something")
	signature, err := p.SignContent(sandbox.DefaultPassword, sandbox.DefaultAlgorithm, content)
	if err != nil {
		r.t.Fatal(err)
	}
	return &tashikav1.VerifyRequest{
		Use: tashikav1.Use_USE_PRIVATE_IDENTITY_VERIFICATION, Certificate: p.Certificate(sandbox.Sign).DER, Signature: signature,
		SignatureAlgorithm: tashikav1.SignatureAlgorithm_SIGNATURE_ALGORITHM_RSASSA_PKCS1_V15_SHA256,
		Signed:             &tashikav1.VerifyRequest_Content{Content: content},
		RevocationMethod:   tashikav1.RevocationMethod_REVOCATION_METHOD_CRL,
	}
}
