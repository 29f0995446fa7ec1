// Package profile holds the verification policies, one for each use: which kinds of
// certificate, which algorithms, a challenge or content, how the revocation status is
// found and how fresh it must be.
//
// A profile is named and dated, so that an answer can say which rules it was given under.
// The profiles of this package are embedded; an operator overrides one with a file of the
// same name in a directory. Files are strict: an unknown field, a missing field, an unknown name
// or a value outside its bounds is an error, because a policy that is read differently from
// how it was written is worse than none. SHA-1 cannot be allowed.
package profile

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/tashika-jp/tashika/certs/signature"
	"go.yaml.in/yaml/v4"
)

// Use is what a relying party verifies for.
type Use uint8

// The uses; the zero value is none.
const (
	ConvenienceStoreIssuance    Use = iota + 1 // コンビニ交付
	HealthInsurance                            // 健康保険証 (オンライン資格確認)
	PrivateIdentityVerification                // 民間の本人確認
)

// Uses are all the uses.
var Uses = []Use{ConvenienceStoreIssuance, HealthInsurance, PrivateIdentityVerification}

var useNames = []string{"", "convenience-store-issuance", "health-insurance", "private-identity-verification"}

// String is the name in files and configuration, such as "health-insurance".
func (u Use) String() string { return nameOf(useNames, int(u)) }

// UnmarshalText reads what String writes.
func (u *Use) UnmarshalText(text []byte) error { return parseName(u, useNames, "use", text) }

// Kind is which of JPKI's certificates one is.
type Kind uint8

// The kinds; the zero value is none of them, or unknown.
const (
	CardSign   Kind = iota + 1 // 個人番号カード用署名用
	CardAuth                   // 個人番号カード用利用者証明用
	MobileSign                 // 移動端末設備用署名用
	MobileAuth                 // 移動端末設備用利用者証明用
)

var kindNames = []string{"", "CARD_SIGN", "CARD_AUTH", "MOBILE_SIGN", "MOBILE_AUTH"}

// String is the name, such as "MOBILE_AUTH"; empty for an unknown kind.
func (k Kind) String() string { return nameOf(kindNames, int(k)) }

// UnmarshalText reads what String writes.
func (k *Kind) UnmarshalText(text []byte) error { return parseName(k, kindNames, "kind", text) }

// Signs says whether the kind is one for signatures (署名用), not for user authentication.
func (k Kind) Signs() bool { return k == CardSign || k == MobileSign }

// Method is how a revocation status is found.
type Method uint8

// The methods; the zero value is none.
const (
	CRL Method = iota + 1
	OCSP
	CRLThenOCSP
	OCSPThenCRL
)

var methodNames = []string{"", "CRL", "OCSP", "CRL_THEN_OCSP", "OCSP_THEN_CRL"}

// String is the name, such as "CRL_THEN_OCSP".
func (m Method) String() string { return nameOf(methodNames, int(m)) }

// UnmarshalText reads what String writes.
func (m *Method) UnmarshalText(text []byte) error {
	return parseName(m, methodNames, "revocation method", text)
}

var steps = [...][]Method{CRL: {CRL}, OCSP: {OCSP}, CRLThenOCSP: {CRL, OCSP}, OCSPThenCRL: {OCSP, CRL}}

// Steps are the single methods in the order in which they are tried; they are only to be read.
func (m Method) Steps() []Method {
	if int(m) < len(steps) {
		return steps[m]
	}
	return nil
}

// Signed is what the holder's signature is over.
type Signed uint8

// What is signed; the zero value is nothing.
const (
	Challenge Signed = iota + 1 // a one-time challenge
	Content                     // the content of a transaction
)

var signedNames = []string{"", "challenge", "content"}

// String is the name, "challenge" or "content".
func (s Signed) String() string { return nameOf(signedNames, int(s)) }

// UnmarshalText reads what String writes.
func (s *Signed) UnmarshalText(text []byte) error {
	return parseName(s, signedNames, "signed object", text)
}

