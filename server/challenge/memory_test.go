package challenge

import (
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tashika-jp/tashika/certs/profile"
	"github.com/tashika-jp/tashika/certs/reason"
)

func testID(n int) (id ID) {
	binary.BigEndian.PutUint64(id[:], uint64(n)*0x9E3779B97F4A7C15)
	return id
}

func TestCapacity(t *testing.T) {
	clock := newFakeClock()
	config := clock.config()
	config.Capacity = 3
	i := mustNew(t, config)
	var used [][]byte
	for range 3 {
		c, _ := mustIssue(t, i, kiosk)
		expect(t, i, c, kiosk)
		used = append(used, c)
	}
	waiting, expires := mustIssue(t, i, kiosk)
	for range 2 {
		if findings, err := i.Consume(context.Background(), waiting, kiosk); findings != nil || !errors.Is(err, ErrFull) {
			t.Fatalf("got %v, %v", findings, err)
		}
	}
	for _, c := range used {
		expect(t, i, c, kiosk, reason.ChallengeReplayed) // full, but nothing is forgotten
	}
	if s := i.Stats(); s.Full != 2 || s.Held != 3 || s.Consumed != 3 {
		t.Errorf("%+v", s)
	}
	// Once the old ones are over there is room, after a sixteenth of the TTL at the now.
	clock.set(expires)
	clock.add(config.TTL / spansPerTTL)
	c, _ := mustIssue(t, i, kiosk)
	expect(t, i, c, kiosk)
	if s := i.Stats(); s.Held != 1 {
		t.Errorf("%+v", s)
	}
}

func TestCapacityIsExactUnderConcurrency(t *testing.T) {
	m := newMemory(1000, time.Minute, newFakeClock().now)
	expires := m.clock().Add(time.Minute)
	var first, full atomic.Int32
	var wait sync.WaitGroup
	for g := range 8 {
		wait.Go(func() {
			for n := range 500 {
				switch ok, err := m.Add(context.Background(), testID(g*500+n), expires); {
				case ok:
					first.Add(1)
				case errors.Is(err, ErrFull):
					full.Add(1)
				}
			}
		})
	}
	wait.Wait()
	if first.Load() != 1000 || full.Load() != 3000 || m.held.Load() != 1000 {
		t.Errorf("%d first, %d full, %d held", first.Load(), full.Load(), m.held.Load())
	}
}

// A set that never forgets and never grows: a steady flow holds one TTL's worth of ids.
func TestMemoryOfASteadyFlow(t *testing.T) {
	clock := newFakeClock()
	const perSecond, ttl = 20, 60
	m := newMemory(perSecond*ttl*2, ttl*time.Second, clock.now)
	n := 0
	for range 10 * ttl {
		for range perSecond {
			if first, err := m.Add(context.Background(), testID(n), clock.now().Add(ttl*time.Second)); !first || err != nil {
				t.Fatal(first, err)
			}
			n++
		}
		if limit := int64(perSecond * (ttl + ttl/spansPerTTL + 2)); m.held.Load() > limit {
			t.Fatalf("%d ids held, at most %d are needed", m.held.Load(), limit)
		}
		clock.add(time.Second)
	}
	if m.held.Load() < perSecond*ttl {
		t.Errorf("only %d ids held: unexpired ones were forgotten", m.held.Load())
	}
}

// A clock that is set back, after the sweep, must not make a used challenge good again.
func TestClockSetBackRevivesNothing(t *testing.T) {
	clock := newFakeClock()
	i := mustNew(t, clock.config())
	start := clock.now()
	c, expires := mustIssue(t, i, kiosk)
	expect(t, i, c, kiosk)
	clock.set(expires.Add(time.Minute))
	other, _ := mustIssue(t, i, kiosk)
	expect(t, i, other, kiosk) // sweeps
	if held := i.Stats().Held; held != 1 {
		t.Fatalf("%d ids held: the sweep did not happen", held)
	}
	clock.set(start)
	expect(t, i, c, kiosk, reason.ChallengeReplayed)
	expect(t, i, other, kiosk, reason.ChallengeReplayed)
}

// The same with the clock of the machine and real goroutines: in the bubble of synctest,
// time passes when all wait.
func TestExpiryByTheMachinesClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := mustNew(t, Config{TTL: time.Minute})
		c, expires := mustIssue(t, i, kiosk)
		late, _ := mustIssue(t, i, kiosk)
		expect(t, i, c, kiosk)
		<-time.After(time.Until(expires) - time.Millisecond)
		expect(t, i, c, kiosk, reason.ChallengeReplayed)
		<-time.After(time.Millisecond)
		expect(t, i, c, kiosk, reason.ChallengeExpired)
		expect(t, i, late, kiosk, reason.ChallengeExpired)
	})
}

// Random histories of a small world against a model that remembers everything.
func TestAgainstModel(t *testing.T) {
	type issued struct {
		bytes   []byte
		binding Binding
		expires time.Time
		used    bool
	}
	parties := []string{"kiosk", "clinic", "bank"}
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 2))
		clock := newFakeClock()
		config := clock.config()
		config.Capacity = 1 + random.IntN(40)
		i := mustNew(t, config)
		var all []*issued
		for step := range 300 {
			switch random.IntN(8) {
			case 0, 1:
				b := Binding{parties[random.IntN(3)], profile.Uses[random.IntN(3)]}
				c, expires := mustIssue(t, i, b)
				all = append(all, &issued{c, b, expires, false})
			case 2:
				clock.add(time.Duration(random.Int64N(int64(config.TTL / 4))))
			default:
				if len(all) == 0 {
					continue
				}
				c := all[random.IntN(len(all))]
				b := c.binding
				if random.IntN(3) == 0 {
					b.RelyingParty = parties[random.IntN(3)]
				}
				if random.IntN(3) == 0 {
					b.Use = profile.Uses[random.IntN(3)]
				}
				now := clock.now()
				var want []reason.ID
				mine, expired := b.RelyingParty == c.binding.RelyingParty, !now.Before(c.expires)
				if expired {
					want = append(want, reason.ChallengeExpired)
				} else if mine && c.used {
					want = append(want, reason.ChallengeReplayed)
				}
				if !mine {
					want = append(want, reason.ChallengeWrongRelyingParty)
				}
				if b.Use != c.binding.Use {
					want = append(want, reason.ChallengeWrongUse)
				}
				got, err := i.Consume(context.Background(), c.bytes, b)
				if errors.Is(err, ErrFull) {
					// Only for want of room, and only where there is something to remember.
					live := 0
					for _, o := range all {
						if o.used && now.Before(o.expires.Add(config.TTL/spansPerTTL)) {
							live++
						}
					}
					if live < config.Capacity || !mine || expired || c.used {
						t.Fatalf("seed %d step %d: full with %d of %d", seed, step, live, config.Capacity)
					}
					continue
				}
				if err != nil || !slices.Equal(got, want) {
					t.Fatalf("seed %d step %d: got %v, %v; want %v", seed, step, got, err, want)
				}
				c.used = c.used || mine && !expired
			}
		}
	}
}
