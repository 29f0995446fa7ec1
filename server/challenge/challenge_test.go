package challenge

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/tashika-jp/tashika/certs/profile"
	"github.com/tashika-jp/tashika/certs/reason"
)

// fakeClock is a time that only the test moves, in either direction.
type fakeClock struct{ nanos atomic.Int64 }

func newFakeClock() *fakeClock {
	c := &fakeClock{}
	c.nanos.Store(time.Date(2026, 11, 23, 9, 0, 0, 123456789, time.UTC).UnixNano())
	return c
}

func (c *fakeClock) now() time.Time      { return time.Unix(0, c.nanos.Load()) }
func (c *fakeClock) add(d time.Duration) { c.nanos.Add(int64(d)) }
func (c *fakeClock) set(t time.Time)     { c.nanos.Store(t.UnixNano()) }
func (c *fakeClock) config() Config      { return Config{TTL: 5 * time.Minute, Clock: c.now} }
func ids(list ...reason.ID) []reason.ID  { return list }
func key(fill byte) []byte               { return bytes.Repeat([]byte{fill}, keySize) }
func sharedBy(m *memory, k []byte) Config {
	return Config{TTL: time.Minute, Clock: m.clock, Key: k, Used: m}
}
func mustNew(t testing.TB, c Config) *Issuer {
	t.Helper()
	i, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func mustIssue(t testing.TB, i *Issuer, b Binding) ([]byte, time.Time) {
	t.Helper()
	c, expires, err := i.Issue(b)
	if err != nil {
		t.Fatal(err)
	}
	return c, expires
}

func expect(t testing.TB, i *Issuer, c []byte, b Binding, want ...reason.ID) {
	t.Helper()
	got, err := i.Consume(context.Background(), c, b)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("findings (-want +got):\n%s", diff)
	}
}

var (
	kiosk  = Binding{"kiosk", profile.ConvenienceStoreIssuance}
	clinic = Binding{"clinic", profile.HealthInsurance}
)

func TestForm(t *testing.T) {
	clock := newFakeClock()
	i := mustNew(t, clock.config())
	a, expires := mustIssue(t, i, kiosk)
	b, _ := mustIssue(t, i, kiosk)
	if len(a) != Size || Size > 256 {
		t.Errorf("a challenge has %d bytes; the API allows 256", len(a))
	}
	if !bytes.HasPrefix(a, []byte("Tashika challenge v1")) {
		t.Error("the label is missing")
	}
	if want := clock.now().Add(5 * time.Minute).Truncate(time.Millisecond); !expires.Equal(want) {
		t.Errorf("expires %v, want %v", expires, want)
	}
	// Nothing after use tells that two challenges are one party's.
	if bytes.Equal(a[nonceAt:partyAt], b[nonceAt:partyAt]) || bytes.Equal(a[partyAt:tagAt], b[partyAt:tagAt]) {
		t.Error("two challenges of one party can be linked")
	}
	if bytes.Contains(a, []byte(kiosk.RelyingParty)) {
		t.Error("a challenge carries the name of its relying party")
	}
}

func TestConsumedOnce(t *testing.T) {
	i := mustNew(t, newFakeClock().config())
	c, _ := mustIssue(t, i, kiosk)
	expect(t, i, c, kiosk)
	expect(t, i, c, kiosk, reason.ChallengeReplayed)
	expect(t, i, slices.Clone(c), kiosk, reason.ChallengeReplayed)
	if diff := cmp.Diff(Stats{Issued: 1, Consumed: 1, Held: 1, Capacity: defaultCapacity}, i.Stats()); diff != "" {
		t.Error(diff)
	}
}

// Two servers that share key and set: also between them, exactly one of 64 callers wins.
func TestExactlyOnceUnder64Goroutines(t *testing.T) {
	shared := newMemory(1<<10, time.Minute, time.Now)
	servers := []*Issuer{mustNew(t, sharedBy(shared, key(1))), mustNew(t, sharedBy(shared, key(1)))}
	for range 100 {
		c, _ := mustIssue(t, servers[0], clinic)
		var won, replayed atomic.Int32
		var start, done sync.WaitGroup
		start.Add(1)
		for n := range 64 {
			done.Go(func() {
				start.Wait()
				switch findings, err := servers[n%2].Consume(context.Background(), c, clinic); {
				case err != nil:
					t.Error(err)
				case findings == nil:
					won.Add(1)
				case slices.Equal(findings, ids(reason.ChallengeReplayed)):
					replayed.Add(1)
				}
			})
		}
		start.Done()
		done.Wait()
		if won.Load() != 1 || replayed.Load() != 63 {
			t.Fatalf("%d consumed it, %d were told that it was replayed", won.Load(), replayed.Load())
		}
	}
}

