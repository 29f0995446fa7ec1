package profile

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/tashika-jp/tashika/certs/signature"
)

func TestEmbedded(t *testing.T) {
	set, err := Load(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, use := range Uses {
		p := set[use]
		if p == nil {
			t.Fatalf("no profile for %s", use)
		}
		if p.HolderSignatures.Allows(signature.PKCS1SHA1) || p.IssuerSignatures.Allows(signature.PKCS1SHA1) {
			t.Errorf("%s allows SHA-1", use)
		}
		if !p.HolderSignatures.Allows(signature.PKCS1SHA256) || !p.HolderSignatures.Allows(signature.ECDSASHA384) {
			t.Errorf("%s does not allow what phones do today and the next card will", use)
		}
		if wantContent := use == PrivateIdentityVerification; (p.Signs == Content) != wantContent || p.HolderAttributes != wantContent {
			t.Errorf("%s signs %s, attributes %v", use, p.Signs, p.HolderAttributes)
		}
		if p.Name() != use.String()+"/"+p.Date {
			t.Errorf("name %s", p.Name())
		}
	}
}

// TestOverride: a file of the same name replaces a profile, whole.
func TestOverride(t *testing.T) {
	original, err := embedded.ReadFile("health-insurance.yaml")
	if err != nil {
		t.Fatal(err)
	}
	set, err := Load(fstest.MapFS{"health-insurance.yaml": {Data: []byte(strings.Replace(string(original), "crl_max_age: 48h", "crl_max_age: 25h", 1))}})
	if err != nil {
		t.Fatal(err)
	}
	if got := set[HealthInsurance].Revocation.CRLMaxAge.Hours(); got != 25 {
		t.Errorf("crl_max_age is %v h", got)
	}
	if got := set[ConvenienceStoreIssuance].Revocation.CRLMaxAge.Hours(); got != 48 {
		t.Errorf("another profile changed: %v h", got)
	}
}

// TestStrict: each change makes the file an error.
func TestStrict(t *testing.T) {
	original, err := embedded.ReadFile("health-insurance.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string][2]string{
		"unknown field":           {"signs:", "sings: challenge\nsigns:"},
		"field twice":             {"signs: challenge", "signs: challenge\nsigns: challenge"},
		"missing field":           {"signs: challenge", ""},
		"SHA-1":                   {"[RSASSA_PKCS1_V15_SHA256,", "[RSASSA_PKCS1_V15_SHA1,"},
		"SHA-1 with RSASSA-PSS":   {"[RSASSA_PKCS1_V15_SHA256,", "[RSASSA_PSS_SHA1,"},
		"SHA-1 with ECDSA":        {"[RSASSA_PKCS1_V15_SHA256,", "[ECDSA_SHA1,"},
		"unknown algorithm":       {"[RSASSA_PKCS1_V15_SHA256,", "[RSASSA_PKCS1_V15_MD5,"},
		"unknown kind":            {"[MOBILE_AUTH]", "[MOBILE]"},
		"kind of the other act":   {"[MOBILE_AUTH]", "[MOBILE_SIGN]"},
		"attributes of an auth":   {"holder_attributes: false", "holder_attributes: true"},
		"no kinds":                {"[MOBILE_AUTH]", "[]"},
		"other use":               {"use: health-insurance", "use: convenience-store-issuance"},
		"date":                    {"2026-11-23", "23.11.2026"},
		"skew":                    {"clock_skew: 2m", "clock_skew: 2h"},
		"negative skew":           {"clock_skew: 2m", "clock_skew: -1s"},
		"no age bound":            {"crl_max_age: 48h", "crl_max_age: 0s"},
		"duration without unit":   {"ocsp_max_age: 1h", "ocsp_max_age: 3600"},
		"no timeout":              {"ocsp_timeout: 2s", "ocsp_timeout: 0s"},
		"negative reuse":          {"ocsp_reuse: 30s", "ocsp_reuse: -1s"},
		"reuse beyond the age":    {"ocsp_reuse: 30s", "ocsp_reuse: 61m"},
		"unknown method":          {"methods: [CRL_THEN_OCSP,", "methods: [NONE,"},
		"no methods":              {"methods: [CRL_THEN_OCSP, OCSP_THEN_CRL, CRL, OCSP]", "methods: []"},
		"something after the end": {"ocsp_nonce_required: true", "ocsp_nonce_required: true\n---\nuse: health-insurance"},
	} {
		changed := strings.Replace(string(original), change[0], change[1], 1)
		if changed == string(original) {
			t.Fatalf("%s: nothing to change", name)
		}
		if _, err := Load(fstest.MapFS{"health-insurance.yaml": {Data: []byte(changed)}}); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := Load(fstest.MapFS{"health.yaml": {Data: original}}); err == nil {
		t.Error("a file for no use is accepted")
	}
}

func TestMethodsSteps(t *testing.T) {
	for method, want := range map[Method]string{CRL: "CRL", OCSP: "OCSP", CRLThenOCSP: "CRL OCSP", OCSPThenCRL: "OCSP CRL", 0: "", 99: ""} {
		var got []string
		for _, step := range method.Steps() {
			got = append(got, step.String())
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %v", method, got)
		}
	}
}
