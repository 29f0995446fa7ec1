package server

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
)

// crlOnly is a folder with a profile that offers lists only.
func crlOnly(t *testing.T) string {
	t.Helper()
	const name = "convenience-store-issuance.yaml"
	data, err := os.ReadFile(filepath.Join("..", "certs", "profile", name))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	data = regexp.MustCompile(`methods: \[.*\]`).ReplaceAll(data, []byte("methods: [CRL]"))
	if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func retryOf(err error) time.Duration {
	return detailOf[*errdetails.RetryInfo](err).GetRetryDelay().AsDuration()
}
