package sandbox

import (
	"encoding/asn1"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

var (
	oidCountry  = asn1.ObjectIdentifier{2, 5, 4, 6}
	oidLocality = asn1.ObjectIdentifier{2, 5, 4, 7}
	oidOrg      = asn1.ObjectIdentifier{2, 5, 4, 10}
	oidOrgUnit  = asn1.ObjectIdentifier{2, 5, 4, 11}
	oidCN       = asn1.ObjectIdentifier{2, 5, 4, 3}
)

var shortNames = map[string]string{
	oidCountry.String(): "C", oidLocality.String(): "L", oidOrg.String(): "O",
	oidOrgUnit.String(): "OU", oidCN.String(): "CN",
}

// An attribute is one RDN; the real names have exactly one attribute in each.
type attribute struct {
	oid   asn1.ObjectIdentifier
	value string
}

// A name is a distinguished name in the order in which it is encoded.
type name []attribute

// add writes the Name. RFC 5280 appendix A: countryName is PrintableString;
// all other attributes are UTF8String, as in the published CA certificates.
func (n name) add(b *cryptobyte.Builder) {
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		for _, a := range n {
			b.AddASN1(cbasn1.SET, func(b *cryptobyte.Builder) {
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1ObjectIdentifier(a.oid)
					tag := cbasn1.UTF8String
					if a.oid.Equal(oidCountry) {
						tag = cbasn1.PrintableString
					}
					addString(b, tag, a.value)
				})
			})
		}
	})
}

func (n name) der() []byte {
	var b cryptobyte.Builder
	n.add(&b)
	return b.BytesOrPanic() // only our own constants and checked strings come here
}

// addDirectoryName writes GeneralName directoryName [4]. The tag is explicit
// because Name is a CHOICE (RFC 5280 section 4.2.1.6, X.680 section 31.2.7).
func (n name) addDirectoryName(b *cryptobyte.Builder) {
	b.AddASN1(cbasn1.Tag(4).ContextSpecific().Constructed(), n.add)
}

// addDistributionPointName writes distributionPoint [0] { fullName [0] {
// directoryName } } (RFC 5280 section 4.2.1.13), shared by CDP and IDP so that
// the two are equal byte for byte.
func (n name) addDistributionPointName(b *cryptobyte.Builder) {
	outer := cbasn1.Tag(0).ContextSpecific().Constructed()
	b.AddASN1(outer, func(b *cryptobyte.Builder) {
		b.AddASN1(outer, n.addDirectoryName)
	})
}

// String is the RFC 4514 form: last RDN first, special characters escaped.
func (n name) String() string {
	var s strings.Builder
	for i := len(n) - 1; i >= 0; i-- {
		if s.Len() > 0 {
			s.WriteByte(',')
		}
		s.WriteString(shortNames[n[i].oid.String()])
		s.WriteByte('=')
		for j, r := range n[i].value {
			// RFC 4514 section 2.4; a leading '#' or space and a trailing space as well.
			edge := (j == 0 && (r == ' ' || r == '#')) || (j == len(n[i].value)-1 && r == ' ')
			if edge || strings.ContainsRune(`"+,;<>\`, r) {
				s.WriteByte('\\')
			}
			s.WriteRune(r)
		}
	}
	return s.String()
}

func addString(b *cryptobyte.Builder, tag cbasn1.Tag, s string) {
	b.AddASN1(tag, func(b *cryptobyte.Builder) { b.AddBytes([]byte(s)) })
}

// The names of the pretend authorities: the shape of the real ones, and plainly
// not them.
const (
	sandboxOrg    = "Tashika Sandbox JPKI"
	sandboxAgency = "Sandbox Agency for Local Authority Information Systems"
)

func authorityName(a Authority) name {
	return name{
		{oidCountry, "JP"}, {oidOrg, sandboxOrg},
		{oidOrgUnit, a.unit()}, {oidOrgUnit, sandboxAgency},
	}
}

// authorityNameJa is the Japanese name that stands in the CA's own SAN and, in
// the sandbox, in the issuerAltName of what it issues.
func authorityNameJa(a Authority) name {
	unit := "タシカ砂場公的個人認証サービス署名用"
	if a == Auth {
		unit = "タシカ砂場公的個人認証サービス利用者証明用"
	}
	return name{
		{oidCountry, "JP"}, {oidOrg, "タシカ砂場公的個人認証サービス"},
		{oidOrgUnit, unit}, {oidOrgUnit, "砂場地方公共団体情報システム機構"},
	}
}

// partitionName is the directoryName of one municipality's distribution point,
// the same for every key generation of the CA (jpki.md section 2).
func partitionName(a Authority, m Municipality) name {
	return name{
		{oidCountry, "JP"}, {oidOrg, sandboxOrg}, {oidOrgUnit, a.unit()},
		{oidOrgUnit, "CRL Distribution Points"},
		{oidOrgUnit, m.PrefectureRomaji}, {oidCN, m.Romaji + " CRLDP"},
	}
}
