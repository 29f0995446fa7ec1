package signature

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"errors"
	"fmt"
	"math/bits"

	"github.com/tashika-jp/tashika/certs/pkix"
	"github.com/tashika-jp/tashika/certs/signature/eightlane"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// Bounds of RSA keys, in bits: NIST SP 800-131A for the lower, time for the upper.
const (
	minRSABits = 2048
	maxRSABits = 8192
)

// PublicKey is a key that signatures are checked with. It is immutable and safe for
// concurrent use.
type PublicKey struct {
	modulus  []byte // of RSA, big-endian, without leading zeros; nil for other keys
	bits     int    // of it
	e        uint
	pssOnly  bool       // the key is one of id-RSASSA-PSS
	pss      *Algorithm // what its parameters bind; nil if they are absent
	ecdsa    *ecdsa.PublicKey
	prepared bool // lanes is: eightlane covers the key
	lanes    eightlane.Modulus
}

var (
	// ErrKey: the key is of no known kind or malformed.
	ErrKey = errors.New("signature: unusable public key")
	// ErrWeakKey: an RSA key below 2048 bits.
	ErrWeakKey = errors.New("signature: public key is too short")

	oidRSA  = pkix.MustOID("1.2.840.113549.1.1.1")
	oidEC   = pkix.MustOID("1.2.840.10045.2.1")
	oidP256 = pkix.MustOID("1.2.840.10045.3.1.7")
	oidP384 = pkix.MustOID("1.3.132.0.34")
)

// NewPublicKey reads the key of a SubjectPublicKeyInfo that was taken apart by
// pkix. Errors are ErrKey and ErrWeakKey.
func NewPublicKey(algorithm pkix.AlgorithmIdentifier, key []byte) (*PublicKey, error) {
	switch algorithm.Algorithm {
	case oidRSA:
		// RFC 3279 section 2.3.1: the parameters field MUST be NULL.
		if string(algorithm.Parameters) != derNull {
			return nil, ErrKey
		}
		return newRSA(key)
	case oidRSASSAPSS:
		return newPSS(algorithm.Parameters, key)
	case oidEC:
		return newEC(algorithm.Parameters, key)
	}
	return nil, ErrKey
}

func newRSA(der []byte) (*PublicKey, error) {
	input := cryptobyte.String(der)
	var s cryptobyte.String
	if !input.ReadASN1(&s, asn1.SEQUENCE) || !input.Empty() {
		return nil, ErrKey
	}
	n, okN := pkix.ReadInteger(&s)
	e, okE := pkix.ReadInteger(&s)
	if !okN || !okE || !s.Empty() || n[0]&0x80 != 0 || e[0]&0x80 != 0 || len(e) > 4 {
		return nil, ErrKey
	}
	if n[0] == 0 {
		n = n[1:]
	}
	if len(n) == 0 {
		return nil, ErrKey
	}
	k := &PublicKey{bits: 8*len(n) - bits.LeadingZeros8(n[0])}
	for _, octet := range e {
		k.e = k.e<<8 | uint(octet)
	}
	switch {
	case k.bits < minRSABits:
		return nil, ErrWeakKey
	case k.bits > maxRSABits, k.e < 3, k.e&1 == 0, n[len(n)-1]&1 == 0:
		return nil, ErrKey
	}
	if k.prepared = eightlane.Available && k.e == eightlane.Exponent && k.lanes.Prepare(n); k.prepared {
		k.modulus = k.lanes.Octets()
	} else {
		k.modulus = bytes.Clone(n)
	}
	return k, nil
}

// newPSS reads a key that is for RSASSA-PSS alone. RFC 4055 section 3.1: where the key has parameters, they bind
// every signature made with it; where they are absent, it is free in them.
func newPSS(parameters, der []byte) (*PublicKey, error) {
	k, err := newRSA(der)
	if err != nil {
		return nil, err
	}
	k.pssOnly = true
	if parameters == nil {
		return k, nil
	}
	bound, err := pssParameters(parameters)
	if err != nil {
		return nil, ErrKey
	}
	k.pss = &bound
	return k, nil
}

func newEC(parameters, point []byte) (*PublicKey, error) {
	s := cryptobyte.String(parameters)
	// RFC 5480 section 2.1.1: only namedCurve.
	curveID, ok := pkix.ReadOID(&s)
	if !ok || !s.Empty() {
		return nil, ErrKey
	}
	var curve elliptic.Curve
	switch curveID {
	case oidP256:
		curve = elliptic.P256()
	case oidP384:
		curve = elliptic.P384()
	default:
		return nil, ErrKey
	}
	key, err := ecdsa.ParseUncompressedPublicKey(curve, point)
	if err != nil {
		return nil, ErrKey
	}
	return &PublicKey{ecdsa: key}, nil
}

// String is the kind of the key, such as "RSA-2048", "RSA-PSS-2048" or "P-384".
func (k *PublicKey) String() string {
	switch {
	case k.ecdsa != nil:
		return k.ecdsa.Params().Name
	case k.pssOnly:
		return fmt.Sprintf("RSA-PSS-%d", k.bits)
	}
	return fmt.Sprintf("RSA-%d", k.bits)
}

// Fits says whether the key is one for the scheme.
func (k *PublicKey) Fits(scheme Scheme) bool {
	switch scheme {
	case ECDSA, ECDSA_P1363:
		return k.ecdsa != nil
	case RSASSA_PSS:
		return k.modulus != nil
	case RSASSA_PKCS1_V15:
		return k.modulus != nil && !k.pssOnly
	}
	return false
}

// Permits says whether the key is one for the algorithm: it fits the scheme, and its own parameters,
// where it has some, are kept.
func (k *PublicKey) Permits(a Algorithm) bool {
	if !k.Fits(a.Scheme) {
		return false
	}
	// RFC 4055 section 3.1: hash and mask generation are those of the key, and the salt is not shorter.
	return k.pss == nil || a.Hash == k.pss.Hash && a.MGFHash == k.pss.MGFHash && a.SaltLength >= k.pss.SaltLength
}
