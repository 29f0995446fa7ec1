package revocation

import (
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tashika-jp/tashika/certs/pkix"
	"github.com/tashika-jp/tashika/certs/profile"
)

// TestTrapSecondPartitionOverwritesFirst: one list per issuer, so that a second partition overwrites the first and
// a revoked certificate passes (grpc-go advancedtls).
func TestTrapSecondPartitionOverwritesFirst(t *testing.T) {
	old, new := newAuthority(t), newAuthority(t) // two key generations of one name
	north, south := nameFrom(t, "CN=North CRLDP,C=JP"), nameFrom(t, "CN=South CRLDP,C=JP")
	s := newSite()
	s.list("/north", new.list(t, listing{number: 1, scope: north, serials: []int64{10}}))
	s.list("/south", new.list(t, listing{number: 2, scope: south, serials: []int64{20}}))
	s.list("/old", old.list(t, listing{number: 3, scope: north, serials: []int64{30}}))
	c := Config{Anchors: setOf(t, old, new), HTTPClient: s.client()}
	for _, name := range []string{"north", "south", "old"} {
		c.Sources = append(c.Sources, Source{Name: name, URL: "http://ca.example/" + name})
	}
	l := start(t, c)
	for _, order := range [][]string{{"north", "south", "old"}, {"old", "south", "north"}} {
		for _, name := range order {
			if err := l.Refresh(context.Background(), name); err != nil {
				t.Fatal(err)
			}
		}
		for _, test := range []struct {
			by     *authority
			serial int64
			scope  pkix.Name
			want   bool
			number string
		}{
			{new, 10, north, true, "1"}, {new, 20, south, true, "2"}, {old, 30, north, true, "3"},
			{new, 20, north, false, "1"}, {new, 10, south, false, "2"}, {new, 30, north, false, "1"}, {old, 10, north, false, "3"},
			// Other string type, case and spaces: the same name (RFC 5280 section 7.1).
			{new, 10, nameFrom(t, "CN=north  CRLdp,C=jp"), true, "1"},
			// A partition without a list is unknown, never that of a neighbour.
			{new, 10, nameFrom(t, "CN=West CRLDP,C=JP"), false, ""},
			{old, 20, south, false, ""},
			{new, 10, nil, false, ""},
		} {
			got, number := revoked(l, test.by, test.by.certificate(t, test.serial, test.scope))
			if got != test.want || number != test.number {
				t.Errorf("serial %d in %v: revoked %v by list %q, want %v by %q", test.serial, test.scope, got, number, test.want, test.number)
			}
		}
	}
}

// TestWholeList: a list without a partition serves where there is none for the distribution point.
func TestWholeList(t *testing.T) {
	a := newAuthority(t)
	north := nameFrom(t, "CN=North,C=JP")
	s := newSite()
	s.list("/all", a.list(t, listing{number: 7, serials: []int64{10}}))
	s.list("/north", a.list(t, listing{number: 8, scope: north}))
	l := start(t, Config{Anchors: setOf(t, a), HTTPClient: s.client(), Sources: []Source{
		{Name: "all", URL: "http://ca.example/all"}, {Name: "north", URL: "http://ca.example/north"},
	}})
	refresh(t, l)
	for scope, want := range map[string]string{"CN=North,C=JP": "8", "CN=South,C=JP": "7"} {
		if _, number := revoked(l, a, a.certificate(t, 10, nameFrom(t, scope))); number != want {
			t.Errorf("%s: list %q, want %q", scope, number, want)
		}
	}
	if _, number := revoked(l, a, a.certificate(t, 10, nil)); number != "7" {
		t.Errorf("without a distribution point: list %q", number)
	}
}

