// Command sandbox is the first thing to run: a pretend J-LIS (package certs/sandbox) and the server in one
// process, on loopback. It plays every scenario that a relying party has to be ready for, through real gRPC with
// the SDK and through real HTTP with a plain client, shows what came of each, and then keeps serving so
// that a kiosk, a reception or an app can be developed against it. Nothing in it is real, and it refuses to listen
// anywhere but on loopback.
//
//	go run ./server/cmd/sandbox                play the scenarios, then serve until Ctrl-C
//	go run ./server/cmd/sandbox -once          play the scenarios, exit 1 if one is not as expected
//	go run ./server/cmd/sandbox -once -json    the same, a line of JSON for each
//	go run ./server/cmd/sandbox -once -doors stream,batch
//	                                           the same through streams and batches
//	go run ./server/cmd/sandbox -partitions 1741 -revoked 3000
//	                                           the same in a country of 1,741 municipalities, whose 6,964 lists have 3,000
//	                                           revoked each and are named by a manifest
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/tashika-jp/tashika/certs/sandbox"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is the program; it returns its exit status: 0, 1 for a scenario that is not as expected, 2 for a wrong
// command line, 3 for trouble of our own.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) (code int) {
	defer func() {
		if r := recover(); r != nil {
			trouble, ours := r.(must)
			if !ours {
				panic(r)
			}
			fmt.Fprintln(stderr, "sandbox:", trouble)
			code = 3
		}
	}()
	flags := flag.NewFlagSet("sandbox", flag.ContinueOnError)
	flags.SetOutput(stderr)
	once := flags.Bool("once", false, "end after the scenarios; exit status 1 if one is not as expected")
	asJSON := flags.Bool("json", false, "print one line of JSON for each scenario")
	ways := flags.String("doors", "grpc,http", "ways in to play through: grpc, http, stream (VerifyStream), batch (BatchVerify over HTTP)")
	var size size
	flags.IntVar(&size.partitions, "partitions", 0, fmt.Sprintf("municipalities with lists of their own, up to %d; the country has %d (default the few that scenarios are about)", sandbox.MaxPartitions, sandbox.NationalPartitions))
	flags.IntVar(&size.revoked, "revoked", 0, "revoked certificates more on each list")
	addresses := [3]*string{
		flags.String("grpc", "127.0.0.1:8443", "loopback address of the gRPC door (with -once, unless given, a free port)"),
		flags.String("http", "127.0.0.1:8080", "loopback address of the HTTP door (likewise)"),
		flags.String("jlis", "127.0.0.1:8081", "loopback address of the pretend J-LIS (likewise)"),
	}
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return 2
	}
	if flags.NArg() > 0 {
		fmt.Fprintf(stderr, "sandbox: unexpected argument %q\n", flags.Arg(0))
		return 2
	}
	given := map[string]bool{}
	flags.Visit(func(f *flag.Flag) { given[f.Name] = true })
	for i, name := range []string{"grpc", "http", "jlis"} {
		if *once && !given[name] {
			*addresses[i] = "127.0.0.1:0"
		}
	}
	// Progress goes beside what a machine reads.
	progress := stdout
	if *asJSON {
		progress = stderr
	}
	s, err := open(ctx, size, *addresses[0], *addresses[1], *addresses[2], progress, stderr)
	if err != nil {
		fmt.Fprintln(stderr, "sandbox:", err)
		return 3
	}
	defer s.close()
	if err := s.choose(*ways); err != nil {
		fmt.Fprintln(stderr, "sandbox:", err)
		return 2
	}
	failed := s.playAll(ctx, *asJSON, stdout, progress)
	if ctx.Err() != nil {
		return 3
	}
	if !*once {
		s.printLines(progress)
		select {
		case <-ctx.Done():
		case err := <-s.ended:
			fmt.Fprintln(stderr, "sandbox: the server ended:", err)
			return 3
		}
	}
	if failed > 0 {
		return 1
	}
	return 0
}

// choose leaves the doors that are named.
func (s *scene) choose(names string) error {
	all := s.doors
	s.doors = nil
	for name := range strings.SplitSeq(names, ",") {
		i := slices.IndexFunc(all, func(d door) bool { return d.name() == name })
		if i < 0 {
			return fmt.Errorf("-doors: there is no %q", name)
		}
		s.doors = append(s.doors, all[i])
	}
	return nil
}

// playAll plays every scenario through every door and returns how many were not as expected.
func (s *scene) playAll(ctx context.Context, asJSON bool, stdout, progress io.Writer) (failed int) {
	started := time.Now()
	if !asJSON {
		printHeader(stdout)
	}
	played := 0
	for _, c := range scenarios {
		for _, d := range s.doors {
			if ctx.Err() != nil {
				return failed
			}
			o := s.play(ctx, c, d)
			if played++; !o.ok {
				failed++
			}
			if asJSON {
				_ = printJSON(stdout, o)
			} else {
				printRow(stdout, o)
			}
		}
	}
	fmt.Fprintf(progress, "\n%d scenarios through %d doors in %.1f s: %d as expected, %d not.\n",
		len(scenarios), len(s.doors), time.Since(started).Seconds(), played-failed, failed)
	return failed
}
