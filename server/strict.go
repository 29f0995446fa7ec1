package server

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"github.com/grpc-ecosystem/grpc-gateway/v2/utilities"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// jsonType is the one type of bodies.
const jsonType = "application/json"

// strictJSON is the gateway's JSON, read strictly: one value and nothing after it, no field that the message does not
// have, none twice. What is written has every field but messages that are not there, so that a
// caller sees "fallback": false and need not know that it is a default.
type strictJSON struct{ runtime.JSONPb }

func newStrictJSON() *strictJSON {
	return &strictJSON{runtime.JSONPb{MarshalOptions: protojson.MarshalOptions{EmitDefaultValues: true}}}
}

// requestBody is the body of a request, with room for what was found wrong with it: the generated code between the decoder and
// the error handler keeps only an error's text.
type requestBody struct {
	io.ReadCloser
	problem *problem
}

type problem struct {
	failure    failure
	violations []violation
}

var errProblem = errors.New("server: the request cannot be translated")

// NewDecoder decodes a whole body.
func (j *strictJSON) NewDecoder(r io.Reader) runtime.Decoder {
	return runtime.DecoderFunc(func(into any) error {
		data, err := io.ReadAll(r)
		message, isMessage := into.(proto.Message)
		if err == nil && len(data) == 0 {
			return io.EOF // an empty request, which is for validation to judge
		}
		if err == nil && isMessage {
			if err = protojson.Unmarshal(data, message); err == nil {
				return nil
			}
		}
		if body, ok := r.(*requestBody); ok {
			body.problem = jsonProblem(err)
		}
		return errProblem
	})
}

// The words of protojson's errors that we can say more exactly. They are not promised; TestStrictJSON notices a change, and what
// is not recognized is still refused.
var (
	jsonUnknown   = regexp.MustCompile(`unknown field "([^"]*)"`)
	jsonTwice     = regexp.MustCompile(`(?:duplicate field "([^"]*)"|error parsing "([^"]*)", oneof)`)
	jsonWrongType = regexp.MustCompile(`invalid value for (\w+) field (\w+)`)
	jsonPosition  = regexp.MustCompile(`\(line \d+:\d+\)`)
)

// jsonProblem says what is wrong with a body, without quoting values from it.
func jsonProblem(err error) *problem {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return &problem{failure: requestTooLarge}
	}
	text := "not JSON"
	if err != nil {
		text = err.Error()
	}
	where := strings.TrimSpace(" " + jsonPosition.FindString(text))
	say := func(f failure, field, reason, what string) *problem {
		return &problem{f, []violation{{field, reason, strings.TrimSpace(what + " " + where)}}}
	}
	if m := jsonUnknown.FindStringSubmatch(text); m != nil {
		return say(unknownField, clipped(m[1]), "UNKNOWN_FIELD", "The request has no such field.")
	}
	if m := jsonTwice.FindStringSubmatch(text); m != nil {
		return say(malformedRequest, clipped(m[1]+m[2]), "FIELD_GIVEN_TWICE", "The field, or another of its oneof, is given twice.")
	}
	if m := jsonWrongType.FindStringSubmatch(text); m != nil {
		return say(fieldInvalid, m[2], "WRONG_TYPE", "The value is not of the type "+m[1]+".")
	}
	return say(malformedRequest, "", "MALFORMED_JSON", "The body is not the JSON of this request.")
}

// clipped bounds a name that a caller made up.
func clipped(name string) string {
	if len(name) > 64 {
		return strings.ToValidUTF8(name[:64], "") + "…"
	}
	return name
}

// strictQueries makes the gateway refuse query parameters that the request has no field for. The parser is
// a variable of the gateway's package, so it is set once for all servers of a process.
var strictQueries = sync.OnceFunc(func() { runtime.NewServeMux(runtime.SetQueryParameterParser(queryParser{})) })

type queryParser struct{ lenient runtime.DefaultQueryParser }

// queryError says which parameter, in a form that queryProblem takes apart again: the generated code keeps only the text.
type queryError struct {
	failure     failure
	name        string
	description string
}

func (e *queryError) Error() string {
	return string(e.failure) + " " + strconv.Quote(e.name) + " " + e.description
}

// Parse implements runtime.QueryParameterParser.
func (q queryParser) Parse(m proto.Message, values url.Values, filter *utilities.DoubleArray) error {
	fields := m.ProtoReflect().Descriptor().Fields()
	seen := map[string]bool{}
	for name, value := range values {
		field := fields.ByJSONName(name)
		if field == nil {
			field = fields.ByTextName(name)
		}
		switch {
		case field == nil || filter.HasCommonPrefix([]string{string(field.Name())}):
			return &queryError{unknownField, clipped(name), "The request has no such parameter."}
		case len(value) != 1 || seen[string(field.Name())]:
			return &queryError{malformedRequest, name, "The parameter is given twice."}
		}
		seen[string(field.Name())] = true
		if err := q.lenient.Parse(m, url.Values{string(field.Name()): value}, filter); err != nil {
			return &queryError{fieldInvalid, string(field.Name()), "The value is not of the type " + field.Kind().String() + "."}
		}
	}
	return nil
}

// queryProblem reads what queryError wrote; nil if it was not one.
func queryProblem(text string) *problem {
	id, rest, _ := strings.Cut(text, " ")
	quoted, err := strconv.QuotedPrefix(rest)
	if _, known := failures[failure(id)]; !known || err != nil {
		return nil
	}
	name, err := strconv.Unquote(quoted)
	if err != nil {
		return nil
	}
	reason := map[failure]string{unknownField: "UNKNOWN_FIELD", malformedRequest: "FIELD_GIVEN_TWICE", fieldInvalid: "WRONG_TYPE"}[failure(id)]
	return &problem{failure(id), []violation{{name, reason, strings.TrimSpace(rest[len(quoted):])}}}
}
