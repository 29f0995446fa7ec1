package ocsp

import (
	"crypto"
	"crypto/x509"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/tashika-jp/tashika/certs/pkix"
	"github.com/tashika-jp/tashika/certs/reason"
	"github.com/tashika-jp/tashika/certs/signature"
)

// said is the answer without what it was accepted on.
func (a *Answer) said() Answer {
	out := *a
	out.basis = basis{}
	return out
}

// TestStands: under whatever options an answer stands, Check gives the same answer under them; and where nothing but time and age
// differ, it stands wherever Check would give it.
func TestStands(t *testing.T) {
	a, req := theCA(), theRequest()
	ecOnly, rsaOnly := signature.AllowList{signature.ECDSASHA256}, signature.AllowList{signature.PKCS1SHA256}
	short := a.delegate(func(c *x509.Certificate) {
		c.NotBefore, c.NotAfter = now.Add(-time.Hour), now.Add(10*time.Minute)
		nocheck(c)
	})
	byRSA := newAuthority(rsaKey(), caName)
	var specs []*responseSpec
	for _, delegate := range []*pkix.Certificate{nil, a.delegate(nil), a.delegate(nocheck), short} {
		s := a.conforming(req, delegate)
		endless := a.conforming(req, delegate)
		endless.singles[0].next = nil
		mute := a.conforming(req, delegate)
		mute.extensions = nil
		specs = append(specs, s, endless, mute)
	}
	r := rand.New(rand.NewPCG(6960, 9654))
	pick := func(from ...time.Duration) time.Duration { return from[r.IntN(len(from))] }
	random := func() Options {
		o := Options{
			At:     now.Add(pick(-10*time.Minute, -6*time.Minute, -5*time.Minute, 0, time.Second, 9*time.Minute, 11*time.Minute, time.Hour)),
			Skew:   pick(0, time.Minute, 2*time.Minute),
			MaxAge: pick(0, 5*time.Minute, 6*time.Minute, time.Hour),
			Allow:  []signature.AllowList{allowed, ecOnly, rsaOnly}[r.IntN(3)], RequireNonce: r.IntN(2) == 0,
		}
		switch r.IntN(4) {
		case 0:
			o.ResponderStatus = func(*pkix.Certificate) []reason.ID { return []reason.ID{reason.OCSPResponderRevoked} }
		case 1:
			o.ResponderStatus = func(*pkix.Certificate) []reason.ID { return nil }
		}
		return o
	}
	stood, fell := 0, 0
	for i, s := range specs {
		der := s.der()
		for range 2000 {
			first := random()
			answer, _ := Check(der, req, a.cert, a.public, first)
			if answer == nil {
				continue
			}
			second := random()
			if r.IntN(3) == 0 { // as one profile asks again and again
				at, age := second.At, second.MaxAge
				second = first
				second.At, second.MaxAge = at, age
			}
			again, found := Check(der, req, a.cert, a.public, second)
			stands := answer.Stands(second)
			what := fmt.Sprintf("response %d, accepted under %+v, then %+v", i, first, second)
			if stands && (again == nil || again.said() != answer.said()) {
				t.Fatalf("%s: stands, but Check says %v", what, found)
			}
			sameRules := first.Skew == second.Skew && second.ResponderStatus == nil
			if !stands && again != nil && sameRules {
				t.Fatalf("%s: does not stand, but Check has nothing against it", what)
			}
			if stands {
				stood++
			} else {
				fell++
			}
		}
	}
	if stood < 1000 || fell < 1000 {
		t.Errorf("%d stood, %d fell: nothing was tried", stood, fell)
	}
	// The issuer's own key may be of a kind that the list of the second question has not.
	other := must(NewRequest(byRSA.issue(strangersKey(), nil), byRSA.cert, crypto.SHA256, nonce))
	s := byRSA.conforming(other, nil)
	answer, found := Check(s.der(), other, byRSA.cert, byRSA.public, options)
	if answer == nil {
		t.Fatal(found)
	}
	strict := options
	strict.Allow = ecOnly
	if !answer.Stands(options) || answer.Stands(strict) || (&Answer{Status: Good, ThisUpdate: now, NextUpdate: now}).Stands(options) {
		t.Error("an algorithm off the list, or an answer that nobody checked, stands")
	}
	if n := testing.AllocsPerRun(100, func() { answer.Stands(options) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
