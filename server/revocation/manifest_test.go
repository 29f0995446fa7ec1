package revocation

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func manifestFile(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "manifest.csv")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestManifest: each change of a good manifest, alone, is refused, and the error says where.
func TestManifest(t *testing.T) {
	a := newAuthority(t)
	keyID := fmt.Sprintf("%x", a.cert.SubjectKeyId)
	const header = "name,url,partition,issuer_key_id\n"
	many := new(strings.Builder)
	many.WriteString("url,name\r\n")
	for i := range maxManifestRows {
		fmt.Fprintf(many, "http://h/%d,n%d\r\n", i, i)
	}
	for _, test := range []struct {
		name, text, mention string // no mention: good
		rows                int
	}{
		{"good", header + "north,http://h/n,\"CN=North,C=JP\"," + keyID + "\nsouth,ldap://h/,\"CN=South,C=JP\",\n", "", 2},
		{"good_byte_order_mark", "\ufeff" + header + "north,http://h/n,,\n", "", 1},
		{"good_most", many.String(), "", maxManifestRows},
		{"bad_too_many", many.String() + "http://h/,last\r\n", "line 100002", 0},
		{"bad_empty", "", "header", 0},
		{"bad_no_rows", header, "no partitions", 0},
		{"bad_no_header", "north,http://h/n,,\n", "column 1", 0},
		{"bad_unknown_column", "name,url,colour\nnorth,http://h/n,red\n", "column 3", 0},
		{"bad_column_twice", "name,url,url\nnorth,http://h/n,http://h/m\n", "column 3", 0},
		{"bad_no_url", "name,partition\nnorth,CN=a\n", "no column url", 0},
		{"bad_name", header + "north,http://h/n,,\nnorth/south,http://h/s,,\n", "line 3", 0},
		{"bad_no_name", header + ",http://h/n,,\n", "line 2", 0},
		{"bad_name_twice", header + "north,http://h/n,,\nnorth,http://h/m,,\n", "line 3: the name", 0},
		{"bad_url_twice", header + "north,http://h/n,,\nsouth,http://h/n,,\n", "line 3: the URL", 0},
		{"bad_entry_twice", header + "north,ldap://h/,\"CN=North,C=JP\",\nsouth,ldap://h:389/CN=North%2cC=JP,,\n", "line 3: the URL", 0},
		{"bad_url", header + "north,ftp://h/n,,\n", "line 2", 0},
		{"bad_credentials", header + "north,http://u:secret@h/n,,\n", "line 2: credentials", 0},
		{"bad_partition", header + "north,http://h/n,North,\n", "line 2: partition", 0},
		{"bad_key", header + "north,http://h/n,,xyz\n", "line 2: issuer_key_id", 0},
		{"bad_key_of_nobody", header + "north,http://h/n,,00ff\n", "line 2: no anchor", 0},
		{"bad_short_row", header + "north,http://h/n\n", "line 2", 0},
		{"bad_quote", header + "north,\"http://h/n,,\n", "line 2", 0},
		{"bad_not_utf8", header + "north,http://h/\xff,,\n", "UTF-8", 0},
	} {
		s := Source{Name: "jpki", Manifest: manifestFile(t, test.text)}
		c, err := Config{Anchors: setOf(t, a), Allow: allow, Sources: []Source{s}}.complete()
		switch {
		case test.mention == "" && (err != nil || len(c.feeds) != test.rows || len(c.Sources) != 1):
			t.Errorf("%s: %v", test.name, err)
		case test.mention != "" && (err == nil || !strings.Contains(err.Error(), test.mention) || !strings.Contains(err.Error(), `"jpki"`)):
			t.Errorf("%s: %v does not mention %q", test.name, err, test.mention)
		case err != nil && strings.Contains(err.Error(), "secret"):
			t.Errorf("%s: %v", test.name, err)
		}
	}
	for _, s := range []Source{
		{Name: "x", Manifest: filepath.Join(t.TempDir(), "nothing.csv")},
		{Name: "x", Manifest: manifestFile(t, strings.Repeat(" ", maxManifestSize+1))},
		{Name: "x", Manifest: manifestFile(t, header+"north,http://h/n,,\n"), Partition: nameFrom(t, "CN=North")},
		{Name: "x", Manifest: manifestFile(t, header+"north,http://h/n,,\n"), URL: "http://h/"},
	} {
		if _, err := (Config{Anchors: setOf(t, a), Allow: allow, Sources: []Source{s}}).complete(); err == nil {
			t.Errorf("%+v is no error", s)
		}
	}
}

