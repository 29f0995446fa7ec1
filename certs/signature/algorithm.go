package signature

import (
	"crypto"
	_ "crypto/sha1" // named, so that it can be refused
	_ "crypto/sha256"
	_ "crypto/sha512"
	"errors"

	"github.com/tashika-jp/tashika/certs/pkix"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// Algorithm is a signature scheme with its hash, comparable. The zero value is no
// algorithm.
type Algorithm struct {
	Scheme     Scheme
	Hash       crypto.Hash
	MGFHash    crypto.Hash // RSASSA-PSS only: hash of MGF1
	SaltLength int         // RSASSA-PSS only: exact, in bytes
}

// Scheme is a signature scheme.
type Scheme uint8

// The schemes.
const (
	RSASSA_PKCS1_V15 Scheme = iota + 1 // RFC 8017 section 8.2
	RSASSA_PSS                         // RFC 8017 section 8.1
	ECDSA                              // FIPS 186-5, signature as DER Ecdsa-Sig-Value
	ECDSA_P1363                        // FIPS 186-5, signature as r and s side by side (IEEE P1363); no identifier names it
)

// The algorithms that profiles can allow, and those with SHA-1 so that they can be named and refused.
var (
	PKCS1SHA1   = Algorithm{Scheme: RSASSA_PKCS1_V15, Hash: crypto.SHA1}
	PSSSHA1     = Algorithm{RSASSA_PSS, crypto.SHA1, crypto.SHA1, 20}
	ECDSASHA1   = Algorithm{Scheme: ECDSA, Hash: crypto.SHA1}
	PKCS1SHA256 = Algorithm{Scheme: RSASSA_PKCS1_V15, Hash: crypto.SHA256}
	PKCS1SHA384 = Algorithm{Scheme: RSASSA_PKCS1_V15, Hash: crypto.SHA384}
	PKCS1SHA512 = Algorithm{Scheme: RSASSA_PKCS1_V15, Hash: crypto.SHA512}
	PSSSHA256   = Algorithm{RSASSA_PSS, crypto.SHA256, crypto.SHA256, 32}
	PSSSHA384   = Algorithm{RSASSA_PSS, crypto.SHA384, crypto.SHA384, 48}
	PSSSHA512   = Algorithm{RSASSA_PSS, crypto.SHA512, crypto.SHA512, 64}
	ECDSASHA256 = Algorithm{Scheme: ECDSA, Hash: crypto.SHA256}
	ECDSASHA384 = Algorithm{Scheme: ECDSA, Hash: crypto.SHA384}
	ECDSASHA512 = Algorithm{Scheme: ECDSA, Hash: crypto.SHA512}
	P1363SHA256 = Algorithm{Scheme: ECDSA_P1363, Hash: crypto.SHA256}
	P1363SHA384 = Algorithm{Scheme: ECDSA_P1363, Hash: crypto.SHA384}
	P1363SHA512 = Algorithm{Scheme: ECDSA_P1363, Hash: crypto.SHA512}
)

var algorithmNames = map[Algorithm]string{
	PKCS1SHA1: "RSASSA_PKCS1_V15_SHA1", PSSSHA1: "RSASSA_PSS_SHA1", ECDSASHA1: "ECDSA_SHA1",
	PKCS1SHA256: "RSASSA_PKCS1_V15_SHA256", PKCS1SHA384: "RSASSA_PKCS1_V15_SHA384", PKCS1SHA512: "RSASSA_PKCS1_V15_SHA512",
	PSSSHA256: "RSASSA_PSS_SHA256", PSSSHA384: "RSASSA_PSS_SHA384", PSSSHA512: "RSASSA_PSS_SHA512",
	ECDSASHA256: "ECDSA_SHA256", ECDSASHA384: "ECDSA_SHA384", ECDSASHA512: "ECDSA_SHA512",
	P1363SHA256: "ECDSA_P1363_SHA256", P1363SHA384: "ECDSA_P1363_SHA384", P1363SHA512: "ECDSA_P1363_SHA512",
}

// String is the name that profiles and the API use, or "other".
func (a Algorithm) String() string {
	if name, ok := algorithmNames[a]; ok {
		return name
	}
	return "other"
}

// ParseName returns the algorithm of a name as String gives it.
func ParseName(name string) (Algorithm, error) {
	for algorithm, known := range algorithmNames {
		if known == name {
			return algorithm, nil
		}
	}
	return Algorithm{}, errors.New("signature: unknown algorithm " + name)
}

// UsesSHA1 says whether SHA-1 is the hash of the message or of MGF1.
func (a Algorithm) UsesSHA1() bool { return a.Hash == crypto.SHA1 || a.MGFHash == crypto.SHA1 }

// ErrUnknown: the algorithm identifier is none that this package knows.
var ErrUnknown = errors.New("signature: unknown algorithm")

var (
	oidRSASSAPSS = pkix.MustOID("1.2.840.113549.1.1.10")
	oidMGF1      = pkix.MustOID("1.2.840.113549.1.1.8")
	derNull      = string([]byte{0x05, 0x00})

	pkcs1IDs = map[pkix.OID]Algorithm{
		pkix.MustOID("1.2.840.113549.1.1.5"):  PKCS1SHA1,
		pkix.MustOID("1.2.840.113549.1.1.11"): PKCS1SHA256,
		pkix.MustOID("1.2.840.113549.1.1.12"): PKCS1SHA384,
		pkix.MustOID("1.2.840.113549.1.1.13"): PKCS1SHA512,
	}
	ecdsaIDs = map[pkix.OID]Algorithm{
		pkix.MustOID("1.2.840.10045.4.1"):   ECDSASHA1,
		pkix.MustOID("1.2.840.10045.4.3.2"): ECDSASHA256,
		pkix.MustOID("1.2.840.10045.4.3.3"): ECDSASHA384,
		pkix.MustOID("1.2.840.10045.4.3.4"): ECDSASHA512,
	}
	hashIDs = map[pkix.OID]crypto.Hash{
		pkix.MustOID("1.3.14.3.2.26"):          crypto.SHA1,
		pkix.MustOID("2.16.840.1.101.3.4.2.4"): crypto.SHA224, // on no list, as SHA-1
		pkix.MustOID("2.16.840.1.101.3.4.2.1"): crypto.SHA256,
		pkix.MustOID("2.16.840.1.101.3.4.2.2"): crypto.SHA384,
		pkix.MustOID("2.16.840.1.101.3.4.2.3"): crypto.SHA512,
	}
)

// FromIdentifier returns the algorithm that a certificate, list or response names.
func FromIdentifier(id pkix.AlgorithmIdentifier) (Algorithm, error) {
	if a, ok := pkcs1IDs[id.Algorithm]; ok {
		// RFC 4055 section 5: parameters MUST be NULL; absent ones MUST be accepted as well.
		if id.Parameters != nil && string(id.Parameters) != derNull {
			return Algorithm{}, ErrUnknown
		}
		return a, nil
	}
	if a, ok := ecdsaIDs[id.Algorithm]; ok {
		// RFC 5758 section 3.2: parameters MUST be absent.
		if id.Parameters != nil {
			return Algorithm{}, ErrUnknown
		}
		return a, nil
	}
	if id.Algorithm == oidRSASSAPSS {
		return pssParameters(id.Parameters)
	}
	return Algorithm{}, ErrUnknown
}

// pssParameters reads RSASSA-PSS-params (RFC 4055 section 3.1).
func pssParameters(der []byte) (Algorithm, error) {
	a := Algorithm{Scheme: RSASSA_PSS, Hash: crypto.SHA1, MGFHash: crypto.SHA1, SaltLength: 20}
	input := cryptobyte.String(der)
	var s, field cryptobyte.String
	if !input.ReadASN1(&s, asn1.SEQUENCE) || !input.Empty() {
		return Algorithm{}, ErrUnknown
	}
	tag := func(n uint8) asn1.Tag { return asn1.Tag(n).ContextSpecific().Constructed() }
	var present bool
	if !s.ReadOptionalASN1(&field, &present, tag(0)) {
		return Algorithm{}, ErrUnknown
	}
	if present {
		var err error
		if a.Hash, err = readHash(field); err != nil {
			return Algorithm{}, err
		}
	}
	if !s.ReadOptionalASN1(&field, &present, tag(1)) {
		return Algorithm{}, ErrUnknown
	}
	if present {
		mgf, err := pkix.ReadAlgorithmIdentifier(&field)
		if err != nil || !field.Empty() || mgf.Algorithm != oidMGF1 {
			return Algorithm{}, ErrUnknown
		}
		if a.MGFHash, err = readHash(mgf.Parameters); err != nil {
			return Algorithm{}, err
		}
	}
	if !s.ReadOptionalASN1(&field, &present, tag(2)) {
		return Algorithm{}, ErrUnknown
	}
	if present && (!field.ReadASN1Integer(&a.SaltLength) || !field.Empty() || a.SaltLength < 0) {
		return Algorithm{}, ErrUnknown
	}
	if !s.ReadOptionalASN1(&field, &present, tag(3)) || !s.Empty() {
		return Algorithm{}, ErrUnknown
	}
	if trailer := 0; present && (!field.ReadASN1Integer(&trailer) || !field.Empty() || trailer != 1) {
		return Algorithm{}, ErrUnknown
	}
	return a, nil
}

func readHash(der []byte) (crypto.Hash, error) {
	s := cryptobyte.String(der)
	id, err := pkix.ReadAlgorithmIdentifier(&s)
	if err != nil || !s.Empty() {
		return 0, ErrUnknown
	}
	return hashFromIdentifier(id)
}

func hashFromIdentifier(id pkix.AlgorithmIdentifier) (crypto.Hash, error) {
	hash, known := hashIDs[id.Algorithm]
	// RFC 4055 section 2.1: NULL or absent parameters, both to be accepted.
	if !known || id.Parameters != nil && string(id.Parameters) != derNull {
		return 0, ErrUnknown
	}
	return hash, nil
}
