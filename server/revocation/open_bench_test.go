package revocation

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// nationOf makes a state directory with so many partitions of so many entries, and says how long the first visit took.
func nationOf(b *testing.B, partitions, entries int) (a *authority, c Config) {
	b.Helper()
	a = newAuthority(b)
	drop := b.TempDir()
	serials := make([]int64, entries)
	for i := range serials {
		serials[i] = int64(1_000_000 + 3*i)
	}
	for i := range partitions {
		der := a.list(b, listing{number: 1, scope: nameFrom(b, fmt.Sprintf("CN=City %d CRLDP,OU=CRL Distribution Points,C=JP", i)), serials: serials})
		if err := os.WriteFile(filepath.Join(drop, fmt.Sprint(i, ".crl")), der, 0o600); err != nil {
			b.Fatal(err)
		}
	}
	c = Config{Anchors: setOf(b, a), StateDir: b.TempDir(), Sources: []Source{{Name: "drop", Directory: drop, MaxSize: 1 << 30}}}
	l := start(b, c)
	began := time.Now()
	refresh(b, l)
	b.Logf("%d lists of %d entries taken in, written and swapped in %v", partitions, entries, time.Since(began))
	l.Close()
	return a, c
}

// BenchmarkOpen is a restart: the partitions of the country, and one list of a million.
func BenchmarkOpen(b *testing.B) {
	for _, size := range []struct{ partitions, entries int }{{3482, 30}, {1, 1_000_000}} {
		b.Run(fmt.Sprintf("lists=%d/entries=%d", size.partitions, size.entries), func(b *testing.B) {
			_, c := nationOf(b, size.partitions, size.entries)
			for b.Loop() {
				l := start(b, c)
				if n := len(l.snapshot.Load().lists); n != size.partitions {
					b.Fatalf("%d lists", n)
				}
				l.Close()
			}
		})
	}
}

// BenchmarkSwap puts one more list into a snapshot of all the country's.
func BenchmarkSwap(b *testing.B) {
	_, c := nationOf(b, 3482, 1)
	l := start(b, c)
	s := l.snapshot.Load()
	b.ReportAllocs()
	for b.Loop() {
		for _, x := range s.lists {
			s.with([]*live{x}, nil)
			break
		}
	}
}