// FuzzManifest: whatever a manifest is, it is refused or makes sources that are complete and tell themselves apart.
func FuzzManifest(f *testing.F) {
	f.Add("name,url,partition,issuer_key_id\nnorth,http://h/n,\"CN=North,C=JP\",\n")
	f.Add("url,name\nldap://h/CN=a,north\nldaps://h/CN=a,\"south\"\n")
	set := setOf(f, newAuthority(f))
	s := Source{Name: "jpki", Manifest: "manifest.csv"}
	f.Fuzz(func(t *testing.T, text string) {
		rows, err := parseManifest([]byte(text), &s, set)
		if (err == nil) != (len(rows) > 0) {
			t.Errorf("%d rows, %v", len(rows), err)
		}
		names, places := map[string]bool{}, map[string]bool{}
		for _, row := range rows {
			if names[row.Name] || places[row.location()] || !strings.HasPrefix(row.Name, "jpki/") || row.manifest != "jpki" || row.Period == 0 || hostOf(&row) == "" {
				t.Errorf("%+v", row)
			}
			names[row.Name], places[row.location()] = true, true
			if again := row; again.complete(set) != nil || again.URL != row.URL {
				t.Errorf("%s becomes %s", row.URL, again.URL)
			}
		}
	})
}

// partitions is a manifest of so many rows at each of two hosts, and the site that gives one list for all of them: where a row does not promise
// a partition, it may.
func partitions(t testing.TB, each int) string {
	rows := new(strings.Builder)
	rows.WriteString("name,url\n")
	for i := range each {
		fmt.Fprintf(rows, "one-%04d,http://one.example/%d\ntwo-%04d,http://two.example/%d\n", i, i, i, i)
	}
	return manifestFile(t, rows.String())
}

