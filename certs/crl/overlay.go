package crl

import (
	"bytes"
	"iter"
	"slices"

	"github.com/tashika-jp/tashika/certs/pkix"
	"github.com/tashika-jp/tashika/certs/reason"
	"github.com/tashika-jp/tashika/certs/signature"
)

// WithDelta is an index that answers from a complete list and a delta of it (RFC 5280 section 5.2.4), of which it has number and
// times. Nothing of the complete list is written again. If the index has a delta already, the new one is in its place: deltas
// are of complete lists, not of each other. The key is the one that the complete list is authentic under. All findings are returned, and an
// index only if there are none.
func (x *Index) WithDelta(delta *Image, issuer *pkix.Certificate, key *signature.PublicKey, allow signature.AllowList) (*Index, []reason.ID) {
	var found reason.Findings
	complete, d := x.image.list, delta.list
	d.checkForm(&found)
	d.checkStated(&found)
	// RFC 5280 section 5.2.4: the indicator is critical.
	found.Add(d.DeltaBase != nil && !d.DeltaCritical, reason.CRLFormatFailure)
	names := d.checkScope(&found)
	// RFC 5280 section 6.3.3 (c)(1), (2): issuer and scope are the complete list's.
	found.Add(!d.Issuer.Equal(x.issuer), reason.CRLIssuerMismatch)
	found.Add(scopeKey(d.IDP, names) != scopeKey(x.idp, x.names), reason.CRLScopeMismatch)
	applies, needed := d.updates(complete)
	found.Add(d.DeltaBase == nil || d.Number != nil && !(applies && needed), reason.CRLBaseMismatch)
	// RFC 5280 section 6.3.3 (h): the key is the complete list's.
	found.Add(!bytes.Equal(issuer.RawSubjectPublicKeyInfo, x.issuerKey), reason.CRLBaseMismatch)
	d.checkIssuer(&found, issuer)
	d.checkSignature(&found, key, allow) // last, because it is dear
	if len(found) > 0 {
		return nil, found
	}
	entries, err := overlaid(x.image, delta)
	if err != nil {
		return nil, []reason.ID{reason.CRLIndexDamaged}
	}
	y := *x
	y.delta, y.entries, y.number, y.decimal, y.thisUpdate, y.nextUpdate = delta, entries, d.Number, decimal(d.Number), d.ThisUpdate, d.NextUpdate
	return &y, nil
}

// scopeKey is equal for lists of one issuer and one scope, and only for them.
func scopeKey(p *IssuingDistributionPoint, names []pkix.GeneralName) string {
	if p == nil {
		return ""
	}
	var keys []string
	for _, name := range names {
		keys = append(keys, generalNameKey(name))
	}
	slices.Sort(keys)
	return p.scope(slices.Compact(keys))
}

// overlaid is how many certificates a complete list and a delta say together are revoked.
func overlaid(complete, delta *Image) (entries int, err error) {
	entries = complete.table.len()
	for d, err := range delta.all() {
		if err != nil {
			return 0, err
		}
		e, before, err := complete.lookup(d.Serial)
		if err != nil {
			return 0, err
		}
		_, after := updated(d.Entry, true, e, before)
		switch {
		case after && !before:
			entries++
		case before && !after:
			entries--
		}
	}
	return entries, nil
}

// updated is what a complete list and a delta say together: RFC 5280 section 6.3.3 (i), (j), (k).
func updated(delta Entry, inDelta bool, complete Entry, inComplete bool) (Entry, bool) {
	switch {
	case inDelta && delta.Reason != RemoveFromCRL:
		return delta, true
	// RFC 5280 section 5.3.1: removeFromCRL releases a hold, or tells that the certificate has expired. What was
	// revoked for good stays so: beyond section 6.3.3 (k).
	case inDelta && inComplete && complete.Reason == CertificateHold:
		return Entry{}, false
	}
	return complete, inComplete
}

// Lookup finds a serial number, the content octets of its INTEGER exactly as pkix reads them
// (not big.Int.Bytes, which lacks the sign). False means that the certificate is not on the list:
// good if Covers and CheckTimes have nothing against it, and only then. The error is ErrDamaged, and means that nothing is known.
func (x *Index) Lookup(serial []byte) (Entry, bool, error) {
	if x.delta == nil {
		return x.image.lookup(serial)
	}
	d, inDelta, err := x.delta.lookup(serial)
	if err != nil {
		return Entry{}, false, err
	}
	e, inComplete, err := x.image.lookup(serial)
	if err != nil {
		return Entry{}, false, err
	}
	e, found := updated(d, inDelta, e, inComplete)
	return e, found, nil
}

// All goes through the entries in the order of serial numbers: by length of the content octets, then octet by octet. An error ends it.
func (x *Index) All() iter.Seq2[Listed, error] {
	if x.delta == nil {
		return x.image.all()
	}
	return func(yield func(Listed, error) bool) {
		for c, err := range joined(x.image.all(), x.delta.all()) {
			var l Listed
			listed := err != nil
			if !listed {
				l.Serial = c.Serial
				l.Entry, listed = updated(at(c.New), c.New != nil, at(c.Old), c.Old != nil)
			}
			if listed && !yield(l, err) {
				return
			}
		}
	}
}

// at is an entry that may not be.
func at(e *Entry) Entry {
	if e == nil {
		return Entry{}
	}
	return *e
}

// Blocks is how many parts of the index have a checksum of their own.
func (x *Index) Blocks() int {
	n := x.image.table.blocks()
	if x.delta != nil {
		n += x.delta.table.blocks()
	}
	return n
}

// CheckBlock checks one part of the index, 0 to Blocks-1, again. The error is ErrDamaged.
func (x *Index) CheckBlock(i int) error {
	if n := x.image.table.blocks(); i >= n {
		return x.delta.checkBlock(i - n)
	}
	return x.image.checkBlock(i)
}

// Damaged says whether a part of the index was ever found damaged.
func (x *Index) Damaged() bool {
	return x.image.damaged() || x.delta != nil && x.delta.damaged()
}
