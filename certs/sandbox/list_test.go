package sandbox

import (
	"crypto/x509"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func (f *fixture) fetchList(t testing.TB, id ListID) *x509.RevocationList {
	t.Helper()
	_, der := fetch(t, f.url+id.Path())
	l, err := x509.ParseRevocationList(der)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestListsAreSortedScopedAndNumbered(t *testing.T) {
	f := newFixture(t, Config{})
	sources := f.Sources()
	if want := len(municipalities) * Generations * len(authorities); len(sources.Lists) != want {
		t.Fatalf("%d lists, want %d", len(sources.Lists), want)
	}
	seen := make(map[string]bool)
	for _, s := range sources.Lists {
		l := f.fetchList(t, s.ListID)
		if len(l.RevokedCertificateEntries) < 3 {
			t.Errorf("%s has %d entries", s.Path(), len(l.RevokedCertificateEntries))
		}
		for i, e := range l.RevokedCertificateEntries {
			if i > 0 && l.RevokedCertificateEntries[i-1].SerialNumber.Cmp(e.SerialNumber) >= 0 {
				t.Errorf("%s is not sorted", s.Path())
			}
			if e.RevocationTime.After(l.ThisUpdate) {
				t.Errorf("%s: revoked after thisUpdate", s.Path())
			}
		}
		if !l.NextUpdate.Equal(l.ThisUpdate.Add(24 * time.Hour)) {
			t.Errorf("%s: %v to %v", s.Path(), l.ThisUpdate, l.NextUpdate)
		}
		for _, e := range l.Extensions {
			if e.Id.Equal(oidIDP) {
				seen[string(e.Value)] = true
				if !e.Critical {
					t.Errorf("%s: IDP is not critical", s.Path())
				}
			}
		}
	}
	// The two generations of a CA share the partition's name.
	if want := len(municipalities) * len(authorities); len(seen) != want {
		t.Errorf("%d different IDPs, want %d", len(seen), want)
	}
}

func TestListRenewal(t *testing.T) {
	f := newFixture(t, Config{})
	p := f.phone(t, IssueOptions{})
	c := p.Certificate(Auth)
	number := func() int64 { return f.fetchList(t, c.List()).Number.Int64() }
	other := ListID{Auth, 1, c.Municipality}
	otherNumber := f.fetchList(t, other).Number.Int64()

	first := number()
	if number() != first {
		t.Error("the number rose though nothing happened")
	}
	if err := f.ReportLost(p); err != nil {
		t.Fatal(err)
	}
	if got := number(); got != first+1 {
		t.Errorf("after an operation: number %d, want %d", got, first+1)
	}
	f.clock.advance(18 * time.Hour) // 6 hours before the end: the overlap begins
	if got := number(); got != first+2 {
		t.Errorf("in the overlap: number %d, want %d", got, first+2)
	}
	if got := f.fetchList(t, other).Number.Int64(); got != otherNumber+1 {
		t.Errorf("the other list: number %d, want %d", got, otherNumber+1)
	}
	f.clock.advance(100 * 24 * time.Hour)
	if l := f.fetchList(t, other); !l.NextUpdate.After(f.clock.now()) {
		t.Error("a list was served after its end")
	}
}

func TestDailyLists(t *testing.T) {
	f := newFixture(t, Config{DailyLists: true})
	p := f.phone(t, IssueOptions{})
	c := p.Certificate(Auth)
	f.clock.advance(10 * time.Minute)
	if err := f.ReportLost(p); err != nil {
		t.Fatal(err)
	}
	if got := f.listed(t, c); got != notListed {
		t.Error("a daily list changed at once")
	}
	if r := f.asked(t, c); r.Status != 0 || !r.ThisUpdate.Equal(testNow) {
		t.Errorf("OCSP data moved before its quarter of an hour: %d at %v", r.Status, r.ThisUpdate)
	}
	f.clock.advance(5 * time.Minute)
	if r := f.asked(t, c); r.Status != 1 || !r.ThisUpdate.Equal(testNow.Add(15*time.Minute)) {
		t.Errorf("OCSP data after a quarter of an hour: %d at %v", r.Status, r.ThisUpdate)
	}
	f.PublishCRLs()
	if got := f.listed(t, c); got != CertificateHold {
		t.Errorf("after the daily run: %v", got)
	}
}

func TestConditionalFetch(t *testing.T) {
	f := newFixture(t, Config{})
	p := f.phone(t, IssueOptions{})
	id := p.Certificate(Auth).List()
	url := f.url + id.Path()
	res, _ := fetch(t, url)
	etag, modified := res.Header.Get("ETag"), res.Header.Get("Last-Modified")
	if etag == "" || modified == "" || res.Header.Get("Content-Type") != "application/pkix-crl" {
		t.Fatalf("headers %v", res.Header)
	}
	for _, h := range [][]string{{"If-None-Match", etag}, {"If-Modified-Since", modified}} {
		if res, body := fetch(t, url, h...); res.StatusCode != http.StatusNotModified || len(body) != 0 {
			t.Errorf("%v: %d", h, res.StatusCode)
		}
	}
	// Two issues within one second: the date cannot tell them apart, so it must not say "not modified".
	if err := f.ReportLost(p); err != nil {
		t.Fatal(err)
	}
	for _, h := range [][]string{{"If-None-Match", etag}, {"If-Modified-Since", modified}} {
		if res, _ := fetch(t, url, h...); res.StatusCode != http.StatusOK || res.Header.Get("ETag") == etag {
			t.Errorf("%v after a change: %d", h, res.StatusCode)
		}
	}
	if res, body := fetch(t, url, "Range", "bytes=0-9"); res.StatusCode != http.StatusPartialContent || len(body) != 10 {
		t.Errorf("range: %d, %d octets", res.StatusCode, len(body))
	}
}

func TestHandlerPaths(t *testing.T) {
	f := theWorld(t)
	for path, want := range map[string]int{
		"/": 200, "/cps.html": 200, "/ca/sign/g1.cer": 200, "/ca/auth/g2.cer": 200, "/crl/auth/g2/08220.crl": 200,
		"/ca/auth/g3.cer": 404, "/ca/auth/g02.cer": 404, "/ca/other/g1.cer": 404, "/ca/auth": 404, "/ca/auth/g1": 404,
		"/crl/auth/g2/99999.crl": 404, "/crl/auth/g2/08220": 404, "/crl/auth/g2": 404, "/crl/x/g2/08220.crl": 404,
		"/ocsp/auth": 404, "/ocsp/auth/g9": 404, "/ocsp/auth/g2": 405, "/nothing": 404,
	} {
		if res, _ := fetch(t, f.url+path); res.StatusCode != want {
			t.Errorf("%s: %d, want %d", path, res.StatusCode, want)
		}
	}
	res, err := http.Post(f.url+"/crl/auth/g2/08220.crl", "text/plain", nil)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST to a list: %d", res.StatusCode)
	}
	_, der := fetch(t, f.url+"/ca/auth/g2.cer")
	if diff := cmp.Diff(f.cas[Auth].generations[1].der, der); diff != "" {
		t.Error(diff)
	}
}

// TestEverythingAtOnce is for the race detector: life, publication, faults and
// fetching side by side.
func TestEverythingAtOnce(t *testing.T) {
	clock := &testClock{t: testNow}
	w, err := New(Config{Clock: clock.now, PublicURL: "http://sandbox.test", Neighbours: -1,
		Keys: NewKeyPool(KeyPoolConfig{Reuse: 4})})
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{World: w, clock: clock}
	var wg sync.WaitGroup
	for i := range 8 {
		h := HolderN(1000 + i)
		wg.Go(func() {
			p, err := f.Issue(h, IssueOptions{})
			if err != nil {
				t.Error(err)
				return
			}
			for _, err := range []error{f.ReportLost(p), f.LiftStop(p), f.MoveHouse(p, "13112", ""), f.ApplySign(p)} {
				if err != nil {
					t.Error(err)
				}
			}
			if p, err = f.ChangeDevice(p, IssueOptions{}); err != nil {
				t.Error(err)
				return
			}
			if _, err := p.SignChallenge(DefaultPIN, RSAPSSSHA256, []byte("x")); err != nil {
				t.Error(err)
			}
			if _, err := f.CRL(p.Certificate(Auth).List()); err != nil {
				t.Error(err)
			}
			if err := f.SetListFault(p.Certificate(Auth).List(), ListFault{Kind: ListStale}); err != nil {
				t.Error(err)
			}
			f.ClearFaults()
		})
		wg.Go(func() {
			clock.advance(time.Second)
			f.PublishCRLs()
			f.Devices()
			f.Sources()
		})
	}
	wg.Wait()
	// Serials are dense whatever the order: 8 holders, 4 sign and 2 auth certificates each.
	for a, each := range map[Authority]uint64{Sign: 4, Auth: 2} {
		c := w.cas[a]
		first := c.generations[1].responder.serial + 1
		if got := c.nextSerial - first; got != 8*each {
			t.Errorf("%v: %d serials drawn, want %d", a, got, 8*each)
		}
		for s := first; s < c.nextSerial; s++ {
			if c.records[s] == nil {
				t.Errorf("%v: hole at %d", a, s)
			}
		}
	}
}
