package validation

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/tashika-jp/tashika/certs/reason"
)

// TestLineMalformed: what is no question is malformed, with its id where that can be told, and never anything else.
func TestLineMalformed(t *testing.T) {
	cert := string(must(json.Marshal(issue(nil, "root", 1, ca).Raw)))
	for line, id := range map[string]string{
		"": "null", "{": "null", "null": "null", "[]": "null", "true": "null", `"x"`: "null", "{}": "null", "\xff\xfe": "null",
		`{"id":"a"}`: `"a"`, `{"id":7}`: "7", `{"id":{"x":[1]}}`: `{"x":[1]}`,
		`{"id":"a","certificate":"!"}`:                                                     `"a"`,
		`{"id":"a","certificate":"MAA="}`:                                                  `"a"`,
		`{"id":"a","certificate":` + cert + `,"trust_anchor":[]}`:                          `"a"`, // misspelt
		`{"id":"a","certificate":` + cert + `,"revocation":"maybe"}`:                       `"a"`,
		`{"id":"a","certificate":` + cert + `,"scope":"all"}`:                              `"a"`,
		`{"id":"a","certificate":` + cert + `,"time":"yesterday"}`:                         `"a"`,
		`{"id":"a","certificate":` + cert + `,"max_age":0}`:                                `"a"`,
		`{"id":"a","certificate":` + cert + `,"max_age":-1}`:                               `"a"`,
		`{"id":"a","certificate":` + cert + `,"max_age":1e300}`:                            `"a"`,
		`{"id":"a","certificate":` + cert + `,"max_chain_depth":-1}`:                       `"a"`,
		`{"id":"a","certificate":` + cert + `,"extended_key_usage":["serverAuth"]}`:        `"a"`,
		`{"id":"a","certificate":` + cert + `,"policy":{"initial_policy_set":["x"]}}`:      `"a"`,
		`{"id":"a","certificate":` + cert + `}{}`:                                          `"a"`,
		`{"id":"a","certificate":` + cert + `,"signature":"AA=="}`:                         `"a"`, // without algorithm
		`{"id":"a","public_key":"MAA="}`:                                                   `"a"`,
		`{"id":"a","public_key":"MAA=","signature":"","algorithm":{"type":"ecdsa"}}`:       `"a"`,
		`{"id":"a","public_key":"MAA=","signature":"","algorithm":{"type":"dsa"}}`:         `"a"`,
		`{"id":"a","public_key":"MAA=","signature":"","algorithm":{"type":"ecdsa","x":1}}`: `"a"`,
		`{"id":"a","cms":"MAA="}`:                                                          `"a"`,
		`{"id":"a","cms":""}`:                                                              `"a"`,
		strings.Repeat("[", 100_000):                                                       "null",
		`{"id":` + strings.Repeat("[", 20_000):                                             "null",
	} {
		var a Answer
		if err := json.Unmarshal(Line([]byte(line), now), &a); err != nil {
			t.Fatal(err)
		}
		if a.Verdict != "malformed" || a.Status != "unknown" || len(a.Reasons) != 1 || a.Policies == nil || string(a.ID) != id {
			t.Errorf("%.100s: %+v with id %s", line, a, a.ID)
		}
	}
}

// TestLineWithoutTime: a question without a time is about now.
func TestLineWithoutTime(t *testing.T) {
	root := issue(nil, "root", 1, ca)
	line := must(json.Marshal(map[string]any{"trust_anchors": ders(root), "certificate": root.Raw}))
	for at, want := range map[time.Time]string{now: `"valid"`, now.Add(48 * time.Hour): `"invalid"`} {
		if out := Line(line, at); !bytes.Contains(out, []byte(want)) {
			t.Errorf("%s, want %s", out, want)
		}
	}
}

