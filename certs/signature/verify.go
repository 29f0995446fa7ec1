package signature

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"math/big"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

var (
	// ErrInvalid: the signature is not one of this key over this message.
	ErrInvalid = errors.New("signature: invalid")
	// ErrDigestLength: the digest is not as long as the hash's.
	ErrDigestLength = errors.New("signature: digest length does not fit the hash")
)

// Verify checks a signature over a message. It returns nil, ErrInvalid or ErrUnknown.
func (k *PublicKey) Verify(a Algorithm, message, signature []byte) error {
	var room [maxDigest]byte
	digest, err := a.digest(room[:0], message)
	if err != nil {
		return err
	}
	return k.VerifyDigest(a, digest, signature)
}

// maxDigest is the length of the longest digest, in octets.
const maxDigest = 64

// digest appends the digest of a message under the algorithm's hash. The error is ErrUnknown.
func (a Algorithm) digest(to, message []byte) ([]byte, error) {
	switch {
	case a.Hash == crypto.SHA256: // nearly always, and so without a hash.Hash
		sum := sha256.Sum256(message)
		return append(to, sum[:]...), nil
	case !a.Hash.Available():
		return nil, ErrUnknown
	}
	h := a.Hash.New()
	h.Write(message)
	return h.Sum(to), nil
}

// VerifyDigest checks a signature over a message of which only the digest is known.
func (k *PublicKey) VerifyDigest(a Algorithm, digest, signature []byte) error {
	if err := k.precheck(a, digest); err != nil {
		return err
	}
	valid := false
	switch a.Scheme {
	case RSASSA_PKCS1_V15, RSASSA_PSS:
		em, ok := k.recover(signature)
		valid = ok && k.encodes(a, digest, em)
	case ECDSA:
		// VerifyASN1 is strict: DER without a byte too many, r and s positive and below n
		// (TestECDSASignaturesThatAreNotDER).
		valid = ecdsa.VerifyASN1(k.ecdsa, digest, signature)
	case ECDSA_P1363:
		valid = k.verifyP1363(digest, signature)
	}
	if !valid {
		return ErrInvalid
	}
	return nil
}

// precheck is all that needs no arithmetic.
func (k *PublicKey) precheck(a Algorithm, digest []byte) error {
	switch {
	case !a.Hash.Available() || !k.Permits(a):
		return ErrUnknown
	case a.Scheme == RSASSA_PSS && (!a.MGFHash.Available() || a.SaltLength < 0):
		return ErrUnknown
	case len(digest) != a.Hash.Size():
		return ErrDigestLength
	}
	return nil
}

// encodes says whether a block is the encoded message of a digest (RFC 8017 section 9). It may change the block.
func (k *PublicKey) encodes(a Algorithm, digest, em []byte) bool {
	if a.Scheme == RSASSA_PSS {
		return k.encodesPSS(a, digest, em)
	}
	return encodesPKCS1(a.Hash, digest, em)
}

// verifyP1363: IEEE 1363 annex E: r and s, each as long as the order n, so that there is one encoding.
func (k *PublicKey) verifyP1363(digest, signature []byte) bool {
	size := (k.ecdsa.Params().N.BitLen() + 7) / 8
	if len(signature) != 2*size {
		return false
	}
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1BigInt(new(big.Int).SetBytes(signature[:size]))
		b.AddASN1BigInt(new(big.Int).SetBytes(signature[size:]))
	})
	der, err := b.Bytes()
	return err == nil && ecdsa.VerifyASN1(k.ecdsa, digest, der)
}

// digestInfo are the DER prefixes of DigestInfo (RFC 8017 section 9.2 note 1). The
// form without NULL is not accepted: nobody makes it, and exactness is the defence.
var digestInfo = map[crypto.Hash][]byte{
	crypto.SHA1:   {0x30, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02, 0x1a, 0x05, 0x00, 0x04, 0x14},
	crypto.SHA224: {0x30, 0x2d, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x04, 0x05, 0x00, 0x04, 0x1c},
	crypto.SHA256: {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20},
	crypto.SHA384: {0x30, 0x41, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02, 0x05, 0x00, 0x04, 0x30},
	crypto.SHA512: {0x30, 0x51, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03, 0x05, 0x00, 0x04, 0x40},
}

// encodesPKCS1 is the rest of RSASSA-PKCS1-V1_5-VERIFY (RFC 8017 section 8.2.2): the encoded message is
// built and compared whole, so nothing of the padding is ever parsed.
func encodesPKCS1(hash crypto.Hash, digest, em []byte) bool {
	prefix, known := digestInfo[hash]
	if !known || len(em) < len(prefix)+len(digest)+11 {
		return false
	}
	var room [maxRSABits / 8]byte
	want := room[:len(em)]
	want[1] = 1
	padding := len(em) - len(prefix) - len(digest)
	for i := 2; i < padding-1; i++ {
		want[i] = 0xff
	}
	copy(want[padding:], prefix)
	copy(want[padding+len(prefix):], digest)
	return subtle.ConstantTimeCompare(em, want) == 1
}

// encodesPSS is the rest of RSASSA-PSS-VERIFY with EMSA-PSS-VERIFY (RFC 8017 sections 8.1.2, 9.1.2).
func (k *PublicKey) encodesPSS(a Algorithm, digest, em []byte) bool {
	emBits := k.bits - 1
	if emBits%8 == 0 { // the encoded message is one octet shorter than the modulus
		if em[0] != 0 {
			return false
		}
		em = em[1:]
	}
	hLen := len(digest)
	// Steps 3 and 4: room for the salt, whose length may be any number, and the trailer field.
	if a.SaltLength > len(em)-hLen-2 || em[len(em)-1] != 0xbc {
		return false
	}
	db, h := em[:len(em)-hLen-1], em[len(em)-hLen-1:len(em)-1]
	// Step 6: the leftmost bits are zero.
	unused := 8*len(em) - emBits
	if em[0]&^(0xff>>unused) != 0 {
		return false
	}
	mgf1XOR(db, a.MGFHash, h) // steps 7 and 8
	db[0] &= 0xff >> unused   // step 9
	// Step 10: PS is zero and is followed by 01; the salt is exactly as long as demanded.
	salt := len(db) - a.SaltLength
	for _, octet := range db[:salt-1] {
		if octet != 0 {
			return false
		}
	}
	if db[salt-1] != 1 {
		return false
	}
	// Steps 12 to 14.
	m := a.Hash.New()
	m.Write(make([]byte, 8))
	m.Write(digest)
	m.Write(db[salt:])
	return bytes.Equal(m.Sum(nil), h)
}

// mgf1XOR applies the mask of MGF1 (RFC 8017 appendix B.2.1) to out.
func mgf1XOR(out []byte, hash crypto.Hash, seed []byte) {
	var counter [4]byte
	var block []byte
	h := hash.New()
	for i := uint32(0); len(out) > 0; i++ {
		binary.BigEndian.PutUint32(counter[:], i)
		h.Reset()
		h.Write(seed)
		h.Write(counter[:])
		block = h.Sum(block[:0])
		n := subtle.XORBytes(out, out, block)
		out = out[n:]
	}
}
