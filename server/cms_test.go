package server

import (
	"bytes"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tashika-jp/tashika/certs/reason"
	"github.com/tashika-jp/tashika/certs/sandbox"
	tashikav1 "github.com/tashika-jp/tashika/proto/tashika/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// cmsContent is what phones sign in CMS messages; nothing else has it, so that it can be looked for.
const cmsContent = "what only the CMS message of this test is about"

// signCMS lets a phone make a message.
func signCMS(t testing.TB, p *sandbox.Phone, content string, o sandbox.CMSOptions) []byte {
	t.Helper()
	secret := sandbox.DefaultPassword
	if o.Authority == sandbox.Auth {
		secret = sandbox.DefaultPIN
	}
	message, err := p.SignCMS(secret, []byte(content), o)
	if err != nil {
		t.Fatal(err)
	}
	return message
}

// cmsRequest is a request of the party that verifies identities: good, if the options are.
func cmsRequest(t testing.TB, p *sandbox.Phone, o sandbox.CMSOptions) *tashikav1.VerifyRequest {
	t.Helper()
	return &tashikav1.VerifyRequest{
		Use: tashikav1.Use_USE_PRIVATE_IDENTITY_VERIFICATION, CmsSignedData: signCMS(t, p, cmsContent, o),
		RevocationMethod: tashikav1.RevocationMethod_REVOCATION_METHOD_CRL,
	}
}

func withContent(r *tashikav1.VerifyRequest, content string) *tashikav1.VerifyRequest {
	r = proto.CloneOf(r)
	r.Signed = &tashikav1.VerifyRequest_Content{Content: []byte(content)}
	return r
}

func withCertificate(r *tashikav1.VerifyRequest, der []byte) *tashikav1.VerifyRequest {
	r = proto.CloneOf(r)
	r.Certificate = der
	return r
}

// verifyBoth asks through both doors, which must say the same.
func (r *running) verifyBoth(name string, request *tashikav1.VerifyRequest) (*tashikav1.VerifyResponse, error) {
	r.t.Helper()
	v, err := r.verification().Verify(as(kycToken), request)
	body, failed := protojson.Marshal(request)
	if failed != nil {
		r.t.Fatal(failed)
	}
	a := r.post("/v1:verify", kycToken, string(body))
	if err != nil {
		if a.code != http.StatusBadRequest || failure(a.failure()) != reasonOf(err) {
			r.t.Errorf("%s: gRPC says %v, HTTP %d %s", name, err, a.code, a.body)
		}
		return nil, err
	}
	over := &tashikav1.VerifyResponse{}
	if failed := protojson.Unmarshal(a.body, over); failed != nil || a.code != http.StatusOK {
		r.t.Fatalf("%s: HTTP %d %s", name, a.code, a.body)
	}
	if over.GetVerdict() != v.GetVerdict() || !slices.Equal(ids(over.GetReasons()), ids(v.GetReasons())) || len(over.GetChecks()) != len(v.GetChecks()) {
		r.t.Errorf("%s: the doors differ: %v and %v", name, v, over)
	}
	return v, nil
}

// outcomeOf is what came of a check; unspecified if it is not told.
func outcomeOf(v *tashikav1.VerifyResponse, id string) tashikav1.Outcome {
	for _, c := range v.GetChecks() {
		if c.GetId() == id {
			return c.GetOutcome()
		}
	}
	return tashikav1.Outcome_OUTCOME_UNSPECIFIED
}

func TestCMSOverBothDoors(t *testing.T) {
	r := refreshed(t, nil)
	phone, other := newPhone(t), newPhone(t)
	sign := phone.Certificate(sandbox.Sign).DER
	attached := cmsRequest(t, phone, sandbox.CMSOptions{SigningTime: true})
	detached := cmsRequest(t, phone, sandbox.CMSOptions{Detached: true})
	bare := cmsRequest(t, phone, sandbox.CMSOptions{NoCertificate: true})
	for name, request := range map[string]*tashikav1.VerifyRequest{
		"good_attached":             attached,
		"good_attached_and_content": withContent(attached, cmsContent),
		"good_certificate_twice":    withCertificate(attached, sign),
		"good_detached":             withContent(detached, cmsContent),
		"good_certificate_beside":   withCertificate(bare, sign),
		"good_without_attributes":   cmsRequest(t, phone, sandbox.CMSOptions{NoAttributes: true}),
		"good_detached_without_attributes": withContent(
			cmsRequest(t, phone, sandbox.CMSOptions{NoAttributes: true, Detached: true}), cmsContent),
	} {
		v, err := r.verifyBoth(name, request)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if v.GetVerdict() != tashikav1.Verdict_VERDICT_VALID || len(withoutWarnings(v)) > 0 || v.GetHolderAttributes().GetCommonName().GetText() == "" ||
			v.GetCertificate().GetKind() != tashikav1.CertificateKind_CERTIFICATE_KIND_MOBILE_SIGN {
			t.Errorf("%s: %v", name, v)
		}
		for _, check := range []string{"cms", "holder_algorithm", "holder_signature"} {
			if got := outcomeOf(v, check); got != tashikav1.Outcome_OUTCOME_PASSED {
				t.Errorf("%s: check %s: %s", name, check, got)
			}
		}
	}
	if v, err := r.verifyBoth("raw", r.kycRequest(phone)); err != nil || outcomeOf(v, "cms") != 0 {
		t.Errorf("a raw signature is told of CMS: %v %v", v, err)
	}

	// The signature of one in a message that names another: the identifier finds, the key proves.
	stolen := cmsRequest(t, phone, sandbox.CMSOptions{})
	stolen.CmsSignedData = bytes.Replace(stolen.CmsSignedData, lastOctets(stolen.CmsSignedData),
		lastOctets(signCMS(t, other, cmsContent, sandbox.CMSOptions{})), 1)
	for _, c := range []struct {
		name    string
		request *tashikav1.VerifyRequest
		reasons []reason.ID
		step    tashikav1.NextStep
		check   string // that fails
	}{
		{"invalid_content_changed", cmsRequest(t, phone, sandbox.CMSOptions{Fault: sandbox.CMSContentChanged}),
			[]reason.ID{reason.CMSMessageDigestMismatch}, tashikav1.NextStep_NEXT_STEP_SIGN_AGAIN, "cms"},
		{"invalid_digest_of_another_content", cmsRequest(t, phone, sandbox.CMSOptions{Fault: sandbox.CMSWrongDigest}),
			[]reason.ID{reason.CMSMessageDigestMismatch}, tashikav1.NextStep_NEXT_STEP_SIGN_AGAIN, "cms"},
		{"invalid_detached_content_changed", withContent(detached, cmsContent+"0"),
			[]reason.ID{reason.CMSMessageDigestMismatch}, tashikav1.NextStep_NEXT_STEP_SIGN_AGAIN, "cms"},
		{"invalid_other_content_given", withContent(attached, cmsContent+"0"),
			[]reason.ID{reason.CMSContentMismatch}, tashikav1.NextStep_NEXT_STEP_SIGN_AGAIN, "cms"},
		{"invalid_without_content_type", cmsRequest(t, phone, sandbox.CMSOptions{Fault: sandbox.CMSNoContentType}),
			[]reason.ID{reason.CMSAttributesUnacceptable}, tashikav1.NextStep_NEXT_STEP_REFUSE_AND_REPORT, "cms"},
		{"invalid_sha1", cmsRequest(t, phone, sandbox.CMSOptions{Algorithm: sandbox.RSAPKCS1SHA1}),
			[]reason.ID{reason.CryptoConstraintsFailure}, tashikav1.NextStep_NEXT_STEP_REFUSE_AND_REPORT, "holder_algorithm"},
		{"invalid_content_changed_without_attributes", cmsRequest(t, phone, sandbox.CMSOptions{NoAttributes: true, Fault: sandbox.CMSContentChanged}),
			[]reason.ID{reason.SigCryptoFailure}, tashikav1.NextStep_NEXT_STEP_SIGN_AGAIN, "holder_signature"},
		{"invalid_signature_of_another", stolen,
			[]reason.ID{reason.SigCryptoFailure}, tashikav1.NextStep_NEXT_STEP_SIGN_AGAIN, "holder_signature"},
		{"invalid_auth_certificate", cmsRequest(t, phone, sandbox.CMSOptions{Authority: sandbox.Auth}),
			[]reason.ID{reason.WrongKind}, tashikav1.NextStep_NEXT_STEP_PRESENT_OTHER_CERTIFICATE, "kind"},
	} {
		v, err := r.verifyBoth(c.name, c.request)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		got := withoutWarnings(v)
		if v.GetVerdict() != tashikav1.Verdict_VERDICT_INVALID || v.GetHolderAttributes() != nil || len(got) != len(c.reasons) ||
			got[0] != string(c.reasons[0]) || v.GetGuidance().GetNextSteps()[0] != c.step || outcomeOf(v, c.check) != tashikav1.Outcome_OUTCOME_FAILED {
			t.Errorf("%s: %v", c.name, v)
		}
	}
}

// lastOctets are the end of a message without unsigned attributes: of the signature value.
func lastOctets(message []byte) []byte { return message[len(message)-200:] }

// withoutWarnings are the reasons but for those of a name with substitute characters.
func withoutWarnings(v *tashikav1.VerifyResponse) []string {
	return slices.DeleteFunc(ids(v.GetReasons()), func(id string) bool { return id == string(reason.SubstituteCharacters) })
}

// TestCMSMistakes: errors, not verdicts, with the field to mend.
func TestCMSMistakes(t *testing.T) {
	r := refreshed(t, nil)
	phone, other := newPhone(t), newPhone(t)
	good := cmsRequest(t, phone, sandbox.CMSOptions{})
	bare := cmsRequest(t, phone, sandbox.CMSOptions{NoCertificate: true})
	raw := r.kycRequest(phone)
	change := func(base *tashikav1.VerifyRequest, f func(*tashikav1.VerifyRequest)) *tashikav1.VerifyRequest {
		out := proto.CloneOf(base)
		f(out)
		return out
	}
	for _, c := range []struct {
		name    string
		request *tashikav1.VerifyRequest
		failure failure
		field   string
	}{
		{"bad_rubbish", change(good, func(v *tashikav1.VerifyRequest) { v.CmsSignedData = []byte("rubbish") }), cmsFormatFailure, "cms_signed_data"},
		{"bad_cut", change(good, func(v *tashikav1.VerifyRequest) { v.CmsSignedData = v.CmsSignedData[:500] }), cmsFormatFailure, "cms_signed_data"},
		{"bad_trailing_byte", change(good, func(v *tashikav1.VerifyRequest) { v.CmsSignedData = append(v.CmsSignedData, 0) }), cmsFormatFailure, "cms_signed_data"},
		{"bad_certificate_as_message", change(good, func(v *tashikav1.VerifyRequest) { v.CmsSignedData = raw.Certificate }), cmsFormatFailure, "cms_signed_data"},
		{"bad_too_large", change(good, func(v *tashikav1.VerifyRequest) { v.CmsSignedData = make([]byte, 2<<20+1) }), fieldInvalid, "cms_signed_data"},
		{"bad_no_signer", cmsRequest(t, phone, sandbox.CMSOptions{Fault: sandbox.CMSNoSigner}), cmsSignerMissing, "cms_signed_data"},
		{"bad_two_signers", cmsRequest(t, phone, sandbox.CMSOptions{Fault: sandbox.CMSTwoSigners}), cmsSignersAmbiguous, "cms_signed_data"},
		{"bad_no_certificate", bare, cmsCertificateAbsent, "certificate"},
		{"bad_certificate_of_another", withCertificate(bare, other.Certificate(sandbox.Sign).DER), cmsCertificateAbsent, "certificate"},
		{"bad_other_certificate_of_the_phone", withCertificate(good, phone.Certificate(sandbox.Auth).DER), cmsCertificateAbsent, "certificate"},
		{"bad_certificate", withCertificate(good, []byte("rubbish")), formatFailure, "certificate"},
		{"bad_detached_without_content", cmsRequest(t, phone, sandbox.CMSOptions{Detached: true}), cmsContentMissing, "content"},
		{"bad_content_empty", withContent(good, ""), fieldInvalid, "content"},
		{"bad_signature_beside", change(good, func(v *tashikav1.VerifyRequest) { v.Signature = raw.Signature }), fieldInvalid, "signature"},
		{"bad_algorithm_beside", change(good, func(v *tashikav1.VerifyRequest) { v.SignatureAlgorithm = raw.SignatureAlgorithm }), fieldInvalid, "signature_algorithm"},
		{"bad_challenge_beside", change(good, func(v *tashikav1.VerifyRequest) {
			v.Signed = &tashikav1.VerifyRequest_Challenge{Challenge: []byte("challenge")}
		}), fieldInvalid, "challenge"},
		{"bad_digest_beside", change(good, func(v *tashikav1.VerifyRequest) {
			v.Signed = &tashikav1.VerifyRequest_ContentDigest{ContentDigest: make([]byte, 32)}
		}), fieldInvalid, "content_digest"},
		{"bad_raw_without_certificate", change(raw, func(v *tashikav1.VerifyRequest) { v.Certificate = nil }), fieldInvalid, "certificate"},
		{"bad_raw_without_signature", change(raw, func(v *tashikav1.VerifyRequest) { v.Signature = nil }), fieldInvalid, "signature"},
		{"bad_raw_without_algorithm", change(raw, func(v *tashikav1.VerifyRequest) { v.SignatureAlgorithm = 0 }), fieldInvalid, "signature_algorithm"},
		{"bad_raw_without_content", change(raw, func(v *tashikav1.VerifyRequest) { v.Signed = nil }), fieldInvalid, "signed"},
		{"bad_empty_message", change(good, func(v *tashikav1.VerifyRequest) { v.CmsSignedData = []byte{} }), fieldInvalid, "signature"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := r.verifyBoth(c.name, c.request)
			want(t, c.name, err, c.failure, c.field)
		})
	}
	// The kiosk's use is answered with a challenge. Nothing of the message is looked at.
	for _, message := range [][]byte{good.CmsSignedData, []byte("rubbish")} {
		_, err := r.verification().Verify(as(kioskToken), &tashikav1.VerifyRequest{Use: tashikav1.Use_USE_CONVENIENCE_STORE_ISSUANCE, CmsSignedData: message})
		want(t, "CMS for a challenge", err, signedFormMismatch, "cms_signed_data")
	}
	for refused, f := range cmsRefusals {
		if string(refused) != string(f.failure) {
			t.Errorf("%s is called %s", refused, f.failure)
		}
	}
}

