package revocation

import (
	"bytes"
	"context"
	"crypto"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tashika-jp/tashika/certs"
	"github.com/tashika-jp/tashika/certs/anchors"
	"github.com/tashika-jp/tashika/certs/ocsp"
	"github.com/tashika-jp/tashika/certs/pkix"
	"github.com/tashika-jp/tashika/certs/profile"
	"github.com/tashika-jp/tashika/certs/reason"
	"github.com/tashika-jp/tashika/certs/sandbox"
)

// world is the pretend J-LIS of the OCSP tests, made once: its keys take a while.
var world = sync.OnceValues(func() (*sandbox.World, error) {
	w, err := sandbox.New(sandbox.Config{Clock: func() time.Time { return testNow }})
	if err != nil {
		return nil, err
	}
	server := httptest.NewServer(w.Handler()) // lives as long as the test binary
	return w, w.SetPublicURL(server.URL)
})

// asAProfile is what a profile demands of an answer.
var asAProfile = ocsp.Options{At: testNow, Skew: time.Minute, MaxAge: time.Hour, RequireNonce: true, Allow: allow}

var holders atomic.Int64

// someone is a holder without a phone.
func someone() sandbox.Holder { return sandbox.HolderN(900 + int(holders.Add(1))) }

func ask(l *Living, a *authority, c *pkix.Certificate) (*ocsp.Answer, string, []reason.ID) {
	return l.Ask(context.Background(), certs.Question{Issuer: a.anchor, Certificate: c, Options: asAProfile, Timeout: time.Second})
}

