// Command scoreboard runs every suite of certs/conformance through every judge that is
// installed and prints a table in Markdown: valid cases accepted and invalid ones rejected,
// apart, with what judged.
//
//	go run ./certs/conformance/cmd/scoreboard [-json] [-failures] [-suite NAME] [-judge NAME] [-dir FOLDER] [-bettertls FILE]
//
// It is a command and not a test, because other people's programs are measured, not held to
// anything. Tashika is asked as a process, through `tashika validate -batch`. What it refuses:
// to print a table without the always-reject line, which says what a number is worth.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/tashika-jp/tashika/certs/conformance"
)

// Result is one judge's score in one suite, a line of -json.
type Result struct {
	Suite   string `json:"suite"`
	Judge   string `json:"judge"`
	Version string `json:"version,omitempty"`
	conformance.Score
	Failures []Failure `json:"failures,omitempty"`
	Error    string    `json:"error,omitempty"` // not installed, or broken
	Seconds  float64   `json:"seconds"`
	noCheck  bool
}

// Failure is a case that was judged wrongly.
type Failure struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Expected string `json:"expected"`
	Why      string `json:"why,omitempty"`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "scoreboard:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out, progress io.Writer) error {
	flags := flag.NewFlagSet("scoreboard", flag.ContinueOnError)
	asJSON := flags.Bool("json", false, "print a line of JSON for each suite and judge, with the failed cases")
	failures := flags.Bool("failures", false, "print the failed cases below the table")
	suite := flags.String("suite", "", "only this suite")
	judge := flags.String("judge", "", "only this judge, and always reject")
	dir := flags.String("dir", "", "folder of the suites; default: shared/conformance beside the checkout")
	bettertls := flags.String("bettertls", "", "also the suites of a file that Netflix's BetterTLS exported")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return errors.New("no arguments expected")
	}
	if *dir == "" {
		var err error
		if *dir, err = conformance.Dir(); err != nil {
			return err
		}
	}
	suites, err := conformance.Load(*dir)
	if err != nil {
		return err
	}
	if *bettertls != "" {
		more, err := conformance.ReadBetterTLS(*bettertls)
		if err != nil {
			return err
		}
		suites = append(suites, more...)
	}
	judges := installed(ctx, *judge)
	var results []Result
	for _, s := range suites {
		if *suite != "" && s.Name != *suite {
			continue
		}
		for _, j := range judges {
			r := j.measure(ctx, s, progress)
			if err := ctx.Err(); err != nil {
				return err
			}
			results = append(results, r)
			if *asJSON {
				if err := json.NewEncoder(out).Encode(r); err != nil {
					return err
				}
			}
		}
	}
	if *asJSON {
		return nil
	}
	_, err = io.WriteString(out, table(results, time.Now()))
	if *failures && err == nil {
		_, err = io.WriteString(out, failureList(results))
	}
	return err
}

// versioned is a judge with its version, or with the reason why it cannot judge.
type versioned struct {
	judge   conformance.Judge
	version string
	err     error
}

// installed are the judge of a name, or all, and always the one that refuses everything.
func installed(ctx context.Context, name string) (all []versioned) {
	for _, j := range conformance.Judges() {
		if name == "" || j.Name() == name || j == (conformance.Rejecter{}) {
			version, err := j.Version(ctx)
			all = append(all, versioned{j, version, err})
		}
	}
	return all
}

// measure asks one judge about one suite.
func (j versioned) measure(ctx context.Context, s conformance.Suite, progress io.Writer) Result {
	r := Result{Suite: s.Name, Judge: j.judge.Name(), Version: j.version}
	if j.err != nil {
		r.Error = j.err.Error()
		return r
	}
	start := time.Now()
	shown := start
	n := 0
	answers, err := j.judge.Judge(ctx, s.Cases, func() {
		if n++; time.Since(shown) > time.Second {
			shown = time.Now()
			fmt.Fprintf(progress, "%s, %s: %d of %d\n", s.Name, r.Judge, n, len(s.Cases))
		}
	})
	r.Seconds = time.Since(start).Seconds()
	if err != nil {
		r.Error, r.noCheck = err.Error(), errors.Is(err, conformance.ErrNoCheck)
		return r
	}
	for i, c := range s.Cases {
		if !r.Score.Add(c, answers[i]) {
			expected := map[bool]string{true: "valid", false: "invalid"}[c.Valid]
			r.Failures = append(r.Failures, Failure{c.ID, c.Name, expected, answers[i].Why})
		}
	}
	fmt.Fprintf(progress, "%s, %s: %s, %.0f s\n", s.Name, r.Judge, r.Score, r.Seconds)
	return r
}

// table is the scoreboard in Markdown.
func table(results []Result, now time.Time) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Measured on %s.\n", now.UTC().Format(time.DateOnly))
	previous := ""
	for _, r := range results {
		if r.Suite != previous {
			fmt.Fprintf(&b, "\n| %s | version | valid accepted | invalid rejected | right |\n|---|---|---:|---:|---:|\n", r.Suite)
			previous = r.Suite
		}
		switch {
		case r.Version == "" && r.Error != "":
			fmt.Fprintf(&b, "| %s | absent | | | |\n", r.Judge)
		case r.noCheck:
			fmt.Fprintf(&b, "| %s | %s | not asked | not asked | |\n", r.Judge, r.Version)
		case r.Error != "":
			fmt.Fprintf(&b, "| %s | %s | failed | failed | |\n", r.Judge, r.Version)
		default:
			fmt.Fprintf(&b, "| %s | %s | %d/%d | %d/%d | **%d**/%d |\n", r.Judge, r.Version,
				r.ValidAccepted, r.Valid, r.InvalidRejected, r.Invalid, r.Right(), r.Total())
		}
	}
	return b.String()
}

// mostFailures are printed of a judge in a suite; hundreds are of one kind.
const mostFailures = 60

func failureList(results []Result) string {
	var b strings.Builder
	for _, r := range results {
		if r.Error != "" {
			fmt.Fprintf(&b, "\n%s, %s: %s\n", r.Suite, r.Judge, r.Error)
		}
		if len(r.Failures) == 0 || r.Judge == (conformance.Rejecter{}).Name() {
			continue
		}
		fmt.Fprintf(&b, "\n%s, %s: %d wrong\n\n", r.Suite, r.Judge, len(r.Failures))
		for i, f := range r.Failures {
			if i == mostFailures {
				fmt.Fprintf(&b, "- and %d more: see -json\n", len(r.Failures)-i)
				break
			}
			fmt.Fprintf(&b, "- %s (%s), expected %s: %s\n", f.ID, f.Name, f.Expected, f.Why)
		}
	}
	return b.String()
}
