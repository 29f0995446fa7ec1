package revocation

import (
	"context"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/tashika-jp/tashika/certs/crl"
	"github.com/tashika-jp/tashika/certs/reason"
)

// visit looks at a source once: fetch or read, gate, write, swap, and plan the next visit. Whoever calls it for a URL has a place
// (see job.go).
func (l *Living) visit(ctx context.Context, f *feed) error {
	select {
	case <-f.turn:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { f.turn <- struct{}{} }()
	c := l.conf.Load()
	err := l.mend(ctx, c, f)
	if err == nil {
		err = l.offerAgain(ctx, c, f)
	}
	switch {
	case err != nil:
	case f.source.URL != "":
		err = l.visitURL(ctx, c, f)
	default:
		err = l.visitDirectory(ctx, c, f)
	}
	l.prune(c, f)
	l.plan(c, f, err)
	return err
}

func (l *Living) visitURL(ctx context.Context, c *conf, f *feed) error {
	l.mu.Lock()
	known := f.validators
	l.mu.Unlock()
	limited, cancel := context.WithTimeout(ctx, f.source.Timeout)
	defer cancel()
	got, err := l.fetch(limited, c, &f.source, known)
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err() // we are stopping: nobody failed
		}
		failure := failureOf(err)
		l.book(func() { f.status.fail(c.Clock(), failure) })
		c.log(slog.LevelWarn, "revocation list not fetched", "source", f.source.Name, "failure", failure, "error", bare(err))
		return &Error{f.source.Name, []Failure{failure}}
	}
	var failures []Failure
	if got.notModified {
		l.madeGood(c, f, "", "")
		failures = l.secure(ctx, c, f, l.heldBy(f))
	} else {
		defer got.body.discard()
		about := record{ETag: got.validators.etag, LastModified: got.validators.lastModified}
		_, failures, err = l.offer(ctx, c, f, got.body, about)
		if err != nil {
			return err
		}
	}
	return l.settle(c, f, &f.status, failures)
}

// settle enters what came of a visit.
func (l *Living) settle(c *conf, f *feed, into *status, failures []Failure) error {
	now := c.Clock()
	l.book(func() {
		if len(failures) == 0 || failures[0] == StateNotWritten {
			into.succeed(now)
		}
		if len(failures) > 0 {
			into.fail(now, failures[0])
		}
	})
	if len(failures) == 0 {
		return nil
	}
	return &Error{f.source.Name, failures}
}

// book runs a change of the books.
func (l *Living) book(change func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change()
}

// offer takes a spooled list through the gate and, if it passes and is news, onto the disk and
// into service. Findings about the list, and StateNotWritten, are failures; an error is about us.
func (l *Living) offer(ctx context.Context, c *conf, f *feed, body *spool, about record) (*held, []Failure, error) {
	h, failures, err := l.judgeAndServe(ctx, c, f, body, &about)
	if h != nil {
		l.madeGood(c, f, about.File, about.Digest)
	}
	return h, failures, err
}

func (l *Living) judgeAndServe(ctx context.Context, c *conf, f *feed, body *spool, about *record) (*held, []Failure, error) {
	d, err := l.build(ctx, body, anySize)
	switch {
	case errors.Is(err, crl.ErrFormat): // the text of err may quote the list
		return nil, l.refuse(ctx, c, f, body, nil, about, []reason.ID{reason.CRLFormatFailure}), nil
	case ctx.Err() != nil:
		return nil, nil, ctx.Err()
	case err != nil:
		c.log(slog.LevelError, "the state directory failed", "source", f.source.Name, "failure", StateNotWritten, "error", err)
		return nil, []Failure{StateNotWritten}, nil
	}
	defer d.discard()
	about.Digest = digestOf(d.image)
	if err := l.mendBase(ctx, c, d.image, &f.source); err != nil {
		return nil, nil, err
	}
	next, found := c.believe(d.image, &f.source, l.snapshot.Load().lists)
	if next != nil {
		found = l.outOfLine(f, next)
	}
	if len(found) > 0 {
		return nil, l.refuse(ctx, c, f, body, d.image.List(), about, found), nil
	}
	if h, failures, known := l.unchanged(ctx, c, f, next, about); known {
		return h, failures, nil
	}
	about.Source, about.Location, about.Fetched = f.source.Name, f.source.location(), c.Clock().UTC()
	about.Issuer, about.IssuerKeyID = next.anchor.Certificate.Subject.String(), hex.EncodeToString([]byte(next.key.keyID))
	about.Partition, about.Number, about.DeltaBase = next.index.Scope().String(), next.index.Number(), decimal(d.image.List().DeltaBase)
	var sealed *temp
	defer func() { sealed.discard() }()
	var unsafe error
	var conceded []reason.ID
	for {
		// The list that is held against this one may be out of service just now.
		if err := l.mendOne(ctx, c, next.key.file()); err != nil {
			return nil, nil, err
		}
		lists := l.snapshot.Load().lists
		if next.delta != nil && lists[next.key.pair()] != next.delta.base {
			if next, found = c.believe(d.image, &f.source, lists); next == nil {
				return nil, l.refuse(ctx, c, f, body, d.image.List(), about, found), nil
			}
		}
		if next.key.delta && next.delta == nil {
			return l.heldAnyway(f, next, about), nil, nil
		}
		last := lists[next.key]
		if found, conceded, err = c.judge(ctx, &f.source, next, lists, about.Digest); err != nil {
			return nil, nil, err
		}
		if len(found) > 0 {
			return l.behind(ctx, c, f, next, last, d, about, found)
		}
		about.Admitted = c.admissions(last, about.Digest)
		if l.store != nil {
			sealed.discard()
			sealed, unsafe = l.store.seal(d, next.key.file(), about)
		}
		l.commit.Lock()
		if now := l.snapshot.Load().lists; now[next.key] == last && now[next.key.pair()] == lists[next.key.pair()] && !l.isBroken(next.key) {
			break
		}
		l.commit.Unlock() // another source was faster, or the list that serves was found damaged
	}
	defer l.commit.Unlock()
	if err := l.outdated(c, f); err != nil {
		return nil, nil, err
	}
	if len(conceded) > 0 {
		c.log(slog.LevelWarn, "a revocation list goes into service against the gate, because it was admitted", "source", f.source.Name,
			"conceded", conceded, "digest", about.Digest, "partition", about.Partition, "number", about.Number, "entries", next.index.Entries())
	}
	if l.store != nil && unsafe == nil {
		if unsafe = l.store.place(sealed, next.key.file()); unsafe == nil {
			sealed = nil
			d.keep()
		}
	}
	return l.swap(c, f, next, d, *about, unsafe)
}

