package conformance

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/tashika-jp/tashika/certs/validation"
)

var suites = sync.OnceValues(func() (map[string][]Case, error) {
	dir, err := Dir()
	if err != nil {
		return nil, err
	}
	all, err := Load(dir)
	byName := map[string][]Case{}
	for _, s := range all {
		byName[s.Name] = s.Cases
	}
	return byName, err
})

func theSuite(t *testing.T, name string) []Case {
	t.Helper()
	all, err := suites()
	if errors.Is(err, ErrAbsent) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return all[name]
}

// ask goes through the door that everybody has.
func ask(t testing.TB, l Line) Answer {
	t.Helper()
	question, err := json.Marshal(l)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := ReadAnswer(validation.Line(question, l.Time), l.ID)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// exceptions are those of a suite, each of which must be a case of it.
func exceptions(t *testing.T, suite string, cases []Case) map[string]Exception {
	t.Helper()
	all, err := Exceptions()
	if err != nil {
		t.Fatal(err)
	}
	ours := map[string]Exception{}
	for _, e := range all {
		if e.Suite != suite {
			continue
		}
		if !slices.ContainsFunc(cases, func(c Case) bool { return c.ID == e.ID }) {
			t.Errorf("expected_failures.txt: %s has no case %s", suite, e.ID)
		}
		ours[e.ID] = e
	}
	return ours
}

// judgeAll makes each case a subtest, and counts.
func judgeAll(t *testing.T, suite string, more func(*testing.T, Case, Answer)) {
	cases := theSuite(t, suite)
	listed := exceptions(t, suite, cases)
	var score Score
	verdicts := map[string]int{}
	for _, c := range cases {
		t.Run(c.ID+" "+c.Name, func(t *testing.T) {
			answer := ask(t, c.Line)
			verdicts[answer.Verdict]++
			if e, ok := listed[c.ID]; ok {
				if said := append(strings.Fields(answer.Why), answer.Verdict); answer.Accept == c.Valid && c.Valid || !slices.Contains(said, e.Says) {
					t.Errorf("expected to say %s (%s), says %v: strike it from expected_failures.txt, or see what has changed", e.Says, e.Why, said)
				}
				return
			}
			if !score.Add(c, answer) {
				t.Errorf("%s: %s; the suite expects valid: %t", answer.Verdict, answer.Why, c.Valid)
			}
			if !answer.Accept && answer.Why == "" {
				t.Error("refused without a reason")
			}
			more(t, c, answer)
		})
	}
	t.Logf("%s: %s; verdicts %v; listed as not judged: %d", suite, score, verdicts, len(listed))
}

// TestPKITS: all but the DSA cases, and the policies of what is valid.
func TestPKITS(t *testing.T) {
	judgeAll(t, "PKITS", func(t *testing.T, c Case, a Answer) {
		if a.Verdict == "malformed" {
			t.Error("everything in PKITS can be read")
		}
		if got := slices.Sorted(slices.Values(a.PolicySet)); c.Valid && !slices.Equal(got, slices.Sorted(slices.Values(c.PolicySet))) {
			t.Errorf("user-constrained-policy-set %v, the suite expects %v", got, c.PolicySet)
		}
	})
}

// TestPKITSOutOfScope: what is not counted is what the suite says needs DSA, no more.
func TestPKITSOutOfScope(t *testing.T) {
	cases := theSuite(t, "PKITS")
	var dsa, listed []string
	for _, c := range cases {
		if slices.Contains(c.Needs, "dsa") {
			dsa = append(dsa, c.ID)
		}
	}
	for id := range exceptions(t, "PKITS", cases) {
		listed = append(listed, id)
	}
	slices.Sort(listed)
	if want := []string{"4.1.4", "4.1.5", "4.1.6"}; !slices.Equal(dsa, want) || !slices.Equal(listed, want) {
		t.Errorf("cases with DSA %v, listed %v, want both %v", dsa, listed, want)
	}
}

// TestOCSP: all of them, with SHA-1 allowed, as everything in them is signed with it.
func TestOCSP(t *testing.T) {
	judgeAll(t, "OCSP", func(t *testing.T, _ Case, a Answer) {
		if a.Verdict == "malformed" {
			t.Error("everything in the set can be read")
		}
	})
}

// TestOCSPWithoutSHA1: none is accepted, and those that otherwise are, because of SHA-1.
func TestOCSPWithoutSHA1(t *testing.T) {
	for _, c := range theSuite(t, "OCSP") {
		t.Run(c.ID+" "+c.Name, func(t *testing.T) {
			c.AllowSHA1 = false
			answer := ask(t, c.Line)
			if answer.Accept || c.Valid && !strings.Contains(answer.Why, "CRYPTO_CONSTRAINTS_FAILURE") {
				t.Errorf("%s: %s", answer.Verdict, answer.Why)
			}
		})
	}
}

// TestWycheproof: what it calls acceptable is refused.
func TestWycheproof(t *testing.T) {
	judgeAll(t, "Wycheproof", func(*testing.T, Case, Answer) {})
}
