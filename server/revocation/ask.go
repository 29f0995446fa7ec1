package revocation

import (
	"bytes"
	"context"
	"encoding/hex"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/tashika-jp/tashika/certs"
	"github.com/tashika-jp/tashika/certs/ocsp"
	"github.com/tashika-jp/tashika/certs/pkix"
	"github.com/tashika-jp/tashika/certs/profile"
	"github.com/tashika-jp/tashika/certs/reason"
)

const (
	// nonceSize: RFC 9654 section 2.1, a client MUST use at least 32 octets.
	nonceSize = 32
	// maxResponse bounds an answer. One with two certificates of 4096-bit keys stays below 8 KiB.
	maxResponse = 64 << 10
	// aiaName stands in Sources for all responders that certificates name.
	aiaName = "ocsp-aia"
	// What is kept of a caller's time to answer in, at least and at most.
	leastReserve = 5 * time.Millisecond
	mostReserve  = 100 * time.Millisecond
)

// OCSPOutcome is how a question was settled. The set is closed (OCSPOutcomes).
type OCSPOutcome string

// The outcomes.
const (
	OCSPAsked   OCSPOutcome = "asked"   // the responder was asked, and its answer accepted
	OCSPShared  OCSPOutcome = "shared"  // so was the answer to another question about the same certificate, waited for together
	OCSPCached  OCSPOutcome = "cached"  // an earlier answer was used again
	OCSPFailed  OCSPOutcome = "failed"  // no answer came in the profile's time, or none that is accepted
	OCSPLate    OCSPOutcome = "late"    // the caller's own time was over first
	OCSPRefused OCSPOutcome = "refused" // the responder's circuit is open
	OCSPBusy    OCSPOutcome = "busy"    // too many questions are under way to the responder
)

// OCSPOutcomes are all of them.
func OCSPOutcomes() []OCSPOutcome {
	return []OCSPOutcome{OCSPAsked, OCSPShared, OCSPCached, OCSPFailed, OCSPLate, OCSPRefused, OCSPBusy}
}

// responder is a Responder with its books.
type responder struct {
	Responder // immutable
	breakers  *breakers

	mu      sync.Mutex
	status  status  // guarded by mu
	failing Failure // guarded by mu: last said, empty while it answers
}

func newResponder(r Responder) *responder { return &responder{Responder: r, breakers: new(breakers)} }

// inherit is called before anybody else has the responder.
func (r *responder) inherit(old *responder) {
	old.mu.Lock()
	defer old.mu.Unlock()
	r.status, r.failing, r.breakers = old.status, old.failing, old.breakers
}

// Ask asks the responder of the issuer's key about the certificate, and has what it answers
// checked by certs/ocsp, or finds an answer that the question takes. The name is that of the responder in Sources, also where there
// are findings.
func (l *Living) Ask(ctx context.Context, q certs.Question) (*ocsp.Answer, string, []reason.ID) {
	began, e := time.Now(), errand{conf: l.conf.Load(), timeout: q.Timeout}
	or(&e.timeout, e.conf.OCSPTimeout)
	e.responder, e.address, e.hash = e.conf.responders[string(q.Issuer.Certificate.SubjectKeyID)], "", e.conf.OCSPHash
	if e.responder != nil {
		e.address, e.hash = e.responder.URL, e.responder.Hash
	} else if e.address = aiaAddress(e.conf, q.Certificate); e.address != "" {
		e.responder = l.aia
	} else {
		return nil, "", []reason.ID{reason.OCSPNoResponder}
	}
	answer, outcome, found := e.settle(ctx, &q)
	if e.conf.Asked != nil {
		e.conf.Asked(outcome, time.Since(began))
	}
	return answer, e.responder.Name, found
}

// settle waits for what a question comes to, no longer than it has time.
func (e errand) settle(ctx context.Context, q *certs.Question) (*ocsp.Answer, OCSPOutcome, []reason.ID) {
	patience := patience(ctx, e.timeout)
	if patience <= 0 {
		return nil, OCSPLate, []reason.ID{reason.OCSPUnavailable}
	}
	answer, f, outcome := e.conf.desk.put(e, q)
	if f == nil {
		if answer != nil {
			return answer, outcome, nil
		}
		return nil, outcome, []reason.ID{reason.OCSPUnavailable}
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-f.done:
	case <-timer.C:
		if patience < e.timeout {
			return nil, OCSPLate, []reason.ID{reason.OCSPUnavailable}
		}
		return nil, OCSPFailed, []reason.ID{reason.OCSPUnavailable}
	case <-ctx.Done():
		return nil, OCSPLate, []reason.ID{reason.OCSPUnavailable}
	}
	var found []reason.ID
	if answer, found = f.answerTo(q); answer == nil {
		return nil, OCSPFailed, found
	}
	return answer, outcome, nil
}

