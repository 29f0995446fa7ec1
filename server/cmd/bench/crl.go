package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// listFigures are what a run found; the JSON is for machines.
type listFigures struct {
	Entries       int      `json:"entries"`
	Serials       string   `json:"serials"`
	Partitions    int      `json:"partitions"`
	DERBytes      int64    `json:"der_bytes"`
	Ready         float64  `json:"ready_seconds"`
	ReadSHA256    float64  `json:"read_sha256_seconds"`
	OpenSSL       *float64 `json:"openssl_seconds"`
	IndexPerEntry float64  `json:"index_bytes_per_entry"`
	PeakLoad      int64    `json:"peak_load_bytes"`
	Open          float64  `json:"open_seconds"`
	HitP50        int64    `json:"lookup_hit_p50_ns"`
	MissP50       int64    `json:"lookup_miss_p50_ns"`
	LookupP99     int64    `json:"lookup_p99_ns"`
	QuietP99      float64  `json:"verify_p99_quiet_us"`
	SwapP99       float64  `json:"verify_p99_swap_us"`
	Mismatches    int      `json:"mismatches"`

	// What the text says besides.
	generated  float64
	repeats    int
	taken      float64 // seconds to ready from the drop directory
	opensslRSS int64
	opensslWhy string // why there is none
	parts      parts
	probed     probed
	swapped    swapped
}

// listRun is what is to be measured.
type listRun struct {
	entries    int
	random     bool
	partitions int
	seed       uint64
	openssl    time.Duration // bound
	insist     bool          // the bound was given: also where OpenSSL is known to take minutes
	rounds     int           // of replacing lists; 0 for the smaller sizes of a plot
	requests   int           // in a quiet round
	dir        string
	note       io.Writer // progress
}

const (
	mostEntries  = 1 << 30
	mostParts    = 1 << 14
	maxListSize  = 1 << 36
	opensslUpTo  = 10_000_000
	opensslBound = 3 * time.Minute
	// Where reading and loading are short, chance has a say: they are repeated, and the median is taken.
	mostRepeats   = 5
	repeatsWithin = 15 * time.Second
	probesAtMost  = 1_000_000
	probesAtLeast = 10_000
)

// benchCRL measures the life of a revocation list of any length.
func benchCRL(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("bench crl", flag.ContinueOnError)
	entries := flags.Int("entries", 1_000_000, "entries, of all partitions together")
	serials := flags.String("serials", "dense", "serial numbers: dense, a counter one in twenty of which is listed, or random, 128 bits")
	partitions := flags.Int("partitions", 1, "lists that the entries are spread over")
	seed := flags.Uint64("seed", 1, "of the lists")
	openssl := flags.Duration("openssl", opensslBound, fmt.Sprintf("the most that openssl may take; it is asked beyond %d entries only if this is given", opensslUpTo))
	asJSON := flags.Bool("json", false, "print one JSON object")
	plot := flags.String("plot", "", "measure every power of ten from 10000 entries up to -entries, and draw cost against size into this SVG `file`")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *entries < 1000 || *entries > mostEntries || *partitions < 1 || *partitions > mostParts || *entries/(*partitions) < 100 ||
		*serials != "dense" && *serials != "random" || flags.NArg() > 0 {
		return fmt.Errorf("1000 to %d entries, dense or random, at least 100 in each of at most %d partitions", mostEntries, mostParts)
	}
	run := listRun{entries: *entries, random: *serials == "random", partitions: *partitions, seed: *seed, openssl: *openssl,
		rounds: defaultRounds, requests: quietRequests, note: os.Stderr}
	flags.Visit(func(f *flag.Flag) { run.insist = run.insist || f.Name == "openssl" })
	var all []*listFigures
	for _, size := range sizes(*entries, *plot != "") {
		r := run
		if r.entries = size; size != *entries {
			r.partitions, r.rounds = 1, 0
		}
		f, err := r.measure(ctx)
		if err != nil {
			return err
		}
		all = append(all, f)
	}
	last := all[len(all)-1]
	if *plot != "" {
		if err := os.WriteFile(*plot, []byte(draw(all)), 0o644); err != nil {
			return err
		}
	}
	if err := last.print(out, *asJSON); err != nil {
		return err
	}
	wrong := 0
	for _, f := range all {
		wrong += f.Mismatches
	}
	if wrong > 0 {
		return fmt.Errorf("%d answers were not what the list says", wrong)
	}
	return nil
}

