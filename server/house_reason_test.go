package server_test

import (
	"go/ast"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"github.com/tashika-jp/tashika/certs/reason"
)

// A reason reaches a programmer by its id, an auditor by its rule, and the person at the
// counter by its text, in Japanese first: each of them must be there.
func TestReasonsAreComplete(t *testing.T) {
	form := regexp.MustCompile(`^[A-Z][A-Z0-9]*(_[A-Z0-9]+)*$`)
	seen := map[reason.ID]bool{}
	texts := map[string]reason.ID{}
	for _, r := range reason.All() {
		if seen[r.ID] {
			t.Errorf("%s stands twice", r.ID)
		}
		seen[r.ID] = true
		if !form.MatchString(string(r.ID)) || len(r.ID) > 63 {
			t.Errorf("%q is not UPPER_SNAKE", r.ID)
		}
		if reason.Get(r.ID) != r {
			t.Errorf("%s cannot be looked up", r.ID)
		}
		if r.Severity < reason.Warning || r.Severity > reason.Invalid {
			t.Errorf("%s: severity %d", r.ID, r.Severity)
		}
		if strings.TrimSpace(r.Spec) == "" {
			t.Errorf("%s names no rule", r.ID)
		}
		// ETSI EN 319 102-1 has sub-indications for what is not TOTAL-PASSED only.
		if (r.Severity == reason.Warning) != (r.SubIndication == "") || r.SubIndication != "" && !form.MatchString(r.SubIndication) {
			t.Errorf("%s: sub-indication %q", r.ID, r.SubIndication)
		}
		if !isJapanese(r.JA) || !strings.HasSuffix(r.JA, "。") {
			t.Errorf("%s: %q is no Japanese sentence", r.ID, r.JA)
		}
		if strings.ContainsFunc(r.EN, func(c rune) bool { return c > unicode.MaxASCII }) || !strings.HasSuffix(r.EN, ".") {
			t.Errorf("%s: %q is no English sentence", r.ID, r.EN)
		}
		for _, text := range []string{r.JA, r.EN} {
			if other, taken := texts[text]; taken {
				t.Errorf("%s and %s say the same: %s", r.ID, other, text)
			}
			texts[text] = r.ID
		}
	}
	// Every constant has its row: an id without one would reach a caller with no severity.
	for _, s := range house(t) {
		if s.dir != "certs/reason" || s.test {
			continue
		}
		ast.Inspect(s.ast, func(n ast.Node) bool {
			if spec, ok := n.(*ast.ValueSpec); ok && isIdent(spec.Type, "ID") {
				for _, v := range spec.Values {
					id, err := strconv.Unquote(v.(*ast.BasicLit).Value)
					if err != nil || !seen[reason.ID(id)] {
						t.Errorf("%s has no row in the table", id)
					}
					delete(seen, reason.ID(id))
				}
			}
			return true
		})
	}
	for id := range seen {
		t.Errorf("%s has a row but no constant", id)
	}
}

func isIdent(e ast.Expr, name string) bool {
	ident, ok := e.(*ast.Ident)
	return ok && ident.Name == name
}

// isJapanese wants kana: a sentence has particles, and characters alone could be Chinese.
func isJapanese(s string) bool {
	return strings.ContainsFunc(s, func(c rune) bool { return unicode.In(c, unicode.Hiragana) })
}
