package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	tashikav1 "github.com/tashika-jp/tashika/proto/tashika/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
)

// figures are what a run found; the JSON is for machines.
type figures struct {
	Mode            string  `json:"mode"`
	Verifications   int     `json:"verifications"`
	WrongVerdicts   int64   `json:"wrong_verdicts"`
	ServerCPU       float64 `json:"server_cpu_us"`
	EchoServerCPU   float64 `json:"echo_server_cpu_us"`
	RatioToEcho     float64 `json:"ratio_to_echo"`
	Throughput      float64 `json:"throughput"`
	P50             float64 `json:"p50_us"`
	P99             float64 `json:"p99_us"`
	Concurrency     int     `json:"concurrency"`
	Certificates    int     `json:"certificates"`
	RequestBytes    int     `json:"request_bytes"`
	ResponseBytes   int     `json:"response_bytes"`
	RevocationLists int     `json:"revocation_lists"`
}

// benchVerify measures Verify with challenges, cold: every request has another certificate until all have been used.
func benchVerify(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("bench verify", flag.ContinueOnError)
	certs := flags.Int("certs", 2000, "number of phones, each with a certificate of its own")
	n := flags.Int("verifications", 20000, "number of verifications; a tenth are of revoked certificates")
	concurrency := flags.Int("concurrency", 64, "requests in flight")
	mode := flags.String("mode", "unary", "way in: unary, stream (VerifyStream) or batch (BatchVerify of 32)")
	asJSON := flags.Bool("json", false, "print one JSON object")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if ways[*mode] == nil {
		return fmt.Errorf("no mode %q", *mode)
	}
	if *certs < 10 || *n < *concurrency || *concurrency < 1 {
		return fmt.Errorf("at least 10 certificates, and as many verifications as requests in flight")
	}
	dir, err := os.MkdirTemp("", "tashika-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	w, err := newWorld(dir, *certs)
	if err != nil {
		return err
	}
	defer w.close()
	under, err := start(ctx, roleServer, w.configFile)
	if err != nil {
		return err
	}
	defer under.stop()
	conn, err := dial(under.address)
	if err != nil {
		return err
	}
	defer conn.Close()
	client := tashikav1.NewVerificationServiceClient(conn)
	ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+w.token)
	if err := w.ready(ctx, conn); err != nil {
		return err
	}
	questions, err := w.sign(ctx, client, *n)
	if err != nil {
		return err
	}
	f := figures{Mode: *mode, Verifications: *n, Concurrency: *concurrency, Certificates: *certs,
		RevocationLists: len(w.world.Sources().Lists)}

	// The real one.
	var sample atomic.Pointer[tashikav1.VerifyResponse]
	f.ServerCPU, err = f.drive(ctx, under, client, questions, func(q question, r *tashikav1.VerifyResponse) bool {
		if r.GetVerdict() == tashikav1.Verdict_VERDICT_VALID {
			sample.Store(r)
		}
		return r.GetVerdict() == q.want
	}, true)
	if err != nil {
		return err
	}
	if sample.Load() == nil {
		return fmt.Errorf("no verification was VALID")
	}

	// The bare one, with the same requests and an answer of the same size.
	f.RequestBytes, f.ResponseBytes = proto.Size(questions[0].request), proto.Size(sample.Load())
	data, err := proto.Marshal(sample.Load())
	if err != nil {
		return err
	}
	path := filepath.Join(dir, "response")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		return err
	}
	mirror, err := start(ctx, roleEcho, path)
	if err != nil {
		return err
	}
	defer mirror.stop()
	conn2, err := dial(mirror.address)
	if err != nil {
		return err
	}
	defer conn2.Close()
	bare := figures{Mode: *mode, Concurrency: *concurrency}
	f.EchoServerCPU, err = bare.drive(ctx, mirror, tashikav1.NewVerificationServiceClient(conn2), questions,
		func(question, *tashikav1.VerifyResponse) bool { return true }, false)
	if err != nil {
		return err
	}
	f.RatioToEcho = f.ServerCPU / f.EchoServerCPU
	return f.print(out, *asJSON)
}

func dial(address string) (*grpc.ClientConn, error) {
	return grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
}

// drive asks every question once, concurrency at a time, and returns the server's CPU time for each in µs.
func (f *figures) drive(ctx context.Context, p *process, client tashikav1.VerificationServiceClient, questions []question,
	right func(question, *tashikav1.VerifyResponse) bool, note bool) (float64, error) {
	before, err := p.cpu()
	if err != nil {
		return 0, err
	}
	var next, wrong atomic.Int64
	var failed atomic.Pointer[error]
	latencies := make([]time.Duration, len(questions))
	way := ways[f.Mode](client)
	started := time.Now()
	var wg sync.WaitGroup
	for range max(f.Concurrency/way.together, 1) {
		wg.Go(func() {
			for failed.Load() == nil {
				end := int(next.Add(int64(way.together)))
				first := end - way.together
				if first >= len(questions) {
					return
				}
				some := questions[first:min(end, len(questions))]
				asked := time.Now()
				answers, err := way.ask(ctx, some)
				if err != nil {
					failed.Store(&err)
					return
				}
				for i, r := range answers {
					latencies[first+i] = time.Since(asked)
					if !right(some[i], r) {
						wrong.Add(1)
					}
				}
			}
		})
	}
	wg.Wait()
	if err := way.end(); err != nil {
		return 0, err
	}
	elapsed := time.Since(started)
	if err := failed.Load(); err != nil {
		return 0, *err
	}
	after, err := p.cpu()
	if err != nil {
		return 0, err
	}
	if note {
		slices.Sort(latencies)
		f.WrongVerdicts = wrong.Load()
		f.Throughput = float64(len(questions)) / elapsed.Seconds()
		f.P50 = micros(latencies[len(latencies)/2])
		f.P99 = micros(latencies[len(latencies)*99/100])
	}
	return micros(after-before) / float64(len(questions)), nil
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

func (f *figures) print(out io.Writer, asJSON bool) error {
	if asJSON {
		if err := json.NewEncoder(out).Encode(f); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(out, `Verify, %s, %d in flight, %d certificates, %d revocation lists
  verifications        %d, wrong verdicts %d
  request, response    %d B, %d B
  server CPU           %.1f µs each
  bare gRPC echo       %.1f µs each, same sizes, same run
  ratio                %.2f
  throughput           %.0f /s
  latency              p50 %.0f µs, p99 %.0f µs
`, f.Mode, f.Concurrency, f.Certificates, f.RevocationLists, f.Verifications, f.WrongVerdicts, f.RequestBytes, f.ResponseBytes,
			f.ServerCPU, f.EchoServerCPU, f.RatioToEcho, f.Throughput, f.P50, f.P99)
	}
	if f.WrongVerdicts > 0 {
		return fmt.Errorf("%d wrong verdicts", f.WrongVerdicts)
	}
	return nil
}
