// Command tashikad is the daemon: the server with its configuration from a file, and nothing of the sandbox.
//
//	tashikad -config FILE            serve until SIGINT or SIGTERM, finish what is in flight, end
//	tashikad -config FILE -check     read everything that the configuration names, start nothing
//	tashikad -version                what was built, from what
//
// SIGHUP reads the configuration again. A bad one changes nothing and is said loudly. Exit status: 0, 1 for a
// configuration that is not right or a server that could not go on, 2 for a wrong command line.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/tashika-jp/tashika/server"
)

func main() {
	config := flag.String("config", "", "configuration `file` (required)")
	check := flag.Bool("check", false, "say whether the configuration is right, and start nothing")
	version := flag.Bool("version", false, "say what was built")
	flag.Parse()
	switch {
	case *version:
		fmt.Println(build())
		return
	case *config == "" || flag.NArg() > 0:
		flag.Usage()
		os.Exit(2)
	}
	if err := run(*config, *check); err != nil {
		fmt.Fprintln(os.Stderr, "tashikad:", err)
		os.Exit(1)
	}
}

func run(path string, check bool) error {
	c, err := server.LoadConfig(path)
	if err != nil {
		return err
	}
	if check {
		if err := c.Check(); err != nil {
			return err
		}
		fmt.Println(path, "is right")
		return nil
	}
	tuneCollector()
	spareProcessors()
	quietLibraries()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	again := make(chan os.Signal, 1)
	signal.Notify(again, syscall.SIGHUP)
	s, err := server.New(c)
	if err != nil {
		return err
	}
	go func() {
		for range again {
			_ = s.ReloadFile(path) // said in the log
		}
	}()
	return s.Run(ctx)
}
