package revocation

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/tashika-jp/tashika/certs/reason"
)

// Failure is why a source has nothing new to offer: one of the constants below, or an id of
// package reason that begins with CRL_ or OCSP_. The set is closed (Failures), so it is fit
// for a metric's label.
type Failure string

// The failures that are not findings about a list or an answer.
const (
	// FetchTimeout: not all of the list arrived within the source's timeout, or too little within its stall.
	FetchTimeout Failure = "FETCH_TIMEOUT"
	// FetchUnreachable: no connection, or none that TLS could trust.
	FetchUnreachable Failure = "FETCH_UNREACHABLE"
	// FetchHostResting: not asked, because the host did not answer several times in a row and is left alone for a while.
	FetchHostResting Failure = "FETCH_HOST_RESTING"
	// FetchStatus: an HTTP status other than 200, or 304 to a conditional request.
	FetchStatus Failure = "FETCH_STATUS"
	// FetchRedirect: too many redirects, or one to another scheme.
	FetchRedirect Failure = "FETCH_REDIRECT"
	// FetchTooLarge: the list is above the source's size cap.
	FetchTooLarge Failure = "FETCH_TOO_LARGE"
	// FetchInterrupted: the connection ended in the middle of the list.
	FetchInterrupted Failure = "FETCH_INTERRUPTED"
	// FetchProtocol: the answer is none: a content coding that was not asked for or does not decode, or not LDAP.
	FetchProtocol Failure = "FETCH_PROTOCOL"
	// FetchLDAPResult: the directory refused, referred us elsewhere, or has not exactly one list there.
	FetchLDAPResult Failure = "FETCH_LDAP_RESULT"
	// DirectoryUnreadable: the drop directory, or a file in it, could not be read.
	DirectoryUnreadable Failure = "DIRECTORY_UNREADABLE"
	// DirectoryTooFull: the drop directory has more lists than are looked at.
	DirectoryTooFull Failure = "DIRECTORY_TOO_FULL"
	// StateNotWritten: the list serves, but only from memory.
	StateNotWritten Failure = "STATE_NOT_WRITTEN"
	// ClockStepped: the clock was set by more than the skew of clocks that is allowed for. It is said in the log, of no source.
	ClockStepped Failure = "CLOCK_STEPPED"
	// IndexDamaged: nothing is known from the list until its index is built again.
	IndexDamaged = Failure(reason.CRLIndexDamaged)
)

// Failures returns the closed set.
func Failures() []Failure {
	all := []Failure{FetchTimeout, FetchUnreachable, FetchHostResting, FetchStatus, FetchRedirect, FetchTooLarge, FetchInterrupted, FetchProtocol, FetchLDAPResult,
		DirectoryUnreadable, DirectoryTooFull, StateNotWritten, ClockStepped}
	for _, r := range reason.All() {
		if strings.HasPrefix(string(r.ID), "CRL_") || strings.HasPrefix(string(r.ID), "OCSP_") {
			all = append(all, Failure(r.ID))
		}
	}
	return all
}

// Error is what went wrong with a source. What it has is unchanged, unless the only failure
// is StateNotWritten.
type Error struct {
	Source   string
	Failures []Failure // gravest first, never empty
}

// Error names the source and the failures.
func (e *Error) Error() string {
	names := make([]string, len(e.Failures))
	for i, f := range e.Failures {
		names[i] = string(f)
	}
	return fmt.Sprintf("revocation: source %s: %s", e.Source, strings.Join(names, ", "))
}

// Is reports whether any failure is of the same kind, so that errors.Is(err, &Error{Failures: …}) works in tests.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && slices.ContainsFunc(t.Failures, func(f Failure) bool { return slices.Contains(e.Failures, f) })
}

func fromReasons(ids []reason.ID) []Failure {
	out := make([]Failure, len(ids))
	for i, id := range ids {
		out[i] = Failure(id)
	}
	return out
}

var (
	// ErrClosed: the index was closed.
	ErrClosed = errors.New("revocation: closed")
	// ErrUnknownSource: no source of that name is configured.
	ErrUnknownSource = errors.New("revocation: unknown source")

	// errReconfigured: the configuration changed while a list was on its way.
	errReconfigured = errors.New("revocation: the configuration changed during the fetch")

	errRedirect = errors.New("revocation: redirect refused")
	errTooLarge = errors.New("revocation: above the size cap")
	errStalled  = errors.New("revocation: too little arrived")
	errProtocol = errors.New("revocation: not an answer of the protocol")

	errReferral  = errors.New("revocation: referred elsewhere")
	errNoList    = errors.New("revocation: the entry has no list")
	errManyLists = errors.New("revocation: the entry has more than one list")

	errNotSpooled = errors.New("revocation: the list could not be kept")
)

func unknownSource(name string) error { return fmt.Errorf("%w: %s", ErrUnknownSource, name) }

// failureOf sorts an error of a fetch into the closed set.
func failureOf(err error) Failure {
	var (
		status  *statusError
		result  ldapResult
		timeout net.Error
		broken  *brokenOff
	)
	switch {
	case errors.As(err, &status):
		return FetchStatus
	case errors.Is(err, errRedirect):
		return FetchRedirect
	case errors.Is(err, errTooLarge):
		return FetchTooLarge
	case errors.Is(err, errProtocol):
		return FetchProtocol
	case errors.As(err, &result), errors.Is(err, errReferral), errors.Is(err, errNoList), errors.Is(err, errManyLists):
		return FetchLDAPResult
	case errors.Is(err, errNotSpooled):
		return StateNotWritten
	case errors.Is(err, errStalled), errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return FetchTimeout
	case errors.Is(err, io.ErrUnexpectedEOF), errors.As(err, &broken):
		return FetchInterrupted
	}
	return FetchUnreachable
}

// status is how the visits to a source went. Its owner guards it.
type status struct {
	lastFetch   time.Time
	lastFailure time.Time
	failure     Failure
	fetches     uint64
	failures    uint64
}

func (s *status) succeed(at time.Time) {
	s.lastFetch = at
	s.fetches++
}

func (s *status) fail(at time.Time, f Failure) {
	s.lastFailure, s.failure = at, f
	s.failures++
}
