package main

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"time"

	"github.com/tashika-jp/tashika/certs/anchors"
	"github.com/tashika-jp/tashika/certs/pkix"
	"github.com/tashika-jp/tashika/certs/profile"
	"github.com/tashika-jp/tashika/certs/signature"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// view is a certificate for people, or as JSON. Where the API's InspectResponse has a field, it
// has the same name here; serial, subject and other names are here only, because the file
// is in the hands of whoever asks.
type view struct {
	File               string      `json:"file"`
	Anchor             string      `json:"anchor,omitempty"` // name among the pinned production anchors
	Kind               string      `json:"kind,omitempty"`   // by what it says of itself; nothing is verified
	Subject            string      `json:"subject"`
	Issuer             string      `json:"issuer"`
	Serial             string      `json:"serial"` // decimal
	NotBefore          time.Time   `json:"notBefore"`
	NotAfter           time.Time   `json:"notAfter"`
	PublicKeyAlgorithm string      `json:"publicKeyAlgorithm"`
	SignatureAlgorithm string      `json:"signatureAlgorithm"`
	SubjectKeyID       string      `json:"subjectKeyId,omitempty"`
	IssuerKeyID        string      `json:"issuerKeyId,omitempty"`
	KeyUsages          []string    `json:"keyUsages,omitempty"`
	ExtendedKeyUsages  []string    `json:"extendedKeyUsages,omitempty"`
	Policies           []string    `json:"policies,omitempty"`
	DistributionPoints []string    `json:"distributionPoints,omitempty"`
	OCSPURIs           []string    `json:"ocspUris,omitempty"`
	SubjectAltNames    []string    `json:"subjectAltNames,omitempty"`
	OtherNames         []otherName `json:"otherNames,omitempty"`
	UnknownCritical    []string    `json:"unknownCriticalExtensions,omitempty"`
	SHA256             string      `json:"sha256"` // of the DER
}

type otherName struct {
	Type    string `json:"type"`
	Meaning string `json:"meaning,omitempty"`
	Value   string `json:"value"`
}

// otherNameMeanings are the types of JPKI's certificate profile, by their last arc.
var otherNameMeanings = []string{"", "氏名 common name", "氏名 substitutes", "性別 gender", "生年月日 date of birth", "住所 address", "住所 substitutes"}

const otherNameArc = "1.2.392.200149.8.5.5."

// policies are the certificate policies and the kinds they make: those of the cards, and what -policy
// adds, because the mobile ones are not published.
type policies map[pkix.OID]string

func (p policies) add(s string) error {
	name, dotted, _ := strings.Cut(s, "=")
	var kind profile.Kind
	if err := kind.UnmarshalText([]byte(strings.ToUpper(strings.ReplaceAll(name, "-", "_")))); err != nil {
		return err
	}
	oid, err := pkix.ParseOID(dotted)
	if err == nil {
		p[oid] = kind.String()
	}
	return err
}

func inspect(i *invocation) (int, error) {
	kinds := policies{
		pkix.MustOID("1.2.392.200149.8.5.1.1.20"): profile.CardSign.String(),
		pkix.MustOID("1.2.392.200149.8.5.1.3.30"): profile.CardAuth.String(),
	}
	i.flags.Func("policy", "certificate policy of a kind, as `KIND=OID`, such as mobile-auth=1.2.3; may be given several times", kinds.add)
	if err := i.parse(); err != nil {
		return exitError, err
	}
	if i.flags.NArg() == 0 {
		return exitUsage, usagef("no file")
	}
	views := []view{}
	var failures []error
	for _, name := range i.flags.Args() {
		der, err := i.certificate(name)
		var c *pkix.Certificate
		if err == nil {
			if c, err = pkix.ParseCertificate(der); err != nil {
				err = fmt.Errorf("%s: %w", name, err)
			}
		}
		if err != nil { // the others are shown all the same
			failures = append(failures, err)
			continue
		}
		views = append(views, newView(name, c, kinds))
	}
	if i.asJSON {
		failures = append(failures, i.json(map[string]any{"certificates": views}))
	} else {
		for n := range views {
			if n > 0 {
				fmt.Fprintln(&i.out)
			}
			views[n].print(i.printer())
		}
	}
	return exitValid, errors.Join(failures...)
}

