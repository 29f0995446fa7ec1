package revocation

import (
	"context"
	"errors"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tashika-jp/tashika/certs/crl"
	"github.com/tashika-jp/tashika/certs/pkix"
)

// pairSite has a complete list and a delta of it at two addresses.
type pairSite struct {
	*site
	t     *testing.T
	a     *authority
	scope pkix.Name
	c     Config
	logs  *journal
	l     *Living
}

func newPairSite(t *testing.T) *pairSite {
	var ticks atomic.Int64 // no two things happen at one time
	p := &pairSite{site: newSite(), t: t, a: newAuthority(t), scope: nameFrom(t, "CN=North,C=JP"), logs: new(journal)}
	p.c = Config{Anchors: setOf(t, p.a), Allow: allow, HTTPClient: p.client(), StateDir: t.TempDir(), Logger: p.logs.logger(),
		Clock: func() time.Time { return testNow.Add(time.Minute + time.Duration(ticks.Add(1))*time.Millisecond) }, Sources: []Source{
			{Name: "complete", URL: "http://ca.example/complete"}, {Name: "delta", URL: "http://ca.example/delta"},
		}}
	p.l = start(t, p.c)
	return p
}

// give puts a list at an address and visits it.
func (p *pairSite) give(source string, o listing, want ...Failure) {
	p.t.Helper()
	o.scope = p.scope
	p.list("/"+source, p.a.list(p.t, o))
	p.visit(source, want...)
}

func (p *pairSite) visit(source string, want ...Failure) {
	p.t.Helper()
	err := p.l.Refresh(context.Background(), source)
	if len(want) == 0 && err != nil || len(want) > 0 && !errors.Is(err, &Error{Failures: want}) {
		p.t.Errorf("%s: error %v, want %v", source, err, want)
	}
}

// serves checks which list answers, and for whom it says revoked.
func (p *pairSite) serves(number string, serials ...int64) {
	p.t.Helper()
	is := make(map[int64]bool)
	for _, serial := range serials {
		is[serial] = true
	}
	for serial := int64(10); serial < 20; serial++ {
		found, by := revoked(p.l, p.a, p.a.certificate(p.t, serial, p.scope))
		if found != is[serial] || by != number {
			p.t.Errorf("serial %d: revoked %v by list %q, want %v by %q", serial, found, by, is[serial], number)
		}
	}
}

func (p *pairSite) restart() {
	p.t.Helper()
	p.l.Close()
	p.l = start(p.t, p.c)
}

// TestDelta: a complete list and its deltas answer together, over restarts and reloads; what a delta releases is good again, and so is what
// the next complete list no longer has.
func TestDelta(t *testing.T) {
	p := newPairSite(t)
	check := func(number string, serials ...int64) {
		t.Helper()
		p.serves(number, serials...)
		p.restart()
		p.serves(number, serials...)
		if err := p.l.Reconfigure(p.c); err != nil {
			t.Fatal(err)
		}
		p.serves(number, serials...)
		for _, name := range []string{"complete", "delta"} {
			p.visit(name)
			if s := sourceState(t, p.l, name); s.State != Fresh || s.Refused != nil {
				t.Errorf("%+v", s)
			}
		}
	}
	p.give("complete", listing{number: 5, serials: []int64{10}, holds: []int64{11, 12}})
	p.serves("5", 10, 11, 12)
	p.give("delta", listing{number: 7, base: 5, serials: []int64{13}, released: []int64{11}})
	check("7", 10, 12, 13)
	if s := sourceState(t, p.l, "delta"); s.Number != "7" || s.Entries != 3 {
		t.Errorf("%+v", s)
	}
	// A delta takes the place of the one before: they are of complete lists, not of each other.
	p.give("delta", listing{number: 8, base: 5, serials: []int64{14}, released: []int64{12}})
	check("8", 10, 11, 14)
	p.give("delta", listing{number: 7, base: 5}, "CRL_NUMBER_LOWER")
	p.serves("8", 10, 11, 14)
	// A complete list that is not as far on serves under the delta; one that goes back against its like is refused.
	p.give("complete", listing{number: 6, serials: []int64{10, 15}, holds: []int64{12}})
	check8 := func() { p.serves("8", 10, 14, 15) }
	check8()
	p.give("complete", listing{number: 5, serials: []int64{10}}, "CRL_NUMBER_LOWER")
	p.restart()
	check8()
	// One that is takes its place.
	p.give("complete", listing{number: 9, serials: []int64{10}})
	p.give("delta", listing{number: 9, base: 5, serials: []int64{14}}) // tells nothing more
	check("9", 10)
	if files := stateFiles(t, p.l); strings.Contains(files, deltaSuffix) {
		t.Errorf("the delta was not let go: %s", files)
	}
}

