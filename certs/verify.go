package certs

import (
	"context"
	"slices"
	"time"

	"github.com/tashika-jp/tashika/certs/anchors"
	"github.com/tashika-jp/tashika/certs/chain"
	"github.com/tashika-jp/tashika/certs/pkix"
	"github.com/tashika-jp/tashika/certs/profile"
	"github.com/tashika-jp/tashika/certs/reason"
	"github.com/tashika-jp/tashika/certs/signature"
)

// Verify checks what was presented against what is trusted. It always returns a verdict. It
// waits for nothing but OCSP, and there no longer than the profile and the context allow.
func Verify(ctx context.Context, p Presented, t Trust) *Verdict {
	var told struct { // with its explanation, in one piece of memory
		Verdict
		checks [len(checkTable)]Check
	}
	told.Profile, told.Time, told.Checks = t.Profile.Name(), t.Now, told.checks[:0]
	r := &run{p: p, t: t, c: p.Certificate, v: &told.Verdict}
	if r.known = t.Cache.find(r.c.Raw); r.known != nil {
		r.c = r.known.certificate
	}
	r.challenge()
	if !r.failed() {
		r.certificate()
	}
	if !r.failed() {
		r.evidence(ctx)
	}
	return r.conclude()
}

// run is one verification under way.
type run struct {
	p     Presented
	t     Trust
	c     *pkix.Certificate
	known *known // what is remembered of c; nil if nothing
	key   *signature.PublicKey
	v     *Verdict

	made [len(checkTable)]bool // by CheckID
}

// failed says whether nothing more can make the verdict better.
func (r *run) failed() bool { return worst(r.v.Reasons) == reason.Invalid }

// check notes a check and its findings, which go into the verdict.
func (r *run) check(id CheckID, findings ...reason.ID) bool {
	r.v.Reasons = append(r.v.Reasons, findings...)
	return r.explain(id, findings...)
}

// explain notes a check whose findings do not decide by themselves.
func (r *run) explain(id CheckID, findings ...reason.ID) bool {
	outcome := Passed
	switch worst(findings) {
	case reason.Invalid:
		outcome = Failed
	case reason.Indeterminate:
		outcome = Undecided
	}
	r.made[id] = true
	r.v.Checks = append(r.v.Checks, Check{ID: id, Outcome: outcome, Reasons: findings})
	return outcome == Passed
}

// skipRest notes, at the end, the checks that were never made: a stage had failed before, or there
// was nothing left to ask.
func (r *run) skipRest() {
	methods := r.p.Method.Steps()
	for id := CheckChallenge; int(id) < len(checkTable); id++ {
		applies := true
		switch id {
		case CheckChallenge:
			applies = r.p.Signature != nil && r.t.Profile.Signs == profile.Challenge
		case CheckHolderAlgorithm, CheckHolderSignature:
			applies = r.p.Signature != nil
		case CheckCMS:
			applies = r.p.Signature != nil && r.p.Signature.CMS
		case CheckHolderAttributes:
			applies = r.t.Profile.HolderAttributes
		case CheckRevocationList:
			applies = slices.Contains(methods, profile.CRL)
		case CheckOCSP:
			applies = slices.Contains(methods, profile.OCSP)
		}
		if applies && !r.made[id] {
			r.v.Checks = append(r.v.Checks, Check{ID: id, Outcome: Skipped})
		}
	}
}

// worst is the gravest severity of some findings; 0 if there are none.
func worst(findings []reason.ID) reason.Severity {
	var out reason.Severity
	for _, id := range findings {
		out = max(out, reason.Get(id).Severity)
	}
	return out
}

// when returns the id if the condition holds, for check's list of findings.
func when(condition bool, id reason.ID) []reason.ID {
	if condition {
		return []reason.ID{id}
	}
	return nil
}

// challenge is the first stage: a challenge that was not consumed by this very request
// ends everything.
func (r *run) challenge() {
	if r.p.Signature != nil && r.t.Profile.Signs == profile.Challenge {
		r.check(CheckChallenge, r.p.Challenge...)
	}
}

