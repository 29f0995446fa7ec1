package server

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"

	"github.com/tashika-jp/tashika/certs/sandbox"
	tashikav1 "github.com/tashika-jp/tashika/proto/tashika/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/types/known/durationpb"
)

// TestStrictJSON: what the HTTP door cannot read exactly it refuses, and says why in the form of every other error.
func TestStrictJSON(t *testing.T) {
	r := start(t, nil)
	const path = "/v1/challenges"
	const good = `{"use":"USE_CONVENIENCE_STORE_ISSUANCE"}`
	for _, c := range []struct {
		name, method, path, body string
		header                   []string
		code                     int
		failure                  failure
		mention                  string
	}{
		{"good", "POST", path, good, nil, 200, "", ""},
		{"good_charset", "POST", path, good, []string{"Content-Type", "application/json; charset=UTF-8"}, 200, "", ""},
		{"good_number", "POST", path, `{"use":1}`, nil, 200, "", ""},
		{"bad_unknown_field", "POST", path, `{"use":1,"colour":"red"}`, nil, 400, unknownField, "colour"},
		{"bad_twice", "POST", path, `{"use":1,"use":1}`, nil, 400, malformedRequest, "use"},
		{"bad_wrong_type", "POST", path, `{"use":true}`, nil, 400, fieldInvalid, "use"},
		{"bad_enum_name", "POST", path, `{"use":"USE_BAKERY"}`, nil, 400, fieldInvalid, "use"},
		{"bad_base64", "POST", "/v1/certificates:inspect", `{"certificate":"***"}`, nil, 400, fieldInvalid, "certificate"},
		{"bad_oneof_twice", "POST", "/v1:verify", `{"challenge":"AA==","content":"AA=="}`, nil, 400, malformedRequest, ""},
		{"bad_trailing", "POST", path, good + `{}`, nil, 400, malformedRequest, ""},
		{"bad_array", "POST", path, `[]`, nil, 400, malformedRequest, ""},
		{"bad_not_json", "POST", path, `use=1`, nil, 400, malformedRequest, ""},
		{"bad_empty", "POST", path, ``, nil, 400, fieldInvalid, "use"},
		{"bad_utf8", "POST", path, "{\"use\":\"\xff\"}", nil, 400, "", ""},
		{"bad_query_with_body", "POST", path + "?use=1", good, nil, 400, unknownField, ""},
		{"bad_form", "POST", path, "use=1", []string{"Content-Type", "application/x-www-form-urlencoded"}, 415, contentTypeRefused, ""},
		{"bad_charset", "POST", path, good, []string{"Content-Type", "application/json; charset=shift_jis"}, 415, contentTypeRefused, ""},
		{"bad_compressed", "POST", path, good, []string{"Content-Encoding", "gzip"}, 415, contentTypeRefused, ""},
		{"bad_method_override", "POST", "/v1/devices", "", []string{"X-HTTP-Method-Override", "GET"}, 405, methodNotAllowed, ""},
		{"bad_timeout", "POST", path, good, []string{"Grpc-Timeout", "soon"}, 400, malformedRequest, ""},
		{"bad_too_large", "POST", path, strings.Repeat(" ", 6<<20), []string{"Expect", "100-continue"}, 413, requestTooLarge, ""},
		{"good_query", "GET", "/v1/devices?pageSize=1", "", nil, 200, "", ""},
		{"good_query_proto_name", "GET", "/v1/devices?page_size=1", "", nil, 200, "", ""},
		{"bad_query_unknown", "GET", "/v1/devices?colour=red", "", nil, 400, unknownField, "colour"},
		{"bad_query_twice", "GET", "/v1/devices?pageSize=1&pageSize=2", "", nil, 400, malformedRequest, "pageSize"},
		{"bad_query_twice_by_two_names", "GET", "/v1/devices?pageSize=1&page_size=1", "", nil, 400, malformedRequest, ""},
		{"bad_query_type", "GET", "/v1/devices?pageSize=many", "", nil, 400, fieldInvalid, "page_size"},
		{"bad_query_path", "GET", "/v1/devices?page_size.x=1", "", nil, 400, unknownField, "page_size.x"},
		{"bad_query_range", "GET", "/v1/devices?pageSize=1001", "", nil, 400, fieldInvalid, "page_size"},
		{"bad_query_escape", "GET", "/v1/devices?pageSize=%zz", "", nil, 400, malformedRequest, ""},
		{"bad_route", "GET", "/v1/nothing", "", nil, 404, routeNotFound, ""},
		{"bad_http_method", "GET", path, "", nil, 405, methodNotAllowed, ""},
		{"bad_http_method_own_path", "POST", "/readyz", "", nil, 405, methodNotAllowed, ""},
		{"bad_delete", "DELETE", "/v1/devices", "", nil, 405, methodNotAllowed, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var a answer
			if c.method == http.MethodPost {
				a = r.post(c.path, kioskToken, c.body, c.header...)
			} else {
				a = r.do(c.method, c.path, kioskToken, nil, c.header...)
			}
			if a.code != c.code || c.failure != "" && a.failure() != string(c.failure) || !strings.Contains(string(a.body), c.mention) {
				t.Errorf("%d %s, want %d %s", a.code, a.body, c.code, c.failure)
			}
			if c.code == http.StatusMethodNotAllowed && a.header.Get("Allow") == "" {
				t.Error("no Allow header")
			}
			if a.header.Get("Content-Type") != jsonType || a.header.Get(traceresponse) == "" || a.header.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("header %v", a.header)
			}
		})
	}
	if a := r.post(path, kioskToken, good); !strings.Contains(string(a.body), `"expireTime"`) {
		t.Errorf("not the names of JSON: %s", a.body)
	}
}