// TestLargestCMS: the limits of a message hold the greatest request that validation lets through, at both doors.
func TestLargestCMS(t *testing.T) {
	r := refreshed(t, nil)
	phone := newPhone(t)
	request := &tashikav1.VerifyRequest{Use: tashikav1.Use_USE_PRIVATE_IDENTITY_VERIFICATION,
		CmsSignedData: signCMS(t, phone, strings.Repeat("x", 2<<20-8<<10), sandbox.CMSOptions{})}
	if v, err := r.verifyBoth("attached", request); err != nil || v.GetVerdict() != tashikav1.Verdict_VERDICT_VALID {
		t.Errorf("%v %v", v, err)
	}
	content := strings.Repeat("x", 1<<20)
	request.CmsSignedData = signCMS(t, phone, content, sandbox.CMSOptions{})
	if v, err := r.verifyBoth("content twice", withContent(request, content)); err != nil || v.GetVerdict() != tashikav1.Verdict_VERDICT_VALID {
		t.Errorf("%v %v", v, err)
	}
	request.CmsSignedData = make([]byte, 2<<20)
	_, err := r.verifyBoth("zeroes", withCertificate(withContent(request, content), phone.Certificate(sandbox.Sign).DER))
	want(t, "zeroes", err, cmsFormatFailure, "cms_signed_data")
}

