package validation

import (
	"slices"

	"github.com/tashika-jp/tashika/certs/chain"
	"github.com/tashika-jp/tashika/certs/crl"
	"github.com/tashika-jp/tashika/certs/pkix"
	"github.com/tashika-jp/tashika/certs/reason"
	"github.com/tashika-jp/tashika/certs/signature"
)

// Validate judges a certificate.
func Validate(c *pkix.Certificate, m Material, r Rules) Result {
	j := newJudge(m, r)
	result := j.validate(c)
	result.conclude()
	return result
}

// judge is one question under way. Its budget is for the whole of it, signers of lists and responses too.
type judge struct {
	m        Material
	r        Rules
	anchors  []*chain.Anchor
	builder  *chain.Builder
	checkers map[*chain.Anchor]*crl.Checker
}

func newJudge(m Material, r Rules) *judge {
	j := &judge{m: m, r: r, checkers: map[*chain.Anchor]*crl.Checker{}}
	for _, c := range m.Anchors {
		// An anchor whose key is of no use has signed nothing.
		if key, err := signature.NewPublicKey(c.PublicKeyAlgorithm, c.PublicKey); err == nil {
			j.anchors = append(j.anchors, &chain.Anchor{Certificate: c, Key: key})
		}
	}
	j.builder = chain.NewBuilder(m.Intermediates, chain.Settings{
		At: r.At, Allow: r.allow(), Strict: r.Strict, TrustedIssuers: r.AnchorsAreTrustedIssuers,
	})
	return j
}

func (j *judge) validate(c *pkix.Certificate) Result {
	var result Result
	if j.r.ServerName != "" && !matchesServer(c, j.r.ServerName) {
		result.Reasons = append(result.Reasons, reason.ServerNameMismatch)
	}
	if j.r.Email != "" && !matchesEmail(c, j.r.Email) {
		result.Reasons = append(result.Reasons, reason.EmailMismatch)
	}
	// RFC 5280 section 4.1.2.7: a key that can check nothing is no subject's.
	if _, err := signature.NewPublicKey(c.PublicKeyAlgorithm, c.PublicKey); err != nil {
		result.Reasons = append(result.Reasons, reason.PublicKeyUnacceptable)
	}
	path, found := j.builder.Build(c, chain.Options{
		Anchors: j.anchors, Policies: j.r.Policies, ExtendedKeyUsages: j.r.ExtendedKeyUsages, MaxIntermediates: j.r.MaxIntermediates,
		Accept: func(p *chain.Path) []reason.ID {
			var status crl.Status
			var found []reason.ID
			if j.r.Revocation != NoRevocation {
				status, found = j.revocation(p, j.lists(p.Anchor))
			}
			if result.Path == nil || len(found) == 0 { // of several paths, the one that is accepted tells
				result.Path, result.Status = p, status
			}
			return found
		},
	})
	if path != nil {
		result.Policies = path.Policies
	}
	result.Reasons = append(result.Reasons, found...)
	return result
}

// conclude makes the verdict of the reasons, and puts them in order.
func (r *Result) conclude() {
	slices.Sort(r.Reasons)
	r.Reasons = slices.Compact(r.Reasons)
	slices.SortStableFunc(r.Reasons, func(a, b reason.ID) int {
		return int(reason.Get(b).Severity) - int(reason.Get(a).Severity)
	})
	r.Verdict = Valid
	if len(r.Reasons) > 0 {
		switch reason.Get(r.Reasons[0]).Severity {
		case reason.Invalid:
			r.Verdict = Invalid
		case reason.Indeterminate:
			r.Verdict = Indeterminate
		}
	}
}
