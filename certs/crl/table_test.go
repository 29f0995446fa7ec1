package crl

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// random is a stream of random numbers that is the same in every run.
func seeded(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 4711)) }

// said is what a test says of a serial number.
type said struct {
	serial []byte
	unix   int64
	why    Reason
}

var someReasons = []Reason{Unspecified, KeyCompromise, CACompromise, AffiliationChanged, Superseded, CessationOfOperation, CertificateHold, RemoveFromCRL, PrivilegeWithdrawn, AACompromise}

// dense is a counter of which one in twenty is revoked, within five years and for five reasons.
func denseSaid(r *rand.Rand, n int) []said {
	all := make([]said, n)
	at := uint64(0x10000000)
	for i := range all {
		at += 1 + r.Uint64N(39)
		all[i] = said{minimal(binary.BigEndian.AppendUint64(nil, at)), 1750000000 + r.Int64N(157680000), someReasons[r.IntN(5)]}
	}
	return all
}

func randomSaid(r *rand.Rand, n, octets int) []said {
	all := make([]said, n)
	for i := range all {
		s := make([]byte, octets)
		for j := range s {
			s[j] = byte(r.Uint32())
		}
		all[i] = said{minimal(append([]byte{0}, s...)), 1750000000 + r.Int64N(157680000), someReasons[r.IntN(5)]}
	}
	return all
}

// minimal drops what DER does not want before a number.
func minimal(serial []byte) []byte {
	for len(serial) > 1 && (serial[0] == 0 && serial[1] < 0x80 || serial[0] == 0xff && serial[1] >= 0x80) {
		serial = serial[1:]
	}
	return serial
}

// small makes a writer's runs and blocks small.
func small(w *tableWriter, run, block int) *tableWriter {
	w.runSize, w.out.blockSize = run, block
	return w
}

func inMemory() (Storage, error) { return &memory{}, nil }

// tableOf writes a table and opens it.
func tableOf(t testing.TB, all []said, run, block int) *table {
	t.Helper()
	var m memory
	w := small(newTableWriter(&m, inMemory), run, block)
	for _, s := range all {
		if err := w.add(s.serial, s.unix, s.why); err != nil {
			t.Fatal(err)
		}
	}
	size, err := w.finish([]byte("meta"))
	if err != nil || size != int64(len(m.octets)) {
		t.Fatal(size, len(m.octets), err)
	}
	x, meta, err := openTable(m.octets)
	if err != nil || string(meta) != "meta" {
		t.Fatal(err)
	}
	return x
}

// agrees compares a table with what was said, by a map: every serial number, its neighbours, and the order of all.
func agrees(t testing.TB, x *table, all []said) {
	t.Helper()
	known := make(map[string]Entry, len(all))
	for _, s := range all {
		e := Entry{time.Unix(s.unix, 0).UTC(), s.why}
		if old, is := known[string(s.serial)]; !is || graver(e, old) {
			known[string(s.serial)] = e
		}
	}
	ask := func(serial []byte) {
		want, is := known[string(serial)]
		if e, found, err := x.lookup(serial); err != nil || found != is || e != want {
			t.Fatalf("%x: %v %v %v, want %v %v", serial, e, found, err, want, is)
		}
	}
	for _, s := range all {
		ask(s.serial)
		for _, n := range neighbours(s.serial) {
			ask(n)
		}
	}
	if x.len() != len(known) {
		t.Fatalf("%d entries, want %d", x.len(), len(known))
	}
	var last []byte
	n := 0
	for e, err := range x.all() {
		if err != nil || known[string(e.Serial)] != e.Entry || last != nil && compareOctets(last, e.Serial) >= 0 {
			t.Fatalf("%x after %x: %v %v", e.Serial, last, e.Entry, err)
		}
		last = append(last[:0], e.Serial...)
		n++
	}
	if n != len(known) {
		t.Fatalf("%d entries in order, want %d", n, len(known))
	}
	for i := range x.blocks() {
		if err := x.checkBlock(i); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTableAgainstMap(t *testing.T) {
	r := seeded(1)
	for name, all := range map[string][]said{
		"nothing": nil,
		"dense":   denseSaid(r, 100_000),
		"random":  randomSaid(r, 100_000, 16),
	} {
		t.Run(name, func(t *testing.T) {
			for _, size := range [][2]int{{runEntries, blockEntries}, {1 << 14, 1 << 10}, {1000, 17}} {
				agrees(t, tableOf(t, all, size[0], size[1]), all)
				shuffled := slices.Clone(all)
				r.Shuffle(len(all), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
				agrees(t, tableOf(t, shuffled, size[0], size[1]), all)
			}
		})
	}
}

func BenchmarkTableBuild(b *testing.B) {
	for _, kind := range []string{"Dense", "Shuffled", "Random"} {
		b.Run(kind, func(b *testing.B) {
			const n = 10_000_000
			r := seeded(2)
			all := buildSaid(r, kind, n)
			var m, s memory
			b.ReportAllocs()
			for b.Loop() {
				w := newTableWriter(&m, func() (Storage, error) { return &s, nil })
				for i := range all {
					if err := w.add(all[i].serial, all[i].unix, all[i].why); err != nil {
						b.Fatal(err)
					}
				}
				size, err := w.finish(nil)
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(size)/n, "B/entry")
				m.octets = m.octets[:size]
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/entry")
		})
	}
}

func buildSaid(r *rand.Rand, kind string, n int) []said {
	if kind == "Random" {
		return randomSaid(r, n, 16)
	}
	all := denseSaid(r, n)
	if kind == "Shuffled" {
		r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	}
	return all
}
