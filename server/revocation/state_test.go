package revocation

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tashika-jp/tashika/certs/anchors"
	"github.com/tashika-jp/tashika/certs/signature"
)

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// trickle is a body that gives an octet a second.
type trickle struct{ ctx context.Context }

func (b *trickle) Read(p []byte) (int, error) {
	time.Sleep(time.Second)
	p[0] = 0x30
	return 1, b.ctx.Err()
}

func (*trickle) Close() error { return nil }

func serveOn(t testing.TB, h http.Handler) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// stateFiles are the names and contents of the state directory, as one fingerprint.
func stateFiles(t testing.TB, l *Living) string {
	t.Helper()
	var all bytes.Buffer
	entries, err := os.ReadDir(l.store.dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() {
			continue // what is kept aside
		}
		data, _ := os.ReadFile(filepath.Join(l.store.dir, e.Name()))
		all.WriteString(e.Name() + "\n" + anchors.Fingerprint(data) + "\n")
	}
	return all.String()
}

func nobody(t testing.TB) *http.Client {
	return &http.Client{Transport: roundTripper(func(*http.Request) (*http.Response, error) {
		return nil, errors.New("no network")
	})}
}

func TestRestartWithoutNetwork(t *testing.T) {
	a, dir := newAuthority(t), t.TempDir()
	north, south := nameFrom(t, "CN=North,C=JP"), nameFrom(t, "CN=South,C=JP")
	s := newSite()
	der := a.list(t, listing{number: 3, scope: north, serials: []int64{10}})
	s.list("/north", der)
	s.list("/south", a.list(t, listing{number: 4, scope: south}))
	c := Config{Anchors: setOf(t, a), HTTPClient: s.client(), StateDir: dir, Sources: []Source{
		{Name: "north", URL: "http://ca.example/north", Required: true}, {Name: "south", URL: "http://ca.example/south", Required: true},
	}}
	l := start(t, c)
	refresh(t, l)
	before := l.Sources()
	l.Close()
	for _, suffix := range []string{recordSuffix, listSuffix, indexSuffix} {
		if files := stored(t, dir, suffix); len(files) != 2 {
			t.Fatalf("state files %v", files)
		}
	}

	c.HTTPClient = nobody(t)
	l = start(t, c)
	if is, number := revoked(l, a, a.certificate(t, 10, north)); !is || number != "3" {
		t.Errorf("after the restart: revoked %v by list %q", is, number)
	}
	if !l.Ready(testNow) {
		t.Error("not ready after the restart")
	}
	for i, s := range l.Sources() {
		if s.Fetches, before[i].Fetches = 0, 0; s != before[i] {
			t.Errorf("was %+v\nnow %+v", before[i], s)
		}
	}
	if err := l.RefreshAll(context.Background()); !errors.Is(err, &Error{Failures: []Failure{FetchUnreachable}}) {
		t.Errorf("error %v", err)
	}
	l.Close()

	// And with a network it asks only whether there is anything new.
	c.HTTPClient = s.client()
	l = start(t, c)
	asked := s.asked()
	refresh(t, l)
	for _, r := range s.requests[asked:] {
		if r.Header.Get("If-None-Match") == "" {
			t.Errorf("%s: not conditional", r.URL)
		}
	}
	// An older list does not get in by way of a restart.
	s.list("/north", a.list(t, listing{number: 2, scope: north}))
	if err := l.Refresh(context.Background(), "north"); !errors.Is(err, &Error{Failures: []Failure{"CRL_NUMBER_LOWER"}}) {
		t.Errorf("error %v", err)
	}
}

// TestNotModified: 304 keeps the list and counts as a fetch.
func TestNotModified(t *testing.T) {
	a, clock := newAuthority(t), &hands{at: testNow}
	s := newSite()
	s.list("/", a.list(t, listing{number: 3}))
	l := start(t, Config{Anchors: setOf(t, a), HTTPClient: s.client(), Clock: clock.now, Sources: []Source{{Name: "x", URL: "http://ca.example/"}}})
	refresh(t, l)
	clock.set(testNow.Add(time.Hour))
	refresh(t, l)
	if s := sourceState(t, l, "x"); s.LastFetch != testNow.Add(time.Hour) || s.Number != "3" || s.Failure != "" || s.Fetches != 2 {
		t.Errorf("%+v", s)
	}
	if got := s.requests[1].Header.Get("If-None-Match"); got == "" {
		t.Error("second fetch is not conditional")
	}
}

