package crl

import (
	"bytes"
	"slices"

	"github.com/tashika-jp/tashika/certs/pkix"
	"github.com/tashika-jp/tashika/certs/reason"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// checkProfile: what RFC 5280 section 5 demands of issuers besides what makes a list usable. Peers accept most of
// it. Not here are reasons of 0, which section 5.3.1 only advises against. repeated: a serial number is listed twice.
func (l *List) checkProfile(found *reason.Findings, repeated bool) {
	// RFC 5280 section 5: lists are of version 2, with nextUpdate, CRL number and authority key identifier;
	// section 5.2.1: by the key identifier method.
	found.Add(l.Version != 2 || l.AuthorityKeyID == nil, reason.CRLProfileViolated)
	found.Add(l.NextUpdate.IsZero(), reason.CRLNextUpdateMissing)
	found.Add(l.Number == nil, reason.CRLNumberMissing)
	// RFC 5280 section 5.1.2.3: the issuer has a name.
	found.Add(l.Issuer.Empty(), reason.CRLProfileViolated)
	found.Add(l.offProfile, reason.CRLProfileViolated)
	// RFC 5280 section 5.2.3: numbers are not longer than 20 octets, the sign not counted.
	found.Add(len(l.Number) > 21 || len(l.Number) == 21 && l.Number[0] != 0, reason.CRLProfileViolated)
	// RFC 5280 sections 5.2.4, 5.2.5: critical; section 5.2.6: not critical.
	found.Add(l.DeltaBase != nil && !l.DeltaCritical || l.IDP != nil && !l.IDPCritical || l.FreshestCritical, reason.CRLProfileViolated)
	// RFC 5280 section 5.2.6: freshestCRL is in complete lists only, and its points have names and nothing else.
	found.Add(l.FreshestCRL != nil && l.DeltaBase != nil, reason.CRLProfileViolated)
	for _, p := range l.FreshestCRL {
		found.Add(p.HasReasons || p.CRLIssuer != nil || p.FullName == nil && p.RelativeName == nil, reason.CRLProfileViolated)
	}
	// RFC 5280 section 5.1.2.6: revoked certificates are identified by their serial numbers: one that is listed twice
	// is two statements of one thing. In indirect lists they may be of two issuers.
	found.Add(!l.CertificateIssuer && repeated, reason.CRLProfileViolated)
}

// repeats says whether a serial number is listed twice.
func (l *List) repeats() bool {
	serials := make([][]byte, 0, l.EntryCount)
	for rest := l.RawEntries; len(rest) > 0; {
		entry, serial := firstEntry(rest)
		serials = append(serials, serial)
		rest = rest[len(entry):]
	}
	slices.SortFunc(serials, bytes.Compare)
	return len(slices.CompactFunc(serials, bytes.Equal)) != l.EntryCount
}

// namesIssuers: RFC 5280 section 5.2.7: authorityInfoAccess of a list has caIssuers, and no other access method.
func namesIssuers(s cryptobyte.String) bool {
	var list cryptobyte.String
	if !s.ReadASN1(&list, asn1.SEQUENCE) || !s.Empty() || list.Empty() {
		return false
	}
	for !list.Empty() {
		var access, location cryptobyte.String
		var tag asn1.Tag
		if !list.ReadASN1(&access, asn1.SEQUENCE) {
			return false
		}
		method, ok := pkix.ReadOID(&access)
		if !ok || method != oidCAIssuers || !access.ReadAnyASN1Element(&location, &tag) || !access.Empty() {
			return false
		}
	}
	return true
}
