package server

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tashika-jp/tashika/certs/anchors"
	"github.com/tashika-jp/tashika/certs/sandbox"
	tashikav1 "github.com/tashika-jp/tashika/proto/tashika/v1"
)

// nation is a pretend J-LIS of a test's own, with as many partitions as it likes, and its people.
type nation struct {
	*sandbox.World
	citizens []*citizen
	down     atomic.Bool  // J-LIS cuts every connection
	busy     atomic.Int64 // lists being served
	busiest  atomic.Int64
	whole    atomic.Int64 // lists sent
	same     atomic.Int64 // lists that were as they had been
	turn     chan bool    // somebody's turn at a counter, each time that a few lists were fetched
}

func newNation(t *testing.T, c sandbox.Config) *nation {
	t.Helper()
	c.Keys = sandbox.NewKeyPool(sandbox.KeyPoolConfig{Ahead: 4})
	w, err := sandbox.New(c)
	if err != nil {
		t.Fatal(err)
	}
	n := &nation{World: w, turn: make(chan bool, 1)}
	handler := w.Handler()
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if n.down.Load() {
			panic(http.ErrAbortHandler)
		}
		if !strings.HasPrefix(r.URL.Path, "/crl/") {
			handler.ServeHTTP(rw, r)
			return
		}
		now := n.busy.Add(1)
		defer n.busy.Add(-1)
		for was := n.busiest.Load(); now > was && !n.busiest.CompareAndSwap(was, now); was = n.busiest.Load() {
		}
		seen := &counted{ResponseWriter: rw}
		handler.ServeHTTP(seen, r)
		if seen.code == http.StatusNotModified {
			n.same.Add(1)
		} else {
			n.whole.Add(1)
		}
		if (n.whole.Load()+n.same.Load())%4 == 0 {
			select {
			case n.turn <- true:
			default:
			}
		}
	}))
	t.Cleanup(s.Close)
	if err := w.SetPublicURL(s.URL); err != nil {
		t.Fatal(err)
	}
	return n
}

// counted remembers the status.
type counted struct {
	http.ResponseWriter
	code int
}

func (c *counted) WriteHeader(code int) {
	c.code = code
	c.ResponseWriter.WriteHeader(code)
}

// Unwrap is for http.ResponseController.
func (c *counted) Unwrap() http.ResponseWriter { return c.ResponseWriter }

// lists are those of the key that issues now.
func (n *nation) lists() []sandbox.ListSource {
	return slices.DeleteFunc(n.Sources().Lists, func(l sandbox.ListSource) bool { return l.Generation != sandbox.Generations })
}

// config leads a server to the nation's lists, and to nothing else.
func (n *nation) config(c *Config) {
	c.AnchorSources, c.Revocation.Sources = nil, nil
	for _, a := range n.Anchors() {
		ca := anchors.Auth
		if a.Authority == sandbox.Sign {
			ca = anchors.Sign
		}
		c.AnchorSources = append(c.AnchorSources, anchors.Source{DER: a.DER, CA: ca})
	}
	for _, l := range n.lists() {
		c.Revocation.Sources = append(c.Revocation.Sources, ListSource{
			Name: l.Name(), URL: l.URL, Partition: l.Partition, IssuerKeyID: hex.EncodeToString(l.KeyID), Period: 24 * time.Hour,
		})
	}
}

// manifest writes the table of the nation's lists.
func (n *nation) manifest(t *testing.T) string {
	t.Helper()
	file, err := os.Create(filepath.Join(t.TempDir(), "lists.csv"))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(sandbox.WriteManifest(file, n.lists()), file.Close()); err != nil {
		t.Fatal(err)
	}
	return file.Name()
}

// citizen is a phone whose certificate for user authentication is asked about again and again.
type citizen struct {
	phone *sandbox.Phone
	auth  sandbox.Certificate

	mu      sync.Mutex
	allowed [][]tashikav1.Verdict // guarded by mu: what may be answered, in the order of time
	number  string                // guarded by mu: of the list that was answered by last
}

// settle in municipalities spread over the country.
func (n *nation) settle(t *testing.T, people int) {
	t.Helper()
	all := n.Municipalities()
	for i := range people {
		// P-256, because most of the test would else be phones signing.
		p, err := n.Issue(sandbox.HolderN(i), sandbox.IssueOptions{Municipality: all[i*len(all)/people].Code, Key: sandbox.P256})
		if err != nil {
			t.Fatal(err)
		}
		n.citizens = append(n.citizens, &citizen{phone: p, auth: p.Certificate(sandbox.Auth), allowed: [][]tashikav1.Verdict{{good}}})
	}
}

