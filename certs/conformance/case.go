package conformance

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Line is what `tashika validate -batch` reads: one question. Binary values are DER.
type Line struct {
	ID string `json:"id"`

	TrustAnchors  [][]byte  `json:"trust_anchors,omitempty"`
	Intermediates [][]byte  `json:"intermediates,omitempty"`
	CRLs          [][]byte  `json:"crls,omitempty"`
	OCSPResponses [][]byte  `json:"ocsp_responses,omitempty"`
	Certificate   []byte    `json:"certificate,omitempty"`
	Time          time.Time `json:"time,omitzero"`
	Revocation    string    `json:"revocation,omitempty"` // none, crl, ocsp, crl_or_ocsp
	Scope         string    `json:"scope,omitempty"`      // leaf, chain
	Policy        *Policy   `json:"policy,omitempty"`

	ExtendedKeyUsage []string `json:"extended_key_usage,omitempty"`
	ServerName       string   `json:"server_name,omitempty"`
	Email            string   `json:"email,omitempty"`

	AnchorsAreTrustedIssuers bool `json:"anchors_are_trusted_issuers,omitempty"`
	AllowSHA1                bool `json:"allow_sha1,omitempty"`

	PublicKey []byte     `json:"public_key,omitzero"` // SubjectPublicKeyInfo
	Signature []byte     `json:"signature,omitzero"`
	Message   []byte     `json:"message,omitzero"` // an empty one is one
	Algorithm *Algorithm `json:"algorithm,omitempty"`
}

// Policy holds the initial settings of RFC 5280 section 6.1.1 (c), (e), (f) and (g).
type Policy struct {
	InitialPolicySet      []string `json:"initial_policy_set,omitempty"`
	RequireExplicitPolicy bool     `json:"require_explicit_policy,omitempty"`
	InhibitPolicyMapping  bool     `json:"inhibit_policy_mapping,omitempty"`
	InhibitAnyPolicy      bool     `json:"inhibit_any_policy,omitempty"`
}

// Algorithm is what a signature alone is to be verified with.
type Algorithm struct {
	Type       string `json:"type"` // rsa-pkcs1, rsa-pss, ecdsa, ecdsa-p1363
	Hash       string `json:"hash"` // as Wycheproof and FIPS 180-4 call it: SHA-256
	MGFHash    string `json:"mgf_hash,omitempty"`
	SaltLength *int   `json:"salt_length,omitempty"` // 0 is a demand, not an absence
}

const anyPolicy = "2.5.29.32.0"

// Case is one question with the answer that its suite expects.
type Case struct {
	Line
	Name  string // what the suite calls it
	Valid bool
	// PolicySet is the expected user-constrained-policy-set; PKITS only.
	PolicySet []string
	// Algorithms that the case needs and that not everybody has, in the suite's words: "dsa".
	Needs []string
	// NoCertChecks: the suite asks its own judge not to check the responder's certificate
	// (openssl ocsp -no_cert_checks). The expectation holds with the checks as well.
	NoCertChecks bool
}

// Suite is a set of cases from one source.
type Suite struct {
	Name  string
	Cases []Case
}

// ErrAbsent: the suites are not beside the checkout.
var ErrAbsent = errors.New("conformance: no shared/conformance beside the checkout")

// Dir finds the suites: shared/conformance beside the checkout that the working directory is in.
func Dir() (string, error) {
	root, err := filepath.Abs(".")
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
			break
		}
		if root == filepath.Dir(root) {
			return "", fmt.Errorf("%w: the working directory is in no checkout", ErrAbsent)
		}
		root = filepath.Dir(root)
	}
	dir := filepath.Join(filepath.Dir(root), "shared", "conformance")
	if _, err := os.Stat(dir); err != nil {
		return "", ErrAbsent
	}
	return dir, nil
}

// Load reads all suites of a folder.
func Load(dir string) ([]Suite, error) {
	var suites []Suite
	for _, s := range []struct {
		name, folder string
		read         func(string) ([]Case, error)
	}{
		{"PKITS", "pkits", readPKITS},
		{"OCSP", "ocsp", readOCSP},
		{"Wycheproof", "wycheproof", readWycheproof},
	} {
		cases, err := s.read(filepath.Join(dir, s.folder))
		if err != nil {
			return nil, fmt.Errorf("conformance: %s: %w", s.name, err)
		}
		suites = append(suites, Suite{s.name, cases})
	}
	return suites, nil
}

// valid translates an expectation; a word that is none of the two is no expectation.
func valid(word, yes, no string) (bool, error) {
	if word != yes && word != no {
		return false, fmt.Errorf("expectation %q", word)
	}
	return word == yes, nil
}
