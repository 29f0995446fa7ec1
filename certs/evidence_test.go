package certs_test

import (
	"context"
	"fmt"
	"slices"
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
)

// bench is evidence that a test lays out.
type bench struct {
	list     *crl.Index
	answer   *ocsp.Answer
	findings []reason.ID
	asked    []certs.Question
}

func (b *bench) List(*anchors.Anchor, *pkix.Certificate) (*crl.Index, string) { return b.list, "list" }
func (b *bench) Ask(_ context.Context, q certs.Question) (*ocsp.Answer, string, []reason.ID) {
	b.asked = append(b.asked, q)
	return b.answer, "responder", b.findings
}

// TestMethods: every method with every state of the list and of the responder. What is said is said by the first that knows, with its
// method, source and time; what neither knows is unknown, for the reasons of both; and the later word that revokes is
// never passed over.
func TestMethods(t *testing.T) {
	w := newWorld(t)
	phone := w.issue(sandbox.IssueOptions{})
	p := w.presented(phone, clinic)
	index := func() *crl.Index {
		x, _ := w.List(w.set.ByKeyID(p.Certificate.Issuer, p.Certificate.AuthorityKeyID)[0], p.Certificate)
		if x == nil {
			t.Fatal("no list")
		}
		return x
	}
	good := index()
	w.pass(time.Hour)
	if err := w.ReportLost(phone); err != nil {
		t.Fatal(err)
	}
	held := index()
	w.pass(time.Hour)
	if err := w.Revoke(phone, sandbox.DefaultPassword); err != nil {
		t.Fatal(err)
	}
	revoked := index()
	w.pass(time.Hour)
	now := w.clock()

	type word struct {
		name     string
		status   certs.Status
		at       time.Time
		findings []reason.ID
	}
	lists := map[*crl.Index]word{
		good:    {"good", certs.Good, good.ThisUpdate(), nil},
		held:    {"held", certs.OnHold, held.ThisUpdate(), nil},
		revoked: {"revoked", certs.Revoked, revoked.ThisUpdate(), nil},
		nil:     {"missing", 0, time.Time{}, []reason.ID{reason.CRLMissing}},
	}
	answers := []struct {
		word
		answer *ocsp.Answer
	}{
		{word{"good, later", certs.Good, now, nil}, &ocsp.Answer{Status: ocsp.Good, ThisUpdate: now, NextUpdate: now.Add(time.Hour)}},
		{word{"good, earlier", certs.Good, now.Add(-4 * time.Hour), nil}, &ocsp.Answer{Status: ocsp.Good, ThisUpdate: now.Add(-4 * time.Hour)}},
		{word{"revoked", certs.Revoked, now, nil}, &ocsp.Answer{Status: ocsp.Revoked, Reason: crl.KeyCompromise, ThisUpdate: now}},
		{word{"held", certs.OnHold, now, nil}, &ocsp.Answer{Status: ocsp.Revoked, Reason: crl.CertificateHold, ThisUpdate: now}},
		{word{"unknown", 0, now, []reason.ID{reason.OCSPStatusUnknown}}, &ocsp.Answer{Status: ocsp.Unknown, ThisUpdate: now}},
		{word{"down", 0, time.Time{}, []reason.ID{reason.OCSPUnavailable}}, nil},
		{word{"too old", 0, time.Time{}, []reason.ID{reason.OCSPTooOld}}, nil},
		{word{"nobody to ask", 0, time.Time{}, []reason.ID{reason.OCSPNoResponder}}, nil},
	}
	tried := 0
	for _, stale := range []bool{false, true} { // the list is past its nextUpdate and too old
		for list, theList := range lists {
			when := now
			if stale {
				if list == nil {
					continue
				}
				when = now.Add(100 * time.Hour)
				theList.status, theList.findings = 0, []reason.ID{reason.CRLStale, reason.CRLTooOld}
			}
			for _, a := range answers {
				theAnswer := a.word
				for _, method := range methods {
					tried++
					name := fmt.Sprintf("list %s (stale %v), responder %s, by %s", theList.name, stale, a.name, method)
					// What has to come of it.
					words := map[profile.Method]word{profile.CRL: theList, profile.OCSP: theAnswer}
					var by profile.Method
					var findings []reason.ID
					fallback := false
					for i, step := range method.Steps() {
						findings = append(findings, words[step].findings...)
						if words[step].status != 0 {
							by, fallback = step, i > 0
							break
						}
					}
					if method == profile.OCSPThenCRL && by == profile.OCSP && theAnswer.status == certs.Good && theList.status > certs.Good && theList.at.After(theAnswer.at) {
						by = profile.CRL
					}
					want := words[by].status
					conclusion := certs.Indeterminate
					switch {
					case want == certs.Good:
						conclusion, findings = certs.Valid, nil
						if fallback {
							findings = []reason.ID{reason.RevocationFallbackUsed}
						}
					case want == certs.OnHold:
						conclusion, findings = certs.Invalid, []reason.ID{reason.OnHold}
					case want == certs.Revoked:
						conclusion, findings = certs.Invalid, []reason.ID{reason.Revoked}
					}

					b := &bench{list: list, answer: a.answer, findings: a.findings}
					if a.answer != nil {
						b.findings = nil
					}
					p := p
					p.Method = method
					v := certs.Verify(context.Background(), p, certs.Trust{Profile: w.profile(clinic), Anchors: w.set, Revocation: b, Now: when})
					expect(t, name, v, conclusion, want, findings...)
					e := v.Evidence
					if want != 0 && (e.Method != by || e.Source != map[profile.Method]string{profile.CRL: "list", profile.OCSP: "responder"}[by] ||
						e.Age(when) != when.Sub(words[by].at) || e.Fallback != fallback) {
						t.Errorf("%s: evidence %+v", name, e)
					}
					// A responder is asked where the method says so and nothing is known yet, once.
					ask := slices.Contains(method.Steps(), profile.OCSP) && (method != profile.CRLThenOCSP || theList.status == 0)
					if len(b.asked) > 1 || (len(b.asked) == 1) != ask {
						t.Errorf("%s: asked %d times", name, len(b.asked))
					}
				}
			}
		}
	}
	if tried != 7*8*4 {
		t.Errorf("%d combinations", tried)
	}
}