// sizes are the powers of ten up to the number of entries, and that.
func sizes(entries int, all bool) (out []int) {
	for size := 10_000; all && size < entries; size *= 10 {
		out = append(out, size)
	}
	return append(out, entries)
}

// measure makes the lists and takes all the figures.
func (r listRun) measure(ctx context.Context) (*listFigures, error) {
	var err error
	if r.dir, err = os.MkdirTemp("", "tashika-bench"); err != nil {
		return nil, err
	}
	defer os.RemoveAll(r.dir)
	now := time.Now().UTC().Truncate(time.Second)
	ca, err := newAuthority(now)
	if err != nil {
		return nil, err
	}
	der, text, err := ca.save(r.dir)
	if err != nil {
		return nil, err
	}
	t := &task{Anchor: der, Drop: filepath.Join(r.dir, "drop"), State: filepath.Join(r.dir, "state"),
		Probes: min(max(r.entries*20, probesAtLeast), probesAtMost)}
	began := time.Now()
	lap := stopwatch()
	for p := range r.partitions {
		n := r.entries / r.partitions
		if p < r.entries%r.partitions {
			n++
		}
		l := newListing(r.random, r.seed, p, r.partitions, n, 1, now.Add(-time.Hour))
		t.Lists = append(t.Lists, l)
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
	if err := r.enoughRoom(t.Lists); err != nil {
		return nil, err
	}
	for _, dir := range []string{t.Drop, t.State} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			return nil, err
		}
	}
	var files []string
	for _, l := range t.Lists {
		file := filepath.Join(t.Drop, l.file())
		if _, err := ca.write(ctx, file, l); err != nil {
			return nil, err
		}
		files = append(files, file)
	}
	f := &listFigures{Entries: r.entries, Serials: "dense", Partitions: r.partitions}
	if r.random {
		f.Serials = "random"
	}
	f.generated = lap()
	r.say("%d entries, %s: made in %.1f s", r.entries, f.Serials, f.generated)
	if err := r.askOpenSSL(ctx, f, text, files); err != nil {
		return nil, err
	}
	if err := r.engine(ctx, f, t, files); err != nil {
		return nil, err
	}
	if r.rounds > 0 {
		r.say("verifying while the lists are replaced")
		if f.swapped, err = r.swap(ctx, ca, t, f.Ready); err != nil {
			return nil, err
		}
		f.QuietP99, f.SwapP99 = f.swapped.Quiet, f.swapped.Swap
		f.Mismatches += f.swapped.Wrong
	}
	r.say("%d entries, %s: measured in %.1f s", r.entries, f.Serials, time.Since(began).Seconds())
	return f, nil
}

func (r *listRun) say(format string, values ...any) {
	if r.note != nil {
		fmt.Fprintf(r.note, "bench: "+format+"\n", values...)
	}
}

// engine measures what is ours: the way in, the way back after a restart, and the answers.
func (r *listRun) engine(ctx context.Context, f *listFigures, t *task, files []string) error {
	if _, err := do(ctx, roleParts, r.dir, t, &f.parts); err != nil {
		return err
	}
	f.IndexPerEntry = float64(f.parts.IndexSize) / float64(f.Entries)
	// First from the drop directory, which the server copies and flushes; then, as where an index was lost, from that copy. That
	// is what can be compared with who only reads the file, which is done in turns with it.
	loadOnce := func() (float64, error) {
		var in loaded
		peak, err := do(ctx, roleLoad, r.dir, t, &in)
		f.PeakLoad = max(f.PeakLoad, peak-in.Before)
		return in.Seconds, err
	}
	var err error
	if f.taken, err = loadOnce(); err != nil {
		return err
	}
	var floors, readies []float64
	for began := time.Now(); len(readies) == 0 || len(readies) < mostRepeats && time.Since(began) < repeatsWithin; {
		seconds, octets, err := floor(files)
		if err != nil {
			return err
		}
		floors, f.DERBytes = append(floors, seconds), octets
		if err := forgetIndexes(t.State); err != nil {
			return err
		}
		if seconds, err = loadOnce(); err != nil {
			return err
		}
		readies = append(readies, seconds)
	}
	f.repeats, f.ReadSHA256, f.Ready = len(readies), median(floors), median(readies)
	r.say("ready in %.3f s", f.Ready)
	if _, err := do(ctx, roleLookUp, r.dir, t, &f.probed); err != nil {
		return err
	}
	p := f.probed
	f.Open, f.HitP50, f.MissP50, f.LookupP99, f.Mismatches = p.Open, p.HitP50, p.MissP50, max(p.HitP99, p.MissP99), p.Mismatches
	return nil
}