func TestEverySingleBitFlipIsUnknown(t *testing.T) {
	i := mustNew(t, newFakeClock().config())
	c, _ := mustIssue(t, i, kiosk)
	for bit := range 8 * len(c) {
		c[bit/8] ^= 1 << (bit % 8)
		expect(t, i, c, kiosk, reason.ChallengeUnknown)
		c[bit/8] ^= 1 << (bit % 8)
	}
	for n := range len(c) {
		expect(t, i, c[:n], kiosk, reason.ChallengeUnknown)
	}
	expect(t, i, append(slices.Clone(c), 0), kiosk, reason.ChallengeUnknown)
	expect(t, i, nil, kiosk, reason.ChallengeUnknown)
	expect(t, i, c, kiosk) // and none of it burned it
}

func TestExpiryAtTheBoundary(t *testing.T) {
	for _, test := range []struct {
		after time.Duration
		want  []reason.ID
	}{{-time.Nanosecond, nil}, {0, ids(reason.ChallengeExpired)}, {time.Nanosecond, ids(reason.ChallengeExpired)}} {
		clock := newFakeClock()
		i := mustNew(t, clock.config())
		c, expires := mustIssue(t, i, kiosk)
		clock.set(expires.Add(test.after))
		expect(t, i, c, kiosk, test.want...)
	}
}

func TestWrongRelyingPartyDoesNotBurn(t *testing.T) {
	clock := newFakeClock()
	i := mustNew(t, clock.config())
	c, expires := mustIssue(t, i, kiosk)
	thief := Binding{"thief", kiosk.Use}
	for _, party := range []string{"thief", "", "kiosk ", "Kiosk", strings.Repeat("k", maxParty+1)} {
		expect(t, i, c, Binding{party, kiosk.Use}, reason.ChallengeWrongRelyingParty)
		expect(t, i, c, Binding{party, clinic.Use}, reason.ChallengeWrongRelyingParty, reason.ChallengeWrongUse)
	}
	if held := i.Stats().Held; held != 0 {
		t.Errorf("%d ids held: a stranger fills our memory", held)
	}
	expect(t, i, c, kiosk)
	// That it was used is the owner's to know.
	expect(t, i, c, thief, reason.ChallengeWrongRelyingParty)
	clock.set(expires)
	expect(t, i, c, Binding{"thief", clinic.Use},
		reason.ChallengeExpired, reason.ChallengeWrongRelyingParty, reason.ChallengeWrongUse)
}

func TestWrongUseSpendsIt(t *testing.T) {
	i := mustNew(t, newFakeClock().config())
	c, _ := mustIssue(t, i, kiosk)
	expect(t, i, c, Binding{"kiosk", clinic.Use}, reason.ChallengeWrongUse)
	expect(t, i, c, kiosk, reason.ChallengeReplayed)
	expect(t, i, c, Binding{"kiosk", clinic.Use}, reason.ChallengeReplayed, reason.ChallengeWrongUse)
	expect(t, i, c, Binding{"kiosk", 0}, reason.ChallengeReplayed, reason.ChallengeWrongUse)
}

func TestUnknownAfterRestart(t *testing.T) {
	config := newFakeClock().config()
	before, after := mustNew(t, config), mustNew(t, config)
	c, _ := mustIssue(t, before, kiosk)
	expect(t, after, c, kiosk, reason.ChallengeUnknown)
}

func TestGivenUpRequestBurnsNothing(t *testing.T) {
	i := mustNew(t, newFakeClock().config())
	c, _ := mustIssue(t, i, kiosk)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if findings, err := i.Consume(ctx, c, kiosk); findings != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, %v", findings, err)
	}
	expect(t, i, c, kiosk)
}

type usedFunc func(context.Context, ID, time.Time) (bool, error)

func (f usedFunc) Add(ctx context.Context, id ID, expires time.Time) (bool, error) {
	return f(ctx, id, expires)
}

// The set answers "first" after the expiry, because it had forgotten: not believed.
func TestExpiredWhileTheSetWasAsked(t *testing.T) {
	clock := newFakeClock()
	i := mustNew(t, Config{TTL: time.Minute, Clock: clock.now, Key: key(1),
		Used: usedFunc(func(_ context.Context, _ ID, expires time.Time) (bool, error) {
			clock.set(expires)
			return true, nil
		})})
	c, _ := mustIssue(t, i, kiosk)
	expect(t, i, c, kiosk, reason.ChallengeExpired)
	if n := i.Stats().Consumed; n != 0 {
		t.Errorf("%d consumed", n)
	}
}