func nameOf(names []string, i int) string {
	if i < len(names) {
		return names[i]
	}
	return ""
}

func parseName[T ~uint8](into *T, names []string, what string, text []byte) error {
	if i := slices.Index(names, string(text)); i > 0 {
		*into = T(i)
		return nil
	}
	return fmt.Errorf("%q is not a %s; known are %s", text, what, strings.Join(names[1:], ", "))
}

// Profile is the policy of one use. It is immutable once loaded.
type Profile struct {
	// Use that the profile is for.
	Use Use `yaml:"use"`
	// Date of the policy, YYYY-MM-DD.
	Date string `yaml:"date"`
	// Kinds of certificate that are accepted.
	Kinds []Kind `yaml:"kinds"`
	// Signs is what the holder signs: challenge or content.
	Signs Signed `yaml:"signs"`
	// HolderSignatures are the algorithms accepted from the holder.
	HolderSignatures Algorithms `yaml:"holder_signatures"`
	// IssuerSignatures are the algorithms accepted on certificates, lists and OCSP responses.
	IssuerSignatures Algorithms `yaml:"issuer_signatures"`
	// HolderAttributes says whether the four attributes are read and returned.
	HolderAttributes bool `yaml:"holder_attributes"`
	// ClockSkew is how far clocks may differ, for all times but the certificate's notAfter.
	ClockSkew time.Duration `yaml:"clock_skew"`
	// Revocation is how the status is found.
	Revocation Revocation `yaml:"revocation"`

	name string
}

// Revocation is the part of a profile about the status.
type Revocation struct {
	// Methods that a caller may ask for; the first one is used if it asks for none.
	Methods []Method `yaml:"methods"`
	// CRLPartitionRequired refuses a list that does not name the certificate's distribution point, such as one
	// without issuing distribution point, which RFC 5280 takes for the list of all the issuer's certificates. J-LIS's
	// lists are one a municipality: if one of them came without the extension, it would say "good" of
	// everybody else. The shape of the lists is not published, so it can be turned off.
	CRLPartitionRequired bool `yaml:"crl_partition_required"`
	// CRLMaxAge is the greatest age of a list, from its thisUpdate.
	CRLMaxAge time.Duration `yaml:"crl_max_age"`
	// OCSPMaxAge is the greatest age of an OCSP answer, from its thisUpdate.
	OCSPMaxAge time.Duration `yaml:"ocsp_max_age"`
	// OCSPTimeout is the time that OCSP may cost a request.
	OCSPTimeout time.Duration `yaml:"ocsp_timeout"`
	// OCSPReuse is how long after it was asked for an OCSP answer may be used again, its nonce included; 0, and
	// what a file says that does not say: never. What was put on hold in between is not seen for as long. An answer is never
	// used beyond OCSPMaxAge, whatever this says.
	OCSPReuse time.Duration `yaml:"ocsp_reuse"`
	// OCSPNonceRequired refuses an OCSP answer without the request's nonce. What J-LIS's responder
	// does is not published, so it can be turned off; a wrong nonce is always refused.
	OCSPNonceRequired bool `yaml:"ocsp_nonce_required"`
}

// Algorithms is an allow-list, written as names.
type Algorithms signature.AllowList

// UnmarshalYAML reads a list of names. SHA-1 is refused.
func (a *Algorithms) UnmarshalYAML(node *yaml.Node) error {
	var names []string
	if err := node.Decode(&names); err != nil {
		return err
	}
	for _, name := range names {
		algorithm, err := signature.ParseName(name)
		if err != nil {
			return err
		}
		if algorithm.UsesSHA1() {
			return errors.New("SHA-1 cannot be allowed")
		}
		*a = append(*a, algorithm)
	}
	return nil
}

// Allows says whether the algorithm is on the list.
func (a Algorithms) Allows(algorithm signature.Algorithm) bool {
	return signature.AllowList(a).Allows(algorithm)
}