// outdated says why a list that was on its way must not go live any more. Called with commit held.
func (l *Living) outdated(c *conf, f *feed) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.closed:
		return ErrClosed
	case l.conf.Load() != c || l.feeds[f.source.Name] != f:
		return errReconfigured
	}
	return nil
}

// swap puts a list into service. Called with commit held.
func (l *Living) swap(c *conf, f *feed, next *candidate, d *draft, about record, unsafe error) (*held, []Failure, error) {
	x := &live{key: next.key, index: next.index, anchor: next.anchor, digest: about.Digest, about: about, proven: true, words: new(words), delta: next.delta}
	var failures []Failure
	if unsafe != nil {
		x.unsafe, failures = d.body, []Failure{StateNotWritten}
		d.body.kept = true
	}
	l.mu.Lock()
	h := f.hold(next, about.File)
	x.source = h.name
	if f.source.URL != "" {
		f.current, f.validators = h, validators{about.ETag, about.LastModified}
	}
	l.mu.Unlock()
	l.replace(c, x, l.store != nil && unsafe == nil)
	l.awaited(x)
	c.log(slog.LevelInfo, "revocation list in service", "source", h.name, "issuer_key", about.IssuerKeyID, "partition", about.Partition,
		"number", about.Number, "this_update", x.index.ThisUpdate(), "next_update", x.index.NextUpdate(), "entries", x.index.Entries(), "delta_base", about.DeltaBase)
	if unsafe != nil {
		c.log(slog.LevelError, "the list serves from memory only: a restart would lose it", "source", h.name, "failure", StateNotWritten, "error", unsafe)
	}
	return h, failures, nil
}

// replace swaps a list in, and lets go of what is kept of the last one. Called with commit held.
func (l *Living) replace(c *conf, x *live, placed bool) {
	if l.store != nil {
		l.store.before("swap")
	}
	before := l.snapshot.Load()
	after := before.with(x.put(), nil)
	l.snapshot.Store(after)
	if delta := before.lists[x.key.pair()]; delta != nil && delta.delta != nil && after.lists[delta.key] == nil {
		l.letGo(c, delta)
	}
	if last := before.lists[x.key]; last != nil && last.unsafe != nil {
		last.unsafe.kept = false
		last.unsafe.discard()
	}
	l.book(func() { delete(l.broken, x.key.file()) })
	if placed {
		if err := l.store.count(x.key.file(), x.about.Generation); err != nil {
			c.log(slog.LevelWarn, "the files of a list that was replaced could not be removed", "source", x.source, "error", err)
		}
	}
}

// unchanged recognizes the list that serves already.
func (l *Living) unchanged(ctx context.Context, c *conf, f *feed, next *candidate, about *record) (*held, []Failure, bool) {
	x := l.snapshot.Load().lists[next.key]
	if x == nil || x.digest != about.Digest || x.index.Damaged() {
		return nil, nil, false
	}
	l.mu.Lock()
	h := f.held[next.key]
	if h == nil || h.file == "" {
		h = f.hold(next, about.File)
	}
	if f.source.URL != "" {
		f.current, f.validators = h, validators{about.ETag, about.LastModified}
	}
	l.mu.Unlock()
	return h, l.secure(ctx, c, f, []key{x.key}), true
}

// outOfLine: a URL that promised nothing is held to the issuer and partition that it gave first. The key may change.
func (l *Living) outOfLine(f *feed, next *candidate) []reason.ID {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case f.current == nil:
		return nil
	case f.current.key.issuer != next.key.issuer:
		return []reason.ID{reason.CRLIssuerMismatch}
	case f.current.key.scope != next.key.scope:
		return []reason.ID{reason.CRLScopeMismatch}
	}
	return nil
}

