package conformance

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/asn1"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/cryptobyte"
	tag "golang.org/x/crypto/cryptobyte/asn1"
)

// A little authority that issues what no authority should. crypto/x509 refuses to sign half
// of what the differential tests are about (odd names, mappings, two of one extension), so the
// DER is written here. Keys and signatures are deterministic: a seed is a reproduction.

// der is a piece of DER.
type der func(*cryptobyte.Builder)

func (d der) bytes() []byte {
	var b cryptobyte.Builder
	d(&b)
	return b.BytesOrPanic()
}

func tagged(t tag.Tag, parts ...der) der {
	return func(b *cryptobyte.Builder) {
		b.AddASN1(t, func(b *cryptobyte.Builder) {
			for _, p := range parts {
				p(b)
			}
		})
	}
}

func sequence(parts ...der) der { return tagged(tag.SEQUENCE, parts...) }
func raw(v []byte) der          { return func(b *cryptobyte.Builder) { b.AddBytes(v) } }
func integer(n int64) der       { return func(b *cryptobyte.Builder) { b.AddASN1Int64(n) } }
func enumerated(n int64) der    { return func(b *cryptobyte.Builder) { b.AddASN1Enum(n) } }
func boolean(v bool) der        { return func(b *cryptobyte.Builder) { b.AddASN1Boolean(v) } }
func octets(v []byte) der       { return func(b *cryptobyte.Builder) { b.AddASN1OctetString(v) } }
func bits(v []byte) der         { return func(b *cryptobyte.Builder) { b.AddASN1BitString(v) } }
func contextTag(n uint8, parts ...der) der {
	return tagged(tag.Tag(n).ContextSpecific().Constructed(), parts...)
}
func contextValue(n uint8, v []byte) der { return tagged(tag.Tag(n).ContextSpecific(), raw(v)) }

func oid(dotted string) der {
	var id asn1.ObjectIdentifier
	for _, arc := range strings.Split(dotted, ".") {
		n, err := strconv.Atoi(arc)
		if err != nil {
			panic(err)
		}
		id = append(id, n)
	}
	return func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(id) }
}

// timestamp is UTCTime or GeneralizedTime, as RFC 5280 section 4.1.2.5 has it.
func timestamp(t time.Time) der {
	return func(b *cryptobyte.Builder) {
		if t.Year() < 2050 {
			b.AddASN1UTCTime(t)
		} else {
			b.AddASN1GeneralizedTime(t)
		}
	}
}

// name is a distinguished name with one attribute in each RDN.
type name []attribute

type attribute struct {
	oid, value string
	tag        tag.Tag
}

const (
	commonName   = "2.5.4.3"
	country      = "2.5.4.6"
	organization = "2.5.4.10"
	unit         = "2.5.4.11"
	emailInName  = "1.2.840.113549.1.9.1"
)

func printable(oid, value string) attribute { return attribute{oid, value, tag.PrintableString} }

func (n name) der() der {
	var rdns []der
	for _, a := range n {
		rdns = append(rdns, tagged(tag.SET, sequence(oid(a.oid), tagged(a.tag, raw([]byte(a.value))))))
	}
	return sequence(rdns...)
}

type extension struct {
	oid      string
	critical bool
	value    der
}

func (e extension) der() der {
	if e.critical {
		return sequence(oid(e.oid), boolean(true), octets(e.value.bytes()))
	}
	return sequence(oid(e.oid), octets(e.value.bytes()))
}

func extensionsDER(all []extension) der {
	var parts []der
	for _, e := range all {
		parts = append(parts, e.der())
	}
	return sequence(parts...)
}

func basicConstraints(critical, ca bool, pathLen int) extension {
	var parts []der
	if ca {
		parts = append(parts, boolean(true))
	}
	if pathLen >= 0 {
		parts = append(parts, integer(int64(pathLen)))
	}
	return extension{"2.5.29.19", critical, sequence(parts...)}
}

const (
	digitalSignature = 0
	keyCertSign      = 5
	crlSign          = 6
)

func keyUsage(critical bool, usages ...int) extension {
	var v byte
	last := 0
	for _, u := range usages {
		v |= 0x80 >> u
		last = max(last, u)
	}
	return extension{"2.5.29.15", critical, tagged(tag.BIT_STRING, raw([]byte{byte(7 - last), v}))}
}

func policies(critical bool, oids ...string) extension {
	var parts []der
	for _, p := range oids {
		parts = append(parts, sequence(oid(p)))
	}
	return extension{"2.5.29.32", critical, sequence(parts...)}
}

func policyMappings(critical bool, pairs ...[2]string) extension {
	var parts []der
	for _, p := range pairs {
		parts = append(parts, sequence(oid(p[0]), oid(p[1])))
	}
	return extension{"2.5.29.33", critical, sequence(parts...)}
}

func policyConstraints(explicit, mapping int) extension {
	var parts []der
	for i, n := range []int{explicit, mapping} {
		if n >= 0 {
			parts = append(parts, contextValue(uint8(i), []byte{byte(n)}))
		}
	}
	return extension{"2.5.29.36", true, sequence(parts...)}
}

func inhibitAnyPolicy(n int) extension { return extension{"2.5.29.54", true, integer(int64(n))} }

func extendedKeyUsage(critical bool, oids ...string) extension {
	var parts []der
	for _, o := range oids {
		parts = append(parts, oid(o))
	}
	return extension{"2.5.29.37", critical, sequence(parts...)}
}

func emailName(s string) der         { return contextValue(1, []byte(s)) }
func dnsName(s string) der           { return contextValue(2, []byte(s)) }
func directoryName(n name) der       { return contextTag(4, n.der()) }
func uriName(s string) der           { return contextValue(6, []byte(s)) }
func ipName(octets ...byte) der      { return contextValue(7, octets) }
func alternative(n ...der) extension { return extension{"2.5.29.17", false, sequence(n...)} }

