package revocation

import (
	"bytes"
	"context"
	"encoding/hex"
	"slices"
	"time"

	"github.com/tashika-jp/tashika/certs/anchors"
	"github.com/tashika-jp/tashika/certs/crl"
	"github.com/tashika-jp/tashika/certs/pkix"
	"github.com/tashika-jp/tashika/certs/reason"
)

// candidate is a list that was authenticated and kept its source's promise, and has yet to
// be held against the clock and the list that serves.
type candidate struct {
	key    key
	index  *crl.Index
	anchor *anchors.Anchor
	delta  *overlay // nil: a complete list
}

// authenticate is the part of the gate that depends on nothing but the list: a fetched list
// and one from the state directory go through it alike.
func (c *conf) authenticate(image *crl.Image, s *Source) (*candidate, []reason.ID) {
	list := image.List()
	// RFC 5280 section 5.2.5: a list of CA or attribute certificates only says nothing about holders, and
	// has no partition: it would stand in the place of the issuer's whole list.
	if p := list.IDP; p != nil && (p.OnlyCACerts || p.OnlyAttributeCerts) {
		return nil, []reason.ID{reason.CRLScopeMismatch}
	}
	keyID := list.AuthorityKeyID
	if s.IssuerKeyID != nil {
		if len(keyID) == 0 {
			keyID = s.IssuerKeyID
		}
		if !bytes.Equal(keyID, s.IssuerKeyID) {
			return nil, []reason.ID{reason.CRLIssuerMismatch}
		}
	}
	// RFC 5280 section 6.3.3 (b)(1), section 5.2.1: the issuer's name, and of the keys that share it the one that
	// the list names.
	found := []reason.ID{reason.CRLIssuerMismatch}
	for _, a := range c.Anchors.ByKeyID(list.Issuer, keyID) {
		index, ids := image.Authenticate(a.Certificate, a.Key, c.Allow)
		if found = ids; index == nil {
			continue
		}
		k, ok := keyFor(a, index.Scope())
		if !ok || !keepsPromise(s, a, index.Scope()) {
			return nil, []reason.ID{reason.CRLScopeMismatch}
		}
		return &candidate{k, index, a, nil}, nil
	}
	if len(found) == 0 {
		found = []reason.ID{reason.CRLSignatureInvalid} // an index that is refused has a reason; never let one through without
	}
	return nil, found
}

// keepsPromise says whether a list of an anchor and scope is what a source promised.
func keepsPromise(s *Source, a *anchors.Anchor, scope pkix.Name) bool {
	return (s.Partition == nil || scope.Equal(s.Partition)) &&
		(s.IssuerKeyID == nil || bytes.Equal(s.IssuerKeyID, a.Certificate.SubjectKeyID))
}

// compare holds a list against the clock and the list that serves (nil if none does).
func (c *conf) compare(next *crl.Index, held *live, now time.Time) []reason.ID {
	var found []reason.ID
	times := untimely(next, now, c.ClockSkew)
	if slices.Contains(times, reason.CRLNotYetValid) {
		found = append(found, reason.CRLNotYetValid)
	}
	if held == nil {
		return found
	}
	// A stale list is better than none and better than an older stale one; see the package comment.
	if slices.Contains(times, reason.CRLStale) && !held.stale(now, c.ClockSkew) {
		found = append(found, reason.CRLStale)
	}
	return append(found, crl.Older(next, held.index)...)
}

// judge is the rest of the gate: the clock, and the list that serves, if one does. What is found and what is conceded,
// because an operator admitted the list, are told apart. The error is the context's.
func (c *conf) judge(ctx context.Context, s *Source, next *candidate, lists map[key]*live, digest string) (found, conceded []reason.ID, err error) {
	held, pair := lists[next.key], lists[next.key.pair()]
	if held == nil && next.delta != nil {
		held = pair // the first delta follows its complete list
	}
	var all reason.Findings
	all.Add(true, c.compare(next.index, held, c.Clock())...)
	index, before := next.index, held
	if !next.key.delta && pair != nil {
		// What served is the complete list with its delta; what will is the next one with the same, if that still tells more.
		before = pair
		if y, _ := pair.over(&live{index: index, anchor: next.anchor}); y != nil {
			index = y.index
		}
		all.Add(true, crl.Older(index, before.index)...)
	}
	for _, x := range []*live{held, pair} {
		all.Add(x != nil && x.awaits != "" && lower(index.Number(), x.awaits), reason.CRLNumberLower)
	}
	found = all
	admitted := c.admitted[digest] && (held == nil || !slices.Contains(held.about.Admitted, digest))
	if held != nil && (len(found) == 0 || admitted) { // counting is dear
		var changed []reason.ID
		var err error
		humbly(func() { changed, err = crl.Plausible(ctx, index, before.index, s.Bounds) })()
		switch {
		case ctx.Err() != nil:
			return nil, nil, ctx.Err()
		case err != nil:
			found = append(found, reason.CRLIndexDamaged)
		}
		found = append(found, changed...)
	}
	if admitted {
		conceded = slices.Clone(found)
		conceded = slices.DeleteFunc(conceded, func(id reason.ID) bool { return !concedable(id) })
		found = slices.DeleteFunc(found, concedable)
	}
	return found, conceded, nil
}

// concedable is what an operator can know better than the gate. Whose a list is, what it covers, and that it is not from the future
// or out of date, nobody can.
func concedable(id reason.ID) bool {
	switch id {
	case reason.CRLNumberLower, reason.CRLOlder, reason.CRLGrowthImplausible, reason.CRLShrinkImplausible:
		return true
	}
	return false
}

// admissions are those that are used up once a list serves. Else a list that was admitted to go back could be replayed for as
// long as it stands in the configuration, whatever came after it.
func (c *conf) admissions(held *live, digest string) []string {
	var used []string
	if held != nil {
		used = slices.DeleteFunc(slices.Clone(held.about.Admitted), func(d string) bool { return !c.admitted[d] || d == digest })
	}
	if c.admitted[digest] {
		used = append(used, digest)
	}
	return used
}

// lags says whether findings of compare mean no more than that this mirror is behind
// another source of the same list.
func lags(ids []reason.ID) bool {
	return !slices.ContainsFunc(ids, func(id reason.ID) bool {
		return id != reason.CRLNumberLower && id != reason.CRLOlder && id != reason.CRLStale
	})
}

// nameOf is what a list of a drop directory is called: the directory's name, the beginning of the
// key's identifier, and the last part of the partition's name.
func nameOf(source string, x *candidate) string {
	const most = 64
	last := "all"
	if scope := x.index.Scope(); scope != nil {
		last = lastPart(scope)
	}
	if runes := []rune(last); len(runes) > most {
		last = string(runes[:most])
	}
	if x.key.delta {
		last += deltaSuffix
	}
	return source + "/" + short(x.anchor.Certificate.SubjectKeyID) + "/" + last
}

// lastPart is the value of the last RDN; String has it first, escaped.
func lastPart(n pkix.Name) string {
	s := n.String()
	begin, end := 0, len(s)
	for i := 0; i < len(s) && end == len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '=':
			if begin == 0 {
				begin = i + 1
			}
		case ',', '+':
			end = i
		}
	}
	return s[begin:end]
}

// short is the beginning of a key identifier, enough to tell a handful of keys apart.
func short(keyID []byte) string { return hex.EncodeToString(keyID[:min(len(keyID), 4)]) }
