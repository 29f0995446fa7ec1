// Package anchors holds the trust anchors: the authorities whose certificates are
// believed because the operator has them, not because somebody signed them.
//
// All key generations of a JPKI authority share one name, so an anchor is found by
// name and key identifier together. The production anchors are pinned by the SHA-256
// of their certificates: a file that is none of them is refused unless the operator
// names its fingerprint in the configuration. A production set and any other set never mix: a
// sandbox certificate cannot become trusted in production by a file in the wrong place,
// nor a real one in a sandbox.
//
// What it refuses: certificates that are not well-formed, not self-signed, not
// allowed to sign certificates and lists, or without a subject key identifier; two anchors that are
// the same; a set without policies for the mobile kinds, which J-LIS does not publish.
package anchors

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tashika-jp/tashika/certs/pkix"
	"github.com/tashika-jp/tashika/certs/profile"
	"github.com/tashika-jp/tashika/certs/signature"
)

// CA is which of JPKI's two authorities one is.
type CA uint8

// The authorities; the zero value is none.
const (
	Sign CA = iota + 1 // for digital signature (署名用)
	Auth               // for user authentication (利用者証明用)
)

// UnmarshalText reads "sign" or "auth".
func (ca *CA) UnmarshalText(text []byte) error {
	switch string(text) {
	case "sign":
		*ca = Sign
	case "auth":
		*ca = Auth
	default:
		return fmt.Errorf("%q is not an authority; known are sign, auth", text)
	}
	return nil
}

// String is "sign" or "auth".
func (ca CA) String() string { return []string{"", "sign", "auth"}[ca] }

// Production is the name of the set of J-LIS's real anchors.
const Production = "production"

// pinned are J-LIS's certificates by the SHA-256 of their DER (J-LIS's repository; the
// fingerprint of auth 2019 was not obtained, so an operator has to name it).
var pinned = map[string]struct {
	CA   CA
	Name string
}{
	"19645405a1fe14377434bd55957628ac4038557c542403a2243f21c706fc9355": {Sign, "JPKI sign 2015"},
	"79679c33e4cc9319440f1ad120a597ff1844e2ef217063adb176966fd5e6fbeb": {Sign, "JPKI sign 2019"},
	"d227f6cde11d35c5252178f106f843d24651944975413b539fa2fb68dbfa365f": {Sign, "JPKI sign 2023"},
	"4dcfc4ca0aaf9fb2a3081b3f0c991c320b3acc008667a341eeaec5af1d58ca7d": {Auth, "JPKI auth 2015"},
	"64114f29620c24ed2631d46476a040e7ee740d956089c00b036a6a8118c322b5": {Auth, "JPKI auth 2023"},
}

// PinnedName returns the name of a pinned production anchor, such as "JPKI sign 2023", for
// the DER of its certificate; empty if it is none.
func PinnedName(der []byte) string { return pinned[Fingerprint(der)].Name }

// Fingerprint is the SHA-256 in lower-case hexadecimal.
func Fingerprint(der []byte) string {
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:])
}

// Anchor is one trusted key of an authority.
type Anchor struct {
	Certificate *pkix.Certificate
	Key         *signature.PublicKey
	CA          CA
	Fingerprint string // SHA-256 of the certificate
}

// Known says whether the anchor is known by a name and key identifier.
func (a *Anchor) Known(name pkix.Name, keyID []byte) bool {
	return bytes.Equal(a.Certificate.SubjectKeyID, keyID) && a.Certificate.Subject.Equal(name)
}

// Source is the certificate of an anchor-to-be.
type Source struct {
	DER []byte
	CA  CA
}

// Config says what a set is made of.
type Config struct {
	// Set is the name of the set: Production, or any other such as "sandbox".
	Set string
	// Sources are the certificates.
	Sources []Source
	// Named are fingerprints (SHA-256, hexadecimal) of production certificates that are
	// not pinned and that the operator answers for.
	Named []string
	// Policies are the certificate policies of the mobile kinds. Those of the cards are
	// known (JPKI certificate profile) and need not be given.
	Policies map[profile.Kind][]pkix.OID
}

// Set is an immutable set of anchors and of the policies that make a kind.
type Set struct {
	name     string
	anchors  []*Anchor
	policies map[policy]profile.Kind
}