// TestDeltaWaitsForItsList: it is kept aside until the complete list comes, and then offered again.
func TestDeltaWaitsForItsList(t *testing.T) {
	p := newPairSite(t)
	p.give("delta", listing{number: 7, base: 6, serials: []int64{13}}, "CRL_BASE_MISMATCH")
	p.page("/delta", http.NotFound)
	p.give("complete", listing{number: 5, serials: []int64{10}})
	p.visit("delta", FetchStatus)
	p.serves("5", 10)
	if r := sourceState(t, p.l, "delta").Refused; r == nil || r.Number != "7" {
		t.Errorf("refused %+v", r)
	}
	p.restart()
	p.give("complete", listing{number: 6, serials: []int64{11}})
	p.visit("delta", FetchStatus)
	p.serves("7", 11, 13)
	if files := asideFiles(t, p.l); len(files) != 0 || p.l.Refusals().Waiting != 0 {
		t.Errorf("still aside: %v", files)
	}
}

// TestTrapDeltaGate: what the gate refuses of lists it refuses of the two together.
func TestTrapDeltaGate(t *testing.T) {
	stranger := newAuthority(t)
	for want, o := range map[Failure]listing{
		"CRL_GROWTH_IMPLAUSIBLE": {number: 6, base: 5, serials: count(1000, 1150)},
		"CRL_SHRINK_IMPLAUSIBLE": {number: 6, base: 5, released: count(100, 170)},
		"CRL_NOT_YET_VALID":      {number: 6, base: 5, thisUpdate: testNow.Add(time.Hour)},
		"CRL_STALE":              {number: 6, base: 5, nextUpdate: testNow.Add(time.Second)},
		"CRL_OLDER":              {number: 6, base: 5, thisUpdate: testNow.Add(-time.Hour)},
		"CRL_BASE_MISMATCH":      {number: 7, base: 6},
		"CRL_SCOPE_MISMATCH":     {number: 6, base: 5, onlyCAs: true},
		"CRL_ISSUER_MISMATCH":    {number: 6, base: 5},
	} {
		p := newPairSite(t)
		p.give("complete", listing{number: 5, serials: []int64{10}, holds: count(100, 200)})
		if want == "CRL_ISSUER_MISMATCH" {
			p.list("/delta", stranger.list(t, o))
			p.visit("delta", want)
		} else {
			p.give("delta", o, want)
		}
		p.serves("5", 10)
	}
	p := newPairSite(t)
	p.give("complete", listing{number: 5, serials: []int64{10}, holds: count(100, 200)})
	p.give("delta", listing{number: 7, base: 5, serials: count(1000, 1080)})
	// The next complete list has lost what the delta told.
	p.give("complete", listing{number: 8, holds: count(150, 200)}, "CRL_SHRINK_IMPLAUSIBLE")
	p.serves("7", 10)
}

