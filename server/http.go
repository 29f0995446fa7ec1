package server

import (
	"io"
	"log/slog"
	"mime"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/tashika-jp/tashika/proto/openapi"
	"google.golang.org/grpc/status"
)

// The bounds of the HTTP door: a slow or talkative caller costs a connection for this long, and this much.
const (
	maxHeaderBytes    = 16 << 10
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 20 * time.Second
	idleTimeout       = 2 * time.Minute
	// jsonOverhead is for all of a body that is not base64.
	jsonOverhead = 64 << 10
)

// newHTTPServer is the HTTP door.
func (s *Server) newHTTPServer(handler http.Handler) *http.Server {
	return &http.Server{
		Handler: handler, MaxHeaderBytes: maxHeaderBytes,
		ReadHeaderTimeout: readHeaderTimeout, ReadTimeout: readTimeout, IdleTimeout: idleTimeout,
		// From the end of the header: reading the body, the call, and writing the answer.
		WriteTimeout: readTimeout + s.state.Load().config.Limits.MaxDeadline + readTimeout,
		HTTP2:        &http.HTTP2Config{MaxConcurrentStreams: maxStreams},
		// Scanners and probes that hang up during the handshake are not worth more.
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
}

// front is what stands before the gateway: paths of our own, and what must be right of
// every request whatever its method.
func (s *Server) front(gateway http.Handler) http.Handler {
	limit := int64(s.state.Load().config.Limits.MaxMessageBytes)/3*4 + jsonOverhead
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer s.recoverHTTP(w, r)
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-store")
		if own := s.ownPath(r.URL.Path); own != nil {
			if r.Method != http.MethodGet && r.Method != http.MethodHead {
				h.Set("Allow", "GET, HEAD")
				s.refuse(w, r, fail(methodNotAllowed), http.StatusMethodNotAllowed)
				return
			}
			own(w)
			return
		}
		switch {
		case s.full(): // before anything is read, as at the other door
			s.metrics.turnedAway(s.unknownMethod, httpDoor)
			writeStatus(w, status.Convert(fail(serverBusy)), 0)
			return
		case r.ContentLength > limit:
			s.refuse(w, r, fail(requestTooLarge), http.StatusRequestEntityTooLarge)
			return
		case r.Method == http.MethodPost && !isJSON(r):
			s.refuse(w, r, fail(contentTypeRefused), http.StatusUnsupportedMediaType)
			return
		case r.Method == http.MethodPost && r.URL.RawQuery != "":
			// The body is the whole request (google.api.http: body "*"); a parameter would be ignored.
			s.refuse(w, r, fail(unknownField, violation{"", "UNKNOWN_FIELD", "A request with a body has no query parameters."}), 0)
			return
		}
		r.Body = &requestBody{ReadCloser: http.MaxBytesReader(w, r.Body, limit)}
		gateway.ServeHTTP(w, r)
	})
}

// isJSON says whether the body is what it has to be. An empty one may be of no type.
func isJSON(r *http.Request) bool {
	types := r.Header.Values("Content-Type")
	if len(r.Header.Values("Content-Encoding")) > 0 || len(types) > 1 {
		return false
	}
	if len(types) == 0 {
		return r.ContentLength == 0
	}
	name, parameters, err := mime.ParseMediaType(types[0])
	charset, other := parameters["charset"], len(parameters)
	if charset != "" {
		other--
	}
	return err == nil && name == jsonType && other == 0 && (charset == "" || strings.EqualFold(charset, "utf-8"))
}

// ownPath is what answers on a path that is not the gateway's; nil if it is.
func (s *Server) ownPath(path string) func(http.ResponseWriter) {
	switch path {
	case "/openapi.json":
		return func(w http.ResponseWriter) { writeJSON(w, http.StatusOK, string(openapi.JSON)) }
	case "/healthz": // the process lives
		return func(w http.ResponseWriter) { writeJSON(w, http.StatusOK, `{"status":"SERVING"}`) }
	case "/readyz": // its verdicts can be relied on
		return func(w http.ResponseWriter) {
			if s.ready() {
				writeJSON(w, http.StatusOK, `{"status":"SERVING"}`)
				return
			}
			writeJSON(w, http.StatusServiceUnavailable, `{"status":"NOT_SERVING"}`)
		}
	}
	return nil
}

func writeJSON(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", jsonType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body) // who has gone has gone
}

// recoverHTTP is for the translation alone: what calls do has a recovery of its own.
func (s *Server) recoverHTTP(w http.ResponseWriter, r *http.Request) {
	p := recover()
	switch p {
	case nil:
		return
	case http.ErrAbortHandler:
		panic(p)
	}
	s.log.LogAttrs(r.Context(), slog.LevelError, "panic at the HTTP door", slog.String("stack", string(debug.Stack())))
	s.refuse(w, r, fail(internal), 0)
}

// arrived is the call that a request would have been.
func (s *Server) arrived(r *http.Request) *call {
	return &call{Context: r.Context(), state: s.state.Load(), door: httpDoor, method: s.unknownMethod,
		trace: newTrace(r.Header.Get(traceparent)), started: time.Now()}
}

// newMetricsServer serves /metrics and nothing else.
func (s *Server) newMetricsServer() *http.Server {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.metrics.registry, promhttp.HandlerOpts{}))
	return &http.Server{Handler: mux, MaxHeaderBytes: maxHeaderBytes, ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout: readTimeout, WriteTimeout: time.Minute, IdleTimeout: idleTimeout,
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug)}
}
