//go:build unix

package revocation

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// stepEnv makes the test binary the child of TestKilledAtEachStep: the number of the step that it dies before.
const stepEnv = "TASHIKA_REVOCATION_STEP"

// stepSource is the drop directory of these tests.
func stepConfig(t testing.TB, dir string) Config {
	t.Helper()
	der, err := os.ReadFile(filepath.Join(dir, "anchor"))
	if err != nil {
		t.Fatal(err)
	}
	a := &authority{cert: parseCertificate(t, der)}
	return Config{Anchors: setOf(t, a), Allow: allow, StateDir: filepath.Join(dir, "state"), Logger: quiet, Clock: func() time.Time { return testNow.Add(3 * time.Hour) },
		Sources: []Source{{Name: "x", Directory: filepath.Join(dir, "drop")}}}
}

// stepChild starts, visits its drop directory once, says each step, and before one of them is killed.
func stepChild(t *testing.T, at int) {
	n := 0
	l, err := open(stepConfig(t, os.Getenv("DIR")), func(name string) {
		if n++; n == at {
			unix.Kill(os.Getpid(), unix.SIGKILL)
			select {}
		}
		fmt.Println("step", name)
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.RefreshAll(context.Background()); err != nil {
		t.Fatal(err)
	}
	fmt.Println("live")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestKilledAtEachStep: a process that is killed before any step of a start, a build, a write or a swap leaves the list that it had or
// the new one, whole, and the new one from the moment that its record has its name.
func TestKilledAtEachStep(t *testing.T) {
	if at, err := strconv.Atoi(os.Getenv(stepEnv)); err == nil {
		stepChild(t, at)
		return
	}
	a := newAuthority(t)
	north := nameFrom(t, "CN=North,C=JP")
	first := a.list(t, listing{number: 1, serials: []int64{10}})
	second := a.list(t, listing{number: 2, serials: []int64{20, 30}})
	ended := a.list(t, listing{number: 7, scope: north, nextUpdate: testNow.Add(time.Hour)})
	write := []string{"build", "built", "flush .crl", "name .crl", "flush .index", "name .index", "flush names", "write record", "flush record",
		"name record", "flush record's name", "swap"}
	for _, test := range []struct {
		name    string
		had     [][]byte                         // lists in service before
		change  func(t *testing.T, state string) // of the state directory after that
		steps   []string
		aside   int // files there at last
		neither bool
	}{
		{name: "the first list", steps: write, neither: true},
		{name: "the next list", had: [][]byte{first}, steps: append(slices.Clone(write), "remove the last .crl", "remove the last .index")},
		{name: "after a crash", had: [][]byte{first}, change: func(t *testing.T, state string) {
			key := strings.TrimSuffix(filepath.Base(stored(t, state, recordSuffix)[0]), recordSuffix)
			for _, name := range []string{tempPrefix + "1", key + ".99" + listSuffix, key + ".99" + indexSuffix} {
				if err := os.WriteFile(filepath.Join(state, name), []byte("half"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}, steps: slices.Concat([]string{"remove what was left", "remove what was left", "remove what was left"}, write, []string{"remove the last .crl", "remove the last .index"})},
		{name: "an index to be built again", had: [][]byte{first}, change: func(t *testing.T, state string) {
			if err := os.Truncate(stored(t, state, indexSuffix)[0], 20); err != nil {
				t.Fatal(err)
			}
		}, steps: slices.Concat([]string{"build", "built", "flush rebuilt index", "name rebuilt index"}, write, []string{"remove the last .crl", "remove the last .index"})},
		{name: "a list that ended", had: [][]byte{first, ended}, aside: 2,
			steps: slices.Concat(write, []string{"remove the last .crl", "remove the last .index", "set aside", "set aside"})},
	} {
		t.Run(test.name, func(t *testing.T) {
			prepare := func() string {
				dir := t.TempDir()
				drop := filepath.Join(dir, "drop")
				if err := os.Mkdir(drop, 0o700); err != nil {
					t.Fatal(err)
				}
				put := func(i int, der []byte) {
					if err := os.WriteFile(filepath.Join(drop, fmt.Sprint(i, ".crl")), der, 0o600); err != nil {
						t.Fatal(err)
					}
				}
				if err := os.WriteFile(filepath.Join(dir, "anchor"), a.cert.Raw, 0o600); err != nil {
					t.Fatal(err)
				}
				if test.had != nil {
					for i, der := range test.had {
						put(i, der)
					}
					c := stepConfig(t, dir)
					c.Clock = func() time.Time { return testNow }
					l := start(t, c)
					refresh(t, l)
					l.Close()
				}
				if test.change != nil {
					test.change(t, filepath.Join(dir, "state"))
				}
				os.Remove(filepath.Join(drop, "1.crl"))
				put(0, second)
				return dir
			}
			for at := 1; ; at++ {
				dir := prepare()
				steps, live, killed := stepRun(t, dir, at)
				if !slices.Equal(steps, test.steps[:min(at-1, len(test.steps))]) || killed != (at <= len(test.steps)) || live == killed {
					t.Fatalf("killed before step %d (%v, live: %v): steps %q", at, killed, live, steps)
				}
				c := stepConfig(t, dir)
				l := start(t, c)
				is10, number := revoked(l, a, a.certificate(t, 10, nil))
				is20, _ := revoked(l, a, a.certificate(t, 20, nil))
				named := slices.Contains(steps, "name record")
				switch {
				case named && (number != "2" || is10 || !is20), !named && !test.neither && (number != "1" || !is10 || is20), !named && test.neither && number != "":
					t.Errorf("killed before step %d: after %q list %q serves, and revokes %v, %v", at, steps, number, is10, is20)
				}
				// The next visit comes to the same end as if nothing had been.
				refresh(t, l)
				if _, number := revoked(l, a, a.certificate(t, 20, nil)); number != "2" {
					t.Errorf("killed before step %d: list %q serves in the end", at, number)
				}
				l.Close()
				var names []string
				for _, name := range stored(t, c.StateDir, "") {
					names = append(names, filepath.Ext(name))
				}
				slices.Sort(names)
				want := []string{"", ".crl", ".index", ".record"} // the lock
				if test.aside > 0 {
					want = slices.Insert(want, 0, "")
				}
				aside, _ := os.ReadDir(filepath.Join(c.StateDir, asideDir))
				if !slices.Equal(names, want) || len(aside) != test.aside {
					t.Errorf("killed before step %d: left are %v, and %v aside", at, stored(t, c.StateDir, ""), aside)
				}
				if !killed {
					return
				}
			}
		})
	}
}

// stepRun runs the child and returns the steps that it took.
func stepRun(t *testing.T, dir string, at int) (steps []string, live, killed bool) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestKilledAtEachStep$", "-test.timeout=60s")
	cmd.Env = append(os.Environ(), stepEnv+"="+strconv.Itoa(at), "DIR="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var other []string
	for lines := bufio.NewScanner(out); lines.Scan(); {
		switch step, ok := strings.CutPrefix(lines.Text(), "step "); {
		case ok:
			steps = append(steps, step)
		case lines.Text() == "live":
			live = true
		default:
			other = append(other, lines.Text())
		}
	}
	err = cmd.Wait()
	if killed = cmd.ProcessState.ExitCode() == -1; err != nil && !killed {
		t.Fatalf("the child failed: %v\n%s", err, strings.Join(other, "\n"))
	}
	return steps, live, killed
}
