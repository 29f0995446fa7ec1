package crl

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	mrand "math/rand/v2"
	"sync"
	"testing"
	"time"
)

// randomSerial is random octets of an INTEGER that is not negative, of a length.
func randomSerial(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	b[0] = b[0]&0x7f | 1
	return b
}

// listOf is a list of entries, not signed.
func listOf(t testing.TB, entries []byte) *List {
	t.Helper()
	s := theCA().conforming(nil)
	s.entries = entries
	l, err := Parse(seq(s.tbs(), s.algorithm, wrap(3, []byte{0, 1})))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// entriesOf are entries for serial numbers, made fast; revoked at now minus their place in minutes.
func entriesOf(serials [][]byte) []byte {
	var body []byte
	for i, serial := range serials {
		body = append(body, revoke(serial, revokedAt(i), because(Reason(i%6)))...)
	}
	return seq(body)
}

func revokedAt(i int) time.Time {
	return now.Add(-time.Duration(i) * time.Minute).Truncate(time.Second)
}

// TestIndexAgainstMap looks up millions of serial numbers, of every shape that could be
// mistaken for another's, in the index and in a plain map.
func TestIndexAgainstMap(t *testing.T) {
	r := mrand.New(mrand.NewPCG(1, 2))
	share := 1
	if underRace {
		share = 20
	}
	dense := func(n int) (out [][]byte) {
		for i := range n {
			out = append(out, binary.BigEndian.AppendUint32(nil, uint32(0x01000000+2*i)))
		}
		return out
	}
	random := func(n, length int) (out [][]byte) {
		for range n {
			out = append(out, randomSerial(length))
		}
		return out
	}
	shared := func(n int) (out [][]byte) { // one prefix of 16 octets
		for i := range n {
			out = append(out, binary.BigEndian.AppendUint32([]byte("the same octets."), uint32(i*3)))
		}
		return out
	}
	var odd [][]byte // every length, zero, negative, prefixes of each other
	for length := 1; length <= 20; length++ {
		odd = append(odd, append([]byte{0x01}, bytes.Repeat([]byte{0}, length-1)...), append([]byte{0x7f}, bytes.Repeat([]byte{0xff}, length-1)...),
			append([]byte{0x80}, bytes.Repeat([]byte{0}, length-1)...), append([]byte{0, 0x80}, bytes.Repeat([]byte{1}, length-1)...))
	}
	odd = append(odd, []byte{0}, []byte{0, 0x80}, []byte{0, 0xff}, []byte{0xff}, []byte{0xff, 0x7f})
	lookups := 0
	for _, c := range []struct {
		name    string
		serials [][]byte
	}{
		{"none", nil}, {"one", random(1, 20)}, {"63", dense(63)}, {"64", dense(64)}, {"65", dense(65)}, {"128", dense(128)},
		{"dense", dense(60000 / share)}, {"random 8", random(30000/share, 8)}, {"random 16", random(30000/share, 16)}, {"random 20", random(30000/share, 20)},
		{"one octet", random(200, 1)}, {"two octets", random(20000/share, 2)}, {"same beginning", shared(30000 / share)}, {"odd", odd},
		{"mixed", append(append(append(dense(5000), random(5000, 20)...), shared(5000)...), odd...)},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, shuffled := range []bool{false, true} {
				serials := append([][]byte(nil), c.serials...)
				if shuffled {
					r.Shuffle(len(serials), func(i, j int) { serials[i], serials[j] = serials[j], serials[i] })
				}
				x := must(listOf(t, entriesOf(serials)).image())
				naive := map[string]Entry{}
				for i, serial := range serials { // the earliest of the same: times fall with i, so the last
					naive[string(serial)] = Entry{revokedAt(i), Reason(i % 6)}
				}
				if x.table.len() != len(naive) {
					t.Fatalf("%d serial numbers, want %d", x.table.len(), len(naive))
				}
				look := func(serial []byte) {
					lookups++
					got, ok, err := x.lookup(serial)
					want, wanted := naive[string(serial)]
					if err != nil || ok != wanted || ok && (got.Reason != want.Reason || !got.RevocationTime.Equal(want.RevocationTime)) {
						t.Fatalf("%x: %v %v, want %v %v", serial, got, ok, want, wanted)
					}
				}
				look(nil)
				for _, serial := range serials {
					look(serial)
					for _, near := range neighbours(serial) {
						look(near)
					}
				}
				for range 20000 / share {
					look(randomSerial(1 + r.IntN(24)))
				}
			}
		})
	}
	t.Logf("%d look-ups", lookups)
	if lookups < 2_000_000/share {
		t.Error("fewer than two million look-ups")
	}
}

// neighbours are numbers that a careless comparison takes for the same.
func neighbours(serial []byte) [][]byte {
	last := len(serial) - 1
	plus, minus, high := bytes.Clone(serial), bytes.Clone(serial), bytes.Clone(serial)
	plus[last]++
	minus[last]--
	high[0] ^= 0x80
	return [][]byte{plus, minus, high, serial[:last], serial[1:], append([]byte{0}, serial...), append(bytes.Clone(serial), 0)}
}

