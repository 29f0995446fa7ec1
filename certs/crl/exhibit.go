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
	issuer string              // nameKey of it
	names  map[string]struct{} // of the issuing distribution point, whole; nil if it has none
	scope  string              // issuer and issuing distribution point: equal for lists of one scope and only for them
	form   findings            // why it cannot be used at all
	age    findings            // why it cannot be used but with a delta

	asked   bool
	signer  *pkix.Certificate // who signed it; nil if nobody who counts
	refusal findings          // why nobody does
}

func newExhibit(l *List, issuer string, o *CheckOptions) *exhibit {
	e := &exhibit{List: l, issuer: issuer}
	l.checkForm(&e.form)
	names := l.checkPoint(&e.form)
	// RFC 5280 section 5.3.3: only an indirect list has entries that name an issuer. Whether to believe the list or
	// the entry is not known.
	e.form.add(l.CertificateIssuer && (l.IDP == nil || !l.IDP.Indirect), reason.CRLFormatFailure)
	// RFC 5280 section 5.2.4: a delta without number cannot be held against a complete list.
	e.form.add(l.DeltaBase != nil && l.Number == nil, reason.CRLNumberMissing)
	if o.Strict {
		l.checkProfile(&e.form)
	}
	e.form.add(tooEarly(l.ThisUpdate, o.At, o.Skew), reason.CRLNotYetValid)
	e.age.add(l.NextUpdate.IsZero() && o.MaxAge == 0, reason.CRLNextUpdateMissing)
	checkAge(&e.age, l.ThisUpdate, l.NextUpdate, o.At, o.Skew, o.MaxAge)
	e.scope = lengthed(issuer)
	if l.IDP != nil {
		keys := make([]string, 0, len(names))
		for _, name := range names {
			keys = append(keys, generalNameKey(name))
		}
		if names != nil {
			e.names = make(map[string]struct{}, len(keys))
		}
		for _, key := range keys {
			e.names[key] = struct{}{}
		}
		slices.Sort(keys)
		e.scope += l.IDP.scope(slices.Compact(keys))
	}
	return e
}

// signedBy returns who signed the list, or why nobody who counts did. The answer is found once.
func (e *exhibit) signedBy(o *CheckOptions) (*pkix.Certificate, findings) {
	if e.asked {
		return e.signer, e.refusal
	}
	// Signers may lead back to this list: until it is known who signed it, nobody did.
	e.asked, e.refusal = true, findings{reason.CRLSignerUnconfirmed}
	var signers []Signer
	if o.Signers != nil {
		signers = slices.Clone(o.Signers(e.List))
	}
	// RFC 5280 section 5.2.1: the authority key identifier tells the keys of an issuer apart. It is a hint, because an
	// authority may be certified under several identifiers: the signature is what proves.
	slices.SortStableFunc(signers, func(a, b Signer) int { return e.hint(b) - e.hint(a) })
	var found findings
	for _, s := range signers {
		if s.Certificate == nil || !s.Certificate.Subject.Equal(e.Issuer) {
			continue
		}
		if !maySignLists(s.Certificate) {
			found.add(true, reason.CRLSignerNotAllowed)
			continue
		}
		var refused findings
		if e.checkSignature(&refused, s.Key, o.Allow); len(refused) == 0 {
			e.signer, e.refusal = s.Certificate, nil
			return e.signer, nil
		}
		// The failure of a key that the list does not claim says nothing of the one that it does.
		if slices.Contains(refused, reason.CRLSignatureInvalid) && e.hint(s) < 0 {
			refused = findings{reason.CRLSignerUnconfirmed}
		}
		found.add(true, refused[0])
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
func checkAge(found *findings, this, next, at time.Time, skew, maxAge time.Duration) {
	// RFC 5280 section 6.3.3 (a): past nextUpdate a list is to be replaced (TestTrapNextUpdateIgnored).
	found.add(!next.IsZero() && at.After(next.Add(skew)), reason.CRLStale)
	found.add(maxAge != 0 && at.Sub(this) > maxAge, reason.CRLTooOld)
}