// Name is the name with the date, such as "health-insurance/2026-11-23".
func (p *Profile) Name() string { return p.name }

// Method returns the method to use for what a caller asks, which may be nothing (0);
// false if the profile does not offer it.
func (p *Profile) Method(asked Method) (Method, bool) {
	if asked == 0 {
		return p.Revocation.Methods[0], true
	}
	return asked, slices.Contains(p.Revocation.Methods, asked)
}

//go:embed *.yaml
var embedded embed.FS

// Set has one profile for each use.
type Set map[Use]*Profile

// Load returns the embedded profiles, each replaced by the file USE.yaml of the directory
// where there is one. The directory may be nil. Any other .yaml file is an error: it would
// be a policy that is never applied.
func Load(override fs.FS) (Set, error) {
	set := Set{}
	for _, use := range Uses {
		data, err := embedded.ReadFile(use.String() + ".yaml")
		if err != nil {
			return nil, err
		}
		if set[use], err = parse(use, data); err != nil {
			return nil, err
		}
	}
	if override == nil {
		return set, nil
	}
	names, err := fs.Glob(override, "*.yaml")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		var use Use
		if err := use.UnmarshalText([]byte(strings.TrimSuffix(name, ".yaml"))); err != nil {
			return nil, fmt.Errorf("profile: file %s: %w", name, err)
		}
		data, err := fs.ReadFile(override, name)
		if err != nil {
			return nil, err
		}
		if set[use], err = parse(use, data); err != nil {
			return nil, err
		}
	}
	return set, nil
}

func parse(use Use, data []byte) (*Profile, error) {
	p := &Profile{}
	if err := yaml.Load(data, p, yaml.WithKnownFields()); err != nil {
		return nil, fmt.Errorf("profile: %s: %w", use, err)
	}
	if err := p.check(use); err != nil {
		return nil, fmt.Errorf("profile: %s: %w", use, err)
	}
	p.name = p.Use.String() + "/" + p.Date
	return p, nil
}

func (p *Profile) check(use Use) error {
	_, dateErr := time.Parse(time.DateOnly, p.Date)
	within := func(d, low, high time.Duration) bool { return d >= low && d <= high }
	r := p.Revocation
	switch {
	case p.Use != use:
		return errors.New("use does not fit the file's name")
	case dateErr != nil:
		return errors.New("date is not YYYY-MM-DD")
	case len(p.Kinds) == 0 || len(p.HolderSignatures) == 0 || len(p.IssuerSignatures) == 0 || len(r.Methods) == 0:
		return errors.New("kinds, holder_signatures, issuer_signatures and revocation.methods must not be empty")
	case p.Signs == 0:
		return errors.New("signs is missing")
	case !within(p.ClockSkew, 0, 10*time.Minute):
		return errors.New("clock_skew must be between 0s and 10m")
	case !within(r.CRLMaxAge, time.Minute, 366*24*time.Hour) || !within(r.OCSPMaxAge, time.Minute, 366*24*time.Hour):
		return errors.New("revocation.crl_max_age and revocation.ocsp_max_age must be between 1m and 366 days")
	case !within(r.OCSPTimeout, time.Millisecond, time.Minute):
		return errors.New("revocation.ocsp_timeout must be between 1ms and 1m")
	case !within(r.OCSPReuse, 0, r.OCSPMaxAge):
		return errors.New("revocation.ocsp_reuse must be between 0s and ocsp_max_age")
	}
	for _, kind := range p.Kinds {
		// 公的個人認証法 36, 38: content is signed with a certificate for signatures, a
		// challenge is answered with one for user authentication; never the other way round.
		if kind.Signs() != (p.Signs == Content) {
			return fmt.Errorf("a %s certificate does not sign %s", kind, p.Signs)
		}
		if p.HolderAttributes && !kind.Signs() {
			return fmt.Errorf("a %s certificate has no holder attributes", kind)
		}
	}
	return nil
}
