package client

import (
	"fmt"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Error is a call that failed: no verdict was reached. Programs match on Code and Reason,
// people read Message.
type Error struct {
	Code codes.Code
	// Reason and Domain are those of google.rpc.ErrorInfo: a stable identifier in
	// UPPER_SNAKE_CASE and who gave it. Empty where the failure is not the server's word.
	Reason, Domain string
	// FieldViolations say which fields of the request are wrong.
	FieldViolations []FieldViolation
	// RetryAfter is how long the server asks to wait before another attempt; 0 if it does not say.
	RetryAfter time.Duration
	// Message is for people, in the languages that the server gave.
	Message Text
	status  *status.Status
}

// FieldViolation is what is wrong with a field.
type FieldViolation struct {
	Field       string // path in the API's message, such as "certificate"
	Reason      string
	Description string
}

// Error is one line for logs.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "client: %s", e.Code)
	if e.Reason != "" {
		fmt.Fprintf(&b, " (%s)", e.Reason)
	}
	fmt.Fprintf(&b, ": %s", e.status.Message())
	for _, v := range e.FieldViolations {
		fmt.Fprintf(&b, "; %s: %s", v.Field, v.Description)
	}
	return b.String()
}

// Unwrap is the error as gRPC gave it: status.Code and status.FromError see through to it.
func (e *Error) Unwrap() error { return e.status.Err() }

// newError reads the details that the API attaches to errors.
func newError(err error) *Error {
	s, _ := status.FromError(err) // an error without a status becomes Unknown
	e := &Error{Code: s.Code(), status: s}
	for _, detail := range s.Details() {
		switch d := detail.(type) {
		case *errdetails.ErrorInfo:
			e.Reason, e.Domain = d.GetReason(), d.GetDomain()
		case *errdetails.BadRequest:
			for _, v := range d.GetFieldViolations() {
				e.FieldViolations = append(e.FieldViolations, FieldViolation{v.GetField(), v.GetReason(), v.GetDescription()})
			}
		case *errdetails.RetryInfo:
			e.RetryAfter = max(0, span(d.GetRetryDelay()))
		case *errdetails.LocalizedMessage:
			switch language, _, _ := strings.Cut(strings.ToLower(d.GetLocale()), "-"); language {
			case "ja":
				e.Message.JA = d.GetMessage()
			case "en":
				e.Message.EN = d.GetMessage()
			}
		}
	}
	return e
}
