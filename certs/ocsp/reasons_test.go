package ocsp

import (
	"bytes"
	"crypto/x509"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tashika-jp/tashika/certs/pkix"
	"github.com/tashika-jp/tashika/certs/reason"
)

// TestEveryReasonIsProven: each reason that this package can give is given alone by a response that is right in all else,
// and none is in the source without standing here.
func TestEveryReasonIsProven(t *testing.T) {
	a, r := theCA(), theRequest()
	status := options
	status.ResponderStatus = func(*pkix.Certificate) []reason.ID { return []reason.ID{reason.OCSPResponderRevoked} }
	type proof struct {
		o      Options
		change func(*responseSpec)
	}
	one := func(change func(*singleSpec)) func(*responseSpec) {
		return func(s *responseSpec) { change(&s.singles[0]) }
	}
	proofs := map[string]proof{
		"OCSPFormatFailure":            {options, func(s *responseSpec) { s.end = null }},
		"OCSPCertIDMismatch":           {options, func(s *responseSpec) { s.singles = nil }},
		"OCSPConflict":                 {options, func(s *responseSpec) { s.singles = append(s.singles, s.singles[0]); s.singles[1].status = unknown }},
		"OCSPNonceMismatch":            {options, func(s *responseSpec) { s.extensions = [][]byte{nonceExtension([]byte{1})} }},
		"OCSPNonceMissing":             {options, func(s *responseSpec) { s.extensions = nil }},
		"OCSPResponderUnauthorized":    {options, func(s *responseSpec) { s.responder = wrap(explicit(1), name("CN=x")) }},
		"OCSPSignatureInvalid":         {options, func(s *responseSpec) { s.key = strangersKey() }},
		"OCSPAlgorithmRefused":         {Options{At: now, MaxAge: time.Hour}, func(*responseSpec) {}},
		"OCSPUnknownCriticalExtension": {options, func(s *responseSpec) { s.extensions = append(s.extensions, extension("1.2.3", true, nil)) }},
		"OCSPNotYetValid":              {options, one(func(s *singleSpec) { s.this = generalized(now.Add(2 * time.Minute)) })},
		"OCSPStale":                    {options, one(func(s *singleSpec) { s.next = generalized(now.Add(-2 * time.Minute)) })},
		"OCSPTooOld":                   {options, one(func(s *singleSpec) { s.this = generalized(now.Add(-2 * time.Hour)) })},
		"OCSPStatusUnknown":            {options, func(s *responseSpec) { s.producedAt = generalized(now.AddDate(-1, 0, 0)) }},
		"OCSPResponderNotValidNow": {options, func(s *responseSpec) {
			d := a.delegate(func(c *x509.Certificate) { c.NotAfter = now.AddDate(0, 0, -1) })
			s.responder, s.key, s.certificates = byKey(d), delegateKey(), [][]byte{d.Raw}
		}},
		"OCSPResponderRevoked": {status, func(s *responseSpec) {
			d := a.delegate(nil)
			s.responder, s.key, s.certificates = byKey(d), delegateKey(), [][]byte{d.Raw}
		}},
	}
	for field, p := range proofs {
		s := a.conforming(r, nil)
		p.change(s)
		want := reason.ID("OCSP_" + constantCase(strings.TrimPrefix(field, "OCSP")))
		if reason.Get(want).ID != want {
			t.Fatal("no such reason: ", want)
		}
		refuse(t, field, s, p.o, want)
	}
	if _, found := judge(t, responseDER(3, nil), options); !slices.Equal(found, []reason.ID{reason.OCSPUnsuccessful}) {
		t.Errorf("unsuccessful: %v", found)
	}
	proofs["OCSPUnsuccessful"] = proof{}
	delete(proofs, "OCSPResponderRevoked") // the caller's, through ResponderStatus
	if got, want := slices.Sorted(maps.Keys(proofs)), reasonsInSource(t); !slices.Equal(got, want) {
		t.Errorf("proven %v, in the source %v", got, want)
	}
}

// constantCase turns CertIDMismatch into CERT_ID_MISMATCH.
func constantCase(s string) string {
	var b bytes.Buffer
	for i, c := range s {
		if i > 0 && c >= 'A' && c <= 'Z' && s[i-1] >= 'a' {
			b.WriteByte('_')
		} else if c >= 'A' && c <= 'Z' && i+1 < len(s) && i > 0 && s[i+1] >= 'a' {
			b.WriteByte('_')
		}
		b.WriteRune(c)
	}
	return strings.ToUpper(b.String())
}

func reasonsInSource(t *testing.T) []string {
	files := must(filepath.Glob("*.go"))
	found := map[string]bool{}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		ast.Inspect(must(parser.ParseFile(token.NewFileSet(), file, nil, 0)), func(n ast.Node) bool {
			if s, is := n.(*ast.SelectorExpr); is {
				if x, is := s.X.(*ast.Ident); is && x.Name == "reason" && strings.HasPrefix(s.Sel.Name, "OCSP") {
					found[s.Sel.Name] = true
				}
			}
			return true
		})
	}
	if len(found) == 0 {
		t.Fatal("nothing found in the source")
	}
	return slices.Sorted(maps.Keys(found))
}