// behind judges a list that is not to replace the one that serves: another source's, or another file's, may lag or be
// the same; the same one going back may not.
func (l *Living) behind(ctx context.Context, c *conf, f *feed, next *candidate, last *live, d *draft, about *record, found []reason.ID) (*held, []Failure, error) {
	if last == nil || !lags(found) || last.about.Source == f.source.Name && last.about.File == about.File {
		return nil, l.refuse(ctx, c, f, d.body, d.image.List(), about, found), nil
	}
	l.mu.Lock()
	h := f.held[next.key]
	if h == nil {
		h = f.hold(next, about.File)
	}
	if f.source.URL != "" {
		f.current, f.validators = h, validators{about.ETag, about.LastModified}
	}
	l.mu.Unlock()
	c.log(slog.LevelDebug, "a newer list serves than this source has", "source", h.name)
	return h, nil, nil
}

// heldBy are the lists that a source gave.
func (l *Living) heldBy(f *feed) []key {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Collect(maps.Keys(f.held))
}

// secure tries again to write those of a source's lists that serve from memory only.
func (l *Living) secure(ctx context.Context, c *conf, f *feed, keys []key) []Failure {
	var failures []Failure
	l.commit.Lock()
	defer l.commit.Unlock()
	if l.store == nil || l.outdated(c, f) != nil {
		return nil
	}
	for _, k := range keys {
		x := l.snapshot.Load().lists[k]
		if x == nil || x.unsafe == nil || x.about.Source != f.source.Name {
			continue
		}
		if err := l.write(ctx, c, f, x); err != nil {
			failures = []Failure{StateNotWritten}
			continue
		}
		c.log(slog.LevelInfo, "a list that served from memory only was written", "source", x.source)
	}
	return failures
}

// write makes a list durable that serves from memory only. Nothing of what failed is used again: it is copied and built anew. Called
// with commit held, which makes others wait: a disk that fails is rare.
func (l *Living) write(ctx context.Context, c *conf, f *feed, x *live) error {
	if !l.store.writable() {
		return errNotOurs
	}
	src, err := x.unsafe.open(ctx)
	if err != nil {
		return err
	}
	defer src.Close()
	body := newSpool(l.store)
	defer body.discard()
	if _, err := io.Copy(body, src); err != nil {
		return err
	}
	if body.broken != nil {
		return body.broken
	}
	d, err := l.build(ctx, body, anySize)
	if err != nil {
		return err
	}
	defer d.discard()
	next, _ := c.believe(d.image, &f.source, l.snapshot.Load().lists)
	if next == nil || next.key != x.key || (next.delta == nil) != (x.delta == nil) {
		return errCorrupt
	}
	safe := *x
	safe.index, safe.unsafe, safe.delta = next.index, nil, next.delta
	sealed, err := l.store.seal(d, x.key.file(), &safe.about)
	if err != nil {
		return err
	}
	if err := l.store.place(sealed, x.key.file()); err != nil {
		sealed.discard()
		return err
	}
	d.keep()
	l.replace(c, &safe, true)
	return nil
}

// prune takes lists out of service that their source has replaced or no longer has, once they are stale. That our clock says
// so is not enough, because it may be a year ahead: the source has to give a list that is in its time by the same clock. What is
// pruned is set aside in the state directory, not deleted.
func (l *Living) prune(c *conf, f *feed) {
	now := c.Clock()
	l.commit.Lock()
	defer l.commit.Unlock()
	if l.outdated(c, f) != nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	lists := l.snapshot.Load().lists
	if !slices.ContainsFunc(slices.Collect(f.present()), func(h *held) bool {
		x := served(lists, h.key)
		return x != nil && !x.stale(now, c.ClockSkew)
	}) {
		return
	}
	var gone []key
	for k, h := range f.held {
		left := h.file == ""
		if f.source.URL != "" {
			left = h != f.current
		}
		if x := lists[k]; k.delta || !left || x == nil || !past(x, now, c.ClockSkew) {
			continue // a delta goes with its complete list
		}
		f.forget(k)
		if l.holder(k, "") == nil {
			gone = append(gone, k, k.pair())
			l.forget(k.pair())
		}
	}
	if len(gone) == 0 {
		return
	}
	l.snapshot.Store(l.snapshot.Load().with(nil, gone))
	for _, k := range gone {
		if l.store != nil && l.store.counts[k.file()] != 0 {
			if err := l.store.setAside(k.file()); err != nil {
				c.log(slog.LevelError, "a list that ended could not be set aside", "source", f.source.Name, "failure", StateNotWritten, "error", err)
			}
		}
	}
	c.log(slog.LevelInfo, "stale lists left service that their source no longer gives", "source", f.source.Name, "lists", len(gone))
}

// past says whether a list is beyond its nextUpdate.
func past(x *live, now time.Time, skew time.Duration) bool {
	return now.After(x.index.NextUpdate().Add(skew))
}
