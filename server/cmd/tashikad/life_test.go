package main

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// command is the daemon with a command line (see TestMain).
func command(args ...string) *exec.Cmd {
	c := exec.Command(os.Args[0], args...)
	c.Env = append(os.Environ(), asDaemon+"=1")
	return c
}

// TestReloadAndEnd: serve, reload for better and for worse by SIGHUP, end by SIGTERM.
func TestReloadAndEnd(t *testing.T) {
	path := newJLIS(t).config
	d := command("-config", path)
	stderr, err := d.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Start(); err != nil {
		t.Fatal(err)
	}
	defer d.Process.Kill()
	lines := bufio.NewScanner(stderr)
	logged := func(message string) (line struct{ HTTP string }) {
		t.Helper()
		for lines.Scan() {
			if strings.Contains(lines.Text(), message) {
				if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
					t.Fatal(err)
				}
				return line
			}
		}
		t.Fatalf("the log ended before %q", message)
		return line
	}
	base := "http://" + logged(`"serving"`).HTTP
	ask := func(what, token string, code int) {
		t.Helper()
		request, err := http.NewRequest(http.MethodGet, base+"/v1/devices", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+token)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != code {
			t.Errorf("%s: %d, want %d", what, response.StatusCode, code)
		}
	}
	reload := func(from, to, message string) {
		t.Helper()
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(strings.ReplaceAll(string(text), from, to)), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := d.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		logged(message)
	}
	hash := func(token string) string {
		sum := sha256.Sum256([]byte(token))
		return hex.EncodeToString(sum[:])
	}
	const next = testToken + "2"
	ask("the first token", testToken, http.StatusOK)
	ask("the next token, too early", next, http.StatusUnauthorized)
	reload(hash(testToken), hash(next), "the new configuration serves")
	ask("the first token, withdrawn", testToken, http.StatusUnauthorized)
	ask("the next token", next, http.StatusOK)
	reload("listen:", "listn:", "the old one stays")
	ask("after a bad configuration", next, http.StatusOK)
	if err := d.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	logged(`"stopped"`)
	if err := d.Wait(); err != nil {
		t.Errorf("exit: %v", err)
	}
}

func TestCommandLine(t *testing.T) {
	bad := filepath.Join(t.TempDir(), "bad.yaml")
	if err := os.WriteFile(bad, []byte("colour: red"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		code int
		say  string
	}{
		{[]string{"-version"}, 0, "tashikad"},
		{nil, 2, "-config"},
		{[]string{"-config", bad, "more"}, 2, "-config"},
		{[]string{"-colour"}, 2, "colour"},
		{[]string{"-config", bad}, 1, "colour"},
		{[]string{"-config", bad + "x", "-check"}, 1, "no such file"},
	} {
		d := command(c.args...)
		out, _ := d.CombinedOutput()
		if d.ProcessState.ExitCode() != c.code || !strings.Contains(string(out), c.say) {
			t.Errorf("%v: %d %s", c.args, d.ProcessState.ExitCode(), out)
		}
	}
}
