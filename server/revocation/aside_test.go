package revocation

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tashika-jp/tashika/certs/crl"
	"github.com/tashika-jp/tashika/certs/reason"
)

// count are the numbers from one up to another.
func count(from, to int64) []int64 {
	var out []int64
	for n := from; n < to; n++ {
		out = append(out, n)
	}
	return out
}

// asideFiles are the names of what is kept aside.
func asideFiles(t testing.TB, l *Living) []string {
	t.Helper()
	entries, err := os.ReadDir(l.store.path(asideDir))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

// digestOfDER is the name by which an operator admits a list.
func digestOfDER(t testing.TB, der []byte) string {
	t.Helper()
	list, err := crl.Parse(der)
	if err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(list.Digest())
}

// TestTrapTruncatedDatabase: a genuine, newer list on which hardly anybody is revoked any more changes nothing, is kept, reported, counted
// and said once; also over a restart.
func TestTrapTruncatedDatabase(t *testing.T) {
	a, s, logs := newAuthority(t), newSite(), new(journal)
	c := Config{Anchors: setOf(t, a), HTTPClient: s.client(), StateDir: t.TempDir(), Logger: logs.logger(), Sources: []Source{{Name: "x", URL: "http://ca.example/"}}}
	l := start(t, c)
	s.list("/", a.list(t, listing{number: 1, serials: count(1, 101)}))
	refresh(t, l)
	cut := a.list(t, listing{number: 2, serials: count(1, 11)})
	s.list("/", cut)
	for range 3 {
		if err := l.RefreshAll(context.Background()); !errors.Is(err, &Error{Failures: []Failure{"CRL_SHRINK_IMPLAUSIBLE"}}) {
			t.Errorf("error %v", err)
		}
	}
	if is, number := revoked(l, a, a.certificate(t, 50, nil)); !is || number != "1" {
		t.Errorf("revoked %v by list %q", is, number)
	}
	if said := strings.Count(logs.String(), `"level":"ERROR","msg":"revocation list refused`); said != 1 {
		t.Errorf("said %d times", said)
	}
	if got := l.Refusals(); got.Waiting != 1 || len(got.Total) != 1 || got.Total[reason.CRLShrinkImplausible] != 3 {
		t.Errorf("counted %+v", got)
	}
	check := func(l *Living) {
		t.Helper()
		r := sourceState(t, l, "x").Refused
		if r == nil || !slices.Equal(r.Reasons, []reason.ID{reason.CRLShrinkImplausible}) || r.Number != "2" || r.Entries != 10 ||
			r.Digest != digestOfDER(t, cut) || !r.Time.Equal(testNow.Add(time.Minute)) || !r.ThisUpdate.Equal(testNow) {
			t.Errorf("reported as %+v", r)
		}
	}
	check(l)
	files := asideFiles(t, l)
	if len(files) != 2 {
		t.Fatalf("aside: %v", files)
	}
	kept, err := os.ReadFile(l.asides.path(files[0]))
	if err != nil || !bytes.Equal(kept, cut) {
		t.Errorf("%s is not the list: %v", files[0], err)
	}
	var about map[string]any
	if text, err := os.ReadFile(l.asides.path(files[1])); err != nil || json.Unmarshal(text, &about) != nil || about["digest"] != digestOfDER(t, cut) {
		t.Errorf("%s: %v, %v", files[1], about, err)
	}
	l.Close()
	check(start(t, c))
}

// TestAdmit: what an operator lets through by name goes into service from aside, without a fetch, once.
func TestAdmit(t *testing.T) {
	a, s, logs := newAuthority(t), newSite(), new(journal)
	c := Config{Anchors: setOf(t, a), Allow: allow, Clock: func() time.Time { return testNow.Add(time.Minute) }, HTTPClient: s.client(), StateDir: t.TempDir(), Logger: logs.logger(), Sources: []Source{{Name: "x", URL: "http://ca.example/"}}}
	l := start(t, c)
	give := func(der []byte, want Failure) {
		t.Helper()
		s.list("/", der)
		err := l.RefreshAll(context.Background())
		if want == "" && err != nil || want != "" && !errors.Is(err, &Error{Failures: []Failure{want}}) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
	serves := func(want string) {
		t.Helper()
		if _, number := revoked(l, a, a.certificate(t, 50, nil)); number != want {
			t.Errorf("list %q serves, want %s", number, want)
		}
	}
	cut := a.list(t, listing{number: 2, serials: count(1, 11)})
	give(a.list(t, listing{number: 5, serials: count(1, 101)}), "")
	give(cut, "CRL_NUMBER_LOWER")
	serves("5")
	s.page("/", http.NotFound)
	c.Admit = []string{strings.Repeat("0", 64), digestOfDER(t, cut)}
	if err := l.Reconfigure(c); err != nil {
		t.Fatal(err)
	}
	if err := l.RefreshAll(context.Background()); !errors.Is(err, &Error{Failures: []Failure{FetchStatus}}) {
		t.Errorf("error %v", err)
	}
	serves("2")
	if !strings.Contains(logs.String(), `"conceded":["CRL_NUMBER_LOWER","CRL_SHRINK_IMPLAUSIBLE"]`) {
		t.Error("not said loudly")
	}
	if files := asideFiles(t, l); len(files) != 0 || sourceState(t, l, "x").Refused != nil || l.Refusals().Waiting != 0 {
		t.Errorf("still aside: %v", files)
	}
	// The admission is used up, also after a restart: nobody replays the list against what came after it.
	give(a.list(t, listing{number: 6, serials: count(1, 20)}), "")
	for range 2 {
		give(cut, "CRL_NUMBER_LOWER")
		serves("6")
		l.Close()
		l = start(t, c)
	}
	// Unless the operator says so again.
	for _, admit := range [][]string{nil, c.Admit} {
		c.Admit = admit
		if err := l.Reconfigure(c); err != nil {
			t.Fatal(err)
		}
		s.list("/", a.list(t, listing{number: 7, serials: count(1, 21)}))
		if admit == nil {
			refresh(t, l)
		}
	}
	s.list("/", cut)
	refresh(t, l)
	serves("2")
}

// TestAdmitConcedesNothingElse: a name lets nobody through who has no business here.
func TestAdmitConcedesNothingElse(t *testing.T) {
	a, stranger := newAuthority(t), newAuthority(t)
	broken := a.list(t, listing{number: 2})
	broken[len(broken)-1] ^= 1
	for want, der := range map[Failure][]byte{
		"CRL_NOT_YET_VALID":     a.list(t, listing{number: 2, thisUpdate: testNow.Add(time.Hour)}),
		"CRL_STALE":             a.list(t, listing{number: 2, nextUpdate: testNow.Add(time.Second)}),
		"CRL_SCOPE_MISMATCH":    a.list(t, listing{number: 2, scope: nameFrom(t, "CN=South,C=JP")}),
		"CRL_ISSUER_MISMATCH":   stranger.list(t, listing{number: 2}),
		"CRL_SIGNATURE_INVALID": broken,
	} {
		for _, dir := range []string{"", t.TempDir()} {
			s := newSite()
			l := start(t, Config{Anchors: setOf(t, a), HTTPClient: s.client(), StateDir: dir, Admit: []string{digestOfDER(t, der)},
				Sources: []Source{{Name: "x", URL: "http://ca.example/"}}})
			s.list("/", a.list(t, listing{number: 1, serials: count(1, 101)}))
			refresh(t, l)
			s.list("/", der)
			for range 2 { // from the site, and then also from aside
				if err := l.RefreshAll(context.Background()); !errors.Is(err, &Error{Failures: []Failure{want}}) {
					t.Errorf("%s: error %v", want, err)
				}
			}
			if _, number := revoked(l, a, a.certificate(t, 50, nil)); number != "1" {
				t.Errorf("%s: list %q serves", want, number)
			}
		}
	}
}

// TestRefusedFiles: each file of a drop directory is refused for itself, and forgiven when it is gone or better.
func TestRefusedFiles(t *testing.T) {
	a, dir := newAuthority(t), t.TempDir()
	north, south := nameFrom(t, "CN=North,C=JP"), nameFrom(t, "CN=South,C=JP")
	drop := func(name string, der []byte) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, "new"), der, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(dir, "new"), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	l := start(t, Config{Anchors: setOf(t, a), StateDir: t.TempDir(), Sources: []Source{{Name: "drop", Directory: dir, Bounds: crl.Bounds{Shrink: 0.1}}}})
	drop("north.crl", a.list(t, listing{number: 1, scope: north, serials: count(1, 201)}))
	drop("south.crl", a.list(t, listing{number: 1, scope: south, serials: count(1, 201)}))
	drop("junk.crl", []byte("junk"))
	visit := func(waiting int, refused map[string]bool) {
		t.Helper()
		if err := l.RefreshAll(context.Background()); (err != nil) != (waiting > 0) {
			t.Logf("error %v", err) // a file that is as it was is not read again
		}
		if got := l.Refusals().Waiting; got != waiting {
			t.Errorf("%d wait, want %d", got, waiting)
		}
		for _, s := range l.Sources() {
			if (s.Refused != nil) != refused[s.Name] {
				t.Errorf("%s: %+v", s.Name, s.Refused)
			}
		}
	}
	of := func(place string) string { return "drop/" + short(a.cert.SubjectKeyId) + "/" + place }
	visit(1, map[string]bool{"drop": true})
	drop("north.crl", a.list(t, listing{number: 2, scope: north, serials: count(1, 180)}))
	visit(2, map[string]bool{"drop": true, of("North"): true})
	visit(2, map[string]bool{"drop": true, of("North"): true})
	if err := os.Remove(filepath.Join(dir, "junk.crl")); err != nil {
		t.Fatal(err)
	}
	visit(1, map[string]bool{"drop": true, of("North"): true})
	drop("north.crl", a.list(t, listing{number: 3, scope: north, serials: count(1, 181)}))
	visit(0, nil)
}

// TestAsideIsBounded: the oldest go, and before them what could not be read. One list is kept once.
func TestAsideIsBounded(t *testing.T) {
	l := start(t, Config{Anchors: setOf(t, newAuthority(t)), StateDir: t.TempDir(), Sources: []Source{{Name: "x", URL: "http://ca.example/"}}})
	keep := func(n int, digest string, size int64) {
		t.Helper()
		body := newSpool(l.store)
		defer body.discard()
		fmt.Fprintf(body, "list %d", n)
		if size > 0 { // as if it were so large
			body.size = size
		}
		r := &refused{Source: "x", Time: testNow.Add(time.Duration(n) * time.Second), Digest: digest, Size: body.size}
		if err := l.asides.keep(context.Background(), body, r); err != nil {
			t.Fatal(err)
		}
	}
	times := func() (out []int) {
		for _, r := range l.asides.all() {
			out = append(out, int(r.Time.Sub(testNow)/time.Second))
		}
		return out
	}
	keep(-1, "", 0)
	for n := range maxAside {
		keep(n, "00", 0)
	}
	for range 2 {
		keep(1000, "", 0)
		if got := times(); len(got) != maxAside || got[0] != 1 || got[maxAside-1] != 1000 {
			t.Fatalf("kept %v", got)
		}
	}
	keep(1001, "00", maxAsideBytes+1)
	if got := times(); !slices.Equal(got, []int{1001}) {
		t.Errorf("kept %v", got)
	}
	if files := asideFiles(t, l); len(files) != 2 {
		t.Errorf("files %v", files)
	}
	again, err := openAsides(l.store)
	if err != nil || len(again.all()) != 1 {
		t.Errorf("found again %v, %v", again.all(), err)
	}
	// What left service, or was not believed at a start, is bounded as well.
	for n := range maxAside + 3 {
		for _, suffix := range []string{".1" + listSuffix, recordSuffix} {
			path := l.asides.path(fmt.Sprintf("%040d%s", n, suffix))
			if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
				t.Fatal(err)
			}
			if at := testNow.Add(time.Duration(n) * time.Second); os.Chtimes(path, at, at) != nil {
				t.Fatal(path)
			}
		}
	}
	if _, err := openAsides(l.store); err != nil {
		t.Fatal(err)
	}
	if files := asideFiles(t, l); len(files) != 2*maxAside+2 || files[0] != fmt.Sprintf("%040d.1%s", 3, listSuffix) {
		t.Errorf("files %v", files)
	}
	for _, name := range asideFiles(t, l) {
		if strings.HasPrefix(name, "00") {
			os.Remove(l.asides.path(name))
		}
	}
	// What a process that died left half done is nothing.
	for _, r := range l.asides.all() {
		if err := os.Remove(l.asides.path(r.SHA256 + asideRecord)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(l.asides.path("orphan"+asideRecord), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	again, err = openAsides(l.store)
	if files := asideFiles(t, l); err != nil || len(again.all()) != 0 || len(files) != 0 {
		t.Errorf("found %v, %v, files %v", again.all(), err, files)
	}
}
