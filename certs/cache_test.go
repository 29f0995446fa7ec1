package certs_test

import (
	"context"
	"reflect"
	"testing"
	"time"

	"github.com/tashika-jp/tashika/certs"
	"github.com/tashika-jp/tashika/certs/anchors"
	"github.com/tashika-jp/tashika/certs/crl"
	"github.com/tashika-jp/tashika/certs/pkix"
	"github.com/tashika-jp/tashika/certs/profile"
	"github.com/tashika-jp/tashika/certs/reason"
	"github.com/tashika-jp/tashika/certs/sandbox"
	"github.com/tashika-jp/tashika/certs/signature"
)

// with verifies as verify does, with a cache.
func (w *world) with(cache *certs.Cache, p certs.Presented, use profile.Use) *certs.Verdict {
	return certs.Verify(context.Background(), p, certs.Trust{
		Profile: w.profile(use), Anchors: w.set, Revocation: w, Now: w.clock(), Cache: cache,
	})
}

// TestCacheChangesNoVerdict: whatever happens to a certificate after it was remembered, and whatever is presented with it, the
// verdict is the one that is given without a cache.
func TestCacheChangesNoVerdict(t *testing.T) {
	w := newWorld(t)
	cache := certs.NewCache(16)
	phone := w.issue(sandbox.IssueOptions{})
	presented := map[profile.Use]certs.Presented{}
	for _, use := range []profile.Use{kiosk, clinic, kyc} {
		presented[use] = w.presented(phone, use)
	}
	spoil := map[string]func(*certs.Presented){
		"nothing":             func(*certs.Presented) {},
		"read again":          func(p *certs.Presented) { p.Certificate = w.parse(p.Certificate.Raw) },
		"no signature":        func(p *certs.Presented) { p.Signature = nil },
		"a wrong signature":   func(p *certs.Presented) { p.Signature = spoiled(p.Signature) },
		"an algorithm":        func(p *certs.Presented) { s := *p.Signature; s.Algorithm = signature.PKCS1SHA1; p.Signature = &s },
		"a replayed answer":   func(p *certs.Presented) { p.Challenge = []reason.ID{reason.ChallengeReplayed} },
		"evidence of no age":  func(p *certs.Presented) { p.MaxAge = time.Nanosecond },
		"the other's profile": func(p *certs.Presented) { *p = presented[kyc] },
	}
	look := func(when string) {
		t.Helper()
		for use := range presented {
			for what, change := range spoil {
				for _, method := range methods {
					p := presented[use]
					p.Method = method
					change(&p)
					if got, want := w.with(cache, p, use), w.verify(p, use); !reflect.DeepEqual(got, want) {
						t.Errorf("%s, %s, %s, %s: %+v, without a cache %+v", when, what, use, method, got, want)
					}
				}
			}
		}
	}
	look("new")
	if s := cache.Stats(); s.Misses == 0 || s.Hits == 0 {
		t.Fatalf("nothing was tried: %+v", s)
	}
	for _, step := range []struct {
		when    string
		happens func(*sandbox.Phone) error
	}{{"lost", w.ReportLost}, {"found", w.LiftStop}, {"revoked", func(p *sandbox.Phone) error { return w.Revoke(p, sandbox.DefaultPassword) }}} {
		if err := step.happens(phone); err != nil {
			t.Fatal(err)
		}
		look(step.when)
	}
	w.pass(10 * 366 * 24 * time.Hour)
	look("expired, as its issuer is")
}

func spoiled(s *certs.Signature) *certs.Signature {
	wrong := *s
	wrong.Value = append([]byte{}, s.Value...)
	wrong.Value[17] ^= 1
	return &wrong
}

