package server

import (
	"context"
	"errors"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"
)

// Domain is that of google.rpc.ErrorInfo.
const Domain = "tashika.jp"

// failure is why there is no verdict: the reason of google.rpc.ErrorInfo. The set is closed
// and append-only, as programs match on it.
type failure string

const (
	credentialsMissing  failure = "CREDENTIALS_MISSING"
	credentialsUnknown  failure = "CREDENTIALS_UNKNOWN"
	credentialsConflict failure = "CREDENTIALS_CONFLICT"
	useNotGranted       failure = "USE_NOT_GRANTED"

	malformedRequest     failure = "MALFORMED_REQUEST"
	unknownField         failure = "UNKNOWN_FIELD"
	fieldInvalid         failure = "FIELD_INVALID"
	requestTooLarge      failure = "REQUEST_TOO_LARGE"
	contentTypeRefused   failure = "CONTENT_TYPE_REFUSED"
	formatFailure        failure = "FORMAT_FAILURE" // as in certs/reason, and so are those of CMS: what is presented is not one
	cmsFormatFailure     failure = "CMS_FORMAT_FAILURE"
	cmsSignerMissing     failure = "CMS_SIGNER_MISSING"
	cmsSignersAmbiguous  failure = "CMS_SIGNERS_AMBIGUOUS"
	cmsCertificateAbsent failure = "CMS_SIGNER_CERTIFICATE_MISSING"
	cmsContentMissing    failure = "CMS_CONTENT_MISSING"
	signedFormMismatch   failure = "SIGNED_FORM_MISMATCH"
	digestLengthMismatch failure = "DIGEST_LENGTH_MISMATCH"
	methodNotOffered     failure = "REVOCATION_METHOD_NOT_OFFERED"
	useWithoutChallenge  failure = "USE_WITHOUT_CHALLENGE"
	pageTokenInvalid     failure = "PAGE_TOKEN_INVALID"

	rateLimited         failure = "RATE_LIMITED"
	serverBusy          failure = "SERVER_BUSY"
	challengesExhausted failure = "CHALLENGES_EXHAUSTED"
	watchersExhausted   failure = "WATCHERS_EXHAUSTED"
	streamsExhausted    failure = "STREAMS_EXHAUSTED"

	challengesUnavailable failure = "CHALLENGES_UNAVAILABLE"
	shuttingDown          failure = "SHUTTING_DOWN"
	streamEnded           failure = "STREAM_ENDED"
	deadlineExceeded      failure = "DEADLINE_EXCEEDED"
	cancelled             failure = "CANCELLED"
	internal              failure = "INTERNAL"

	methodUnknown    failure = "METHOD_UNKNOWN"
	routeNotFound    failure = "ROUTE_NOT_FOUND"
	methodNotAllowed failure = "METHOD_NOT_ALLOWED"
	serviceUnknown   failure = "SERVICE_UNKNOWN"
)

