package crl

import (
	"time"

	"github.com/tashika-jp/tashika/certs/pkix"
	"github.com/tashika-jp/tashika/certs/reason"
	"github.com/tashika-jp/tashika/certs/signature"
)

// Checker answers from a bag of lists of any kind by the whole of RFC 5280 section 6.3.3. It remembers what it
// found of each list, so that a chain of certificates costs one signature check for each list and signer. It is
// not safe for concurrent use.
type Checker struct {
	options  CheckOptions
	byIssuer map[string][]*exhibit // by Key of the name
}

// CheckOptions say which lists to rely on.
type CheckOptions struct {
	At   time.Time
	Skew time.Duration // conceded to thisUpdate and nextUpdate
	// MaxAge bounds the age of thisUpdate; 0 is no bound but nextUpdate. A list without nextUpdate is
	// relied on only under such a bound.
	MaxAge time.Duration
	Allow  signature.AllowList
	// Strict refuses lists that break what RFC 5280 section 5 demands of issuers, be it dangerous or not.
	Strict bool
	// Signers returns those whose signature on the list would be believed: RFC 5280 section 6.3.3 (f): certificates
	// of the list's issuer that were validated to the trust anchor of the certificate in question, and that
	// certificate's own issuer where its name fits. It is called once for each list at most, and
	// may be expensive. It may ask the Checker: the list in question is then of no use, having no signer yet.
	Signers func(l *List) []Signer
}

// Status is what the lists say of a certificate.
type Status uint8

// The statuses.
const (
	Unknown Status = iota // not enough lists: never good
	Good
	OnHold
	Revoked
)

var statusNames = [...]string{"unknown", "good", "on hold", "revoked"}

func (s Status) String() string { return statusNames[s] }

// Result is a status with what it rests on.
type Result struct {
	Status         Status
	Reason         Reason    // if revoked or on hold
	RevocationTime time.Time // likewise
	ThisUpdate     time.Time // of the oldest list that it rests on; zero if unknown
	NextUpdate     time.Time // the first of them to run out; zero if none of them says
	// Findings are why the status is unknown, each once: of the lists in scope or, if none is, of those by the
	// right issuer.
	Findings []reason.ID
}

// NewChecker makes a Checker over lists as Parse returned them.
func NewChecker(lists []*List, o CheckOptions) *Checker {
	k := &Checker{options: o, byIssuer: make(map[string][]*exhibit)}
	for _, l := range lists {
		issuer := l.Issuer.Key()
		k.byIssuer[issuer] = append(k.byIssuer[issuer], &exhibit{List: l, issuer: issuer})
	}
	return k
}

// Status says whether a certificate is revoked. Lists in scope are all asked, beyond RFC 5280, which stops where
// every reason is covered: so the order of the lists does not matter, and no list that says "good" hides one that says
// "revoked" (all tests ask in every order).
func (k *Checker) Status(c *pkix.Certificate) Result {
	var found reason.Findings
	views := k.views(k.inScope(c, &found), &found)
	var covered uint16
	var best *view
	result := Result{Status: Good}
	for _, v := range views {
		covered |= v.complete.reasons
		result.rest(v)
		if v.ask(c); v.found && (best == nil || v.before(best)) {
			best = v
		}
	}
	switch {
	// RFC 5280 section 6.3.3 (i), (j): for whichever reason, and whatever the others say.
	case best != nil:
		result = Result{Status: Revoked, Reason: best.entry.Reason, RevocationTime: best.entry.RevocationTime}
		if best.entry.Reason == CertificateHold {
			result.Status = OnHold
		}
		result.rest(best)
		return result
	case covered == allReasons:
		return result
	}
	// RFC 5280 section 6.3.3 (l): what is revoked for one of the other reasons may be on another list.
	found.Add(covered != 0, reason.CRLReasonsPartial)
	return Result{Findings: found}
}

// before says which of two views that both have the certificate is told of: the graver; else the one with a reason, of two the smaller
// number; else the newer, else the one that runs out first. So no order of the lists decides (good_same_in_any_order).
func (v *view) before(other *view) bool {
	a, b := v.last(), other.last()
	switch {
	case graver(v.entry, other.entry), graver(other.entry, v.entry):
		return graver(v.entry, other.entry)
	case v.entry.Reason != other.entry.Reason:
		return other.entry.Reason == Unspecified || v.entry.Reason != Unspecified && v.entry.Reason < other.entry.Reason
	case !a.ThisUpdate.Equal(b.ThisUpdate):
		return a.ThisUpdate.After(b.ThisUpdate)
	default:
		return a.NextUpdate.Before(b.NextUpdate)
	}
}

// rest accounts for a view that the result rests on.
func (r *Result) rest(v *view) {
	last := v.last()
	if r.ThisUpdate.IsZero() || last.ThisUpdate.Before(r.ThisUpdate) {
		r.ThisUpdate = last.ThisUpdate
	}
	if next := last.NextUpdate; !next.IsZero() && (r.NextUpdate.IsZero() || next.Before(r.NextUpdate)) {
		r.NextUpdate = next
	}
}