// TestUnknownProtobufField: at any depth.
func TestUnknownProtobufField(t *testing.T) {
	r := start(t, nil)
	stray := protowire.AppendVarint(protowire.AppendTag(nil, 4000, protowire.VarintType), 1)
	request := &tashikav1.CreateChallengeRequest{Use: tashikav1.Use_USE_CONVENIENCE_STORE_ISSUANCE}
	request.ProtoReflect().SetUnknown(stray)
	_, err := r.verification().CreateChallenge(as(kioskToken), request)
	want(t, "outside", err, unknownField, "")
	age := durationpb.New(1e9)
	age.ProtoReflect().SetUnknown(stray)
	_, err = tashikav1.NewCertificateServiceClient(r.conn).CheckStatus(as(kioskToken), &tashikav1.CheckStatusRequest{
		Use: 1, Certificate: newPhone(t).Certificate(sandbox.Auth).DER, MaxAge: age})
	want(t, "inside", err, unknownField, "max_age")
}

// TestAnswersAreWhole: JSON has the fields that are zero, and reads back.
func TestAnswersAreWhole(t *testing.T) {
	r := refreshed(t, nil)
	der := base64.StdEncoding.EncodeToString(newPhone(t).Certificate(sandbox.Auth).DER)
	a := r.post("/v1/certificates:checkStatus", kioskToken, `{"use":1,"certificate":"`+der+`"}`)
	if a.code != 200 || !strings.Contains(string(a.body), `"fallback":false`) {
		t.Errorf("%d %s", a.code, a.body)
	}
	if err := protojson.Unmarshal(a.body, &tashikav1.CheckStatusResponse{}); err != nil {
		t.Error(err)
	}
}

func TestTraceparent(t *testing.T) {
	const id = "4bf92f3577b34da6a3ce929d0e0e4736"
	for header, good := range map[string]bool{
		"00-" + id + "-00f067aa0ba902b7-01":                            true,
		"01-" + id + "-00f067aa0ba902b7-01-more":                       true,
		"00-" + id + "-00f067aa0ba902b7-01-more":                       false,
		"ff-" + id + "-00f067aa0ba902b7-01":                            false,
		"00-" + strings.ToUpper(id) + "-00f067aa0ba902b7-01":           false,
		"00-" + strings.Repeat("0", 32) + "-00f067aa0ba902b7-01":       false,
		"00-" + id + "-0000000000000000-01":                            false,
		"":                                                             false,
		"00-" + id:                                                     false,
		"00-" + id + "-00f067aa0ba902b7-0g":                            false,
		"zz-" + id + "-00f067aa0ba902b7-01":                            false,
		"00_" + id + "-00f067aa0ba902b7-01":                            false,
		"00-" + id + "-00f067aa0ba902b7-01" + strings.Repeat("x", 100): false,
	} {
		got := newTrace(header)
		if (got.String() == id) != good {
			t.Errorf("%q: %s", header, string(got))
		}
		if good && string(got[53:]) != "01" || !good && string(got[53:]) != "00" {
			t.Errorf("%q: flags of %s", header, got)
		}
		if !isTraceparent(string(got)) {
			t.Errorf("our own header %s is none", string(got))
		}
	}
	r := start(t, nil)
	a := r.do(http.MethodGet, "/v1/devices", kioskToken, nil, "Traceparent", "00-"+id+"-00f067aa0ba902b7-01")
	if !strings.Contains(a.header.Get(traceresponse), id) || !strings.Contains(r.log.String(), id) {
		t.Errorf("the trace is lost: %v", a.header)
	}
}
