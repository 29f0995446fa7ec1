package conformance

import (
	"errors"
	"flag"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var (
	worlds    = flag.Int("worlds", 1000, "how many generated worlds, and as many mutations, to put before every judge")
	firstSeed = flag.Uint64("seed", 0, "the first seed")
)

// few: the race detector makes it all slow and finds no more in the thousandth world than in
// the fiftieth.
func few(n int) int {
	if underRace {
		return max(n/20, 1)
	}
	return n
}

// disagreement is a class of cases in which another judge and ours differ, and why that is
// right. Whatever falls in no class fails.
type disagreement struct {
	judge   string
	accepts bool   // ours, and the other does not
	why     string // pattern: what the one that refuses says
	word    string // pattern: one of the world's words
	anchor  bool   // the other complains about the anchor
	reason  string
}

var disagreements = []disagreement{
	{judge: "OpenSSL", accepts: true, why: `^error 10 `, word: `^at its last second$`,
		reason: "RFC 5280 section 4.1.2.5: the validity includes notAfter. OpenSSL ends a second before it"},
	{judge: "OpenSSL", accepts: true, why: `^(\[CRL path\] )?error 12 `, word: `^list at its last second$`,
		reason: "RFC 5280 section 6.3.3 (a): a list is current until after nextUpdate. OpenSSL ends a second before it"},
	{judge: "OpenSSL", accepts: true, why: `error (7|8|10|18|20|35) `, word: `^(decoy of another key|expired twin|twin under an unknown anchor)$`,
		reason: "OpenSSL follows the first issuer of a fitting name and never goes back; RFC 5280 section 6.1 is of any path"},
	{judge: "OpenSSL", accepts: true, why: `^error (7|8|19|20|35|44) `, word: `^self-issued$`,
		reason: "the same: of two authorities of one name OpenSSL tries one, or takes a self-issued certificate for an untrusted root"},
	{judge: "OpenSSL", accepts: true, why: `^(\[CRL path\] )?error 18 `, word: `^(self-issued|end entity of its issuer's name)$`,
		reason: "OpenSSL takes a certificate of one name twice, without an authority key identifier, for self-signed. It is self-issued only"},
	{judge: "OpenSSL", accepts: true, why: `^error 20 `, word: `^authority key identifier of another key$`,
		reason: "RFC 5280 section 4.2.1.1: the identifier helps to find an issuer. No step of section 6.1 compares it"},
	{judge: "OpenSSL", accepts: true, why: `^error \d+ at \d+ depth`, anchor: true,
		reason: "-crl_check_all asks for the anchor's status as well. RFC 5280 section 6.1: it is no certificate of the path"},
	{judge: "OpenSSL", accepts: true, why: `^\[CRL path\] error (10|18|44|54) `, word: `^self-issued$`,
		reason: "OpenSSL asks the anchor's status here too, and follows no path to a list's signer from within another such path"},
	{judge: "OpenSSL", accepts: true, why: `^error 23 `, word: `^delta that nothing points to$`,
		reason: "RFC 5280 section 6.3.3 (c): a delta that fits its base is used. OpenSSL wants freshestCRL to point to it"},
	{judge: "OpenSSL", accepts: false, why: `^(ISSUER_)?REVOKED`, word: `^delta that nothing points to$`,
		reason: "the same, to the worse"},
	{judge: "OpenSSL", accepts: false, why: `^NAME_CONSTRAINTS_VIOLATED$`, word: `^URI with user information$`,
		reason: "RFC 5280 section 4.2.1.10: the constraint is of the host. OpenSSL takes the user before it for a part"},
	{judge: "OpenSSL", accepts: true, why: `^error (47|48) `, word: `^URI with user information$`, reason: "the same"},
	{judge: "OpenSSL", accepts: true, why: `^error (47|48) `, word: `^e-mail address in the subject$`,
		reason: "RFC 5280 section 4.2.1.10: an e-mail constraint is of the subject's address where there are no alternative names. OpenSSL asks for it always"},
	{judge: "OpenSSL", accepts: false, why: `^EXPLICIT_POLICY_REQUIRED$`, word: `^policies mapped$`,
		reason: "RFC 5280 section 6.1.4 (b)(1): a mapping is of policies that the path has come to. Beside anyPolicy OpenSSL takes it for an assertion"},
	{judge: "OpenSSL", accepts: false, why: `^POLICY_MAPPING_INVALID$`, word: `^anyPolicy mapped$`,
		reason: "RFC 5280 section 6.1.4 (a): anyPolicy is never mapped. OpenSSL reads mappings only beside policies"},
	{judge: "OpenSSL", accepts: false, why: `.`, word: `^an extension twice$`,
		reason: "RFC 5280 section 4.2: no more than one instance of an extension. OpenSSL minds it in some of them only"},

	// Mutations.
	{judge: "OpenSSL", accepts: false, why: `FORMAT_FAILURE`, word: `^changed (certificate|list)$`,
		reason: "OpenSSL reads BER, unused rest, empty sequences, extensions in version 1, and what it does not use not at all. X.690 section 10 and RFC 5280 appendix A have none of it"},
	{judge: "OpenSSL", accepts: false, why: `.`, word: `^unreadable authority$`, reason: "the same in an authority's certificate"},
	{judge: "OpenSSL", accepts: false, why: `^CRL_(NEXT_UPDATE_MISSING|REASONS_PARTIAL|IS_DELTA)`, word: `^changed list$`,
		reason: "the same in a list; and RFC 5280 section 5.1.2.5: nextUpdate must be there"},
	{judge: "OpenSSL", accepts: true, why: `error (3|10|18|19|20|54) `, word: `^key identifier changed$`,
		reason: "RFC 5280 section 4.2.1.1: identifiers help to find an issuer. No step of section 6.1 compares them"},
	{judge: "OpenSSL", accepts: false, why: `FORMAT_FAILURE`, word: `^changed phone$`,
		reason: "encoded in another way around what is signed: OpenSSL reads BER there. X.690 section 10 has one encoding"},
	{judge: "OpenSSL", accepts: false, why: `^CRL_SCOPE_MISMATCH$`, word: `^odd name$`,
		reason: "OpenSSL takes a list whose distribution point has another name, of which an attribute is no string"},
	{judge: "OpenSSL", accepts: false, why: `^PUBLIC_KEY_UNACCEPTABLE$`, word: `^changed certificate$`,
		reason: "OpenSSL does not ask whether the key of the last certificate is one"},

	{judge: "Go", accepts: true, why: `unhandled critical extension$`, word: `^directoryName constraint$`,
		reason: "RFC 5280 section 4.2.1.10: directoryName constraints must be processed. crypto/x509 cannot"},
	{judge: "Go", accepts: false, why: `^NAME_CONSTRAINTS_VIOLATED$`, word: `^directoryName constraint$`,
		reason: "the same, where the extension is not critical"},
	{judge: "Go", accepts: false, why: `^NAME_CONSTRAINTS_VIOLATED$`, word: `^e-mail constraint$`,
		reason: "RFC 5280 section 4.2.1.10: an e-mail constraint without a period before it is of one host. To crypto/x509 it is not"},
	{judge: "Go", accepts: true, why: `URI .* is excluded`, word: `^URI constraint$`,
		reason: "the same for hosts of URIs"},
	{judge: "Go", accepts: false, why: `^NAME_CONSTRAINTS_VIOLATED$`, word: `^URI constraint$`, reason: "the same"},
	{judge: "Go", accepts: true, why: `email address .* is excluded`, word: `^e-mail constraint$`, reason: "the same"},
	{judge: "Go", accepts: false, why: `^POLICY_MAPPING_INVALID$`, word: `^anyPolicy mapped$`,
		reason: "RFC 5280 section 6.1.4 (a): anyPolicy is never mapped. crypto/x509 lets it, where the tree is empty"},
}

func (d disagreement) explains(judge string, c Case, ours, theirs Answer) bool {
	why := theirs.Why
	if !ours.Accept {
		why = ours.Why
	}
	if d.judge != judge || d.accepts != ours.Accept || !regexp.MustCompile(d.why).MatchString(why) {
		return false
	}
	if d.anchor {
		_, rest, _ := strings.Cut(why, " at ")
		number, _, _ := strings.Cut(rest, " depth")
		depth, err := strconv.Atoi(number)
		return err == nil && slices.Contains(c.Needs, anchorAt(depth))
	}
	return slices.ContainsFunc(c.Needs, regexp.MustCompile(d.word).MatchString)
}

// answersOf are a judge's, if it is installed.
func answersOf(t *testing.T, j Judge, cases []Case) []Answer {
	t.Helper()
	if _, err := j.Version(t.Context()); errors.Is(err, ErrNotInstalled) {
		t.Skip(err)
	}
	answers, err := j.Judge(t.Context(), cases, func() {})
	if err != nil {
		t.Fatal(err)
	}
	return answers
}

// compare asks a judge and ours, and sorts what they differ in.
func compare(t *testing.T, j Judge, cases []Case) {
	t.Helper()
	answers := answersOf(t, j, cases)
	both, neither, unexplained := 0, 0, 0
	counts := make([]int, len(disagreements))
	for i, c := range cases {
		ours, theirs := ask(t, c.Line), answers[i]
		switch {
		case ours.Accept && theirs.Accept:
			both++
		case !ours.Accept && !theirs.Accept:
			neither++
		default:
			class := slices.IndexFunc(disagreements, func(d disagreement) bool { return d.explains(j.Name(), c, ours, theirs) })
			if class >= 0 {
				counts[class]++
				continue
			}
			if unexplained++; unexplained <= 20 {
				t.Errorf("%s (%s): ours %s %q, %s accepts: %t %q", c.ID, strings.Join(c.Needs, "; "), ours.Verdict, ours.Why, j.Name(), theirs.Accept, theirs.Why)
			}
		}
	}
	t.Logf("%s: %d cases, both accept %d, both refuse %d, unexplained %d", j.Name(), len(cases), both, neither, unexplained)
	for i, d := range disagreements {
		if counts[i] > 0 {
			t.Logf("%d differ: %s", counts[i], d.reason)
		}
	}
}

func generated() (cases []Case) {
	for i := range few(*worlds) {
		cases = append(cases, generate(*firstSeed+uint64(i)))
	}
	return cases
}

// TestDifferentialOpenSSL: openssl verify, on everything that the grammar writes.
func TestDifferentialOpenSSL(t *testing.T) { compare(t, OpenSSL{}, generated()) }

// TestDifferentialGo: crypto/x509, on what it does by the RFC: no policy settings, lists,
// names that have to be prepared, or self-issued certificates.
func TestDifferentialGo(t *testing.T) {
	var cases []Case
	beyond := func(word string) bool { return word == "name restyled" || word == "self-issued" }
	for _, c := range generated() {
		p := c.Policy
		if c.Revocation == "none" && !p.RequireExplicitPolicy && !p.InhibitPolicyMapping && !p.InhibitAnyPolicy && !slices.ContainsFunc(c.Needs, beyond) {
			cases = append(cases, c)
		}
	}
	compare(t, Go{}, cases)
}