// TestTrapDeltaLost: a complete list does not say "good" of somebody whom a lost delta said to be revoked. It answers nothing until
// something as new is here.
func TestTrapDeltaLost(t *testing.T) {
	lose := map[string]func(*pairSite){
		"DER and index damaged on disk": func(p *pairSite) {
			x := p.l.snapshot.Load().lists[p.key().pair()]
			for _, suffix := range []string{listSuffix, indexSuffix} {
				if err := os.WriteFile(p.l.store.file(x.key.file(), x.about.Generation, suffix), []byte("rot"), 0o600); err != nil {
					p.t.Fatal(err)
				}
			}
			p.restart()
		},
		"record damaged on disk": func(p *pairSite) {
			if err := os.WriteFile(p.l.store.path(p.key().pair().file()+recordSuffix), []byte("rot"), 0o600); err != nil {
				p.t.Fatal(err)
			}
			p.restart()
		},
		"damaged in service": func(p *pairSite) {
			x := p.l.snapshot.Load().lists[p.key().pair()]
			if err := os.Remove(p.l.store.file(x.key.file(), x.about.Generation, listSuffix)); err != nil {
				p.t.Fatal(err)
			}
			p.l.damaged(p.l.conf.Load(), x)
		},
	}
	for name, lose := range lose {
		for _, remedy := range []string{"delta", "complete"} {
			p := newPairSite(t)
			p.give("complete", listing{number: 5, serials: []int64{10}})
			p.give("delta", listing{number: 7, base: 5, serials: []int64{13}})
			lose(p)
			if x, _ := p.l.List(p.a.anchor, p.a.certificate(t, 13, p.scope)); x != nil {
				t.Errorf("%s: list %s answers", name, x.Number())
			}
			if s := sourceState(t, p.l, "complete"); s.State != Stale {
				t.Errorf("%s: %+v", name, s)
			}
			p.visit("complete") // the same again is no remedy
			p.serves("")
			if remedy == "delta" {
				p.visit("delta")
				p.serves("7", 10, 13)
			} else {
				p.give("complete", listing{number: 7, serials: []int64{13}})
				p.serves("7", 13)
			}
			p.restart()
			if x, _ := p.l.List(p.a.anchor, p.a.certificate(t, 13, p.scope)); x == nil || x.Number() != "7" {
				t.Errorf("%s: after the remedy and a restart: %v", name, x)
			}
		}
	}
}

// TestDeltaIndexRebuilt: damage of either index is mended from the kept list, and meanwhile nothing answers that knows less.
func TestDeltaIndexRebuilt(t *testing.T) {
	for _, ofDelta := range []bool{false, true} {
		p := newPairSite(t)
		p.give("complete", listing{number: 5, serials: []int64{10}})
		p.give("delta", listing{number: 7, base: 5, serials: []int64{13}})
		k := p.key()
		k.delta = ofDelta
		p.l.damaged(p.l.conf.Load(), p.l.snapshot.Load().lists[k])
		p.serves("")
		for _, name := range []string{"delta", "complete"} {
			p.visit(name)
		}
		p.serves("7", 10, 13)
	}
}

// TestDeltaOutOfDate: the complete list is in its time, but more is known than it says.
func TestDeltaOutOfDate(t *testing.T) {
	p := newPairSite(t)
	p.give("complete", listing{number: 5, serials: []int64{10}, nextUpdate: testNow.Add(100 * time.Hour)})
	p.give("delta", listing{number: 7, base: 5, serials: []int64{13}})
	clock := &hands{at: testNow.Add(50 * time.Hour)}
	p.c.Clock = clock.now
	p.restart()
	x, source := p.l.List(p.a.anchor, p.a.certificate(t, 13, p.scope))
	if x == nil || source != "delta" || len(x.CheckTimes(clock.now(), 0, 0)) == 0 {
		t.Errorf("%v of %s answers", x, source)
	}
	if s := sourceState(t, p.l, "delta"); s.State != Stale {
		t.Errorf("%+v", s)
	}
	p.page("/delta", http.NotFound)
	for range 2 { // nor does it go by itself
		p.visit("delta", FetchStatus)
		p.visit("complete")
	}
	p.serves("7", 10, 13)
	// That its source is out of the configuration takes nothing back either.
	p.c.Sources = p.c.Sources[:1]
	if err := p.l.Reconfigure(p.c); err != nil {
		t.Fatal(err)
	}
	p.serves("7", 10, 13)
	p.restart()
	p.serves("7", 10, 13)
	p.give("complete", listing{number: 8, serials: []int64{13}, thisUpdate: testNow.Add(49 * time.Hour)})
	p.serves("8", 13)
}

