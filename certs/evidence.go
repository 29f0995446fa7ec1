package certs

import (
	"context"
	"time"

	"github.com/tashika-jp/tashika/certs/chain"
	"github.com/tashika-jp/tashika/certs/crl"
	"github.com/tashika-jp/tashika/certs/ocsp"
	"github.com/tashika-jp/tashika/certs/profile"
	"github.com/tashika-jp/tashika/certs/reason"
	"github.com/tashika-jp/tashika/certs/signature"
)

// evidence is the stage of everything that proves: lists, signatures, OCSP. The list at
// hand is looked at first, because it is cheap; OCSP last, because it is dear and because
// nobody's forged certificate shall make us ask.
func (r *run) evidence(ctx context.Context) {
	method := r.p.Method
	steps := method.Steps()
	var room [2]result
	results := room[:len(steps)]
	for i, step := range steps {
		if step == profile.CRL {
			results[i] = r.lookUp()
		}
	}
	confirmed, held := r.signatures()
	settled, tried := false, false
	for i, step := range steps {
		id := CheckRevocationList
		if step == profile.OCSP {
			id = CheckOCSP
		}
		// A status is nobody's while the issuer is not confirmed; a network is not asked for a
		// signature that is wrong.
		if settled || !confirmed || step == profile.OCSP && !held {
			continue
		}
		if step == profile.OCSP {
			results[i] = r.ask(ctx)
		}
		r.explain(id, results[i].findings...)
		if r.v.Evidence = results[i].evidence; r.v.Evidence.Status != Unknown {
			r.v.Evidence.Fallback = tried
			settled = true
		} else if i > 0 && r.v.Evidence.Method == 0 {
			r.v.Evidence = results[0].evidence // keep what there is, to tell its age
		}
		tried = true
	}
	r.later(steps, results)
	r.status(results, settled, confirmed)
}

// later prefers a list at hand that revokes or holds to a responder's "good" that is of an earlier time: what is later is the truth,
// whichever was asked first. A "good" that is later than the list stands, because a hold is released.
func (r *run) later(steps []profile.Method, results []result) {
	for i, step := range steps {
		list := results[i].evidence
		if step == profile.CRL && list.Status > Good && r.v.Evidence.Method == profile.OCSP && r.v.Evidence.Status == Good &&
			list.ThisUpdate.After(r.v.Evidence.ThisUpdate) {
			r.explain(CheckRevocationList)
			r.v.Evidence = list
		}
	}
}

// status turns what was found into the verdict's reasons.
func (r *run) status(results []result, settled, confirmed bool) {
	switch {
	case !confirmed:
	case !settled:
		var all []reason.ID
		for _, result := range results {
			all = append(all, result.findings...)
		}
		if len(all) > 0 { // none if OCSP alone was not asked, because the holder's signature is wrong
			r.check(CheckRevocationStatusFound, all...)
		}
	case r.v.Evidence.Status == Revoked:
		r.check(CheckRevocationStatusFound, reason.Revoked)
	case r.v.Evidence.Status == OnHold:
		r.check(CheckRevocationStatusFound, reason.OnHold)
	default:
		r.check(CheckRevocationStatusFound, when(r.v.Evidence.Fallback, reason.RevocationFallbackUsed)...)
	}
}

// signatures checks the issuer's and the holder's at once, because two cost no more than one (signature.VerifyAll). The issuer's is not
// checked again if it is remembered as that of this very anchor.
func (r *run) signatures() (confirmed, held bool) {
	var checks [2]signature.Check
	var errs [2]error
	n := 0
	var issuerErr error
	remembered := r.known != nil && r.known.issuer == r.v.Issuer
	if !remembered {
		if checks[0], issuerErr = chain.SignatureCheck(r.c, r.v.Issuer); issuerErr == nil {
			n = 1
		}
	}
	holders := n
	if s := r.p.Signature; s != nil {
		checks[n] = signature.Check{Key: r.key, Algorithm: s.Algorithm, Message: s.Message, Digest: s.Digest, Signature: s.Value}
		n++
	}
	signature.VerifyAll(checks[:n], errs[:n])
	if holders == 1 {
		issuerErr = errs[0]
	}
	r.remember(remembered, issuerErr)
	confirmed = r.check(CheckCertificateSignature, when(issuerErr != nil, reason.CertificateSignatureInvalid)...)
	if r.p.Signature == nil {
		return confirmed, true
	}
	return confirmed, r.check(CheckHolderSignature, when(errs[holders] != nil, reason.SigCryptoFailure)...)
}