const (
	good = tashikav1.Verdict_VERDICT_VALID
	bad  = tashikav1.Verdict_VERDICT_INVALID
)

// may says what may be answered from now on.
func (c *citizen) may(verdicts ...tashikav1.Verdict) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.allowed = append(c.allowed, verdicts)
}

// ask verifies the citizen at a counter. Right is any verdict that was allowed between question and answer; the list never
// goes backwards. The status comes from lists alone, so that OCSP hides nothing.
func (c *citizen) ask(r *running) (*tashikav1.VerifyResponse, error) {
	v := r.verification()
	challenge, err := v.CreateChallenge(as(kioskToken), &tashikav1.CreateChallengeRequest{Use: tashikav1.Use_USE_CONVENIENCE_STORE_ISSUANCE})
	if err != nil {
		return nil, err
	}
	signature, err := c.phone.SignChallenge(sandbox.DefaultPIN, sandbox.DefaultAlgorithm, challenge.GetChallenge())
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	before, number := len(c.allowed)-1, c.number
	c.mu.Unlock()
	answer, err := v.Verify(as(kioskToken), &tashikav1.VerifyRequest{
		Use: tashikav1.Use_USE_CONVENIENCE_STORE_ISSUANCE, Certificate: c.auth.DER, Signature: signature,
		SignatureAlgorithm: tashikav1.SignatureAlgorithm_SIGNATURE_ALGORITHM_ECDSA_SHA256,
		Signed:             &tashikav1.VerifyRequest_Challenge{Challenge: challenge.GetChallenge()},
		RevocationMethod:   tashikav1.RevocationMethod_REVOCATION_METHOD_CRL,
	})
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !slices.ContainsFunc(c.allowed[before:], func(verdicts []tashikav1.Verdict) bool { return slices.Contains(verdicts, answer.GetVerdict()) }) {
		return nil, fmt.Errorf("%v %v, but allowed is %v", answer.GetVerdict(), answer.GetReasons(), c.allowed[before:])
	}
	got := answer.GetStatus().GetCrlNumber()
	if older(got, number) {
		return nil, fmt.Errorf("list %s after %s", got, number)
	}
	if older(c.number, got) {
		c.number = got
	}
	return answer, nil
}

// older compares CRL numbers in decimal.
func older(a, b string) bool { return len(a) < len(b) || len(a) == len(b) && a < b }

// keepAsking verifies one citizen after the other while lists come; stop ends it and returns how many answers there were.
func (n *nation) keepAsking(t *testing.T, r *running) (stop func() int) {
	done, answers := make(chan bool), make(chan int)
	for i := range 2 {
		go func() {
			count := 0
			defer func() { answers <- count }()
			for at := i; ; at++ {
				select {
				case <-done:
					return
				case <-n.turn:
				}
				if _, err := n.citizens[at%len(n.citizens)].ask(r); err != nil {
					t.Errorf("citizen %d: %v", at%len(n.citizens), err)
					return
				}
				count++
			}
		}()
	}
	return func() int {
		close(done)
		return <-answers + <-answers
	}
}

// change lets something happen to citizens, fetches, and asks everybody. event returns what is right after the fetch, the zero for
// whom nothing happened.
func (n *nation) change(t *testing.T, r *running, what string, event func(int, *citizen) (tashikav1.Verdict, error)) {
	t.Helper()
	after := make([]tashikav1.Verdict, len(n.citizens))
	for i, c := range n.citizens {
		c.mu.Lock() // an answer that comes meanwhile is judged when it is known what happened
		var err error
		if after[i], err = event(i, c); after[i] != 0 {
			c.allowed = append(c.allowed, []tashikav1.Verdict{good, bad})
		}
		c.mu.Unlock()
		if err != nil {
			t.Fatalf("%s, citizen %d: %v", what, i, err)
		}
	}
	if err := r.Refresh(context.Background()); err != nil {
		t.Errorf("%s: %.500v", what, err)
	}
	for i, c := range n.citizens {
		if after[i] != 0 {
			c.may(after[i])
		}
	}
	n.everybody(t, r, what)
}

