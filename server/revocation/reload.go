package revocation

import (
	"errors"
	"slices"

	"github.com/tashika-jp/tashika/certs/anchors"
)

// Reconfigure replaces sources, responders, anchors, the allow-list and the bounds, as on
// SIGHUP. The lists of sources that stay keep serving as long as they pass the new
// configuration; the rest stops serving at once. The state directory, the concurrency, and the ways
// to connect are those of New.
func (l *Living) Reconfigure(c Config) error {
	before := l.conf.Load()
	if c.StateDir != before.StateDir {
		return errors.New("revocation: the state directory cannot be changed without a restart")
	}
	c.HTTPClient, c.Dial, c.TLS = before.HTTPClient, before.Dial, before.TLS
	next, err := c.complete()
	if err != nil {
		return err
	}
	l.commit.Lock()
	defer l.commit.Unlock()
	if l.closed {
		return ErrClosed
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	feeds := make(map[string]*feed, len(next.feeds))
	byPlace := make(map[string]*feed, len(l.feeds))
	for _, f := range l.feeds {
		byPlace[f.source.location()] = f
	}
	for _, s := range next.feeds {
		f := newFeed(s)
		old := l.feeds[s.Name]
		if old == nil || old.source.location() != s.location() {
			if old = byPlace[s.location()]; s.URL == "" { // the lists of a directory have its name in theirs
				old = nil
			}
		}
		if old != nil {
			f.inherit(old)
		}
		feeds[s.Name] = f
	}
	next.asking = before.asking
	for id, r := range next.responders {
		if old := before.responders[id]; old != nil && old.Name == r.Name && old.URL == r.URL {
			r.inherit(old)
		}
	}
	l.feeds = feeds
	l.agenda.reset(feeds)
	l.conf.Store(next)
	l.snapshot.Store(l.sift(next, before))
	l.signal()
	return nil
}

// inherit takes over what another configuration of the same source has come to. Files are
// looked at again, and all is visited soon: what was refused may pass now.
func (f *feed) inherit(old *feed) {
	f.status, f.held, f.named, f.current, f.validators, f.said, f.refused = old.status, old.held, old.named, old.current, old.validators, old.said, old.refused
	for _, h := range f.held {
		if f.source.URL != "" {
			h.name = f.source.Name
		}
	}
}

// sift returns the snapshot of the lists that pass a configuration, and makes the feeds
// forget the others. Called with commit and mu held.
func (l *Living) sift(c *conf, before *conf) *snapshot {
	// Which algorithm a list was signed with is not kept. If one was withdrawn, the state directory is
	// read and checked again, as at a start; what is not there has to be fetched again.
	for _, a := range before.Allow {
		if !c.Allow.Allows(a) {
			for _, f := range l.feeds {
				clear(f.held)
				clear(f.named)
				f.current, f.validators = nil, validators{}
			}
			return emptySnapshot().with(l.load(c), nil)
		}
	}
	var keep, deltas []*live
	for k, x := range l.snapshot.Load().lists {
		if k.delta { // it goes with its complete list, also where its source is out of the configuration: what it told is known
			y := *x
			if f := l.holder(k, x.about.Source); f != nil {
				y.source, y.about.Source = f.held[k].name, f.source.Name
			}
			deltas = append(deltas, &y)
			continue
		}
		a := sameAnchor(c.Anchors, x.anchor)
		f := l.holder(k, x.about.Source)
		if a == nil || f == nil || !keepsPromise(&f.source, a, x.index.Scope()) {
			continue
		}
		y := *x
		y.anchor, y.source, y.about.Source = a, f.held[k].name, f.source.Name
		keep = append(keep, &y)
	}
	next := emptySnapshot().with(keep, nil)
	deltas = slices.DeleteFunc(deltas, func(x *live) bool { return next.lists[x.key.pair()] == nil })
	next = next.with(deltas, nil)
	for _, f := range l.feeds {
		for k := range f.held {
			if served(next.lists, k) == nil {
				f.forget(k)
			}
		}
	}
	return next
}

// holder is the feed that gave a list: the one of the name, or else any. Called with mu held.
func (l *Living) holder(k key, name string) *feed {
	if f := l.feeds[name]; f != nil && f.held[k] != nil {
		return f
	}
	for _, f := range l.feeds {
		if f.held[k] != nil {
			return f
		}
	}
	return nil
}

func sameAnchor(set *anchors.Set, a *anchors.Anchor) *anchors.Anchor {
	for _, b := range set.All() {
		if b.Fingerprint == a.Fingerprint {
			return b
		}
	}
	return nil
}
