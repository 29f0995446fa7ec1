package sandbox

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha1" // linked for the deliberately wrong algorithms
	_ "crypto/sha256"
	_ "crypto/sha512"
	"fmt"
	"io"
)

// An Algorithm is a way for a phone to sign.
type Algorithm int

// DefaultAlgorithm is the natural one of the phone's key: PKCS#1 v1.5 with
// SHA-256 for RSA (what card and Android do, jpki.md section 2), ECDSA with the
// hash as long as the curve otherwise.
//
// The SHA-1 ones are deliberately wrong. The chip signs whatever block it is
// given, so a caller can make it sign a SHA-1 digest: a verifier must refuse.
const (
	DefaultAlgorithm Algorithm = iota
	RSAPKCS1SHA256
	RSAPKCS1SHA384
	RSAPKCS1SHA512
	RSAPSSSHA256
	RSAPSSSHA384
	RSAPSSSHA512
	ECDSASHA256
	ECDSASHA384
	ECDSASHA512
	RSAPKCS1SHA1
	RSAPSSSHA1
	ECDSASHA1
)

type scheme int

const (
	pkcs1 scheme = iota + 1
	pss
	ecdsaASN1
)

var algorithms = map[Algorithm]struct {
	name   string
	scheme scheme
	hash   crypto.Hash
}{
	RSAPKCS1SHA256: {"RSASSA-PKCS1-v1_5 with SHA-256", pkcs1, crypto.SHA256},
	RSAPKCS1SHA384: {"RSASSA-PKCS1-v1_5 with SHA-384", pkcs1, crypto.SHA384},
	RSAPKCS1SHA512: {"RSASSA-PKCS1-v1_5 with SHA-512", pkcs1, crypto.SHA512},
	RSAPSSSHA256:   {"RSASSA-PSS with SHA-256", pss, crypto.SHA256},
	RSAPSSSHA384:   {"RSASSA-PSS with SHA-384", pss, crypto.SHA384},
	RSAPSSSHA512:   {"RSASSA-PSS with SHA-512", pss, crypto.SHA512},
	ECDSASHA256:    {"ECDSA with SHA-256", ecdsaASN1, crypto.SHA256},
	ECDSASHA384:    {"ECDSA with SHA-384", ecdsaASN1, crypto.SHA384},
	ECDSASHA512:    {"ECDSA with SHA-512", ecdsaASN1, crypto.SHA512},
	RSAPKCS1SHA1:   {"RSASSA-PKCS1-v1_5 with SHA-1", pkcs1, crypto.SHA1},
	RSAPSSSHA1:     {"RSASSA-PSS with SHA-1", pss, crypto.SHA1},
	ECDSASHA1:      {"ECDSA with SHA-1", ecdsaASN1, crypto.SHA1},
}

func (a Algorithm) String() string {
	if a == DefaultAlgorithm {
		return "default"
	}
	if s, ok := algorithms[a]; ok {
		return s.name
	}
	return fmt.Sprintf("Algorithm(%d)", int(a))
}

// Hash is the hash the algorithm signs, 0 for the default and unknown ones.
func (a Algorithm) Hash() crypto.Hash { return algorithms[a].hash }

// forKey resolves the default.
func (a Algorithm) forKey(key crypto.Signer) Algorithm {
	if a != DefaultAlgorithm {
		return a
	}
	if k, ok := key.(*ecdsa.PrivateKey); ok {
		if k.Curve.Params().BitSize == 384 {
			return ECDSASHA384
		}
		return ECDSASHA256
	}
	return RSAPKCS1SHA256
}

// signDigest signs a digest that is already made.
func signDigest(random io.Reader, key crypto.Signer, a Algorithm, digest []byte) ([]byte, error) {
	if random == nil {
		random = rand.Reader
	}
	a = a.forKey(key)
	s, ok := algorithms[a]
	if !ok {
		return nil, fmt.Errorf("%w: %v", ErrAlgorithm, a)
	}
	if len(digest) != s.hash.Size() {
		return nil, fmt.Errorf("%w: %d octets for %v", ErrDigestLength, len(digest), a)
	}
	switch k := key.(type) {
	case *rsa.PrivateKey:
		switch s.scheme {
		case pkcs1:
			return rsa.SignPKCS1v15(nil, k, s.hash, digest)
		case pss:
			// RFC 8017 section 9.1, note 4: the salt is typically as long as the
			// hash; RFC 8446 section 4.2.3 demands exactly that.
			return rsa.SignPSS(random, k, s.hash, digest, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
		}
	case *ecdsa.PrivateKey:
		if s.scheme == ecdsaASN1 {
			return ecdsa.SignASN1(random, k, digest)
		}
	}
	return nil, fmt.Errorf("%w: %v", ErrAlgorithm, a)
}

// sign hashes and signs.
func sign(random io.Reader, key crypto.Signer, a Algorithm, message []byte) ([]byte, error) {
	a = a.forKey(key)
	s, ok := algorithms[a]
	if !ok {
		return nil, fmt.Errorf("%w: %v", ErrAlgorithm, a)
	}
	h := s.hash.New()
	h.Write(message)
	return signDigest(random, key, a, h.Sum(nil))
}
