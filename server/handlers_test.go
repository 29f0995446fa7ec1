package server

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/tashika-jp/tashika/certs/reason"
	"github.com/tashika-jp/tashika/certs/sandbox"
	tashikav1 "github.com/tashika-jp/tashika/proto/tashika/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
)

func ids(reasons []*tashikav1.Reason) (out []string) {
	for _, r := range reasons {
		out = append(out, r.GetId())
	}
	return out
}

func TestVerifyOverBothDoors(t *testing.T) {
	r := refreshed(t, nil)
	phone := newPhone(t)
	overHTTP := func(token string, request *tashikav1.VerifyRequest) (*tashikav1.VerifyResponse, error) {
		body, err := protojson.Marshal(request)
		if err != nil {
			t.Fatal(err)
		}
		a := r.post("/v1:verify", token, string(body))
		if a.code != http.StatusOK {
			return nil, errors.New(string(a.body))
		}
		out := &tashikav1.VerifyResponse{}
		return out, protojson.Unmarshal(a.body, out)
	}
	overGRPC := func(token string, request *tashikav1.VerifyRequest) (*tashikav1.VerifyResponse, error) {
		return r.verification().Verify(as(token), request)
	}
	fingerprints := map[string]bool{}
	for name, verify := range map[string]func(string, *tashikav1.VerifyRequest) (*tashikav1.VerifyResponse, error){"grpc": overGRPC, "http": overHTTP} {
		request := r.kioskRequest(phone)
		v, err := verify(kioskToken, request)
		if err != nil {
			t.Fatal(name, err)
		}
		if v.GetVerdict() != tashikav1.Verdict_VERDICT_VALID || v.GetHolderAttributes() != nil ||
			v.GetCertificate().GetKind() != tashikav1.CertificateKind_CERTIFICATE_KIND_MOBILE_AUTH ||
			v.GetStatus().GetStatus() != tashikav1.CertificateStatus_CERTIFICATE_STATUS_GOOD || v.GetStatus().GetSource() == "" ||
			v.GetGuidance().GetNextSteps()[0] != tashikav1.NextStep_NEXT_STEP_PROCEED || len(v.GetChecks()) < 15 ||
			!strings.HasPrefix(v.GetProfile(), "convenience-store-issuance/") || v.GetCertificate().GetPartition() == "" {
			t.Errorf("%s: %v", name, v)
		}
		fingerprints[v.GetCertificate().GetFingerprint()] = true
		v, err = verify(kioskToken, request)
		if err != nil || v.GetVerdict() != tashikav1.Verdict_VERDICT_INVALID || !slices.Equal(ids(v.GetReasons()), []string{string(reason.ChallengeReplayed)}) {
			t.Errorf("%s: the same request again: %v %v", name, v, err)
		}
		v, err = verify(kycToken, r.kycRequest(phone))
		if err != nil || v.GetVerdict() != tashikav1.Verdict_VERDICT_VALID || v.GetHolderAttributes().GetCommonName().GetText() == "" {
			t.Errorf("%s: identity verification: %v %v", name, v, err)
		}
	}
	if len(fingerprints) != 1 {
		t.Error("the doors give different fingerprints")
	}
}

// TestFingerprint: the same certificate has another name to another party.
func TestFingerprint(t *testing.T) {
	r := start(t, nil)
	certificates := tashikav1.NewCertificateServiceClient(r.conn)
	request := &tashikav1.InspectRequest{Certificate: newPhone(t).Certificate(sandbox.Sign).DER}
	seen := map[string]bool{}
	for _, token := range []string{kioskToken, kycToken, kycToken} {
		out, err := certificates.Inspect(as(token), request)
		if err != nil {
			t.Fatal(err)
		}
		f := out.GetCertificate().GetFingerprint()
		if len(f) != 2*sha256.Size || strings.ToLower(f) != f {
			t.Errorf("fingerprint %q", f)
		}
		seen[f] = true
		if got := out.GetHolderAttributes() != nil; got != (token == kycToken) {
			t.Errorf("holder attributes shown: %v", got)
		}
	}
	if len(seen) != 2 {
		t.Errorf("%d fingerprints for two parties", len(seen))
	}
}

func TestInspect(t *testing.T) {
	r := start(t, nil)
	out, err := tashikav1.NewCertificateServiceClient(r.conn).Inspect(as(kioskToken), &tashikav1.InspectRequest{Certificate: newPhone(t).Certificate(sandbox.Auth).DER})
	if err != nil {
		t.Fatal(err)
	}
	if out.GetPublicKeyAlgorithm() != "RSA-2048" || out.GetSignatureAlgorithm() != "RSASSA_PKCS1_V15_SHA256" ||
		!slices.Equal(out.GetPolicies(), []string{sandbox.PolicyMobileAuth}) || !slices.Equal(out.GetKeyUsages(), []string{"digitalSignature"}) ||
		len(out.GetDistributionPoints()) != 1 || len(out.GetOcspUris()) != 1 || len(out.GetSubjectKeyId()) != 40 ||
		out.GetCertificate().GetKind() != tashikav1.CertificateKind_CERTIFICATE_KIND_MOBILE_AUTH {
		t.Errorf("%v", out)
	}
}

