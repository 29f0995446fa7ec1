package main

import (
	"bytes"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/tashika-jp/tashika/client/internal/fake"
	tashikav1 "github.com/tashika-jp/tashika/proto/tashika/v1"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

func TestMain(m *testing.M) { testscript.Main(m, map[string]func(){"tashika": main}) }

// The scripts run the program against a fake server over mutual TLS and a token, which the
// environment names; PLAINTEXT is the address of one without TLS. A good_ script ends as its user
// wants; in a bad_ one everything is refused or fails.
func TestScripts(t *testing.T) {
	pki, err := fake.NewPKI()
	if err != nil {
		t.Fatal(err)
	}
	secure, err1 := fake.Start(pki, answer)
	plain, err2 := fake.Start(nil, answer)
	lists, err3 := newLists()
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(secure.Stop)
	t.Cleanup(plain.Stop)
	testscript.Run(t, testscript.Params{Dir: "testdata/script", RequireExplicitExec: true, Setup: func(e *testscript.Env) error {
		files := map[string][]byte{"ca.pem": pki.CAPEM, "kiosk.pem": pki.CertPEM, "kiosk.key": pki.KeyPEM, "token": []byte("s3cret\n"), "signature": []byte("signature")}
		maps.Copy(files, lists)
		for name, data := range files {
			if err := os.WriteFile(filepath.Join(e.WorkDir, name), data, 0o600); err != nil {
				return err
			}
		}
		e.Setenv("PLAINTEXT", plain.Addr)
		e.Setenv("TASHIKA_TARGET", secure.Addr)
		e.Setenv("TASHIKA_CA", "ca.pem")
		e.Setenv("TASHIKA_CERT", "kiosk.pem")
		e.Setenv("TASHIKA_KEY", "kiosk.key")
		e.Setenv("TASHIKA_TOKEN_FILE", "token")
		return nil
	}, Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exitStatus}})
}

// exitStatus is the script command "exits N tashika ARGUMENT...".
func exitStatus(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: exits N COMMAND ARGUMENT...")
	}
	err := ts.Exec(args[1], args[2:]...)
	code := 0
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		code = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got := strconv.Itoa(code); got != args[0] {
		ts.Fatalf("exit status %s, want %s", got, args[0])
	}
}

// at is the fixed time of everything that the fake server says.
var at = time.Date(2026, 11, 23, 3, 0, 0, 0, time.UTC)

func after(d time.Duration) *timestamppb.Timestamp { return timestamppb.New(at.Add(d)) }

func text(ja, en string) *tashikav1.LocalizedText { return &tashikav1.LocalizedText{Ja: ja, En: en} }

// answer is the fake server. The bytes of the "certificate" say what to answer.
func answer(call fake.Call) (proto.Message, error) {
	if got := call.Header.Get("authorization"); len(got) != 1 || got[0] != "Bearer s3cret" {
		return nil, status.Error(codes.Unauthenticated, "who are you?")
	}
	switch request := call.Request.(type) {
	case *tashikav1.CreateChallengeRequest:
		return &tashikav1.CreateChallengeResponse{Challenge: []byte("sign this"), ExpireTime: after(time.Minute), Use: request.Use}, nil
	case *tashikav1.VerifyRequest:
		if message := string(request.CmsSignedData); message != "" {
			return judgeCMS(message, request)
		}
		if string(request.Signature) != "signature" {
			return nil, status.Errorf(codes.InvalidArgument, "signature %q", request.Signature)
		}
		return judge(string(request.Certificate), request.GetSigned())
	case *tashikav1.CheckStatusRequest:
		r, err := judge(string(request.Certificate), nil)
		if err != nil {
			return nil, err
		}
		return &tashikav1.CheckStatusResponse{Verdict: r.Verdict, Reasons: r.Reasons, Guidance: r.Guidance, Certificate: r.Certificate,
			Status: r.Status, Checks: r.Checks, VerifyTime: r.VerifyTime, Profile: r.Profile + "/" + request.GetMaxAge().AsDuration().String()}, nil
	case *tashikav1.ListSourcesRequest:
		return sourcePage(request.PageToken), nil
	case *tashikav1.CheckDeviceRequest:
		return checkDevice(request), nil
	}
	return &tashikav1.ListDevicesResponse{List: &tashikav1.DeviceListInfo{Edition: "built-in 2026-11-23"}, Devices: []*tashikav1.Device{pixel}}, nil
}

