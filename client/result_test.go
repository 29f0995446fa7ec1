package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/tashika-jp/tashika/client/internal/fake"
	tashikav1 "github.com/tashika-jp/tashika/proto/tashika/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// fill sets every field of a message, however deep, to a value that is not its zero:
// enumerations to n, or to their last value where n is 0.
func fill(m protoreflect.Message, n protoreflect.EnumNumber) proto.Message {
	switch message := m.Interface().(type) {
	case *timestamppb.Timestamp:
		message.Seconds, message.Nanos = 1_700_000_000, 5_000_000
		return message
	case *durationpb.Duration:
		message.Seconds, message.Nanos = 90, 500_000_000
		return message
	}
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		var v protoreflect.Value
		switch f.Kind() {
		case protoreflect.StringKind:
			v = protoreflect.ValueOfString(string(f.FullName()))
		case protoreflect.BytesKind:
			v = protoreflect.ValueOfBytes([]byte(f.FullName()))
		case protoreflect.BoolKind:
			v = protoreflect.ValueOfBool(true)
		case protoreflect.Int32Kind:
			v = protoreflect.ValueOfInt32(int32(f.Number()))
		case protoreflect.Int64Kind:
			v = protoreflect.ValueOfInt64(1<<53 + 1)
		case protoreflect.EnumKind:
			number := n
			if values := f.Enum().Values(); n == 0 {
				number = values.Get(values.Len() - 1).Number()
			}
			v = protoreflect.ValueOfEnum(number)
		case protoreflect.MessageKind:
			if f.IsList() {
				v = m.NewField(f).List().NewElement()
			} else {
				v = m.NewField(f)
			}
			fill(v.Message(), n)
		default:
			panic(f.FullName())
		}
		if f.IsList() {
			list := m.Mutable(f).List()
			list.Append(v)
			list.Append(v)
		} else {
			m.Set(f, v)
		}
	}
	return m.Interface()
}

// Nothing that the server says is lost, and the JSON of a result is the JSON of the API: a
// response with every field set, through the SDK and encoding/json, is read back by
// protojson as the same message.
func TestResultsKeepEverythingAndMarshalToTheJSONOfTheAPI(t *testing.T) {
	responses := map[string]proto.Message{
		"CreateChallenge": &tashikav1.CreateChallengeResponse{}, "Verify": &tashikav1.VerifyResponse{},
		"CheckStatus": &tashikav1.CheckStatusResponse{}, "Inspect": &tashikav1.InspectResponse{},
		"CheckDevice": &tashikav1.CheckDeviceResponse{}, "ListSources": &tashikav1.ListSourcesResponse{},
		"ListDevices": &tashikav1.ListDevicesResponse{},
	}
	for _, response := range responses {
		fill(response.ProtoReflect(), 0)
	}
	responses["ListSources"].(*tashikav1.ListSourcesResponse).NextPageToken = ""
	responses["ListDevices"].(*tashikav1.ListDevicesResponse).NextPageToken = ""
	c, _, _ := start(t, func(call fake.Call) (proto.Message, error) { return responses[call.Method], nil })
	ctx := hour(t)
	equal := func(method string, got any, want, into proto.Message) {
		t.Helper()
		data, err := json.Marshal(got)
		if err == nil {
			err = protojson.Unmarshal(data, into)
		}
		if diff := cmp.Diff(want, into, protocmp.Transform()); err != nil || diff != "" {
			t.Errorf("%s: %v\n%s\n%s", method, err, diff, data)
		}
	}
	challenge, err1 := c.CreateChallenge(ctx, UseHealthInsurance)
	verified, err2 := c.Verify(ctx, VerifyRequest{Challenge: []byte{1}})
	checked, err3 := c.CheckStatus(ctx, StatusRequest{})
	inspected, err4 := c.Inspect(ctx, nil)
	device, err5 := c.CheckDevice(ctx, Handset{})
	if err := errors.Join(err1, err2, err3, err4, err5); err != nil {
		t.Fatal(err)
	}
	equal("CreateChallenge", challenge, responses["CreateChallenge"], &tashikav1.CreateChallengeResponse{})
	equal("Verify", verified, responses["Verify"], &tashikav1.VerifyResponse{})
	equal("CheckStatus", checked, responses["CheckStatus"], &tashikav1.CheckStatusResponse{})
	equal("Inspect", inspected, responses["Inspect"], &tashikav1.InspectResponse{})
	equal("CheckDevice", device, responses["CheckDevice"], &tashikav1.CheckDeviceResponse{})
	for source, err := range c.ListSources(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		equal("ListSources", source, responses["ListSources"].(*tashikav1.ListSourcesResponse).Sources[0], &tashikav1.RevocationSource{})
	}
	for entry, err := range c.ListDevices(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		list := responses["ListDevices"].(*tashikav1.ListDevicesResponse)
		equal("ListDevices", entry, list.Devices[0], &tashikav1.Device{})
		equal("ListDevices", entry.List, list.List, &tashikav1.DeviceListInfo{})
	}
	if verified.Status.Age != 90500*time.Millisecond || !verified.VerifyTime.Equal(time.Unix(1_700_000_000, 5_000_000)) {
		t.Errorf("age %v, time %v", verified.Status.Age, verified.VerifyTime)
	}
}

