package conformance

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
	"strings"
)

// Tashika asks ours as anybody can: the command, built from the checkout that the working
// directory is in, as one process for a suite: tashika validate -batch.
type Tashika struct{}

// Name implements Judge.
func (Tashika) Name() string { return "Tashika" }

// Version is the checkout's revision.
func (Tashika) Version(ctx context.Context) (string, error) {
	if _, err := exec.LookPath("go"); err != nil {
		return "", fmt.Errorf("%w: go, which builds it", ErrNotInstalled)
	}
	revision, err := version(ctx, "git", "describe", "--always", "--dirty")
	if err != nil {
		revision = "unknown revision" // an unpacked archive can be measured as well
	}
	return revision, nil
}

// Judge implements Judge.
func (Tashika) Judge(ctx context.Context, cases []Case, done func()) ([]Answer, error) {
	dir, err := os.MkdirTemp("", "conformance")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	binary := filepath.Join(dir, "tashika")
	built, err := run(ctx, "go", "build", "-o", binary, "github.com/tashika-jp/tashika/client/cmd/tashika")
	if err != nil {
		return nil, err
	}
	if !built.ok {
		return nil, errors.New(built.text)
	}
	return batch(exec.CommandContext(ctx, binary, "validate", "-batch"), cases, done)
}

// batch writes the cases to a program as lines of JSON and reads a line of JSON for each.
func batch(command *exec.Cmd, cases []Case, done func()) ([]Answer, error) {
	var input, problems bytes.Buffer
	encoder := json.NewEncoder(&input)
	for _, c := range cases {
		if err := encoder.Encode(c.Line); err != nil {
			return nil, err
		}
	}
	command.Stdin, command.Stderr = &input, &problems
	out, err := command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := command.Start(); err != nil {
		return nil, err
	}
	var answers []Answer
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() && len(answers) < len(cases) && err == nil {
		var answer Answer
		if answer, err = ReadAnswer(lines.Bytes(), cases[len(answers)].ID); err == nil {
			answers = append(answers, answer)
			done()
		}
	}
	err = errors.Join(err, lines.Err(), command.Wait())
	if err == nil && len(answers) != len(cases) {
		err = fmt.Errorf("%d answers for %d lines", len(answers), len(cases))
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %s", filepath.Base(command.Path), err, problems.String())
	}
	return answers, nil
}

// ReadAnswer reads a line of output of `tashika validate -batch`.
func ReadAnswer(line []byte, id string) (Answer, error) {
	var out struct {
		ID, Verdict string
		Reasons     []string
		PolicySet   []string `json:"user_constrained_policy_set"`
	}
	if err := json.Unmarshal(line, &out); err != nil {
		return Answer{}, fmt.Errorf("%w in %q", err, line)
	}
	if out.ID != id {
		return Answer{}, fmt.Errorf("the answer is for %q, not %q", out.ID, id)
	}
	return Answer{
		Accept: out.Verdict == "valid", Verdict: out.Verdict, Why: strings.Join(out.Reasons, " "), PolicySet: out.PolicySet,
	}, nil
}
