package server

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"regexp"
	"strings"
	"testing"

	"github.com/tashika-jp/tashika/certs/pkix"
	"github.com/tashika-jp/tashika/certs/sandbox"
	tashikav1 "github.com/tashika-jp/tashika/proto/tashika/v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// TestLogsAndMetricsArePrivate: after good calls, bad calls and broken calls through both doors, neither
// log nor metrics have any of what was presented, in any form.
func TestLogsAndMetricsArePrivate(t *testing.T) {
	r := refreshed(t, nil)
	phone := newPhone(t)
	certificates := tashikav1.NewCertificateServiceClient(r.conn)
	kiosk, kyc, cms := r.kioskRequest(phone), r.kycRequest(phone), cmsRequest(t, phone, sandbox.CMSOptions{})
	var told bytes.Buffer // of what is wrong with CMS messages
	attributes, err := r.verification().Verify(as(kycToken), kyc)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second is a replay
		body, err := protojson.Marshal(kiosk)
		if err != nil {
			t.Fatal(err)
		}
		r.post("/v1:verify", kioskToken, string(body))
		r.post("/v1:verify", kioskToken, string(body)+"}")
		r.post("/v1:verify", kioskToken, strings.Replace(string(body), `"signature"`, `"sig"`, 1))
		_, _ = certificates.Inspect(as(kycToken), &tashikav1.InspectRequest{Certificate: kyc.GetCertificate()})
		_, _ = certificates.Inspect(as(kycToken), &tashikav1.InspectRequest{Certificate: kyc.GetCertificate()[:900]})
		_, _ = certificates.Inspect(as(kioskToken+"x"), &tashikav1.InspectRequest{Certificate: kyc.GetCertificate()})
		wrong := proto.CloneOf(kyc)
		wrong.Signature = append([]byte{1}, wrong.Signature...)
		_, _ = r.verification().Verify(as(kycToken), wrong)
		for _, request := range []*tashikav1.VerifyRequest{cms, withContent(cms, cmsContent+"0"), {Use: cms.GetUse(), CmsSignedData: cms.GetCmsSignedData()[:700]},
			{Use: cms.GetUse(), CmsSignedData: append([]byte{1}, cms.GetCmsSignedData()...)},
			cmsRequest(t, phone, sandbox.CMSOptions{Fault: sandbox.CMSContentChanged}), cmsRequest(t, phone, sandbox.CMSOptions{Fault: sandbox.CMSTwoSigners})} {
			_, err := r.verifyBoth("CMS", request)
			for _, detail := range status.Convert(err).Proto().GetDetails() {
				told.Write(detail.GetValue())
			}
		}
	}
	// The same through the other ways in, whose items are told of like calls.
	stream := r.verifyStream(as(kycToken))
	garbled := proto.CloneOf(kyc)
	garbled.Certificate = garbled.Certificate[:900]
	for i, request := range []*tashikav1.VerifyRequest{kyc, garbled, kiosk, cms} {
		send(t, stream, &tashikav1.VerifyStreamRequest{Id: uint64(i), Request: request})
	}
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if answers, err := rest(t, stream); len(answers) != 4 {
		t.Fatal(err)
	}
	if _, err := r.verification().BatchVerify(as(kycToken), &tashikav1.BatchVerifyRequest{Requests: []*tashikav1.VerifyRequest{kyc, garbled, kiosk, cms}}); err != nil {
		t.Fatal(err)
	}
	r.do("GET", "/v1/devices:check?model=SECRETMODEL&colour=SECRETCOLOUR", kioskToken, nil)
	r.do("GET", "/v1/SECRETPATH", kioskToken, nil)

	secrets := map[string]string{"token": kioskToken, "other token": kycToken, "hash of a token": hashOf(kioskToken)[0], "made up": "SECRET",
		"name": attributes.GetHolderAttributes().GetCommonName().GetText(), "address": attributes.GetHolderAttributes().GetAddress().GetText(),
		"date of birth": attributes.GetHolderAttributes().GetDateOfBirth().GetRecorded(), "fingerprint": attributes.GetCertificate().GetFingerprint()}
	for name, value := range map[string][]byte{"auth certificate": kiosk.GetCertificate(), "sign certificate": kyc.GetCertificate(), "signature": kiosk.GetSignature(),
		"other signature": kyc.GetSignature(), "challenge": kiosk.GetChallenge(), "content": kyc.GetContent(),
		"content in CMS": []byte(cmsContent), "signature in CMS": lastOctets(cms.GetCmsSignedData()), "CMS": cms.GetCmsSignedData()[40:]} {
		middle := value[len(value)/3 : len(value)/3+12] // wherever a part of it is quoted from
		secrets[name+", hex"], secrets[name+", raw"] = hex.EncodeToString(middle), string(middle)
		for shift := range 3 {
			secrets[name+", base64 "+string(rune('0'+shift))] = base64.StdEncoding.EncodeToString(value[shift : shift+12])
		}
	}
	for _, a := range []sandbox.Authority{sandbox.Auth, sandbox.Sign} {
		c, err := pkix.ParseCertificate(phone.Certificate(a).DER)
		if err != nil {
			t.Fatal(err)
		}
		secrets["serial of "+a.String()] = hex.EncodeToString(c.SerialNumber)
		secrets["subject of "+a.String()] = c.Subject.String()
	}
	log, metrics := r.log.String(), r.scrape()
	if strings.Count(log, `"msg":"call"`) < 40 || !strings.Contains(log, `CMS_MESSAGE_DIGEST_MISMATCH`) || !strings.Contains(log, `"failure":"CMS_FORMAT_FAILURE"`) ||
		!strings.Contains(told.String(), "CMS_FORMAT_FAILURE") {
		t.Errorf("CMS is not told of enough: %s", log)
	}
	if strings.Count(log, `VerifyStream/item"`) != 4 || strings.Count(log, `BatchVerify/item"`) != 4 || strings.Count(log, `"msg":"call"`) < 15 || !strings.Contains(log, `"verdict":"VERDICT_VALID"`) || !strings.Contains(log, `"relying_party":"kyc"`) ||
		!strings.Contains(log, `"failure":"UNKNOWN_FIELD"`) || !strings.Contains(log, `CHALLENGE_REPLAYED`) {
		t.Errorf("the log does not tell enough: %s", log)
	}
	for name, secret := range secrets {
		for where, text := range map[string]string{"log": log, "metrics": metrics, "errors": told.String()} {
			if bytes.Contains(bytes.ToLower([]byte(text)), bytes.ToLower([]byte(secret))) {
				t.Errorf("%s is in the %s", name, where)
			}
		}
	}
}

