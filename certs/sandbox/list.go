package sandbox

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"time"
)

// A list is the CRL of one (CA, key generation, municipality). The shape of the
// real ones is not public (jpki.md section 3); the sandbox follows RFC 5280
// section 5 and the one inference of the domain page: an IDP with the same
// directoryName as the certificates' distribution point.
type list struct {
	id         ListID
	generation *generation
	point      name
	crowd      crowd

	// The following are guarded by World.mu.
	revoked map[uint64]*record // held and revoked, until they leave the list for good
	changed bool               // something happened that the current issue does not say
	current *issue
	before  *issue // the issue before, for the fault of an older number
}

// An issue is one published CRL. Immutable but for its signature, which is made once.
type issue struct {
	list       *list
	number     int64
	thisUpdate time.Time
	nextUpdate time.Time
	crowds     []crowd // their serials come before those of entries
	entries    []entry
	// sameSecond: the issue before bears the same thisUpdate, so Last-Modified
	// cannot tell the two apart and must not be used to (RFC 9110 section 8.8.2.2).
	sameSecond bool

	signing sync.Once
	signed  *document // written by signing
	err     error     // written by signing
}

// An entry is one line of revokedCertificates.
type entry struct {
	serial uint64
	date   time.Time
	reason Reason
}

func newList(g *generation, m Municipality) *list {
	return &list{
		id: ListID{g.ca.authority, g.number, m.Code}, generation: g, point: partitionName(g.ca.authority, m),
		revoked: make(map[uint64]*record),
	}
}

// crowds are the crowds in the list's issues: its own, if it has one.
func (l *list) crowds() []crowd {
	if l.crowd.rounds == 0 {
		return nil
	}
	return []crowd{l.crowd}
}

// note tells the list that r's state changed. A lifted hold leaves the list at
// once: the next issue does not have it (removeFromCRL is for delta CRLs only,
// RFC 5280 section 5.3.1).
func (l *list) note(r *record) {
	if r.now().Status == Good {
		delete(l.revoked, r.serial)
	} else {
		l.revoked[r.serial] = r
	}
	l.changed = true
}

// publishLocked makes a new issue, to be signed when it is first read. The caller holds w.mu.
func (w *World) publishLocked(l *list) {
	now := w.clock().UTC().Truncate(time.Second)
	next := &issue{list: l, number: 1, thisUpdate: now, nextUpdate: now.Add(w.validity), crowds: l.crowds()}
	if l.current != nil {
		next.number = l.current.number + 1
		next.sameSecond = !next.thisUpdate.After(l.current.thisUpdate)
	}
	for serial, r := range l.revoked {
		// RFC 5280 section 3.3: an entry stays until it has appeared on one list
		// issued beyond the certificate's validity.
		if l.current != nil && l.current.thisUpdate.After(r.notAfter) {
			delete(l.revoked, serial)
			continue
		}
		s := r.now()
		next.entries = append(next.entries, entry{serial, s.Date, s.Reason})
	}
	slices.SortFunc(next.entries, func(a, b entry) int { return cmp.Compare(a.serial, b.serial) })
	l.before, l.current, l.changed = l.current, next, false
}

// document is the issue's DER. It is signed when it is first asked for: of thousands of
// lists most are never read, and none twice before the next is out.
func (i *issue) document() (*document, error) {
	i.signing.Do(func() {
		if i.signed, i.err = i.list.sign(i, i.list.generation.key); i.err != nil {
			i.err = fmt.Errorf("sandbox: publish %s: %w", i.list.id.Path(), i.err)
		}
	})
	return i.signed, i.err
}

// PublishCRLs makes a new issue of every list, changed or not, as the daily run does.
func (w *World) PublishCRLs() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.cas {
		for _, g := range c.generations {
			for _, l := range g.order {
				w.publishLocked(l)
			}
		}
	}
}

func (w *World) list(id ListID) (*list, error) {
	g, ok := w.generation(id.Authority, id.Generation)
	if !ok {
		return nil, fmt.Errorf("sandbox: %w: %v", ErrUnknownList, id)
	}
	l, ok := g.lists[id.Municipality]
	if !ok {
		return nil, fmt.Errorf("sandbox: %w: %v", ErrUnknownList, id)
	}
	return l, nil
}

// issueOf returns the list's current issue and the one before it (nil at
// first), making a new issue first if it is due: something changed (unless
// lists are daily), or the current one is about to end.
func (w *World) issueOf(l *list) (current, before *issue) {
	now := w.clock()
	due := func() bool {
		return (l.changed && !w.daily) || !now.Before(l.current.nextUpdate.Add(-w.overlap))
	}
	w.mu.RLock()
	if !due() {
		defer w.mu.RUnlock()
		return l.current, l.before
	}
	w.mu.RUnlock()
	w.mu.Lock()
	defer w.mu.Unlock()
	if due() { // still: somebody may have come first
		w.publishLocked(l)
	}
	return l.current, l.before
}

// CRL returns the current issue of a list, exactly what the handler serves when
// no fault is set.
func (w *World) CRL(id ListID) ([]byte, error) {
	l, err := w.list(id)
	if err != nil {
		return nil, err
	}
	current, _ := w.issueOf(l)
	d, err := current.document()
	if err != nil {
		return nil, err
	}
	return d.bytes()
}