// TestSpoiledCMS: whatever becomes of a good message on its way, the answer is a verdict or the caller's mistake; and a VALID
// one is about the content that was signed.
func TestSpoiledCMS(t *testing.T) {
	r := refreshed(t, nil)
	good := cmsRequest(t, newPhone(t), sandbox.CMSOptions{SigningTime: true})
	random := rand.New(rand.NewPCG(5, 6))
	refused := 0
	for n := range 600 {
		bad := withContent(good, cmsContent)
		at := random.IntN(len(bad.CmsSignedData))
		switch n % 3 {
		case 0:
			bad.CmsSignedData = bad.CmsSignedData[:at]
		case 1:
			bad.CmsSignedData[at] ^= 1 << random.IntN(8)
		case 2:
			bad.CmsSignedData = slices.Insert(bad.CmsSignedData, at, byte(random.Uint32()))
		}
		v, err := r.verification().Verify(as(kycToken), bad)
		if code := status.Code(err); code != codes.OK && (code != codes.InvalidArgument || reasonOf(err) == "") {
			t.Errorf("octet %d: %v", at, err)
		}
		if err != nil || v.GetVerdict() == tashikav1.Verdict_VERDICT_INVALID {
			refused++
		}
	}
	if refused < 500 || strings.Contains(r.log.String(), "panic") {
		t.Errorf("%d refused", refused)
	}
}