// TestScopeThatCannotBeCompared: its canonical form is empty, which must not be read as "no
// partition".
func TestScopeThatCannotBeCompared(t *testing.T) {
	a := newAuthority(t)
	for name, scope := range map[string]pkix.Name{
		"empty":     {0x30, 0},
		"bad UTF-8": append(append(pkix.Name{}, nameFrom(t, "CN=abcd")[:13]...), 0xff, 0xfe),
	} {
		s := newSite()
		s.list("/", a.list(t, listing{number: 1, scope: scope}))
		l := start(t, Config{Anchors: setOf(t, a), HTTPClient: s.client(), Sources: []Source{{Name: "x", URL: "http://ca.example/"}}})
		if err := l.RefreshAll(context.Background()); err == nil {
			t.Errorf("%s: accepted", name)
		}
		if _, number := revoked(l, a, a.certificate(t, 10, nil)); number != "" {
			t.Errorf("%s: serves as the whole list", name)
		}
	}
}

// TestGate: what does not pass changes nothing that is served, and says why.
func TestGate(t *testing.T) {
	a, stranger := newAuthority(t), newAuthority(t)
	north, south := nameFrom(t, "CN=North,C=JP"), nameFrom(t, "CN=South,C=JP")
	good := a.list(t, listing{number: 5, scope: north, serials: []int64{10}})
	next := a.list(t, listing{number: 6, scope: north})
	broken := bytes.Clone(next)
	broken[len(broken)-1] ^= 1
	serve := func(der []byte) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, r *http.Request) { w.Write(der) }
	}
	for _, test := range []struct {
		name   string
		page   func(http.ResponseWriter, *http.Request)
		source Source
		want   Failure
	}{
		{name: "older number", page: serve(a.list(t, listing{number: 4, scope: north})), want: "CRL_NUMBER_LOWER"},
		{name: "older time", page: serve(a.list(t, listing{number: 6, scope: north, thisUpdate: testNow.Add(-time.Hour)})), want: "CRL_OLDER"},
		{name: "grown beyond belief", page: serve(a.list(t, listing{number: 6, scope: north, serials: count(100, 118)})), want: "CRL_GROWTH_IMPLAUSIBLE"},
		{name: "future", page: serve(a.list(t, listing{number: 6, scope: north, thisUpdate: testNow.Add(time.Hour)})), want: "CRL_NOT_YET_VALID"},
		{name: "stale while we hold a fresh one", want: "CRL_STALE",
			page: serve(a.list(t, listing{number: 6, scope: north, nextUpdate: testNow.Add(time.Second)}))},
		{name: "another partition than promised", page: serve(a.list(t, listing{number: 6, scope: south})),
			source: Source{Partition: nameFrom(t, "CN=NORTH,C=JP")}, want: "CRL_SCOPE_MISMATCH"},
		{name: "another partition than before", page: serve(a.list(t, listing{number: 6, scope: south})), want: "CRL_SCOPE_MISMATCH"},
		{name: "CA certificates only", page: serve(a.list(t, listing{number: 6, scope: north, onlyCAs: true})), want: "CRL_SCOPE_MISMATCH"},
		{name: "no partition", page: serve(a.list(t, listing{number: 6})), source: Source{Partition: north}, want: "CRL_SCOPE_MISMATCH"},
		{name: "another key than promised", page: serve(stranger.list(t, listing{number: 6, scope: north})),
			source: Source{IssuerKeyID: a.cert.SubjectKeyId}, want: "CRL_ISSUER_MISMATCH"},
		{name: "of no anchor", page: serve(stranger.list(t, listing{number: 6, scope: north})), want: "CRL_ISSUER_MISMATCH"},
		{name: "wrong signature", page: serve(broken), want: "CRL_SIGNATURE_INVALID"},
		{name: "truncated", page: serve(next[:len(next)*2/3]), want: "CRL_FORMAT_FAILURE"},
		{name: "trailing octets", page: serve(append(bytes.Clone(next), 0)), want: "CRL_FORMAT_FAILURE"},
		{name: "empty", page: serve(nil), want: "CRL_FORMAT_FAILURE"},
		{name: "PEM", page: serve(pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: next})), want: "CRL_FORMAT_FAILURE"},
		{name: "too large and says so", want: FetchTooLarge, page: func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", strconv.Itoa(1<<40))
			w.WriteHeader(http.StatusOK)
		}},
		{name: "too large without saying so", want: FetchTooLarge, page: func(w http.ResponseWriter, r *http.Request) {
			for range 100 {
				w.Write(make([]byte, 4096))
				w.(http.Flusher).Flush()
			}
		}},
		{name: "interrupted", want: FetchInterrupted, page: func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", strconv.Itoa(len(next)))
			w.Write(next[:100])
		}},
		{name: "not found", page: http.NotFound, want: FetchStatus},
		{name: "not modified, unasked", want: FetchStatus, page: func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("If-None-Match") != "" {
				t.Error("conditional although the last list had no validator")
			}
			w.WriteHeader(http.StatusNotModified)
		}},
		{name: "partial content", want: FetchStatus, page: func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusPartialContent)
			w.Write(next)
		}},
		{name: "redirects without end", page: func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/list", http.StatusFound) }, want: FetchRedirect},
		{name: "redirect to another scheme", page: func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://"+r.Host+"/list", http.StatusFound)
		}, want: FetchRedirect},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, logs := newSite(), new(journal)
			server := serveOn(t, s)
			s.page("/list", serve(good))
			test.source.Name, test.source.URL, test.source.MaxSize = "north", server+"/list", 64<<10
			l := start(t, Config{Anchors: setOf(t, a), Sources: []Source{test.source}, StateDir: t.TempDir(), Logger: logs.logger()})
			refresh(t, l)
			before := sourceState(t, l, "north")
			files := stateFiles(t, l)
			s.page("/list", test.page)
			err := l.Refresh(context.Background(), "north")
			if !errors.Is(err, &Error{Failures: []Failure{test.want}}) {
				t.Errorf("error %v, want %s", err, test.want)
			}
			if is, number := revoked(l, a, a.certificate(t, 10, north)); !is || number != "5" {
				t.Errorf("now serves list %q, revoked %v", number, is)
			}
			after := sourceState(t, l, "north")
			if after.Failure != test.want || after.LastFailure.IsZero() || after.Failures != 1 || after.State != Fresh {
				t.Errorf("state %+v, want failure %s", after, test.want)
			}
			if after.Number != before.Number || after.LastFetch != before.LastFetch || after.Entries != 1 {
				t.Errorf("state went from %+v to %+v", before, after)
			}
			if got := stateFiles(t, l); got != files {
				t.Errorf("state directory went from %s to %s", files, got)
			}
			if !strings.Contains(logs.String(), string(test.want)) {
				t.Error("not logged")
			}
			// A list that was refused is kept for somebody to look at; what is no list at all is not.
			isList := strings.HasPrefix(string(test.want), "CRL_")
			if kept := len(asideFiles(t, l)); kept != 0 != isList || (after.Refused != nil) != isList {
				t.Errorf("%d files aside, state %+v", kept, after.Refused)
			}
			s.page("/list", serve(next)) // and the next good list is taken in
			refresh(t, l)
			if is, number := revoked(l, a, a.certificate(t, 10, north)); is || number != "6" {
				t.Errorf("then serves list %q, revoked %v", number, is)
			}
			if s := sourceState(t, l, "north"); s.Refused != nil || l.Refusals().Waiting != 0 {
				t.Errorf("then still refused: %+v", s.Refused)
			}
		})
	}
}

