package revocation

import (
	"context"
	"crypto"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/tashika-jp/tashika/certs"
	"github.com/tashika-jp/tashika/certs/ocsp"
	"github.com/tashika-jp/tashika/certs/reason"
)

// desk is where questions come to: those about one certificate share what is on its way or still lies there.
type desk struct {
	mu      sync.Mutex
	answers answers               // guarded by mu
	flights map[flightKey]*flight // guarded by mu
}

// flightKey: questions of another patience do not share, or the one would wait by the other's.
type flightKey struct {
	subject subject
	timeout time.Duration
}

// flight is a question on its way. It belongs to nobody: who put it may give up, and others wait on.
type flight struct {
	request *ocsp.Request // immutable
	done    chan struct{}
	// What came of it. Only read once done is closed.
	der    []byte       // nil: nothing came
	answer *ocsp.Answer // for who began it; nil where there are findings
	found  []reason.ID  // of who began it
}

// answerTo is what the flight brought for a question that joined it.
func (f *flight) answerTo(q *certs.Question) (*ocsp.Answer, []reason.ID) {
	switch {
	case f.answer != nil && f.answer.Stands(q.Options):
		return f.answer, nil
	case f.der == nil:
		return nil, f.found
	}
	return ocsp.Check(f.der, f.request, q.Issuer.Certificate, q.Issuer.Key, q.Options)
}

// errand is all that a question to a responder needs beside itself.
type errand struct {
	conf      *conf
	responder *responder
	address   string
	hash      crypto.Hash
	timeout   time.Duration
}

// put puts a question: it finds what was answered a moment ago, joins a flight that is under way, or begins one,
// where the responder's breaker lets it. What it found comes with OCSPCached, a flight with OCSPAsked or OCSPShared, and nothing
// with the others.
func (d *desk) put(e errand, q *certs.Question) (*ocsp.Answer, *flight, OCSPOutcome) {
	s := subjectOf(q)
	key := flightKey{s, e.timeout}
	d.mu.Lock()
	defer d.mu.Unlock()
	if answer := d.answers.find(s, q); answer != nil {
		return answer, nil, OCSPCached
	}
	if f := d.flights[key]; f != nil {
		return nil, f, OCSPShared
	}
	b := e.responder.breakers.of(e.address)
	if b == nil {
		return nil, nil, OCSPBusy
	}
	nonce := make([]byte, nonceSize)
	rand.Read(nonce) // never fails (crypto/rand)
	request, err := ocsp.NewRequest(q.Certificate, q.Issuer.Certificate, e.hash, nonce)
	if err != nil {
		return nil, nil, OCSPFailed
	}
	probe, refused := b.enter(e.conf.Clock(), e.conf.OCSPMaxConcurrent)
	if refused != "" {
		return nil, nil, refused
	}
	f := &flight{request: request, done: make(chan struct{})}
	if d.flights == nil {
		d.flights = make(map[flightKey]*flight)
	}
	d.flights[key] = f
	go d.fly(e, *q, key, f, b, probe)
	return nil, f, OCSPAsked
}

// fly sends a question and books what comes of it. It ends by the question's timeout.
func (d *desk) fly(e errand, q certs.Question, key flightKey, f *flight, b *breaker, probe bool) {
	asked := e.conf.Clock()
	err := f.ask(e, &q)
	now := e.conf.Clock()
	failed := f.unanswered(err)
	changed, wait := b.leave(now, probe, failed, e.conf.Random())
	switch {
	case changed && failed:
		e.conf.log(slog.LevelError, "OCSP responder is not asked for a while", "responder", e.responder.Name, "wait", wait)
		// What is idle may be dead too, and would cost each attempt a timeout.
		e.conf.asking.CloseIdleConnections()
	case changed:
		e.conf.log(slog.LevelInfo, "OCSP responder is asked again", "responder", e.responder.Name)
	}
	e.responder.enter(e.conf, f.found, err)
	d.mu.Lock()
	delete(d.flights, key)
	if f.answer != nil {
		d.answers.keep(key.subject, f.answer, asked, q.Reuse)
	}
	d.mu.Unlock()
	close(f.done)
}

// ask sends the request and judges what comes back. The error is of the transport.
func (f *flight) ask(e errand, q *certs.Question) (err error) {
	defer func() {
		// Nobody's guard is around a flight, and bytes from outside must not end the process. What the panic has to say
		// could quote them.
		if p := recover(); p != nil {
			f.der, f.answer, f.found = nil, nil, []reason.ID{reason.OCSPFormatFailure}
			e.conf.log(slog.LevelError, "panic", "panic", fmt.Sprintf("a %T", p), "stack", string(debug.Stack()))
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), e.timeout)
	defer cancel()
	der, id, err := post(ctx, e.conf.asking, e.address, f.request.DER)
	if id != "" {
		f.found = []reason.ID{id}
		return err
	}
	f.der = der
	f.answer, f.found = ocsp.Check(der, f.request, q.Issuer.Certificate, q.Issuer.Key, q.Options)
	if len(f.found) > 0 {
		f.answer = nil
	} else if f.answer == nil {
		f.found = []reason.ID{reason.OCSPFormatFailure} // no answer is never without a reason
	}
	return nil
}

// Responses that say of the responder that it cannot answer anybody: internalError and tryLater (RFC 6960 section 2.3). What is
// not successful has one encoding. The others may be about the one certificate.
var unableResponses = []string{"\x30\x03\x0a\x01\x02", "\x30\x03\x0a\x01\x03"}

// unanswered says whether the responder failed to answer. An answer that somebody does not accept, for its
// nonce, its times or its signature, is one: it came in time, and others may see it otherwise. So is a status that says
// that the request is wrong (RFC 9110 section 15.5), because that may be for what it asks about.
func (f *flight) unanswered(err error) bool {
	if status := (*statusError)(nil); errors.As(err, &status) {
		about := status.code >= 400 && status.code < 500 && status.code != http.StatusRequestTimeout && status.code != http.StatusTooManyRequests
		return !about
	}
	return err != nil || slices.Contains(unableResponses, string(f.der)) || slices.Contains(f.found, reason.OCSPFormatFailure)
}
