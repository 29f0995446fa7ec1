package server

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"strings"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
)

// trace is the identity of a call (W3C Trace Context), in the form of the header of the answer: what joins the caller's log to ours.
type trace string

// The names of the headers. traceresponse is what the W3C draft and OpenTelemetry call
// the header of the answer.
const (
	traceparent   = "traceparent"
	traceresponse = "traceresponse"
)

// newTrace goes on with the caller's trace, or begins one where there is none that can be read. The span is ours.
func newTrace(parent string) trace {
	b, flags := append(make([]byte, 0, 55), "00-"...), "-00"
	if isTraceparent(parent) {
		b = append(b, parent[3:35]...)
		if strings.IndexByte("13579bdf", parent[54]) >= 0 { // sampled
			flags = "-01"
		}
	} else {
		b = appendRandom(appendRandom(b))
	}
	return trace(append(appendRandom(append(b, '-')), flags...))
}

// appendRandom appends eight bytes that need to be distinct, not secret, in hexadecimal digits.
func appendRandom(b []byte) []byte {
	var n [8]byte
	binary.LittleEndian.PutUint64(n[:], rand.Uint64()|1) // never all zero (W3C Trace Context section 3.2.2.3)
	return hex.AppendEncode(b, n[:])
}

// isTraceparent says whether s is version-id-span-flags (W3C Trace Context section 3.2). A later version
// may have more after them.
func isTraceparent(s string) bool {
	if len(s) < 55 || s[2] != '-' || s[35] != '-' || s[52] != '-' {
		return false
	}
	version, id, span, flags := s[:2], s[3:35], s[36:52], s[53:55]
	for _, field := range []string{version, id, span, flags} {
		if strings.Trim(field, "0123456789abcdef") != "" {
			return false
		}
	}
	return version != "ff" && (version != "00" || len(s) == 55) && (len(s) == 55 || s[55] == '-') &&
		strings.Trim(id, "0") != "" && strings.Trim(span, "0") != ""
}

// tell puts the trace into the header of the answer.
func (t trace) tell(ctx context.Context) {
	h := traceHeaders.Get().(metadata.MD)
	h[traceresponse][0] = string(t)
	_ = grpc.SetHeader(ctx, h) // fails only after the header was sent
	traceHeaders.Put(h)
}

// traceHeaders are used again, because both doors join what is set to what they have, and keep none of it (metadata.Join): a map
// each time was half of what a call left behind in the guard.
var traceHeaders = sync.Pool{New: func() any { return metadata.MD{traceresponse: {""}} }}

// String is the trace id, as in logs.
func (t trace) String() string { return string(t[3:35]) }
