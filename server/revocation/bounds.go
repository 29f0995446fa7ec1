package revocation

import (
	"context"

	"github.com/tashika-jp/tashika/certs/crl"
	"github.com/tashika-jp/tashika/certs/reason"
)

// RFC 5280 lets a list be followed by any other. But an authority whose database was cut off, restored from last year, or
// was not there when the list was made signs a list that is genuine, newer, and nearly empty: everybody who was revoked is
// good. The other way round, a list that doubles overnight turns away citizens in their thousands. Both happen by accident
// long before they happen for a reason, and for a reason somebody can be asked. So a list that changes too much at once
// waits for an operator (Config.Admit), and the last good one serves until it is stale.
//
// What counts is which entries came and went, not how many there are: a list of as many other serial numbers has lost
// them all. A revocation that is gone counts like a hold that was released: which of them may go is the authority's to say.
const (
	defaultMaxGrowth = 1.0
	defaultMaxShrink = 0.5
	// alwaysPlausible is how many entries may be added, and how many may be gone, whatever share that is: the lists of
	// small municipalities have a handful.
	alwaysPlausible = 16
)

// bounds are how many entries a list may have that the one before had not, and how many of that one's may be gone.
type bounds struct{ added, removed int }

// boundsOf are those of a source against a list with so many entries.
func boundsOf(s *Source, entries int) bounds {
	share := func(of float64) int {
		return max(alwaysPlausible, int(min(of*float64(entries), 1<<62)))
	}
	return bounds{share(s.MaxGrowth), share(s.MaxShrink)}
}

// implausible counts what changed from the list that serves to the next one, until a bound is passed. The error is the
// context's, or that of an index that could not be read.
func implausible(ctx context.Context, s *Source, next, held *crl.Index) ([]reason.ID, error) {
	most := boundsOf(s, held.Entries())
	// The difference of the numbers of entries is the least that came, or went: a list cut off needs no counting.
	switch grown := next.Entries() - held.Entries(); {
	case -grown > most.removed:
		return []reason.ID{reason.CRLShrinkImplausible}, nil
	case grown > most.added:
		return []reason.ID{reason.CRLGrowthImplausible}, nil
	}
	var added, removed int
	for change, err := range crl.Diff(held, next) {
		if err == nil && (added+removed)&0xfff == 0 {
			err = ctx.Err()
		}
		switch {
		case err != nil:
			return nil, err
		case change.Old == nil:
			added++
		case change.New == nil:
			removed++
		}
		switch {
		case removed > most.removed:
			return []reason.ID{reason.CRLShrinkImplausible}, nil
		case added > most.added:
			return []reason.ID{reason.CRLGrowthImplausible}, nil
		}
	}
	return nil, nil
}
