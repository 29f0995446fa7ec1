package sandbox

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// maxOCSPRequest bounds a request's body: 32 questions and a nonce fit several times.
const maxOCSPRequest = 16 << 10

// Handler serves what the world publishes:
//
//	GET  /                         what is served, as text
//	GET  /cps.html                 the page that the certificates' CPS qualifier names
//	GET  /ca/{sign|auth}/g{n}.cer  a CA certificate, DER
//	GET  /crl/{sign|auth}/g{n}/{code}.crl   the current issue of a list, DER; ETag, Last-Modified, 304, ranges, gzip
//	POST /ocsp/{sign|auth}/g{n}    application/ocsp-request (RFC 6960 appendix A.1)
//	GET  /ocsp/{sign|auth}/g{n}/{url-encoded base64 of the request}
//
// It does not use http.ServeMux, and should not be put behind one, because that
// redirects a path with "//" in it and base64 may have that.
func (w *World) Handler() http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("X-Content-Type-Options", "nosniff")
		path := r.URL.Path
		switch {
		case strings.HasPrefix(path, "/ocsp/"):
			w.serveOCSP(rw, r)
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			refuseMethod(rw, "GET, HEAD")
		case strings.HasPrefix(path, "/crl/"):
			w.serveList(rw, r)
		case strings.HasPrefix(path, "/ca/"):
			w.serveAnchor(rw, r)
		case path == "/cps.html":
			serveText(rw, r, "text/html; charset=utf-8", cpsPage)
		case path == "/":
			serveText(rw, r, "text/plain; charset=utf-8", w.index())
		default:
			http.NotFound(rw, r)
		}
	})
}

const cpsPage = `<!DOCTYPE html>
<html lang="en"><title>Tashika sandbox</title>
<p>Certificates that name this page come from the Tashika sandbox. They identify nobody.
Holders, addresses and authorities are invented; the keys are made anew at every start.</p>
<p lang="ja">このページを指す証明書は Tashika の開発用砂場が発行したもので、実在の人物を証明しません。</p>
`

func serveText(rw http.ResponseWriter, r *http.Request, contentType, text string) {
	rw.Header().Set("Content-Type", contentType)
	rw.Header().Set("Content-Length", strconv.Itoa(len(text)))
	if r.Method != http.MethodHead {
		io.WriteString(rw, text)
	}
}

func (w *World) index() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Tashika sandbox: a pretend J-LIS, %s\n\n", w.Now().Format(time.RFC3339))
	for _, a := range w.Anchors() {
		fmt.Fprintf(&b, "/ca/%v/g%d.cer  key %X\n", a.Authority, a.Generation, a.KeyID)
	}
	s := w.Sources()
	b.WriteByte('\n')
	for _, o := range s.OCSP {
		fmt.Fprintln(&b, o.URL)
	}
	b.WriteByte('\n')
	for _, l := range s.Lists {
		fmt.Fprintf(&b, "%s  %s\n", l.URL, l.Partition)
	}
	return b.String()
}

func refuseMethod(rw http.ResponseWriter, allow string) {
	rw.Header().Set("Allow", allow)
	http.Error(rw, "method not allowed", http.StatusMethodNotAllowed)
}

// parseGeneration reads "g2".
func (w *World) parseGeneration(authority, g string) (*generation, bool) {
	number, err := strconv.Atoi(strings.TrimPrefix(g, "g"))
	if err != nil || g != "g"+strconv.Itoa(number) {
		return nil, false
	}
	for _, a := range authorities {
		if a.String() == authority {
			return w.generation(a, number)
		}
	}
	return nil, false
}

func (w *World) serveAnchor(rw http.ResponseWriter, r *http.Request) {
	authority, file, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/ca/"), "/")
	g, ok := w.parseGeneration(authority, strings.TrimSuffix(file, ".cer"))
	if !ok || !strings.HasSuffix(file, ".cer") {
		http.NotFound(rw, r)
		return
	}
	rw.Header().Set("Content-Type", "application/pkix-cert")
	http.ServeContent(rw, r, "", g.notBefore, bytes.NewReader(g.der))
}

// wait lets a delay pass; false if the request ended first.
func wait(r *http.Request, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-r.Context().Done():
		return false
	}
}

