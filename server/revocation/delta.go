package revocation

import (
	"bytes"
	"cmp"
	"context"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/tashika-jp/tashika/certs/anchors"
	"github.com/tashika-jp/tashika/certs/crl"
	"github.com/tashika-jp/tashika/certs/reason"
	"github.com/tashika-jp/tashika/certs/signature"
)

// A delta (RFC 5280 section 5.2.4) says what has changed since a complete list. It comes from any source like a list, serves beside
// the complete list of the same issuer, key and scope, and answers in its stead from both together (crl.Index.WithDelta): its key is
// the complete list's, marked. What the gate asks, it asks of both together: number and time do not go back, and no more entries come or
// go than is plausible. A hold that the delta releases is good again.
//
// A delta whose complete list is not here is refused, kept aside, and offered again when that comes. A complete list that is as far on
// as the delta takes its place; one that is not is served under it. Nothing else takes a delta out of service: what it told is known, and a
// complete list without it would say "good" of somebody whom we know to be revoked. So if a delta is out of date the two together
// are, and if it is damaged or lost the complete list answers nothing (live.awaits) until something as new is here.
//
// Deltas of deltas are not put together: each has to be of a complete list that was issued.
const deltaSuffix = "-delta"

// overlay is what makes a list a delta.
type overlay struct {
	image *crl.Image
	base  *live // that it serves over
	allow signature.AllowList
}

// pair is the key of the delta of a complete list, and the other way round.
func (k key) pair() key {
	k.delta = !k.delta
	return k
}

// over makes of a delta an index over another complete list.
func (x *live) over(base *live) (*live, []reason.ID) {
	a := base.anchor
	index, found := base.index.WithDelta(x.delta.image, a.Certificate, a.Key, x.delta.allow)
	if index == nil {
		return nil, found
	}
	y := *x
	y.index, y.anchor, y.delta = index, a, &overlay{x.delta.image, base, x.delta.allow}
	return &y, nil
}

// pairUp has a complete list answer with its delta, where there is one that tells more.
func (s *snapshot) pairUp(complete key) {
	base, delta := s.lists[complete], s.lists[complete.pair()]
	if base == nil {
		return // and its delta answers nothing
	}
	if delta != nil && delta.delta.base != base {
		if delta, _ = delta.over(base); delta == nil {
			delete(s.lists, complete.pair())
		} else {
			s.lists[delta.key] = delta
		}
	}
	if x := s.answering(complete); x != nil {
		s.exact[exactOf(base)] = x
	} else {
		delete(s.exact, exactOf(base))
	}
}

// answering is what answers for the key of a complete list; nil if nothing does.
func (s *snapshot) answering(complete key) *live {
	base, delta := s.lists[complete], s.lists[complete.pair()]
	switch {
	case base == nil:
		return nil
	case delta != nil:
		return delta
	case base.awaits != "":
		return nil
	}
	return base
}

// served is the list of a key that a source gives; for a delta that tells nothing more the complete list.
func served(lists map[key]*live, k key) *live {
	if x := lists[k]; x != nil || !k.delta {
		return x
	}
	return lists[k.pair()]
}

// anchorKey is an anchor with the key that a list of it would have.
type anchorKey struct {
	anchor *anchors.Anchor
	key    key
}

// anchorsOf are the anchors that may have made a delta, with the keys of its complete list.
func (c *conf) anchorsOf(list *crl.List, s *Source) (out []anchorKey, found reason.ID) {
	if p := list.IDP; p != nil && (p.OnlyCACerts || p.OnlyAttributeCerts) {
		return nil, reason.CRLScopeMismatch
	}
	keyID := list.AuthorityKeyID
	if len(keyID) == 0 {
		keyID = s.IssuerKeyID
	}
	if s.IssuerKeyID != nil && !bytes.Equal(keyID, s.IssuerKeyID) {
		return nil, reason.CRLIssuerMismatch
	}
	scope := list.Scope()
	found = reason.CRLIssuerMismatch
	for _, a := range c.Anchors.ByKeyID(list.Issuer, keyID) {
		k, ok := keyFor(a, scope)
		if !ok || !keepsPromise(s, a, scope) {
			found = reason.CRLScopeMismatch
			continue
		}
		out = append(out, anchorKey{a, k})
	}
	return out, found
}