// TestTrapAuthorityListOverwritesHolders: a list of CA certificates only is not the issuer's whole list.
func TestTrapAuthorityListOverwritesHolders(t *testing.T) {
	a := newAuthority(t)
	s := newSite()
	s.list("/all", a.list(t, listing{number: 1, serials: []int64{10}}))
	s.list("/cas", a.list(t, listing{number: 2, onlyCAs: true}))
	l := start(t, Config{Anchors: setOf(t, a), HTTPClient: s.client(), Sources: []Source{
		{Name: "all", URL: "http://ca.example/all"}, {Name: "cas", URL: "http://ca.example/cas"},
	}})
	for range 2 {
		if err := l.RefreshAll(context.Background()); !errors.Is(err, &Error{Failures: []Failure{"CRL_SCOPE_MISMATCH"}}) {
			t.Errorf("error %v", err)
		}
		if is, number := revoked(l, a, a.certificate(t, 10, nil)); !is || number != "1" {
			t.Errorf("revoked %v by list %q", is, number)
		}
	}
}

// TestHoldReleased: an entry that is gone from the next list is good again.
func TestHoldReleased(t *testing.T) {
	a := newAuthority(t)
	s := newSite()
	l := start(t, Config{Anchors: setOf(t, a), HTTPClient: s.client(), Sources: []Source{{Name: "x", URL: "http://ca.example/"}}})
	for i, serials := range [][]int64{{10}, nil, {10}} {
		s.list("/", a.list(t, listing{number: int64(i), serials: serials}))
		refresh(t, l)
		if is, _ := revoked(l, a, a.certificate(t, 10, nil)); is != (serials != nil) {
			t.Errorf("list %d: revoked %v", i, is)
		}
	}
}

