package signature

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"math/big"
	"slices"
	"testing"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// FuzzBER: what is read is DER, stays what it is when read again, and costs no more than in proportion.
func FuzzBER(f *testing.F) {
	for _, seed := range []string{
		"30800201010000", "3080308002010100000000", "2408040201020402" + "0304", "3a0904034a6f6e04026573", "02820001" + "01",
		"a080020101" + "0000", "24802403040101040102" + "0000", "2304030200ff", "0488ffffffffffffffff00", "3080" + "00010000",
	} {
		ber, err := hex.DecodeString(seed)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(ber)
	}
	m := message{content: []byte("m"), signers: []*signer{{holder: holders()[1], a: ECDSASHA256}}}
	f.Add(m.build())
	f.Add(berOf(f, m.build()))
	f.Add(slices.Repeat([]byte{0x30, 0x80}, 200))
	f.Fuzz(func(t *testing.T, ber []byte) {
		out, err := toDER(ber)
		if err != nil {
			return
		}
		// An indefinite length has three octets, a definite one up to five.
		if len(out) > 3*len(ber) {
			t.Errorf("%d octets became %d", len(ber), len(out))
		}
		if !wellFormedDER(out) {
			t.Errorf("%x became %x, which is not DER", ber, out)
		}
		again, err := toDER(out)
		if err != nil || &again[0] != &out[0] || len(again) != len(out) {
			t.Errorf("%x became %x and that became %x (%v)", ber, out, again, err)
		}
		if wellFormedDER(ber) && !bytes.Equal(ber, out) && !bytes.ContainsFunc(ber, func(r rune) bool { return segmented(asn1.Tag(r)) }) {
			t.Errorf("DER %x became %x", ber, out)
		}
	})
}

// FuzzParseCMS: what parses has one signer or more, parts that are in the input or its DER, and the same parts
// when all of it is DER; whatever it is, checking it does not panic.
func FuzzParseCMS(f *testing.F) {
	for _, v := range vectors(f) {
		if len(v.encoded()) < 1<<13 {
			f.Add(v.ber)
		}
	}
	three := message{content: []byte("m"), signers: []*signer{{holder: holders()[1], a: ECDSASHA256}, {holder: holders()[2], a: ECDSASHA384, keyID: true}}}
	f.Add(berOf(f, three.build()))
	f.Fuzz(func(t *testing.T, ber []byte) {
		found := judge(ber, nil)
		d, err := ParseCMS(ber)
		if err != nil {
			if found == nil {
				t.Error("accepted without being read")
			}
			return
		}
		if len(d.Signers) == 0 || len(d.Signers) > maxSigners || len(d.Certificates) > maxCertificates || len(d.CRLs) > maxCertificates || len(d.Content) > len(ber) {
			t.Error("out of bounds")
		}
		for _, c := range d.Certificates {
			if !bytes.Contains(ber, c.Raw) {
				t.Error("a certificate is not as it was")
			}
		}
		for _, s := range d.Signers {
			if (s.Issuer == nil) == (s.SubjectKeyID == nil) {
				t.Error("a signer with no identifier, or two")
			}
			if s.message != nil && !wellFormedDER(s.message) {
				t.Errorf("signed attributes are not DER: %x", s.message)
			}
		}
		whole, err := toDER(ber)
		if err != nil { // what is in the way can only be in what is taken as it is
			if len(d.Certificates)+len(d.CRLs) == 0 && !bytes.Contains(ber, []byte{0xa0}) && !bytes.Contains(ber, []byte{0xa1}) {
				t.Error(err)
			}
			return
		}
		again, err := ParseCMS(whole)
		if err != nil {
			t.Fatalf("the same in DER: %v", err)
		}
		if !bytes.Equal(again.Content, d.Content) || again.ContentType != d.ContentType || again.Detached != d.Detached || len(again.Signers) != len(d.Signers) {
			t.Error("the same in DER says something else")
		}
		for i, s := range d.Signers {
			if other := again.Signers[i]; !bytes.Equal(s.message, other.message) || !bytes.Equal(s.Signature, other.Signature) ||
				!bytes.Equal(s.Issuer, other.Issuer) || !bytes.Equal(s.SubjectKeyID, other.SubjectKeyID) {
				t.Error("the same in DER has another signer")
			}
		}
	})
}

