package revocation

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tashika-jp/tashika/certs/crl"
)

// rebuiltAtStart is how much DER, in bytes, is built again while the start waits for it. What is beyond is built when its source is visited first,
// and does not serve until then.
const rebuiltAtStart = 16 << 20

// Why a list of the state directory is not believed, where it is not for a reason of package reason.
const (
	stateCorrupt        = "STATE_CORRUPT"
	sourceNotConfigured = "SOURCE_NOT_CONFIGURED"
)

// opened is what a list of the state directory turned out to be.
type opened struct {
	about   record
	feed    *feed      // nil: of no source
	next    *candidate // nil: not believed, or its index is to be built again
	proven  bool
	failure string // why it is not believed
	err     error  // the same, of the index or of the disk
}

// load opens the state directory. What is there was accepted once, so only the clock and
// the order of lists are not asked again: if our clock stepped back, a list from the future keeps
// holding the line (and its answers are UNKNOWN). Called with mu held, or before anybody else
// has the Living.
func (l *Living) load(c *conf) []*live {
	if l.store == nil {
		return nil
	}
	keys, former, err := l.store.keys()
	if err != nil {
		c.Logger.Error("the state directory cannot be read", "failure", StateNotWritten, "error", err)
		return nil
	}
	if len(former) > 0 {
		for i, name := range former {
			former[i] = l.store.path(name)
		}
		err := l.store.moveAside(former)
		c.Logger.Warn("lists of the layout before this one were set aside, and are fetched anew", "files", len(former), "error", err)
	}
	clear(l.broken)
	var deltas []string
	keys = slices.DeleteFunc(keys, func(key string) bool {
		is := strings.HasSuffix(key, deltaSuffix)
		if is {
			deltas = append(deltas, key)
		}
		return is
	})
	all := make([]opened, len(keys))
	var next atomic.Int64
	var rebuilt atomic.Int64
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for i := next.Add(1) - 1; int(i) < len(keys); i = next.Add(1) - 1 {
				all[i] = l.open(c, keys[i], &rebuilt)
			}
		})
	}
	workers.Wait()
	var lists []*live
	for i, o := range all {
		l.store.counts[keys[i]] = o.about.Generation
		switch {
		case o.failure != "":
			l.disbelieve(c, keys[i], o.failure, o.err)
		case o.next == nil:
			l.broken[keys[i]] = o.about
			c.Logger.Error("an index of the state directory is built again before it serves", "source", o.feed.source.Name, "failure", IndexDamaged, "error", o.err)
		default:
			lists = append(lists, o.feed.enter(&o))
		}
	}
	lists = append(lists, l.loadDeltas(c, deltas, lists)...)
	c.Logger.Info("revocation lists loaded from the state directory", "lists", len(lists))
	return lists
}

// open looks at one list of the state directory. It changes nothing but an index that it builds again; rebuilt is how much was so far.
func (l *Living) open(c *conf, key string, rebuilt *atomic.Int64) opened {
	about, err := l.store.read(key)
	if err != nil {
		return opened{failure: stateCorrupt, err: err}
	}
	o := opened{about: about, feed: l.feedOf(&about)}
	if o.feed == nil {
		o.failure = sourceNotConfigured
		return o
	}
	image, err := l.store.openIndex(key, &about)
	if err == nil {
		if o.believe(c, key, image); o.next != nil {
			return o
		}
		err = errors.New("the index is not believed")
	}
	o.err = err
	body, err := l.store.spoolOf(key, &about)
	if err == nil && rebuilt.Add(body.size) > rebuiltAtStart {
		o.failure = ""
		return o
	}
	if image, err = l.rebuild(context.Background(), c, key, &about); err != nil {
		o.failure, o.err = "", errors.Join(o.err, err)
		if atFault(err) {
			o.failure = stateCorrupt
		}
		return o
	}
	o.proven = true
	if o.believe(c, key, image); o.next != nil {
		c.Logger.Error("an index of the state directory was built again", "source", o.feed.source.Name, "failure", IndexDamaged, "error", o.err)
	}
	return o
}