// TestCacheIsNotPoisoned: what is not the issuer's is never remembered, and does not come to what is remembered, though all but one of its
// bits are the same.
func TestCacheIsNotPoisoned(t *testing.T) {
	w := newWorld(t)
	cache := certs.NewCache(16)
	right := w.presented(w.issue(sandbox.IssueOptions{}), kiosk)
	tried := 0
	for at := range right.Certificate.Raw {
		der := append([]byte{}, right.Certificate.Raw...)
		der[at] ^= 1
		wrong := right
		var err error
		if wrong.Certificate, err = cache.Parse(der); err != nil {
			continue
		}
		tried++
		for range 2 {
			if v := w.with(cache, wrong, kiosk); v.Conclusion == certs.Valid || v.Conclusion == 0 {
				t.Fatalf("octet %d changed: %d", at, v.Conclusion)
			}
		}
		if at%64 == 0 { // so that the wrong ones come before and after it is remembered
			if v := w.with(cache, right, kiosk); v.Conclusion != certs.Valid {
				t.Fatal(v.Reasons)
			}
		}
	}
	if s := cache.Stats(); tried < 500 || s.Hits == 0 || s.Hits > uint64(len(right.Certificate.Raw)/64) {
		t.Errorf("of %d certificates: %+v", tried, s)
	}
}

// TestCacheIsOfItsAnchors: under another set, even of the same certificates, a signature is checked again.
func TestCacheIsOfItsAnchors(t *testing.T) {
	w, other := newWorld(t), newWorld(t)
	cache := certs.NewCache(16)
	p := w.presented(w.issue(sandbox.IssueOptions{}), kiosk)
	trust := certs.Trust{Profile: w.profile(kiosk), Anchors: w.set, Revocation: w, Now: w.clock(), Cache: cache}
	verify := func(set *anchors.Set) certs.Conclusion {
		trust.Anchors = set
		return certs.Verify(context.Background(), p, trust).Conclusion
	}
	again := setOf(t, w.World)
	for i, step := range []struct {
		set    *anchors.Set
		want   certs.Conclusion
		hits   uint64
		misses uint64
	}{{w.set, certs.Valid, 0, 1}, {w.set, certs.Valid, 1, 1}, {other.set, certs.Invalid, 1, 1}, {again, certs.Valid, 1, 2}, {again, certs.Valid, 2, 2}, {w.set, certs.Valid, 2, 3}} {
		if got := verify(step.set); got != step.want || cache.Stats() != (certs.CacheStats{Hits: step.hits, Misses: step.misses}) {
			t.Errorf("step %d: conclusion %d, %+v", i, got, cache.Stats())
		}
	}
}

// TestCacheIsBounded: it never holds more than it was made for, and what it holds is found.
func TestCacheIsBounded(t *testing.T) {
	w := newWorld(t)
	lists := &anyList{world: w}
	var phones []certs.Presented
	for range 12 {
		p := w.presented(w.issue(sandbox.IssueOptions{}), kiosk)
		p.Signature = nil
		phones = append(phones, p)
	}
	for _, c := range []struct{ size, least, most int }{{0, 0, 0}, {1, 4, 4}, {8, 4, 8}, {1 << 10, 12, 12}} {
		cache := certs.NewCache(c.size)
		trust := certs.Trust{Profile: w.profile(kiosk), Anchors: w.set, Revocation: lists, Now: w.clock(), Cache: cache}
		held := 0
		for _, p := range phones {
			certs.Verify(context.Background(), p, trust)
		}
		for _, p := range phones {
			if c, err := cache.Parse(p.Certificate.Raw); err == nil && c == p.Certificate {
				held++
			}
		}
		if held < c.least || held > c.most {
			t.Errorf("a cache for %d holds %d certificates", c.size, held)
		}
	}
}

// anyList has no list: the issuer's signature is checked all the same.
type anyList struct{ *world }

func (*anyList) List(*anchors.Anchor, *pkix.Certificate) (*crl.Index, string) { return nil, "" }

// TestCachedVerificationAllocates: the verdict alone.
func TestCachedVerificationAllocates(t *testing.T) {
	if underRace || !signature.Lanes().InUse {
		t.Skip("what raises signatures allocates")
	}
	der, p, trust := oneVerification(t)
	trust.Cache = certs.NewCache(16)
	verifyDER(t, der, p, trust)
	const most = 1
	if n := testing.AllocsPerRun(100, func() { verifyDER(t, der, p, trust) }); n > most {
		t.Errorf("%v allocations, want at most %d", n, most)
	}
}
