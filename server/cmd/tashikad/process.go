package main

import (
	"io"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"

	"google.golang.org/grpc/grpclog"
)

// tuneCollector trades memory for time where the environment does not say otherwise. A call leaves some
// kilobytes behind and little of it lives, so collecting four times as rarely halves the cost of a call (design,
// "Transport": 30-35 µs against 19-24). The limit keeps that from growing into swap when large
// lists are loaded: three quarters of what the process may have. GOGC and GOMEMLIMIT are obeyed as always.
func tuneCollector() {
	if os.Getenv("GOGC") != "" {
		return
	}
	debug.SetGCPercent(400)
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(available() / 4 * 3)
	}
}

// spareProcessors lets more goroutines run than there are processors, where the environment does not say otherwise. While every place is taken by
// one that computes, such as the making of an index, Go looks for what has come over the network every ten milliseconds only; with
// two places more there is always one that waits for it, and the system gives it a processor at once. Without them the
// slowest hundredth of verifications took several times as long while a large list came (bench crl).
func spareProcessors() {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + spare)
	}
}

const spare = 2

// available is the memory that the process may have, in bytes: the control group's limit, or else the
// machine's. Where neither is known there is no limit.
func available() int64 {
	for _, file := range []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		data, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		if n, err := strconv.ParseInt(strings.TrimSpace(string(data)), 10, 64); err == nil && n > 0 && n < 1<<50 {
			return n
		}
	}
	data, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return math.MaxInt64
	}
	for line := range strings.Lines(string(data)) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == "MemTotal:" && fields[2] == "kB" {
			if n, err := strconv.ParseInt(fields[1], 10, 64); err == nil {
				return n << 10
			}
		}
	}
	return math.MaxInt64
}

// quietLibraries keeps gRPC's and the gateway's own complaints (a caller hung up while it was answered) out of our log, which
// is JSON and has a line for every call, unless gRPC's variable asks for them.
func quietLibraries() {
	if os.Getenv("GRPC_GO_LOG_SEVERITY_LEVEL") == "" {
		grpclog.SetLoggerV2(grpclog.NewLoggerV2(io.Discard, io.Discard, io.Discard))
	}
}

// build is what was built, from what.
func build() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "tashikad"
	}
	out := "tashikad " + info.Main.Version + " " + info.GoVersion
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" || s.Key == "vcs.time" || s.Key == "vcs.modified" && s.Value == "true" {
			out += " " + s.Key + "=" + s.Value
		}
	}
	return out
}