// TestQuestion: what is asked of a responder is what the profile says, and a caller can only tighten it.
func TestQuestion(t *testing.T) {
	w := newWorld(t)
	p := w.presented(w.issue(sandbox.IssueOptions{}), clinic)
	p.Method = profile.OCSP
	rules := *w.profile(clinic)
	rules.Revocation.OCSPReuse = 30 * time.Second
	for asked, want := range map[time.Duration]time.Duration{0: 30 * time.Second, time.Hour: 30 * time.Second, time.Second: time.Second} {
		b := &bench{findings: []reason.ID{reason.OCSPUnavailable}}
		p.MaxAge = asked
		certs.Verify(context.Background(), p, certs.Trust{Profile: &rules, Anchors: w.set, Revocation: b, Now: w.clock()})
		if len(b.asked) != 1 {
			t.Fatal("not asked")
		}
		q := b.asked[0]
		age := rules.Revocation.OCSPMaxAge
		if asked > 0 {
			age = min(age, asked)
		}
		if q.Reuse != want || q.Timeout != rules.Revocation.OCSPTimeout || q.Options.MaxAge != age || !q.Options.RequireNonce ||
			!q.Options.At.Equal(w.clock()) || q.Certificate != p.Certificate {
			t.Errorf("max age %v: %+v", asked, q)
		}
	}
	rules.Revocation.OCSPReuse = 0
	b := &bench{findings: []reason.ID{reason.OCSPUnavailable}}
	p.MaxAge = time.Hour
	if certs.Verify(context.Background(), p, certs.Trust{Profile: &rules, Anchors: w.set, Revocation: b, Now: w.clock()}); b.asked[0].Reuse != 0 {
		t.Error("a caller loosened what the profile wants live")
	}
}
