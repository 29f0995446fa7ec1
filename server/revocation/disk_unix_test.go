//go:build unix

package revocation

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tashika-jp/tashika/certs/crl"
	"golang.org/x/sys/unix"
)

// fileLimitEnv makes the test binary the child of TestDiskFull.
const fileLimitEnv = "TASHIKA_REVOCATION_DISK_FULL"

// TestDiskFull: wherever the disk ends, in the list, in its index or in the record, the new list serves, from memory, and the source says so;
// the one on disk is still there; and when there is room again the new one is written by itself.
//
// In a process of its own, since the limit of a file's size, which stands for the disk's, is the process's.
func TestDiskFull(t *testing.T) {
	if os.Getenv(fileLimitEnv) == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestDiskFull$", "-test.v", "-test.timeout=60s")
		cmd.Env = append(os.Environ(), fileLimitEnv+"=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	signal.Ignore(unix.SIGXFSZ)
	limit := func(size uint64) {
		t.Helper()
		var now unix.Rlimit
		if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &now); err != nil {
			t.Fatal(err)
		}
		now.Cur = min(size, now.Max)
		if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &now); err != nil {
			t.Fatal(err)
		}
	}
	const endless = 1 << 62
	a := newAuthority(t)
	serials := make([]int64, 2000)
	for i := range serials {
		serials[i] = int64(10 + i)
	}
	next := a.list(t, listing{number: 2, serials: serials})
	for _, size := range []uint64{0, 1, 100, 300, 600, 1000, 5000, uint64(len(next)) - 1, uint64(len(next))} {
		s, logs := newSite(), new(journal)
		s.list("/", a.list(t, listing{number: 1, serials: []int64{9}}))
		c := Config{Anchors: setOf(t, a), HTTPClient: s.client(), StateDir: t.TempDir(), Logger: logs.logger(), Sources: []Source{{Name: "x", URL: "http://ca.example/", Required: true, Bounds: crl.Bounds{Growth: 1e6}}}}
		l := start(t, c)
		refresh(t, l)
		s.list("/", next)
		limit(size)
		written := true
		for range 2 { // the second is answered with 304
			err := l.RefreshAll(context.Background())
			if is, number := revoked(l, a, a.certificate(t, 10, nil)); !is || number != "2" || !l.Ready(testNow) {
				t.Errorf("limit %d: list %q serves, revoked %v", size, number, is)
			}
			if written = err == nil; written {
				break
			}
			if !errors.Is(err, &Error{Failures: []Failure{StateNotWritten}}) {
				t.Errorf("limit %d: error %v", size, err)
			}
			if s := sourceState(t, l, "x"); s.Failure != StateNotWritten || s.State != Fresh {
				t.Errorf("limit %d: %+v", size, s)
			}
			if n := len(stored(t, c.StateDir, recordSuffix)); n != 1 {
				t.Errorf("limit %d: %d records", size, n)
			}
		}
		t.Logf("limit %d: written %v", size, written)
		if said := strings.Contains(logs.String(), "serves from memory only"); said == written {
			t.Errorf("limit %d: said %v", size, said)
		}
		limit(endless)
		// What a crash would find now is the last list that was written.
		was := t.TempDir()
		if err := os.CopyFS(filepath.Join(was, "state"), os.DirFS(c.StateDir)); err != nil {
			t.Fatal(err)
		}
		crashed := c
		crashed.StateDir, crashed.HTTPClient, crashed.Logger = filepath.Join(was, "state"), nobody(t), quiet
		want := map[bool]string{false: "1", true: "2"}[written]
		if _, number := revoked(start(t, crashed), a, a.certificate(t, 10, nil)); number != want {
			t.Errorf("limit %d: a crash would have left list %q, want %s", size, number, want)
		}
		refresh(t, l)
		l.Close()
		c.HTTPClient = nobody(t)
		l = start(t, c)
		if is, number := revoked(l, a, a.certificate(t, 10, nil)); !is || number != "2" {
			t.Errorf("limit %d: list %q is on disk in the end", size, number)
		}
		l.Close()
		if left := stored(t, c.StateDir, ""); len(left) != 4 {
			t.Errorf("limit %d: left are %v", size, left)
		}
	}
}

// TestNoFilesLeft: what we lack just now is no fault of what is kept: nothing is set aside for it, and the next visit has it again.
func TestNoFilesLeft(t *testing.T) {
	a := newAuthority(t)
	c, _ := crowded(t, a, 100)
	cert := a.certificate(t, 1_000_000, nil)
	l := start(t, c)
	for _, x := range l.snapshot.Load().lists {
		l.damaged(l.conf.Load(), x)
	}
	var before unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	few := before
	few.Cur = 3
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &few); err != nil {
		t.Fatal(err)
	}
	err := l.RefreshAll(t.Context())
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	if _, number := revoked(l, a, cert); number != "" || !errors.Is(err, &Error{Failures: []Failure{IndexDamaged}}) {
		t.Errorf("list %q serves; error %v", number, err)
	}
	if err := l.RefreshAll(t.Context()); !errors.Is(err, &Error{Failures: []Failure{FetchUnreachable}}) {
		t.Errorf("error %v", err)
	}
	if is, number := revoked(l, a, cert); !is || number != "3" {
		t.Errorf("list %q serves, revoked %v", number, is)
	}
}
