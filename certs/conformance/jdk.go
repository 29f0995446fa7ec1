package conformance

import (
	"context"
	_ "embed" // Judge.java
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
)

//go:embed Judge.java
var judgeJava []byte

// JDK asks Java's own PKIX and signature providers through Judge.java, one process for a
// suite. It is started from source: `java` alone must be a JDK.
type JDK struct{}

// Name implements Judge.
func (JDK) Name() string { return "JDK" }

// Version implements Judge.
func (JDK) Version(ctx context.Context) (string, error) {
	return version(ctx, "java", "--version")
}

// Judge implements Judge.
func (JDK) Judge(ctx context.Context, cases []Case, done func()) ([]Answer, error) {
	if slices.ContainsFunc(cases, func(c Case) bool { return c.ServerName != "" }) {
		return nil, fmt.Errorf("%w: no public check of a server's name but that of a connection", ErrNoCheck)
	}
	dir, err := os.MkdirTemp("", "conformance")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	source := filepath.Join(dir, "Judge.java")
	if err := os.WriteFile(source, judgeJava, 0o600); err != nil {
		return nil, err
	}
	return batch(exec.CommandContext(ctx, "java", source), cases, done)
}
