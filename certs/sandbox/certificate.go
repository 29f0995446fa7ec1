package sandbox

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha1"
	"encoding/asn1"
	"encoding/binary"
	"fmt"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// A Kind is what a certificate is for and where it lives.
type Kind string

const (
	CardSign   Kind = "CARD_SIGN"
	CardAuth   Kind = "CARD_AUTH"
	MobileSign Kind = "MOBILE_SIGN"
	MobileAuth Kind = "MOBILE_AUTH"
)

// The policy OIDs by which kinds are told apart. The card's are the real ones
// (confirmed, jpki.md section 2). The mobile ones are not published: these two
// stand in the arc that RFC 5612 sets aside for documentation, so they can never
// be mistaken for, or collide with, the real ones.
const (
	PolicyCardSign   = "1.2.392.200149.8.5.1.1.20"
	PolicyCardAuth   = "1.2.392.200149.8.5.1.3.30"
	PolicyMobileSign = "1.3.6.1.4.1.32473.8.1.40"
	PolicyMobileAuth = "1.3.6.1.4.1.32473.8.3.40"
)

var policies = map[Kind]asn1.ObjectIdentifier{
	CardSign:   {1, 2, 392, 200149, 8, 5, 1, 1, 20},
	CardAuth:   {1, 2, 392, 200149, 8, 5, 1, 3, 30},
	MobileSign: {1, 3, 6, 1, 4, 1, 32473, 8, 1, 40},
	MobileAuth: {1, 3, 6, 1, 4, 1, 32473, 8, 3, 40},
}

func kindOf(a Authority, card bool) Kind {
	switch {
	case a == Sign && card:
		return CardSign
	case a == Sign:
		return MobileSign
	case card:
		return CardAuth
	}
	return MobileAuth
}

var (
	oidSKI          = asn1.ObjectIdentifier{2, 5, 29, 14}
	oidKeyUsage     = asn1.ObjectIdentifier{2, 5, 29, 15}
	oidSAN          = asn1.ObjectIdentifier{2, 5, 29, 17}
	oidIAN          = asn1.ObjectIdentifier{2, 5, 29, 18}
	oidBasic        = asn1.ObjectIdentifier{2, 5, 29, 19}
	oidCRLNumber    = asn1.ObjectIdentifier{2, 5, 29, 20}
	oidIDP          = asn1.ObjectIdentifier{2, 5, 29, 28}
	oidCDP          = asn1.ObjectIdentifier{2, 5, 29, 31}
	oidPolicies     = asn1.ObjectIdentifier{2, 5, 29, 32}
	oidAKI          = asn1.ObjectIdentifier{2, 5, 29, 35}
	oidEKU          = asn1.ObjectIdentifier{2, 5, 29, 37}
	oidAIA          = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 1}
	oidAdOCSP       = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1}
	oidOCSPNoCheck  = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 5}
	oidQualifierCPS = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 2, 1}
	oidClientAuth   = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 2}
	oidOCSPSigning  = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 9}
	oidRSA          = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}
	oidSHA256RSA    = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 11}
	oidECPublicKey  = asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1}
	oidP256         = asn1.ObjectIdentifier{1, 2, 840, 10045, 3, 1, 7}
	oidP384         = asn1.ObjectIdentifier{1, 3, 132, 0, 34}
)

// otherNameArc holds the six items of a sign certificate (jpki.md section 2).
func otherNameArc(n int) asn1.ObjectIdentifier {
	return asn1.ObjectIdentifier{1, 2, 392, 200149, 8, 5, 5, n}
}

var (
	explicit0 = cbasn1.Tag(0).ContextSpecific().Constructed()
	explicit1 = cbasn1.Tag(1).ContextSpecific().Constructed()
	explicit3 = cbasn1.Tag(3).ContextSpecific().Constructed()
	implicit0 = cbasn1.Tag(0).ContextSpecific()
	implicit2 = cbasn1.Tag(2).ContextSpecific()
	uriTag    = cbasn1.Tag(6).ContextSpecific() // GeneralName uniformResourceIdentifier
)

// A template is a certificate about to be signed.
type template struct {
	serial              uint64
	notBefore, notAfter time.Time
	subject             name
	public              crypto.PublicKey
	extensions          func(*cryptobyte.Builder)
}

// issue signs a certificate in the CA's name (RFC 5280 section 4.1).
func (g *generation) issue(t template) ([]byte, error) { return g.issueWith(g.key, t) }

// issueWith is issue with a key that need not be the CA's: faults forge.
func (g *generation) issueWith(key *rsa.PrivateKey, t template) ([]byte, error) {
	return signed(key, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(explicit0, func(b *cryptobyte.Builder) { b.AddASN1Int64(2) }) // v3
			b.AddASN1Uint64(t.serial)
			addSHA256RSA(b)
			g.ca.name.add(b)
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				addTime(b, t.notBefore)
				addTime(b, t.notAfter)
			})
			t.subject.add(b)
			addPublicKey(b, t.public)
			b.AddASN1(explicit3, func(b *cryptobyte.Builder) {
				b.AddASN1(cbasn1.SEQUENCE, t.extensions)
			})
		})
	})
}