// TestOpenSSLSigns: what openssl cms makes with the key and certificate of a phone is verified.
func TestOpenSSLSigns(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("the openssl program is not installed: ", err)
	}
	r := refreshed(t, nil)
	phone := newPhone(t)
	key, err := phone.ExportKey(sandbox.Sign)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	for name, data := range map[string][]byte{"key.der": key, "cert.der": phone.Certificate(sandbox.Sign).DER, "content": []byte(cmsContent)} {
		if err := os.WriteFile(file(name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	openssl := func(args ...string) {
		t.Helper()
		if out, err := exec.CommandContext(t.Context(), "openssl", args...).CombinedOutput(); err != nil {
			t.Fatalf("openssl %v: %v\n%s", args, err, out)
		}
	}
	openssl("x509", "-inform", "DER", "-in", file("cert.der"), "-out", file("cert.pem"))
	openssl("pkey", "-inform", "DER", "-in", file("key.der"), "-out", file("key.pem"))
	for name, c := range map[string]struct {
		options  []string
		detached bool
	}{
		"attached":        {[]string{"-nodetach"}, false},
		"attached_ber":    {[]string{"-nodetach", "-stream", "-indef"}, false},
		"detached":        {nil, true},
		"pss":             {[]string{"-nodetach", "-keyopt", "rsa_padding_mode:pss", "-keyopt", "rsa_pss_saltlen:digest"}, false},
		"key_id":          {[]string{"-nodetach", "-keyid"}, false},
		"no_attributes":   {[]string{"-nodetach", "-noattr"}, false},
		"cades":           {[]string{"-nodetach", "-cades"}, false},
		"no_certificates": {[]string{"-nodetach", "-nocerts"}, false},
	} {
		t.Run("good_"+name, func(t *testing.T) {
			out := file(name + ".der")
			openssl(append([]string{"cms", "-sign", "-binary", "-md", "sha256", "-in", file("content"), "-signer", file("cert.pem"), "-inkey", file("key.pem"),
				"-outform", "DER", "-out", out}, c.options...)...)
			message, err := os.ReadFile(out)
			if err != nil {
				t.Fatal(err)
			}
			request := &tashikav1.VerifyRequest{Use: tashikav1.Use_USE_PRIVATE_IDENTITY_VERIFICATION, CmsSignedData: message}
			if c.detached {
				request = withContent(request, cmsContent)
			}
			if name == "no_certificates" {
				request.Certificate = phone.Certificate(sandbox.Sign).DER
			}
			v, err := r.verifyBoth(name, request)
			if err != nil || v.GetVerdict() != tashikav1.Verdict_VERDICT_VALID || v.GetHolderAttributes() == nil {
				t.Errorf("%v %v", v, err)
			}
			v, err = r.verifyBoth(name, withContent(request, cmsContent+"0"))
			if err != nil || v.GetVerdict() != tashikav1.Verdict_VERDICT_INVALID {
				t.Errorf("another content: %v %v", v, err)
			}
		})
	}
}
