package crl

import (
	"bytes"
	"encoding/binary"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/tashika-jp/tashika/certs/pkix"
	"golang.org/x/crypto/cryptobyte"
)

// seeded is a source of random numbers, the same ones in every run.
func seeded(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 4711)) }

// listing is an entry as a list has it.
type listing struct {
	serial []byte
	unix   int64
	why    Reason
}

var definedReasons = []Reason{Unspecified, KeyCompromise, CACompromise, AffiliationChanged, Superseded, CessationOfOperation, CertificateHold, RemoveFromCRL, PrivilegeWithdrawn, AACompromise}

// minimal drops the octets that DER does not want before a number.
func minimal(serial []byte) []byte {
	for len(serial) > 1 && (serial[0] == 0 && serial[1] < 0x80 || serial[0] == 0xff && serial[1] >= 0x80) {
		serial = serial[1:]
	}
	return serial
}

func someOctets(r *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// shapes are ways in which serial numbers lie. Each gives the i-th of n.
var shapes = map[string]func(r *rand.Rand, i, n int) []byte{
	"dense": func(r *rand.Rand, i, n int) []byte {
		return minimal(binary.BigEndian.AppendUint64(nil, 0x10000000+uint64(i)*20+r.Uint64N(20)))
	},
	"consecutive":     func(r *rand.Rand, i, n int) []byte { return binary.BigEndian.AppendUint32([]byte{1}, uint32(i)) },
	"sparse":          func(r *rand.Rand, i, n int) []byte { return minimal(append([]byte{0}, someOctets(r, 8)...)) },
	"random 128 bits": func(r *rand.Rand, i, n int) []byte { return minimal(append([]byte{0}, someOctets(r, 16)...)) },
	"any length":      func(r *rand.Rand, i, n int) []byte { return someOctets(r, 1+r.IntN(maxSerial)) },
	"negative": func(r *rand.Rand, i, n int) []byte {
		return minimal(append([]byte{0xff}, someOctets(r, 1+r.IntN(12))...))
	},
	"shared prefix": func(r *rand.Rand, i, n int) []byte {
		prefix := "\x01TokyoOsakaNagoyaKobe"[:8+r.IntN(12)]
		return append([]byte(prefix), someOctets(r, 1+r.IntN(2))...)
	},
	"clusters": func(r *rand.Rand, i, n int) []byte { // and a few far from all
		if r.IntN(1000) == 0 {
			return someOctets(r, 20)
		}
		b := append(bytes.Repeat([]byte{byte(1 + r.IntN(7)*13)}, 14), someOctets(r, 6)...)
		b[14], b[15], b[16] = 0, 0, 0
		return b
	},
	"growing gaps": func(r *rand.Rand, i, n int) []byte { // half of them in each bit of the range
		b := make([]byte, 21)
		bit := r.IntN(160)
		b[1+bit/8] = 0x80 >> (bit % 8)
		b[20] ^= byte(i)
		b[19] ^= byte(i >> 8)
		return b
	},
	"equal first words": func(r *rand.Rand, i, n int) []byte { // the last bits decide, the last entry makes the range wide
		b := make([]byte, 20)
		b[0] = byte(1 + i/(n-1)*0x7e)
		binary.BigEndian.PutUint32(b[16:], uint32(i))
		return b
	},
	"listed several times": func(r *rand.Rand, i, n int) []byte {
		return binary.BigEndian.AppendUint32([]byte{1}, r.Uint32N(uint32(n/3+1)))
	},
}

// listings are of one shape, in the order of the shape, with all reasons and with times of a kind.
func listings(r *rand.Rand, shape string, n int) []listing {
	all := make([]listing, n)
	for i := range all {
		all[i] = listing{shapes[shape](r, i, n), 1750000000 + r.Int64N(5*365*86400), definedReasons[r.IntN(5)]}
		switch {
		case len(shape)%3 == 0:
			all[i].unix, all[i].why = minUnix+r.Int64N(maxUnix-minUnix+1), definedReasons[r.IntN(len(definedReasons))]
		case len(shape)%3 == 1:
			all[i].unix, all[i].why = 1750000000, Superseded
		}
	}
	return all
}

// small makes a writer's runs and blocks small.
func small(w *tableWriter, run, block int) *tableWriter {
	w.runSize, w.out.blockSize, w.keep = run, block, 2*run
	return w
}

// onGoroutine does a task on a goroutine of its own.
func onGoroutine(task func()) (wait func()) {
	done := make(chan struct{})
	go func() { defer close(done); task() }()
	return func() { <-done }
}

func inMemory() (Storage, error) { return &Memory{}, nil }

// tableImage writes a table, with tasks at once and beside.
func tableImage(t testing.TB, all []listing, run, block int) []byte {
	t.Helper()
	var images [2]Memory
	for i, how := range []func(func()) func(){nil, onGoroutine} {
		m := &images[i]
		w := small(newTableWriter(m, inMemory, how), run, block)
		if err := addAll(w, all); err != nil {
			t.Fatal(err)
		}
		size, err := w.finish([]byte("of the caller"))
		if err != nil || size != int64(len(m.octets)) {
			t.Fatal(size, len(m.octets), err)
		}
	}
	if !bytes.Equal(images[0].octets, images[1].octets) {
		t.Fatal("another table where tasks go on beside")
	}
	return images[0].octets
}

func addAll(w *tableWriter, all []listing) error {
	var serial []byte // one for all: the writer keeps no reference
	for _, l := range all {
		serial = append(serial[:0], l.serial...)
		if err := w.add(serial, l.unix, l.why); err != nil {
			return err
		}
	}
	return nil
}

func opened(t testing.TB, image []byte) *table {
	t.Helper()
	x, meta, err := openTable(image)
	if err != nil || string(meta) != "of the caller" {
		t.Fatal(err)
	}
	return x
}

// mapOf is the table as anybody would make it.
func mapOf(all []listing) map[string]Entry {
	known := make(map[string]Entry, len(all))
	for _, l := range all {
		e := Entry{time.Unix(l.unix, 0).UTC(), l.why}
		if old, is := known[string(l.serial)]; !is || graver(e, old) {
			known[string(l.serial)] = e
		}
	}
	return known
}

// nearMisses are serial numbers that are close to one, in one way or another.
func nearMisses(serial []byte) [][]byte {
	change := func(at int, by byte) []byte {
		b := bytes.Clone(serial)
		b[at] += by
		return b
	}
	last := len(serial) - 1
	all := [][]byte{change(last, 1), change(last, 0xff), change(0, 1), change(0, 0xff), change(last/2, 0x80), serial[:last], serial[1:],
		append([]byte{0}, serial...), append(bytes.Clone(serial), 0), append([]byte{0xff}, serial...)}
	return all
}

// agrees compares a table with a map: every serial number, what is close to it, and the order of all.
func agrees(t testing.TB, x *table, known map[string]Entry) {
	t.Helper()
	ask := func(serial []byte) {
		want, is := known[string(serial)]
		if e, found, err := x.lookup(serial); err != nil || found != is || e != want {
			t.Fatalf("%x: %v %v %v, want %v %v", serial, e, found, err, want, is)
		}
	}
	for s := range known {
		ask([]byte(s))
		for _, n := range nearMisses([]byte(s)) {
			ask(n)
		}
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
	if n != len(known) || x.len() != n {
		t.Fatalf("%d entries, %d in order, want %d", x.len(), n, len(known))
	}
	for i := range x.blocks() {
		if err := x.checkBlock(i); err != nil {
			t.Fatal(err)
		}
	}
	if x.damaged() {
		t.Fatal("damaged")
	}
}

func TestTableAgainstMap(t *testing.T) {
	share := 1
	if underRace || testing.Short() {
		share = 20
	}
	for _, shape := range slices.Sorted(maps.Keys(shapes)) {
		t.Run(shape, func(t *testing.T) {
			for _, c := range []struct{ n, run, block int }{
				{35_000 / share, runEntries, blockEntries},
				{20_000 / share, 1 << 14, 1 << 10},
				{5_000 / share, 700, 17},
				{5_000 / share, 700, 1},
			} {
				r := seeded(uint64(c.n))
				all := listings(r, shape, c.n)
				known := mapOf(all)
				agrees(t, opened(t, tableImage(t, all, c.run, c.block)), known)
				r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
				shuffled := tableImage(t, all, c.run, c.block)
				agrees(t, opened(t, shuffled), mapOf(all))
				// What a table says does not depend on how it came to be, and neither do its octets.
				slices.SortStableFunc(all, func(a, b listing) int { return compareOctets(a.serial, b.serial) })
				if !bytes.Equal(shuffled, tableImage(t, all, c.run, c.block)) {
					t.Error("the table of entries in order is another")
				}
			}
		})
	}
}

// TestTableBoundaries: as many entries as fit a block or a run, one more, one less; disorder before, at and after what was
// written already.
func TestTableBoundaries(t *testing.T) {
	r := seeded(3)
	for n := range 70 {
		all := listings(r, "consecutive", n)
		agrees(t, opened(t, tableImage(t, all, 16, 8)), mapOf(all))
		for from := range all {
			// The last ones before the first, or the first once more, in another mood.
			again := slices.Concat(all[from:], all[:from])
			agrees(t, opened(t, tableImage(t, again, 16, 8)), mapOf(again))
			again = slices.Concat(all, []listing{{all[from].serial, 0, RemoveFromCRL}, {all[from].serial, 0, CertificateHold}})
			agrees(t, opened(t, tableImage(t, again, 16, 8)), mapOf(again))
		}
	}
}

func TestTableRefuses(t *testing.T) {
	for name, l := range map[string]listing{
		"no serial number":          {nil, 0, 0},
		"a serial number too long":  {make([]byte, 22), 0, 0},
		"a reason that is none":     {[]byte{1}, 0, 7},
		"a reason out of the range": {[]byte{1}, 0, 17},
		"a time before the year 0":  {[]byte{1}, minUnix - 1, 0},
		"a time after 9999":         {[]byte{1}, maxUnix + 1, 0},
	} {
		if addAll(newTableWriter(&Memory{}, inMemory, nil), []listing{l}) == nil {
			t.Error(name)
		}
	}
	x := opened(t, tableImage(t, []listing{{[]byte{1}, 0, 0}}, 16, 16))
	for _, serial := range [][]byte{nil, {}, make([]byte, 22), make([]byte, 1000)} {
		if _, found, err := x.lookup(serial); found || err != nil {
			t.Errorf("%d octets: %v %v", len(serial), found, err)
		}
	}
}

// TestTableTimes: an entry equals the one that was read from the list.
func TestTableTimes(t *testing.T) {
	for _, text := range []string{"00000101000000Z", "19491231235959Z", "19700101000000Z", "20260228235959Z", "20491231235959Z", "99991231235959Z"} {
		s := cryptobyte.String(append([]byte{0x18, byte(len(text))}, text...))
		read, ok := pkix.ReadTime(&s)
		if !ok {
			t.Fatal(text)
		}
		x := opened(t, tableImage(t, []listing{{[]byte{1}, read.Unix(), Superseded}, {[]byte{2}, 0, Superseded}}, 16, 16))
		if e, _, _ := x.lookup([]byte{1}); e != (Entry{read, Superseded}) {
			t.Errorf("%v is not %v", e.RevocationTime, read)
		}
	}
}

// TestTableFirstTouch: many who touch blocks for the first time at once.
func TestTableFirstTouch(t *testing.T) {
	all := listings(seeded(4), "dense", 5000)
	x := opened(t, tableImage(t, all, 1000, 100))
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for _, l := range all {
				if _, found, err := x.lookup(l.serial); !found || err != nil {
					t.Error(found, err)
				}
			}
		})
	}
	wg.Wait()
}