func nameConstraints(critical bool, permitted, excluded []der) extension {
	var parts []der
	for i, names := range [][]der{permitted, excluded} {
		var subtrees []der
		for _, n := range names {
			subtrees = append(subtrees, sequence(n))
		}
		if len(subtrees) > 0 {
			parts = append(parts, contextTag(uint8(i), subtrees...))
		}
	}
	return extension{"2.5.29.30", critical, sequence(parts...)}
}

func keyID(k *ecdsa.PrivateKey) []byte {
	id := sha1.Sum(publicBits(k))
	return id[:]
}

func subjectKeyID(k *ecdsa.PrivateKey) extension {
	return extension{"2.5.29.14", false, octets(keyID(k))}
}

func authorityKeyID(k *ecdsa.PrivateKey) extension {
	return extension{"2.5.29.35", false, sequence(contextValue(0, keyID(k)))}
}

// distributionPoints has one point, with the CRL issuer if there is one.
func distributionPoints(point, crlIssuer name) extension {
	parts := []der{contextTag(0, contextTag(0, directoryName(point)))}
	if crlIssuer != nil {
		parts = append(parts, contextTag(2, directoryName(crlIssuer)))
	}
	return extension{"2.5.29.31", false, sequence(sequence(parts...))}
}

// issuingPoint is an issuing distribution point; flags are the numbers of the boolean fields
// that are true (1 user, 2 CA, 4 indirect, 5 attribute certificates).
func issuingPoint(point name, flags ...uint8) extension {
	var parts []der
	if point != nil {
		parts = append(parts, contextTag(0, contextTag(0, directoryName(point))))
	}
	for _, f := range flags {
		parts = append(parts, contextValue(f, []byte{0xff}))
	}
	return extension{"2.5.29.28", true, sequence(parts...)}
}

var keys = sync.OnceValue(func() (all []*ecdsa.PrivateKey) {
	for i := range 24 {
		scalar := sha256.Sum256(fmt.Appendf(nil, "conformance key %d", i))
		key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), scalar[:])
		if err != nil {
			panic(err)
		}
		all = append(all, key)
	}
	return all
})

func publicBits(k *ecdsa.PrivateKey) []byte {
	v, err := k.PublicKey.Bytes()
	if err != nil {
		panic(err)
	}
	return v
}

var ecdsaWithSHA256 = sequence(oid("1.2.840.10045.4.3.2"))

// signed puts an algorithm and a signature behind what is to be signed.
func signed(tbs []byte, signer *ecdsa.PrivateKey) []byte {
	digest := sha256.Sum256(tbs)
	sig, err := signer.Sign(nil, digest[:], crypto.SHA256) // deterministic, RFC 6979
	if err != nil {
		panic(err)
	}
	return sequence(raw(tbs), ecdsaWithSHA256, bits(sig)).bytes()
}

type certificate struct {
	v1                  bool
	serial              *big.Int
	issuer, subject     name
	notBefore, notAfter time.Time
	key, signer         *ecdsa.PrivateKey
	extensions          []extension
}

func (c certificate) tbs() []byte {
	parts := []der{
		func(b *cryptobyte.Builder) { b.AddASN1BigInt(c.serial) }, ecdsaWithSHA256, c.issuer.der(),
		sequence(timestamp(c.notBefore), timestamp(c.notAfter)), c.subject.der(),
		sequence(sequence(oid("1.2.840.10045.2.1"), oid("1.2.840.10045.3.1.7")), bits(publicBits(c.key))),
	}
	if !c.v1 {
		parts = append([]der{contextTag(0, integer(2))}, parts...)
	}
	if len(c.extensions) > 0 {
		parts = append(parts, contextTag(3, extensionsDER(c.extensions)))
	}
	return sequence(parts...).bytes()
}

func (c certificate) der() []byte { return signed(c.tbs(), c.signer) }

type revocationList struct {
	issuer                 name
	thisUpdate, nextUpdate time.Time
	entries                []entry
	extensions             []extension
	signer                 *ecdsa.PrivateKey
}

type entry struct {
	serial     *big.Int
	extensions []extension
}

func reasonCode(n int64) extension { return extension{"2.5.29.21", false, enumerated(n)} }
func certificateIssuer(n name) extension {
	return extension{"2.5.29.29", true, sequence(directoryName(n))}
}
func crlNumber(n int64) extension  { return extension{"2.5.29.20", false, integer(n)} }
func deltaOf(base int64) extension { return extension{"2.5.29.27", true, integer(base)} }
func unknown(critical bool) extension {
	return extension{"1.3.6.1.4.1.32473.1", critical, octets([]byte("?"))}
}

func (l revocationList) der() []byte {
	parts := []der{integer(1), ecdsaWithSHA256, l.issuer.der(), timestamp(l.thisUpdate), timestamp(l.nextUpdate)}
	var entries []der
	for _, e := range l.entries {
		fields := []der{func(b *cryptobyte.Builder) { b.AddASN1BigInt(e.serial) }, timestamp(l.thisUpdate.Add(-time.Hour))}
		if len(e.extensions) > 0 {
			fields = append(fields, extensionsDER(e.extensions))
		}
		entries = append(entries, sequence(fields...))
	}
	if len(entries) > 0 {
		parts = append(parts, sequence(entries...))
	}
	if len(l.extensions) > 0 {
		parts = append(parts, contextTag(0, extensionsDER(l.extensions)))
	}
	return signed(sequence(parts...).bytes(), l.signer)
}