// TestCallersMistakes: errors, not verdicts, and no challenge is spent by them.
func TestCallersMistakes(t *testing.T) {
	r := refreshed(t, nil)
	phone := newPhone(t)
	good := r.kioskRequest(phone)
	changed := func(base *tashikav1.VerifyRequest, f func(*tashikav1.VerifyRequest)) *tashikav1.VerifyRequest {
		out := proto.CloneOf(base)
		f(out)
		return out
	}
	identity := r.kycRequest(phone)
	digest := sha256.Sum256([]byte("x"))
	for _, c := range []struct {
		name, token string
		request     *tashikav1.VerifyRequest
		failure     failure
		field       string
	}{
		{"bad_use_not_granted", kycToken, good, useNotGranted, ""},
		{"bad_certificate", kioskToken, changed(good, func(v *tashikav1.VerifyRequest) { v.Certificate = v.Certificate[:100] }), formatFailure, "certificate"},
		{"bad_trailing_byte", kioskToken, changed(good, func(v *tashikav1.VerifyRequest) { v.Certificate = append(v.Certificate, 0) }), formatFailure, "certificate"},
		{"bad_content_for_challenge", kioskToken, changed(good, func(v *tashikav1.VerifyRequest) { v.Signed = identity.Signed }), signedFormMismatch, "content"},
		{"bad_challenge_for_content", kycToken, changed(identity, func(v *tashikav1.VerifyRequest) { v.Signed = good.Signed }), signedFormMismatch, "challenge"},
		{"bad_digest_length", kycToken, changed(identity, func(v *tashikav1.VerifyRequest) {
			v.Signed = &tashikav1.VerifyRequest_ContentDigest{ContentDigest: digest[:31]}
		}), digestLengthMismatch, "content_digest"},
		{"bad_digest_of_other_hash", kycToken, changed(identity, func(v *tashikav1.VerifyRequest) {
			v.Signed = &tashikav1.VerifyRequest_ContentDigest{ContentDigest: digest[:]}
			v.SignatureAlgorithm = tashikav1.SignatureAlgorithm_SIGNATURE_ALGORITHM_RSASSA_PSS_SHA384
		}), digestLengthMismatch, "content_digest"},
		{"bad_nothing_signed", kioskToken, changed(good, func(v *tashikav1.VerifyRequest) { v.Signed = nil }), fieldInvalid, "signed"},
		{"bad_use", kioskToken, changed(good, func(v *tashikav1.VerifyRequest) { v.Use = 99 }), fieldInvalid, "use"},
		{"bad_max_age", kioskToken, changed(good, func(v *tashikav1.VerifyRequest) { v.MaxAge = durationpb.New(-1) }), fieldInvalid, "max_age"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := r.verification().Verify(as(c.token), c.request)
			want(t, c.name, err, c.failure, c.field)
		})
	}
	if v, err := r.verification().Verify(as(kioskToken), good); err != nil || v.GetVerdict() != tashikav1.Verdict_VERDICT_VALID {
		t.Errorf("the challenge was spent by a mistake: %v %v", v, err)
	}
	_, err := r.verification().CreateChallenge(as(kycToken), &tashikav1.CreateChallengeRequest{Use: tashikav1.Use_USE_PRIVATE_IDENTITY_VERIFICATION})
	want(t, "a challenge for content", err, useWithoutChallenge, "use")
}

// TestMethodNotOffered with a profile that has lists only.
func TestMethodNotOffered(t *testing.T) {
	r := start(t, func(c *Config) { c.ProfilesDir = crlOnly(t) })
	_, err := tashikav1.NewCertificateServiceClient(r.conn).CheckStatus(as(kioskToken), &tashikav1.CheckStatusRequest{
		Use: tashikav1.Use_USE_CONVENIENCE_STORE_ISSUANCE, Certificate: newPhone(t).Certificate(sandbox.Auth).DER,
		RevocationMethod: tashikav1.RevocationMethod_REVOCATION_METHOD_OCSP,
	})
	want(t, "OCSP", err, methodNotOffered, "revocation_method")
}

func TestCheckStatus(t *testing.T) {
	r := refreshed(t, nil)
	request := &tashikav1.CheckStatusRequest{Use: tashikav1.Use_USE_CONVENIENCE_STORE_ISSUANCE, Certificate: newPhone(t).Certificate(sandbox.Auth).DER}
	v, err := tashikav1.NewCertificateServiceClient(r.conn).CheckStatus(as(kioskToken), request)
	if err != nil || v.GetVerdict() != tashikav1.Verdict_VERDICT_VALID || v.GetStatus().GetAge() == nil {
		t.Errorf("%v %v", v, err)
	}
}