// An empty response gives zero values everywhere, and nothing good.
func TestEmptyResponse(t *testing.T) {
	c, _, _ := start(t, failing())
	result, err := c.Verify(hour(t), VerifyRequest{Content: []byte{1}})
	if err != nil || result.Valid() || !result.VerifyTime.IsZero() || result.HolderAttributes != nil {
		t.Errorf("%+v, %v", result, err)
	}
	if data, err := json.Marshal(result); err != nil || string(data) != `{}` {
		t.Errorf("%s, %v", data, err)
	}
}

func TestRequestsCarryEverything(t *testing.T) {
	c, server, _ := start(t, failing())
	ctx := hour(t)
	_, err1 := c.Verify(ctx, VerifyRequest{Use: UsePrivateIdentityVerification, Certificate: []byte("der"), Signature: []byte("sig"),
		Algorithm: ECDSASHA384, ContentDigest: []byte("digest"), Method: MethodOCSPThenCRL, MaxAge: time.Hour})
	_, err2 := c.CheckStatus(ctx, StatusRequest{Use: UseHealthInsurance, Certificate: []byte("der"), Method: MethodCRL, MaxAge: time.Minute})
	_, err3 := c.CheckDevice(ctx, Handset{PlatformIOS, "iPhone 16", "18.5"})
	_, err4 := c.CreateChallenge(ctx, UseConvenienceStoreIssuance)
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		t.Fatal(err)
	}
	for i, want := range []proto.Message{
		&tashikav1.VerifyRequest{Use: tashikav1.Use_USE_PRIVATE_IDENTITY_VERIFICATION, Certificate: []byte("der"), Signature: []byte("sig"),
			SignatureAlgorithm: tashikav1.SignatureAlgorithm_SIGNATURE_ALGORITHM_ECDSA_SHA384,
			Signed:             &tashikav1.VerifyRequest_ContentDigest{ContentDigest: []byte("digest")},
			RevocationMethod:   tashikav1.RevocationMethod_REVOCATION_METHOD_OCSP_THEN_CRL, MaxAge: durationpb.New(time.Hour)},
		&tashikav1.CheckStatusRequest{Use: tashikav1.Use_USE_HEALTH_INSURANCE, Certificate: []byte("der"),
			RevocationMethod: tashikav1.RevocationMethod_REVOCATION_METHOD_CRL, MaxAge: durationpb.New(time.Minute)},
		&tashikav1.CheckDeviceRequest{Platform: tashikav1.Platform_PLATFORM_IOS, Model: "iPhone 16", OsVersion: "18.5"},
		&tashikav1.CreateChallengeRequest{Use: tashikav1.Use_USE_CONVENIENCE_STORE_ISSUANCE},
	} {
		if diff := cmp.Diff(want, server.Calls()[i].Request, protocmp.Transform()); diff != "" {
			t.Error(diff)
		}
	}
}

