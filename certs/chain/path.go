package chain

import (
	"slices"
	"time"

	"github.com/tashika-jp/tashika/certs/pkix"
	"github.com/tashika-jp/tashika/certs/reason"
	"github.com/tashika-jp/tashika/certs/signature"
)

// Anchor is a trust anchor in the form of a certificate.
type Anchor struct {
	Certificate *pkix.Certificate
	Key         *signature.PublicKey
}

// Settings hold for all that a Builder builds.
type Settings struct {
	// At is the time to judge for.
	At time.Time
	// Allow are the algorithms accepted for the signatures of certificates.
	Allow signature.AllowList
	// Strict also refuses what section 4 of RFC 5280 forbids to authorities.
	Strict bool
	// TrustedIssuers believes an anchor as the issuer of a target, whatever its certificate says.
	TrustedIssuers bool
	// Budget of all calls together; nil is DefaultBudget.
	Budget *Budget
}

// Options are the inputs of RFC 5280 section 6.1.1 for one target.
type Options struct {
	Anchors []*Anchor
	// Policies to begin with.
	Policies PolicySettings
	// ExtendedKeyUsages that the certificate must allow, all of them, and every authority on its path that says anything about
	// extended key usage. RFC 5280 says nothing of authorities; everybody reads the extension so.
	ExtendedKeyUsages []pkix.OID
	// MaxIntermediates bounds the certificates between anchor and target, self-issued ones too; negative is no bound.
	MaxIntermediates int
	// Accept is asked about a path that is otherwise valid; with findings the next path is tried. Nil accepts.
	Accept func(*Path) []reason.ID
}

// Path is a valid certification path.
type Path struct {
	Anchor *Anchor
	// Certificates from the one that the anchor issued to the target.
	Certificates []*pkix.Certificate
	// Policies is the user-constrained policy set, sorted; it may be empty where no policy was required.
	Policies []pkix.OID
}

// Issuer is the certificate of the issuer of the i-th.
func (p *Path) Issuer(i int) *pkix.Certificate {
	if i == 0 {
		return p.Anchor.Certificate
	}
	return p.Certificates[i-1]
}

// process is RFC 5280 section 6.1.2 to 6.1.5 for one path, but for what the builder has asked before: that names and
// signatures chain, and what each certificate says of itself (checkTarget, checkAuthority, checkAnchor).
func (b *search) process(p *Path) []reason.ID {
	var found reason.Findings
	n := len(p.Certificates)
	found.Add(b.o.MaxIntermediates >= 0 && n-1 > b.o.MaxIntermediates, reason.PathTooLong)
	found.Add(true, b.policies(p)...)
	found.Add(true, b.extendedKeyUsages(p)...)
	if !b.direct(p.Certificates) {
		found.Add(true, pathLengths(p)...)
		found.Add(true, b.nameConstraints(p)...)
	}
	return found
}

// pathLengths: RFC 5280 section 6.1.4 (l), (m): no authority has more authorities below it, self-issued ones aside, than it allows.
func pathLengths(p *Path) []reason.ID {
	allowed := p.Anchor.Certificate.MaxPathLen
	for _, c := range p.Certificates[:len(p.Certificates)-1] {
		if !c.SelfIssued() {
			if allowed == 0 {
				return []reason.ID{reason.PathLengthExceeded}
			}
			allowed = max(allowed-1, -1)
		}
		if c.MaxPathLen >= 0 && (allowed < 0 || c.MaxPathLen < allowed) {
			allowed = c.MaxPathLen
		}
	}
	return nil
}

// nameConstraints: RFC 5280 section 6.1.3 (b), (c) and 6.1.4 (g).
func (b *search) nameConstraints(p *Path) []reason.ID {
	var above []*constraints
	last := len(p.Certificates) - 1
	for i := range p.Certificates {
		if nc := p.Issuer(i).NameConstraints; nc != nil {
			k, found := newConstraints(nc, b.Strict)
			if found != nil {
				return found
			}
			above = append(above, k)
		}
		c := p.Certificates[i]
		// A self-issued certificate is held against none, unless it is the last: it may be for a new key of an
		// authority whose own name is outside.
		if len(above) == 0 || i < last && c.SelfIssued() {
			continue
		}
		names := candidates(c)
		for _, k := range above {
			if found := k.check(names, b.Budget); found != nil {
				return found
			}
		}
	}
	return nil
}

// policies: RFC 5280 section 6.1.3 (d), (e), (f), 6.1.4 (a), (b), (h), (i), (j), 6.1.5 (a), (b), (g).
func (b *search) policies(p *Path) []reason.ID {
	n := len(p.Certificates)
	explicit, mapping, inhibitAny := n+1, n+1, n+1
	for _, s := range []struct {
		set     bool
		counter *int
	}{{b.o.Policies.RequireExplicit, &explicit}, {b.o.Policies.InhibitMapping, &mapping}, {b.o.Policies.InhibitAny, &inhibitAny}} {
		if s.set {
			*s.counter = 0
		}
	}
	graph := newPolicyGraph()
	for i, c := range p.Certificates {
		last := i == n-1
		graph.descend(c.Policies, inhibitAny > 0 || !last && c.SelfIssued())
		if explicit == 0 && graph.null() {
			return []reason.ID{reason.ExplicitPolicyRequired}
		}
		if last {
			break
		}
		for _, m := range c.PolicyMappings {
			if m.IssuerDomain == pkix.AnyPolicy || m.SubjectDomain == pkix.AnyPolicy {
				return []reason.ID{reason.PolicyMappingInvalid}
			}
		}
		graph.mapPolicies(c.PolicyMappings, mapping > 0)
		for _, s := range []struct {
			counter *int
			skip    int
		}{{&explicit, c.RequireExplicitPolicy}, {&mapping, c.InhibitPolicyMapping}, {&inhibitAny, c.InhibitAnyPolicy}} {
			if *s.counter > 0 && !c.SelfIssued() {
				*s.counter--
			}
			if s.skip >= 0 {
				*s.counter = min(*s.counter, s.skip)
			}
		}
	}
	explicit = max(explicit-1, 0)
	if p.Certificates[n-1].RequireExplicitPolicy == 0 {
		explicit = 0
	}
	p.Policies = graph.result(b.o.Policies.Initial)
	if explicit == 0 && len(p.Policies) == 0 {
		return []reason.ID{reason.ExplicitPolicyRequired}
	}
	return nil
}

var oidAnyExtendedKeyUsage = pkix.MustOID("2.5.29.37.0")

// extendedKeyUsages: RFC 5280 section 4.2.1.12: a certificate that names usages is for these only.
func (b *search) extendedKeyUsages(p *Path) []reason.ID {
	if len(b.o.ExtendedKeyUsages) == 0 {
		return nil
	}
	on := p.Certificates
	if !b.direct(on) {
		on = append([]*pkix.Certificate{p.Anchor.Certificate}, on...)
	}
	for _, c := range on {
		allowed := c.ExtendedKeyUsages
		if len(allowed) == 0 || slices.Contains(allowed, oidAnyExtendedKeyUsage) {
			continue
		}
		for _, usage := range b.o.ExtendedKeyUsages {
			if usage != oidAnyExtendedKeyUsage && !slices.Contains(allowed, usage) {
				return []reason.ID{reason.ExtendedKeyUsageNotAllowed}
			}
		}
	}
	return nil
}
