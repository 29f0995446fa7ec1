package device

import (
	"strings"
	"testing"
)

func TestText(t *testing.T) {
	l, err := Load(nil)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, c := range []struct{ model, version, want string }{
		{"Pixel 10", "", "is supported"},
		{"iPhone 16", "18.5", "is supported"},
		{"iPhone 16", "18.4", "too old"},
		{"iPhone 16", "", "find out"},
		{"Nokia 3310", "", "may not have every"},
	} {
		ja, en := l.Text(l.Check(0, c.model, c.version))
		if !strings.Contains(en, c.want) || ja == "" {
			t.Errorf("%s %s: %s / %s", c.model, c.version, ja, en)
		}
		seen[ja] = true
	}
	if len(seen) != 4 {
		t.Errorf("%d different texts in Japanese", len(seen))
	}
}