// remember keeps a certificate whose issuer's signature was checked and right. One that came in a CMS message would keep all of that with it.
func (r *run) remember(already bool, issuerErr error) {
	r.t.Cache.count(already)
	if r.t.Cache != nil && !already && issuerErr == nil && (r.p.Signature == nil || !r.p.Signature.CMS) {
		r.t.Cache.put(&known{r.c, r.key, r.v.Issuer})
	}
}

// result is what one method found: a status, or findings that leave it unknown.
type result struct {
	evidence Evidence
	findings []reason.ID
}

// maxAge is the profile's bound, tightened by the caller's.
func (r *run) maxAge(bound time.Duration) time.Duration {
	if r.p.MaxAge > 0 {
		return min(bound, r.p.MaxAge)
	}
	return bound
}

// lookUp finds the status in the list for the certificate's distribution point.
func (r *run) lookUp() result {
	index, source := r.t.Revocation.List(r.v.Issuer, r.c)
	if index == nil {
		// RFC 5280 section 6.3.3: without a list in scope the status is undetermined.
		return result{findings: []reason.ID{reason.CRLMissing}}
	}
	out := result{evidence: Evidence{
		Method: profile.CRL, ThisUpdate: index.ThisUpdate(), NextUpdate: index.NextUpdate(),
		CRLNumber: index.Number(), Source: source,
	}}
	// RFC 5280 section 6.3.3 (b)(2): asked here again, although the look-up was for this scope,
	// because a list of another partition would say "good" of everybody. So would one that should be
	// a partition's and does not say so (TestListWithoutPartition).
	nameless := index.Scope() == nil && r.t.Profile.Revocation.CRLPartitionRequired
	if nameless || !index.Covers(r.c) {
		out.findings = append(out.findings, reason.CRLScopeMismatch)
	}
	age := r.maxAge(r.t.Profile.Revocation.CRLMaxAge)
	out.findings = append(out.findings, index.CheckTimes(r.t.Now, r.t.Profile.ClockSkew, age)...)
	if len(out.findings) > 0 {
		return out
	}
	switch entry, revoked, err := index.Lookup(r.c.SerialNumber); {
	case err != nil: // whatever it says is not what the issuer said
		out.findings = []reason.ID{reason.CRLIndexDamaged}
	case revoked:
		out.evidence.revoke(entry.Reason, entry.RevocationTime)
	default:
		out.evidence.Status = Good
	}
	return out
}

// ask finds the status by OCSP.
func (r *run) ask(ctx context.Context) result {
	rules := r.t.Profile.Revocation
	answer, source, findings := r.t.Revocation.Ask(ctx, Question{
		Issuer: r.v.Issuer, Certificate: r.c, Timeout: rules.OCSPTimeout, Reuse: r.maxAge(rules.OCSPReuse),
		Options: ocsp.Options{
			At: r.t.Now, Skew: r.t.Profile.ClockSkew, MaxAge: r.maxAge(rules.OCSPMaxAge),
			RequireNonce: rules.OCSPNonceRequired, Allow: signature.AllowList(r.t.Profile.IssuerSignatures),
		},
	})
	if answer == nil || len(findings) > 0 {
		if len(findings) == 0 {
			findings = []reason.ID{reason.OCSPUnavailable}
		}
		return result{findings: findings}
	}
	out := result{evidence: Evidence{
		Method: profile.OCSP, ThisUpdate: answer.ThisUpdate, NextUpdate: answer.NextUpdate, Source: source,
	}}
	switch answer.Status {
	case ocsp.Good:
		out.evidence.Status = Good
	case ocsp.Revoked:
		out.evidence.revoke(answer.Reason, answer.RevocationTime)
	default:
		out.findings = []reason.ID{reason.OCSPStatusUnknown}
	}
	return out
}

// revoke: hold is a state of its own, because it can be released.
func (e *Evidence) revoke(why crl.Reason, when time.Time) {
	e.Status, e.Reason, e.RevocationTime = Revoked, why, when
	if why == crl.CertificateHold {
		e.Status = OnHold
	}
}