// believe asks whether a list is its source's.
func (o *opened) believe(c *conf, key string, image *crl.Image) {
	next, found := c.authenticate(image, &o.feed.source)
	switch {
	case next == nil:
		o.failure = string(found[0])
	case next.key.file() != key:
		// A file under another's name would let an old copy stand beside the list that replaced it.
		o.failure = stateCorrupt
	default:
		o.next, o.failure = next, ""
	}
}

// feedOf is the feed that a record leads back to. Called with mu held, or before anybody else has the Living.
func (l *Living) feedOf(about *record) *feed {
	if f := l.feeds[about.Source]; f != nil {
		return f
	}
	for _, f := range l.feeds { // the source may have been given another name
		if f.source.location() == about.Location {
			return f
		}
	}
	return nil
}

// enter enters a list of the state directory into the books. Called with mu held, or before anybody else has the Living.
func (f *feed) enter(o *opened) *live {
	about := o.about
	about.Source = f.source.Name
	h := f.hold(o.next, about.File)
	if h.status.lastFetch.Before(about.Fetched) {
		h.status.lastFetch = about.Fetched
	}
	if f.status.lastFetch.Before(about.Fetched) {
		f.status.lastFetch = about.Fetched
	}
	if about.File != "" && about.FileSize > 0 {
		f.seen[about.File] = &visit{size: about.FileSize, modified: about.FileTime, held: h}
	}
	// Of the lists of several keys that a URL gave, the last.
	if f.source.URL != "" && f.current != h && (f.current == nil || f.current.status.lastFetch.Before(about.Fetched)) {
		f.current, f.validators = h, validators{}
		if about.Location == f.source.URL {
			f.validators = validators{about.ETag, about.LastModified}
		}
	}
	return &live{key: o.next.key, index: o.next.index, anchor: o.next.anchor, source: h.name, digest: about.Digest, about: about, proven: o.proven, words: new(words)}
}

// disbelieve sets a list of the state directory aside. Called with commit held, or before anybody else has the Living.
func (l *Living) disbelieve(c *conf, key, failure string, why error) {
	err := l.store.setAside(key)
	c.Logger.Error("a list of the state directory is not believed and was set aside", "list", key, "failure", failure, "error", errors.Join(why, err))
}

// rebuild makes the index of a kept list anew and puts it in the place of the one that is damaged. Where that cannot be written it
// serves all the same.
func (l *Living) rebuild(ctx context.Context, c *conf, key string, about *record) (*crl.Image, error) {
	d, err := l.redraft(ctx, key, about, anySize)
	if err != nil {
		return nil, err
	}
	defer d.discard()
	if err := l.store.replaceIndex(d, key, about); err != nil {
		c.log(slog.LevelError, "an index that was built again could not be written", "failure", StateNotWritten, "error", err)
	}
	return d.image, nil
}

// redraft builds from a kept list what its index should be, in memory only below a size.
func (l *Living) redraft(ctx context.Context, key string, about *record, most int64) (*draft, error) {
	body, err := l.store.spoolOf(key, about)
	if err != nil {
		return nil, err
	}
	d, err := l.build(ctx, body, most)
	if err != nil {
		return nil, err
	}
	if digestOf(d.image) != about.Digest {
		d.discard()
		return nil, errCorrupt
	}
	return d, nil
}

