package revocation

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"

	"golang.org/x/sync/semaphore"
)

// maxRedirects that a fetch follows.
const maxRedirects = 3

// fetched is what a URL gave. Whoever has it discards the body.
type fetched struct {
	notModified bool
	body        *spool
	validators  validators
}

// fetch gets a list, conditionally where validators are given. It ends with the context.
func (l *Living) fetch(ctx context.Context, c *conf, s *Source, known validators) (*fetched, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", "application/pkix-crl, */*;q=0.1")
	request.Header.Set("User-Agent", "tashika")
	// RFC 9110 section 13.1.3: If-Modified-Since is ignored beside If-None-Match.
	if known.etag != "" {
		request.Header.Set("If-None-Match", known.etag)
	} else if known.lastModified != "" {
		request.Header.Set("If-Modified-Since", known.lastModified)
	}
	client := *c.HTTPClient
	client.CheckRedirect = func(next *http.Request, via []*http.Request) error {
		if len(via) > maxRedirects || next.URL.Scheme != via[0].URL.Scheme || next.URL.User != nil {
			return errRedirect
		}
		return nil
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	switch {
	case response.StatusCode == http.StatusNotModified && known != (validators{}):
		return &fetched{notModified: true}, nil
	case response.StatusCode != http.StatusOK:
		return nil, &statusError{response.StatusCode}
	case response.ContentLength > s.MaxSize:
		return nil, errTooLarge
	}
	body := newSpool(l.store)
	n, err := io.Copy(body, io.LimitReader(response.Body, s.MaxSize+1))
	if err == nil && n > s.MaxSize {
		err = errTooLarge
	}
	if err != nil {
		body.discard()
		return nil, err
	}
	return &fetched{body: body, validators: validators{bounded(response.Header.Get("ETag")), bounded(response.Header.Get("Last-Modified"))}}, nil
}

// bounded drops a validator that is too long to be worth keeping.
func bounded(s string) string {
	const most = 1 << 10
	if len(s) > most {
		return ""
	}
	return s
}

type statusError struct{ code int }

func (e *statusError) Error() string { return fmt.Sprintf("HTTP status %d", e.code) }

// bare is a transport's error without the URL, which is the operator's own and may say more than
// a log should.
func bare(err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		return wrapped.Err
	}
	return err
}

// limits bound the fetches under way, over all and to each host. First come, first served.
type limits struct {
	all     *semaphore.Weighted
	perHost int64

	mu    sync.Mutex
	hosts map[string]*semaphore.Weighted // guarded by mu; as many as hosts were ever configured
}

func newLimits(all, perHost int) *limits {
	return &limits{all: semaphore.NewWeighted(int64(all)), perHost: int64(perHost), hosts: make(map[string]*semaphore.Weighted)}
}

// acquire waits for a place; release gives it back.
func (l *limits) acquire(ctx context.Context, rawURL string) (release func(), err error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	host := l.hosts[u.Host]
	if host == nil {
		host = semaphore.NewWeighted(l.perHost)
		l.hosts[u.Host] = host
	}
	l.mu.Unlock()
	// The host's place first: who waits for a slow host keeps nobody else waiting.
	if err := host.Acquire(ctx, 1); err != nil {
		return nil, err
	}
	if err := l.all.Acquire(ctx, 1); err != nil {
		host.Release(1)
		return nil, err
	}
	return func() { l.all.Release(1); host.Release(1) }, nil
}