// stored are the files of a state directory with a suffix.
func stored(t testing.TB, dir, suffix string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*"+suffix))
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// oneList makes a state directory with one list in it, that revokes 10, and returns its files by suffix.
func oneList(t testing.TB, a *authority) (files map[string]string, contents map[string][]byte, c Config) {
	t.Helper()
	s := newSite()
	s.list("/", a.list(t, listing{number: 3, serials: []int64{10}}))
	c = Config{Anchors: setOf(t, a), HTTPClient: s.client(), StateDir: t.TempDir(), Sources: []Source{{Name: "x", URL: "http://ca.example/"}}}
	l := start(t, c)
	refresh(t, l)
	l.Close()
	files, contents = make(map[string]string), make(map[string][]byte)
	for _, suffix := range []string{recordSuffix, listSuffix, indexSuffix} {
		found := stored(t, c.StateDir, suffix)
		if len(found) != 1 {
			t.Fatalf("files %v", found)
		}
		content, err := os.ReadFile(found[0])
		if err != nil {
			t.Fatal(err)
		}
		files[suffix], contents[suffix] = filepath.Base(found[0]), content
	}
	return files, contents, c
}

// crowded makes a state directory with one list of every second serial number from 10^6 on.
func crowded(t testing.TB, a *authority, n int) (c Config, index string) {
	t.Helper()
	serials := make([]int64, n)
	for i := range serials {
		serials[i] = int64(1_000_000 + 2*i)
	}
	s := newSite()
	s.list("/", a.list(t, listing{number: 3, serials: serials}))
	c = Config{Anchors: setOf(t, a), HTTPClient: s.client(), StateDir: t.TempDir(), Sources: []Source{{Name: "x", URL: "http://ca.example/", MaxSize: 1 << 30}}}
	l := start(t, c)
	refresh(t, l)
	l.Close()
	c.HTTPClient = nobody(t)
	return c, stored(t, c.StateDir, indexSuffix)[0]
}

// TestListIsKeptAsItCame: octet for octet, for who wants to look at it with something else.
func TestListIsKeptAsItCame(t *testing.T) {
	a := newAuthority(t)
	_, contents, c := oneList(t, a)
	response, err := c.HTTPClient.Get("http://ca.example/")
	if err != nil {
		t.Fatal(err)
	}
	der, err := io.ReadAll(response.Body)
	if err != nil || !bytes.Equal(der, contents[listSuffix]) {
		t.Errorf("kept are %d octets of %d, %v", len(contents[listSuffix]), len(der), err)
	}
}

// TestCorruptState: whatever happens to the files of a list, what does not agree is never believed, and is set aside; an index alone is
// built again.
func TestCorruptState(t *testing.T) {
	a, stranger := newAuthority(t), newAuthority(t)
	files, whole, c := oneList(t, a)
	try := func(what string, changed map[string][]byte, c Config, want bool) {
		t.Helper()
		c.StateDir = t.TempDir()
		for suffix, name := range files {
			content, ok := changed[suffix]
			if !ok {
				content = whole[suffix]
			}
			if content == nil {
				continue
			}
			if err := os.WriteFile(filepath.Join(c.StateDir, name), content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		l := start(t, c)
		is, number := revoked(l, a, a.certificate(t, 10, nil))
		// What is damaged in an index and not in what it is opened by is found when somebody asks, or by the scrub.
		if _, ok := changed[indexSuffix]; ok && number == "damaged" {
			l.scrub(t.Context())
			if err := l.mend(t.Context(), l.conf.Load(), l.feeds["x"]); err != nil {
				t.Error(err)
			}
			is, _ = revoked(l, a, a.certificate(t, 10, nil))
		}
		if is != want {
			t.Errorf("%s: believed %v", what, is)
		}
		l.Close()
		for _, suffix := range []string{recordSuffix, listSuffix} {
			kept, ok := changed[suffix]
			if ok && kept == nil {
				continue
			}
			if _, err := os.Stat(filepath.Join(c.StateDir, asideDir, files[suffix])); (err == nil) == want {
				t.Errorf("%s: %s set aside: %v", what, suffix, err)
			}
		}
		if left := stored(t, c.StateDir, ""); !want && len(left) != 2 { // lock and aside
			t.Errorf("%s: left are %v", what, left)
		}
	}
	type changed = map[string][]byte
	try("whole", nil, c, true)
	for suffix, content := range whole {
		for i := 0; i < len(content); i += 11 {
			bad := slices.Clone(content)
			bad[i] ^= 0x40
			// The truth is fit to build the index from, and is not asked as long as the index is good: see TestScrub.
			try("changed "+suffix, changed{suffix: bad}, c, suffix != recordSuffix)
			try("truncated "+suffix, changed{suffix: content[:i]}, c, suffix != recordSuffix)
			if suffix == listSuffix {
				try("changed, and no index", changed{suffix: bad, indexSuffix: nil}, c, false)
				try("truncated, and no index", changed{suffix: content[:i], indexSuffix: nil}, c, false)
			}
		}
		try("longer "+suffix, changed{suffix: append(slices.Clone(content), 0)}, c, suffix != recordSuffix)
	}
	try("no index", changed{indexSuffix: nil}, c, true)
	try("no list", changed{listSuffix: nil}, c, true)
	try("no list and no index", changed{listSuffix: nil, indexSuffix: nil}, c, false)
	_, other3, _ := oneList(t, stranger)
	try("the index of another list", changed{indexSuffix: other3[indexSuffix]}, c, true)
	try("another list", changed{indexSuffix: nil, listSuffix: other3[listSuffix]}, c, false)
	try("another list with its index", changed{indexSuffix: other3[indexSuffix], listSuffix: other3[listSuffix]}, c, false)
	other := c
	other.Anchors = setOf(t, stranger)
	try("of no anchor", nil, other, false)
	other = c
	other.Sources = []Source{{Name: "y", URL: "http://other.example/"}}
	try("of no source", nil, other, false)
	other.Sources = []Source{{Name: "y", URL: "http://ca.example/"}}
	try("of a renamed source", nil, other, true)
	other.Sources = []Source{{Name: "x", URL: "http://ca.example/", Partition: nameFrom(t, "CN=North")}}
	try("not as promised", nil, other, false)
	other = c
	other.Allow = signature.AllowList{signature.PKCS1SHA256}
	try("algorithm withdrawn", nil, other, false)
	// A list from the future was accepted once: the clock stepped back, and it holds the line.
	other = c
	other.Clock = func() time.Time { return testNow.Add(-48 * time.Hour) }
	try("from the future", nil, other, true)
	for suffix, name := range files {
		_, rest, _ := strings.Cut(name, ".")
		files[suffix] = strings.Repeat("0", 40) + "." + rest
	}
	try("another name", nil, c, false)
}

// TestFormerLayout: what an older version kept is set aside, and fetched anew.
func TestFormerLayout(t *testing.T) {
	a := newAuthority(t)
	_, _, c := oneList(t, a)
	c.StateDir = t.TempDir()
	if err := os.WriteFile(filepath.Join(c.StateDir, "0123.list"), []byte("TASHIKA-CRL1"), 0o600); err != nil {
		t.Fatal(err)
	}
	l := start(t, c)
	refresh(t, l)
	if is, _ := revoked(l, a, a.certificate(t, 10, nil)); !is {
		t.Error("not fetched")
	}
	if _, err := os.Stat(filepath.Join(c.StateDir, asideDir, "0123.list")); err != nil {
		t.Error(err)
	}
}

func TestTwoProcessesRefuse(t *testing.T) {
	a, dir := newAuthority(t), t.TempDir()
	c := Config{Anchors: setOf(t, a), Allow: allow, StateDir: dir, Logger: quiet}
	l := start(t, c)
	if _, err := New(c); err == nil || !strings.Contains(err.Error(), "belongs to another process (pid ") {
		t.Errorf("error %v", err)
	}
	l.Close()
	l = start(t, c)
	l.Close()
	if err := l.Refresh(context.Background(), "x"); !errors.Is(err, ErrUnknownSource) {
		t.Errorf("error %v", err)
	}
}

// TestStateNotWritten: without a disk the list serves from memory, the source says so, and
// as soon as there is a disk again it is written.
func TestStateNotWritten(t *testing.T) {
	a, dir := newAuthority(t), filepath.Join(t.TempDir(), "state")
	s, logs := newSite(), new(journal)
	s.list("/", a.list(t, listing{number: 3, serials: []int64{10}}))
	c := Config{Anchors: setOf(t, a), HTTPClient: s.client(), StateDir: dir, Logger: logs.logger(), Sources: []Source{{Name: "x", URL: "http://ca.example/", Required: true}}}
	l := start(t, c)
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := l.RefreshAll(context.Background()); !errors.Is(err, &Error{Failures: []Failure{StateNotWritten}}) {
			t.Errorf("error %v", err)
		}
		if is, _ := revoked(l, a, a.certificate(t, 10, nil)); !is || !l.Ready(testNow) {
			t.Error("does not serve from memory")
		}
		if s := sourceState(t, l, "x"); s.State != Fresh || s.Failure != StateNotWritten || s.LastFetch.IsZero() {
			t.Errorf("%+v", s)
		}
	}
	if !strings.Contains(logs.String(), string(StateNotWritten)) {
		t.Error("not logged")
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	refresh(t, l)
	l.Close()
	c.HTTPClient = nobody(t)
	if is, _ := revoked(start(t, c), a, a.certificate(t, 10, nil)); !is {
		t.Error("was not written when it could be")
	}
}

// TestReadOnlyState: what is in a directory that cannot be locked is served, and nothing is
// written there.
func TestReadOnlyState(t *testing.T) {
	a, dir := newAuthority(t), t.TempDir()
	s := newSite()
	s.list("/", a.list(t, listing{number: 3}))
	c := Config{Anchors: setOf(t, a), HTTPClient: s.client(), StateDir: dir, Sources: []Source{{Name: "x", URL: "http://ca.example/"}}}
	l := start(t, c)
	refresh(t, l)
	l.Close()
	lock := filepath.Join(dir, lockName)
	if err := errors.Join(os.Remove(lock), os.Mkdir(lock, 0o700)); err != nil { // nobody can write to it, root included
		t.Fatal(err)
	}
	l = start(t, c)
	before := stateFiles(t, l)
	for _, want := range []string{"3", "4"} {
		if _, number := revoked(l, a, a.certificate(t, 10, nil)); number != want {
			t.Errorf("list %q serves, want %s", number, want)
		}
		s.list("/", a.list(t, listing{number: 4}))
		if err := l.RefreshAll(context.Background()); !errors.Is(err, &Error{Failures: []Failure{StateNotWritten}}) {
			t.Errorf("error %v", err)
		}
	}
	if after := stateFiles(t, l); after != before {
		t.Errorf("state directory went from %s to %s", before, after)
	}
	c.StateDir = lock + "/no/such\x00place"
	if _, err := New(c); err == nil {
		t.Error("a state directory that cannot even be read is no error")
	}
}

// TestReadOnlyStateIsMended in memory.
func TestReadOnlyStateIsMended(t *testing.T) {
	a := newAuthority(t)
	c, index := crowded(t, a, 100)
	lock := filepath.Join(c.StateDir, lockName)
	if err := errors.Join(os.Remove(lock), os.Mkdir(lock, 0o700), os.Truncate(index, 10)); err != nil {
		t.Fatal(err)
	}
	l := start(t, c)
	before := stateFiles(t, l)
	if is, number := revoked(l, a, a.certificate(t, 1_000_000, nil)); !is || number != "3" {
		t.Errorf("list %q serves, revoked %v", number, is)
	}
	l.scrub(t.Context())
	if after := stateFiles(t, l); after != before {
		t.Errorf("state directory went from %s to %s", before, after)
	}
}

// TestCloseIsTheEnd: what is on its way when the directory is given up gets no name in it, since it may be another process's by then.
func TestCloseIsTheEnd(t *testing.T) {
	a := newAuthority(t)
	l := start(t, Config{Anchors: setOf(t, a), StateDir: t.TempDir()})
	body := newSpool(l.store)
	defer body.discard()
	body.Write(a.list(t, listing{number: 1}))
	d, err := l.build(t.Context(), body, anySize)
	if err != nil {
		t.Fatal(err)
	}
	defer d.discard()
	l.Close()
	if _, err := l.store.seal(d, "key", new(record)); !errors.Is(err, ErrClosed) {
		t.Errorf("seal: %v", err)
	}
	if err := l.store.replaceIndex(d, "key", new(record)); !errors.Is(err, ErrClosed) {
		t.Errorf("replaceIndex: %v", err)
	}
}

// TestSpoolOutlivesDisk: a disk that fails in the middle of a list loses nothing of it.
func TestSpoolOutlivesDisk(t *testing.T) {
	st := &store{dir: t.TempDir(), lock: os.Stdin}
	s := newSpool(st)
	defer s.discard()
	s.Write([]byte("first, "))
	readOnly, err := os.Open(s.file.Name())
	if err != nil {
		t.Fatal(err)
	}
	s.file.Close()
	s.file.File = readOnly // from here on every write fails
	s.Write([]byte("second, "))
	s.Write([]byte("third"))
	src, err := s.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(src)
	if string(got) != "first, second, third" || err != nil || s.broken == nil || s.size != 20 {
		t.Errorf("%q, %v; broken: %v", got, err, s.broken)
	}
	if _, err := st.seal(&draft{body: s}, "", new(record)); err == nil {
		t.Error("sealed without a disk")
	}
	if left, _ := os.ReadDir(st.dir); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}
