package signature

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"math"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/tashika-jp/tashika/certs/pkix"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// der builds one element of a tag with elements or bytes as content.
func der(tag asn1.Tag, content ...[]byte) []byte {
	var b cryptobyte.Builder
	b.AddASN1(tag, func(b *cryptobyte.Builder) { b.AddBytes(slices.Concat(content...)) })
	return b.BytesOrPanic()
}

func sequence(content ...[]byte) []byte { return der(asn1.SEQUENCE, content...) }

func integer(n int64) []byte {
	var b cryptobyte.Builder
	b.AddASN1Int64(n)
	return b.BytesOrPanic()
}

func oid(id pkix.OID) []byte { return der(asn1.OBJECT_IDENTIFIER, []byte(id)) }

var null = []byte{5, 0}

// hashIdentifier is the AlgorithmIdentifier of a hash, with NULL.
func hashIdentifier(hash crypto.Hash) []byte {
	for id, known := range hashIDs {
		if known == hash {
			return sequence(oid(id), null)
		}
	}
	panic("no such hash")
}

// identifier is the AlgorithmIdentifier of an algorithm; the defaults of RSASSA-PSS are left out, as in DER.
func identifier(a Algorithm) []byte {
	for _, ids := range []map[pkix.OID]Algorithm{pkcs1IDs, ecdsaIDs} {
		for id, known := range ids {
			switch {
			case known == a && a.Scheme == ECDSA:
				return sequence(oid(id))
			case known == a:
				return sequence(oid(id), null)
			}
		}
	}
	return sequence(oid(oidRSASSAPSS), pssParams(a))
}

func pssParams(a Algorithm) []byte {
	var fields [][]byte
	if a.Hash != crypto.SHA1 {
		fields = append(fields, der(explicit(0), hashIdentifier(a.Hash)))
	}
	if a.MGFHash != crypto.SHA1 {
		fields = append(fields, der(explicit(1), sequence(oid(oidMGF1), hashIdentifier(a.MGFHash))))
	}
	if a.SaltLength != 20 {
		fields = append(fields, der(explicit(2), integer(int64(a.SaltLength))))
	}
	return sequence(fields...)
}

func rsaPublic(key *rsa.PublicKey) []byte {
	var b cryptobyte.Builder
	b.AddASN1BigInt(key.N)
	return sequence(b.BytesOrPanic(), integer(int64(key.E)))
}

// pssKey is the SubjectPublicKeyInfo of a key for RSASSA-PSS alone.
func pssKey(key *rsa.PublicKey, parameters []byte) []byte {
	return sequence(sequence(oid(oidRSASSAPSS), parameters), der(asn1.BIT_STRING, []byte{0}, rsaPublic(key)))
}

// TestKeysForPSSAlone: RFC 4055 section 3.1.
func TestKeysForPSSAlone(t *testing.T) {
	digest := sha256.Sum256([]byte("m"))
	sign := func(salt int) []byte {
		sig, err := rsa.SignPSS(rand.Reader, rsaKey(), crypto.SHA256, digest[:], &rsa.PSSOptions{SaltLength: salt})
		if err != nil {
			t.Fatal(err)
		}
		return sig
	}
	pkcs1, _ := rsa.SignPKCS1v15(nil, rsaKey(), crypto.SHA256, digest[:])
	with := func(salt int) Algorithm { return Algorithm{RSASSA_PSS, crypto.SHA256, crypto.SHA256, salt} }
	for _, c := range []struct {
		name       string
		parameters []byte
		a          Algorithm
		sig        []byte
		good       bool
	}{
		{"no parameters", nil, with(32), sign(32), true},
		{"no parameters, another salt", nil, with(11), sign(11), true},
		{"no parameters, PKCS#1 v1.5", nil, PKCS1SHA256, pkcs1, false},
		{"the same parameters", pssParams(PSSSHA256), with(32), sign(32), true},
		{"a longer salt", pssParams(PSSSHA256), with(33), sign(33), true},
		{"a shorter salt", pssParams(PSSSHA256), with(31), sign(31), false},
		{"another hash", pssParams(PSSSHA384), with(48), sign(48), false},
		{"another hash of MGF1", pssParams(Algorithm{RSASSA_PSS, crypto.SHA256, crypto.SHA1, 32}), with(32), sign(32), false},
		{"the defaults, which are SHA-1", sequence(), with(32), sign(32), false},
		{"parameters and PKCS#1 v1.5", pssParams(PSSSHA256), PKCS1SHA256, pkcs1, false},
	} {
		k, err := parseSPKI(pssKey(&rsaKey().PublicKey, c.parameters))
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if k.String() != "RSA-PSS-2048" || k.Fits(ECDSA) || k.Permits(c.a) != c.good {
			t.Errorf("%s: %s permits %+v: %v", c.name, k, c.a, k.Permits(c.a))
		}
		if got := k.VerifyDigest(c.a, digest[:], c.sig) == nil; got != c.good {
			t.Errorf("%s: accepted=%v", c.name, got)
		}
	}
	for name, parameters := range map[string][]byte{
		"NULL": null, "an integer": integer(1), "SHA-512/256": sequence(der(explicit(0), sequence(oid(pkix.MustOID("2.16.840.1.101.3.4.2.6"))))),
		"a negative salt": sequence(der(explicit(2), integer(-1))), "another trailer": sequence(der(explicit(3), integer(2))),
	} {
		if _, err := parseSPKI(pssKey(&rsaKey().PublicKey, parameters)); err != ErrKey {
			t.Errorf("parameters that are %s: %v", name, err)
		}
	}
}

