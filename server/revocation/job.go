package revocation

import (
	"context"
	"net/url"
	"sync"

	"golang.org/x/sync/semaphore"
)

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
