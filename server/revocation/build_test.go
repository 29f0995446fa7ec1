package revocation

import (
	"bytes"
	"context"
	"crypto"
	"errors"
	"math/rand/v2"
	"testing"
	"testing/synctest"

	"github.com/tashika-jp/tashika/certs/crl"
)

// TestBeside: the hash beside gives what the hash gives, however the octets come, and its goroutine ends, also where nobody asks
// for the sum: a bubble does not end with one left.
func TestBeside(t *testing.T) {
	data := make([]byte, 3*besideRing*besideChunk/2+1)
	random := rand.NewChaCha8([32]byte{1})
	random.Read(data)
	for _, size := range []int{0, 1, besideChunk - 1, besideChunk, besideChunk + 1, len(data)} {
		for _, piece := range []int{7777, besideChunk, len(data)} {
			synctest.Test(t, func(t *testing.T) {
				want := crypto.SHA256.New()
				want.Write(data[:size])
				b := newBeside(crypto.SHA256.New())
				for rest := data[:size]; len(rest) > 0; {
					n, err := b.Write(rest[:min(piece, len(rest))])
					if err != nil || n == 0 {
						t.Fatal(n, err)
					}
					rest = rest[n:]
				}
				if got := b.Sum([]byte{1}); !bytes.Equal(got[1:], want.Sum(nil)) || got[0] != 1 {
					t.Errorf("%d octets by %d: % x", size, piece, got)
				}
				b.stop()
				given := newBeside(crypto.SHA256.New())
				given.Write(data[:size])
				given.stop()
			})
		}
	}
}

// TestBuilds: large lists one at a time, small ones beside them, and who gives up leaves no place taken.
func TestBuilds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBuilds()
		release, err := b.acquire(t.Context(), largeList)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		refused := make(chan error)
		go func() { _, err := b.acquire(ctx, largeList); refused <- err }()
		synctest.Wait()
		cancel()
		if err := <-refused; !errors.Is(err, context.Canceled) {
			t.Errorf("a second large list: %v", err)
		}
		release()
		for range 100 {
			release, err := b.acquire(t.Context(), largeList)
			if err != nil {
				t.Fatal(err)
			}
			release()
		}
	})
}

// TestBuildEndsWithItsContext: a server that stops waits for no list of a hundred million.
func TestBuildEndsWithItsContext(t *testing.T) {
	a := newAuthority(t)
	l := start(t, Config{Anchors: setOf(t, a), StateDir: t.TempDir()})
	body := newSpool(l.store)
	defer body.discard()
	body.Write(a.list(t, listing{number: 1}))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.build(ctx, body, anySize); !errors.Is(err, context.Canceled) || errors.Is(err, crl.ErrFormat) {
		t.Errorf("error %v", err)
	}
	if left := stored(t, l.store.dir, tempPrefix); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}
