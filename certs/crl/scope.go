package crl

import (
	"bytes"
	"errors"
	"math/bits"

	"github.com/tashika-jp/tashika/certs/pkix"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// IssuingDistributionPoint is what a list says of its scope (RFC 5280 section 5.2.5).
type IssuingDistributionPoint struct {
	FullName           []pkix.GeneralName
	RelativeName       []byte // content of nameRelativeToCRLIssuer
	OnlyUserCerts      bool
	OnlyCACerts        bool
	OnlyAttributeCerts bool
	Indirect           bool
	HasReasons         bool
	Reasons            uint16 // ReasonFlags, bit 0 lowest
}

func readIDP(s *cryptobyte.String) (*IssuingDistributionPoint, error) {
	var inner cryptobyte.String
	if !s.ReadASN1(&inner, asn1.SEQUENCE) {
		return nil, errors.New("malformed")
	}
	p := new(IssuingDistributionPoint)
	var err error
	if p.FullName, p.RelativeName, err = pkix.ReadDistributionPointName(&inner); err != nil {
		return nil, err
	}
	var ok [4]bool
	p.OnlyUserCerts, ok[0] = pkix.ReadDefaultFalse(&inner, 1)
	p.OnlyCACerts, ok[1] = pkix.ReadDefaultFalse(&inner, 2)
	if tag := asn1.Tag(3).ContextSpecific(); inner.PeekASN1Tag(tag) {
		if p.Reasons, p.HasReasons = pkix.ReadNamedBits(&inner, tag); !p.HasReasons {
			return nil, errors.New("malformed reasons")
		}
	}
	p.Indirect, ok[2] = pkix.ReadDefaultFalse(&inner, 4)
	p.OnlyAttributeCerts, ok[3] = pkix.ReadDefaultFalse(&inner, 5)
	if ok != [4]bool{true, true, true, true} || !inner.Empty() {
		return nil, errors.New("malformed")
	}
	return p, nil
}

// contradictory: RFC 5280 section 5.2.5: conforming issuers MUST NOT issue an empty
// extension, nor one that says more than one "only".
func (p *IssuingDistributionPoint) contradictory() bool {
	var kinds uint
	for i, only := range []bool{p.OnlyUserCerts, p.OnlyCACerts, p.OnlyAttributeCerts} {
		if only {
			kinds |= 1 << i
		}
	}
	named := p.FullName != nil || p.RelativeName != nil
	return bits.OnesCount(kinds) > 1 || !named && kinds == 0 && !p.Indirect && !p.HasReasons
}

// excludes: certificates of this kind are not on the list.
func (p *IssuingDistributionPoint) excludes(c *pkix.Certificate) bool {
	// RFC 5280 section 6.3.3 (b)(2)(ii), (iii), (iv).
	if p.OnlyUserCerts && c.IsCA || p.OnlyCACerts && !c.IsCA || p.OnlyAttributeCerts {
		return true
	}
	// RFC 5280 section 5.2.5: a list of users or of CAs does not include certificates of version 1 or 2.
	return c.Version < 3 && (p.OnlyUserCerts || p.OnlyCACerts)
}

// pointNames are the names of a distribution point, a relative one made whole below the
// name of the list's issuer; false if that makes no name.
func pointNames(issuer pkix.Name, full []pkix.GeneralName, relative []byte) ([]pkix.GeneralName, bool) {
	if relative == nil {
		return full, true
	}
	// RFC 5280 section 4.2.1.13: nameRelativeToCRLIssuer is appended to the issuer's name.
	s := cryptobyte.String(issuer)
	var rdns cryptobyte.String
	if !s.ReadASN1(&rdns, asn1.SEQUENCE) {
		return nil, false
	}
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(rdns)
		b.AddASN1(asn1.SET, func(b *cryptobyte.Builder) { b.AddBytes(relative) })
	})
	der, err := b.Bytes()
	if err != nil {
		return nil, false
	}
	whole := cryptobyte.String(der)
	name, err := pkix.ReadName(&whole)
	if err != nil {
		return nil, false
	}
	return []pkix.GeneralName{{Kind: pkix.DirectoryName, Value: name}}, true
}

// Covers says whether the list is authoritative for the certificate: whether it would be on
// it if it were revoked. Ask before believing Lookup, for every certificate.
func (x *Index) Covers(c *pkix.Certificate) bool {
	// RFC 5280 section 6.3.3 (b)(1): the issuer of the list is the issuer of the certificate. A serial
	// number means nothing under another's name (TestTrapSerialOnlyAcrossIssuers).
	if !x.issuer.Equal(c.Issuer) {
		return false
	}
	// Beyond RFC 5280: nor under another key of the same name, where both say which. Whether
	// JPKI's lists cover all generations of a key is not known (jpki.md section 3), and a list that
	// covers but one would say "good" of all others (TestTrapKeyGenerationsShareOneName).
	if len(c.AuthorityKeyID) > 0 && len(x.issuerKeyID) > 0 && !bytes.Equal(c.AuthorityKeyID, x.issuerKeyID) {
		return false
	}
	p := x.idp
	if p == nil {
		// RFC 5280 section 5.2.5: without the extension the scope is every certificate of the issuer;
		// section 6.3.3: it is used for any distribution point (TestCovers).
		return true
	}
	switch {
	case p.excludes(c):
		return false
	case x.names == nil:
		return true
	}
	// RFC 5280 section 6.3.3 (b)(2)(i): one of the names of the list is one of the distribution
	// point's (TestTrapSecondPartitionOverwritesFirst, TestTrapDirectoryNameDistributionPoint).
	for _, point := range c.DistributionPoints {
		// RFC 5280 section 6.3.3 (b)(1), (d): a point with cRLIssuer is answered by an indirect
		// list only, and one with reasons by a list of some reasons: neither is here.
		if point.CRLIssuer != nil || point.HasReasons {
			continue
		}
		names, ok := pointNames(c.Issuer, point.FullName, point.RelativeName)
		if ok && anyInCommon(x.names, names) {
			return true
		}
	}
	return false
}

func anyInCommon(a, b []pkix.GeneralName) bool {
	for _, one := range a {
		for _, other := range b {
			if one.Equal(other) {
				return true
			}
		}
	}
	return false
}

// emptyName is the Name without RDNs.
var emptyName = pkix.Name{byte(asn1.SEQUENCE), 0}

// scopeOf is what Scope returns for the names of an issuing distribution point.
func scopeOf(names []pkix.GeneralName) pkix.Name {
	if names == nil {
		return nil
	}
	for _, name := range names {
		if name.Kind == pkix.DirectoryName {
			return pkix.Name(name.Value)
		}
	}
	return emptyName
}
