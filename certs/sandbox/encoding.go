package sandbox

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// encoders are kept: one is most of a megabyte.
var encoders = sync.Pool{New: func() any {
	z, _ := gzip.NewWriterLevel(io.Discard, gzip.BestSpeed) // the level exists
	return z
}}

// serveEncoded serves a list as it is, or compressed where that is asked for. The compressed one is another
// representation, so its entity tag is another (RFC 9110 section 8.8.3.3).
func serveEncoded(rw http.ResponseWriter, r *http.Request, modified time.Time, body io.ReadSeeker) {
	h := rw.Header()
	h.Set("Vary", "Accept-Encoding")
	if r.Header.Get("Range") != "" || !acceptsGzip(r.Header) {
		http.ServeContent(rw, r, "", modified, body)
		return
	}
	h.Set("Content-Encoding", "gzip") // so ServeContent says no length, and takes it away again from a 304
	h.Set("ETag", strings.TrimSuffix(h.Get("ETag"), `"`)+`-gzip"`)
	z := encoders.Get().(*gzip.Writer)
	defer encoders.Put(z)
	z.Reset(rw)
	e := &gzipped{ResponseWriter: rw, z: z}
	http.ServeContent(e, r, "", modified, body)
	if e.began {
		z.Close()
	}
}

// gzipped compresses what is written.
type gzipped struct {
	http.ResponseWriter
	z     *gzip.Writer
	began bool
}

func (e *gzipped) Write(p []byte) (int, error) {
	e.began = true
	return e.z.Write(p)
}

// acceptsGzip says whether gzip is among the encodings asked for, and not refused by a weight of nought (RFC 9110
// section 12.5.3).
func acceptsGzip(h http.Header) bool {
	for one := range strings.SplitSeq(strings.Join(h.Values("Accept-Encoding"), ","), ",") {
		coding, weight, weighed := strings.Cut(one, ";")
		if !strings.EqualFold(strings.TrimSpace(coding), "gzip") {
			continue
		}
		q, err := strconv.ParseFloat(strings.TrimPrefix(strings.TrimSpace(weight), "q="), 64)
		return !weighed || err == nil && q > 0
	}
	return false
}

// bombMember is 16 MiB of zeros in some 16 kB. Members of a gzip file are decoded one after the other (RFC 1952 section 2.2).
var bombMember = sync.OnceValue(func() []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write(make([]byte, 16<<20))
	z.Close()
	return b.Bytes()
})

// serveBomb goes on until whoever reads has had enough.
func serveBomb(rw http.ResponseWriter, r *http.Request) {
	rw.Header().Set("Content-Type", "application/pkix-crl")
	rw.Header().Set("Content-Encoding", "gzip")
	if r.Method == http.MethodHead {
		return
	}
	z := gzip.NewWriter(rw)
	z.Write(sequenceHeader(1 << 50))
	z.Close()
	for r.Context().Err() == nil {
		if _, err := rw.Write(bombMember()); err != nil {
			return
		}
	}
}