func (w *World) serveList(rw http.ResponseWriter, r *http.Request) {
	parts := strings.Split(strings.TrimPrefix(r.URL.Path, "/crl/"), "/")
	if len(parts) != 3 || !strings.HasSuffix(parts[2], ".crl") {
		http.NotFound(rw, r)
		return
	}
	g, ok := w.parseGeneration(parts[0], parts[1])
	if !ok {
		http.NotFound(rw, r)
		return
	}
	l, ok := g.lists[strings.TrimSuffix(parts[2], ".crl")]
	if !ok {
		http.NotFound(rw, r)
		return
	}
	fault := w.listFault(l.id)
	if !wait(r, fault.Delay) {
		return
	}
	switch fault.Kind {
	case ListMissing:
		http.NotFound(rw, r)
		return
	case ListUnavailable:
		http.Error(rw, "maintenance", http.StatusServiceUnavailable)
		return
	case ListErrorPage:
		serveText(rw, r, "text/html; charset=utf-8", errorPage)
		return
	case ListOversized:
		serveOversized(rw, r, fault.Size)
		return
	case ListBomb:
		serveBomb(rw, r)
		return
	}
	current, before := w.issueOf(l)
	d, err := current.document()
	if err == nil && fault.Kind != ListHealthy {
		d, err = w.faultyList(l, current, before, fault)
	}
	if err != nil {
		http.Error(rw, "cannot publish", http.StatusInternalServerError)
		return
	}
	h := rw.Header()
	h.Set("Content-Type", "application/pkix-crl") // RFC 2585 section 4.2
	h.Set("ETag", d.etag)
	// A list changes whenever something happens: keep it, but ask before using it again.
	h.Set("Cache-Control", "no-cache")
	size := d.size
	switch fault.Kind {
	case ListDropped:
		h.Set("Content-Length", strconv.FormatInt(size, 10))
		io.Copy(rw, d.first(size/2))
		http.NewResponseController(rw).Flush()
		panic(http.ErrAbortHandler) // net/http's way to cut the connection; it logs nothing
	case ListTrickle:
		h.Set("Content-Length", strconv.FormatInt(size, 10))
		serveTrickle(rw, r, d.first(size))
		return
	case ListTruncated:
		size = size * 2 / 3
		h.Set("ETag", strings.TrimSuffix(d.etag, `"`)+`-cut"`)
	}
	modified := current.thisUpdate
	if fault.Kind != ListHealthy || current.sameSecond {
		// Say when, but let only the ETag decide: ServeContent ignores the zero time.
		h.Set("Last-Modified", modified.Format(http.TimeFormat))
		modified = time.Time{}
	}
	serveEncoded(rw, r, modified, d.first(size))
}

const errorPage = `<!DOCTYPE html>
<html lang="ja"><title>ただいまメンテナンス中です</title>
<p>しばらくたってからもう一度お試しください。</p>
`

// serveOversized streams a SEQUENCE that really is as long as it says, in
// constant memory. Whoever reads it all learned nothing of size caps.
func serveOversized(rw http.ResponseWriter, r *http.Request, size int64) {
	rw.Header().Set("Content-Type", "application/pkix-crl")
	if r.Method == http.MethodHead {
		return
	}
	if _, err := rw.Write(sequenceHeader(size)); err != nil { // so that only the size is wrong
		return
	}
	chunk := make([]byte, 64<<10)
	for size > 0 && r.Context().Err() == nil {
		n, err := rw.Write(chunk[:min(size, int64(len(chunk)))])
		if err != nil {
			return
		}
		size -= int64(n)
	}
}

// serveTrickle sends an octet now and then, so that the connection never looks dead.
func serveTrickle(rw http.ResponseWriter, r *http.Request, body io.Reader) {
	flush := http.NewResponseController(rw)
	for octet := make([]byte, 1); ; {
		if _, err := io.ReadFull(body, octet); err != nil || r.Method == http.MethodHead {
			return
		}
		if _, err := rw.Write(octet); err != nil || flush.Flush() != nil || !wait(r, trickle) {
			return
		}
	}
}

func (w *World) serveOCSP(rw http.ResponseWriter, r *http.Request) {
	// The escaped path, because the base64 of a GET may contain %2F.
	parts := strings.SplitN(strings.TrimPrefix(r.URL.EscapedPath(), "/ocsp/"), "/", 3)
	if len(parts) < 2 {
		http.NotFound(rw, r)
		return
	}
	g, ok := w.parseGeneration(parts[0], parts[1])
	if !ok {
		http.NotFound(rw, r)
		return
	}
	var request []byte
	switch {
	case r.Method == http.MethodPost && (len(parts) == 2 || parts[2] == ""):
		if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != "application/ocsp-request" {
			http.Error(rw, "want Content-Type: application/ocsp-request", http.StatusUnsupportedMediaType)
			return
		}
		var err error
		if request, err = io.ReadAll(http.MaxBytesReader(rw, r.Body, maxOCSPRequest)); err != nil {
			code := http.StatusBadRequest
			if tooLong := (*http.MaxBytesError)(nil); errors.As(err, &tooLong) {
				code = http.StatusRequestEntityTooLarge
			}
			http.Error(rw, "cannot read the request", code)
			return
		}
	case r.Method == http.MethodGet && len(parts) == 3 && parts[2] != "":
		if len(parts[2]) > 2*maxOCSPRequest {
			http.Error(rw, "request too long", http.StatusRequestURITooLong)
			return
		}
		// What does not decode goes on as nothing, which is malformedRequest.
		if encoded, err := url.PathUnescape(parts[2]); err == nil {
			request, _ = base64.StdEncoding.DecodeString(encoded)
		}
	default:
		refuseMethod(rw, "POST, GET")
		return
	}
	fault := w.ocspFault()
	if !wait(r, fault.Delay) {
		return
	}
	switch fault.Kind {
	case OCSPUnavailable:
		http.Error(rw, "maintenance", http.StatusServiceUnavailable)
		return
	case OCSPDropped:
		panic(http.ErrAbortHandler) // net/http's way to cut the connection; it logs nothing
	}
	der := []byte("this is not DER")
	if fault.Kind != OCSPRubbish {
		der = w.answerOCSP(g, request, fault.Kind)
	}
	rw.Header().Set("Content-Type", "application/ocsp-response")
	rw.Header().Set("Content-Length", strconv.Itoa(len(der)))
	rw.Header().Set("Cache-Control", "no-store")
	rw.Write(der)
}