// patience is how long a question waits: for the timeout, but not to the caller's deadline, because a verdict is still to be
// given then, by the other method or that the status is not known. A tenth of what is left is kept for it.
func patience(ctx context.Context, timeout time.Duration) time.Duration {
	if ctx.Err() != nil {
		return 0
	}
	deadline, ok := ctx.Deadline()
	if !ok {
		return timeout
	}
	left := time.Until(deadline)
	return min(timeout, left-min(max(left/10, leastReserve), mostReserve))
}

// aiaAddress is the first address that the certificate names, where that is allowed.
func aiaAddress(c *conf, from *pkix.Certificate) string {
	if !c.AllowAIA {
		return ""
	}
	for _, uri := range from.OCSPURIs {
		if checkURL(uri) == nil {
			return uri
		}
	}
	return ""
}

// post sends a request (RFC 6960 appendix A.1) and returns the body of the answer, or the id of what went
// wrong.
func post(ctx context.Context, c *http.Client, address string, der []byte) ([]byte, reason.ID, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(der))
	if err != nil {
		return nil, reason.OCSPUnavailable, err
	}
	request.Header.Set("Content-Type", "application/ocsp-request")
	request.Header.Set("Accept", "application/ocsp-response")
	request.Header.Set("User-Agent", "tashika")
	// A question changes nothing. The transport may put it again where the responder has given up an idle connection, and
	// sends nothing of this (net/http.Transport).
	request.Header["Idempotency-Key"] = nil
	response, err := c.Do(request)
	if err != nil {
		return nil, reason.OCSPUnavailable, err
	}
	// Read to the end, also what is no answer, or the connection would not be used again.
	defer func() {
		_, _ = io.CopyN(io.Discard, response.Body, maxResponse)
		response.Body.Close()
	}()
	if response.StatusCode != http.StatusOK {
		return nil, reason.OCSPUnavailable, &statusError{response.StatusCode}
	}
	// Responders are careless with the type, so only what is surely a page for people is refused unread.
	if kind, _, err := mime.ParseMediaType(response.Header.Get("Content-Type")); err == nil && strings.HasPrefix(kind, "text/") {
		return nil, reason.OCSPFormatFailure, nil
	}
	if response.ContentLength > maxResponse {
		return nil, reason.OCSPFormatFailure, errTooLarge
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxResponse+1))
	if err != nil {
		return nil, reason.OCSPUnavailable, err
	}
	if len(body) > maxResponse {
		return nil, reason.OCSPFormatFailure, errTooLarge
	}
	return body, "", nil
}

// enter books what came of a flight. Log lines are written when the outcome changes, not once
// a question. Of the responder's failures are neither a certificate that it does not
// know nor an answer too old for one caller's taste.
func (r *responder) enter(c *conf, found []reason.ID, err error) {
	var failure Failure
	for _, id := range found {
		if id != reason.OCSPStatusUnknown && id != reason.OCSPTooOld {
			failure = Failure(id)
			break
		}
	}
	now := c.Clock()
	r.mu.Lock()
	if failure == "" {
		r.status.succeed(now)
	} else {
		r.status.fail(now, failure)
	}
	changed := r.failing != failure
	r.failing = failure
	r.mu.Unlock()
	switch {
	case !changed:
	case failure == "":
		c.log(slog.LevelInfo, "OCSP responder answers again", "responder", r.Name)
	case err != nil && r.Name != aiaName: // an address out of a certificate stays out of the log
		c.log(slog.LevelError, "OCSP responder fails", "responder", r.Name, "failure", failure, "error", bare(err))
	default:
		c.log(slog.LevelError, "OCSP responder fails", "responder", r.Name, "failure", failure)
	}
}

func (r *responder) describe(c *conf, keyID []byte) SourceState {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := SourceState{Name: r.Name, Method: profile.OCSP, State: OnDemand, IssuerKeyID: hex.EncodeToString(keyID), Issuer: c.issuerOf(keyID)}
	s.Circuit = r.breakers.circuit(c.Clock())
	s.tell(&r.status)
	return s
}
