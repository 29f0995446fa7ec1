package certs_test

import (
	"bytes"
	"context"
	"crypto"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tashika-jp/tashika/certs"
	"github.com/tashika-jp/tashika/certs/anchors"
	"github.com/tashika-jp/tashika/certs/crl"
	"github.com/tashika-jp/tashika/certs/ocsp"
	"github.com/tashika-jp/tashika/certs/pkix"
	"github.com/tashika-jp/tashika/certs/profile"
	"github.com/tashika-jp/tashika/certs/reason"
	"github.com/tashika-jp/tashika/certs/sandbox"
	"github.com/tashika-jp/tashika/certs/signature"
)

// world is the pretend J-LIS of a test, with a verifier that fetches from it directly: no
// network, no cache.
type world struct {
	*sandbox.World
	t       testing.TB
	mu      sync.Mutex
	now     time.Time
	set     *anchors.Set
	holders int
	asked   int             // times that OCSP was asked
	lists   map[string]bool // paths that are served as missing
}

func newWorld(t testing.TB) *world {
	t.Helper()
	return newWorldOf(t, keys)
}

func newWorldOf(t testing.TB, keys *sandbox.KeyPool) *world {
	t.Helper()
	w := &world{t: t, now: time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC), lists: map[string]bool{}}
	var err error
	w.World, err = sandbox.New(sandbox.Config{Clock: w.clock, PublicURL: "http://127.0.0.1:1", Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	w.set = setOf(t, w.World)
	return w
}

// setOf is a set of the anchors of a world.
func setOf(t testing.TB, w *sandbox.World) *anchors.Set {
	t.Helper()
	c := anchors.Config{Set: "sandbox", Policies: map[profile.Kind][]pkix.OID{
		profile.MobileSign: {pkix.MustOID(sandbox.PolicyMobileSign)},
		profile.MobileAuth: {pkix.MustOID(sandbox.PolicyMobileAuth)},
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

// keys are made beforehand, so that no test waits for them.
var keys = sandbox.NewKeyPool(sandbox.KeyPoolConfig{Ahead: 4})

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func (w *world) issue(o sandbox.IssueOptions) *sandbox.Phone {
	w.t.Helper()
	p, err := w.Issue(sandbox.HolderN(w.holders), o)
	if err != nil {
		w.t.Fatal(err)
	}
	w.holders++
	return p
}

// get asks the world's handler.
func (w *world) get(r *http.Request) (body []byte, ok bool) {
	rec := httptest.NewRecorder()
	w.Handler().ServeHTTP(rec, r)
	return rec.Body.Bytes(), rec.Code == http.StatusOK
}

// allowed are the algorithms for evidence.
var allowed = signature.AllowList{signature.PKCS1SHA256}

// List implements certs.Revocation: it looks for the one list whose scope is the
// certificate's distribution point.
func (w *world) List(issuer *anchors.Anchor, c *pkix.Certificate) (*crl.Index, string) {
	for _, source := range w.Sources().Lists {
		if !bytes.Equal(source.KeyID, issuer.Certificate.SubjectKeyID) || len(c.DistributionPoints) == 0 ||
			!pkix.Name(source.PartitionDER).Equal(pkix.Name(c.DistributionPoints[0].FullName[0].Value)) || w.lists[source.Path()] {
			continue
		}
		der, ok := w.get(httptest.NewRequest(http.MethodGet, source.Path(), nil))
		if !ok {
			return nil, ""
		}
		list, err := crl.Parse(der)
		if err != nil {
			w.t.Fatal(err)
		}
		index, findings := crl.NewIndex(list, issuer.Certificate, issuer.Key, allowed)
		if len(findings) > 0 {
			return nil, ""
		}
		return index, source.Path()
	}
	return nil, ""
}

// Ask implements certs.Revocation.
func (w *world) Ask(_ context.Context, q certs.Question) (*ocsp.Answer, string, []reason.ID) {
	w.asked++
	issuer, c := q.Issuer, q.Certificate
	nonce := []byte("0123456789abcdef0123456789abcdef")
	request, err := ocsp.NewRequest(c, issuer.Certificate, crypto.SHA256, nonce)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, source := range w.Sources().OCSP {
		if !bytes.Equal(source.KeyID, issuer.Certificate.SubjectKeyID) {
			continue
		}
		r := httptest.NewRequest(http.MethodPost, strings.TrimPrefix(source.URL, w.PublicURL()), bytes.NewReader(request.DER))
		r.Header.Set("Content-Type", "application/ocsp-request")
		if der, ok := w.get(r); ok {
			answer, findings := ocsp.Check(der, request, issuer.Certificate, issuer.Key, q.Options)
			return answer, source.URL, findings
		}
	}
	return nil, "", []reason.ID{reason.OCSPUnavailable}
}

// profiles are the embedded ones.
func (w *world) profile(use profile.Use) *profile.Profile {
	set, err := profile.Load(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return set[use]
}

// presented is what a phone hands over for a use.
func (w *world) presented(p *sandbox.Phone, use profile.Use) certs.Presented {
	w.t.Helper()
	message := []byte("what the holder signs")
	authority, sign := sandbox.Auth, p.SignChallenge
	secret := sandbox.DefaultPIN
	if use == profile.PrivateIdentityVerification {
		authority, sign, secret = sandbox.Sign, p.SignContent, sandbox.DefaultPassword
	}
	value, err := sign(secret, sandbox.DefaultAlgorithm, message)
	if err != nil {
		w.t.Fatal(err)
	}
	return certs.Presented{
		Certificate: w.parse(p.Certificate(authority).DER),
		Signature:   &certs.Signature{Value: value, Algorithm: signature.PKCS1SHA256, Message: message},
		Method:      profile.CRL,
	}
}

func (w *world) parse(der []byte) *pkix.Certificate {
	w.t.Helper()
	c, err := pkix.ParseCertificate(der)
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

func (w *world) verify(p certs.Presented, use profile.Use) *certs.Verdict {
	return certs.Verify(context.Background(), p, certs.Trust{
		Profile: w.profile(use), Anchors: w.set, Revocation: w, Now: w.clock(),
	})
}
