package main

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestRun: from making a list to verifying while it is replaced, with a small one, and every answer is right.
func TestRun(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	for _, r := range []listRun{
		{entries: 2000, partitions: 1, seed: 1, openssl: time.Minute, rounds: 1, requests: 100},
		{entries: 2000, random: true, partitions: 3, seed: 2, openssl: time.Minute, rounds: 1, requests: 100},
	} {
		if r.partitions > 1 && testing.Short() {
			continue
		}
		f, err := r.measure(t.Context())
		if errors.Is(err, errors.ErrUnsupported) {
			t.Skip(err)
		}
		if err != nil {
			t.Fatal(err)
		}
		s := f.swapped
		if f.Mismatches != 0 || f.probed.Asked < 2*probesAtLeast || s.Asked <= r.requests || s.Swaps < 1 {
			t.Errorf("%d wrong of %d look-ups and %d verifications, %d issues", f.Mismatches, f.probed.Asked, s.Asked, s.Swaps)
		}
		var size int64
		for _, l := range []float64{f.Ready, f.ReadSHA256, f.Open, f.IndexPerEntry, f.QuietP99, f.SwapP99} {
			if l <= 0 {
				t.Errorf("nothing takes nothing: %+v", f)
			}
		}
		if size = f.DERBytes; size < 2000*19 || size > 2000*64 {
			t.Errorf("%d octets", size)
		}
		if table := f.table(); strings.Contains(table, "%!") {
			t.Error(table)
		}
		left, err := os.ReadDir(os.TempDir())
		if err != nil || len(left) > 0 {
			t.Errorf("left behind: %v %v", left, err)
		}
	}
}

// TestJSON: exactly one object with exactly these fields.
func TestJSON(t *testing.T) {
	var out bytes.Buffer
	if err := (&listFigures{}).print(&out, true); err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(&out)
	var fields map[string]any
	if err := d.Decode(&fields); err != nil {
		t.Fatal(err)
	}
	if err := d.Decode(new(any)); err != io.EOF {
		t.Error("more than one object")
	}
	want := strings.Fields(`der_bytes entries index_bytes_per_entry lookup_hit_p50_ns lookup_miss_p50_ns lookup_p99_ns mismatches open_seconds
		openssl_seconds partitions peak_load_bytes read_sha256_seconds ready_seconds serials verify_p99_quiet_us verify_p99_swap_us`)
	var got []string
	for name := range fields {
		got = append(got, name)
	}
	if slices.Sort(got); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if fields["openssl_seconds"] != nil {
		t.Error("no openssl is null")
	}
}

func TestWhatIsRefused(t *testing.T) {
	for _, args := range []string{"-entries 10", "-entries 10000 -partitions 101", "-serials sparse", "-partitions 0", "-entries 10000 more"} {
		if err := benchCRL(context.Background(), strings.Fields(args), io.Discard); err == nil {
			t.Errorf("%s: accepted", args)
		}
	}
}

// TestDraw: a picture is well-formed, and has a line for each figure.
func TestDraw(t *testing.T) {
	seconds := 3.5
	svg := draw([]*listFigures{
		{Entries: 10_000, Serials: "random", DERBytes: 490_000, Ready: 0.01, taken: 0.02, ReadSHA256: 0.005, OpenSSL: &seconds, IndexPerEntry: 21, Open: 0.003, HitP50: 80, MissP50: 60, LookupP99: 300, opensslRSS: 1 << 24},
		{Entries: 100_000, Serials: "random", DERBytes: 4_900_000, Ready: 0.05, taken: 0.07, ReadSHA256: 0.01, IndexPerEntry: 21, Open: 0.003, HitP50: 100, MissP50: 80, LookupP99: 400},
	})
	d := xml.NewDecoder(strings.NewReader(svg))
	lines := 0
	for {
		token, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := token.(xml.StartElement); ok && e.Name.Local == "polyline" {
			lines++
		}
	}
	if lines != 12 || strings.Contains(svg, "NaN") || strings.Contains(svg, "%!") {
		t.Errorf("%d lines: %s", lines, svg)
	}
}