// TestDuplicateSerials: a serial number that is listed twice is what the graver entry says,
// in whatever order they stand.
func TestDuplicateSerials(t *testing.T) {
	a := theCA()
	early, late := now.Add(-48*time.Hour), now.Add(-24*time.Hour)
	at := func(when time.Time, why Reason) []byte { return revoke([]byte{9}, when, because(why)) }
	other := [][]byte{revoke([]byte{7}, now), revoke([]byte{8}, now), revoke([]byte{10}, now)}
	for name, c := range map[string]struct {
		entries [][]byte
		want    Entry
	}{
		"hold then revocation":       {[][]byte{at(early, CertificateHold), at(late, KeyCompromise)}, Entry{late, KeyCompromise}},
		"revocation then hold":       {[][]byte{at(early, KeyCompromise), at(late, CertificateHold)}, Entry{early, KeyCompromise}},
		"two revocations":            {[][]byte{at(late, Superseded), at(early, KeyCompromise)}, Entry{early, KeyCompromise}},
		"two holds":                  {[][]byte{at(late, CertificateHold), at(early, CertificateHold)}, Entry{early, CertificateHold}},
		"hold, revocation, hold":     {[][]byte{at(early, CertificateHold), at(late, Unspecified), at(early, CertificateHold)}, Entry{late, Unspecified}},
		"revocations around a hold":  {[][]byte{at(late, Superseded), at(early, CertificateHold), at(now, KeyCompromise)}, Entry{late, Superseded}},
		"the same at the same time":  {[][]byte{at(late, Superseded), at(late, KeyCompromise)}, Entry{late, Superseded}},
		"far apart in the list":      {append(append([][]byte{at(late, CertificateHold)}, other...), at(now, AACompromise)), Entry{now, AACompromise}},
		"far apart, the other order": {append(append([][]byte{at(now, AACompromise)}, other...), at(late, CertificateHold)), Entry{now, AACompromise}},
	} {
		x := a.index(t, a.conforming(tsukuba, c.entries...))
		if got, ok, err := x.Lookup([]byte{9}); err != nil || !ok || got != c.want {
			t.Errorf("%s: %v %v, want %v", name, got, ok, c.want)
		}
	}
}

// TestNoAllocationPerEntry: the number of allocations does not depend on the number of entries.
func TestNoAllocationPerEntry(t *testing.T) {
	measure := func(n int) (parse, lookup float64) {
		serials := make([][]byte, n)
		for i := range serials {
			serials[i] = binary.BigEndian.AppendUint32(nil, uint32(1<<24+i*3))
		}
		l := listOf(t, entriesOf(serials))
		x := must(l.image())
		return testing.AllocsPerRun(3, func() { Parse(l.Raw) }), testing.AllocsPerRun(100, func() { x.lookup(serials[n/2]) })
	}
	parse1, _ := measure(10)
	parse2, lookup := measure(20000)
	if parse1 != parse2 || lookup != 0 {
		t.Errorf("allocations: parse %v and %v, look-up %v", parse1, parse2, lookup)
	}
}

func TestConcurrentLookups(t *testing.T) {
	a := theCA()
	var entries [][]byte
	for i := range 2000 {
		entries = append(entries, revoke([]byte{1, byte(i >> 8), byte(i)}, now))
	}
	x := a.index(t, a.conforming(tsukuba, entries...))
	c := a.issue(points(fullName(directory(tsukuba))), nil)
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := g; i < 2000; i++ {
				if _, ok, err := x.Lookup([]byte{1, byte(i >> 8), byte(i)}); err != nil || !ok || !x.Covers(c) || len(x.CheckTimes(now, 0, 0)) > 0 {
					t.Errorf("entry %d", i)
				}
			}
		})
	}
	wg.Wait()
}

// BenchmarkCRL is what a list of a million entries costs: read, made an index in memory, and asked.
func BenchmarkCRL(b *testing.B) {
	const n = 1_000_000
	for _, kind := range []string{"dense", "random"} {
		l := listOf(b, seq(manyEntries(n, kind == "random")))
		var serials [][]byte
		for serial := range l.Entries() {
			serials = append(serials, serial)
		}
		x := &Index{image: must(l.image())}
		b.Run(fmt.Sprintf("Parse/%s", kind), func(b *testing.B) {
			b.SetBytes(int64(len(l.Raw)))
			b.ReportAllocs()
			for b.Loop() {
				Parse(l.Raw)
			}
		})
		b.Run(fmt.Sprintf("Build/%s", kind), func(b *testing.B) {
			b.SetBytes(int64(len(l.Raw)))
			for b.Loop() {
				var out Memory
				if _, _, err := Build(bytes.NewReader(l.Raw), BuildOptions{Output: &out}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/entry")
		})
		b.Run(fmt.Sprintf("Lookup/%s", kind), func(b *testing.B) {
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				i = (i + 7919) % n
				x.Lookup(serials[i])
			}
		})
		// The same without the guard against faults of the memory.
		b.Run(fmt.Sprintf("Table/%s", kind), func(b *testing.B) {
			i := 0
			for b.Loop() {
				i = (i + 7919) % n
				x.image.table.lookup(serials[i])
			}
		})
	}
}
