package revocation

import (
	"compress/flate"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"time"
)

// maxRedirects that a fetch follows.
const maxRedirects = 3

// fetchHTTP gets a list over HTTP. The content coding is ours to undo, not the transport's, because the cap is
// on the list: what expands beyond it is no further read.
func (l *Living) fetchHTTP(ctx context.Context, c *conf, s *Source, known validators, arrived *atomic.Int64) (*fetched, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", "application/pkix-crl, */*;q=0.1")
	request.Header.Set("Accept-Encoding", "gzip")
	request.Header.Set("User-Agent", "tashika")
	// RFC 9110 section 13.1.3: If-Modified-Since is ignored beside If-None-Match.
	if known.etag != "" {
		request.Header.Set("If-None-Match", known.etag)
	} else if known.lastModified != "" {
		request.Header.Set("If-Modified-Since", known.lastModified)
	}
	client := *c.HTTPClient
	client.CheckRedirect = func(next *http.Request, via []*http.Request) error {
		if len(via) > maxRedirects || next.URL.Scheme != via[0].URL.Scheme || next.URL.User != nil {
			return errRedirect
		}
		return nil
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	// gzip makes what cannot be compressed larger, by 5 octets in 64 KiB (RFC 1951 section 3.2.4) and a header.
	most := s.MaxSize + s.MaxSize>>12 + 64<<10
	switch {
	case response.StatusCode == http.StatusNotModified && known != (validators{}):
		return &fetched{notModified: true}, nil
	case response.StatusCode != http.StatusOK:
		return nil, &statusError{response.StatusCode}
	case response.ContentLength > most:
		return nil, errTooLarge
	}
	list, err := decoded(&inflow{response.Body, arrived, most}, response.Header.Values("Content-Encoding"))
	if err != nil {
		return nil, err
	}
	body, err := l.take(list, s.MaxSize)
	if err != nil {
		return nil, err
	}
	return &fetched{body: body, validators: validatorsOf(response.Header)}, nil
}

// decoded undoes the content coding: none, or the one that we asked for.
func decoded(body io.Reader, codings []string) (io.Reader, error) {
	// RFC 9110 section 8.4.1.3: x-gzip is gzip.
	switch strings.ToLower(strings.Join(codings, ",")) {
	case "", "identity":
		return body, nil
	case "gzip", "x-gzip":
		z, err := gzip.NewReader(body)
		if err != nil {
			return nil, ofGzip(err)
		}
		return gunzip{z}, nil
	}
	return nil, errProtocol
}

// gunzip sorts the errors of a gzip.Reader.
type gunzip struct{ *gzip.Reader }

// Read implements io.Reader.
func (g gunzip) Read(p []byte) (int, error) {
	n, err := g.Reader.Read(p)
	if err != nil && err != io.EOF {
		err = ofGzip(err)
	}
	return n, err
}

func ofGzip(err error) error {
	var corrupt flate.CorruptInputError
	switch {
	case err == io.EOF: // not even a header
		return io.ErrUnexpectedEOF
	case errors.Is(err, gzip.ErrHeader), errors.Is(err, gzip.ErrChecksum), errors.As(err, &corrupt):
		return errProtocol
	}
	return err
}

// validatorsOf are what the next fetch asks with. They belong to the representation in the coding that it came in (RFC 9110
// section 8.8.3.3), and as we always ask for the same, so does the next. A weak entity tag will do:
// If-None-Match compares weakly (section 13.1.2), and a list that is not replaced goes stale.
func validatorsOf(h http.Header) validators {
	v := validators{etag: bounded(h.Get("ETag"))}
	// RFC 9110 section 8.8.2.2: a time is worth as much as an entity tag only if the answer is at least a second later; a list that
	// was replaced within that second would never be seen.
	sent, err := http.ParseTime(h.Get("Date"))
	modified, modifiedErr := http.ParseTime(h.Get("Last-Modified"))
	if err == nil && modifiedErr == nil && sent.Sub(modified) >= time.Second {
		v.lastModified = bounded(h.Get("Last-Modified"))
	}
	return v
}

// bounded drops a validator that is too long to be worth keeping.
func bounded(s string) string {
	const most = 1 << 10
	if len(s) > most {
		return ""
	}
	return s
}

type statusError struct{ code int }

func (e *statusError) Error() string { return fmt.Sprintf("HTTP status %d", e.code) }
