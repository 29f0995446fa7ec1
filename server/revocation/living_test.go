package revocation

import (
	"context"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tashika-jp/tashika/certs/signature"
)

// TestReconfigure: SIGHUP keeps what still passes and nothing else.
func TestReconfigure(t *testing.T) {
	a, b := newAuthority(t), newAuthority(t)
	for _, dir := range []string{"", t.TempDir()} {
		s := newSite()
		s.list("/a", a.list(t, listing{number: 1}))
		s.list("/b", b.list(t, listing{number: 2}))
		sources := []Source{{Name: "a", URL: "http://ca.example/a"}, {Name: "b", URL: "http://ca.example/b"}}
		c := Config{Anchors: setOf(t, a, b), Allow: allow, HTTPClient: s.client(), Sources: sources, StateDir: dir, Logger: quiet,
			Clock: func() time.Time { return testNow }}
		l := start(t, c)
		refresh(t, l)
		try := func(what string, change func(*Config), wantA, wantB string) {
			t.Helper()
			next := c
			change(&next)
			if err := l.Reconfigure(next); err != nil {
				t.Fatal(err)
			}
			_, gotA := revoked(l, a, a.certificate(t, 10, nil))
			_, gotB := revoked(l, b, b.certificate(t, 10, nil))
			if gotA != wantA || gotB != wantB {
				t.Errorf("%s: lists %q and %q serve, want %q and %q", what, gotA, gotB, wantA, wantB)
			}
		}
		try("the same", func(*Config) {}, "1", "2")
		asked := s.asked()
		refresh(t, l)
		for _, r := range s.requests[asked:] {
			if r.Header.Get("If-None-Match") == "" {
				t.Error("forgot what it has")
			}
		}
		try("an anchor gone", func(c *Config) { c.Anchors = setOf(t, a) }, "1", "")
		try("and back", func(c *Config) {}, "1", "")
		refresh(t, l)
		try("a source gone", func(c *Config) { c.Sources = sources[1:] }, "", "2")
		try("and back", func(c *Config) {}, "", "2")
		refresh(t, l)
		try("a promise broken", func(c *Config) {
			c.Sources = []Source{sources[0], {Name: "b", URL: "http://ca.example/b", Partition: nameFrom(t, "CN=North")}}
		}, "1", "")
		try("and back", func(c *Config) {}, "1", "")
		refresh(t, l)
		try("algorithms withdrawn", func(c *Config) { c.Allow = signature.AllowList{signature.ECDSASHA384} }, "", "")
		try("and back", func(c *Config) {}, "", "")
		refresh(t, l)
		want := map[string][2]string{"": {"", ""}}[dir]
		if dir != "" {
			want = [2]string{"1", "2"} // checked again from the state directory
		}
		try("an algorithm withdrawn that nobody uses", func(c *Config) { c.Allow = signature.AllowList{signature.ECDSASHA256} }, want[0], want[1])
		c.StateDir += "x"
		if l.Reconfigure(c) == nil {
			t.Error("changed the state directory")
		}
	}
}

// TestListWhileSwapping: readers and visits at once, for the race detector.
func TestListWhileSwapping(t *testing.T) {
	a := newAuthority(t)
	s := newSite()
	north := nameFrom(t, "CN=North,C=JP")
	l := start(t, Config{Anchors: setOf(t, a), HTTPClient: s.client(), Sources: []Source{{Name: "x", URL: "http://ca.example/"}}})
	c := a.certificate(t, 10, north)
	s.list("/", a.list(t, listing{number: 100, scope: north, serials: []int64{10}}))
	refresh(t, l)
	var stop atomic.Bool
	done := make(chan int)
	for range 4 {
		go func() {
			last, n := "", 0
			for !stop.Load() {
				is, number := revoked(l, a, c)
				if !is || number < last {
					t.Errorf("list %q after %q, revoked %v", number, last, is)
					break
				}
				last = number
				n++
				if n%100 == 0 {
					l.Sources()
					l.Ready(testNow)
				}
			}
			done <- n
		}()
	}
	for i := range int64(100) {
		s.list("/", a.list(t, listing{number: 101 + i, scope: north, serials: []int64{10}}))
		refresh(t, l)
	}
	stop.Store(true)
	for range 4 {
		<-done
	}
}

// TestLogsAreSilentAboutHolders: no serial, certificate or attribute in logs.
func TestLogsAreSilentAboutHolders(t *testing.T) {
	a := newAuthority(t)
	s, logs := newSite(), new(journal)
	north := nameFrom(t, "CN=North,C=JP")
	const serial = 123456789123
	c := a.certificate(t, serial, north, "http://responder-in-certificate.example/")
	dir := t.TempDir()
	l := start(t, Config{Anchors: setOf(t, a), HTTPClient: s.client(), Logger: logs.logger(), StateDir: dir, AllowAIA: true,
		Sources: []Source{{Name: "x", URL: "http://ca.example/"}}})
	good := a.list(t, listing{number: 5, scope: north, serials: []int64{serial}})
	for _, der := range [][]byte{good, a.list(t, listing{number: 4, scope: north, serials: []int64{serial}}), good[:len(good)-9], {}} {
		s.list("/", der)
		_ = l.RefreshAll(context.Background())
		l.List(a.anchor, c)
	}
	ask(l, a, c)
	os.RemoveAll(dir)
	s.list("/", a.list(t, listing{number: 6, scope: north, serials: []int64{serial}}))
	_ = l.RefreshAll(context.Background())
	text := logs.String()
	if strings.Count(text, "\n") < 6 {
		t.Errorf("too little said:\n%s", text)
	}
	for _, secret := range []string{"123456789123", "1cbe991a83", "1CBE991A83", "holder", "responder-in-certificate", string(c.SerialNumber)} {
		if strings.Contains(text, secret) {
			t.Errorf("the log has %q:\n%s", secret, text)
		}
	}
}
