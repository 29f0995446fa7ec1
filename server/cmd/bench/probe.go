package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/tashika-jp/tashika/certs/crl"
)

// probed is what came of asking.
type probed struct {
	Open       float64 `json:"open"`
	Scrub      float64 `json:"scrub"` // seconds to check every block, once
	HitP50     int64   `json:"hit_p50"`
	HitP99     int64   `json:"hit_p99"`
	MissP50    int64   `json:"miss_p50"`
	MissP99    int64   `json:"miss_p99"`
	Clock      int64   `json:"clock"` // what one reading of the clock costs, ns, subtracted
	Mean       float64 `json:"mean"`  // ns of hits and misses in a row, with no clock between
	Asked      int     `json:"asked"`
	Mismatches int     `json:"mismatches"`
}

// lookup is a question with its answer; serial numbers are of one backing array, so that asking meets no memory of the probe's own but in order.
type lookup struct {
	list   int
	serial []byte
	want   crl.Entry
	listed bool
	got    crl.Entry
	found  bool
	failed bool
}

// probeBlock is how many questions are made at a time.
const probeBlock = 1 << 15

// probe asks n questions whose serial numbers are listed and n of others, all at random, and compares every answer with
// what the list was made of. The index is warm: all of its blocks have been read and checked, and one block of questions
// asked before. Questions are made outside of the time. Each is timed by itself, by two readings of the monotonic clock; the median of two
// readings with nothing between, taken a million times before, is subtracted.
func probe(ctx context.Context, lists []*listing, indexes []*crl.Index, n int) (*probed, error) {
	out := &probed{}
	began := time.Now()
	for _, x := range indexes {
		for i := range x.Blocks() {
			if err := x.CheckBlock(i); err != nil {
				return nil, err
			}
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
	out.Scrub = time.Since(began).Seconds()
	base := time.Now()
	out.Clock = clockCost(base)
	random := rand.New(rand.NewPCG(1, lists[0].Seeds[0]))
	block := make([]lookup, min(n, probeBlock))
	serials := make([]byte, 0, len(block)*maxSerial)
	var times [2][]int64
	var inRow time.Duration
	for asked := -len(block); asked < n; asked += len(block) { // the first block is to warm up
		for _, listed := range []bool{true, false} {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			serials = serials[:0]
			for i := range block {
				serials = block[i].make(random, lists, listed, serials)
			}
			row := time.Now()
			for i := range block {
				q := &block[i]
				_, q.found, _ = indexes[q.list].Lookup(q.serial)
			}
			spent := time.Since(row)
			// The same questions would meet a cache that the row has filled: these are others.
			serials = serials[:0]
			for i := range block {
				serials = block[i].make(random, lists, listed, serials)
			}
			kind := 0
			if !listed {
				kind = 1
			}
			for i := range block {
				q := &block[i]
				before := time.Since(base)
				got, found, err := indexes[q.list].Lookup(q.serial)
				after := time.Since(base)
				q.got, q.found, q.failed = got, found, err != nil
				if asked >= 0 {
					times[kind] = append(times[kind], int64(after-before))
				}
			}
			if asked >= 0 {
				inRow += spent
			}
			for i := range block {
				if block[i].wrong() {
					out.Mismatches++
				}
			}
			out.Asked += len(block)
		}
	}
	out.Mean = float64(inRow) / float64(len(times[0])+len(times[1]))
	for _, t := range times {
		if len(t) == 0 {
			return nil, errors.New("no question was asked")
		}
		slices.Sort(t)
	}
	out.HitP50, out.HitP99 = quantile(times[0], 0.50)-out.Clock, quantile(times[0], 0.99)-out.Clock
	out.MissP50, out.MissP99 = quantile(times[1], 0.50)-out.Clock, quantile(times[1], 0.99)-out.Clock
	return out, nil
}

func (q *lookup) wrong() bool {
	return q.failed || q.found != q.listed || q.found && !same(q.got, q.want)
}

// make makes a question; its serial number is appended to serials. Of those that are not listed, half are near one that is: its neighbour in the
// counter, or another with the same high octets.
func (q *lookup) make(random *rand.Rand, lists []*listing, listed bool, serials []byte) []byte {
	q.list = random.IntN(len(lists))
	l := lists[q.list]
	begin := len(serials)
	switch {
	case listed:
		serials = l.serial(serials, l.listedKey(random))
	case random.IntN(2) == 0:
		serials = l.serial(serials, l.listedKey(random))
		for found := true; found; _, found = l.find(serials[begin:]) {
			serials[len(serials)-1]++ // wraps round within the octet, of which there are two at least
		}
	case l.Random:
		serials = l.serial(serials, l.End+random.Uint64N(1<<40)) // no other key has the same
	default:
		for found := true; found; _, found = l.find(serials[begin:]) {
			serials = l.serial(serials[:begin], l.First+random.Uint64N(l.End-l.First+l.End/4))
		}
	}
	q.serial = serials[begin:len(serials):len(serials)]
	q.want, q.listed = l.find(q.serial)
	return serials
}

// listedKey is one of those on the list, all with equal chance.
func (l *listing) listedKey(random *rand.Rand) uint64 {
	for {
		if key := l.First + random.Uint64N(l.End-l.First); l.lists(key) {
			return key
		}
	}
}

// clockCost is the median of two readings of the clock with nothing between, in ns.
func clockCost(base time.Time) int64 {
	costs := make([]int64, 1<<20)
	for i := range costs {
		before := time.Since(base)
		after := time.Since(base)
		costs[i] = int64(after - before)
	}
	slices.Sort(costs)
	return quantile(costs, 0.5)
}

// quantile of sorted values.
func quantile[T any](sorted []T, q float64) T {
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

// median sorts the values.
func median(values []float64) float64 {
	slices.Sort(values)
	return quantile(values, 0.5)
}
