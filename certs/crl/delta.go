package crl

import (
	"bytes"

	"github.com/tashika-jp/tashika/certs/pkix"
	"github.com/tashika-jp/tashika/certs/reason"
)

// view is what one issuer said at one time: a complete list, or one brought up to date by a delta.
type view struct {
	complete scoped
	delta    *exhibit // nil if there is none
	signer   *pkix.Certificate
	entry    Entry
	found    bool
}

// last is the list whose number and times are those of the view.
func (v *view) last() *exhibit {
	if v.delta != nil {
		return v.delta
	}
	return v.complete.exhibit
}

// views returns what may be relied on of lists in scope: authentic, timely, the last of its kind.
func (k *Checker) views(all []scoped, found *reason.Findings) []*view {
	deltas := make(map[string][]*exhibit) // by scope
	var completes []scoped
	complete := false
	for _, e := range all {
		complete = complete || e.DeltaBase == nil
		switch {
		case len(e.form) > 0:
			found.Add(true, e.form...)
		case e.DeltaBase != nil:
			deltas[e.scope] = append(deltas[e.scope], e.exhibit)
		default:
			completes = append(completes, e)
		}
	}
	// RFC 5280 section 5.2.4: a delta says only what has changed.
	found.Add(!complete && len(deltas) > 0, reason.CRLIsDelta)
	var views []*view
	for _, e := range completes {
		views = append(views, k.viewsOf(e, deltas[e.scope], found)...)
	}
	return newest(views)
}

// viewsOf returns what may be relied on of a complete list. Deltas are used where there are any, as RFC 5280
// section 6.3.3 has it where use-deltas is set, whether or not a freshestCRL extension tells where to get them: somebody did.
func (k *Checker) viewsOf(e scoped, deltas []*exhibit, found *reason.Findings) []*view {
	var fresh []*exhibit
	for _, d := range deltas {
		switch applies, needed := d.updates(e.List); {
		case !needed:
		case !applies:
			found.Add(true, reason.CRLBaseMismatch)
		case len(d.age) > 0:
			found.Add(true, d.age...)
		default:
			fresh = append(fresh, d)
		}
	}
	// RFC 5280 section 6.3.3 (a)(1)(i): a complete list that ran out is good again with a delta that did not.
	if len(e.age) > 0 && fresh == nil {
		found.Add(true, e.age...)
		return nil
	}
	signer, refusal := e.signedBy(&k.options)
	if signer == nil {
		found.Add(true, refusal...)
		return nil
	}
	var views []*view
	for _, d := range fresh {
		by, refusal := d.signedBy(&k.options)
		if by == nil {
			found.Add(true, refusal...)
			continue
		}
		// RFC 5280 section 6.3.3 (h): the key is the complete list's.
		if !bytes.Equal(by.RawSubjectPublicKeyInfo, signer.RawSubjectPublicKeyInfo) {
			found.Add(true, reason.CRLBaseMismatch)
			continue
		}
		views = append(views, &view{complete: e, delta: d, signer: signer})
	}
	if len(e.age) == 0 {
		views = append(views, &view{complete: e, signer: signer})
	} else if views == nil {
		found.Add(true, e.age...)
	}
	return views
}

// updates says whether a delta can bring a complete list of the same scope up to date, and whether it tells
// anything that the list does not.
func (l *List) updates(complete *List) (applies, needed bool) {
	switch {
	case complete.Number == nil:
		return false, true
	// RFC 5280 section 5.2.4 (d): the complete list has a lower number than the delta.
	case compareOctets(complete.Number, l.Number) >= 0:
		return false, false
	}
	// RFC 5280 section 5.2.4 (c): and one not lower than BaseCRLNumber; section 6.3.3 (c)(3): the authority
	// key identifiers match. That issuer and scope do (c)(1), (2) has brought them together.
	return compareOctets(complete.Number, l.DeltaBase) >= 0 && sameKeyID(complete, l), true
}

func sameKeyID(a, b *List) bool {
	if a.AuthorityKeyID != nil && b.AuthorityKeyID != nil {
		return bytes.Equal(a.AuthorityKeyID, b.AuthorityKeyID)
	}
	return bytes.Equal(a.RawAuthorityKeyID, b.RawAuthorityKeyID)
}

// newest leaves those views that no other supersedes. Any list within its times may be relied on, says RFC 5280,
// but where two of one scope and key are, the later one is what the issuer means now: a hold that it dropped
// is no hold (TestNewestWins). That one which ran out was later still makes no difference.
func newest(views []*view) []*view {
	var kept []*view
	for i, v := range views {
		last := true
		for j, other := range views {
			last = last && (i == j || !other.supersedes(v))
		}
		if last {
			kept = append(kept, v)
		}
	}
	return kept
}

// supersedes: of the same scope and key, later by number or by thisUpdate, and earlier by neither. Lists of two keys
// of an issuer do not replace each other: whether one covers what the other does is not said.
func (v *view) supersedes(other *view) bool {
	if v.complete.scope != other.complete.scope || !bytes.Equal(v.signer.RawSubjectPublicKeyInfo, other.signer.RawSubjectPublicKeyInfo) {
		return false
	}
	a, b := v.last(), other.last()
	number := 0
	if a.Number != nil && b.Number != nil {
		number = compareOctets(a.Number, b.Number)
	}
	time := a.ThisUpdate.Compare(b.ThisUpdate)
	return number >= 0 && time >= 0 && number+time > 0
}

// ask looks for a certificate: RFC 5280 section 6.3.3 (i), (j), (k).
func (v *view) ask(c *pkix.Certificate) {
	var d Entry
	changed := false
	if v.delta != nil {
		d, changed = v.delta.find(c)
	}
	if v.entry, v.found = d, changed; !changed || d.Reason == RemoveFromCRL {
		e, found := v.complete.find(c)
		v.entry, v.found = updated(d, changed, e, found)
	}
}
