package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/tashika-jp/tashika/certs/conformance"
)

// TestTable: the judge that needs nothing is in the table, and its score is that of refusing.
func TestTable(t *testing.T) {
	if _, err := conformance.Dir(); errors.Is(err, conformance.ErrAbsent) {
		t.Skip(err)
	}
	var out, progress bytes.Buffer
	if err := run(t.Context(), []string{"-suite", "OCSP", "-judge", "Go", "-failures"}, &out, &progress); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"| OCSP | version | valid accepted | invalid rejected | right |",
		"| always reject |  | 0/13 | 45/45 | **45**/58 |",
		"| Go | go", "| 13/13 | 39/45 | **52**/58 |",
		"- openssl/41 (WRONG SUBJECT NAME",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("want %q in\n%s", want, out.String())
		}
	}
	if !strings.Contains(progress.String(), "OCSP, Go: valid accepted 13/13") {
		t.Errorf("progress: %s", progress.String())
	}
}
