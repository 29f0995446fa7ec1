package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// This program starts itself again in another role: the server under test, the echo, or one step with a list, whose memory is
// then its own.
const (
	roleVariable = "TASHIKA_BENCH_ROLE"
	roleServer   = "server"
	roleEcho     = "echo"
	roleParts    = "parts"
	roleLoad     = "load"
	roleLookUp   = "lookup"
)

// process is a server in a process of its own.
type process struct {
	cmd     *exec.Cmd
	address string // of its gRPC door
}

// inRole is this program in a role, not yet started.
func inRole(ctx context.Context, role string, args ...string) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, args...)
	// All collect their garbage, and have places for goroutines, as tashikad does by default.
	cmd.Env = append([]string{"GOMAXPROCS=" + strconv.Itoa(runtime.GOMAXPROCS(0)+2)}, os.Environ()...)
	cmd.Env = append(cmd.Env, roleVariable+"="+role, "GOGC=400")
	cmd.Stderr = os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	return cmd, nil
}

// start starts this program in a role. The process prints its address on the first line.
func start(ctx context.Context, role string, args ...string) (*process, error) {
	cmd, err := inRole(ctx, role, args...)
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		p.stop()
		return nil, fmt.Errorf("the %s did not start", role)
	}
	p.address = strings.TrimSpace(line)
	return p, nil
}

func (p *process) stop() {
	_ = p.cmd.Process.Signal(os.Interrupt)
	_ = p.cmd.Wait()
}

// cpu is the processor time of the process so far, user and system, in the clock ticks of
// proc(5), which are hundredths of a second wherever Go runs.
func (p *process) cpu() (time.Duration, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	_, after, _ := strings.Cut(string(data), ") ") // the name before may hold anything
	fields := strings.Fields(after)
	if len(fields) < 13 {
		return 0, fmt.Errorf("unexpected %q", data)
	}
	user, err := strconv.ParseInt(fields[11], 10, 64)
	if err != nil {
		return 0, err
	}
	system, err := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * 10 * time.Millisecond, err
}

// do lets a process of its own do a task and tell its result, both JSON. It returns the most anonymous memory that it was
// seen to have.
func do(ctx context.Context, role, dir string, task, result any) (peak int64, err error) {
	text, err := json.Marshal(task)
	if err != nil {
		return 0, err
	}
	path := filepath.Join(dir, role+".task")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		return 0, err
	}
	cmd, err := inRole(ctx, role, path)
	if err != nil {
		return 0, err
	}
	var out bytes.Buffer
	cmd.Stdout = &out
	peak, err = watch(cmd, "RssAnon", 0)
	if err != nil {
		return 0, fmt.Errorf("the process of the role %q: %w", role, err)
	}
	return peak, json.Unmarshal(out.Bytes(), result)
}

// given reads the task of a process that do started.
func given(task any) error {
	text, err := os.ReadFile(os.Args[1])
	if err != nil {
		return err
	}
	return json.Unmarshal(text, task)
}

// sampling is how often the memory of a process is looked at.
const sampling = 5 * time.Millisecond

var errMemory = errors.New("it was stopped because it took too much memory")

// watch runs a command to its end and returns the largest value that a line of its /proc/PID/status was seen to have, in octets. If that
// goes beyond the bound (0: none), the command is stopped.
func watch(cmd *exec.Cmd, line string, bound int64) (most int64, err error) {
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	tick := time.NewTicker(sampling)
	defer tick.Stop()
	for exceeded := false; ; {
		select {
		case err := <-done:
			if exceeded {
				return most, errMemory
			}
			return most, err
		case <-tick.C:
			if now, err := memory(strconv.Itoa(cmd.Process.Pid), line); err == nil { // it may have ended
				most = max(most, now)
			}
			if bound > 0 && most > bound && !exceeded {
				exceeded = true
				_ = cmd.Process.Kill()
			}
		}
	}
}

// memory is a line of /proc/PID/status, in octets (proc(5)).
func memory(pid, line string) (int64, error) {
	data, err := os.ReadFile("/proc/" + pid + "/status")
	if err != nil {
		return 0, err
	}
	return kilobytes(string(data), line)
}

// kilobytes is the value of a line such as "RssAnon:  123 kB".
func kilobytes(text, line string) (int64, error) {
	_, after, found := strings.Cut("\n"+text, "\n"+line+":")
	if !found {
		return 0, fmt.Errorf("no %s", line)
	}
	value, _, _ := strings.Cut(after, "kB")
	n, err := strconv.ParseInt(strings.TrimSpace(value), 10, 64)
	return n << 10, err
}

// available is the memory that the machine has to spare.
func available() (int64, error) {
	data, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, err
	}
	return kilobytes(string(data), "MemAvailable")
}