// forgetIndexes removes the indexes from a state directory.
func forgetIndexes(state string) error {
	files, err := filepath.Glob(filepath.Join(state, "*.index"))
	if err == nil && len(files) == 0 {
		err = errors.New("the state directory has no index")
	}
	for _, file := range files {
		err = errors.Join(err, os.Remove(file))
	}
	return err
}

// enoughRoom says what the run needs on disk before it takes it: the lists, what the server keeps of them, its index and what it sorts, and the
// next issues while they are swapped in.
func (r *listRun) enoughRoom(lists []*listing) error {
	var octets int64
	for _, l := range lists {
		octets += l.Octets
	}
	need := octets*(4+int64(issuesFor(lists))) + 64*int64(r.entries)
	have, err := room(r.dir)
	if err != nil {
		return err
	}
	r.say("about %.1f GB of disk are needed below %s, %.1f GB are free", float64(need)/1e9, filepath.Dir(r.dir), float64(have)/1e9)
	if have < need {
		return errors.New("there is not enough room on disk; TMPDIR says where to work")
	}
	return nil
}

// askOpenSSL lets openssl verify the same files, one after the other. That there is no openssl, or that it takes too long, is
// no error.
func (r *listRun) askOpenSSL(ctx context.Context, f *listFigures, ca string, files []string) error {
	path, err := exec.LookPath("openssl")
	if err != nil {
		f.opensslWhy = "it is not installed"
		return nil
	}
	if r.entries > opensslUpTo && !r.insist {
		f.opensslWhy = fmt.Sprintf("it is not asked beyond %d entries, unless -openssl is given", opensslUpTo)
		return nil
	}
	bounded, cancel := context.WithTimeout(ctx, r.openssl)
	defer cancel()
	// It takes some 460 octets an entry; the machine has other work.
	memory, err := available()
	if err != nil {
		return err
	}
	began := time.Now()
	for _, file := range files {
		cmd := exec.CommandContext(bounded, path, "crl", "-in", file, "-inform", "DER", "-noout", "-verify", "-CAfile", ca)
		var said strings.Builder
		cmd.Stdout, cmd.Stderr = &said, &said
		cmd.WaitDelay = 10 * time.Second
		peak, err := watch(cmd, "VmHWM", memory/4*3)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case bounded.Err() != nil:
			f.opensslWhy = fmt.Sprintf("no answer in %.0f s", r.openssl.Seconds())
			return nil
		case errors.Is(err, errMemory):
			f.opensslWhy = fmt.Sprintf("stopped at %.1f GB of memory, after %.0f s", float64(peak)/1e9, time.Since(began).Seconds())
			return nil
		case err != nil || !strings.Contains(said.String(), "verify OK"):
			f.opensslWhy = "it refuses the list"
			return nil
		}
		f.opensslRSS = max(f.opensslRSS, peak)
	}
	seconds := time.Since(began).Seconds()
	f.OpenSSL = &seconds
	r.say("openssl: %.2f s", seconds)
	return nil
}

// print writes the object, or the table.
func (f *listFigures) print(out io.Writer, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(out).Encode(f)
	}
	_, err := io.WriteString(out, f.table())
	return err
}
