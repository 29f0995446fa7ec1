package server

import (
	"bytes"
	"errors"
	"strings"
	"sync"

	"buf.build/go/protovalidate"
	tashikav1 "github.com/tashika-jp/tashika/proto/tashika/v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// validator knows the rules that stand in the .proto files. Compiling them takes milliseconds,
// so it is done once.
var validator = sync.OnceValues(func() (protovalidate.Validator, error) {
	return protovalidate.New(protovalidate.WithMessages(
		&tashikav1.CreateChallengeRequest{}, &tashikav1.VerifyRequest{}, &tashikav1.CheckStatusRequest{},
		&tashikav1.VerifyStreamRequest{}, &tashikav1.CheckStatusStreamRequest{}, &tashikav1.BatchVerifyRequest{}, &tashikav1.BatchCheckStatusRequest{},
		&tashikav1.InspectRequest{}, &tashikav1.ListSourcesRequest{}, &tashikav1.CheckDeviceRequest{}, &tashikav1.ListDevicesRequest{},
	))
})

// validate refuses a request that is not what the .proto files say. All violations are told.
func (s *Server) validate(request any) error {
	m, ok := request.(proto.Message)
	if !ok {
		return &trouble{internal, errors.New("a request that is no message")}
	}
	if bytes.Equal(m.ProtoReflect().GetUnknown(), unreadable) {
		return fail(malformedRequest)
	}
	// A field that we do not know may have asked for something that we would not do.
	find, within := unknownIn, ""
	switch m.(type) {
	case *tashikav1.BatchVerifyRequest, *tashikav1.BatchCheckStatusRequest:
		find = unknownOf // what is wrong with an item is for its own result
	case *tashikav1.VerifyStreamRequest, *tashikav1.CheckStatusStreamRequest:
		within = "request" // which is what the caller is told of
	}
	if path, found := find(m.ProtoReflect()); found {
		return fail(unknownField, violation{inner(path, within), "UNKNOWN_FIELD", "The message has a field that this version does not know."})
	}
	err := s.validator.Validate(m)
	var wrong *protovalidate.ValidationError
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &wrong):
		return &trouble{internal, err}
	}
	violations := make([]violation, len(wrong.Violations))
	for i, v := range wrong.Violations {
		field, rule := protovalidate.FieldPathString(v.Proto.GetField()), v.Proto.GetRuleId()
		if field = inner(field, within); field == "" { // a rule of the whole message has the field that it is about in its id
			field, rule, _ = strings.Cut(rule, ".")
		}
		if rule == "" { // of the item that has no request at all
			field, rule = within, "required"
		}
		violations[i] = violation{field: field, reason: upperSnake(rule), description: v.Proto.GetMessage()}
	}
	return fail(fieldInvalid, violations...)
}

// inner is the path inside of the field that is given; empty is the message itself.
func inner(path, field string) string {
	rest, found := strings.CutPrefix(path, field)
	if field == "" || !found || rest != "" && rest[0] != '.' {
		return path
	}
	return strings.TrimPrefix(rest, ".")
}

// upperSnake makes "bytes.max_len" BYTES_MAX_LEN.
func upperSnake(rule string) string {
	return strings.ToUpper(strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' {
			return r
		}
		return '_'
	}, rule))
}

// unknownOf is unknownIn for the message alone, without those inside of it.
func unknownOf(m protoreflect.Message) (path string, found bool) { return "", len(m.GetUnknown()) > 0 }

// unknownIn finds the message with an unknown field: its path, empty for the request itself.
func unknownIn(m protoreflect.Message) (path string, found bool) {
	if len(m.GetUnknown()) > 0 {
		return "", true
	}
	m.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		if field.Message() == nil || field.IsMap() {
			return true
		}
		inside := func(m protoreflect.Message) {
			var rest string
			if rest, found = unknownIn(m); found {
				path = strings.TrimSuffix(string(field.Name())+"."+rest, ".")
			}
		}
		if !field.IsList() {
			inside(value.Message())
			return !found
		}
		for i := 0; i < value.List().Len() && !found; i++ {
			inside(value.List().Get(i).Message())
		}
		return !found
	})
	return path, found
}
