package pkix

import (
	"errors"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// The identifiers of the extensions that are read.
var (
	oidSubjectKeyID       = MustOID("2.5.29.14")
	oidKeyUsage           = MustOID("2.5.29.15")
	oidSubjectAltName     = MustOID("2.5.29.17")
	oidIssuerAltName      = MustOID("2.5.29.18")
	oidBasicConstraints   = MustOID("2.5.29.19")
	oidNameConstraints    = MustOID("2.5.29.30")
	oidDistributionPoints = MustOID("2.5.29.31")
	oidPolicies           = MustOID("2.5.29.32")
	oidPolicyMappings     = MustOID("2.5.29.33")
	oidAuthorityKeyID     = MustOID("2.5.29.35")
	oidPolicyConstraints  = MustOID("2.5.29.36")
	oidExtendedKeyUsage   = MustOID("2.5.29.37")
	oidFreshestCRL        = MustOID("2.5.29.46")
	oidInhibitAnyPolicy   = MustOID("2.5.29.54")
	oidAuthorityInfo      = MustOID("1.3.6.1.5.5.7.1.1")
	oidOCSPNoCheck        = MustOID("1.3.6.1.5.5.7.48.1.5")
	oidQualifierCPS       = MustOID("1.3.6.1.5.5.7.2.1")
	oidQualifierNotice    = MustOID("1.3.6.1.5.5.7.2.2")
	oidOCSPAccess         = MustOID("1.3.6.1.5.5.7.48.1")
)

// Extensions are the extensions of a certificate that a verdict may rest on.
type Extensions struct {
	HasKeyUsage         bool
	KeyUsageCritical    bool
	KeyUsage            KeyUsage
	HasBasicConstraints bool
	IsCA                bool
	MaxPathLen          int // -1 if there is none
	PoliciesCritical    bool
	Policies            []OID
	ExtendedKeyUsages   []OID
	SubjectKeyID        []byte
	HasAuthorityKeyID   bool   // the extension; it may be without keyIdentifier
	AuthorityKeyID      []byte // keyIdentifier
	AuthorityCertIssuer []GeneralName
	AuthorityCertSerial []byte
	DistributionPoints  []DistributionPoint
	FreshestCRL         []DistributionPoint
	SubjectAltNames     []GeneralName
	IssuerAltNames      []GeneralName
	OCSPURIs            []string
	OCSPNoCheck         bool

	// What follows binds whoever walks a path (package chain).
	NameConstraints       *NameConstraints
	PolicyMappings        []PolicyMapping
	RequireExplicitPolicy int // certificates to skip; -1 if there is none, as in the two below
	InhibitPolicyMapping  int
	InhibitAnyPolicy      int
	// PathCritical: one of these, or freshestCRL, is critical. Whoever walks no path has not processed it, and must
	// refuse the certificate (RFC 5280 section 4.2).
	PathCritical bool

	// UnknownCritical are the critical extensions that are not read here: whoever
	// relies on the certificate must refuse it (RFC 5280 section 4.2).
	UnknownCritical []OID

	room room
}

// room is where the lists of an ordinary certificate lie, so that reading one takes a single piece of memory. Longer ones
// lie elsewhere.
type room struct {
	policies, usages [1]OID
	ocspURIs         [1]string
	points           [1]DistributionPoint
	pointNames       [1]GeneralName
	issuerAltNames   [1]GeneralName
	authorityIssuer  [1]GeneralName
}

func (x *Extensions) parseExtension(e Extension) error {
	s := cryptobyte.String(e.Value)
	var err error
	ok := true
	switch e.ID {
	case oidSubjectKeyID:
		var id cryptobyte.String
		ok = s.ReadASN1(&id, asn1.OCTET_STRING)
		x.SubjectKeyID = id
	case oidKeyUsage:
		var bits uint16
		bits, ok = ReadNamedBits(&s, asn1.BIT_STRING)
		x.HasKeyUsage, x.KeyUsageCritical, x.KeyUsage = true, e.Critical, KeyUsage(bits)
	case oidSubjectAltName:
		// RFC 5280 section 4.2.1.6 wants one name or more; authorities with an empty list exist, and a
		// list without names says nothing that could be believed.
		if string(e.Value) == "\x30\x00" {
			return nil
		}
		x.SubjectAltNames, err = ReadGeneralNames(&s, asn1.SEQUENCE)
	case oidIssuerAltName:
		x.IssuerAltNames, err = readGeneralNames(x.room.issuerAltNames[:0], &s, asn1.SEQUENCE)
	case oidBasicConstraints:
		err = x.parseBasicConstraints(&s)
	case oidDistributionPoints:
		x.DistributionPoints, err = readDistributionPoints(x.room.points[:0], x.room.pointNames[:0], &s)
	case oidPolicies:
		x.PoliciesCritical = e.Critical
		var qualified bool
		if x.Policies, qualified, err = readPolicies(x.room.policies[:0], &s); qualified && e.Critical {
			// RFC 5280 section 4.2.1.4: who cannot interpret a critical one, with its qualifiers, MUST reject it.
			x.UnknownCritical = append(x.UnknownCritical, e.ID)
		}
	case oidAuthorityKeyID:
		err = x.parseAuthorityKeyID(&s)
	case oidExtendedKeyUsage:
		x.ExtendedKeyUsages, err = readOIDs(x.room.usages[:0], &s)
	case oidAuthorityInfo:
		x.OCSPURIs, err = readOCSPURIs(x.room.ocspURIs[:0], &s)
	case oidNameConstraints:
		x.PathCritical = x.PathCritical || e.Critical
		x.NameConstraints, err = readNameConstraints(&s)
	case oidPolicyMappings:
		x.PathCritical = x.PathCritical || e.Critical
		x.PolicyMappings, err = readPolicyMappings(&s)
	case oidPolicyConstraints:
		x.PathCritical = x.PathCritical || e.Critical
		err = x.parsePolicyConstraints(&s)
	case oidInhibitAnyPolicy:
		x.PathCritical = x.PathCritical || e.Critical
		var content cryptobyte.String
		if ok = s.ReadASN1(&content, asn1.INTEGER); ok {
			x.InhibitAnyPolicy, ok = skipCerts(content)
		}
	case oidFreshestCRL:
		x.PathCritical = x.PathCritical || e.Critical
		x.FreshestCRL, err = ReadDistributionPoints(&s)
	case oidOCSPNoCheck:
		var null cryptobyte.String
		ok = s.ReadASN1(&null, asn1.NULL) && null.Empty()
		x.OCSPNoCheck = true
	default:
		if e.Critical {
			x.UnknownCritical = append(x.UnknownCritical, e.ID)
		}
		return nil
	}
	if err == nil && (!ok || !s.Empty()) {
		err = errors.New("malformed")
	}
	return err
}

func (x *Extensions) parseBasicConstraints(s *cryptobyte.String) error {
	var inner cryptobyte.String
	var ok bool
	if !s.ReadASN1(&inner, asn1.SEQUENCE) {
		return errors.New("malformed")
	}
	x.HasBasicConstraints = true
	if x.IsCA, ok = readDefaultFalse(&inner, asn1.BOOLEAN); !ok {
		return errors.New("malformed cA")
	}
	if inner.Empty() {
		return nil
	}
	var content cryptobyte.String
	if !inner.ReadASN1(&content, asn1.INTEGER) || !inner.Empty() {
		return errors.New("malformed pathLenConstraint")
	}
	if x.MaxPathLen, ok = skipCerts(content); !ok {
		return errors.New("malformed pathLenConstraint")
	}
	return nil
}

func (x *Extensions) parseAuthorityKeyID(s *cryptobyte.String) error {
	var inner, id, serial cryptobyte.String
	var hasID, hasSerial bool
	if !s.ReadASN1(&inner, asn1.SEQUENCE) ||
		!inner.ReadOptionalASN1(&id, &hasID, asn1.Tag(0).ContextSpecific()) {
		return errors.New("malformed")
	}
	x.HasAuthorityKeyID = true
	if hasID {
		x.AuthorityKeyID = id
	}
	if issuer := asn1.Tag(1).ContextSpecific().Constructed(); inner.PeekASN1Tag(issuer) {
		var err error
		if x.AuthorityCertIssuer, err = readGeneralNames(x.room.authorityIssuer[:0], &inner, issuer); err != nil {
			return err
		}
	}
	if !inner.ReadOptionalASN1(&serial, &hasSerial, asn1.Tag(2).ContextSpecific()) || !inner.Empty() {
		return errors.New("malformed")
	}
	// RFC 5280 appendix A.2: authorityCertIssuer and authorityCertSerialNumber both or neither.
	if hasSerial != (x.AuthorityCertIssuer != nil) || hasSerial && len(serial) == 0 {
		return errors.New("issuer and serial number not together")
	}
	x.AuthorityCertSerial = serial
	return nil
}

// readPolicies appends the policies to into, and says whether one has a qualifier that is neither a CPS pointer nor a user notice.
func readPolicies(into []OID, s *cryptobyte.String) (policies []OID, qualified bool, err error) {
	policies = into
	var list cryptobyte.String
	if !s.ReadASN1(&list, asn1.SEQUENCE) || list.Empty() {
		return nil, false, errors.New("malformed")
	}
	for !list.Empty() {
		var info cryptobyte.String
		if !list.ReadASN1(&info, asn1.SEQUENCE) {
			return nil, false, errors.New("malformed policy information")
		}
		oid, ok := ReadOID(&info)
		other := false
		if ok && !info.Empty() {
			other, ok = readQualifiers(&info)
		}
		if !ok {
			return nil, false, errors.New("malformed policy information")
		}
		qualified = qualified || other
		// RFC 5280 section 4.2.1.4: a policy MUST NOT appear more than once.
		if slices.Contains(policies, oid) {
			return nil, false, errors.New("policy appears twice")
		}
		if policies = append(policies, oid); len(policies) > maxPolicies {
			return nil, false, errors.New("too many policies")
		}
	}
	return policies, qualified, nil
}

// maxPolicies bounds the quadratic search for duplicates.
const maxPolicies = 1024

// readQualifiers reads policyQualifiers to the end and says whether there is one of an unknown type.
func readQualifiers(s *cryptobyte.String) (other, ok bool) {
	var list cryptobyte.String
	if !s.ReadASN1(&list, asn1.SEQUENCE) || !s.Empty() || list.Empty() {
		return false, false
	}
	for !list.Empty() {
		var info, value cryptobyte.String
		var tag asn1.Tag
		if !list.ReadASN1(&info, asn1.SEQUENCE) {
			return false, false
		}
		id, ok := ReadOID(&info)
		if !ok || !info.ReadAnyASN1(&value, &tag) || !info.Empty() {
			return false, false
		}
		other = other || id != oidQualifierCPS && id != oidQualifierNotice
	}
	return other, true
}

// readOIDs appends them to out.
func readOIDs(out []OID, s *cryptobyte.String) ([]OID, error) {
	var list cryptobyte.String
	if !s.ReadASN1(&list, asn1.SEQUENCE) || list.Empty() {
		return nil, errors.New("malformed")
	}
	for !list.Empty() {
		oid, ok := ReadOID(&list)
		if !ok {
			return nil, errors.New("malformed object identifier")
		}
		out = append(out, oid)
	}
	return out, nil
}

// readOCSPURIs appends the id-ad-ocsp URIs of an AuthorityInfoAccess to out.
func readOCSPURIs(out []string, s *cryptobyte.String) ([]string, error) {
	var list cryptobyte.String
	if !s.ReadASN1(&list, asn1.SEQUENCE) || list.Empty() {
		return nil, errors.New("malformed")
	}
	for !list.Empty() {
		var access cryptobyte.String
		if !list.ReadASN1(&access, asn1.SEQUENCE) {
			return nil, errors.New("malformed access description")
		}
		method, ok := ReadOID(&access)
		if !ok {
			return nil, errors.New("malformed access method")
		}
		location, err := readGeneralName(&access)
		if err != nil || !access.Empty() {
			return nil, errors.New("malformed access location")
		}
		if method == oidOCSPAccess && location.Kind == URIName {
			out = append(out, alias(location.Value))
		}
	}
	return out, nil
}