// signed wraps a to-be-signed structure: SEQUENCE { tbs, algorithm, BIT STRING }.
// Certificates, CRLs and (but for their certs field) OCSP responses share it.
func signed(key *rsa.PrivateKey, tbs func(*cryptobyte.Builder)) ([]byte, error) {
	var b cryptobyte.Builder
	tbs(&b)
	der, err := b.Bytes()
	if err != nil {
		return nil, err
	}
	signature, err := sign(nil, key, RSAPKCS1SHA256, der)
	if err != nil {
		return nil, err
	}
	var out cryptobyte.Builder
	out.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(der)
		addSHA256RSA(b)
		b.AddASN1BitString(signature)
	})
	return out.Bytes()
}

// selfSigned makes the CA certificate: the profile of jpki.md section 1, with
// the extensions in the order of the published files.
func (g *generation) selfSigned() ([]byte, error) {
	return g.issue(template{
		serial: g.serial, notBefore: g.notBefore, notAfter: g.notAfter, subject: g.ca.name, public: &g.key.PublicKey,
		extensions: func(b *cryptobyte.Builder) {
			addExtension(b, oidKeyUsage, true, keyUsage(0x06, 1)) // keyCertSign + cRLSign
			addExtension(b, oidSAN, false, generalNames(authorityNameJa(g.ca.authority)))
			addExtension(b, oidBasic, true, func(b *cryptobyte.Builder) {
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1Boolean(true) })
			})
			addExtension(b, oidCDP, false, distributionPoint(g.ca.name))
			// An impostor that forges identifiers claims the real CA's here too.
			addExtension(b, oidSKI, false, octets(g.claimKeyID))
			// No AKI: RFC 5280 section 4.2.1.1 lets a self-signed certificate omit it, and J-LIS does.
		},
	})
}

// endEntity makes a holder's certificate: the profile of jpki.md section 2.
func (g *generation) endEntity(kind Kind, h Holder, m Municipality, public crypto.PublicKey, serial uint64, notBefore, notAfter time.Time, base string) ([]byte, error) {
	spki, err := publicKeyBits(public)
	if err != nil {
		return nil, err
	}
	a := g.ca.authority
	return g.issue(template{
		serial: serial, notBefore: notBefore, notAfter: notAfter, subject: subjectFor(a, h, m), public: public,
		extensions: func(b *cryptobyte.Builder) {
			if a == Sign {
				// digitalSignature + nonRepudiation, 03 02 06 C0.
				addExtension(b, oidKeyUsage, true, keyUsage(0xC0, 6))
			} else {
				// digitalSignature only, 03 02 07 80: what makes a sign operation impossible.
				addExtension(b, oidKeyUsage, true, keyUsage(0x80, 7))
				addExtension(b, oidEKU, false, extendedKeyUsage(oidClientAuth))
			}
			addExtension(b, oidPolicies, true, policy(policies[kind], base+"/cps.html"))
			if a == Sign {
				addExtension(b, oidSAN, false, attributesOf(h))
			}
			addExtension(b, oidIAN, false, generalNames(authorityNameJa(a)))
			addExtension(b, oidCDP, false, distributionPoint(partitionName(a, m)))
			addExtension(b, oidAIA, false, ocspAccess(base+g.ocspPath()))
			addExtension(b, oidAKI, false, func(b *cryptobyte.Builder) {
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1(implicit0, func(b *cryptobyte.Builder) { b.AddBytes(g.claimKeyID) })
					b.AddASN1(explicit1, g.ca.name.addDirectoryName)
					b.AddASN1(implicit2, func(b *cryptobyte.Builder) { b.AddBytes(integerContents(g.claimSerial)) })
				})
			})
			addExtension(b, oidSKI, false, octets(sha1Sum(spki)))
		},
	})
}

// subjectFor: an auth certificate names nobody; a sign certificate says where,
// and its names stand in the SAN (jpki.md section 2). "003A" is the observed
// ending of an auth CN; "001A" for sign is the sandbox's own.
func subjectFor(a Authority, h Holder, m Municipality) name {
	if a == Auth {
		return name{{oidCountry, "JP"}, {oidCN, h.ID + m.Code + "003A"}}
	}
	return name{
		{oidCountry, "JP"}, {oidLocality, m.PrefectureRomaji}, {oidLocality, m.Romaji},
		{oidCN, h.ID + m.Code + "001A"},
	}
}

// attributesOf writes the SAN of a sign certificate: six otherNames,
// UTF8String, in the observed order 1, 4, 3, 5, 2, 6.
func attributesOf(h Holder) func(*cryptobyte.Builder) {
	items := []struct {
		arc   int
		value string
	}{{1, h.Name}, {4, h.DateOfBirth()}, {3, h.Gender}, {5, h.Address}, {2, h.NameMarks}, {6, h.AddressMarks}}
	return func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			for _, i := range items {
				b.AddASN1(explicit0, func(b *cryptobyte.Builder) { // otherName [0], implicit over its SEQUENCE
					b.AddASN1ObjectIdentifier(otherNameArc(i.arc))
					b.AddASN1(explicit0, func(b *cryptobyte.Builder) { addString(b, cbasn1.UTF8String, i.value) })
				})
			}
		})
	}
}