// judgeCMS takes a message that is "attached", "detached" with its content, or "bare" with a certificate.
func judgeCMS(message string, request *tashikav1.VerifyRequest) (*tashikav1.VerifyResponse, error) {
	content, certificate := string(request.GetContent()), string(request.Certificate)
	complete := map[string]bool{"attached": true, "0-----BEGIN CMS-----\n": true, "detached": content == "sign this", "bare": certificate == "valid"}
	if !complete[message] || request.SignatureAlgorithm != 0 {
		s, err := status.New(codes.InvalidArgument, "unreadable").WithDetails(&errdetails.ErrorInfo{Reason: "CMS_FORMAT_FAILURE", Domain: "tashika.jp"},
			&errdetails.BadRequest{FieldViolations: []*errdetails.BadRequest_FieldViolation{{Field: "cms_signed_data", Description: "not well-formed"}}})
		if err != nil {
			return nil, err
		}
		return nil, s.Err()
	}
	return judge("valid", &tashikav1.VerifyRequest_Content{})
}

func judge(certificate string, signed any) (*tashikav1.VerifyResponse, error) {
	r := &tashikav1.VerifyResponse{
		Verdict:  tashikav1.Verdict_VERDICT_VALID,
		Guidance: &tashikav1.Guidance{Text: text("手続きを続けてください。", "Please go on."), NextSteps: []tashikav1.NextStep{tashikav1.NextStep_NEXT_STEP_PROCEED}},
		Certificate: &tashikav1.Certificate{Kind: tashikav1.CertificateKind_CERTIFICATE_KIND_MOBILE_AUTH, NotBefore: after(-time.Hour),
			NotAfter: after(time.Hour), Partition: "CN=Rei-shi CRLDP,C=JP", Fingerprint: "f00d"},
		Status: &tashikav1.RevocationStatus{Status: tashikav1.CertificateStatus_CERTIFICATE_STATUS_GOOD,
			Method: tashikav1.RevocationMethod_REVOCATION_METHOD_CRL, SourceTime: after(-time.Minute), NextUpdate: after(time.Hour),
			Age: durationpb.New(time.Minute), CrlNumber: "42", Source: "auth-g2-08220"},
		Checks:  []*tashikav1.Check{{Id: "holder_signature", Outcome: tashikav1.Outcome_OUTCOME_PASSED, SpecReference: "RFC 8017 section 8.2.2"}},
		Profile: "health-insurance/2026-11-23", VerifyTime: after(0),
	}
	switch s := signed.(type) {
	case *tashikav1.VerifyRequest_Content:
		r.HolderAttributes = &tashikav1.HolderAttributes{Gender: tashikav1.Gender_GENDER_FEMALE, GenderCode: "2",
			CommonName:  &tashikav1.SubstitutedText{Text: "架空　花子", SubstitutePositions: []int32{3}},
			Address:     &tashikav1.SubstitutedText{Text: "架空県例示市一丁目１番"},
			DateOfBirth: &tashikav1.DateOfBirth{Year: 1999, Month: 1, Day: 2, Era: tashikav1.Era_ERA_HEISEI, EraYear: 11, Recorded: "419990102"}}
	case *tashikav1.VerifyRequest_Challenge:
		if string(s.Challenge) != "sign this" {
			return nil, status.Errorf(codes.InvalidArgument, "challenge %q", s.Challenge)
		}
	}
	switch certificate {
	case "valid":
	case "revoked":
		r.Verdict = tashikav1.Verdict_VERDICT_INVALID
		r.Reasons = []*tashikav1.Reason{{Id: "REVOKED", Severity: tashikav1.Severity_SEVERITY_INVALID, SpecReference: "RFC 5280 section 6.3.3",
			Text: text("失効しています。", "It has been revoked.")}}
		r.Guidance = &tashikav1.Guidance{Text: text("カードをご利用ください。", "Please use the card."), Telephone: "0120-95-0178",
			NextSteps: []tashikav1.NextStep{tashikav1.NextStep_NEXT_STEP_ASK_FOR_CARD, tashikav1.NextStep_NEXT_STEP_CALL_MY_NUMBER_LINE}}
		r.Status.Status = tashikav1.CertificateStatus_CERTIFICATE_STATUS_REVOKED
		r.Status.Reason = tashikav1.RevocationReason_REVOCATION_REASON_CESSATION_OF_OPERATION
		r.Status.RevocationTime = after(-24 * time.Hour)
	case "stale":
		r.Verdict = tashikav1.Verdict_VERDICT_INDETERMINATE
		r.Status = &tashikav1.RevocationStatus{Status: tashikav1.CertificateStatus_CERTIFICATE_STATUS_UNKNOWN}
	case "future verdict":
		r.Verdict = 99
	case "future status":
		r.Status.Status = 99
	case "escape":
		r.Guidance.Text.En = "\x1b]0;owned\a\u202e"
	default:
		s, err := status.New(codes.ResourceExhausted, "too many").WithDetails(
			&errdetails.ErrorInfo{Reason: "RATE_LIMITED", Domain: "tashika.jp"}, &errdetails.RetryInfo{RetryDelay: durationpb.New(time.Hour)},
			&errdetails.LocalizedMessage{Locale: "ja", Message: "要求が多すぎます。"}, &errdetails.LocalizedMessage{Locale: "en", Message: "Too many requests."})
		if err != nil {
			return nil, err
		}
		return nil, s.Err()
	}
	return r, nil
}

