package crl

import (
	"context"

	"github.com/tashika-jp/tashika/certs/reason"
)

// Bounds are how much a list may differ from the one before it, as shares of the entries of the one before.
//
// RFC 5280 lets a list be followed by any other. But an authority whose database was cut off, restored from last year, or
// was not there when the list was made signs a list that is genuine, newer, and nearly empty: everybody who was revoked is
// good. The other way round, a list that doubles overnight turns away citizens in their thousands. Both happen by accident
// long before they happen for a reason, and for a reason somebody can be asked.
type Bounds struct {
	Growth float64 // entries that the one before had not; 0 means DefaultGrowth
	Shrink float64 // entries that are gone; 0 means DefaultShrink
}

// What is plausible where nobody said. AlwaysPlausible is how many entries may be added, and how many may be gone, whatever share that
// is: the lists of small municipalities have a handful.
const (
	DefaultGrowth   = 1.0
	DefaultShrink   = 0.5
	AlwaysPlausible = 16
)

// Check says whether the bounds make sense.
func (b Bounds) Check() bool { return b.Growth >= 0 && b.Shrink >= 0 && b.Shrink <= 1 } // nor NaN

// most are the bounds in entries, against a list that has so many.
func (b Bounds) most(entries int) (added, removed int) {
	share := func(of, otherwise float64) int {
		if of == 0 {
			of = otherwise
		}
		return max(AlwaysPlausible, int(min(of*float64(entries), 1<<62)))
	}
	return share(b.Growth, DefaultGrowth), share(b.Shrink, DefaultShrink)
}

// Plausible counts what changed from the last list to the next, exactly, until a bound is passed. What counts is which entries came
// and went, not how many there are: a list of as many other serial numbers has lost them all. A revocation that is gone counts like a
// hold that was released: which of them may go is the issuer's to say. The error is the context's, or ErrDamaged.
func Plausible(ctx context.Context, next, last *Index, b Bounds) ([]reason.ID, error) {
	mayAdd, mayRemove := b.most(last.Entries())
	// The difference of the numbers of entries is the least that came, or went: a list cut off needs no counting.
	added, removed := next.Entries()-last.Entries(), last.Entries()-next.Entries()
	if added <= mayAdd && removed <= mayRemove {
		added, removed = 0, 0
		for change, err := range Diff(last, next) {
			if err == nil && (added+removed)%4096 == 0 {
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
			if added > mayAdd || removed > mayRemove {
				break
			}
		}
	}
	var found reason.Findings
	found.Add(removed > mayRemove, reason.CRLShrinkImplausible)
	found.Add(added > mayAdd, reason.CRLGrowthImplausible)
	return found, nil
}