// TestManifestDay: the first round is orderly and said, then the visits are spread over the period; a new manifest keeps what stays.
func TestManifestDay(t *testing.T) {
	const each = 1741
	a := newAuthority(t)
	synctest.Test(t, func(t *testing.T) {
		list := a.list(t, listing{number: 1, thisUpdate: time.Now(), nextUpdate: time.Now().Add(240 * time.Hour)})
		var active, most, visits atomic.Int64
		perMinute := make([]int64, 0, 100) // before the clock moves on
		client := &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			most.Store(max(most.Load(), active.Add(1)))
			time.Sleep(100 * time.Millisecond)
			active.Add(-1)
			visits.Add(1)
			return &http.Response{StatusCode: 200, Header: http.Header{}, ContentLength: -1, Request: r, Body: newBody(list)}, nil
		})}
		logs := new(journal)
		c := Config{Anchors: setOf(t, a), Allow: allow, HTTPClient: client, Clock: time.Now, Logger: logs.logger(), MaxConcurrent: 8, MaxPerHost: 4,
			Sources: []Source{{Name: "jpki", Manifest: partitions(t, each), Required: true}}}
		l := start(t, c)
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error)
		go func() { ended <- l.Run(ctx) }()
		time.Sleep(20*time.Second + 50*time.Millisecond)
		if p := l.Progress(); p.Total < 2*each || p.Total > 2*each+40 || p.Done != 200*8 || p.Failed != 0 {
			t.Errorf("after 20 seconds %+v", p)
		}
		if got := strings.Count(logs.String(), "revocation sources visited"); got != 2 || !strings.Contains(logs.String(), `"failed":0,"took":10000000000,"per_second":79`) {
			t.Errorf("%d lines of progress", got)
		}
		if l.Ready(time.Now()) {
			t.Error("ready with half of the partitions")
		}
		time.Sleep(30 * time.Second)
		if p := l.Progress(); p.Done < p.Total-8 || most.Load() != 8 || !l.Ready(time.Now()) {
			t.Errorf("after the round %+v, %d at once", p, most.Load())
		}
		if got := strings.Count(logs.String(), "revocation sources visited"); got != 5 {
			t.Errorf("%d lines of progress after the round", got)
		}
		// An hour on, every minute has its share.
		for range 120 {
			before := visits.Load()
			time.Sleep(time.Minute)
			perMinute = append(perMinute, visits.Load()-before)
		}
		for i, n := range perMinute {
			if n < each*2/60/3 || n > each*2/60*3 {
				t.Errorf("minute %d has %d visits", i, n)
			}
		}
		// Renamed rows keep their lists, those that are gone do not.
		if s := sourceState(t, l, "jpki/one-0001"); s.State != Fresh {
			t.Errorf("%+v", s)
		}
		c.Sources = []Source{{Name: "other", Manifest: manifestFile(t, "name,url\none-0001,http://one.example/1\nnew,http://new.example/\n")}}
		most.Store(0)
		if err := l.Reconfigure(c); err != nil {
			t.Fatal(err)
		}
		if s := sourceState(t, l, "other/one-0001"); s.State != Fresh || s.Lists != 1 {
			t.Errorf("%+v", s)
		}
		time.Sleep(time.Second)
		if s := sourceState(t, l, "other/new"); s.State != Fresh {
			t.Errorf("%+v", s)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// TestHostThatDoesNotAnswer: thousands of partitions there do not wait for a timeout each, the other host is not held up, and when it answers again all is
// soon as it was.
func TestHostThatDoesNotAnswer(t *testing.T) {
	const each = 500
	a := newAuthority(t)
	synctest.Test(t, func(t *testing.T) {
		list := a.list(t, listing{number: 1, thisUpdate: time.Now(), nextUpdate: time.Now().Add(240 * time.Hour)})
		var down atomic.Bool
		var silent, asked atomic.Int64
		down.Store(true)
		client := &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			if r.URL.Host == "one.example" && down.Load() {
				silent.Add(1)
				<-r.Context().Done()
				return nil, r.Context().Err()
			}
			asked.Add(1)
			return &http.Response{StatusCode: 200, Header: http.Header{}, ContentLength: -1, Request: r, Body: newBody(list)}, nil
		})}
		logs := new(journal)
		l := start(t, Config{Anchors: setOf(t, a), HTTPClient: client, Clock: time.Now, Logger: logs.logger(),
			Sources: []Source{{Name: "jpki", Manifest: partitions(t, each), Stall: 10 * time.Second}}})
		// By hand: it ends after the first few timeouts, and those that took the places of the first of them.
		began := time.Now()
		err := l.RefreshAll(context.Background())
		if took := time.Since(began); took > 21*time.Second || silent.Load() > 4+silences-1 || asked.Load() != each {
			t.Errorf("took %v; %d unanswered, %d answered", took, silent.Load(), asked.Load())
		}
		if !errors.Is(err, &Error{Failures: []Failure{FetchHostResting}}) || !errors.Is(err, &Error{Failures: []Failure{FetchTimeout}}) {
			t.Error(err)
		}
		if s := sourceState(t, l, "jpki/one-0400"); s.Failure != FetchHostResting || s.Failures != 0 || s.State != Missing {
			t.Errorf("%+v", s)
		}
		silent.Store(0)
		if err := l.RefreshAll(context.Background()); err == nil || silent.Load() != 1 {
			t.Errorf("a second time asked %d times: %v", silent.Load(), err)
		}
		// On schedule: one attempt after each rest, and the rests grow.
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error)
		go func() { ended <- l.Run(ctx) }()
		silent.Store(0)
		time.Sleep(2 * time.Hour)
		if n := silent.Load(); n < 8 || n > 16 {
			t.Errorf("asked %d times in two hours", n)
		}
		if s := sourceState(t, l, "jpki/one-0400"); s.Failure != FetchHostResting {
			t.Errorf("%+v", s)
		}
		if n := strings.Count(logs.String(), "a host does not answer"); n > 16 {
			t.Errorf("said %d times", n)
		}
		// Whoever asks for one partition gets it, and with it the host is known to answer.
		down.Store(false)
		if err := l.Refresh(ctx, "jpki/one-0007"); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Minute + time.Second)
		for _, s := range l.Sources() {
			if s.State != Fresh {
				t.Fatalf("%+v", s)
			}
		}
		cancel()
		<-ended
	})
}

// TestClockSetBack: what was planned by a clock that was ahead is not waited for.
func TestClockSetBack(t *testing.T) {
	a := newAuthority(t)
	list := a.list(t, listing{number: 1, thisUpdate: testNow.AddDate(-27, 0, 0), nextUpdate: testNow})
	synctest.Test(t, func(t *testing.T) {
		s := newSite()
		s.list("/", list)
		var ahead atomic.Int64
		ahead.Store(int64(100 * time.Hour))
		l := start(t, Config{Anchors: setOf(t, a), HTTPClient: s.client(), Clock: func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) },
			Sources: []Source{{Name: "x", URL: "http://ca.example/"}}})
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error)
		go func() { ended <- l.Run(ctx) }()
		time.Sleep(time.Second)
		ahead.Store(0)
		time.Sleep(2 * time.Minute)
		if s.asked() != 2 {
			t.Errorf("asked %d times", s.asked())
		}
		time.Sleep(4 * time.Hour)
		if n := s.asked(); n < 6 || n > 7 {
			t.Errorf("asked %d times", n)
		}
		cancel()
		<-ended
	})
}
