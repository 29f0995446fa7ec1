package server

import (
	"encoding/hex"
	"math/rand/v2"
)

// trace is the identity of a call (W3C Trace Context): what joins the caller's log to ours.
type trace struct {
	id    [16]byte
	span  [8]byte // ours
	flags byte
}

// The names of the headers. traceresponse is what the W3C draft and OpenTelemetry call
// the header of the answer.
const (
	traceparent   = "traceparent"
	traceresponse = "traceresponse"
)

// newTrace goes on with the caller's trace, or begins one where there is none that can be read.
func newTrace(parent string) trace {
	t, ok := parseTraceparent(parent)
	if !ok {
		t = trace{}
		putRandom(t.id[:8])
		putRandom(t.id[8:])
	}
	putRandom(t.span[:])
	return t
}

// putRandom writes eight bytes that need to be distinct, not secret.
func putRandom(b []byte) {
	n := rand.Uint64() | 1 // never all zero (W3C Trace Context section 3.2.2.3)
	for i := range b {
		b[i] = byte(n >> (8 * i))
	}
}

// parseTraceparent reads version-id-span-flags (W3C Trace Context section 3.2). A later version
// may have more after them.
func parseTraceparent(s string) (t trace, ok bool) {
	if len(s) < 55 || s[2] != '-' || s[35] != '-' || s[52] != '-' {
		return t, false
	}
	var version, flags [1]byte
	fields := []struct {
		into []byte
		from string
	}{{version[:], s[:2]}, {t.id[:], s[3:35]}, {t.span[:], s[36:52]}, {flags[:], s[53:55]}}
	for _, f := range fields {
		if !lowerHex(f.from) {
			return t, false
		}
		_, _ = hex.Decode(f.into, []byte(f.from)) // only hexadecimal digits
	}
	if version[0] == 0xff || version[0] == 0 && len(s) != 55 || len(s) > 55 && s[55] != '-' ||
		t.id == [16]byte{} || t.span == [8]byte{} {
		return t, false
	}
	t.flags = flags[0]
	return t, true
}

func lowerHex(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// header is the form of the answer.
func (t trace) header() string {
	b := make([]byte, 0, 55)
	b = hex.AppendEncode(append(b, "00-"...), t.id[:])
	b = hex.AppendEncode(append(b, '-'), t.span[:])
	b = hex.AppendEncode(append(b, '-'), []byte{t.flags & 1})
	return string(b)
}

// String is the trace id, as in logs.
func (t trace) String() string { return hex.EncodeToString(t.id[:]) }
