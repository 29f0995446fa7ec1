package chain

import (
	"github.com/tashika-jp/tashika/certs/pkix"
	"github.com/tashika-jp/tashika/certs/reason"
	"github.com/tashika-jp/tashika/certs/signature"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// role is what a certificate is on its path.
type role uint8

const (
	endEntity role = iota + 1
	authority
	trustAnchor
)

// criticality of an extension under section 4.2 of RFC 5280: MUST be, or MUST NOT be. Those that it leaves open, or only recommends, are not here.
var (
	mustBeCritical = map[pkix.OID]bool{
		pkix.MustOID("2.5.29.30"): true, // nameConstraints, section 4.2.1.10
		pkix.MustOID("2.5.29.36"): true, // policyConstraints, section 4.2.1.11
		pkix.MustOID("2.5.29.54"): true, // inhibitAnyPolicy, section 4.2.1.14
	}
	mustNotBeCritical = map[pkix.OID]bool{
		pkix.MustOID("2.5.29.9"):           true, // subjectDirectoryAttributes, section 4.2.1.8
		pkix.MustOID("2.5.29.14"):          true, // subjectKeyIdentifier, section 4.2.1.2
		pkix.MustOID("2.5.29.35"):          true, // authorityKeyIdentifier, section 4.2.1.1
		pkix.MustOID("2.5.29.46"):          true, // freshestCRL, section 4.2.1.15
		pkix.MustOID("1.3.6.1.5.5.7.1.1"):  true, // authorityInfoAccess, section 4.2.2.1
		pkix.MustOID("1.3.6.1.5.5.7.1.11"): true, // subjectInfoAccess, section 4.2.2.2
	}
	oidBasicConstraints = pkix.MustOID("2.5.29.19")
	oidSubjectAltName   = pkix.MustOID("2.5.29.17")
)

// checkProfile is the certificate profile of RFC 5280 section 4, as far as it says MUST: rules for those who issue certificates, which
// validation by section 6 does not look at.
func checkProfile(c *pkix.Certificate, as role) []reason.ID {
	var found reason.Findings
	// Section 4.1.2.2: positive, of 20 octets at most; zero is none.
	serial := c.SerialNumber
	found.Add(serial[0]&0x80 != 0 || len(serial) == 1 && serial[0] == 0 || len(serial) > 20, reason.SerialNumberUnacceptable)
	// Section 4.1.2.1: extensions, as expected here, make version 3.
	found.Add(c.Version != 3, reason.VersionNot3)
	// Section 4.1.2.4.
	found.Add(c.Issuer.Empty(), reason.IssuerMissing)
	found.Add(!validityEncoded(c), reason.ValidityEncodingWrong)
	checkKeyIDs(&found, c, as)
	checkUsages(&found, c, as)
	checkExtensions(&found, c, as)
	for _, name := range c.SubjectAltNames {
		found.Add(!wellFormed(name), reason.SubjectAltNameUnacceptable)
	}
	return found
}

// checkKeyIDs: sections 4.2.1.1 and 4.2.1.2: the authority key identifier in all certificates but self-signed ones, with
// its keyIdentifier; the subject key identifier in all of authorities.
func checkKeyIDs(found *reason.Findings, c *pkix.Certificate, as role) {
	has := len(c.AuthorityKeyID) > 0

	found.Add(!has && (c.HasAuthorityKeyID || as != trustAnchor || !selfSigned(c)), reason.AuthorityKeyIDMissing)
	found.Add(len(c.SubjectKeyID) == 0 && (as != endEntity || c.IsCA), reason.SubjectKeyIDMissing)
}

// selfSigned says whether a certificate was signed with its own key, whatever name it gives its issuer.
func selfSigned(c *pkix.Certificate) bool {
	key, err := signature.NewPublicKey(c.PublicKeyAlgorithm, c.PublicKey)
	if err != nil {
		return false
	}
	algorithm, err := signature.FromIdentifier(c.SignatureAlgorithm)
	return err == nil && key.Verify(algorithm, c.RawTBS, c.Signature) == nil
}

func checkUsages(found *reason.Findings, c *pkix.Certificate, as role) {
	certSign := c.KeyUsage&pkix.KeyCertSign != 0
	// Section 4.2.1.3: at least one bit is set.
	found.Add(c.HasKeyUsage && c.KeyUsage == 0, reason.KeyUsageMismatch)
	// Section 4.2.1.3: in certificates of keys that check signatures on certificates it is there.
	found.Add(as == authority && !c.HasKeyUsage, reason.ExtensionMissing)
	// Section 4.2.1.9: without cA, no keyCertSign.
	found.Add(certSign && !c.IsCA, reason.ExtensionMisplaced)
	// Section 4.2.1.9: no pathLenConstraint without cA and, where there is a key usage, keyCertSign.
	found.Add(c.MaxPathLen >= 0 && !(c.IsCA && (certSign || !c.HasKeyUsage)), reason.ExtensionMisplaced)
	// Section 4.2.1.10: name constraints are for authorities.
	found.Add(c.NameConstraints != nil && !c.IsCA, reason.ExtensionMisplaced)
}

// checkExtensions asks how the extensions are marked, and section 4.1.2.6: the subject of an authority is not empty, and of
// everybody else only where the alternative names, critical then, say who it is.
func checkExtensions(found *reason.Findings, c *pkix.Certificate, as role) {
	hasBasicConstraints, hasAltName, altNameCritical := false, false, false
	if c.RawExtensions != nil {
		_ = pkix.WalkExtensions(c.RawExtensions, func(e pkix.Extension) error { // read before: no error
			found.Add(mustBeCritical[e.ID] && !e.Critical || mustNotBeCritical[e.ID] && e.Critical, reason.ExtensionCriticalityWrong)
			switch e.ID {
			case oidBasicConstraints:
				hasBasicConstraints = true
				// Section 4.2.1.9: critical in certificates of authorities.
				found.Add(c.IsCA && !e.Critical, reason.ExtensionCriticalityWrong)
			case oidSubjectAltName:
				hasAltName, altNameCritical = true, e.Critical
				// Section 4.2.1.6: one name at least.
				found.Add(len(c.SubjectAltNames) == 0, reason.SubjectAltNameUnacceptable)
			}
			return nil
		})
	}
	found.Add(as != endEntity && !hasBasicConstraints, reason.ExtensionMissing)
	found.Add(c.Subject.Empty() && (as != endEntity || c.IsCA || !hasAltName || !altNameCritical), reason.SubjectMissing)
}

// wellFormed: section 4.2.1.6.
func wellFormed(name pkix.GeneralName) bool {
	value := string(name.Value)
	switch name.Kind {
	case pkix.DNSName:
		n, ok := pkix.ParseDomainName(value)
		return ok && pkix.IsHostname(n.Domain) && value[len(value)-1] != '.'
	case pkix.RFC822Name:
		_, ok := pkix.ParseMailbox(value)
		return ok
	case pkix.IPAddress:
		return len(value) == 4 || len(value) == 16
	case pkix.URIName:
		rest, absolute := pkix.CutScheme(value)
		return absolute && rest != ""
	case pkix.DirectoryName:
		return !pkix.Name(name.Value).Empty()
	}
	return true
}

// validityEncoded: section 4.1.2.5: UTCTime through 2049, GeneralizedTime from 2050.
func validityEncoded(c *pkix.Certificate) bool {
	s := cryptobyte.String(c.RawTBS)
	var tbs, validity cryptobyte.String
	version := asn1.Tag(0).ContextSpecific().Constructed()
	if !s.ReadASN1(&tbs, asn1.SEQUENCE) || !tbs.SkipOptionalASN1(version) || !tbs.SkipASN1(asn1.INTEGER) ||
		!tbs.SkipASN1(asn1.SEQUENCE) || !tbs.SkipASN1(asn1.SEQUENCE) || !tbs.ReadASN1(&validity, asn1.SEQUENCE) {
		return false
	}
	for _, t := range []int{c.NotBefore.Year(), c.NotAfter.Year()} {
		tag := asn1.UTCTime
		if t >= 2050 {
			tag = asn1.GeneralizedTime
		}
		if !validity.SkipASN1(tag) {
			return false
		}
	}
	return true
}