func (n *nation) everybody(t *testing.T, r *running, when string) {
	t.Helper()
	for i, c := range n.citizens {
		if _, err := c.ask(r); err != nil {
			t.Errorf("%s, citizen %d: %v", when, i, err)
		}
	}
}

// sources are all of ListSources, by name.
func (r *running) sources() map[string]*tashikav1.RevocationSource {
	r.t.Helper()
	all := map[string]*tashikav1.RevocationSource{}
	request := &tashikav1.ListSourcesRequest{PageSize: 1000}
	for {
		page, err := tashikav1.NewRevocationServiceClient(r.conn).ListSources(as(kioskToken), request)
		if err != nil {
			r.t.Fatal(err)
		}
		for _, s := range page.GetSources() {
			all[s.GetName()] = s
		}
		if request.PageToken = page.GetNextPageToken(); request.PageToken == "" {
			return all
		}
	}
}

// TestNation: the lists of the whole country are fetched, replaced and fetched again while counters verify. What
// happened to a phone is known after the next fetch, what did not happen is never said, and nobody is UNKNOWN.
func TestNation(t *testing.T) {
	partitions, people := sandbox.NationalPartitions, 40
	if testing.Short() || underRace {
		partitions, people = 100, 10
	}
	n := newNation(t, sandbox.Config{Partitions: partitions, Revoked: 200})
	n.settle(t, people)
	lists := int64(len(n.lists()))
	state, manifest := t.TempDir(), n.manifest(t)
	config := func(c *Config) {
		n.config(c)
		c.Revocation.Sources = []ListSource{{Name: "nation", Manifest: manifest, Period: 24 * time.Hour}}
		c.Revocation.StateDir = state
	}
	r := start(t, config)
	began := time.Now()
	if err := r.Refresh(context.Background()); err != nil {
		t.Fatalf("%.500v", err)
	}
	first := time.Since(began)
	if !r.Ready() || n.whole.Load() != lists {
		t.Fatalf("ready %v after %d lists of %d", r.Ready(), n.whole.Load(), lists)
	}
	entries := int64(0)
	for name, s := range r.sources() {
		if strings.HasPrefix(name, "nation/") {
			entries += s.GetEntries()
		}
		if s.GetState() != tashikav1.RevocationSource_STATE_FRESH || s.GetLastFailure() != "" {
			t.Errorf("%s: %v", name, s)
		}
	}
	if entries != 201*lists { // 200, and one of the few neighbours
		t.Errorf("%d entries in %d lists", entries, lists)
	}

	stop := n.keepAsking(t, r)
	lost := 0
	n.change(t, r, "some reported lost", func(i int, c *citizen) (tashikav1.Verdict, error) {
		if i%3 != 0 {
			return 0, nil
		}
		lost++
		return bad, n.ReportLost(c.phone)
	})
	if changed := n.whole.Load() - lists; changed != 2*int64(lost) {
		t.Errorf("%d lists sent after something happened to %d people, who are on two each", changed, lost)
	}
	// The daily run: every list is new, and some say more than the day before, some less.
	n.PublishCRLs()
	n.change(t, r, "found, revoked or a new phone", func(i int, c *citizen) (tashikav1.Verdict, error) {
		switch i % 3 {
		case 0:
			return good, n.LiftStop(c.phone)
		case 1:
			return bad, n.Revoke(c.phone, sandbox.DefaultPassword)
		}
		_, err := n.ChangeDevice(c.phone, sandbox.IssueOptions{})
		return bad, err
	})
	answers := stop()
	if answers < len(n.citizens) {
		t.Errorf("%d answers while lists came", answers)
	}
	if busiest := n.busiest.Load(); busiest > 4 {
		t.Errorf("%d fetches at once to one host", busiest)
	}

	// The next life begins with what is on disk, and J-LIS out of reach.
	r.stop()
	<-r.done
	n.down.Store(true)
	began = time.Now()
	again := start(t, config)
	opened := time.Since(began)
	if !again.Ready() {
		t.Error("not ready from the state directory")
	}
	n.everybody(t, again, "after a restart without network")
	t.Logf("%d lists, %d entries: first fetched in %.1f s, opened again in %.1f s; %d lists sent, %d as they were, at most %d at once; %d answers meanwhile",
		lists, entries, first.Seconds(), opened.Seconds(), n.whole.Load(), n.same.Load(), n.busiest.Load(), answers)
}