// TestTableAllocates: no look-up asks for memory, and no entry of a table that is written or gone through.
func TestTableAllocates(t *testing.T) {
	if underRace {
		t.Skip("the detector allocates")
	}
	all := listings(seeded(5), "random 128 bits", 100_000)
	x := opened(t, tableImage(t, all, runEntries, blockEntries))
	i := 0
	if n := testing.AllocsPerRun(1000, func() {
		i++
		x.lookup(all[i].serial)
		x.lookup(all[i].serial[1:])
	}); n > 0 {
		t.Errorf("%v allocations in a look-up", n)
	}
	if n := testing.AllocsPerRun(1, func() {
		for range x.all() {
		}
	}); n > 20 {
		t.Errorf("%v allocations for all", n)
	}
	out, scratch := Memory{make([]byte, 0, 8<<20)}, Memory{make([]byte, 0, 8<<20)}
	if n := testing.AllocsPerRun(1, func() {
		w := small(newTableWriter(&out, func() (Storage, error) { return &scratch, nil }, nil), 20_000, 10_000)
		if err := addAll(w, all); err != nil {
			t.Fatal(err)
		}
		w.finish(nil)
	}); n > 1000 {
		t.Errorf("%v allocations for writing", n)
	}
}

// BenchmarkTableBuild writes ten million entries: a dense counter in order, the same in disorder, random numbers of 128 bits.
func BenchmarkTableBuild(b *testing.B) {
	const n = 10_000_000
	for _, kind := range []string{"Dense", "Shuffled", "Random"} {
		b.Run(kind, func(b *testing.B) {
			out, scratch := Memory{make([]byte, 0, 20*n)}, Memory{make([]byte, 0, 20*n)}
			var size int64
			for b.Loop() {
				w := newTableWriter(&out, func() (Storage, error) { return &scratch, nil }, onGoroutine)
				var serial [17]byte
				for i := range n {
					unix, why := made(kind, i, &serial)
					if err := w.add(minimal(serial[:]), unix, why); err != nil {
						b.Fatal(err)
					}
				}
				var err error
				if size, err = w.finish(nil); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(size)/n, "octets/entry")
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/entry")
		})
	}
}