// TestDeltaInDirectory: a delta and its list may lie in one directory, whichever is seen first.
func TestDeltaInDirectory(t *testing.T) {
	a, dir := newAuthority(t), t.TempDir()
	for name, der := range map[string][]byte{
		"1-delta.crl": a.list(t, listing{number: 7, base: 5, serials: []int64{13}}),
		"2-whole.crl": a.list(t, listing{number: 5, serials: []int64{10}}),
	} {
		if err := os.WriteFile(dir+"/"+name, der, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, state := range []string{"", t.TempDir()} {
		l := start(t, Config{Anchors: setOf(t, a), StateDir: state, Sources: []Source{{Name: "drop", Directory: dir, Bounds: crl.Bounds{Shrink: 1}}}})
		_ = l.RefreshAll(context.Background())
		refresh(t, l)
		if is, number := revoked(l, a, a.certificate(t, 13, nil)); !is || number != "7" {
			t.Errorf("revoked %v by list %q", is, number)
		}
		if s := sourceState(t, l, "drop/"+short(a.cert.SubjectKeyId)+"/all"+deltaSuffix); s.State != Fresh || s.Number != "7" || l.Refusals().Waiting != 0 {
			t.Errorf("%+v, %+v", s, l.Refusals())
		}
	}
}

// key is that of the complete list.
func (p *pairSite) key() key {
	p.t.Helper()
	k, ok := keyFor(p.a.anchor, p.scope)
	if !ok {
		p.t.Fatal("no key")
	}
	return k
}

// TestDeltaFromMemory: a delta that could not be written serves, says so, and is written later.
func TestDeltaFromMemory(t *testing.T) {
	p := newPairSite(t)
	p.give("complete", listing{number: 5, serials: []int64{10}})
	away := p.c.StateDir + "-away"
	if err := os.Rename(p.c.StateDir, away); err != nil {
		t.Skip(err) // a system that does not let go of what is open
	}
	p.give("delta", listing{number: 7, base: 5, serials: []int64{13}}, StateNotWritten)
	p.serves("7", 10, 13)
	if err := os.Rename(away, p.c.StateDir); err != nil {
		t.Fatal(err)
	}
	p.visit("delta")
	p.serves("7", 10, 13)
	p.restart()
	p.serves("7", 10, 13)
}

// TestDeltaKilledAtEachStep: whatever step of a swap a process dies before, the next one answers by what served or by what was to, and never
// by the complete list without its delta.
func TestDeltaKilledAtEachStep(t *testing.T) {
	type answer struct {
		number  string
		serials []int64
	}
	before := answer{"7", []int64{10, 13}}
	for name, test := range map[string]struct {
		source string
		next   listing
		after  answer
		mark   int64
	}{
		"next delta":                 {"delta", listing{number: 8, base: 5, serials: []int64{14}}, answer{"8", []int64{10, 14}}, 14},
		"complete list under it":     {"complete", listing{number: 6, serials: []int64{11}}, answer{"7", []int64{11, 13}}, 11},
		"complete list in its place": {"complete", listing{number: 9, serials: []int64{12}}, answer{"9", []int64{12}}, 12},
		"complete list as far on":    {"complete", listing{number: 7, serials: []int64{12}}, answer{"7", []int64{12}}, 12},
		"a much later delta":         {"delta", listing{number: 10, base: 5, serials: []int64{15}}, answer{"10", []int64{10, 15}}, 15},
	} {
		t.Run(name, func(t *testing.T) {
			for at, died := 1, true; died; at++ {
				p := newPairSite(t)
				p.give("complete", listing{number: 5, serials: []int64{10}})
				p.give("delta", listing{number: 7, base: 5, serials: []int64{13}})
				p.l.Close()
				n, dead, done := 0, make(chan struct{}), make(chan error, 1)
				doomed, err := open(p.c, func(string) {
					if n++; n == at {
						close(dead)
						select {} // as if the process were gone: nothing is cleaned up
					}
				})
				if err != nil {
					t.Fatal(err)
				}
				o := test.next
				o.scope = p.scope
				p.list("/"+test.source, p.a.list(t, o))
				go func() { done <- doomed.Refresh(context.Background(), test.source) }()
				select {
				case <-dead:
				case err := <-done:
					if died = false; err != nil {
						t.Error(err)
					}
				}
				doomed.store.lock.Close()
				p.l = start(t, p.c)
				want := before
				// The list that counts is known by what only it has.
				if is, _ := revoked(p.l, p.a, p.a.certificate(t, test.mark, p.scope)); is || !died {
					want = test.after
				}
				p.serves(want.number, want.serials...)
				p.visit(test.source)
				p.serves(test.after.number, test.after.serials...)
				if at == 1 && !died {
					t.Error("there was no step")
				}
			}
		})
	}
}