// authenticateDelta is authenticate of a delta, over the complete list that serves. Where that is as far on, the candidate is no delta
// of it and has the complete list's index.
func (c *conf) authenticateDelta(image *crl.Image, s *Source, lists map[key]*live) (*candidate, []reason.ID) {
	list := image.List()
	all, why := c.anchorsOf(list, s)
	found := []reason.ID{why}
	for _, a := range all {
		base := lists[a.key]
		if base == nil {
			found = []reason.ID{reason.CRLBaseMismatch}
			continue
		}
		index, ids := base.index.WithDelta(image, a.anchor.Certificate, a.anchor.Key, c.Allow)
		switch {
		case index != nil:
			return &candidate{a.key.pair(), index, a.anchor, &overlay{image, base, c.Allow}}, nil
		case slices.Equal(ids, []reason.ID{reason.CRLBaseMismatch}) && !lower(base.index.Number(), decimal(list.Number)):
			return &candidate{a.key.pair(), base.index, a.anchor, nil}, nil
		}
		found = ids
	}
	return nil, found
}

// believe is authenticate of a list of either kind.
func (c *conf) believe(image *crl.Image, s *Source, lists map[key]*live) (*candidate, []reason.ID) {
	if image.List().DeltaBase != nil {
		return c.authenticateDelta(image, s, lists)
	}
	return c.authenticate(image, s)
}

// lower compares numbers in decimal.
func lower(a, b string) bool {
	return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b)) < 0
}

// mendBase builds the index of the complete list of a delta again, if it is to be.
func (l *Living) mendBase(ctx context.Context, c *conf, image *crl.Image, s *Source) error {
	if image.List().DeltaBase == nil {
		return nil
	}
	all, _ := c.anchorsOf(image.List(), s)
	for _, a := range all {
		if err := l.mendOne(ctx, c, a.key.file()); err != nil {
			return err
		}
	}
	return nil
}

// heldAnyway enters that a source gives a delta which tells nothing that the complete list does not.
func (l *Living) heldAnyway(f *feed, next *candidate, about *record) *held {
	l.mu.Lock()
	defer l.mu.Unlock()
	h := f.hold(next, about.File)
	if f.source.URL != "" {
		f.current, f.validators = h, validators{about.ETag, about.LastModified}
	}
	return h
}

// awaited has the sources of deltas that lie aside, because the complete list was not here, offer them to one that is.
func (l *Living) awaited(x *live) {
	if x.key.delta {
		return
	}
	number := x.index.Number()
	for _, r := range l.asides.all() {
		if !slices.Contains(r.Reasons, reason.CRLBaseMismatch) || lower(number, r.DeltaBase) || !lower(number, r.Number) ||
			r.IssuerKeyID != "" && r.IssuerKeyID != x.about.IssuerKeyID {
			continue
		}
		l.book(func() {
			if f := l.feedOf(&record{Source: r.Source, Location: r.Location}); f != nil {
				delete(f.tried, r.SHA256)
				f.next = time.Time{}
				l.reconsider(f)
			}
		})
		l.signal()
	}
}

// letGo removes what is kept of a delta that a complete list has taken the place of. Called with commit held.
func (l *Living) letGo(c *conf, x *live) {
	if x.unsafe != nil {
		x.unsafe.kept = false
		x.unsafe.discard()
	}
	if l.store != nil && l.store.counts[x.key.file()] != 0 {
		if err := l.store.remove(x.key.file()); err != nil {
			c.log(slog.LevelWarn, "a delta that is out of use could not be removed", "source", x.source, "error", err)
		}
	}
	c.log(slog.LevelInfo, "a complete list takes the place of a delta", "source", x.source, "number", x.about.Number)
}

// openDelta looks at a delta of the state directory.
func (l *Living) openDelta(c *conf, key string) (opened, *crl.Image) {
	about, err := l.store.read(key)
	if err != nil {
		return opened{failure: stateCorrupt, err: err}, nil
	}
	o := opened{about: about, feed: l.feedOf(&about)}
	image, err := l.store.openIndex(key, &about)
	if err != nil {
		o.proven = true
		if image, err = l.rebuild(context.Background(), c, key, &about); err != nil {
			o.failure, o.err = stateCorrupt, err
		}
	}
	return o, image
}