func newView(file string, c *pkix.Certificate, kinds policies) view {
	v := view{
		File: file, Anchor: anchors.PinnedName(c.Raw), SHA256: anchors.Fingerprint(c.Raw),
		Subject: c.Subject.String(), Issuer: c.Issuer.String(), Serial: decimal(c.SerialNumber),
		NotBefore: c.NotBefore, NotAfter: c.NotAfter,
		SubjectKeyID: hex.EncodeToString(c.SubjectKeyID), IssuerKeyID: hex.EncodeToString(c.AuthorityKeyID),
		KeyUsages: c.KeyUsage.Names(), Policies: dotted(c.Policies), ExtendedKeyUsages: dotted(c.ExtendedKeyUsages),
		OCSPURIs: c.OCSPURIs, UnknownCritical: dotted(c.UnknownCritical),
	}
	if c.IsCA {
		v.Kind = "CA"
	}
	for _, policy := range c.Policies {
		if kind := kinds[policy]; kind != "" && !c.IsCA {
			v.Kind = kind
		}
	}
	if key, err := signature.NewPublicKey(c.PublicKeyAlgorithm, c.PublicKey); err == nil {
		v.PublicKeyAlgorithm = key.String()
	} else {
		v.PublicKeyAlgorithm = c.PublicKeyAlgorithm.Algorithm.String() + " (" + err.Error() + ")"
	}
	if algorithm, err := signature.FromIdentifier(c.SignatureAlgorithm); err == nil {
		v.SignatureAlgorithm = algorithm.String()
	} else {
		v.SignatureAlgorithm = c.SignatureAlgorithm.Algorithm.String()
	}
	for _, point := range c.DistributionPoints {
		for _, name := range append(point.FullName, point.CRLIssuer...) {
			v.DistributionPoints = append(v.DistributionPoints, name.String())
		}
	}
	for _, name := range c.SubjectAltNames {
		if typeID, element, ok := name.OtherName(); ok {
			v.OtherNames = append(v.OtherNames, newOtherName(typeID.String(), element))
		} else if text := name.String(); text != "" {
			v.SubjectAltNames = append(v.SubjectAltNames, text)
		}
	}
	return v
}

func newOtherName(typeID string, element []byte) otherName {
	o := otherName{Type: typeID, Value: "#" + hex.EncodeToString(element)} // RFC 4514 section 2.4
	s := cryptobyte.String(element)
	var text cryptobyte.String
	if s.ReadASN1(&text, asn1.UTF8String) {
		o.Value = string(text)
	}
	for arc, meaning := range otherNameMeanings {
		if typeID == fmt.Sprint(otherNameArc, arc) {
			o.Meaning = meaning
		}
	}
	return o
}

func dotted(oids []pkix.OID) []string {
	var out []string
	for _, oid := range oids {
		out = append(out, oid.String())
	}
	return out
}

// decimal is the value of an INTEGER's content octets, two's complement.
func decimal(octets []byte) string {
	n := new(big.Int).SetBytes(octets)
	if len(octets) > 0 && octets[0]&0x80 != 0 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(octets))))
	}
	return n.String()
}

func (v *view) print(p printer) {
	p.field("file", v.File)
	anchor := v.Anchor + ": pinned production anchor"
	if v.Anchor == "" {
		anchor = "no: not a pinned production anchor"
	}
	p.field("anchor", anchor)
	kind := v.Kind
	switch kind {
	case "CA":
	case "":
		kind = "not known: its policy is none of the cards'; name those of the mobile kinds with -policy"
	default:
		kind += " by its policy; who issued it is not verified"
	}
	p.field("kind", kind)
	p.field("subject", v.Subject)
	p.field("issuer", v.Issuer)
	p.field("serial", v.Serial)
	p.field("validity", period(v.NotBefore, v.NotAfter))
	p.field("key", v.PublicKeyAlgorithm)
	p.field("key id", v.SubjectKeyID)
	p.field("issuer key id", v.IssuerKeyID)
	p.field("signed with", v.SignatureAlgorithm)
	p.field("key usage", strings.Join(v.KeyUsages, ", "))
	p.field("extended", v.ExtendedKeyUsages...)
	p.field("policy", v.Policies...)
	p.field("CRL point", v.DistributionPoints...)
	p.field("OCSP", v.OCSPURIs...)
	p.field("other name", v.SubjectAltNames...)
	for _, o := range v.OtherNames {
		p.field("other name", strings.TrimSpace(o.Type+" "+o.Meaning)+": "+o.Value)
	}
	p.field("unknown", v.UnknownCritical...)
	p.field("SHA-256", v.SHA256)
}
