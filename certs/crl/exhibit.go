package crl

import (
	"bytes"
	"slices"
	"time"

	"github.com/tashika-jp/tashika/certs/pkix"
	"github.com/tashika-jp/tashika/certs/reason"
	"github.com/tashika-jp/tashika/certs/signature"
)

// Signer is somebody whose signature on a list would be believed: a certificate that was validated, or that of a
// trust anchor, with its key.
type Signer struct {
	Certificate *pkix.Certificate
	Key         *signature.PublicKey
}

// exhibit is a list with all that is known of it without regard to a certificate.
type exhibit struct {
	*List
	issuer string // Key of the name of it

	judged   bool
	unscoped bool                // the issuing distribution point makes no sense
	names    map[string]struct{} // of the issuing distribution point, whole; nil if it has none
	scope    string              // issuer and issuing distribution point: equal for lists of one scope and only for them
	form     reason.Findings     // why it cannot be used at all
	age      reason.Findings     // why it cannot be used but with a delta

	asked   bool
	signer  *pkix.Certificate // who signed it; nil if nobody who counts
	refusal reason.Findings   // why nobody does
}

// judge looks at a list once, and only at those by an issuer that somebody asks for.
func (e *exhibit) judge(o *CheckOptions) {
	if e.judged {
		return
	}
	e.judged = true
	names := e.checkPoint(&e.form)
	e.unscoped = len(e.form) > 0
	// A list of an image has no octets: what it says of a certificate is not there to be found.
	e.form.Add(e.Raw == nil, reason.CRLFormatFailure)
	e.checkForm(&e.form)
	// RFC 5280 section 5.3.3: only an indirect list has entries that name an issuer. Whether to believe the list or
	// the entry is not known.
	e.form.Add(e.CertificateIssuer && (e.IDP == nil || !e.IDP.Indirect), reason.CRLFormatFailure)
	// RFC 5280 section 5.2.4: a delta without number cannot be held against a complete list.
	e.form.Add(e.DeltaBase != nil && e.Number == nil, reason.CRLNumberMissing)
	if o.Strict {
		e.checkProfile(&e.form, e.repeats())
	}
	e.form.Add(tooEarly(e.ThisUpdate, o.At, o.Skew), reason.CRLNotYetValid)
	e.age.Add(e.NextUpdate.IsZero() && o.MaxAge == 0, reason.CRLNextUpdateMissing)
	checkAge(&e.age, e.ThisUpdate, e.NextUpdate, o.At, o.Skew, o.MaxAge)
	e.scope = lengthed(e.issuer) + scopeKey(e.IDP, names)
	if names != nil {
		e.names = make(map[string]struct{}, len(names))
	}
	for _, name := range names {
		e.names[generalNameKey(name)] = struct{}{}
	}
}

// signedBy returns who signed the list, or why nobody who counts did. The answer is found once.
func (e *exhibit) signedBy(o *CheckOptions) (*pkix.Certificate, reason.Findings) {
	if e.asked {
		return e.signer, e.refusal
	}
	// Signers may lead back to this list: until it is known who signed it, nobody did.
	e.asked, e.refusal = true, reason.Findings{reason.CRLSignerUnconfirmed}
	var signers []Signer
	if o.Signers != nil {
		signers = slices.Clone(o.Signers(e.List))
	}
	// RFC 5280 section 5.2.1: the authority key identifier tells the keys of an issuer apart. It is a hint, because an
	// authority may be certified under several identifiers: the signature is what proves.
	slices.SortStableFunc(signers, func(a, b Signer) int { return e.hint(b) - e.hint(a) })
	var found reason.Findings
	for _, s := range signers {
		if s.Certificate == nil || !s.Certificate.Subject.Equal(e.Issuer) {
			continue
		}
		var refused reason.Findings
		if refused.Add(!maySignLists(s.Certificate), reason.CRLSignerNotAllowed); len(refused) == 0 {
			e.checkSignature(&refused, s.Key, o.Allow)
		}
		if len(refused) == 0 {
			e.signer, e.refusal = s.Certificate, nil
			return e.signer, nil
		}
		// The failure of a key that the list does not claim says nothing of the one that it does.
		if e.hint(s) >= 0 {
			found.Add(true, refused...)
		}
	}
	if len(found) > 0 {
		e.refusal = found
	}
	return nil, e.refusal
}

// hint: 1 if the list claims the signer's key, -1 if another, 0 if that is not said.
func (e *exhibit) hint(s Signer) int {
	switch {
	case s.Certificate == nil || len(e.AuthorityKeyID) == 0 || len(s.Certificate.SubjectKeyID) == 0:
		return 0
	case bytes.Equal(e.AuthorityKeyID, s.Certificate.SubjectKeyID):
		return 1
	}
	return -1
}

// maySignLists: RFC 5280 section 6.3.3 (f): if a key usage extension is present, cRLSign is set.
func maySignLists(c *pkix.Certificate) bool { return !c.HasKeyUsage || c.KeyUsage&pkix.CRLSign != 0 }

// tooEarly: RFC 5280 section 5.1.2.4: thisUpdate is when the list was issued.
func tooEarly(this, at time.Time, skew time.Duration) bool { return this.After(at.Add(skew)) }

// checkAge concedes the skew of clocks to nextUpdate, and bounds the age of thisUpdate exactly, 0 being no bound.
func checkAge(found *reason.Findings, this, next, at time.Time, skew, maxAge time.Duration) {
	// RFC 5280 section 6.3.3 (a): past nextUpdate a list is to be replaced (TestTrapNextUpdateIgnored).
	found.Add(!next.IsZero() && at.After(next.Add(skew)), reason.CRLStale)
	found.Add(maxAge != 0 && at.Sub(this) > maxAge, reason.CRLTooOld)
}
