// Command bench measures the server as its users meet it: a process of its own, asked over the
// network, with every verdict looked at. A figure that comes from a server that answers wrongly is none.
//
//	go run ./server/cmd/bench verify [-mode unary|stream|batch] [-certs N] [-verifications N] [-concurrency C] [-json]
//	go run ./server/cmd/bench crl [-entries N] [-serials dense|random] [-partitions P] [-json] [-plot FILE.svg]
//
// Verify: beside it, in the same run, a bare gRPC echo server answers messages of the same sizes, also as a
// process of its own, so that the ratio holds on another machine, or on a noisy one. CPU time is the
// operating system's account of the server process, user and system together.
//
// Crl: revocation lists of any length, through the server's own way in: made up, taken into service, opened again
// after a restart, asked, and replaced while people verify. Every answer is compared with what the list was made of. Beside it stand, in the same run, what
// reading and hashing the same file takes, which nobody can do without, and openssl. The steps whose memory is measured are processes of their own.
// Nothing is measured cold: files have just been written, so the page cache has them, for us and for openssl.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx)
	if errors.Is(err, flag.ErrHelp) {
		os.Exit(2)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

const usage = `usage: bench verify [-mode unary|stream|batch] [-certs N] [-verifications N] [-concurrency C] [-json]
       bench crl [-entries N] [-serials dense|random] [-partitions P] [-json] [-plot FILE.svg]`

// run does what the role or the command line says.
func run(ctx context.Context) error {
	switch role := os.Getenv(roleVariable); role {
	case roleServer:
		return serve(ctx)
	case roleEcho:
		return echo(ctx)
	case roleParts:
		return takeApart(ctx)
	case roleLoad:
		return load(ctx)
	case roleLookUp:
		return lookUp(ctx)
	}
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "verify":
			return benchVerify(ctx, os.Args[2:], os.Stdout)
		case "crl":
			return benchCRL(ctx, os.Args[2:], os.Stdout)
		}
	}
	fmt.Fprintln(os.Stderr, usage)
	return flag.ErrHelp
}
