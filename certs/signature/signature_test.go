package signature

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"math/big"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/tashika-jp/tashika/certs/pkix"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// testKey is one of the keys in testdata, which are secret to nobody: with the same keys in every process, a
// signature that fuzzing found is one again.
func testKey(name string) crypto.Signer {
	der, err := os.ReadFile(filepath.Join("testdata", name+".pkcs8"))
	if err != nil {
		panic(err)
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		panic(err)
	}
	return key.(crypto.Signer)
}

var rsaKey = sync.OnceValue(func() *rsa.PrivateKey { return testKey("rsa").(*rsa.PrivateKey) })

func publicKey(t testing.TB, key any) *PublicKey {
	t.Helper()
	spki, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	k, err := parseSPKI(spki)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func parseSPKI(spki []byte) (*PublicKey, error) {
	algorithm, bits, err := pkix.ParsePublicKeyInfo(spki)
	if err != nil {
		return nil, err
	}
	return NewPublicKey(algorithm, bits)
}

// TestAgainstStandardLibrary: what crypto/rsa and crypto/ecdsa sign is accepted, and nothing
// with a bit turned over.
func TestAgainstStandardLibrary(t *testing.T) {
	message := []byte("確か")
	p256, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	p384, _ := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	for algorithm, name := range algorithmNames {
		if algorithm.UsesSHA1() {
			continue
		}
		keys := []crypto.Signer{rsaKey()}
		if algorithm.Scheme == ECDSA || algorithm.Scheme == ECDSA_P1363 {
			keys = []crypto.Signer{p256, p384}
		}
		for _, key := range keys {
			h := algorithm.Hash.New()
			h.Write(message)
			var opts crypto.SignerOpts = algorithm.Hash
			if algorithm.Scheme == RSASSA_PSS {
				opts = &rsa.PSSOptions{SaltLength: algorithm.SaltLength, Hash: algorithm.Hash}
			}
			sig, err := key.Sign(rand.Reader, h.Sum(nil), opts)
			if err != nil {
				t.Fatal(err)
			}
			k := publicKey(t, key.Public())
			if algorithm.Scheme == ECDSA_P1363 {
				sig = p1363(t, sig, k)
			}
			if err := k.Verify(algorithm, message, sig); err != nil {
				t.Errorf("%s with %s: %v", name, k, err)
			}
			if err := k.Verify(algorithm, append(message, 0), sig); err == nil {
				t.Errorf("%s with %s: accepted over another message", name, k)
			}
			for i := range len(sig) * 8 {
				bad := bytes.Clone(sig)
				bad[i/8] ^= 1 << (i % 8)
				if err := k.Verify(algorithm, message, bad); err == nil {
					t.Fatalf("%s with %s: accepted with bit %d turned over", name, k, i)
				}
			}
			for other := range algorithmNames {
				if other != algorithm && k.Verify(other, message, sig) == nil {
					t.Errorf("%s accepted as %s", name, other)
				}
			}
		}
	}
}

// p1363 turns an Ecdsa-Sig-Value into r and s side by side.
func p1363(t testing.TB, der []byte, k *PublicKey) []byte {
	t.Helper()
	input := cryptobyte.String(der)
	var s cryptobyte.String
	r, v := new(big.Int), new(big.Int)
	if !input.ReadASN1(&s, asn1.SEQUENCE) || !s.ReadASN1Integer(r) || !s.ReadASN1Integer(v) {
		t.Fatal("no Ecdsa-Sig-Value")
	}
	size := (k.ecdsa.Params().N.BitLen() + 7) / 8
	return append(r.FillBytes(make([]byte, size)), v.FillBytes(make([]byte, size))...)
}

// TestTrapPSSSaltLengthZero: crypto/rsa reads a demanded salt length of 0 as "any".
func TestTrapPSSSaltLengthZero(t *testing.T) {
	digest := sha256.Sum256([]byte("m"))
	sig, err := rsa.SignPSS(rand.Reader, rsaKey(), crypto.SHA256, digest[:], &rsa.PSSOptions{SaltLength: 32})
	if err != nil {
		t.Fatal(err)
	}
	zero := Algorithm{RSASSA_PSS, crypto.SHA256, crypto.SHA256, 0}
	if rsa.VerifyPSS(&rsaKey().PublicKey, crypto.SHA256, digest[:], sig, &rsa.PSSOptions{SaltLength: zero.SaltLength}) != nil {
		t.Fatal("crypto/rsa has learned to demand length 0: this trap is gone")
	}
	if publicKey(t, &rsaKey().PublicKey).VerifyDigest(zero, digest[:], sig) == nil {
		t.Error("a salt of 32 bytes accepted where 0 is demanded")
	}
}

// TestSHA1BlockUnderAnotherName: the chip signs any block, so a SHA-1 DigestInfo can be there;
// it is never taken for SHA-256, and no allow-list of a profile has it.
func TestSHA1BlockUnderAnotherName(t *testing.T) {
	message := []byte("m")
	digest := sha1.Sum(message)
	sig, err := rsa.SignPKCS1v15(nil, rsaKey(), crypto.SHA1, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	k := publicKey(t, &rsaKey().PublicKey)
	if k.Verify(PKCS1SHA1, message, sig) != nil {
		t.Error("named as SHA-1 it should verify, so that an allow-list decides")
	}
	if k.Verify(PKCS1SHA256, message, sig) == nil {
		t.Error("a SHA-1 signature accepted as SHA-256")
	}
}

func TestKeysThatAreRefused(t *testing.T) {
	short, _ := rsa.GenerateKey(rand.Reader, 1024)
	spki, _ := x509.MarshalPKIXPublicKey(&short.PublicKey)
	if _, err := parseSPKI(spki); err != ErrWeakKey {
		t.Errorf("RSA-1024: %v", err)
	}
	n := rsaKey().N
	for name, key := range map[string]struct {
		n, e *big.Int
	}{
		"even modulus":         {new(big.Int).Sub(n, big.NewInt(1)), big.NewInt(65537)},
		"exponent 1":           {n, big.NewInt(1)},
		"exponent even":        {n, big.NewInt(4)},
		"exponent huge":        {n, new(big.Int).Lsh(big.NewInt(1), 40)},
		"modulus zero":         {big.NewInt(0), big.NewInt(3)},
		"modulus too large":    {new(big.Int).SetBit(big.NewInt(1), 9000, 1), big.NewInt(3)},
		"modulus negative":     {new(big.Int).Neg(n), big.NewInt(3)},
		"exponent is negative": {n, big.NewInt(-3)},
	} {
		var b cryptobyte.Builder
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1BigInt(key.n)
			b.AddASN1BigInt(key.e)
		})
		if _, err := newRSA(b.BytesOrPanic()); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	p224, _ := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	spki, _ = x509.MarshalPKIXPublicKey(&p224.PublicKey)
	if _, err := parseSPKI(spki); err != ErrKey {
		t.Errorf("P-224: %v", err)
	}
}

// TestIdentifiers: what a certificate names and how.
func TestIdentifiers(t *testing.T) {
	for _, c := range []struct {
		der  string
		want Algorithm
	}{
		{"300d06092a864886f70d01010b0500", PKCS1SHA256},
		{"300b06092a864886f70d01010b", PKCS1SHA256}, // NULL missing
		{"300e06092a864886f70d01010b020101", Algorithm{}},
		{"300a06082a8648ce3d040303", ECDSASHA384},
		{"300c06082a8648ce3d0403030500", Algorithm{}},   // NULL where nothing belongs
		{"300d06092a864886f70d0101040500", Algorithm{}}, // MD5
		{"304106092a864886f70d01010a3034a00f300d06096086480165030402010500a11c301a06092a864886f70d010108300d06096086480165030402010500a203020120", PSSSHA256},
		{"300d06092a864886f70d01010a3000", Algorithm{RSASSA_PSS, crypto.SHA1, crypto.SHA1, 20}},
		{"300b06092a864886f70d01010a", Algorithm{}}, // parameters missing
	} {
		der, err := hex.DecodeString(c.der)
		if err != nil {
			t.Fatal(err)
		}
		s := cryptobyte.String(der)
		id, err := pkix.ReadAlgorithmIdentifier(&s)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := FromIdentifier(id); got != c.want || (err != nil) != (c.want == Algorithm{}) {
			t.Errorf("%s: %+v, %v; want %+v", c.der, got, err, c.want)
		}
	}
}

func BenchmarkVerifyRSA2048(b *testing.B) {
	digest := sha256.Sum256([]byte("m"))
	sig, _ := rsa.SignPKCS1v15(nil, rsaKey(), crypto.SHA256, digest[:])
	k := publicKey(b, &rsaKey().PublicKey)
	b.Run("ours", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if k.VerifyDigest(PKCS1SHA256, digest[:], sig) != nil {
				b.Fatal()
			}
		}
	})
	b.Run("crypto-rsa", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if rsa.VerifyPKCS1v15(&rsaKey().PublicKey, crypto.SHA256, digest[:], sig) != nil {
				b.Fatal()
			}
		}
	})
}