// TestMetricLabels come from closed sets.
func TestMetricLabels(t *testing.T) {
	r := refreshed(t, nil)
	if _, err := r.verification().Verify(as(kioskToken), r.kioskRequest(newPhone(t))); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/v1/a", "/v1/b"} {
		r.do("GET", path, "", nil)
		_ = r.conn.Invoke(as(kioskToken), "/made.Up"+path, &tashikav1.ListDevicesRequest{}, &tashikav1.ListDevicesResponse{})
	}
	text := r.scrape()
	for _, line := range []string{
		`tashika_calls_total{code="OK",door="grpc",method="tashika.v1.VerificationService/Verify"} 1`,
		`tashika_verdicts_total{method="tashika.v1.VerificationService/Verify",verdict="VERDICT_VALID"} 1`,
		`tashika_failures_total{failure="ROUTE_NOT_FOUND"} 2`,
		`tashika_failures_total{failure="METHOD_UNKNOWN"} 2`,
		`tashika_challenges_issued_total 1`, `tashika_challenges_consumed_total 1`, `tashika_calls_in_flight 0`,
		`tashika_revocation_sources{state="missing"} 0`, `tashika_revocation_refused 0`,
	} {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("%s is missing", line)
		}
	}
	for _, m := range regexp.MustCompile(`method="([^"]*)"`).FindAllStringSubmatch(text, -1) {
		if m[1] != "unknown" && r.Server.methods["/"+m[1]] == nil {
			t.Errorf("the label %q is not one of ours", m[1])
		}
	}
}