func TestFailingSetConsumesNothing(t *testing.T) {
	down := errors.New("connection refused")
	i := mustNew(t, Config{Key: key(1), Used: usedFunc(func(context.Context, ID, time.Time) (bool, error) { return true, down })})
	c, _ := mustIssue(t, i, kiosk)
	if findings, err := i.Consume(context.Background(), c, kiosk); findings != nil || !errors.Is(err, down) {
		t.Errorf("got %v, %v", findings, err)
	}
	if diff := cmp.Diff(Stats{Issued: 1}, i.Stats()); diff != "" {
		t.Error(diff)
	}
}

func TestConfig(t *testing.T) {
	memory := newMemory(1, time.Minute, time.Now)
	broken := strings.NewReader("short")
	for _, test := range []struct {
		name   string
		config Config
		want   string // in the error; "" for none
	}{
		{"good_zero", Config{}, ""},
		{"good_key_with_set", Config{Key: key(1), Used: memory}, ""},
		{"good_set_alone", Config{Used: memory}, ""},
		{"bad_key_without_set", Config{Key: key(1)}, "outlives"},
		{"bad_short_key", Config{Key: key(1)[:31], Used: memory}, "31 bytes"},
		{"bad_empty_key", Config{Key: []byte{}, Used: memory}, "0 bytes"},
		{"bad_capacity_with_set", Config{Capacity: 1, Used: memory}, "Capacity"},
		{"bad_capacity", Config{Capacity: -1}, "negative"},
		{"bad_ttl_short", Config{TTL: time.Second - 1}, "TTL"},
		{"bad_ttl_long", Config{TTL: time.Hour + 1}, "TTL"},
		{"bad_ttl_negative", Config{TTL: -time.Minute}, "TTL"},
		{"bad_random", Config{Random: broken}, "random"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := New(test.config)
			if got := fmt.Sprint(err); (err == nil) != (test.want == "") || !strings.Contains(got, test.want) && test.want != "" {
				t.Errorf("error %v, want %q", err, test.want)
			}
		})
	}
}

func TestIssueRefuses(t *testing.T) {
	i := mustNew(t, Config{})
	for _, b := range []Binding{{}, {"kiosk", 0}, {"kiosk", 200}, {"", clinic.Use}, {strings.Repeat("k", maxParty+1), clinic.Use}} {
		if c, _, err := i.Issue(b); err == nil || c != nil {
			t.Errorf("issued to %v", b)
		}
	}
	i = mustNew(t, Config{Random: bytes.NewReader(key(7))}) // enough for the key only
	if c, _, err := i.Issue(kiosk); err == nil || c != nil {
		t.Error("issued without random bytes")
	}
}

func FuzzConsume(f *testing.F) {
	clock := newFakeClock()
	i := mustNew(f, clock.config())
	c, _ := mustIssue(f, i, kiosk)
	f.Add(c[:Size-1], "kiosk", uint8(1))
	f.Add([]byte(label), "", uint8(0))
	f.Add([]byte{}, "clinic", uint8(255))
	f.Fuzz(func(t *testing.T, data []byte, party string, use uint8) {
		// Nobody guesses a challenge: whatever comes is unknown, and leaves no trace.
		expect(t, i, data, Binding{party, profile.Use(use)}, reason.ChallengeUnknown)
		if s := i.Stats(); s.Held != 0 || s.Consumed != 0 {
			t.Fatalf("%+v", s)
		}
	})
}

func BenchmarkIssue(b *testing.B) {
	i := mustNew(b, Config{})
	b.ReportAllocs()
	for b.Loop() {
		i.Issue(kiosk)
	}
}

func BenchmarkConsume(b *testing.B) {
	const batch = 1 << 14
	challenges := make([][]byte, batch)
	var i *Issuer
	b.ReportAllocs()
	for n := 0; n < b.N; n++ {
		if n%batch == 0 {
			b.StopTimer()
			i = mustNew(b, Config{})
			for k := range challenges {
				challenges[k], _ = mustIssue(b, i, kiosk)
			}
			b.StartTimer()
		}
		if findings, err := i.Consume(context.Background(), challenges[n%batch], kiosk); findings != nil || err != nil {
			b.Fatal(findings, err)
		}
	}
}

func BenchmarkConsumeForged(b *testing.B) {
	i := mustNew(b, Config{})
	c, _ := mustIssue(b, i, kiosk)
	c[Size-1] ^= 1
	b.ReportAllocs()
	for b.Loop() {
		i.Consume(context.Background(), c, kiosk)
	}
}