// TestTrapPSSSaltLengthHuge: the length of the salt comes from a certificate or message and may be any number.
func TestTrapPSSSaltLengthHuge(t *testing.T) {
	k := publicKey(t, &rsaKey().PublicKey)
	digest := sha256.Sum256([]byte("m"))
	sig, err := rsa.SignPSS(rand.Reader, rsaKey(), crypto.SHA256, digest[:], nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, salt := range []int{math.MaxInt, math.MaxInt - 33, math.MaxInt - 34, 1 << 40, 256, 223, AnySaltLength, math.MinInt} {
		if k.VerifyDigest(Algorithm{RSASSA_PSS, crypto.SHA256, crypto.SHA256, salt}, digest[:], sig) == nil {
			t.Errorf("salt length %d accepted", salt)
		}
	}
}

// TestECDSASignaturesThatAreNotDER: one signature has one encoding, r and s are from 1 to n-1.
func TestECDSASignaturesThatAreNotDER(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	k := publicKey(t, &key.PublicKey)
	digest := sha256.Sum256([]byte("m"))
	n := key.Params().N
	number := func(n *big.Int) []byte {
		var b cryptobyte.Builder
		b.AddASN1BigInt(n)
		return b.BytesOrPanic()
	}
	for range 8 { // with and without the octet that keeps a number positive
		good, err := ecdsa.SignASN1(rand.Reader, key, digest[:])
		if err != nil {
			t.Fatal(err)
		}
		side := p1363(t, good, k)
		r, s := new(big.Int).SetBytes(side[:32]), new(big.Int).SetBytes(side[32:])
		body := good[2:]
		padded := func(n *big.Int) []byte { return der(asn1.INTEGER, []byte{0, 0}, n.Bytes()) }
		if k.VerifyDigest(ECDSASHA256, digest[:], sequence(number(r), number(s))) != nil {
			t.Fatal("the signature itself is refused")
		}
		for name, sig := range map[string][]byte{
			"empty":                   nil,
			"trailing octet":          append(slices.Clone(good), 0),
			"trailing octet inside":   sequence(body, []byte{0}),
			"third integer":           sequence(body, integer(1)),
			"only r":                  sequence(number(r)),
			"long length":             append([]byte{0x30, 0x81, byte(len(body))}, body...),
			"indefinite length":       slices.Concat([]byte{0x30, 0x80}, body, []byte{0, 0}),
			"long length of r":        sequence(slices.Concat([]byte{2, 0x81, byte(len(number(r)) - 2)}, number(r)[2:]), number(s)),
			"r padded":                sequence(padded(r), number(s)),
			"s padded":                sequence(number(r), padded(s)),
			"r negative":              sequence(number(new(big.Int).Neg(r)), number(s)),
			"s negative":              sequence(number(r), number(new(big.Int).Neg(s))),
			"r of two's complement":   sequence(number(new(big.Int).Sub(r, new(big.Int).Lsh(big.NewInt(1), 256))), number(s)),
			"r zero":                  sequence(integer(0), number(s)),
			"s zero":                  sequence(number(r), integer(0)),
			"r empty":                 sequence(der(asn1.INTEGER), number(s)),
			"r plus n":                sequence(number(new(big.Int).Add(r, n)), number(s)),
			"s plus n":                sequence(number(r), number(new(big.Int).Add(s, n))),
			"r is n":                  sequence(number(n), number(s)),
			"a SET":                   der(asn1.SET, body),
			"r as OCTET STRING":       sequence(der(asn1.OCTET_STRING, side[:32]), number(s)),
			"r and s side by side":    side,
			"r and s changed places":  sequence(number(s), number(r)),
			"inside an OCTET STRING":  der(asn1.OCTET_STRING, good),
			"inside another SEQUENCE": sequence(good),
		} {
			if k.VerifyDigest(ECDSASHA256, digest[:], sig) == nil {
				t.Errorf("%s: accepted %x", name, sig)
			}
		}
		fill := func(n *big.Int) []byte { return n.FillBytes(make([]byte, 32)) }
		for name, sig := range map[string][]byte{
			"empty": nil, "DER": good, "one octet short": side[:63], "one octet long": append(slices.Clone(side), 0),
			"of P-384": slices.Concat(make([]byte, 16), side[:32], make([]byte, 16), side[32:]),
			"r zero":   slices.Concat(make([]byte, 32), side[32:]), "s zero": slices.Concat(side[:32], make([]byte, 32)),
			"r is n": slices.Concat(fill(n), side[32:]), "all ones": slices.Repeat([]byte{0xff}, 64), "zero": make([]byte, 64),
			"changed places": slices.Concat(side[32:], side[:32]), "only r": side[:32],
		} {
			if k.VerifyDigest(P1363SHA256, digest[:], sig) == nil {
				t.Errorf("r and s side by side, %s: accepted %x", name, sig)
			}
		}
	}
}

// TestAllowLists: what is general is still a list.
func TestAllowLists(t *testing.T) {
	sha2, both := AllSHA2(), append(AllSHA2(), AllSHA1()...)
	for a, name := range algorithmNames {
		back, err := ParseName(name)
		if err != nil || back != a || a.String() != name {
			t.Errorf("%s is read back as %+v, %v", name, back, err)
		}
		if a.UsesSHA1() != strings.HasSuffix(name, "SHA1") {
			t.Errorf("%s: uses SHA-1: %v", name, a.UsesSHA1())
		}
		if sha2.Allows(a) == a.UsesSHA1() || !both.Allows(a) {
			t.Errorf("%s: allowed %v, with SHA-1 %v", name, sha2.Allows(a), both.Allows(a))
		}
		if only := (AllowList{a}); !only.Allows(a) || len(only) != 1 {
			t.Errorf("%s does not allow itself", name)
		}
	}
	pss := func(hash, mgf crypto.Hash, salt int) Algorithm { return Algorithm{RSASSA_PSS, hash, mgf, salt} }
	for _, c := range []struct {
		list AllowList
		a    Algorithm
		want bool
	}{
		{sha2, pss(crypto.SHA256, crypto.SHA256, 0), true},
		{sha2, pss(crypto.SHA512, crypto.SHA256, 190), true},
		{sha2, pss(crypto.SHA256, crypto.SHA1, 20), false}, // MGF1 with SHA-1
		{both, pss(crypto.SHA256, crypto.SHA1, 20), false},
		{sha2, pss(crypto.SHA256, 0, 32), false},
		{sha2, pss(crypto.SHA256, crypto.SHA256, -2), false},
		{AllowList{PSSSHA256}, pss(crypto.SHA256, crypto.SHA256, 31), false},
		{sha2, Algorithm{}, false},
		{nil, PKCS1SHA256, false},
		{sha2, Algorithm{Scheme: ECDSA, Hash: crypto.SHA256, SaltLength: 7}, false},
	} {
		if got := c.list.Allows(c.a); got != c.want {
			t.Errorf("%+v: allowed %v", c.a, got)
		}
	}
	if _, err := ParseName("other"); err == nil {
		t.Error(`"other" is an algorithm`)
	}
}
