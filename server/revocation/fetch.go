package revocation

import (
	"context"
	"errors"
	"io"
	"net/url"
	"sync/atomic"
	"time"
)

// slowest is how many octets a second a fetch brings at least, averaged over Source.Stall. What is slower holds a
// place that others wait for, whether on purpose or not.
const slowest = 4 << 10

// fetched is what a URL gave. Whoever has it discards the body.
type fetched struct {
	notModified bool
	body        *spool
	validators  validators
}

// fetch gets a list, conditionally where validators are given. It ends with the context, and where too little arrives.
func (l *Living) fetch(ctx context.Context, c *conf, s *Source, known validators) (*fetched, error) {
	ctx, arrived, stop := keepPace(ctx, s.Stall)
	defer stop()
	from := l.fetchHTTP
	if s.ldap != nil {
		from = l.fetchLDAP
	}
	got, err := from(ctx, c, s, known, arrived)
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx) // whatever the connection made of it
	}
	return got, err
}

// keepPace returns a context that ends when a window of time brings too few octets, and where to count them.
func keepPace(ctx context.Context, window time.Duration) (_ context.Context, arrived *atomic.Int64, stop func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	arrived = new(atomic.Int64)
	go func() {
		tick := time.NewTicker(window)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				if float64(arrived.Swap(0)) < slowest*window.Seconds() {
					cancel(errStalled)
				}
			}
		}
	}()
	return ctx, arrived, func() { cancel(nil) }
}

// inflow is what comes from a server: counted, bounded, and its errors told from ours.
type inflow struct {
	from    io.Reader
	arrived *atomic.Int64
	left    int64 // that may still come
}

// Read implements io.Reader.
func (f *inflow) Read(p []byte) (int, error) {
	n, err := f.from.Read(p)
	f.arrived.Add(int64(n))
	f.left -= int64(n)
	switch {
	case f.left < 0:
		return n, errTooLarge
	case err != nil && err != io.EOF:
		return n, &brokenOff{err}
	}
	return n, err
}

// take spools a list of at most so many octets.
func (l *Living) take(list io.Reader, most int64) (*spool, error) {
	body := newSpool(l.store)
	source := &remembering{from: io.LimitReader(list, most+1)}
	n, err := io.Copy(body, source)
	switch {
	case err != nil && source.err == nil:
		err = errors.Join(errNotSpooled, err)
	case err == nil && n > most:
		err = errTooLarge
	}
	if err != nil {
		body.discard()
		return nil, err
	}
	return body, nil
}

// remembering tells an error of the reader from one of the writer.
type remembering struct {
	from io.Reader
	err  error
}

// Read implements io.Reader.
func (r *remembering) Read(p []byte) (n int, err error) {
	n, err = r.from.Read(p)
	if err != io.EOF {
		r.err = err
	}
	return n, err
}

// brokenOff is an error in the middle of a list.
type brokenOff struct{ error }

func (e *brokenOff) Unwrap() error { return e.error }

// bare is a transport's error without the URL, which is the operator's own and may say more than
// a log should.
func bare(err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		return wrapped.Err
	}
	return err
}