// certificate is the stage of all that the certificate itself says, without cryptography.
func (r *run) certificate() {
	c, now := r.c, r.t.Now
	r.check(CheckVersion, when(c.Version != 3, reason.VersionNot3)...)
	// RFC 5280 section 4.1.2.2: a positive integer of up to 20 octets.
	serial := c.SerialNumber
	positive := len(serial) > 0 && serial[0]&0x80 == 0 && !(len(serial) == 1 && serial[0] == 0)
	r.check(CheckSerialNumber, when(!positive || len(serial) > 20, reason.SerialNumberUnacceptable)...)
	r.check(CheckCriticalExtensions, when(len(c.UnknownCritical) > 0 || c.PathCritical, reason.UnknownCriticalExtension)...)
	r.check(CheckBasicConstraints, when(c.IsCA, reason.CACertificate)...)
	r.issuer()
	r.kind()
	r.check(CheckDistributionPoint, when(partition(c) == nil, reason.DistributionPointMismatch)...)
	// RFC 5280 section 4.1.2.5: valid through notAfter, inclusive. No skew for the end: an expired
	// certificate is expired.
	validity := when(now.After(c.NotAfter.Add(time.Second-1)), reason.Expired)
	validity = append(validity, when(now.Add(r.t.Profile.ClockSkew).Before(c.NotBefore), reason.NotYetValid)...)
	r.check(CheckValidity, validity...)
	r.algorithms()
	if r.t.Profile.HolderAttributes {
		r.attributes()
	}
}

func (r *run) issuer() {
	issuer, findings := chain.FindIssuer(r.c, r.t.Anchors, r.t.Now)
	r.v.Issuer = issuer
	r.check(CheckIssuer, findings...)
	if issuer == nil {
		return
	}
	r.check(CheckIssuerCertificate, chain.CheckIssuer(issuer, r.t.Now)...)
}

// kind checks what makes the certificate one of its kind, and that the use accepts it.
func (r *run) kind() {
	c := r.c
	if r.v.Issuer == nil { // a policy means something only together with the authority
		return
	}
	r.v.Kind = kindOf(c, r.t.Anchors, r.v.Issuer)
	policy := when(r.v.Kind == 0, reason.PolicyUnknown)
	policy = append(policy, when(!c.PoliciesCritical, reason.PolicyNotCritical)...)
	r.check(CheckPolicy, policy...)
	if r.v.Kind != 0 {
		r.check(CheckKind, when(!slices.Contains(r.t.Profile.Kinds, r.v.Kind), reason.WrongKind)...)
	}
	// JPKI certificate profile: exactly digitalSignature, for signatures with
	// nonRepudiation, critical.
	usage := pkix.DigitalSignature
	if r.v.Issuer.CA == anchors.Sign {
		usage |= pkix.NonRepudiation
	}
	r.check(CheckKeyUsage, when(c.KeyUsage != usage || !c.KeyUsageCritical, reason.KeyUsageMismatch)...)
	// Only user authentication is known to have an extended key usage: clientAuth.
	wrongEKU := r.v.Issuer.CA == anchors.Auth && len(c.ExtendedKeyUsages) > 0 && !slices.Contains(c.ExtendedKeyUsages, oidClientAuth)
	r.check(CheckExtendedKeyUsage, when(wrongEKU, reason.ExtendedKeyUsageMismatch)...)
}

var oidClientAuth = pkix.MustOID("1.3.6.1.5.5.7.3.2")

// kindOf is the kind that issuer and policy make: exactly one policy, and a known one.
func kindOf(c *pkix.Certificate, set *anchors.Set, issuer *anchors.Anchor) profile.Kind {
	if issuer == nil || len(c.Policies) != 1 {
		return 0
	}
	return set.Kind(issuer.CA, c.Policies[0])
}

