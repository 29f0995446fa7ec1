// Command bench measures the server as its users meet it: a process of its own, asked over the
// network, with every verdict looked at. A figure that comes from a server that answers wrongly is none.
//
//	go run ./server/cmd/bench verify [-certs N] [-verifications N] [-concurrency C] [-json]
//
// Beside it, in the same run, a bare gRPC echo server answers messages of the same sizes, also as a
// process of its own, so that the ratio holds on another machine, or on a noisy one. CPU time is the
// operating system's account of the server process, user and system together.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	switch {
	case os.Getenv(roleVariable) == roleServer:
		err = serve(ctx)
	case os.Getenv(roleVariable) == roleEcho:
		err = echo(ctx)
	case len(os.Args) > 1 && os.Args[1] == "verify":
		err = benchVerify(ctx, os.Args[2:], os.Stdout)
	default:
		fmt.Fprintln(os.Stderr, "usage: bench verify [-certs N] [-verifications N] [-concurrency C] [-json]")
		os.Exit(2)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}
