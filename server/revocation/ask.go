package revocation

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/tashika-jp/tashika/certs/anchors"
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
)

// responder is a Responder with its books.
type responder struct {
	Responder // immutable

	mu      sync.Mutex
	status  status  // guarded by mu
	failing Failure // guarded by mu: last said, empty while it answers
}

func (r *responder) inherit(old *responder) {
	old.mu.Lock()
	defer old.mu.Unlock()
	r.status, r.failing = old.status, old.failing
}

// Ask asks the responder of the issuer's key about the certificate, and has what it answers
// checked by certs/ocsp. The name is that of the responder in Sources, also where there
// are findings.
func (l *Living) Ask(ctx context.Context, issuer *anchors.Anchor, c *pkix.Certificate, o ocsp.Options, timeout time.Duration) (*ocsp.Answer, string, []reason.ID) {
	conf := l.conf.Load()
	r, address, hash := conf.responders[string(issuer.Certificate.SubjectKeyID)], "", conf.OCSPHash
	if r != nil {
		address, hash = r.URL, r.Hash
	} else if address = aiaAddress(conf, c); address != "" {
		r = l.aia
	} else {
		return nil, "", []reason.ID{reason.OCSPNoResponder}
	}
	nonce := make([]byte, nonceSize)
	rand.Read(nonce) // never fails (crypto/rand)
	request, err := ocsp.NewRequest(c, issuer.Certificate, hash, nonce)
	if err != nil {
		return nil, r.Name, []reason.ID{reason.OCSPUnavailable}
	}
	if timeout <= 0 {
		timeout = conf.OCSPTimeout
	}
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var answer *ocsp.Answer
	der, id, err := post(limited, conf.HTTPClient, address, request.DER)
	found := []reason.ID{id}
	if id == "" {
		answer, found = ocsp.Check(der, request, issuer.Certificate, issuer.Key, o)
	}
	if len(found) > 0 {
		answer = nil
	} else if answer == nil {
		found = []reason.ID{reason.OCSPFormatFailure} // no answer is never without a reason
	}
	if !errors.Is(ctx.Err(), context.Canceled) { // who asked went away: nobody failed
		r.enter(conf, found, err)
	}
	return answer, r.Name, found
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
// wrong. A redirect is no answer: it would let whoever sits between choose the host.
func post(ctx context.Context, c *http.Client, address string, der []byte) ([]byte, reason.ID, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(der))
	if err != nil {
		return nil, reason.OCSPUnavailable, err
	}
	request.Header.Set("Content-Type", "application/ocsp-request")
	request.Header.Set("Accept", "application/ocsp-response")
	request.Header.Set("User-Agent", "tashika")
	client := *c
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	response, err := client.Do(request)
	if err != nil {
		return nil, reason.OCSPUnavailable, err
	}
	defer response.Body.Close()
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
	// To the end, or the connection would not be used again.
	body, err := io.ReadAll(io.LimitReader(response.Body, maxResponse+1))
	if err != nil {
		return nil, reason.OCSPUnavailable, err
	}
	if len(body) > maxResponse {
		return nil, reason.OCSPFormatFailure, errTooLarge
	}
	return body, "", nil
}

// enter books what came of a question. Log lines are written when the outcome changes, not once
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
	s.tell(&r.status)
	return s
}