// A server of the future answers with numbers that this version does not know.
func TestUnknownEnumerationValuesAreNeverGood(t *testing.T) {
	for _, n := range []protoreflect.EnumNumber{-1, 99, 1<<31 - 1} {
		c, _, _ := start(t, func(fake.Call) (proto.Message, error) {
			return fill((&tashikav1.VerifyResponse{}).ProtoReflect(), n), nil
		})
		r, err := c.Verify(hour(t), VerifyRequest{Content: []byte{1}})
		if err != nil {
			t.Fatal(err)
		}
		if r.Valid() || r.Verdict != 0 || r.Status.Status != 0 || r.Status.Reason != 0 || r.Status.Method != 0 || r.Certificate.Kind != 0 ||
			r.Guidance.NextSteps[0] != 0 || r.Checks[0].Outcome != 0 || r.Reasons[0].Severity != 0 || r.HolderAttributes.Gender != 0 {
			t.Errorf("%d: %+v", n, r)
		}
	}
}

func TestValidNeedsBothVerdictAndStatus(t *testing.T) {
	for verdict := Verdict(-1); verdict < 9; verdict++ {
		for s := Status(-1); s < 9; s++ {
			r := &Result{Verdict: verdict, Status: RevocationStatus{Status: s}}
			if r.Valid() != (verdict == Valid && s == Good) {
				t.Errorf("%v, %v: %t", verdict, s, r.Valid())
			}
		}
	}
	if (*Result)(nil).Valid() || new(Result).Valid() {
		t.Error("nothing is valid")
	}
}

type textual interface {
	fmt.Stringer
	MarshalText() ([]byte, error)
}

// sequence is the constants of an enumeration, given by their number, against the API: all
// of them, in its order and by its names.
func sequence[E interface {
	~int32
	textual
}](t *testing.T, p protoreflect.Enum, constants ...E) {
	t.Helper()
	values := p.Descriptor().Values()
	if values.Len() != len(constants)+1 {
		t.Errorf("%s has %d values and the SDK %d", p.Descriptor().Name(), values.Len()-1, len(constants))
		return
	}
	for i, constant := range append([]E{0}, constants...) {
		v := values.Get(i)
		text, err := constant.MarshalText()
		if err != nil || E(v.Number()) != constant || string(text) != string(v.Name()) || !strings.HasSuffix(string(text), "_"+constant.String()) {
			t.Errorf("%s: the SDK says %d %s %s", v.Name(), constant, constant, text)
		}
	}
}

func TestEnumerationsAreThoseOfTheAPI(t *testing.T) {
	sequence(t, tashikav1.Use(0), UseConvenienceStoreIssuance, UseHealthInsurance, UsePrivateIdentityVerification)
	sequence(t, tashikav1.Verdict(0), Valid, Invalid, Indeterminate)
	sequence(t, tashikav1.Severity(0), SeverityWarning, SeverityIndeterminate, SeverityInvalid)
	sequence(t, tashikav1.NextStep(0), StepProceed, StepAskForCard, StepCallMyNumberLine, StepLiftStopInApp, StepApplyAgainInApp,
		StepTryLater, StepSignAgain, StepPresentOtherCertificate, StepRefuseAndReport)
	sequence(t, tashikav1.Outcome(0), OutcomePassed, OutcomeFailed, OutcomeIndeterminate, OutcomeSkipped)
	sequence(t, tashikav1.CertificateKind(0), KindCardSign, KindCardAuth, KindMobileSign, KindMobileAuth)
	sequence(t, tashikav1.CertificateStatus(0), Good, OnHold, Revoked, Unknown)
	sequence(t, tashikav1.RevocationReason(0), ReasonKeyCompromise, ReasonCACompromise, ReasonAffiliationChanged, ReasonSuperseded,
		ReasonCessationOfOperation, ReasonCertificateHold, ReasonPrivilegeWithdrawn, ReasonAACompromise)
	sequence(t, tashikav1.RevocationMethod(0), MethodCRL, MethodOCSP, MethodCRLThenOCSP, MethodOCSPThenCRL)
	sequence(t, tashikav1.SignatureAlgorithm(0), PKCS1SHA256, PKCS1SHA384, PKCS1SHA512, PSSSHA256, PSSSHA384, PSSSHA512,
		ECDSASHA256, ECDSASHA384, ECDSASHA512, PKCS1SHA1)
	sequence(t, tashikav1.RevocationSource_State(0), SourceFresh, SourceStale, SourceMissing, SourceOnDemand)
	sequence(t, tashikav1.Platform(0), PlatformAndroid, PlatformIOS)
	sequence(t, tashikav1.Support(0), DeviceSupported, DeviceUnsupported, DeviceNotListed)
	sequence(t, tashikav1.Gender(0), GenderMale, GenderFemale)
	sequence(t, tashikav1.Era(0), EraMeiji, EraTaisho, EraShowa, EraHeisei, EraReiwa)
	if got := Verdict(99).String(); got != "99" {
		t.Errorf("an unknown verdict is called %q", got)
	}
}