// failures says of each: its code, when to come back (0: not by itself), and what it means.
var failures = map[failure]struct {
	code   codes.Code
	retry  time.Duration
	ja, en string
}{
	credentialsMissing: {codes.Unauthenticated, 0,
		"認証情報がありません。", "The call has no credentials: a bearer token, or a TLS client certificate."},
	credentialsUnknown: {codes.Unauthenticated, 0,
		"認証情報が登録されたものではありません。", "The credentials are not those of a relying party."},
	credentialsConflict: {codes.Unauthenticated, 0,
		"トークンとクライアント証明書が別の利用者のものです。", "Token and client certificate are those of different relying parties."},
	useNotGranted: {codes.PermissionDenied, 0,
		"この用途は許可されていません。", "The relying party has not been granted this use."},

	malformedRequest: {codes.InvalidArgument, 0,
		"要求を読み取れません。", "The request is not a well-formed message of this method."},
	unknownField: {codes.InvalidArgument, 0,
		"要求に未知の項目があります。", "The request has a field or parameter that this method does not know."},
	fieldInvalid: {codes.InvalidArgument, 0,
		"要求の項目が正しくありません。", "A field of the request has a value that is not accepted."},
	requestTooLarge: {codes.InvalidArgument, 0,
		"要求が大きすぎます。", "The request is larger than is accepted."},
	contentTypeRefused: {codes.InvalidArgument, 0,
		"Content-Typeがapplication/jsonではありません。", "The body must be application/json, in UTF-8 and not compressed."},
	formatFailure: {codes.InvalidArgument, 0,
		"証明書の形式が正しくありません。", "The certificate is not a well-formed DER certificate."},
	cmsFormatFailure: {codes.InvalidArgument, 0,
		"CMS署名データの形式が正しくありません。", "The CMS message is not a well-formed SignedData in BER or DER."},
	cmsSignerMissing: {codes.InvalidArgument, 0,
		"CMS署名データに署名者がありません。", "The CMS message has no signer: nothing in it is signed."},
	cmsSignersAmbiguous: {codes.InvalidArgument, 0,
		"署名者がちょうど1人のCMS署名データが必要です。", "The CMS message has more than one signer: none of them is the holder for certain."},
	cmsCertificateAbsent: {codes.InvalidArgument, 0,
		"署名者の証明書が見つかりません。", "The certificate that the CMS message's signer names is neither given nor inside, or another one is given."},
	cmsContentMissing: {codes.InvalidArgument, 0,
		"署名対象のデータがありません。", "The CMS message is detached and its content is not given."},
	signedFormMismatch: {codes.InvalidArgument, 0,
		"署名対象の種類がこの用途のものではありません。", "What was signed is not of the form of this use: a challenge, or content."},
	digestLengthMismatch: {codes.InvalidArgument, 0,
		"ダイジェストの長さが署名アルゴリズムに合いません。", "The digest does not have the length of the hash of the signature's algorithm."},
	methodNotOffered: {codes.InvalidArgument, 0,
		"この用途では使えない失効確認の方法です。", "The profile of this use does not offer this revocation method."},
	useWithoutChallenge: {codes.InvalidArgument, 0,
		"この用途ではチャレンジを使いません。", "This use is not answered with a challenge: the holder signs content."},
	pageTokenInvalid: {codes.InvalidArgument, 0,
		"page_tokenが正しくありません。", "The page_token is not one that was returned."},

	rateLimited: {codes.ResourceExhausted, time.Second,
		"呼び出し回数の上限を超えました。", "The relying party calls more often than it was granted."},
	serverBusy: {codes.ResourceExhausted, time.Second,
		"混み合っています。しばらくしてからもう一度お試しください。", "The server is at its capacity."},
	challengesExhausted: {codes.ResourceExhausted, 5 * time.Second,
		"混み合っています。しばらくしてからもう一度お試しください。", "As many challenges were used lately as can be remembered. This one was not consumed."},
	watchersExhausted: {codes.ResourceExhausted, time.Minute,
		"監視接続が多すぎます。", "Too many health watches are open."},
	streamsExhausted: {codes.ResourceExhausted, 5 * time.Second,
		"同時に開けるストリームの上限を超えました。", "The relying party has more streams open than it was granted."},

	challengesUnavailable: {codes.Unavailable, time.Second,
		"ただいま処理できません。しばらくしてからもう一度お試しください。", "The memory of used challenges cannot be reached."},
	shuttingDown: {codes.Unavailable, time.Second,
		"サーバーは停止中です。", "The server is shutting down."},
	streamEnded: {codes.Unavailable, 0,
		"ストリームは終了しました。新しいストリームを開いてください。", "The stream was idle for long or has reached its age. What has no answer was not accepted: open another."},
	deadlineExceeded: {codes.DeadlineExceeded, 0,
		"時間内に処理できませんでした。", "The deadline passed before there was an answer."},
	cancelled: {codes.Canceled, 0,
		"呼び出しが取り消されました。", "The caller has gone."},
	internal: {codes.Internal, 0,
		"サーバー内部で問題が発生しました。", "Something went wrong in the server. Its log has the detail, under the trace id."},

	methodUnknown: {codes.Unimplemented, 0,
		"このメソッドはありません。", "There is no such method."},
	routeNotFound: {codes.NotFound, 0,
		"このパスはありません。", "There is no such path."},
	methodNotAllowed: {codes.Unimplemented, 0,
		"このパスではこのHTTPメソッドは使えません。", "The path does not take this HTTP method."},
	serviceUnknown: {codes.NotFound, 0,
		"このサービスはありません。", "There is no such service."},
}