func addExtension(b *cryptobyte.Builder, oid asn1.ObjectIdentifier, critical bool, value func(*cryptobyte.Builder)) {
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(oid)
		if critical {
			b.AddASN1Boolean(true) // DEFAULT FALSE is not encoded (X.690 section 11.5)
		}
		b.AddASN1(cbasn1.OCTET_STRING, value)
	})
}

// keyUsage writes a one-octet KeyUsage with its count of unused bits.
func keyUsage(bits, unused byte) func(*cryptobyte.Builder) {
	return func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.BIT_STRING, func(b *cryptobyte.Builder) { b.AddBytes([]byte{unused, bits}) })
	}
}

func extendedKeyUsage(purpose asn1.ObjectIdentifier) func(*cryptobyte.Builder) {
	return func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(purpose) })
	}
}

func generalNames(n name) func(*cryptobyte.Builder) {
	return func(b *cryptobyte.Builder) { b.AddASN1(cbasn1.SEQUENCE, n.addDirectoryName) }
}

// distributionPoint writes a CDP with one DistributionPoint: a fullName, no
// reasons, no cRLIssuer (jpki.md section 2).
func distributionPoint(n name) func(*cryptobyte.Builder) {
	return func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, n.addDistributionPointName)
		})
	}
}

// policy writes certificatePolicies with one OID and a CPS qualifier (RFC 5280 section 4.2.1.4).
func policy(oid asn1.ObjectIdentifier, cps string) func(*cryptobyte.Builder) {
	return func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1ObjectIdentifier(oid)
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
						b.AddASN1ObjectIdentifier(oidQualifierCPS)
						addString(b, cbasn1.IA5String, cps)
					})
				})
			})
		})
	}
}

func ocspAccess(uri string) func(*cryptobyte.Builder) {
	return func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1ObjectIdentifier(oidAdOCSP)
				addString(b, uriTag, uri)
			})
		})
	}
}

// integerContents is the contents of an INTEGER, for where its tag is implicit:
// a leading zero octet keeps a set top bit from meaning negative (X.690 section 8.3).
func integerContents(v uint64) []byte {
	raw := binary.BigEndian.AppendUint64([]byte{0}, v)
	for len(raw) > 1 && raw[0] == 0 && raw[1]&0x80 == 0 {
		raw = raw[1:]
	}
	return raw
}

func octets(v []byte) func(*cryptobyte.Builder) {
	return func(b *cryptobyte.Builder) { b.AddASN1OctetString(v) }
}

// addTime: UTCTime through 2049, GeneralizedTime from 2050 on (RFC 5280 section 4.1.2.5).
func addTime(b *cryptobyte.Builder, t time.Time) {
	if t = t.UTC(); t.Year() >= 2050 {
		b.AddASN1GeneralizedTime(t)
		return
	}
	b.AddASN1UTCTime(t)
}

// addSHA256RSA writes sha256WithRSAEncryption; RFC 4055 section 5 wants the NULL.
func addSHA256RSA(b *cryptobyte.Builder) {
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(oidSHA256RSA)
		b.AddASN1NULL()
	})
}

// addPublicKey writes SubjectPublicKeyInfo (RFC 3279 section 2.3.1, RFC 5480 section 2).
func addPublicKey(b *cryptobyte.Builder, public crypto.PublicKey) {
	bits, err := publicKeyBits(public)
	if err != nil {
		b.SetError(err)
		return
	}
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			switch k := public.(type) {
			case *rsa.PublicKey:
				b.AddASN1ObjectIdentifier(oidRSA)
				b.AddASN1NULL()
			case *ecdsa.PublicKey:
				b.AddASN1ObjectIdentifier(oidECPublicKey)
				if k.Curve.Params().BitSize == 384 {
					b.AddASN1ObjectIdentifier(oidP384)
				} else {
					b.AddASN1ObjectIdentifier(oidP256)
				}
			}
		})
		b.AddASN1BitString(bits)
	})
}

// publicKeyBits is the value of subjectPublicKey without tag, length and unused
// bits: what key identifiers hash (RFC 5280 section 4.2.1.2 method 1, RFC 6960 section 4.1.1).
func publicKeyBits(public crypto.PublicKey) ([]byte, error) {
	switch k := public.(type) {
	case *rsa.PublicKey:
		return rsaPublicKeyBits(k), nil
	case *ecdsa.PublicKey:
		return k.Bytes()
	}
	return nil, fmt.Errorf("%w: %T", ErrAlgorithm, public)
}

func rsaPublicKeyBits(k *rsa.PublicKey) []byte {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1BigInt(k.N)
		b.AddASN1Int64(int64(k.E))
	})
	return b.BytesOrPanic() // a modulus and an exponent always encode
}

// sha1Sum names keys, as RFC 5280 section 4.2.1.2 does; no signature rests on it.
func sha1Sum(b []byte) []byte {
	s := sha1.Sum(b)
	return s[:]
}