func sourcePage(token string) *tashikav1.ListSourcesResponse {
	crl := tashikav1.RevocationMethod_REVOCATION_METHOD_CRL
	if token == "" {
		return &tashikav1.ListSourcesResponse{TotalSize: 2, NextPageToken: "2", Sources: []*tashikav1.RevocationSource{{Name: "auth-g2-08220",
			Method: crl, State: tashikav1.RevocationSource_STATE_FRESH, CrlNumber: "42", Entries: 1234, Age: durationpb.New(90 * time.Minute),
			NextUpdate: after(time.Hour), Required: true}}}
	}
	return &tashikav1.ListSourcesResponse{TotalSize: 2, Sources: []*tashikav1.RevocationSource{{Name: "sign-g2-08220", Method: crl,
		State: tashikav1.RevocationSource_STATE_MISSING, LastFailure: "TIMEOUT", Required: true, Refused: &tashikav1.RefusedList{
			Time: after(0), Reasons: []string{"CRL_SHRINK_IMPLAUSIBLE"}, CrlNumber: "43", ThisUpdate: after(-time.Hour), Entries: 12, Digest: "f00d"}}}}
}

var pixel = &tashikav1.Device{Name: "google-pixel-10", Platform: tashikav1.Platform_PLATFORM_ANDROID, Manufacturer: "Google", Model: "Pixel 10", Source: "Digital Agency, 2025-10"}

func checkDevice(request *tashikav1.CheckDeviceRequest) *tashikav1.CheckDeviceResponse {
	r := &tashikav1.CheckDeviceResponse{List: &tashikav1.DeviceListInfo{Edition: "2026-11-23", Complete: true}, Text: text("対応しています。", "Supported.")}
	switch {
	case request.Model == "Pixel 10":
		r.Support, r.Device = tashikav1.Support_SUPPORT_SUPPORTED, pixel
	case request.Platform == tashikav1.Platform_PLATFORM_IOS && request.OsVersion == "17.0":
		r.Support, r.Text = tashikav1.Support_SUPPORT_UNSUPPORTED, text("対応していません。", "Not supported.")
	default:
		r.Support, r.Text = tashikav1.Support_SUPPORT_NOT_LISTED, text("一覧にありません。", "Not on the list.")
	}
	return r
}

// What the scripts cannot see, because their output is no terminal.
func TestColourIsForTerminals(t *testing.T) {
	var out bytes.Buffer
	p := printer{&out, true}
	p.paint("verdict", "VALID", green)
	p.colour = false
	p.paint("verdict", "VALID", green)
	if got := out.String(); got != "verdict       \x1b[1;32mVALID\x1b[0m\nverdict       VALID\n" {
		t.Errorf("%q", got)
	}
	env := func(name string) string { return map[string]string{"NO_COLOR": "1"}[name] }
	terminal, err := os.Open("/dev/tty")
	if err == nil {
		defer terminal.Close()
	}
	if colourful(&out, env) || colourful(terminal, env) {
		t.Error("colour where none is wanted")
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("disk full") }

// A verdict that could not be printed was not given.
func TestOutputThatFailsIsAnError(t *testing.T) {
	var stderr bytes.Buffer
	code := run(t.Context(), []string{"verify", "-h"}, func(string) string { return "" }, strings.NewReader(""), fullDisk{}, &stderr)
	if code != exitError || !strings.Contains(stderr.String(), "disk full") {
		t.Errorf("%d: %s", code, &stderr)
	}
}
