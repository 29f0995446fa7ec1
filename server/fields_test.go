package server

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/tashika-jp/tashika/certs/sandbox"
	tashikav1 "github.com/tashika-jp/tashika/proto/tashika/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"google.golang.org/grpc"
)

// rpc is a method of the API with its HTTP path and a request that it takes.
type rpc struct {
	full, verb, path string
	good             proto.Message
	response         proto.Message
}

func apiMethods(r *running) []rpc {
	phone := newPhone(r.t)
	identity := r.kycRequest(phone)
	return []rpc{
		{tashikav1.VerificationService_CreateChallenge_FullMethodName, "POST", "/v1/challenges",
			&tashikav1.CreateChallengeRequest{Use: tashikav1.Use_USE_HEALTH_INSURANCE}, &tashikav1.CreateChallengeResponse{}},
		{tashikav1.VerificationService_Verify_FullMethodName, "POST", "/v1:verify", identity, &tashikav1.VerifyResponse{}},
		{tashikav1.CertificateService_CheckStatus_FullMethodName, "POST", "/v1/certificates:checkStatus",
			&tashikav1.CheckStatusRequest{Use: identity.GetUse(), Certificate: identity.GetCertificate(), RevocationMethod: identity.GetRevocationMethod()}, &tashikav1.CheckStatusResponse{}},
		{tashikav1.CertificateService_Inspect_FullMethodName, "POST", "/v1/certificates:inspect",
			&tashikav1.InspectRequest{Certificate: identity.GetCertificate()}, &tashikav1.InspectResponse{}},
		{tashikav1.RevocationService_ListSources_FullMethodName, "GET", "/v1/revocationSources", &tashikav1.ListSourcesRequest{}, &tashikav1.ListSourcesResponse{}},
		{tashikav1.DeviceService_CheckDevice_FullMethodName, "GET", "/v1/devices:check", &tashikav1.CheckDeviceRequest{Model: "x"}, &tashikav1.CheckDeviceResponse{}},
		{tashikav1.DeviceService_ListDevices_FullMethodName, "GET", "/v1/devices", &tashikav1.ListDevicesRequest{}, &tashikav1.ListDevicesResponse{}},
		{tashikav1.VerificationService_Verify_FullMethodName, "POST", "/v1:verify",
			withContent(cmsRequest(r.t, phone, sandbox.CMSOptions{}), cmsContent), &tashikav1.VerifyResponse{}},
	}
}

// spoiled are values of a field that nobody should send: empty, oversized, random, out of range. What
// each comes to is the method's to say: an answer, or a clear INVALID_ARGUMENT.
func spoiled(base proto.Message, field protoreflect.FieldDescriptor, random *rand.Rand) (out []proto.Message) {
	with := func(v protoreflect.Value) {
		m := proto.Clone(base)
		m.ProtoReflect().Set(field, v)
		out = append(out, m)
	}
	empty := proto.Clone(base)
	empty.ProtoReflect().Clear(field)
	out = append(out, empty)
	noise := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(random.Uint32())
		}
		return b
	}
	sizes := []int{1, 16, 31, 32, 33, 255, 257, 1025, 16 << 10, 16<<10 + 1, 1<<20 + 1}
	switch field.Kind() {
	case protoreflect.BytesKind:
		with(protoreflect.ValueOfBytes(nil))
		for _, n := range sizes {
			with(protoreflect.ValueOfBytes(noise(n)))
			with(protoreflect.ValueOfBytes(make([]byte, n)))
		}
	case protoreflect.StringKind:
		for _, n := range sizes[:8] {
			with(protoreflect.ValueOfString(strings.Repeat("あ", n)))
			with(protoreflect.ValueOfString(strings.Map(func(r rune) rune { return r&0x7f | 1 }, string(noise(n)))))
		}
		with(protoreflect.ValueOfString("\x00\u202e"))
	case protoreflect.EnumKind:
		for _, n := range []int32{0, -1, 99, 1 << 30} {
			with(protoreflect.ValueOfEnum(protoreflect.EnumNumber(n)))
		}
	case protoreflect.Int32Kind:
		for _, n := range []int32{-1, 1001, -1 << 31, 1<<31 - 1} {
			with(protoreflect.ValueOfInt32(n))
		}
	case protoreflect.MessageKind:
		inner := base.ProtoReflect().NewField(field).Message()
		for _, pair := range [][2]int64{{0, 0}, {-1, 0}, {1 << 62, 0}, {1, -1}, {1, 2e9}, {31536001, 0}} {
			m := inner.New()
			m.Set(m.Descriptor().Fields().ByName("seconds"), protoreflect.ValueOfInt64(pair[0]))
			m.Set(m.Descriptor().Fields().ByName("nanos"), protoreflect.ValueOfInt32(int32(pair[1])))
			with(protoreflect.ValueOfMessage(m))
		}
	}
	return out
}

