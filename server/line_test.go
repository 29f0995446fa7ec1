package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tashika-jp/tashika/certs/reason"
	tashikav1 "github.com/tashika-jp/tashika/proto/tashika/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
)

// sameLine fails unless a record comes out as from slog.
func sameLine(t *testing.T, r slog.Record) {
	t.Helper()
	var ours, theirs bytes.Buffer
	// Twice, for a buffer that was used.
	l := newLines(&ours, slog.LevelDebug)
	for range 2 {
		ours.Reset()
		if err := l.Handle(context.Background(), r); err != nil {
			t.Fatal(err)
		}
	}
	if err := slog.NewJSONHandler(&theirs, nil).Handle(context.Background(), r); err != nil {
		t.Fatal(err)
	}
	if ours.String() != theirs.String() {
		t.Errorf("ours:   %sslog's: %s", &ours, &theirs)
	}
}

// TestLines: what is put together here is what slog would have written, and lines of calls are.
func TestLines(t *testing.T) {
	at := time.Date(2026, 7, 1, 1, 2, 3, 45600, time.FixedZone("", 9*3600))
	record := func(message string, attributes ...slog.Attr) slog.Record {
		r := slog.NewRecord(at, slog.LevelInfo, message, 0)
		r.AddAttrs(attributes...)
		return r
	}
	call := record("call", slog.String("trace", strings.Repeat("0f", 16)), slog.String("door", "grpc"), slog.String("method", "a.v1.B/C"),
		slog.String("code", "OK"), slog.Duration("duration", 1234567), slog.String("relying_party", "kiosk"), slog.String("verdict", "VERDICT_INVALID"),
		slog.Any("reasons", []reason.ID{reason.Revoked, reason.FormatFailure}), slog.String("failure", ""))
	if _, ok := appendLine(nil, &call); !ok {
		t.Error("a call's line is left to slog")
	}
	records := []slog.Record{call, record(""), record("call", slog.Any("reasons", []reason.ID(nil))), record("call", slog.Any("reasons", []reason.ID{})),
		record("call", slog.Any("reasons", []reason.ID{"A", `"`, "B"})), record("serving", slog.Bool("plaintext", true), slog.Int("n", 3)),
		record("x", slog.Any("error", errors.New("no \n such"))), record("x", slog.Group("g", slog.String("a", "b"))), record("x", slog.Attr{}),
		record("x", slog.String("", "")), record("x", slog.Any("v", slog.StringValue("a"))), record("x", slog.Any("n", nil))}
	for c := range 256 {
		s := string(rune(c)) + string([]byte{byte(c)})
		records = append(records, record(s), record("x", slog.String(s, "")), record("x", slog.String("k", s)), record("x", slog.Any("reasons", []reason.ID{reason.ID(s)})))
	}
	for _, year := range []int{-1, 0, 1, 9999, 10000} {
		r := record("x")
		r.Time = time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC)
		records = append(records, r)
	}
	for _, r := range records {
		sameLine(t, r)
		r.Time, r.Level = time.Time{}, slog.LevelWarn+1
		sameLine(t, r)
	}
	var out bytes.Buffer
	slog.New(newLines(&out, slog.LevelWarn)).With("a", "b").WithGroup("g").Warn("said", "c", "d")
	slog.New(newLines(&out, slog.LevelWarn)).Info("not said")
	if _, line, _ := strings.Cut(out.String(), `"level"`); line != `:"WARN","msg":"said","a":"b","g":{"c":"d"}}`+"\n" {
		t.Errorf("%s", &out)
	}
}

func FuzzLines(f *testing.F) {
	f.Add("call", "trace", "0f", int64(5), "REVOKED", 0, int64(1e9))
	f.Fuzz(func(t *testing.T, message, key, value string, duration int64, id string, level int, second int64) {
		r := slog.NewRecord(time.Unix(second, duration), slog.Level(level), message, 0)
		r.AddAttrs(slog.String(key, value), slog.Duration(value, time.Duration(duration)), slog.Any("reasons", []reason.ID{reason.ID(id)}))
		sameLine(t, r)
	})
}

// TestTracesAreNotMixed: the map that a trace is put into is used for others, and every answer has its own.
func TestTracesAreNotMixed(t *testing.T) {
	r := start(t, nil)
	var callers sync.WaitGroup
	for i := range 8 {
		callers.Go(func() {
			for n := range 50 {
				id := fmt.Sprintf("%016x%016x", i+1, n+1)
				ctx := metadata.AppendToOutgoingContext(as(kioskToken), traceparent, "00-"+id+"-00f067aa0ba902b7-01")
				var header metadata.MD
				if _, err := tashikav1.NewDeviceServiceClient(r.conn).ListDevices(ctx, &tashikav1.ListDevicesRequest{}, grpc.Header(&header)); err != nil {
					t.Error(err)
				}
				if got := header.Get(traceresponse); len(got) != 1 || trace(got[0]).String() != id {
					t.Errorf("%v, want %s", got, id)
				}
			}
		})
	}
	callers.Wait()
}
