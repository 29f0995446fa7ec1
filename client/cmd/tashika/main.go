// Command tashika is the command line of a relying party: it lets a developer, an operator or
// a shell script ask a Tashika server what a kiosk asks, and read or judge a certificate
// without any server.
//
// It is a thin skin over the SDK, so that whatever it can do a Go program can do, and it adds
// only what a terminal needs: files, an aligned text in Japanese and English, JSON, and exit
// statuses. With -json it prints the JSON of the HTTP API (proto JSON: lower camel case, whole
// names of enumerations, fields without a value left out), so that one description, the
// OpenAPI document, serves both. Inspect, validate and crl are not of the API: they work offline, over
// package certs; crl takes lists of any size in little memory, by way of a temporary file; and validate -batch is the door for whoever wants to measure the engine.
//
// What it refuses: secrets as arguments, where every user of the machine reads them (a
// token comes from a file); plaintext to another machine; and to let anything that comes
// out of a certificate or from a server steer the terminal: control characters are replaced.
package main

import (
	"bytes"
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

	"github.com/tashika-jp/tashika/client"
)

// The exit statuses, which scripts rely on.
const (
	exitValid         = 0
	exitInvalid       = 1
	exitUsage         = 2
	exitIndeterminate = 3
	exitError         = 4
)

// command is a subcommand. Its run function declares flags, parses, and writes into
// the invocation's buffer.
type command struct {
	name, arguments, summary string
	run                      func(*invocation) (int, error)
}

func commands() []command {
	return []command{
		{"challenge", "-use USE", "ask for a one-time challenge for a phone to sign", challenge},
		{"verify", "-use USE -cert-file FILE -signature-file FILE (-challenge-file|-content-file|-digest-file) FILE\n" +
			"  tashika verify -use USE -cms-file FILE [-content-file FILE] [-cert-file FILE]",
			"verify a certificate and a signature, or a CMS message", verify},
		{"status", "-use USE -cert-file FILE\n  tashika status -use USE -batch FILE", "check a certificate and its status, without a signature (現況確認); -batch for many", checkStatus},
		{"inspect", "FILE...", "show certificates, offline; nothing is verified", inspect},
		{"validate", "[-anchor FILE]... [flags] FILE...", "judge certificates or CMS messages of any PKI by the RFCs, offline; -batch for machines", validate},
		{"crl inspect", "FILE...", "show revocation lists, offline; nothing is verified", crlInspect},
		{"crl diff", "[-entries] OLD NEW", "show what changed from one revocation list to another, offline", crlDiff},
		{"crl check", "-issuer FILE [-last FILE] [flags] FILE...", "hold revocation lists against all that a server asks of them, offline", crlCheck},
		{"sources", "", "list the server's revocation sources; 3 if a required one is not fresh", sources},
		{"devices", "[-model MODEL]", "list the supported handsets, or look one up; 1 if unsupported, 3 if not listed", devices},
	}
}

const help = `tashika asks a Tashika server about JPKI smartphone certificates.

Usage:
  tashika COMMAND [flags]
  tashika COMMAND -h

Commands:
%s
Exit status:
  0  valid, or done
  1  invalid: must not be relied on
  2  wrong usage
  3  indeterminate: not decided, not to be relied on
  4  error: no answer

Environment, used where the flag is not given:
  TASHIKA_TARGET TASHIKA_CA TASHIKA_CERT TASHIKA_KEY TASHIKA_TOKEN_FILE TASHIKA_PLAINTEXT TASHIKA_TIMEOUT
  NO_COLOR  no colour, even on a terminal
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Getenv, os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// invocation is one run of a subcommand.
type invocation struct {
	ctx     context.Context
	args    []string
	env     func(string) string
	stdin   io.Reader
	stdout  io.Writer // for what is written before the end
	flags   *flag.FlagSet
	asJSON  bool
	colour  bool
	timeout time.Duration // of those that connect
	out     bytes.Buffer  // written to stdout at the end, whole
	stderr  io.Writer
}

// usageError is a mistake of the one who types.
type usageError struct{ error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

func run(ctx context.Context, args []string, env func(string) string, stdin io.Reader, stdout, stderr io.Writer) int {
	var table strings.Builder
	for _, c := range commands() {
		words := strings.Fields(c.name)
		if len(args) >= len(words) && slices.Equal(args[:len(words)], words) {
			return c.invoke(&invocation{ctx: ctx, args: args[len(words):], env: env, stdin: stdin, stdout: stdout, stderr: stderr, colour: colourful(stdout, env)}, stdout)
		}
		fmt.Fprintf(&table, "  %-11s %s\n", c.name, c.summary)
	}
	if len(args) > 0 && (args[0] == "help" || args[0] == "-h" || args[0] == "-help" || args[0] == "--help") {
		fmt.Fprintf(stdout, help, &table)
		return exitValid
	}
	if len(args) > 0 {
		fmt.Fprintf(stderr, "tashika: %q is not a command\n\n", args[0])
	}
	fmt.Fprintf(stderr, help, &table)
	return exitUsage
}

func (c command) invoke(i *invocation, stdout io.Writer) int {
	i.flags = flag.NewFlagSet(c.name, flag.ContinueOnError)
	i.flags.SetOutput(io.Discard) // what goes wrong is printed below, once
	i.flags.BoolVar(&i.asJSON, "json", false, "print JSON")
	code, err := c.run(i)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprintf(&i.out, "tashika %s: %s\n\nUsage:\n  tashika %s %s\n\nFlags:\n", c.name, c.summary, c.name, c.arguments)
		i.flags.SetOutput(&i.out)
		i.flags.PrintDefaults()
		code, err = exitValid, nil
	}
	if _, failure := stdout.Write(i.out.Bytes()); err == nil && failure != nil {
		err = failure
	}
	if err == nil {
		return code
	}
	for line := range strings.SplitSeq(err.Error(), "\n") {
		fmt.Fprintf(i.stderr, "tashika %s: %s\n", c.name, clean(line))
	}
	if usage := (usageError{}); errors.As(err, &usage) {
		fmt.Fprintf(i.stderr, "Run 'tashika %s -h' for help.\n", c.name)
		return exitUsage
	}
	if failure := (*client.Error)(nil); errors.As(err, &failure) {
		p := printer{w: i.stderr}
		p.field("message", failure.Message.JA, failure.Message.EN)
		if failure.RetryAfter > 0 {
			p.field("retry after", failure.RetryAfter.Round(time.Millisecond).String())
		}
	}
	return exitError
}

// parse reads the flags; arguments after them are for the caller to want.
func (i *invocation) parse() error {
	err := i.flags.Parse(i.args)
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		return usageError{err}
	}
	return err
}

// noArguments is for commands that take flags only: "verify cert.der" is a mistake.
func (i *invocation) noArguments() error {
	if i.flags.NArg() > 0 {
		return usagef("unexpected argument %q", i.flags.Arg(0))
	}
	return nil
}