// TestSignatureAlone: a signature under a key, and under a certificate's.
func TestSignatureAlone(t *testing.T) {
	root := issue(nil, "root", 1, func(c *x509.Certificate) {
		ca(c)
		c.KeyUsage |= x509.KeyUsageDigitalSignature
	})
	authority := issue(nil, "root", 1, ca)
	message := []byte("sign this")
	digest := sha256.Sum256(message)
	value := must(root.key.Sign(nil, digest[:], crypto.SHA256))
	wrong := append(bytes.Clone(value[:len(value)-1]), value[len(value)-1]^1)
	ec := func(hash string) *Algorithm { return &Algorithm{Type: "ecdsa", Hash: hash} }
	negative := -1
	for _, c := range []struct {
		name    string
		q       Question
		verdict string
		reasons []reason.ID
	}{
		{"good", Question{PublicKey: root.RawSubjectPublicKeyInfo, Signature: &value, Message: message, Algorithm: ec("SHA-256")}, "valid", nil},
		{"bad_value", Question{PublicKey: root.RawSubjectPublicKeyInfo, Signature: &wrong, Message: message, Algorithm: ec("sha256")}, "invalid", []reason.ID{reason.SigCryptoFailure}},
		{"bad_message", Question{PublicKey: root.RawSubjectPublicKeyInfo, Signature: &value, Algorithm: ec("sha256")}, "invalid", []reason.ID{reason.SigCryptoFailure}},
		{"bad_hash", Question{PublicKey: root.RawSubjectPublicKeyInfo, Signature: &value, Message: message, Algorithm: ec("sha384")}, "invalid", []reason.ID{reason.SigCryptoFailure}},
		{"bad_sha1", Question{PublicKey: root.RawSubjectPublicKeyInfo, Signature: &value, Message: message, Algorithm: ec("sha1")}, "invalid", []reason.ID{reason.CryptoConstraintsFailure}},
		{"bad_hash_unknown", Question{PublicKey: root.RawSubjectPublicKeyInfo, Signature: &value, Message: message, Algorithm: ec("md5")}, "invalid", []reason.ID{reason.CryptoConstraintsFailure}},
		{"bad_sha1_allowed_is_not_sha256", Question{AllowSHA1: true, PublicKey: root.RawSubjectPublicKeyInfo, Signature: &value, Message: message, Algorithm: ec("sha1")}, "invalid", []reason.ID{reason.SigCryptoFailure}},
		{"bad_scheme", Question{PublicKey: root.RawSubjectPublicKeyInfo, Signature: &value, Message: message, Algorithm: &Algorithm{Type: "rsa-pkcs1", Hash: "sha256"}}, "invalid", []reason.ID{reason.AlgorithmKeyMismatch}},
		{"bad_form", Question{PublicKey: root.RawSubjectPublicKeyInfo, Signature: &value, Message: message, Algorithm: &Algorithm{Type: "ecdsa-p1363", Hash: "sha256"}}, "invalid", []reason.ID{reason.SigCryptoFailure}},
		{"malformed_salt", Question{PublicKey: root.RawSubjectPublicKeyInfo, Signature: &value, Algorithm: &Algorithm{Type: "rsa-pss", Hash: "sha256", SaltLength: &negative}}, "malformed", []reason.ID{reason.FormatFailure}},
		{"malformed_key", Question{PublicKey: []byte{0x30, 0}, Signature: &value, Message: message, Algorithm: ec("sha256")}, "malformed", []reason.ID{reason.FormatFailure}},
		{"good_certificate", Question{Certificate: root.Raw, TrustAnchors: ders(root), Signature: &value, Message: message, Algorithm: ec("sha256")}, "valid", nil},
		{"bad_certificate", Question{Certificate: root.Raw, TrustAnchors: ders(root), Signature: &wrong, Message: message, Algorithm: ec("sha256")}, "invalid", []reason.ID{reason.SigCryptoFailure}},
		{"bad_certificate_for_certificates_only", Question{Certificate: authority.Raw, TrustAnchors: ders(authority), Signature: &value, Message: message, Algorithm: ec("sha256")}, "invalid", []reason.ID{reason.KeyUsageMismatch}},
		{"bad_certificate_not_trusted", Question{Certificate: root.Raw, Signature: &value, Message: message, Algorithm: ec("sha256")}, "invalid", []reason.ID{reason.NoCertificateChainFound}},
	} {
		t.Run(c.name, func(t *testing.T) { ask(t, c.q).expect(t, c.verdict, "unknown", c.reasons...) })
	}
}

// FuzzLine: a line has one answer, which is JSON of closed sets, and nothing is valid without an anchor or a key. The seeds are
// questions of every kind.
func FuzzLine(f *testing.F) {
	root := issue(nil, "root", 1, ca)
	middle := issue(root, "middle", 2, ca)
	leaf := issue(middle, "leaf", 3, nil)
	digest := sha256.Sum256([]byte("m"))
	value := must(leaf.key.Sign(nil, digest[:], crypto.SHA256))
	for _, q := range []Question{
		{TrustAnchors: ders(root), Intermediates: ders(middle), Certificate: leaf.Raw, CRLs: [][]byte{list(root, 1, nil, nil), list(middle, 1, nil, nil)}},
		{TrustAnchors: ders(middle), Certificate: leaf.Raw, AnchorsAreTrustedIssuers: true, Revocation: "ocsp", OCSPResponses: [][]byte{response(middle, middle, leaf, 0, 0, now)}},
		{PublicKey: leaf.RawSubjectPublicKeyInfo, Signature: &value, Message: []byte("m"), Algorithm: &Algorithm{Type: "ecdsa", Hash: "SHA-256"}},
		{TrustAnchors: ders(root), Intermediates: ders(middle), Certificate: leaf.Raw, ServerName: "example.com", Email: "a@example.com", Strict: true, ExtendedKeyUsage: []string{"1.2.3"}},
		{CMS: &value, Content: &value},
	} {
		f.Add(must(json.Marshal(q)))
	}
	verdicts := map[string]bool{"malformed": true, "indeterminate": true, "invalid": true, "valid": true}
	statuses := map[string]bool{"good": true, "revoked": true, "on_hold": true, "unknown": true}
	f.Fuzz(func(t *testing.T, line []byte) {
		var a Answer
		if err := json.Unmarshal(Line(line, now), &a); err != nil {
			t.Fatal(err)
		}
		if !verdicts[a.Verdict] || !statuses[a.Status] {
			t.Fatalf("%+v", a)
		}
		gravest := reason.Warning
		for _, id := range a.Reasons {
			severity := reason.Get(id).Severity
			if severity == 0 {
				t.Fatalf("%s is no reason", id)
			}
			gravest = max(gravest, severity)
		}
		if (a.Verdict == "valid") != (gravest == reason.Warning) {
			t.Fatalf("%s for %v", a.Verdict, a.Reasons)
		}
		var q Question
		if a.Verdict == "valid" && (json.Unmarshal(line, &q) != nil || len(q.TrustAnchors) == 0 && q.PublicKey == nil && q.CMS == nil) {
			t.Fatalf("%s is valid", line)
		}
	})
}