// FuzzPublicKey compares with crypto/x509. Keys that only one of the two reads are those of the rules below.
func FuzzPublicKey(f *testing.F) {
	for _, h := range holders() {
		f.Add(h.cert.RawSubjectPublicKeyInfo)
	}
	f.Add(pssKey(&rsaKey().PublicKey, nil))
	f.Add(pssKey(&rsaKey().PublicKey, pssParams(PSSSHA256)))
	f.Add(pssKey(&rsaKey().PublicKey, pssParams(Algorithm{RSASSA_PSS, crypto.SHA512, crypto.SHA1, 0})))
	f.Add(sequence(sequence(oid(oidRSA)), der(asn1.BIT_STRING, []byte{0}, rsaPublic(&rsaKey().PublicKey))))
	f.Fuzz(func(t *testing.T, spki []byte) {
		ours, err := parseSPKI(spki)
		theirs, theirErr := x509.ParsePKIXPublicKey(spki)
		switch {
		case err == nil && theirErr != nil:
			// x509 knows no key of id-RSASSA-PSS. All else that we read, it reads.
			if !ours.pssOnly {
				t.Errorf("read %s, crypto/x509: %v", ours, theirErr)
			}
		case err == nil:
			switch key := theirs.(type) {
			case *rsa.PublicKey:
				if ours.modulus == nil || ours.pssOnly || new(big.Int).SetBytes(ours.modulus).Cmp(key.N) != 0 || ours.bits != key.N.BitLen() || ours.e != uint(key.E) {
					t.Errorf("another key than crypto/x509 reads: %s", ours)
				}
			case *ecdsa.PublicKey:
				if ours.ecdsa == nil || !ours.ecdsa.Equal(key) {
					t.Errorf("another key than crypto/x509 reads: %s", ours)
				}
			default:
				t.Errorf("read %s, crypto/x509 %T", ours, theirs)
			}
		case theirErr == nil && acceptableKey(theirs):
			// It reads more than it writes: it does not look behind the exponent (bad_rest_in_rsa_key).
			if again, failed := x509.MarshalPKIXPublicKey(theirs); failed != nil || bytes.Equal(again, spki) {
				t.Errorf("refused (%v), crypto/x509 reads %T and writes it so (%v)", err, theirs, failed)
			}
		}
	})
}

// acceptableKey says whether a key that crypto/x509 reads is one for us: not too short or too long, not even, on
// P-256 or P-384.
func acceptableKey(key any) bool {
	switch key := key.(type) {
	case *rsa.PublicKey:
		return key.N.BitLen() >= minRSABits && key.N.BitLen() <= maxRSABits && key.N.Bit(0) == 1 && key.E >= 3 && key.E&1 == 1
	case *ecdsa.PublicKey:
		return key.Params().BitSize == 256 || key.Params().BitSize == 384
	}
	return false
}

// FuzzVerify compares with crypto/rsa and crypto/ecdsa over signatures of any bytes.
func FuzzVerify(f *testing.F) {
	digest := sha256.Sum256([]byte("m"))
	all := holders()
	pkcs1, pss, p256, p384 := all[0].sign(PKCS1SHA256, []byte("m")), all[0].sign(PSSSHA256, []byte("m")), all[1].sign(ECDSASHA256, []byte("m")), all[2].sign(ECDSASHA256, []byte("m"))
	for i, sig := range [][]byte{pkcs1, pss, p256, p384} {
		f.Add(sig, uint8(i))
	}
	f.Add(rsaKey().N.Bytes(), uint8(0))
	f.Add(make([]byte, 256), uint8(1))
	f.Add(p1363(f, p256, publicKey(f, all[1].key.Public())), uint8(4))
	f.Add([]byte{0x30, 6, 2, 1, 0, 2, 1, 0}, uint8(2))
	public := &rsaKey().PublicKey
	keys := []*PublicKey{publicKey(f, public), publicKey(f, public), publicKey(f, all[1].key.Public()), publicKey(f, all[2].key.Public()), publicKey(f, all[1].key.Public())}
	algorithms := []Algorithm{PKCS1SHA256, PSSSHA256, ECDSASHA256, ECDSASHA256, P1363SHA256}
	f.Fuzz(func(t *testing.T, sig []byte, which uint8) {
		i := int(which) % len(keys)
		var theirs bool
		switch i {
		case 0:
			theirs = rsa.VerifyPKCS1v15(public, crypto.SHA256, digest[:], sig) == nil
		case 1:
			theirs = rsa.VerifyPSS(public, crypto.SHA256, digest[:], sig, &rsa.PSSOptions{SaltLength: 32}) == nil
		case 4:
			theirs = len(sig) == 64 && ecdsa.Verify(keys[i].ecdsa, digest[:], new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:]))
		default:
			theirs = verifyECDSA(keys[i].ecdsa, digest[:], sig)
		}
		if ours := keys[i].VerifyDigest(algorithms[i], digest[:], sig) == nil; ours != theirs {
			t.Errorf("%s: ours %v, the standard library's %v", algorithms[i], ours, theirs)
		}
	})
}

// verifyECDSA reads the signature with cryptobyte, and verifies by numbers.
func verifyECDSA(key *ecdsa.PublicKey, digest, sig []byte) bool {
	input := cryptobyte.String(sig)
	var inner cryptobyte.String
	r, s := new(big.Int), new(big.Int)
	return input.ReadASN1(&inner, asn1.SEQUENCE) && input.Empty() && inner.ReadASN1Integer(r) && inner.ReadASN1Integer(s) && inner.Empty() &&
		ecdsa.Verify(key, digest, r, s)
}