type policy struct {
	ca  CA
	oid pkix.OID
}

// New makes a set.
func New(c Config) (*Set, error) {
	if c.Set == "" || len(c.Sources) == 0 {
		return nil, errors.New("anchors: a set needs a name and at least one certificate")
	}
	s := &Set{name: c.Set, policies: map[policy]profile.Kind{
		{Sign, pkix.MustOID("1.2.392.200149.8.5.1.1.20")}: profile.CardSign,
		{Auth, pkix.MustOID("1.2.392.200149.8.5.1.3.30")}: profile.CardAuth,
	}}
	for kind, oids := range c.Policies {
		ca := Auth
		if kind.Signs() {
			ca = Sign
		}
		for _, oid := range oids {
			if other, taken := s.policies[policy{ca, oid}]; taken && other != kind {
				return nil, fmt.Errorf("anchors: policy %s is already that of %s", oid, other)
			}
			s.policies[policy{ca, oid}] = kind
		}
	}
	for _, kind := range []profile.Kind{profile.MobileAuth, profile.MobileSign} {
		if len(c.Policies[kind]) == 0 {
			return nil, fmt.Errorf("anchors: no certificate policy is configured for %s", kind)
		}
	}
	for i, source := range c.Sources {
		a, err := newAnchor(source)
		if err == nil {
			err = s.admit(a, c.Named)
		}
		if err != nil {
			return nil, fmt.Errorf("anchors: certificate %d: %w", i+1, err)
		}
		s.anchors = append(s.anchors, a)
	}
	return s, nil
}

// admit refuses what does not belong into the set.
func (s *Set) admit(a *Anchor, named []string) error {
	known, isPinned := pinned[a.Fingerprint]
	isNamed := slices.ContainsFunc(named, func(f string) bool { return strings.EqualFold(f, a.Fingerprint) })
	switch {
	case slices.ContainsFunc(s.anchors, func(b *Anchor) bool { return b.Fingerprint == a.Fingerprint }):
		return errors.New("given twice")
	case isPinned && s.name != Production:
		return errors.New("a production certificate does not belong into the set " + s.name)
	case isPinned && known.CA != a.CA:
		return fmt.Errorf("it is %s, not of the authority %s", known.Name, a.CA)
	case s.name == Production && !isPinned && !isNamed:
		return errors.New("not a pinned certificate of J-LIS, and its fingerprint " + a.Fingerprint + " is not named")
	}
	return nil
}

func newAnchor(source Source) (*Anchor, error) {
	c, err := pkix.ParseCertificate(source.DER)
	if err != nil {
		return nil, err
	}
	if source.CA == 0 {
		return nil, errors.New("its authority is not given")
	}
	key, err := signature.NewPublicKey(c.PublicKeyAlgorithm, c.PublicKey)
	if err != nil {
		return nil, err
	}
	need := pkix.KeyCertSign | pkix.CRLSign
	if !c.IsCA || c.KeyUsage&need != need || len(c.SubjectKeyID) == 0 || len(c.UnknownCritical) > 0 || c.PathCritical || !c.SelfIssued() {
		return nil, errors.New("not a self-issued certificate that may sign certificates and lists")
	}
	algorithm, err := signature.FromIdentifier(c.SignatureAlgorithm)
	if err != nil {
		return nil, err
	}
	if err := key.Verify(algorithm, c.RawTBS, c.Signature); err != nil {
		return nil, errors.New("its own signature is wrong")
	}
	return &Anchor{Certificate: c, Key: key, CA: source.CA, Fingerprint: Fingerprint(source.DER)}, nil
}

// Name is the name of the set.
func (s *Set) Name() string { return s.name }

// All are the anchors, in the order given.
func (s *Set) All() []*Anchor { return s.anchors }

// ByKeyID returns the anchors with the given name and key identifier: more than one only
// where one key has several certificates.
func (s *Set) ByKeyID(name pkix.Name, keyID []byte) []*Anchor {
	var out []*Anchor
	for _, a := range s.anchors {
		if a.Known(name, keyID) {
			out = append(out, a)
		}
	}
	return out
}

// Kind returns the kind that an authority's policy makes, or 0.
func (s *Set) Kind(ca CA, oid pkix.OID) profile.Kind { return s.policies[policy{ca, oid}] }