// landed waits until no question is on its way. Who asked may have given up a moment before what came of it is booked.
func landed(t *testing.T, l *Living) {
	t.Helper()
	desk := l.conf.Load().desk
	for range 10_000 {
		desk.mu.Lock()
		n := len(desk.flights)
		desk.mu.Unlock()
		if n == 0 {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatal("a question is still on its way")
}

func sandboxSet(t *testing.T, w *sandbox.World) *anchors.Set {
	t.Helper()
	c := anchors.Config{Set: "sandbox", Policies: map[profile.Kind][]pkix.OID{
		profile.MobileAuth: {pkix.MustOID("2.999.1")}, profile.MobileSign: {pkix.MustOID("2.999.2")},
	}}
	for _, a := range w.Anchors() {
		ca := anchors.Auth
		if a.Authority == sandbox.Sign {
			ca = anchors.Sign
		}
		c.Sources = append(c.Sources, anchors.Source{DER: a.DER, CA: ca})
	}
	set, err := anchors.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// TestSandboxLists: every list of the pretend J-LIS, all under two names, each in its place.
func TestSandboxLists(t *testing.T) {
	w, err := world()
	if err != nil {
		t.Fatal(err)
	}
	set := sandboxSet(t, w)
	config := Config{Anchors: set, Clock: func() time.Time { return testNow }, StateDir: t.TempDir()}
	for _, s := range w.Sources().Lists {
		config.Sources = append(config.Sources, Source{
			Name: fmt.Sprintf("%v-g%d-%s", s.Authority, s.Generation, s.Municipality), URL: s.URL,
			Partition: s.PartitionDER, IssuerKeyID: s.KeyID, Required: true,
		})
	}
	l := start(t, config)
	refresh(t, l)
	if !l.Ready(testNow) || len(l.Sources()) != len(config.Sources) {
		t.Errorf("ready %v with %d sources", l.Ready(testNow), len(l.Sources()))
	}
	for _, generation := range []int{1, 2} {
		phone, err := w.Issue(someone(), sandbox.IssueOptions{Generation: generation})
		if err != nil {
			t.Fatal(err)
		}
		for _, change := range []func() error{
			func() error { return nil }, func() error { return w.ReportLost(phone) }, func() error { return w.LiftStop(phone) },
		} {
			if err := change(); err != nil {
				t.Fatal(err)
			}
			refresh(t, l)
			held := phone.Certificate(sandbox.Auth)
			c, err := pkix.ParseCertificate(held.DER)
			if err != nil {
				t.Fatal(err)
			}
			index, source := l.List(set.ByKeyID(c.Issuer, c.AuthorityKeyID)[0], c)
			if want := fmt.Sprintf("auth-g%d-%s", generation, held.Municipality); index == nil || source != want {
				t.Fatalf("list of %q, want %q", source, want)
			}
			truth, _ := w.Status(sandbox.Auth, held.Serial)
			if _, is, err := index.Lookup(c.SerialNumber); err != nil || is != (truth.Status != sandbox.Good) {
				t.Errorf("on the list: %v, in truth %v", is, truth.Status)
			}
		}
	}
}

func TestAsk(t *testing.T) {
	w, err := world()
	if err != nil {
		t.Fatal(err)
	}
	set := sandboxSet(t, w)
	clock := &hands{at: testNow}
	logs := new(journal)
	config := Config{Anchors: set, Clock: clock.now, Logger: logs.logger()}
	for i, o := range w.Sources().OCSP {
		hash := crypto.SHA1
		if i%2 == 1 {
			hash = crypto.SHA256
		}
		config.Responders = append(config.Responders, Responder{Name: "ocsp-" + o.Authority.String() + string(rune('0'+o.Generation)), URL: o.URL, IssuerKeyID: o.KeyID, Hash: hash})
	}
	l := start(t, config)
	for _, generation := range []int{1, 2} {
		phone, err := w.Issue(someone(), sandbox.IssueOptions{Generation: generation})
		if err != nil {
			t.Fatal(err)
		}
		certificate, err := pkix.ParseCertificate(phone.Certificate(sandbox.Auth).DER)
		if err != nil {
			t.Fatal(err)
		}
		issuer := set.ByKeyID(certificate.Issuer, certificate.AuthorityKeyID)[0]
		name := "ocsp-auth" + string(rune('0'+generation))
		question := certs.Question{Issuer: issuer, Certificate: certificate, Options: asAProfile, Timeout: 2 * time.Second}
		try := func(what string, fault sandbox.OCSPFault, want ocsp.Status, findings ...reason.ID) {
			t.Helper()
			if err := w.SetOCSPFault(fault); err != nil {
				t.Fatal(err)
			}
			defer w.ClearFaults()
			q := question
			if fault.Delay > q.Timeout {
				q.Timeout = 50 * time.Millisecond
			}
			answer, source, found := l.Ask(context.Background(), q)
			landed(t, l)
			if source != name || len(findings) == 0 && (answer == nil || len(found) > 0 || answer.Status != want) ||
				len(findings) > 0 && (answer != nil || !slices.Contains(findings, found[0])) {
				t.Errorf("%s: %+v from %s with %v", what, answer, source, found)
			}
			s := sourceState(t, l, name)
			if len(findings) > 0 && (s.Failure == "" || s.LastFailure != testNow) || s.State != OnDemand || s.Method != profile.OCSP {
				t.Errorf("%s: %+v", what, s)
			}
		}
		try("good", sandbox.OCSPFault{}, ocsp.Good)
		try("slow, within the timeout", sandbox.OCSPFault{Delay: 20 * time.Millisecond}, ocsp.Good)
		try("slow", sandbox.OCSPFault{Delay: time.Minute}, 0, reason.OCSPUnavailable)
		try("down", sandbox.OCSPFault{Kind: sandbox.OCSPUnavailable}, 0, reason.OCSPUnavailable)
		try("dropped", sandbox.OCSPFault{Kind: sandbox.OCSPDropped}, 0, reason.OCSPUnavailable)
		try("rubbish", sandbox.OCSPFault{Kind: sandbox.OCSPRubbish}, 0, reason.OCSPFormatFailure)
		try("wrong nonce", sandbox.OCSPFault{Kind: sandbox.OCSPWrongNonce}, 0, reason.OCSPNonceMismatch)
		if err := w.Revoke(phone, sandbox.DefaultPassword); err != nil {
			t.Fatal(err)
		}
		try("revoked", sandbox.OCSPFault{}, ocsp.Revoked)

		gone, cancel := context.WithCancel(context.Background())
		cancel()
		before := sourceState(t, l, name)
		if answer, _, found := l.Ask(gone, question); answer != nil || !slices.Equal(found, []reason.ID{reason.OCSPUnavailable}) {
			t.Errorf("asked by nobody: %+v, %v", answer, found)
		}
		if after := sourceState(t, l, name); after != before {
			t.Errorf("a caller that went away counts: %+v", after)
		}
		// Without a responder, and with the certificate's own address only where that is allowed.
		for allowed, want := range map[bool]string{false: "", true: aiaName} {
			bare := config
			bare.Responders, bare.AllowAIA = nil, allowed
			answer, source, found := start(t, bare).Ask(context.Background(), certs.Question{Issuer: issuer, Certificate: certificate, Options: asAProfile})
			if source != want || allowed && (answer == nil || answer.Status != ocsp.Revoked) ||
				!allowed && (answer != nil || !slices.Equal(found, []reason.ID{reason.OCSPNoResponder})) {
				t.Errorf("AIA allowed %v: %+v from %q with %v", allowed, answer, source, found)
			}
		}
	}
	if n := bytes.Count([]byte(logs.String()), []byte("\n")); n > 30 {
		t.Errorf("%d log lines: more than one a change", n)
	}
}

// TestAskBadServers: what is no answer at all.
func TestAskBadServers(t *testing.T) {
	a := newAuthority(t)
	s := newSite()
	base := serveOn(t, s)
	l := start(t, Config{Anchors: setOf(t, a), Responders: []Responder{{Name: "r", URL: base + "/", IssuerKeyID: a.cert.SubjectKeyId}}})
	c := a.certificate(t, 10, nil)
	for _, test := range []struct {
		name string
		page func(http.ResponseWriter, *http.Request)
		want reason.ID
	}{
		{"huge", func(w http.ResponseWriter, r *http.Request) { w.Write(make([]byte, 1<<20)) }, reason.OCSPFormatFailure},
		{"huge in pieces", func(w http.ResponseWriter, r *http.Request) {
			for range 100 {
				w.Write(make([]byte, 4096))
				w.(http.Flusher).Flush()
			}
		}, reason.OCSPFormatFailure},
		{"page", func(w http.ResponseWriter, r *http.Request) { w.Write([]byte("<html>please log in")) }, reason.OCSPFormatFailure},
		{"empty", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/ocsp-response")
		}, reason.OCSPFormatFailure},
		{"redirect", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		}, reason.OCSPUnavailable},
		{"not found", http.NotFound, reason.OCSPUnavailable},
	} {
		s.page("/", test.page)
		s.page("/elsewhere", func(http.ResponseWriter, *http.Request) { t.Error("followed a redirect") })
		answer, source, found := ask(l, a, c)
		if answer != nil || source != "r" || !slices.Equal(found, []reason.ID{test.want}) {
			t.Errorf("%s: %+v from %q with %v, want %v", test.name, answer, source, found, test.want)
		}
	}
	if r := s.requests[0]; r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/ocsp-request" || r.URL.Path != "/" {
		t.Errorf("request %+v", r)
	}
}
