package revocation

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"maps"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tashika-jp/tashika/certs/crl"
	"github.com/tashika-jp/tashika/certs/reason"
)

// A list that the gate refuses is kept in aside/ of the state directory, as <SHA-256 of it>.crl, with a line of JSON about it in
// <the same>.json: somebody has to look at it (tashika crl inspect, diff, check), ask the authority, and perhaps let it through
// (Config.Admit). It is offered again from there, without a fetch, when it is admitted; and a delta when the list comes that it changes.
//
// The last lists are kept, up to so many and so many bytes, but for the very last one, which is kept whatever its size. What
// could not even be read goes first. What else lies there, because it left service or was not believed at a start, is bounded in the
// same way at each start.
const (
	maxAside      = 64
	maxAsideBytes = 4 << 30
	asideRecord   = ".json"
)

// refused is a list that did not pass the gate. What it says of itself may be anybody's word.
type refused struct {
	SHA256       string      `json:"sha256"`
	Source       string      `json:"source"`
	Location     string      `json:"location"`
	File         string      `json:"file,omitempty"` // in a drop directory
	ETag         string      `json:"etag,omitempty"`
	LastModified string      `json:"last_modified,omitempty"`
	Time         time.Time   `json:"time"`
	Reasons      []reason.ID `json:"reasons"`
	Digest       string      `json:"digest,omitempty"` // by which it can be admitted; empty if it could not be read
	Issuer       string      `json:"issuer,omitempty"`
	IssuerKeyID  string      `json:"issuer_key_id,omitempty"`
	Number       string      `json:"number,omitempty"`
	DeltaBase    string      `json:"delta_base,omitempty"`
	ThisUpdate   time.Time   `json:"this_update,omitzero"`
	NextUpdate   time.Time   `json:"next_update,omitzero"`
	Entries      int         `json:"entries"`
	Size         int64       `json:"size"`
}

// newRefused is what there is to say of a list; nil stands for one that could not be read.
func newRefused(f *feed, body *spool, list *crl.List, about *record, found []reason.ID, now time.Time) *refused {
	r := &refused{
		Source: f.source.Name, Location: f.source.location(), File: about.File, ETag: about.ETag, LastModified: about.LastModified,
		Time: now.UTC(), Reasons: found, Size: body.size,
	}
	if list != nil {
		r.Digest, r.Issuer, r.IssuerKeyID = hex.EncodeToString(list.Digest()), list.Issuer.String(), hex.EncodeToString(list.AuthorityKeyID)
		r.Number, r.DeltaBase = decimal(list.Number), decimal(list.DeltaBase)
		r.ThisUpdate, r.NextUpdate, r.Entries = list.ThisUpdate, list.NextUpdate, list.EntryCount
	}
	return r
}

// decimal is a CRL number; empty if there is none.
func decimal(octets []byte) string {
	if octets == nil {
		return ""
	}
	return new(big.Int).SetBytes(octets).String()
}

// asides are the lists that were kept.
type asides struct {
	store *store // nil: none are

	mu    sync.Mutex
	lists map[string]*refused // by SHA-256; guarded by mu, and so are their files. The lists are immutable
}

// openAsides finds what was kept, and removes what a process that died has left half done.
func openAsides(s *store) (*asides, error) {
	a := &asides{store: s, lists: make(map[string]*refused)}
	if s == nil {
		return a, nil
	}
	entries, err := os.ReadDir(s.path(asideDir))
	if err != nil {
		return a, known(err)
	}
	has := make(map[string]bool)
	for _, e := range entries {
		has[e.Name()] = true
	}
	for name := range has {
		sum, ofOurs := strings.CutSuffix(name, asideRecord)
		switch {
		case ofOurs && has[sum+listSuffix]:
			text, readErr := os.ReadFile(a.path(name))
			r := new(refused)
			if readErr != nil || json.Unmarshal(text, r) != nil || r.SHA256 != sum {
				err = errors.Join(err, readErr, a.remove(sum))
				continue
			}
			a.lists[sum] = r
		case ofOurs:
			err = errors.Join(err, a.remove(sum))
		case strings.HasSuffix(name, listSuffix) && len(name) == 2*sha256.Size+len(listSuffix) && !has[strings.TrimSuffix(name, listSuffix)+asideRecord]:
			err = errors.Join(err, a.remove(strings.TrimSuffix(name, listSuffix)))
		}
	}
	return a, errors.Join(err, a.evict(""), a.thin(entries))
}