// Identify tells kind and issuer of a certificate by what it says of itself; nothing is
// verified. Both are zero where no anchor fits.
func Identify(c *pkix.Certificate, set *anchors.Set, at time.Time) (profile.Kind, *anchors.Anchor) {
	issuer, _ := chain.FindIssuer(c, set, at)
	return kindOf(c, set, issuer), issuer
}

// Partition is the distribution point's name in the form of RFC 4514; empty if the
// certificate does not have exactly one directoryName distribution point.
func Partition(c *pkix.Certificate) string {
	if name := partition(c); name != nil {
		return name.String()
	}
	return ""
}

// partition: JPKI certificate profile: one distribution point, its fullName one directoryName,
// all reasons, no other issuer of the list.
func partition(c *pkix.Certificate) pkix.Name {
	if len(c.DistributionPoints) != 1 {
		return nil
	}
	point := c.DistributionPoints[0]
	if len(point.FullName) != 1 || point.FullName[0].Kind != pkix.DirectoryName || point.HasReasons || point.CRLIssuer != nil {
		return nil
	}
	return pkix.Name(point.FullName[0].Value)
}

// algorithms checks all algorithms against the allow-lists, before any is used.
func (r *run) algorithms() {
	algorithm, err := signature.FromIdentifier(r.c.SignatureAlgorithm)
	refused := err != nil || !r.t.Profile.IssuerSignatures.Allows(algorithm)
	r.check(CheckCertificateAlgorithm, when(refused, reason.CryptoConstraintsFailure)...)
	var key *signature.PublicKey
	if r.known != nil {
		key, err = r.known.key, nil
	} else {
		key, err = signature.NewPublicKey(r.c.PublicKeyAlgorithm, r.c.PublicKey)
	}
	r.key = key
	r.check(CheckPublicKey, when(err != nil, reason.PublicKeyUnacceptable)...)
	if s := r.p.Signature; s != nil {
		if s.CMS {
			// RFC 5652 section 5.6: the content is that of the message digest, and the attributes are what they have to be.
			r.check(CheckCMS, s.Findings...)
		}
		findings := when(!r.t.Profile.HolderSignatures.Allows(s.Algorithm), reason.CryptoConstraintsFailure)
		// A CMS message may name an algorithm that nobody knows: no key is of another kind than that.
		mismatch := key != nil && s.Algorithm.Scheme != 0 && !key.Permits(s.Algorithm)
		findings = append(findings, when(mismatch, reason.AlgorithmKeyMismatch)...)
		r.check(CheckHolderAlgorithm, findings...)
	}
}

func (r *run) attributes() {
	if r.v.Kind != 0 && !r.v.Kind.Signs() { // the kind was refused already
		return
	}
	attributes, err := ReadHolderAttributes(r.c)
	if err != nil {
		r.check(CheckHolderAttributes, reason.HolderAttributesUnreadable)
		return
	}
	r.v.Attributes = attributes
	marked := len(attributes.CommonName.Substitutes) > 0 || len(attributes.Address.Substitutes) > 0
	r.check(CheckHolderAttributes, when(marked, reason.SubstituteCharacters)...)
}

// conclude makes the verdict of what was found. Valid needs the status Good: whatever
// else went through, unknown is never good.
func (r *run) conclude() *Verdict {
	v := r.v
	r.skipRest()
	slices.Sort(v.Reasons)
	v.Reasons = slices.Compact(v.Reasons)
	slices.SortStableFunc(v.Reasons, func(a, b reason.ID) int {
		return int(reason.Get(b).Severity) - int(reason.Get(a).Severity)
	})
	switch severity := worst(v.Reasons); {
	case severity == reason.Invalid:
		v.Conclusion = Invalid
	case severity == reason.Indeterminate || v.Evidence.Status != Good:
		v.Conclusion = Indeterminate
	default:
		v.Conclusion = Valid
	}
	if v.Conclusion != Valid { // nor a warning about what is not handed out
		v.Attributes = nil
		v.Reasons = slices.DeleteFunc(v.Reasons, func(id reason.ID) bool { return id == reason.SubstituteCharacters })
	}
	v.Guidance = guide(v)
	return v
}