// TestTrapFetchUnderTheLock: a list that trickles in ends with the timeout, and holds up nobody meanwhile (OpenBao fetches
// without timeout under the lock that requests need).
func TestTrapFetchUnderTheLock(t *testing.T) {
	a := newAuthority(t)
	synctest.Test(t, func(t *testing.T) {
		s := newSite()
		s.list("/", a.list(t, listing{number: 1, thisUpdate: time.Now(), serials: []int64{10}}))
		client := &http.Client{Transport: s}
		l := start(t, Config{Anchors: setOf(t, a), HTTPClient: client, Clock: time.Now, StateDir: t.TempDir(),
			Sources: []Source{{Name: "x", URL: "http://ca.example/"}}})
		refresh(t, l)
		client.Transport = roundTripper(func(r *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 200, ContentLength: -1, Header: http.Header{}, Request: r, Body: &trickle{r.Context()}}, nil
		})
		began := time.Now()
		done := make(chan error)
		go func() { done <- l.Refresh(context.Background(), "x") }()
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if is, _ := revoked(l, a, a.certificate(t, 10, nil)); !is {
			t.Error("List does not serve during a fetch")
		}
		if s := sourceState(t, l, "x"); s.State != Fresh || !l.Ready(time.Now()) {
			t.Errorf("during a fetch: %+v", s)
		}
		if err := <-done; !errors.Is(err, &Error{Failures: []Failure{FetchTimeout}}) {
			t.Errorf("error %v", err)
		}
		if took := time.Since(began); took < defaultStall || took > defaultStall+2*time.Second {
			t.Errorf("ended after %v", took)
		}
	})
}

// TestMirrors: of two sources of one list the newer serves, and the one that lags has not failed.
func TestMirrors(t *testing.T) {
	a := newAuthority(t)
	s := newSite()
	l := start(t, Config{Anchors: setOf(t, a), HTTPClient: s.client(), Sources: []Source{
		{Name: "one", URL: "http://one.example/one"}, {Name: "two", URL: "http://two.example/two"},
	}})
	for _, test := range []struct {
		one, two int64
		want     string
	}{{1, 1, "1"}, {1, 2, "2"}, {1, 3, "3"}, {4, 3, "4"}, {4, 4, "4"}} {
		s.list("/one", a.list(t, listing{number: test.one}))
		s.list("/two", a.list(t, listing{number: test.two}))
		refresh(t, l)
		if _, number := revoked(l, a, a.certificate(t, 10, nil)); number != test.want {
			t.Errorf("%d and %d: list %s serves", test.one, test.two, number)
		}
		for _, name := range []string{"one", "two"} {
			if s := sourceState(t, l, name); s.Failure != "" || s.Number != test.want || s.Method != profile.CRL {
				t.Errorf("%+v", s)
			}
		}
	}
}