// thin bounds what else lies aside likewise: lists that left service, and what a start did not believe.
func (a *asides) thin(entries []os.DirEntry) error {
	if !a.store.writable() {
		return nil
	}
	type group struct {
		files []string
		size  int64
		at    time.Time
	}
	groups := make(map[string]*group)
	var size int64
	for _, e := range entries {
		name, _, _ := strings.Cut(e.Name(), ".")
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() || a.lists[name] != nil {
			continue
		}
		g := groups[name]
		if g == nil {
			g = new(group)
			groups[name] = g
		}
		g.files, g.size, size = append(g.files, e.Name()), g.size+info.Size(), size+info.Size()
		if g.at.Before(info.ModTime()) {
			g.at = info.ModTime()
		}
	}
	oldest := slices.SortedFunc(maps.Values(groups), func(g, h *group) int { return g.at.Compare(h.at) })
	var err error
	for n, g := range oldest {
		if len(oldest)-n <= maxAside && size <= maxAsideBytes {
			break
		}
		for _, name := range g.files {
			err = errors.Join(err, known(os.Remove(a.path(name))))
		}
		size -= g.size
	}
	return err
}

func (a *asides) path(name string) string { return filepath.Join(a.store.path(asideDir), name) }

// remove takes the files of a list away. Called with mu held, or before anybody else has the asides.
func (a *asides) remove(sum string) error {
	delete(a.lists, sum)
	if !a.store.writable() {
		return nil
	}
	return errors.Join(known(os.Remove(a.path(sum+asideRecord))), known(os.Remove(a.path(sum+listSuffix))))
}

// keep takes a spooled list over. One that is kept already is kept once, with what was found last.
func (a *asides) keep(ctx context.Context, body *spool, r *refused) error {
	if a.store == nil {
		return nil
	}
	src, err := body.open(ctx)
	if err != nil {
		return err
	}
	defer src.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, src); err != nil {
		return err
	}
	r.SHA256 = hex.EncodeToString(sum.Sum(nil))
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case !a.store.writable():
		return errNotOurs
	case a.lists[r.SHA256] != nil:
	case body.file == nil:
		return cmp.Or(body.broken, errNotOurs)
	default:
		if err := os.MkdirAll(a.store.path(asideDir), 0o700); err != nil {
			return err
		}
		if err := body.file.flush(); err != nil {
			return err
		}
		if err := body.file.rename(a.path(r.SHA256 + listSuffix)); err != nil {
			return err
		}
		body.kept = true
	}
	a.lists[r.SHA256] = r
	return errors.Join(a.write(r), a.evict(r.SHA256))
}

// write puts down what is known of a list. Called with mu held.
func (a *asides) write(r *refused) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	file, err := a.store.newTemp()
	if err != nil {
		return err
	}
	if _, err = file.Write(append(text, '\n')); err == nil {
		if err = file.flush(); err == nil {
			err = file.rename(a.path(r.SHA256 + asideRecord))
		}
	}
	if err != nil {
		file.discard()
	}
	return err
}

// evict lets the oldest go until the rest is within the bounds, and what could not be read before all others. One is spared,
// the newest if none is named.
// Called with mu held, or before anybody else has the asides.
func (a *asides) evict(spared string) error {
	var all []*refused
	var size int64
	for _, r := range a.lists {
		all = append(all, r)
		size += r.Size
	}
	slices.SortFunc(all, func(r, s *refused) int {
		if (r.Digest == "") != (s.Digest == "") {
			return strings.Compare(r.Digest, s.Digest)
		}
		return cmp.Or(r.Time.Compare(s.Time), cmp.Compare(r.SHA256, s.SHA256))
	})
	if spared == "" && len(all) > 0 {
		spared = all[len(all)-1].SHA256
	}
	var err error
	for _, r := range all {
		if len(a.lists) <= maxAside && size <= maxAsideBytes {
			break
		}
		if r.SHA256 != spared {
			err = errors.Join(err, a.remove(r.SHA256))
			size -= r.Size
		}
	}
	return err
}

// drop forgets a list that went into service.
func (a *asides) drop(digest string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	var err error
	for sum, r := range a.lists {
		if r.Digest == digest {
			err = errors.Join(err, a.remove(sum))
		}
	}
	return err
}

// all are the lists that are kept, the oldest first.
func (a *asides) all() []*refused {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := make([]*refused, 0, len(a.lists))
	for _, r := range a.lists {
		out = append(out, r)
	}
	slices.SortFunc(out, func(r, s *refused) int { return cmp.Or(r.Time.Compare(s.Time), cmp.Compare(r.SHA256, s.SHA256)) })
	return out
}

// Refusal is a list that a source gives and that the gate does not let pass. But for Time, Reasons and Digest it is the list's
// own word, which may be anybody's.
type Refusal struct {
	Time       time.Time // when it was refused first
	Reasons    []reason.ID
	Digest     string // by which it can be admitted; empty if it could not be read
	Number     string // decimal
	ThisUpdate time.Time
	Entries    int
}