// violation is what is wrong with a field: its path in the request's message, a reason in
// UPPER_SNAKE_CASE, and a sentence. None of them has a value of the request in it.
type violation struct{ field, reason, description string }

// refusal is the error of a failure, with all that the caller is told.
type refusal struct {
	failure failure
	answer  *status.Status
}

func (r *refusal) Error() string              { return r.answer.String() }
func (r *refusal) GRPCStatus() *status.Status { return r.answer }

// plain are the errors without anything particular to a call, made once: they are most
// wanted when there is least time.
var plain = func() map[failure]*refusal {
	out := make(map[failure]*refusal, len(failures))
	for f, row := range failures {
		out[f] = &refusal{f, f.status(row.retry, nil)}
	}
	return out
}()

// fail is the error of a failure.
func fail(f failure, violations ...violation) error {
	if len(violations) == 0 {
		return plain[f]
	}
	return &refusal{f, f.status(failures[f].retry, violations)}
}

// failAfter is the error of a failure that passes after a time.
func failAfter(f failure, retry time.Duration) error { return &refusal{f, f.status(retry, nil)} }

// status has every detail that fits (google/rpc/error_details.proto; AIP-193).
func (f failure) status(retry time.Duration, violations []violation) *status.Status {
	row := failures[f]
	details := []protoadapt.MessageV1{&errdetails.ErrorInfo{Reason: string(f), Domain: Domain}}
	if len(violations) > 0 {
		bad := &errdetails.BadRequest{}
		for _, v := range violations {
			bad.FieldViolations = append(bad.FieldViolations,
				&errdetails.BadRequest_FieldViolation{Field: v.field, Reason: v.reason, Description: v.description})
		}
		details = append(details, bad)
	}
	if retry > 0 {
		details = append(details, &errdetails.RetryInfo{RetryDelay: durationpb.New(retry)})
	}
	details = append(details, &errdetails.LocalizedMessage{Locale: "ja-JP", Message: row.ja},
		&errdetails.LocalizedMessage{Locale: "en", Message: row.en})
	s, err := status.New(row.code, row.en).WithDetails(details...)
	if err != nil { // only for the code OK, which no row has
		return status.New(codes.Internal, row.en)
	}
	return s
}

// trouble is a failure of our own: the caller sees the failure, the log the detail.
type trouble struct {
	failure failure
	detail  error
}

func (t *trouble) Error() string              { return string(t.failure) + ": " + t.detail.Error() }
func (t *trouble) Unwrap() error              { return t.detail }
func (t *trouble) GRPCStatus() *status.Status { return plain[t.failure].answer }

// explained makes sure that an error has ErrorInfo and nothing that only the log may have.
func explained(err error) error {
	if err == nil || failureOf(err) != "" {
		return err
	}
	s, ok := status.FromError(err)
	if ok && infoOf(s) != nil {
		return err
	}
	code := s.Code()
	switch {
	case errors.Is(err, context.DeadlineExceeded) || code == codes.DeadlineExceeded:
		return fail(deadlineExceeded)
	case errors.Is(err, context.Canceled) || code == codes.Canceled:
		return fail(cancelled)
	case code == codes.Unimplemented:
		return fail(methodUnknown)
	case code == codes.InvalidArgument:
		return fail(malformedRequest)
	case code == codes.Unavailable:
		return fail(shuttingDown)
	}
	return &trouble{internal, err}
}

// failureOf is that of an error of ours; empty if it is another's.
func failureOf(err error) failure {
	if err == nil {
		return ""
	}
	var told *refusal
	var own *trouble
	switch {
	case errors.As(err, &told):
		return told.failure
	case errors.As(err, &own):
		return own.failure
	}
	return ""
}

// infoOf is the ErrorInfo of a status, or nil.
func infoOf(s *status.Status) *errdetails.ErrorInfo {
	for _, detail := range s.Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok {
			return info
		}
	}
	return nil
}
