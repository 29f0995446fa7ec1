package crl

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/tashika-jp/tashika/certs/pkix"
	"github.com/tashika-jp/tashika/certs/reason"
	"github.com/tashika-jp/tashika/certs/signature"
)

const pkits = "../../../shared/conformance/pkits"

type pkitsCase struct {
	ID       string
	Section  int
	Certs    []string
	Extra    []string `json:"extra_certs"`
	CRLs     []string
	Expected string
	Settings struct {
		At time.Time `json:"validation_time"`
	}
}

// bag is certificates and lists without a path engine: whoever has the name of a list's issuer may have signed it,
// unless he is revoked himself.
type bag struct {
	checker *Checker
	certs   []*pkix.Certificate // trust anchor first
}

func newBag(certs []*pkix.Certificate, lists []*List, o CheckOptions) *bag {
	b := &bag{certs: certs}
	o.Signers = b.signers
	b.checker = NewChecker(lists, o)
	return b
}

func (b *bag) signers(l *List) (out []Signer) {
	for i, c := range b.certs {
		if !c.Subject.Equal(l.Issuer) || i > 0 && b.checker.Status(c).Status >= OnHold {
			continue
		}
		if key, err := signature.NewPublicKey(c.PublicKeyAlgorithm, c.PublicKey); err == nil {
			out = append(out, Signer{c, key})
		}
	}
	return out
}

// TestPKITS: in every case of PKITS that is valid, the whole path is good; in every one that is invalid for its lists,
// something on it is not.
func TestPKITS(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(pkits, "cases.json"))
	if err != nil {
		t.Skip("no shared material: ", err)
	}
	var suite struct{ Cases []pkitsCase }
	if err := json.Unmarshal(text, &suite); err != nil {
		t.Fatal(err)
	}
	// Sections whose invalid cases are invalid for their lists.
	ours := []int{4, 5, 14, 15}
	unrelated := map[string]string{
		"4.1.4": "DSA", "4.1.5": "DSA", "4.1.6": "DSA",
		"4.5.8": "the issuer of the certificate may not issue certificates; its lists are fine",
	}
	// Why a status is unknown, where it is not a revocation.
	want := map[string][]reason.ID{
		"4.4.1": {reason.CRLMissing}, "4.4.4": {reason.CRLSignatureInvalid}, "4.4.5": {reason.CRLMissing}, "4.4.6": {reason.CRLMissing},
		"4.4.8": {reason.CRLUnknownCriticalExtension}, "4.4.9": {reason.CRLUnknownCriticalExtension}, "4.4.10": {reason.CRLUnknownCriticalExtension},
		"4.4.11": {reason.CRLStale}, "4.4.12": {reason.CRLStale}, "4.4.21": {reason.CRLSignerUnconfirmed},
		"4.14.3": {reason.CRLScopeMismatch}, "4.14.8": {reason.CRLScopeMismatch}, "4.14.9": {reason.CRLScopeMismatch},
		"4.14.11": {reason.CRLScopeMismatch}, "4.14.12": {reason.CRLScopeMismatch}, "4.14.14": {reason.CRLScopeMismatch},
		"4.14.17": {reason.CRLReasonsPartial}, "4.14.26": {reason.CRLMissing}, "4.14.27": {reason.CRLScopeMismatch},
		"4.14.35": {reason.CRLScopeMismatch},
		"4.15.1":  {reason.CRLIsDelta}, "4.15.10": {reason.CRLBaseMismatch, reason.CRLStale},
	}
	ran := 0
	for _, c := range suite.Cases {
		if unrelated[c.ID] != "" || c.Expected == "invalid" && !slices.Contains(ours, c.Section) {
			continue
		}
		t.Run(c.ID, func(t *testing.T) {
			ran++
			read := func(folder, name string) []byte { return must(os.ReadFile(filepath.Join(pkits, folder, name))) }
			var certs []*pkix.Certificate
			for _, name := range slices.Concat(c.Certs, c.Extra) {
				certs = append(certs, must(pkix.ParseCertificate(read("certs", name))))
			}
			var lists []*List
			for _, name := range c.CRLs {
				lists = append(lists, must(Parse(read("crls", name))))
			}
			for _, backwards := range []bool{false, true} {
				if backwards {
					slices.Reverse(lists)
				}
				b := newBag(certs, lists, CheckOptions{At: c.Settings.At, Allow: allowed})
				good := true
				var result Result
				for _, cert := range certs[1:len(c.Certs)] {
					if result = b.checker.Status(cert); result.Status != Good {
						good = false
						break
					}
				}
				if good != (c.Expected == "valid") {
					t.Errorf("want %s, got %+v", c.Expected, result)
				}
				found := slices.Sorted(slices.Values(result.Findings))
				if diff, named := want[c.ID]; (result.Status == Unknown) != named && !good || named && !slices.Equal(found, diff) {
					t.Errorf("findings %v, want %v", found, diff)
				}
			}
		})
	}
	t.Logf("%d cases", ran)
}
