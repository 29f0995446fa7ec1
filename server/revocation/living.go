package revocation

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tashika-jp/tashika/certs"
	"github.com/tashika-jp/tashika/certs/reason"
)

// Living is the living index. All methods may be called from any number of goroutines.
type Living struct {
	// snapshot is what List answers from, and all that it touches.
	snapshot atomic.Pointer[snapshot]
	// conf is what Ask and the visits work by.
	conf atomic.Pointer[conf]

	store  *store // nil: memory only; immutable
	asides *asides
	limit  *limits
	builds *builds
	wake   chan struct{} // tells Run that the schedule changed

	// commit is held from the last comparison of a list with the one that serves until it
	// is on disk and swapped in, so that neither ever goes backwards. Taken before mu.
	commit sync.Mutex
	closed bool // guarded by commit

	// mu guards the books: feeds and everything in them. It is held for moments only, and
	// never by List.
	mu        sync.Mutex
	feeds     map[string]*feed // by source name
	agenda    agenda
	round     round
	readiness readiness
	broken    map[string]record // by key in the state directory: lists whose index is to be built again, and that do not serve until then
	running   bool
	refusals  map[reason.ID]uint64
	aia       *responder // stands for all responders that certificates name; immutable
}

var _ certs.Revocation = (*Living)(nil)

// feed is a source with what came of it.
type feed struct {
	source Source        // immutable
	host   string        // whom a visit asks; empty for a directory. Immutable
	turn   chan struct{} // holds one token: one visit at a time

	// The following are guarded by Living.mu.
	status     status
	held       map[key]*held
	named      map[string]bool // the names of those
	current    *held           // of a URL: the list it gave last
	validators validators
	seen       map[string]*visit   // of a directory: its files as found last
	refused    map[string]*refused // by file, which a URL has none of: what it gives now and must not serve
	tried      map[string]bool     // by SHA-256: lists aside that were offered again
	streak     int                 // visits in a row that brought nothing fresh
	next       time.Time           // zero: at once
	busy       bool                // in Run's line, or visited by it
	spread     bool                // its visits have a place of their own in the period
	at         time.Time           // when Run has to look at it
	slot       int                 // in the agenda
	said       State               // last logged
}

// held is a list that a feed gave. Guarded by Living.mu.
type held struct {
	key    key
	name   string // in Sources
	file   string // in a drop directory; empty once it is gone
	status status
}

// validators make a fetch conditional (RFC 9110 section 13.1).
type validators struct{ etag, lastModified string }

// New makes the index and loads the state directory, so that what was known before the
// last stop is served at once, without network. Close it after Run has ended.
func New(c Config) (*Living, error) { return open(c, nil) }

// open is New; step may be nil (store.step).
func open(c Config, step func(string)) (*Living, error) {
	conf, err := c.complete()
	if err != nil {
		return nil, err
	}
	l := &Living{
		limit: newLimits(conf), builds: newBuilds(), wake: make(chan struct{}, 1),
		feeds: make(map[string]*feed), broken: make(map[string]record), aia: newResponder(Responder{Name: aiaName}),
		refusals: make(map[reason.ID]uint64),
	}
	l.conf.Store(conf)
	l.asides = &asides{}
	l.snapshot.Store(emptySnapshot())
	for _, s := range conf.feeds {
		l.feeds[s.Name] = newFeed(s)
	}
	l.agenda.reset(l.feeds)
	if conf.StateDir == "" {
		return l, nil
	}
	l.store, err = openStore(conf.StateDir)
	if l.store == nil {
		return nil, fmt.Errorf("revocation: %w", err)
	}
	if err != nil {
		conf.Logger.Error("the state directory cannot be written: lists will serve from memory only",
			"failure", StateNotWritten, "directory", conf.StateDir, "error", err)
	}
	l.store.step = step
	l.snapshot.Store(emptySnapshot().with(l.load(conf), nil))
	if err := l.store.tidy(); err != nil {
		conf.Logger.Error("what an earlier process left in the state directory could not be removed", "failure", StateNotWritten, "error", err)
	}
	if l.asides, err = openAsides(l.store); err != nil {
		conf.Logger.Error("not all of the lists that were kept aside can be read or removed", "failure", StateNotWritten, "error", err)
	}
	l.recall()
	for _, f := range l.feeds {
		l.resume(conf, f)
	}
	return l, nil
}

func newFeed(s Source) *feed {
	f := &feed{source: s, host: hostOf(&s), turn: make(chan struct{}, 1), held: make(map[key]*held), named: make(map[string]bool), seen: make(map[string]*visit),
		refused: make(map[string]*refused), tried: make(map[string]bool)}
	f.turn <- struct{}{}
	return f
}

// Close gives up the state directory. What serves goes on serving, but nothing new is taken in.
func (l *Living) Close() error {
	l.commit.Lock()
	defer l.commit.Unlock()
	if l.closed {
		return nil
	}
	l.closed = true
	l.signal()
	if l.store == nil {
		return nil
	}
	return l.store.close()
}

// forget drops what the feed knows of a list, so that the next visit begins anew. Called
// with mu held.
func (f *feed) forget(k key) {
	if h := f.held[k]; h != nil {
		delete(f.named, h.name)
	}
	delete(f.held, k)
	for name, v := range f.seen {
		if v.held != nil && v.held.key == k {
			delete(f.seen, name)
		}
	}
	if f.current != nil && f.current.key == k {
		f.current, f.validators = nil, validators{}
	}
}

// hold enters a list into the feed's books. Called with mu held, or before anybody else
// has the Living.
func (f *feed) hold(x *candidate, file string) *held {
	h := f.held[x.key]
	if h == nil {
		h = &held{key: x.key, name: f.source.Name}
		if f.source.Directory != "" {
			h.name = nameOf(f.source.Name, x)
			if f.named[h.name] {
				h.name += "-" + x.key.file()[:8]
			}
		}
		f.held[x.key], f.named[h.name] = h, true
	}
	h.file = file
	return h
}

func (l *Living) signal() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}