func TestUnmarshalText(t *testing.T) {
	for _, text := range []string{"ecdsa-sha384", "ECDSA_SHA384", "SIGNATURE_ALGORITHM_ECDSA_SHA384"} {
		var a SignatureAlgorithm
		if err := a.UnmarshalText([]byte(text)); err != nil || a != ECDSASHA384 {
			t.Errorf("%s: %v, %v", text, a, err)
		}
	}
	var u Use
	var m RevocationMethod
	var p Platform
	if err := errors.Join(u.UnmarshalText([]byte("health-insurance")), m.UnmarshalText([]byte("crl-then-ocsp")), p.UnmarshalText([]byte("ios"))); err != nil ||
		u != UseHealthInsurance || m != MethodCRLThenOCSP || p != PlatformIOS {
		t.Error(u, m, p, err)
	}
	for _, text := range []string{"", "unspecified", "USE_UNSPECIFIED", "1", "health"} {
		if err := u.UnmarshalText([]byte(text)); err == nil || u != UseHealthInsurance {
			t.Errorf("bad %q: %v, %v", text, u, err)
		}
	}
}

func TestPages(t *testing.T) {
	tokens := map[string]string{"": "a", "a": "b", "b": ""}
	c, server, _ := start(t, func(call fake.Call) (proto.Message, error) {
		request := call.Request.(*tashikav1.ListSourcesRequest)
		return &tashikav1.ListSourcesResponse{NextPageToken: tokens[request.PageToken], Sources: []*tashikav1.RevocationSource{
			{Name: request.PageToken + "1"}, {Name: request.PageToken + "2"}}}, nil
	})
	var names []string
	for source, err := range c.ListSources(hour(t)) {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, source.Name)
	}
	if got := strings.Join(names, " "); got != "1 2 a1 a2 b1 b2" || len(server.Calls()) != 3 {
		t.Errorf("%s after %d calls", got, len(server.Calls()))
	}
	for range c.ListSources(hour(t)) { // leaving the loop asks for no further page
		break
	}
	if n := len(server.Calls()); n != 4 {
		t.Errorf("%d calls, want 4", n)
	}
	tokens["b"] = "b"
	var last error
	for _, err := range c.ListSources(hour(t)) {
		last = err
	}
	if last == nil || len(server.Calls()) != 7 {
		t.Errorf("a token given twice: %v after %d calls", last, len(server.Calls()))
	}
}

func TestPagesEndWithTheError(t *testing.T) {
	c, _, _ := start(t, func(call fake.Call) (proto.Message, error) {
		if call.Request.(*tashikav1.ListDevicesRequest).PageToken == "" {
			return &tashikav1.ListDevicesResponse{NextPageToken: "a", Devices: []*tashikav1.Device{{Name: "pixel"}}}, nil
		}
		return nil, errors.New("down")
	})
	var got []string
	for device, err := range c.ListDevices(hour(t)) {
		got = append(got, fmt.Sprint(device.Name, err != nil))
	}
	if diff := cmp.Diff([]string{"pixelfalse", "true"}, got); diff != "" {
		t.Error(diff)
	}
}
