package challenge

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

const (
	shardCount   = 64 // more than cores that could meet on a lock
	spansPerTTL  = 16 // an id is held at most a sixteenth of the TTL longer than it must
	shortestSpan = 1  // milliseconds
)

// memory is the set of used challenges of one process. Ids stand in buckets by the span of
// time in which they expire; a bucket is dropped whole once its span is over, by the first
// Add of each new span, so that there is neither a goroutine to stop nor a list to walk.
type memory struct {
	clock    func() time.Time
	span     int64 // milliseconds of a bucket
	capacity int64

	held   atomic.Int64 // ids in all shards, and for a moment those that find no room
	swept  atomic.Int64 // the span before which everything was dropped, by the latest sweep
	shards [shardCount]shard
}

type shard struct {
	mu      sync.Mutex
	swept   int64                     // guarded by mu: as in memory, for this shard; never falls
	buckets map[int64]map[ID]struct{} // guarded by mu; by span of the expiry
	_       [40]byte                  // a cache line each
}

func newMemory(capacity int, ttl time.Duration, clock func() time.Time) *memory {
	m := &memory{clock: clock, span: max(ttl.Milliseconds()/spansPerTTL, shortestSpan), capacity: int64(capacity)}
	for i := range m.shards {
		m.shards[i].buckets = map[int64]map[ID]struct{}{}
	}
	return m
}

// Add implements Used.
func (m *memory) Add(_ context.Context, id ID, expires time.Time) (bool, error) {
	m.sweep()
	span := expires.UnixMilli() / m.span
	s := &m.shards[id[0]%shardCount]
	s.mu.Lock()
	defer s.mu.Unlock()
	// What may have been forgotten is not believed to be new, so that a clock that was set
	// back revives nothing.
	if span < s.swept {
		return false, nil
	}
	bucket := s.buckets[span]
	if _, used := bucket[id]; used {
		return false, nil
	}
	// The room is taken first and given back if there was none: capacity is exact.
	if m.held.Add(1) > m.capacity {
		m.held.Add(-1)
		return false, ErrFull
	}
	if bucket == nil {
		bucket = map[ID]struct{}{}
		s.buckets[span] = bucket
	}
	bucket[id] = struct{}{}
	return true, nil
}

// sweep drops the buckets that are over, if a span ended since the last time. One caller
// does it; others go on with what is there.
func (m *memory) sweep() {
	now := m.clock().UnixMilli() / m.span
	last := m.swept.Load()
	if now <= last || !m.swept.CompareAndSwap(last, now) {
		return
	}
	for i := range m.shards {
		s := &m.shards[i]
		s.mu.Lock()
		s.swept = max(s.swept, now)
		for span, bucket := range s.buckets {
			if span < now {
				delete(s.buckets, span)
				m.held.Add(-int64(len(bucket)))
			}
		}
		s.mu.Unlock()
	}
}
