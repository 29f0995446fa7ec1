package crl

import (
	"context"
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/tashika-jp/tashika/certs/reason"
)

// TestPlausible: counted exactly, by entry, and never a handful.
func TestPlausible(t *testing.T) {
	ca := theCA()
	// with lists the serial numbers from the first up to the last.
	with := func(first, last int, why ...extension) *Index {
		var entries [][]byte
		for n := first; n < last; n++ {
			entries = append(entries, revoke(binary.BigEndian.AppendUint16([]byte{1}, uint16(n)), now, why...))
		}
		return ca.index(t, ca.conforming(nil, entries...))
	}
	shrunk, grown := []reason.ID{reason.CRLShrinkImplausible}, []reason.ID{reason.CRLGrowthImplausible}
	for _, test := range []struct {
		name       string
		last, next *Index
		bounds     Bounds
		want       []reason.ID
	}{
		{name: "the same", last: with(0, 100), next: with(0, 100)},
		{name: "half is gone", last: with(0, 100), next: with(0, 50)},
		{name: "one more than half is gone", last: with(0, 100), next: with(0, 49), want: shrunk},
		{name: "truncated", last: with(0, 100), next: with(0, 0), want: shrunk},
		{name: "doubled", last: with(0, 100), next: with(0, 200)},
		{name: "one more than doubled", last: with(0, 100), next: with(0, 201), want: grown},
		// As many entries as before, and all others.
		{name: "exchanged", last: with(0, 100), next: with(100, 200), want: shrunk},
		{name: "half exchanged", last: with(0, 100), next: with(50, 150)},
		{name: "growth hides no loss", last: with(0, 100), next: with(51, 200), want: shrunk},
		{name: "a handful all gone", last: with(0, 16), next: with(0, 0)},
		{name: "one more than a handful", last: with(0, 17), next: with(0, 0), want: shrunk},
		{name: "a handful new", last: with(0, 0), next: with(0, 16)},
		{name: "one more new", last: with(0, 0), next: with(0, 17), want: grown},
		{name: "holds released count", last: with(0, 100, because(CertificateHold)), next: with(0, 49), want: shrunk},
		{name: "holds that became revocations are neither", last: with(0, 100, because(CertificateHold)), next: with(0, 100)},
		{name: "everything may go", last: with(0, 100), next: with(0, 0), bounds: Bounds{Shrink: 1}},
		{name: "a hundredfold", last: with(0, 20), next: with(0, 2020), bounds: Bounds{Growth: 100}},
		{name: "one more than that", last: with(0, 20), next: with(0, 2021), bounds: Bounds{Growth: 100}, want: grown},
		{name: "no bound overflows", last: with(0, 20), next: with(0, 2021), bounds: Bounds{Growth: math.MaxFloat64}},
		{name: "narrow", last: with(0, 200), next: with(17, 217), bounds: Bounds{Growth: 1, Shrink: 0.08}, want: shrunk},
		{name: "narrow to the other side", last: with(0, 200), next: with(17, 217), bounds: Bounds{Growth: 0.08, Shrink: 1}, want: grown},
		{name: "just wide enough", last: with(0, 200), next: with(17, 217), bounds: Bounds{Growth: 0.085, Shrink: 0.085}},
	} {
		got, err := Plausible(context.Background(), test.next, test.last, test.bounds)
		if err != nil || !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, %v, want %v", test.name, got, err, test.want)
		}
	}
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Plausible(ended, with(0, 10), with(0, 20), Bounds{}); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end: %v", err)
	}
	for _, b := range []Bounds{{Growth: -1}, {Shrink: -1}, {Shrink: 1.1}, {Growth: math.NaN()}, {Shrink: math.NaN()}} {
		if b.Check() {
			t.Errorf("%v makes sense", b)
		}
	}
}