// damaged takes a list out of service whose index was found damaged, and has its source visited at once, which mends it.
func (l *Living) damaged(c *conf, x *live) {
	l.commit.Lock()
	defer l.commit.Unlock()
	lists := l.snapshot.Load().lists
	if l.closed || lists[x.key] != x {
		return // replaced meanwhile
	}
	var put []*live
	if x.delta != nil {
		base := lists[x.key.pair()]
		if base == nil || base.index.Damaged() {
			return // it is the complete list that is damaged
		}
		alone := *base
		alone.awaits = x.about.Number
		put = append(put, &alone)
	}
	l.snapshot.Store(l.snapshot.Load().with(put, []key{x.key}))
	if x.unsafe != nil {
		x.unsafe.kept = false
		x.unsafe.discard()
	}
	l.mu.Lock()
	if f := l.holder(x.key, x.about.Source); f != nil {
		f.status.fail(c.Clock(), IndexDamaged)
		f.held[x.key].status.fail(c.Clock(), IndexDamaged)
		f.next = time.Time{}
		l.reconsider(f)
		if l.store != nil && x.unsafe == nil {
			l.broken[x.key.file()] = x.about
		} else { // there is nothing to build it from
			l.forget(x.key)
		}
	}
	l.mu.Unlock()
	c.log(slog.LevelError, "the index of a revocation list is damaged: nothing is known from it until it is built again", "source", x.source,
		"failure", IndexDamaged, "partition", x.about.Partition, "number", x.about.Number)
	l.signal()
}

// isBroken says whether a list is out of service until its index is built again.
func (l *Living) isBroken(k key) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, is := l.broken[k.file()]
	return is
}

// forget has every source of a list fetch it anew. Called with mu held.
func (l *Living) forget(k key) {
	for _, f := range l.feeds {
		if f.held[k] != nil {
			f.forget(k)
		}
	}
}

// mend builds again the indexes of a source that are damaged. What cannot be mended is fetched anew. The error is that of the context,
// or an *Error where we could not even try.
func (l *Living) mend(ctx context.Context, c *conf, f *feed) error {
	lists := l.snapshot.Load().lists
	var found []*live
	l.mu.Lock()
	for k := range f.held {
		if x := lists[k]; x != nil && x.index.Damaged() {
			found = append(found, x)
		}
	}
	l.mu.Unlock()
	for _, x := range found {
		l.damaged(c, x)
	}
	l.mu.Lock()
	var keys []string
	for key, about := range l.broken {
		if l.feedOf(&about) == f {
			keys = append(keys, key)
		}
	}
	l.mu.Unlock()
	slices.Sort(keys)
	for _, key := range keys {
		if err := l.mendOne(ctx, c, key); err != nil {
			return err
		}
	}
	return nil
}

// mendOne builds the index of a key again, if it is to be. Of several at once the first does.
func (l *Living) mendOne(ctx context.Context, c *conf, key string) error {
	if strings.HasSuffix(key, deltaSuffix) {
		return l.mendDelta(ctx, c, key)
	}
	l.mu.Lock()
	about, broken := l.broken[key]
	o := opened{about: about, feed: l.feedOf(&about), proven: true}
	l.mu.Unlock()
	if !broken || o.feed == nil {
		return nil
	}
	f := o.feed
	image, err := l.rebuild(ctx, c, key, &o.about)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	switch {
	case err == nil:
		o.believe(c, key, image)
	case atFault(err):
		o.failure = stateCorrupt
	default:
		c.log(slog.LevelError, "the index of a revocation list could not be built again", "source", f.source.Name, "failure", IndexDamaged, "error", err)
		l.book(func() { f.status.fail(c.Clock(), IndexDamaged) })
		return &Error{f.source.Name, []Failure{IndexDamaged}}
	}
	l.commit.Lock()
	defer l.commit.Unlock()
	if err := l.outdated(c, f); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if still, broken := l.broken[key]; !broken || still.Generation != about.Generation {
		return nil
	}
	delete(l.broken, key)
	if o.next == nil {
		l.disbelieve(c, key, o.failure, err)
		for _, g := range l.feeds {
			for k := range g.held {
				if k.file() == key {
					g.forget(k)
				}
			}
		}
		return nil
	}
	x := f.enter(&o)
	if delta, is := l.broken[key+deltaSuffix]; is {
		x.awaits = delta.Number
		if f := l.feedOf(&delta); f != nil {
			f.next = time.Time{}
			l.reconsider(f)
		}
	}
	l.snapshot.Store(l.snapshot.Load().with([]*live{x}, nil))
	c.log(slog.LevelInfo, "the index of a revocation list was built again", "source", f.source.Name, "partition", o.about.Partition, "number", o.about.Number)
	return nil
}