// TestEveryField sends every field of every request empty, oversized, random and out of range, through both
// doors: INVALID_ARGUMENT with ErrorInfo or an answer, never anything else, and the next good request works.
func TestEveryField(t *testing.T) {
	r := refreshed(t, nil)
	random := rand.New(rand.NewPCG(1, 2))
	sent, refused := 0, 0
	for _, m := range apiMethods(r) {
		good := func(after string) {
			t.Helper()
			if err := r.conn.Invoke(as(allToken), m.full, m.good, proto.Clone(m.response)); err != nil {
				t.Fatalf("%s: a good request after %s: %v", m.full, after, err)
			}
		}
		good("nothing")
		fields := m.good.ProtoReflect().Descriptor().Fields()
		for i := range fields.Len() {
			field := fields.Get(i)
			for _, bad := range spoiled(m.good, field, random) {
				sent++
				err := r.conn.Invoke(as(allToken), m.full, bad, proto.Clone(m.response))
				if code := status.Code(err); code != codes.OK && (code != codes.InvalidArgument || reasonOf(err) == "") {
					t.Errorf("%s, %s: %v", m.full, field.Name(), err)
				}
				if err != nil {
					refused++
				}
				a, ok := r.send(m, bad)
				if !ok {
					continue
				}
				if grpcOK, httpOK := err == nil, a.code == http.StatusOK; grpcOK != httpOK || !httpOK && (a.code != http.StatusBadRequest || a.failure() == "") {
					t.Errorf("%s, %s: gRPC says %v, HTTP %d %s", m.full, field.Name(), err, a.code, a.body)
				}
			}
			good(string(field.Name()))
		}
	}
	if sent < 100 || refused < sent/2 {
		t.Errorf("%d sent, %d refused", sent, refused)
	}
	if strings.Contains(r.log.String(), "panic") {
		t.Error("something panicked")
	}
}

// send sends a message over HTTP; false where JSON has no form for it.
func (r *running) send(m rpc, message proto.Message) (answer, bool) {
	body, err := protojson.Marshal(message)
	if err != nil {
		return answer{}, false
	}
	if m.verb == http.MethodPost {
		return r.post(m.path, allToken, string(body)), true
	}
	query := url.Values{}
	message.ProtoReflect().Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		text := v.String()
		if f.Kind() == protoreflect.EnumKind {
			text = fmt.Sprint(v.Enum())
		}
		query.Set(f.JSONName(), text)
		return true
	})
	return r.do(m.verb, m.path+"?"+query.Encode(), allToken, nil), true
}

// rawCodec sends bytes as they are.
type rawCodec struct{ encoding.CodecV2 }

func (rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(*v.(*[]byte))}, nil
}
func (rawCodec) Unmarshal(mem.BufferSlice, any) error { return nil }
func (rawCodec) Name() string                         { return "proto" }

// TestNoise: what is no protobuf, and what is no JSON, is the caller's mistake, seen by the guard: who has no
// credentials is not even told that.
func TestNoise(t *testing.T) {
	r := refreshed(t, nil)
	random := rand.New(rand.NewPCG(3, 4))
	for _, m := range apiMethods(r) {
		for range 30 {
			noise := make([]byte, random.IntN(300)+1)
			for i := range noise {
				noise[i] = byte(random.Uint32())
			}
			if proto.Unmarshal(noise, dynamicpb.NewMessage(m.good.ProtoReflect().Descriptor())) == nil {
				continue
			}
			var none []byte
			err := r.conn.Invoke(as(allToken), m.full, &noise, &none, grpc.ForceCodecV2(rawCodec{}))
			want(t, m.full, err, malformedRequest, "")
			err = r.conn.Invoke(as(""), m.full, &noise, &none, grpc.ForceCodecV2(rawCodec{}))
			want(t, m.full, err, credentialsMissing, "")
			if m.verb == http.MethodPost {
				if a := r.post(m.path, allToken, string(noise)); a.code != http.StatusBadRequest || a.failure() == "" {
					t.Errorf("%s: %d %s", m.path, a.code, a.body)
				}
			}
		}
		if err := r.conn.Invoke(as(allToken), m.full, m.good, proto.Clone(m.response)); err != nil {
			t.Errorf("%s: a good request after noise: %v", m.full, err)
		}
	}
	huge := &tashikav1.InspectRequest{Certificate: make([]byte, 8<<20)}
	if err := r.conn.Invoke(as(allToken), tashikav1.CertificateService_Inspect_FullMethodName, huge, &tashikav1.InspectResponse{}); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("above the limit of a message: %v", err)
	}
}
