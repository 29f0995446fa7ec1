package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"github.com/tashika-jp/tashika/proto/openapi"
	tashikav1 "github.com/tashika-jp/tashika/proto/tashika/v1"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
)

// newGateway translates HTTP into calls on the connection.
func (s *Server) newGateway(conn grpc.ClientConnInterface) (http.Handler, error) {
	strictQueries()
	mux := runtime.NewServeMux(
		runtime.WithMarshalerOption(runtime.MIMEWildcard, newStrictJSON()),
		runtime.WithIncomingHeaderMatcher(func(name string) (string, bool) {
			return traceparent, strings.EqualFold(name, traceparent) // authorization passes by itself
		}),
		runtime.WithOutgoingHeaderMatcher(func(name string) (string, bool) { return name, name == traceresponse }),
		runtime.WithOutgoingTrailerMatcher(func(string) (string, bool) { return "", false }),
		runtime.WithMetadata(forward),
		runtime.WithErrorHandler(s.answerError),
		runtime.WithRoutingErrorHandler(s.answerRoutingError),
		runtime.WithDisableHTTPMethodOverride(), runtime.WithDisablePathLengthFallback(), runtime.WithWriteContentLength(),
	)
	ctx := context.Background()
	errs := []error{
		tashikav1.RegisterVerificationServiceHandlerClient(ctx, mux, tashikav1.NewVerificationServiceClient(conn)), tashikav1.RegisterCertificateServiceHandlerClient(ctx, mux, tashikav1.NewCertificateServiceClient(conn)),
		tashikav1.RegisterRevocationServiceHandlerClient(ctx, mux, tashikav1.NewRevocationServiceClient(conn)), tashikav1.RegisterDeviceServiceHandlerClient(ctx, mux, tashikav1.NewDeviceServiceClient(conn)),
	}
	for _, extra := range s.state.Load().config.Services {
		if extra.Gateway != nil {
			errs = append(errs, extra.Gateway(ctx, mux, conn))
		}
	}
	return mux, errors.Join(errs...)
}

// answerError writes an error as google.rpc.Status. One without ErrorInfo never came through the guard: it is the
// gateway's own, about a body or a query that it could not translate.
func (s *Server) answerError(ctx context.Context, _ *runtime.ServeMux, _ runtime.Marshaler, w http.ResponseWriter, r *http.Request, err error) {
	st := status.Convert(err)
	switch code := st.Code(); {
	case infoOf(st) != nil:
	case code == codes.Canceled || code == codes.DeadlineExceeded:
		st = status.Convert(explained(st.Err())) // the guard has told of the call already
	default:
		s.refuse(w, r, translationFailure(r, st), 0)
		return
	}
	if md, ok := runtime.ServerMetadataFromContext(ctx); ok {
		if values := md.HeaderMD.Get(traceresponse); len(values) > 0 {
			w.Header().Set(traceresponse, values[0])
		}
	}
	writeStatus(w, st, 0)
}

// translationFailure finds out what the gateway could not translate.
func translationFailure(r *http.Request, st *status.Status) error {
	if body, ok := r.Body.(*requestBody); ok && body.problem != nil {
		return fail(body.problem.failure, body.problem.violations...)
	}
	if st.Code() != codes.InvalidArgument {
		return explained(st.Err())
	}
	if p := queryProblem(st.Message()); p != nil {
		return fail(p.failure, p.violations...)
	}
	return fail(malformedRequest)
}

// answerRoutingError answers for paths and methods that there are none of.
func (s *Server) answerRoutingError(_ context.Context, _ *runtime.ServeMux, _ runtime.Marshaler, w http.ResponseWriter, r *http.Request, code int) {
	switch code {
	case http.StatusMethodNotAllowed:
		// RFC 9110 section 15.5.6: the server MUST generate an Allow header.
		w.Header().Set("Allow", allowed(r.URL.Path))
		s.refuse(w, r, fail(methodNotAllowed), code)
	case http.StatusNotFound:
		s.refuse(w, r, fail(routeNotFound), code)
	default:
		s.refuse(w, r, fail(malformedRequest), http.StatusBadRequest)
	}
}

// allowed are the methods of a path, from the OpenAPI document; paths with a variable in them
// all take POST.
func allowed(path string) string {
	if methods := routes[path]; methods != nil {
		return strings.Join(methods, ", ")
	}
	return http.MethodPost
}

var routes = func() map[string][]string {
	var document struct {
		Paths map[string]map[string]json.RawMessage
	}
	out := map[string][]string{}
	if err := json.Unmarshal(openapi.JSON, &document); err != nil {
		panic(fmt.Sprintf("server: the generated OpenAPI document is not JSON: %v", err))
	}
	for path, methods := range document.Paths {
		for method := range methods {
			out[path] = append(out[path], strings.ToUpper(method))
		}
		slices.Sort(out[path])
	}
	return out
}()

// refuse answers a request that did not come as far as the guard, and tells of it as the guard does.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, err error, httpStatus int) {
	c := s.arrived(r)
	w.Header().Set(traceresponse, string(c.trace))
	writeStatus(w, status.Convert(err), httpStatus)
	s.report(c, err)
}

// writeStatus writes google.rpc.Status as JSON, and what HTTP has headers for.
func writeStatus(w http.ResponseWriter, st *status.Status, httpStatus int) {
	if httpStatus == 0 {
		httpStatus = runtime.HTTPStatusFromCode(st.Code())
	}
	for _, detail := range st.Details() {
		if retry, ok := detail.(*errdetails.RetryInfo); ok {
			seconds := math.Ceil(retry.GetRetryDelay().AsDuration().Seconds())
			w.Header().Set("Retry-After", strconv.FormatInt(int64(seconds), 10))
		}
	}
	if st.Code() == codes.Unauthenticated {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	body, err := protojson.Marshal(st.Proto())
	if err != nil { // a detail of an embedding program's service that is not linked
		httpStatus, body = http.StatusInternalServerError, []byte(`{"code":13,"message":"The error cannot be written."}`)
	}
	w.Header().Set("Content-Type", jsonType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(httpStatus)
	_, _ = w.Write(body) // who has gone has gone
}
