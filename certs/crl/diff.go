package crl

import (
	"bytes"
	"iter"
)

// Change is what became of a serial number from one list to another.
type Change struct {
	Serial   []byte // content octets of the INTEGER, good until the next one
	Old, New *Entry // nil: not listed; both differ if neither is nil. Good until the next one
}

// Diff tells what changed between two lists, in the order of serial numbers, in memory that does not grow with them. An error ends it.
func Diff(old, new *Index) iter.Seq2[Change, error] {
	if old.image == new.image {
		return rediff(old, new)
	}
	return Changes(old.All(), new.All())
}

// rediff is Diff where the complete list is the same: only what the deltas list can have changed.
func rediff(old, new *Index) iter.Seq2[Change, error] {
	return func(yield func(Change, error) bool) {
		for c, err := range joined(old.listed(), new.listed()) {
			var was, is Entry
			var before, after bool
			if err == nil {
				was, before, err = old.Lookup(c.Serial)
			}
			if err == nil {
				is, after, err = new.Lookup(c.Serial)
			}
			if err != nil {
				yield(Change{}, err)
				return
			}
			change := Change{Serial: c.Serial}
			if before {
				change.Old = &was
			}
			if after {
				change.New = &is
			}
			if (before != after || was != is) && !yield(change, nil) {
				return
			}
		}
	}
}

// listed are the entries of the delta, if there is one.
func (x *Index) listed() iter.Seq2[Listed, error] {
	if x.delta == nil {
		return func(func(Listed, error) bool) {}
	}
	return x.delta.all()
}

// Changes is Diff of entries in the order of Index.All.
func Changes(old, new iter.Seq2[Listed, error]) iter.Seq2[Change, error] {
	return func(yield func(Change, error) bool) {
		for c, err := range joined(old, new) {
			if err == nil && c.Old != nil && c.New != nil && *c.Old == *c.New {
				continue
			}
			if !yield(c, err) {
				return
			}
		}
	}
}

// joined goes through the serial numbers of either of two, with what both say of each. An error ends it.
func joined(old, new iter.Seq2[Listed, error]) iter.Seq2[Change, error] {
	return func(yield func(Change, error) bool) {
		next, stop := beside(new)
		defer stop()
		n := next()
		var o Listed // one for all: what is yielded points to it
		var err error
		for o, err = range old {
			for err == nil && n != nil && n.err == nil && compareOctets(n.Serial, o.Serial) < 0 {
				if !yield(Change{n.Serial, nil, &n.Entry}, nil) {
					return
				}
				n = next()
			}
			if err == nil && n != nil {
				err = n.err
			}
			if err != nil {
				yield(Change{}, err)
				return
			}
			c := Change{o.Serial, &o.Entry, nil}
			both := n != nil && bytes.Equal(n.Serial, o.Serial)
			if both {
				c.New = &n.Entry
			}
			if !yield(c, nil) {
				return
			}
			if both {
				n = next()
			}
		}
		for ; n != nil; n = next() {
			if n.err != nil {
				yield(Change{}, n.err)
				return
			}
			if !yield(Change{n.Serial, nil, &n.Entry}, nil) {
				return
			}
		}
	}
}

// told is what an iterator over entries gives.
type told struct {
	Listed
	err error
}

// batchSize is how many entries are fetched at once from what is gone through beside something else. To change over from one to the
// other takes ten times what an entry takes.
const batchSize = 256

// beside goes through entries beside something else. next returns nil at the end, and otherwise what is good until it is called again.
func beside(entries iter.Seq2[Listed, error]) (next func() *told, stop func()) {
	more, stop := iter.Pull(func(yield func([]told) bool) {
		batch := make([]told, 0, batchSize)
		for l, err := range entries {
			batch = batch[:len(batch)+1]
			t := &batch[len(batch)-1]
			t.Serial, t.Entry, t.err = append(t.Serial[:0], l.Serial...), l.Entry, err
			if len(batch) < batchSize {
				continue
			}
			if !yield(batch) {
				return
			}
			batch = batch[:0]
		}
		yield(batch)
	})
	var batch []told
	return func() *told {
		if len(batch) == 0 {
			if batch, _ = more(); len(batch) == 0 {
				return nil
			}
		}
		t := &batch[0]
		batch = batch[1:]
		return t
	}, stop
}
