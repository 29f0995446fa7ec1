package revocation

import (
	"context"
	"encoding/hex"
	"log/slog"
	"time"

	"github.com/tashika-jp/tashika/certs/reason"
)

// visit looks at a source once: fetch or read, gate, write, swap, and plan the next visit.
func (l *Living) visit(ctx context.Context, f *feed) error {
	select {
	case <-f.turn:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { f.turn <- struct{}{} }()
	c := l.conf.Load()
	var err error
	if f.source.URL != "" {
		err = l.visitURL(ctx, c, f)
	} else {
		err = l.visitDirectory(ctx, c, f)
	}
	l.prune(c, f)
	l.plan(c, f, err)
	return err
}

func (l *Living) visitURL(ctx context.Context, c *conf, f *feed) error {
	release, err := l.limit.acquire(ctx, f.source.URL)
	if err != nil {
		return err
	}
	defer release()
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
		failures = l.secure(c, f)
	} else {
		defer got.body.discard()
		about := record{ETag: got.validators.etag, LastModified: got.validators.lastModified}
		_, failures, err = l.offer(c, f, got.body, about)
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
func (l *Living) offer(c *conf, f *feed, body *spool, about record) (*held, []Failure, error) {
	digest := body.digest()
	if h, failures, known := l.unchanged(c, f, digest, about); known {
		return h, failures, nil
	}
	der, err := body.bytes()
	if err != nil {
		c.log(slog.LevelError, "the state directory failed", "source", f.source.Name, "failure", StateNotWritten, "error", err)
		return nil, []Failure{StateNotWritten}, nil
	}
	next, found := c.authenticate(der, &f.source)
	if next == nil {
		return nil, l.refuse(c, f, nil, found), nil
	}
	if found := l.outOfLine(f, next); len(found) > 0 {
		return nil, l.refuse(c, f, next, found), nil
	}
	last := l.snapshot.Load().lists[next.key]
	if found := c.compare(next.index, last, c.Clock()); len(found) > 0 {
		return l.behind(c, f, next, last, about, found)
	}
	about.Source, about.Location, about.Fetched, about.SHA256 = f.source.Name, f.source.location(), c.Clock().UTC(), digest
	about.Issuer, about.IssuerKeyID = next.anchor.Certificate.Subject.String(), hex.EncodeToString([]byte(next.key.keyID))
	about.Partition, about.Number = next.index.Scope().String(), next.index.Number()
	sealed, sealErr := "", error(nil)
	if l.store != nil {
		sealed, sealErr = l.store.seal(body, about)
	}
	l.commit.Lock()
	defer l.commit.Unlock()
	if err := l.outdated(c, f); err != nil {
		return nil, nil, err
	}
	// Another source may have been faster.
	last = l.snapshot.Load().lists[next.key]
	if found := c.compare(next.index, last, c.Clock()); len(found) > 0 {
		return l.behind(c, f, next, last, about, found)
	}
	if l.store != nil && sealErr == nil {
		if sealErr = l.store.place(sealed, next.key.file()); sealErr == nil {
			body.file = nil // it has its own name now
		}
	}
	return l.swap(c, f, next, der, about, sealErr)
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
func (l *Living) swap(c *conf, f *feed, next *candidate, der []byte, about record, unsafe error) (*held, []Failure, error) {
	x := &live{key: next.key, index: next.index, anchor: next.anchor, digest: about.SHA256, about: about}
	var failures []Failure
	if unsafe != nil {
		x.unsafe, failures = der, []Failure{StateNotWritten}
	}
	l.mu.Lock()
	h := f.hold(next, about.File)
	x.source = h.name
	if f.source.URL != "" {
		f.current, f.validators = h, validators{about.ETag, about.LastModified}
	}
	l.mu.Unlock()
	l.snapshot.Store(l.snapshot.Load().with([]*live{x}, nil))
	c.log(slog.LevelInfo, "revocation list in service", "source", h.name, "issuer_key", about.IssuerKeyID, "partition", about.Partition,
		"number", about.Number, "this_update", x.index.ThisUpdate(), "next_update", x.index.NextUpdate(), "entries", x.index.Entries())
	if unsafe != nil {
		c.log(slog.LevelError, "the list serves from memory only: a restart would lose it", "source", h.name, "failure", StateNotWritten, "error", unsafe)
	}
	return h, failures, nil
}

// unchanged recognizes the list that the source gave last, or that serves already.
func (l *Living) unchanged(c *conf, f *feed, digest string, about record) (*held, []Failure, bool) {
	lists := l.snapshot.Load().lists
	l.mu.Lock()
	var h *held
	for k, candidate := range f.held {
		if x := lists[k]; x != nil && x.digest == digest {
			h = candidate
			if h.file == "" {
				h.file = about.File
			}
			if f.source.URL != "" {
				f.current, f.validators = h, validators{about.ETag, about.LastModified}
			}
		}
	}
	l.mu.Unlock()
	if h == nil {
		return nil, nil, false
	}
	return h, l.secure(c, f), true
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

// refuse says loudly that a list did not pass the gate. The last good one serves on.
func (l *Living) refuse(c *conf, f *feed, next *candidate, found []reason.ID) []Failure {
	attributes := []any{"source", f.source.Name, "reasons", found}
	if next != nil {
		attributes = append(attributes, "partition", next.index.Scope().String(), "number", next.index.Number())
	}
	c.log(slog.LevelError, "revocation list refused, the last good one serves on", attributes...)
	return fromReasons(found)
}

// behind judges a list that is not to replace the one that serves: another source's, or another file's, may lag or be
// the same; the same one going back may not.
func (l *Living) behind(c *conf, f *feed, next *candidate, last *live, about record, found []reason.ID) (*held, []Failure, error) {
	if last == nil || !lags(found) || last.about.Source == f.source.Name && last.about.File == about.File {
		return nil, l.refuse(c, f, next, found), nil
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

// secure tries again to write what serves from memory only.
func (l *Living) secure(c *conf, f *feed) []Failure {
	var failures []Failure
	l.commit.Lock()
	defer l.commit.Unlock()
	if l.store == nil || l.outdated(c, f) != nil {
		return nil
	}
	for _, x := range l.snapshot.Load().lists {
		if x.unsafe == nil || x.about.Source != f.source.Name {
			continue
		}
		body := spoolOf(x.unsafe)
		sealed, err := l.store.seal(body, x.about)
		if err == nil {
			err = l.store.place(sealed, x.key.file())
		}
		if err != nil {
			body.discard()
			failures = []Failure{StateNotWritten}
			continue
		}
		body.file = nil
		safe := *x
		safe.unsafe = nil
		l.snapshot.Store(l.snapshot.Load().with([]*live{&safe}, nil))
		c.log(slog.LevelInfo, "a list that served from memory only was written", "source", x.source)
	}
	return failures
}

// prune forgets lists that their source has replaced or no longer has, once they are stale.
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
	var gone []key
	for k, h := range f.held {
		left := h.file == ""
		if f.source.URL != "" {
			left = h != f.current
		}
		if x := lists[k]; !left || x == nil || !past(x, now, c.ClockSkew) {
			continue
		}
		f.forget(k)
		if l.holder(k, "") == nil {
			gone = append(gone, k)
		}
	}
	if len(gone) == 0 {
		return
	}
	l.snapshot.Store(l.snapshot.Load().with(nil, gone))
	for _, k := range gone {
		if l.store != nil {
			if err := l.store.remove(k.file()); err != nil {
				c.log(slog.LevelError, "a list that ended could not be removed", "source", f.source.Name, "failure", StateNotWritten, "error", err)
			}
		}
	}
	c.log(slog.LevelInfo, "stale lists forgotten that their source no longer gives", "source", f.source.Name, "lists", len(gone))
}

// past says whether a list is beyond its nextUpdate.
func past(x *live, now time.Time, skew time.Duration) bool {
	return now.After(x.index.NextUpdate().Add(skew))
}
