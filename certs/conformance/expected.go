package conformance

import (
	_ "embed" // expected_failures.txt
	"fmt"
	"strings"
)

//go:embed expected_failures.txt
var expectedFailuresText string

// Exception is a case that Tashika is known not to judge as its suite does.
type Exception struct {
	Suite, ID string
	Says      string // the reason that it gives, or "valid"
	Why       string
}

// Exceptions reads expected_failures.txt.
func Exceptions() ([]Exception, error) {
	var all []Exception
	for line := range strings.Lines(expectedFailuresText) {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		fields := strings.Fields(line)
		if len(fields) < 4 {
			return nil, fmt.Errorf("conformance: expected_failures.txt: %q has no reason", line)
		}
		all = append(all, Exception{fields[0], fields[1], fields[2], strings.Join(fields[3:], " ")})
	}
	return all, nil
}
