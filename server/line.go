package server

import (
	"context"
	"io"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/tashika-jp/tashika/certs/reason"
)

// lines is the JSON log: slog's, whose form it has to the byte, but that a line of which nothing has to be escaped, such as that
// of a call, is put together here, for a third of the time. Everything else is left to slog. A line is one Write, made before Handle
// returns, so that a process that dies has lost none of those it had to tell.
type lines struct {
	slog.Handler // slog's
	out          io.Writer
}

// newLines writes to out, whose Write has to be safe to call from many goroutines, as that of os.File is.
func newLines(out io.Writer, level slog.Leveler) *lines {
	return &lines{slog.NewJSONHandler(out, &slog.HandlerOptions{Level: level}), out}
}

var lineBuffers = sync.Pool{New: func() any {
	b := make([]byte, 0, 1<<10)
	return &b
}}

// Handle implements slog.Handler.
func (l *lines) Handle(ctx context.Context, r slog.Record) error {
	buffer := lineBuffers.Get().(*[]byte)
	defer lineBuffers.Put(buffer)
	line, ok := appendLine((*buffer)[:0], &r)
	if !ok {
		return l.Handler.Handle(ctx, r)
	}
	*buffer = line
	_, err := l.out.Write(line)
	return err
}

// appendLine appends a record; false if it has anything in it that is not for us.
func appendLine(b []byte, r *slog.Record) (_ []byte, ok bool) {
	if year := r.Time.Year(); r.Time.IsZero() || year < 0 || year > 9999 || !plainText(r.Message) {
		return b, false
	}
	b = append(b, `{"time":"`...)
	b = r.Time.AppendFormat(b, time.RFC3339Nano)
	b = append(b, `","level":"`...)
	b = append(b, r.Level.String()...)
	b = append(b, `","msg":"`...)
	b = append(b, r.Message...)
	b = append(b, '"')
	ok = true
	r.Attrs(func(a slog.Attr) bool {
		b, ok = appendAttribute(b, a)
		return ok
	})
	return append(b, "}\n"...), ok
}

func appendAttribute(b []byte, a slog.Attr) (_ []byte, ok bool) {
	if !plainText(a.Key) {
		return b, false
	}
	b = append(b, `,"`...)
	b = append(b, a.Key...)
	b = append(b, `":`...)
	switch a.Value.Kind() {
	case slog.KindString:
		return appendText(b, a.Value.String())
	case slog.KindDuration:
		return strconv.AppendInt(b, int64(a.Value.Duration()), 10), true
	case slog.KindAny:
		if reasons, its := a.Value.Any().([]reason.ID); its {
			return appendReasons(b, reasons)
		}
	}
	return b, false
}

// appendReasons appends an array; none is null, as in encoding/json.
func appendReasons(b []byte, reasons []reason.ID) (_ []byte, ok bool) {
	if reasons == nil {
		return append(b, "null"...), true
	}
	b, ok = append(b, '['), true
	for i, id := range reasons {
		if i > 0 {
			b = append(b, ',')
		}
		if b, ok = appendText(b, string(id)); !ok {
			return b, false
		}
	}
	return append(b, ']'), true
}

func appendText(b []byte, s string) ([]byte, bool) {
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"'), plainText(s)
}

// plainText says whether a JSON string of s is s in quotes.
func plainText(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= 0x7f || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}