// BenchmarkTableLookup: each look-up depends on the answer of the one before, as the next request's does not, so that nothing overlaps.
func BenchmarkTableLookup(b *testing.B) {
	for _, kind := range []string{"Dense", "Random"} {
		for _, n := range []int{1_000_000, 10_000_000} {
			out := Memory{make([]byte, 0, 20*n)}
			w := newTableWriter(&out, inMemory, nil)
			var serial [17]byte
			for i := range n {
				unix, why := made(kind, i, &serial)
				if err := w.add(minimal(serial[:]), unix, why); err != nil {
					b.Fatal(err)
				}
			}
			size, err := w.finish(nil)
			if err != nil {
				b.Fatal(err)
			}
			x, _, err := openTable(out.octets[:size])
			if err != nil {
				b.Fatal(err)
			}
			for _, what := range []string{"Hit", "Miss"} {
				b.Run(kind+"/"+what+map[bool]string{false: "/1e6", true: "/1e7"}[n > 1_000_000], func(b *testing.B) {
					last := int64(0)
					for i := 0; b.Loop(); i++ {
						made(kind, int(scrambled(uint64(i)+uint64(last&1))%uint64(n)), &serial)
						if what == "Miss" {
							serial[16] ^= 1
						}
						e, _, _ := x.lookup(minimal(serial[:]))
						last = e.RevocationTime.Unix()
					}
				})
			}
		}
	}
}

func scrambled(x uint64) uint64 {
	for range 2 {
		x ^= x >> 32
		x *= 0xd6e8feb86659fd93
	}
	return x ^ x>>32
}

// made makes the i-th of many entries without keeping any.
func made(kind string, i int, serial *[17]byte) (unix int64, why Reason) {
	switch kind {
	case "Shuffled":
		i = i * 611953 % 10_000_000
		fallthrough
	case "Dense":
		binary.BigEndian.PutUint64(serial[9:], 0x10000000+uint64(i)*20+scrambled(uint64(i))>>32%20)
	default:
		binary.BigEndian.PutUint64(serial[1:], scrambled(uint64(2*i)))
		binary.BigEndian.PutUint64(serial[9:], scrambled(uint64(2*i+1)))
	}
	h := scrambled(uint64(i) + 77)
	return 1750000000 + int64(h%(5*365*86400)), definedReasons[(h>>40)%5]
}