func (r *refused) refusal() *Refusal {
	if r == nil {
		return nil
	}
	return &Refusal{r.Time, r.Reasons, r.Digest, r.Number, r.ThisUpdate, r.Entries}
}

// refusal is the last of a feed, of all its files. Called with mu held.
func (f *feed) refusal() *Refusal {
	var last *refused
	for _, r := range f.refused {
		if last == nil || r.Time.After(last.Time) {
			last = r
		}
	}
	return last.refusal()
}

// Refusals are what the gate has refused.
type Refusals struct {
	Waiting int                  // lists that sources give now and that are refused
	Total   map[reason.ID]uint64 // refusals since the start, by what was found; a list that is given again is refused again
}

// Refusals tells what the gate has refused.
func (l *Living) Refusals() Refusals {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := Refusals{Total: maps.Clone(l.refusals)}
	for _, f := range l.feeds {
		out.Waiting += len(f.refused)
	}
	return out
}

// recall enters what was refused before the start, and has not been made good since. Called before anybody else has the Living.
func (l *Living) recall() {
	for _, r := range l.asides.all() {
		f := l.feedOf(&record{Source: r.Source, Location: r.Location})
		if f == nil {
			continue
		}
		better := f.current != nil && f.current.status.lastFetch.After(r.Time)
		for _, h := range f.held {
			better = better || r.File != "" && h.file == r.File && h.status.lastFetch.After(r.Time)
		}
		if !better {
			f.refused[r.File] = r
		}
	}
}

// refuse says loudly, and once, that a list did not pass the gate; counts it, and keeps it for somebody to look at. The last good one
// serves on.
func (l *Living) refuse(ctx context.Context, c *conf, f *feed, body *spool, list *crl.List, about *record, found []reason.ID) []Failure {
	r := newRefused(f, body, list, about, found, c.Clock())
	l.mu.Lock()
	for _, id := range found {
		l.refusals[id]++
	}
	last := f.refused[about.File]
	l.mu.Unlock()
	// What is wrong with us is not in the list.
	if !slices.Contains(found, reason.CRLIndexDamaged) {
		if err := l.asides.keep(ctx, body, r); err != nil {
			c.log(slog.LevelError, "a refused list could not be kept aside", "source", f.source.Name, "failure", StateNotWritten, "error", err)
		}
	}
	level := slog.LevelError
	if last != nil && last.SHA256 == r.SHA256 && last.Digest == r.Digest && slices.Equal(last.Reasons, r.Reasons) {
		level, r.Time = slog.LevelDebug, last.Time
	}
	l.book(func() { f.refused[about.File] = r })
	c.log(level, "revocation list refused, the last good one serves on", "source", f.source.Name, "reasons", found, "digest", r.Digest,
		"number", r.Number, "delta_base", r.DeltaBase, "this_update", r.ThisUpdate, "entries", r.Entries, "aside", r.SHA256)
	return fromReasons(found)
}

// madeGood forgets that a source, or a file of it, gave a list that was refused: it gives a good one now. The digest is that of a list
// which is in service now, or empty.
func (l *Living) madeGood(c *conf, f *feed, file, digest string) {
	l.book(func() { delete(f.refused, file) })
	if digest == "" {
		return
	}
	if err := l.asides.drop(digest); err != nil {
		c.log(slog.LevelWarn, "a list that was kept aside and serves now could not be removed there", "source", f.source.Name, "error", err)
	}
}

// offerAgain offers lists of a source that lie aside and may pass now: an operator has admitted them, or they are deltas and the
// complete list has come. Each is tried once in the life of a configuration, and a delta once for a complete list (awaited).
func (l *Living) offerAgain(ctx context.Context, c *conf, f *feed) error {
	for _, r := range l.asides.all() {
		l.mu.Lock()
		due := (c.admitted[r.Digest] || slices.Contains(r.Reasons, reason.CRLBaseMismatch)) && !f.tried[r.SHA256] && l.feedOf(&record{Source: r.Source, Location: r.Location}) == f
		f.tried[r.SHA256] = due || f.tried[r.SHA256]
		l.mu.Unlock()
		if !due {
			continue
		}
		path := l.asides.path(r.SHA256 + listSuffix)
		body := &spool{file: &temp{path: path}, size: r.Size, kept: true}
		_, _, err := l.offer(ctx, c, f, body, record{File: r.File, ETag: r.ETag, LastModified: r.LastModified})
		if err != nil {
			return err
		}
	}
	return nil
}
