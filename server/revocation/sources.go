package revocation

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"slices"
	"time"

	"github.com/tashika-jp/tashika/certs/profile"
)

// Sources are the states of all sources, sorted by name. It holds up no request.
func (l *Living) Sources() []SourceState {
	c := l.conf.Load()
	now := c.Clock()
	lists := l.snapshot.Load().lists
	var out []SourceState
	l.mu.Lock()
	for _, f := range l.feeds {
		out = append(out, c.describe(f, lists, now))
		if f.source.Directory == "" {
			continue
		}
		for _, h := range f.held {
			s := SourceState{Name: h.name, Method: profile.CRL, State: Missing, Required: f.source.Required && h.file != ""}
			s.tell(&h.status)
			if h.file != "" {
				s.Refused = f.refused[h.file].refusal()
			}
			s.show(c, lists[h.key], now)
			out = append(out, s)
		}
	}
	l.mu.Unlock()
	for id, r := range c.responders {
		out = append(out, r.describe(c, []byte(id)))
	}
	if c.AllowAIA {
		out = append(out, l.aia.describe(c, nil))
	}
	slices.SortFunc(out, func(a, b SourceState) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// Ready says whether every required source is fresh at the given time.
func (l *Living) Ready(now time.Time) bool {
	c := l.conf.Load()
	lists := l.snapshot.Load().lists
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, f := range l.feeds {
		if f.source.Required && c.stateOf(f, lists, now) != Fresh {
			return false
		}
	}
	return true
}

// describe is the state of a source as a whole. Called with mu held.
func (c *conf) describe(f *feed, lists map[key]*live, now time.Time) SourceState {
	s := SourceState{
		Name: f.source.Name, Method: profile.CRL, Required: f.source.Required,
		Partition: f.source.Partition.String(), IssuerKeyID: hex.EncodeToString(f.source.IssuerKeyID),
		Issuer: c.issuerOf(f.source.IssuerKeyID),
	}
	s.tell(&f.status)
	s.Refused = f.refusal()
	if f.source.URL != "" && f.current != nil {
		s.show(c, lists[f.current.key], now)
	}
	s.State = c.stateOf(f, lists, now)
	if f.source.Directory != "" {
		s.Lists, s.Entries = 0, 0
		for _, h := range f.held {
			if x := lists[h.key]; x != nil {
				s.Lists++
				s.Entries += x.index.Entries()
			}
		}
	}
	return s
}

// stateOf is the worst state of the lists that a source gives now. Called with mu held.
func (c *conf) stateOf(f *feed, lists map[key]*live, now time.Time) State {
	state := Missing
	for h := range f.present() {
		x := lists[h.key]
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
	s.Issuer, s.IssuerKeyID = x.anchor.Certificate.Subject.String(), hex.EncodeToString([]byte(x.key.keyID))
	s.Partition, s.Number = x.index.Scope().String(), x.index.Number()
	s.ThisUpdate, s.NextUpdate = x.index.ThisUpdate(), x.index.NextUpdate()
	s.Entries, s.Lists = x.index.Entries(), 1
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
