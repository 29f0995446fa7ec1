package revocation

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"slices"
	"sync"
	"time"
	"weak"

	"github.com/tashika-jp/tashika/certs/profile"
)

// Sources are the states of all sources, sorted by name. It holds up no request.
func (l *Living) Sources() []SourceState {
	c := l.conf.Load()
	now := c.Clock()
	lists := l.snapshot.Load().lists
	l.mu.Lock()
	out := make([]SourceState, 0, len(l.agenda.byName)+len(c.Sources)+len(c.responders)+1)
	whole := make(map[string]*SourceState) // the manifests
	for _, s := range c.Sources {
		if s.Manifest != "" {
			whole[s.Name] = &SourceState{Name: s.Name, Method: profile.CRL, Required: s.Required, Issuer: c.issuerOf(s.IssuerKeyID),
				IssuerKeyID: hex.EncodeToString(s.IssuerKeyID)}
		}
	}
	for _, f := range l.agenda.byName {
		s := c.describe(f, lists, now)
		out = append(out, s)
		if f.source.Directory != "" {
			out = append(out, c.describeLists(f, lists, now)...)
		} else if m := whole[s.PartOf]; m != nil {
			m.include(&s)
		}
	}
	l.mu.Unlock()
	for _, m := range whole {
		m.State = m.worst()
		out = append(out, *m)
	}
	for id, r := range c.responders {
		out = append(out, r.describe(c, []byte(id)))
	}
	if c.AllowAIA {
		out = append(out, l.aia.describe(c, nil))
	}
	slices.SortFunc(out, func(a, b SourceState) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// readiness is what is known of the required sources as long as no list and no book changes: when all of them are fresh.
type readiness struct {
	snapshot    weak.Pointer[snapshot] // that nobody serves from any more must be able to go
	changes     uint64                 // of the agenda
	missing     bool
	from, until time.Time
}

// Ready says whether every required source is fresh at the given time. Whoever asks for our health asks this, so it looks at all of
// them only if something has changed.
func (l *Living) Ready(now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.snapshot.Load()
	if r := &l.readiness; r.snapshot != weak.Make(s) || r.changes != l.agenda.changes {
		*r = l.whenFresh(s)
	}
	r := &l.readiness
	return !r.missing && !now.Before(r.from) && !now.After(r.until)
}

// whenFresh is the time in which no list of a required source is untimely. Called with mu held.
func (l *Living) whenFresh(s *snapshot) readiness {
	skew := l.conf.Load().ClockSkew
	r := readiness{snapshot: weak.Make(s), changes: l.agenda.changes, until: time.Unix(1<<40, 0)}
	for _, f := range l.agenda.byName {
		if !f.source.Required {
			continue
		}
		none := true
		for h := range f.present() {
			x := served(s.lists, h.key)
			if none = x == nil || x.awaits != ""; none {
				break
			}
			if from := x.index.ThisUpdate().Add(-skew); from.After(r.from) {
				r.from = from
			}
			if until := x.index.NextUpdate().Add(skew); until.Before(r.until) {
				r.until = until
			}
		}
		if none {
			r.missing = true
			return r
		}
	}
	return r
}

// describe is the state of a source as a whole. Called with mu held.
func (c *conf) describe(f *feed, lists map[key]*live, now time.Time) SourceState {
	s := SourceState{
		Name: f.source.Name, Method: profile.CRL, Required: f.source.Required, PartOf: f.source.manifest, Partition: f.source.promised,
	}
	if f.source.IssuerKeyID != nil {
		s.Issuer, s.IssuerKeyID = c.issuerOf(f.source.IssuerKeyID), hex.EncodeToString(f.source.IssuerKeyID)
	}
	s.tell(&f.status)
	s.Refused = f.refusal()
	if f.source.URL != "" {
		s.State = Missing
		if f.current != nil {
			s.show(c, served(lists, f.current.key), now)
		}
		s.count()
		return s
	}
	for h := range f.present() {
		var one SourceState
		one.tell(&h.status)
		one.State = Missing
		one.show(c, served(lists, h.key), now)
		one.count()
		s.add(&one)
	}
	s.State = s.worst()
	s.Lists, s.Entries = 0, 0
	for _, h := range f.held { // also those whose file is gone serve
		if x := lists[h.key]; x != nil && x.delta == nil {
			s.Lists++
			s.Entries += x.index.Entries()
		}
	}
	return s
}

// describeLists are the states of the lists of a directory. Called with mu held.
func (c *conf) describeLists(f *feed, lists map[key]*live, now time.Time) []SourceState {
	out := make([]SourceState, 0, len(f.held))
	for _, h := range f.held {
		s := SourceState{Name: h.name, Method: profile.CRL, State: Missing, Required: f.source.Required && h.file != "", PartOf: f.source.Name}
		s.tell(&h.status)
		if h.file != "" {
			s.Refused = f.refused[h.file].refusal()
		}
		s.show(c, served(lists, h.key), now)
		s.count()
		out = append(out, s)
	}
	return out
}

// count makes a list the one partition of its own state.
func (s *SourceState) count() {
	s.Partitions[s.State] = 1
	if s.LastFailure.After(s.LastFetch) {
		s.Failing = 1
	}
	s.OldestUpdate, s.NextExpected = s.ThisUpdate, s.NextUpdate
}

// add counts a partition in.
func (s *SourceState) add(part *SourceState) {
	for state, n := range part.Partitions {
		s.Partitions[state] += n
	}
	s.Failing += part.Failing
	s.Lists += part.Lists
	s.Entries += part.Entries
	earliest(&s.OldestUpdate, part.OldestUpdate)
	earliest(&s.NextExpected, part.NextExpected)
}

// include is add, with how the visits went: since when every partition that was ever fetched has been, and how many failed. Why is
// told with each.
func (s *SourceState) include(row *SourceState) {
	s.add(row)
	earliest(&s.LastFetch, row.LastFetch)
	s.Fetches += row.Fetches
	s.Failures += row.Failures
}

func earliest(of *time.Time, other time.Time) {
	if of.IsZero() || !other.IsZero() && other.Before(*of) {
		*of = other
	}
}

// worst is the state of a whole.
func (s *SourceState) worst() State {
	switch {
	case s.Partitions[Missing] > 0 || s.Partitions[Stale]+s.Partitions[Fresh] == 0:
		return Missing
	case s.Partitions[Stale] > 0:
		return Stale
	}
	return Fresh
}

// stateOf is the worst state of the lists that a source gives now. Called with mu held.
func (c *conf) stateOf(f *feed, lists map[key]*live, now time.Time) State {
	state := Missing
	for h := range f.present() {
		x := served(lists, h.key)
		switch {
		case x == nil:
			return Missing
		case x.stale(now, c.ClockSkew):
			state = Stale
		case state == Missing:
			state = Fresh
		}
	}
	return state
}

// tell fills in how the visits went.
func (s *SourceState) tell(from *status) {
	s.LastFetch, s.LastFailure, s.Failure = from.lastFetch, from.lastFailure, from.failure
	s.Fetches, s.Failures = from.fetches, from.failures
}

// show fills in what a list says of itself; x may be nil.
func (s *SourceState) show(c *conf, x *live, now time.Time) {
	if x == nil {
		return
	}
	s.State = Fresh
	if x.stale(now, c.ClockSkew) {
		s.State = Stale
	}
	text := x.told()
	s.Issuer, s.IssuerKeyID, s.Partition, s.Number = text.issuer, text.keyID, text.partition, text.number
	s.ThisUpdate, s.NextUpdate = x.index.ThisUpdate(), x.index.NextUpdate()
	s.Entries, s.Lists = x.index.Entries(), 1
}

// words are what a list says of itself, as text: made when somebody looks, and once.
type words struct {
	once                             sync.Once
	issuer, keyID, partition, number string
}

func (x *live) told() *words {
	x.words.once.Do(func() {
		x.words.issuer, x.words.keyID = x.anchor.Certificate.Subject.String(), hex.EncodeToString([]byte(x.key.keyID))
		x.words.partition, x.words.number = x.index.Scope().String(), x.index.Number()
	})
	return x.words
}

// issuerOf is the name of the anchor with a key identifier, or empty.
func (c *conf) issuerOf(keyID []byte) string {
	for _, a := range c.Anchors.All() {
		if len(keyID) > 0 && bytes.Equal(a.Certificate.SubjectKeyID, keyID) {
			return a.Certificate.Subject.String()
		}
	}
	return ""
}