// loadDeltas opens the deltas of the state directory over the complete lists that were found there. One that is lost is awaited. Called
// with mu held, or before anybody else has the Living.
func (l *Living) loadDeltas(c *conf, keys []string, complete []*live) []*live {
	lists, bases := make(map[key]*live), make(map[string]*live)
	for _, x := range complete {
		lists[x.key], bases[x.key.file()] = x, x
	}
	var out []*live
	for _, key := range keys {
		baseKey := strings.TrimSuffix(key, deltaSuffix)
		base := bases[baseKey]
		o, image := l.openDelta(c, key)
		l.store.counts[key] = o.about.Generation
		if _, broken := l.broken[baseKey]; broken && image != nil {
			l.broken[key] = o.about // built again when the complete list was
			continue
		}
		x, found := l.restoreDelta(c, &o, image, lists)
		switch {
		case x != nil:
			out = append(out, x)
			continue
		case len(found) == 0 && o.failure == "":
			if err := l.store.remove(key); err != nil {
				c.Logger.Warn("a delta that is out of use could not be removed", "error", err)
			}
			continue
		case o.failure == "":
			o.failure = string(found[0])
		}
		l.disbelieve(c, key, o.failure, o.err)
		if base != nil {
			base.awaits = cmp.Or(o.about.Number, "0")
		}
	}
	return out
}

// restoreDelta is the delta of the state directory, over its complete list. Without findings and without a delta it is out of use. Its
// source may be out of the configuration: what it told is known all the same.
func (l *Living) restoreDelta(c *conf, o *opened, image *crl.Image, lists map[key]*live) (*live, []reason.ID) {
	if image == nil {
		return nil, nil
	}
	var any Source
	s := &any
	if o.feed != nil {
		s = &o.feed.source
	}
	next, found := c.authenticateDelta(image, s, lists)
	if next == nil || next.delta == nil {
		return nil, found
	}
	o.next = next
	x := &live{key: next.key, index: next.index, anchor: next.anchor, source: o.about.Source, digest: o.about.Digest, about: o.about, proven: o.proven, words: new(words)}
	if o.feed != nil {
		x = o.feed.enter(o)
	}
	x.delta = next.delta
	return x, nil
}

// mendDelta is mendOne of a delta.
func (l *Living) mendDelta(ctx context.Context, c *conf, key string) error {
	l.mu.Lock()
	about, broken := l.broken[key]
	o := opened{about: about, feed: l.feedOf(&about), proven: true}
	l.mu.Unlock()
	if !broken || o.feed == nil {
		return nil
	}
	if err := l.mendOne(ctx, c, strings.TrimSuffix(key, deltaSuffix)); err != nil {
		return err
	}
	image, err := l.rebuild(ctx, c, key, &o.about)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	l.commit.Lock()
	defer l.commit.Unlock()
	if err := l.outdated(c, o.feed); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if still, broken := l.broken[key]; !broken || still.Generation != about.Generation {
		return nil
	}
	before := l.snapshot.Load()
	x, found := l.restoreDelta(c, &o, image, before.lists)
	if slices.Contains(found, reason.CRLBaseMismatch) {
		return nil // its complete list will come
	}
	delete(l.broken, key)
	if x == nil {
		failure := stateCorrupt
		if len(found) > 0 {
			failure = string(found[0])
		}
		l.disbelieve(c, key, failure, err)
		for _, f := range l.feeds {
			for k := range f.held {
				if k.file() == key {
					f.forget(k)
				}
			}
		}
		return nil
	}
	l.snapshot.Store(before.with(x.put(), nil))
	c.log(slog.LevelInfo, "the index of a revocation list was built again", "source", x.source, "partition", about.Partition, "number", about.Number)
	return nil
}

// put is what goes into a snapshot with a list: under a delta that was awaited the complete list answers again.
func (x *live) put() []*live {
	if x.delta == nil || x.delta.base.awaits == "" {
		return []*live{x}
	}
	base := *x.delta.base
	base.awaits = ""
	x.delta.base = &base
	return []*live{&base, x}
}
