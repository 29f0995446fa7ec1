//go:build unix

package revocation

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"
	"time"
)

// killEnv makes the test binary the child of TestKill9: "<state directory> <URL> <anchor file>".
const killEnv = "TASHIKA_REVOCATION_KILL"

// TestKill9: a process is killed again and again while it fetches, writes and swaps. Each
// start loads only whole, authentic lists, and never one older than what was acknowledged.
func TestKill9(t *testing.T) {
	if os.Getenv(killEnv) != "" {
		child(t)
		return
	}
	a := newAuthority(t)
	dir := t.TempDir()
	anchor := filepath.Join(dir, "anchor")
	if err := os.WriteFile(anchor, a.cert.Raw, 0o600); err != nil {
		t.Fatal(err)
	}
	// Each request gets the next number. The round's last one brings the end: with half of the list sent, or
	// some moments after all of it, when it is checked, written, renamed, swapped in.
	var number atomic.Int64
	type round struct {
		path    string
		left    atomic.Int64
		process *os.Process
	}
	var current atomic.Pointer[round]
	current.Store(new(round))
	serials := make([]int64, 3000)
	for i := range serials {
		serials[i] = int64(1_000_000 + i)
	}
	base := serveOn(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, now := number.Add(1), current.Load()
		der := a.list(t, listing{number: n, serials: serials})
		w.Header().Set("Content-Length", strconv.Itoa(len(der)))
		w.Write(der[:len(der)/2])
		w.(http.Flusher).Flush()
		last := r.URL.Path == now.path && now.left.Add(-1) == 0 // not a request that a dead child left behind
		if last && n%4 == 0 {
			now.process.Kill()
		}
		w.Write(der[len(der)/2:])
		w.(http.Flusher).Flush()
		if last && n%4 != 0 {
			time.AfterFunc(time.Duration(rand.Int64N(int64(8*time.Millisecond))), func() { now.process.Kill() })
		}
	}))
	state := filepath.Join(dir, "state")
	deadline := time.Now().Add(time.Minute)
	rounds, acknowledged, swaps, midway := 0, int64(0), 0, 0
	for ; rounds < 250 && time.Now().Before(deadline); rounds++ {
		path := fmt.Sprintf("/%d", rounds)
		cmd := exec.Command(os.Args[0], "-test.run=^TestKill9$", "-test.timeout=60s")
		cmd.Env = append(os.Environ(), killEnv+"=1", "STATE="+state, "URL="+base+path, "ANCHOR="+anchor)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		now := &round{path: path, process: cmd.Process}
		now.left.Store(1 + rand.Int64N(4))
		current.Store(now)
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			var what, text string
			fmt.Sscan(lines.Text(), &what, &text)
			n, err := strconv.ParseInt(text, 10, 64)
			if err != nil {
				t.Fatalf("the child says %q", lines.Text())
			}
			switch what {
			case "loaded":
				if n < acknowledged {
					t.Fatalf("round %d: loaded list %d after %d was acknowledged", rounds, n, acknowledged)
				}
			case "live":
				acknowledged = n
				swaps++
			default:
				t.Fatalf("the child says %q", lines.Text())
			}
		}
		if left, _ := filepath.Glob(filepath.Join(state, tempPrefix+"*")); len(left) > 0 {
			midway++
		}
		if err := cmd.Wait(); err == nil || cmd.ProcessState.ExitCode() != -1 {
			t.Fatalf("round %d: the child ended by itself: %v", rounds, err)
		}
	}
	if bad, _ := os.ReadDir(filepath.Join(state, asideDir)); len(bad) > 0 {
		// A rename is atomic: nothing under a final name may ever be half written.
		t.Errorf("%d state files were not whole", len(bad))
	}
	if swaps == 0 || rounds < 5 {
		t.Errorf("only %d rounds and %d swaps", rounds, swaps)
	}
	t.Logf("%d kills, %d of them with a list on its way to disk; %d swaps acknowledged, last list %d", rounds, midway, swaps, acknowledged)
}

// child says what it loaded, then what it swapped in, until it is killed.
func child(t *testing.T) {
	der, err := os.ReadFile(os.Getenv("ANCHOR"))
	if err != nil {
		t.Fatal(err)
	}
	a := new(authority)
	a.cert = parseCertificate(t, der)
	set := setOf(t, a)
	a.anchor = set.All()[0]
	l, err := New(Config{Anchors: set, Allow: allow, StateDir: os.Getenv("STATE"), Logger: quiet, Clock: func() time.Time { return testNow.Add(time.Minute) },
		Sources: []Source{{Name: "x", URL: os.Getenv("URL")}}})
	if err != nil {
		t.Fatal(err)
	}
	say := func(what string) {
		n := sourceState(t, l, "x").Number
		if n == "" {
			n = "0"
		}
		fmt.Println(what, n)
	}
	say("loaded")
	for {
		if err := l.RefreshAll(context.Background()); err != nil {
			t.Fatal(err)
		}
		say("live")
	}
}
