package main

import (
	"fmt"
	"strings"
)

// The sizes that goals are set for.
const (
	opensslAt = 1_000_000
	floorAt   = 10_000_000
)

// goal is what is aimed at for one kind of serial numbers.
type goal struct {
	openssl, floor float64 // our time to ready against theirs at 10^6 entries, and against reading and hashing at 10^7
	index          float64 // octets an entry
	peak           int64   // octets
	lookup         int64   // ns
	lookupAt       int     // up to so many entries
	swap           float64
	open           float64 // seconds
}

var goals = map[string]goal{
	"dense":  {openssl: 1.0 / 20, floor: 2, index: 6, peak: 64 << 20, lookup: 200, lookupAt: 100_000_000, swap: 1.5, open: 0.1},
	"random": {openssl: 1.0 / 12, floor: 4, index: 24, peak: 256 << 20, lookup: 400, lookupAt: 10_000_000, swap: 1.5, open: 0.1},
}

// table is all that was found, for people.
func (f *listFigures) table() string {
	g := goals[f.Serials]
	var b strings.Builder
	line := func(what, value, verdict string) { fmt.Fprintf(&b, "  %-30s %-22s %s\n", what, value, verdict) }
	// met judges a goal where it applies: the goals are set for one list, some for one of a certain size.
	met := func(applies, ok bool, format string, values ...any) string {
		word := ""
		switch {
		case !applies || f.Partitions > 1:
		case ok:
			word = "met: "
		default:
			word = "missed: "
		}
		return word + fmt.Sprintf(format, values...)
	}
	inSeconds := func(v float64) string { return fmt.Sprintf("%.3f s", v) }
	fmt.Fprintf(&b, "%d entries, serial numbers %s, %d partition(s), %.1f MB of DER (made in %.1f s)\n", f.Entries, f.Serials, f.Partitions, float64(f.DERBytes)/1e6, f.generated)

	line("ready", inSeconds(f.Ready), fmt.Sprintf("the list as fetched is on disk: read, checked, indexed, flushed, mapped, the first answer given; by the server; median of %d", f.repeats))
	line("  from a drop directory", inSeconds(f.taken), "the same, and the list copied to the state directory and flushed before")
	line("  the engine alone", inSeconds(f.parts.Build+f.parts.Sync+f.parts.Open+f.parts.Authenticate), fmt.Sprintf("build %.3f, fsync %.3f, open %.3f, authenticate %.3f", f.parts.Build, f.parts.Sync, f.parts.Open, f.parts.Authenticate))
	ratio := f.Ready / f.ReadSHA256
	line("  reading and SHA-256", inSeconds(f.ReadSHA256), met(f.Entries == floorAt, ratio <= g.floor, "ready takes %.2f times as long; goal with %d entries at most %.0f", ratio, floorAt, g.floor))
	if f.OpenSSL != nil {
		ratio := f.Ready / *f.OpenSSL
		line("  openssl crl -verify", inSeconds(*f.OpenSSL), met(f.Entries == opensslAt, ratio <= g.openssl, "ready takes 1/%.1f of it; goal with %d entries at most 1/%.0f; openssl took %.0f MB", 1/ratio, opensslAt, 1/g.openssl, float64(f.opensslRSS)/1e6))
	} else {
		line("  openssl crl -verify", "not measured", f.opensslWhy)
	}
	line("peak memory while loading", fmt.Sprintf("%.1f MB", float64(f.PeakLoad)/1e6), met(true, f.PeakLoad <= g.peak, "anonymous memory beyond that before; goal at most %.0f MB", float64(g.peak)/(1<<20)))
	line("index", fmt.Sprintf("%.2f B an entry", f.IndexPerEntry), met(true, f.IndexPerEntry <= g.index, "times and reasons included; goal at most %.0f", g.index))
	line("open after a restart", fmt.Sprintf("%.1f ms", f.Open*1e3), met(true, f.Open <= g.open, "a new process, to the first answer of every list; goal at most %.0f ms", g.open*1e3))
	line("  checking every block", inSeconds(f.probed.Scrub), "once, as the background does")
	p := f.probed
	verdict := func(ns int64) string {
		return met(f.Entries <= g.lookupAt, ns <= g.lookup, "goal with %d entries at most %d ns", g.lookupAt, g.lookup)
	}
	line("look-up, listed, p50", fmt.Sprintf("%d ns", f.HitP50), verdict(f.HitP50))
	line("look-up, not listed, p50", fmt.Sprintf("%d ns", f.MissP50), verdict(f.MissP50))
	line("look-up, p99", fmt.Sprintf("%d ns", f.LookupP99), fmt.Sprintf("listed %d, not listed %d; %d ns of the clock subtracted; in a row, without it, %.0f ns on average", p.HitP99, p.MissP99, p.Clock, p.Mean))
	if s := f.swapped; s.Asked > 0 {
		ratio := s.Swap / s.Quiet
		line("verify, quiet", fmt.Sprintf("p99 %.0f µs", s.Quiet), fmt.Sprintf("p50 %.0f µs; %d a second, median of %d rounds", s.QuietP50, rate, s.Rounds))
		line("verify, while lists change", fmt.Sprintf("p99 %.0f µs", s.Swap), met(true, ratio <= g.swap, "%.2f times quiet; goal at most %.1f; p50 %.0f µs; %d issues, one every %.2f s", ratio, g.swap, s.SwapP50, s.Swaps, s.Period))
	}
	line("answers that are wrong", fmt.Sprint(f.Mismatches), fmt.Sprintf("of %d look-ups and %d verifications; goal 0", p.Asked, f.swapped.Asked))
	return b.String()
}