// TestPages: every source once, in order, whatever the size of a page.
func TestPages(t *testing.T) {
	r := start(t, nil)
	sources := tashikav1.NewRevocationServiceClient(r.conn)
	var names []string
	for token := ""; ; {
		out, err := sources.ListSources(as(kioskToken), &tashikav1.ListSourcesRequest{PageSize: 3, PageToken: token})
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range out.GetSources() {
			names = append(names, s.GetName())
		}
		if token = out.GetNextPageToken(); token == "" {
			if int(out.GetTotalSize()) != len(names) {
				t.Errorf("total %d, got %d", out.GetTotalSize(), len(names))
			}
			break
		}
	}
	if !slices.IsSorted(names) || len(slices.Compact(slices.Clone(names))) != len(names) || len(names) != len(world().Sources().Lists) {
		t.Errorf("names %v", names)
	}
	for _, token := range []string{"x", "AAAA", "!!", strings.Repeat("A", 200)} {
		_, err := sources.ListSources(as(kioskToken), &tashikav1.ListSourcesRequest{PageToken: token})
		want(t, "token "+token, err, pageTokenInvalid, "page_token")
	}
}

// TestRefusedIsTold: a list that does not pass the gate is in ListSources, by name and reason, and in the metrics.
func TestRefusedIsTold(t *testing.T) {
	var name string
	r := start(t, func(c *Config) {
		c.Revocation.Sources[0].Partition = "CN=Nowhere,C=JP"
		name = c.Revocation.Sources[0].Name
	})
	if err := r.Refresh(context.Background()); err == nil {
		t.Error("nothing was refused")
	}
	out, err := tashikav1.NewRevocationServiceClient(r.conn).ListSources(as(kioskToken), &tashikav1.ListSourcesRequest{PageSize: 1000})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range out.GetSources() {
		refused := s.GetRefused()
		if (refused != nil) != (s.GetName() == name) {
			t.Errorf("%s: %v", s.GetName(), refused)
		}
		if refused != nil && (!slices.Equal(refused.GetReasons(), []string{"CRL_SCOPE_MISMATCH"}) || len(refused.GetDigest()) != 64 ||
			refused.GetTime() == nil || refused.GetThisUpdate() == nil || refused.GetCrlNumber() == "") {
			t.Errorf("%v", refused)
		}
	}
	text := r.scrape()
	if !strings.Contains(text, "tashika_revocation_refused 1\n") || !strings.Contains(text, `tashika_revocation_refused_total{reason="CRL_SCOPE_MISMATCH"} `) {
		t.Error("not in the metrics")
	}
}

// TestPageMoves: what comes and goes between two pages moves nothing.
func TestPageMoves(t *testing.T) {
	list := func(names ...string) func(int) string { return func(i int) string { return names[i] } }
	_, _, token, err := page(3, list("b", "c", "d"), &tashikav1.ListSourcesRequest{PageSize: 2})
	if err != nil || token == "" {
		t.Fatal(token, err)
	}
	next := &tashikav1.ListSourcesRequest{PageSize: 2, PageToken: token}
	for _, c := range []struct {
		names []string
		start int
	}{{[]string{"b", "c", "d"}, 2}, {[]string{"a", "b", "c", "d"}, 3}, {[]string{"c", "d"}, 1}, {[]string{"b", "d", "e"}, 2}, {[]string{"b"}, 1}, {nil, 0}} {
		if start, _, _, err := page(len(c.names), list(c.names...), next); err != nil || start != c.start {
			t.Errorf("%v: start %d, want %d (%v)", c.names, start, c.start, err)
		}
	}
}

func TestDevices(t *testing.T) {
	r := start(t, nil)
	a := r.do(http.MethodGet, "/v1/devices:check?model=Pixel%2010", kioskToken, nil)
	var out struct{ Support string }
	if err := json.Unmarshal(a.body, &out); err != nil || a.code != http.StatusOK || out.Support != "SUPPORT_SUPPORTED" {
		t.Errorf("%d %s", a.code, a.body)
	}
	list, err := tashikav1.NewDeviceServiceClient(r.conn).ListDevices(as(kioskToken), &tashikav1.ListDevicesRequest{PageSize: 1})
	if err != nil || len(list.GetDevices()) != 1 || list.GetNextPageToken() == "" || list.GetList().GetEdition() == "" {
		t.Errorf("%v %v", list, err)
	}
}

// TestNoTimeLeft: who has gone is not worked for, and is not told a verdict.
func TestNoTimeLeft(t *testing.T) {
	r := start(t, nil)
	ctx, cancel := context.WithTimeout(as(kioskToken), 1)
	defer cancel()
	if _, err := r.verification().CreateChallenge(ctx, &tashikav1.CreateChallengeRequest{Use: 1}); err == nil {
		t.Error("an answer without time")
	}
}

// crlOnly is a folder with a profile that offers lists only.
func crlOnly(t *testing.T) string {
	t.Helper()
	const name = "convenience-store-issuance.yaml"
	data, err := os.ReadFile(filepath.Join("..", "certs", "profile", name))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	data = regexp.MustCompile(`methods: \[.*\]`).ReplaceAll(data, []byte("methods: [CRL]"))
	if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}
