package certs

// CheckID names a check of the explanation. The set is closed and append-only; the zero value is none.
type CheckID uint8

// The checks, in the order in which they are made.
const (
	CheckChallenge CheckID = iota + 1
	CheckVersion
	CheckSerialNumber
	CheckCriticalExtensions
	CheckBasicConstraints
	CheckIssuer
	CheckIssuerCertificate
	CheckPolicy
	CheckKind
	CheckKeyUsage
	CheckExtendedKeyUsage
	CheckDistributionPoint
	CheckValidity
	CheckCertificateAlgorithm
	CheckPublicKey
	CheckCMS
	CheckHolderAlgorithm
	CheckHolderAttributes
	CheckCertificateSignature
	CheckHolderSignature
	CheckRevocationList
	CheckOCSP
	CheckRevocationStatusFound
)

var checkTable = [...]struct{ name, spec string }{
	CheckChallenge:             {"challenge", "Tashika challenge"},
	CheckVersion:               {"version", "RFC 5280 section 4.1.2.1"},
	CheckSerialNumber:          {"serial_number", "RFC 5280 section 4.1.2.2"},
	CheckCriticalExtensions:    {"critical_extensions", "RFC 5280 section 4.2"},
	CheckBasicConstraints:      {"basic_constraints", "RFC 5280 section 4.2.1.9"},
	CheckIssuer:                {"issuer", "RFC 5280 section 6.1.3 (a)(4)"},
	CheckIssuerCertificate:     {"issuer_certificate", "RFC 5280 section 6.1.4 (k), (n)"},
	CheckPolicy:                {"certificate_policy", "RFC 5280 section 4.2.1.4"},
	CheckKind:                  {"kind", "公的個人認証法 36, 38"},
	CheckKeyUsage:              {"key_usage", "RFC 5280 section 4.2.1.3"},
	CheckExtendedKeyUsage:      {"extended_key_usage", "RFC 5280 section 4.2.1.12"},
	CheckDistributionPoint:     {"distribution_point", "RFC 5280 section 4.2.1.13"},
	CheckValidity:              {"validity", "RFC 5280 section 6.1.3 (a)(2)"},
	CheckCertificateAlgorithm:  {"certificate_algorithm", "RFC 5280 section 4.1.1.2"},
	CheckPublicKey:             {"public_key", "RFC 3279 section 2.3"},
	CheckCMS:                   {"cms", "RFC 5652 section 5.6"},
	CheckHolderAlgorithm:       {"holder_algorithm", "RFC 8017 section 8, FIPS 186-5"},
	CheckHolderAttributes:      {"holder_attributes", "JPKI certificate profile"},
	CheckCertificateSignature:  {"certificate_signature", "RFC 5280 section 6.1.3 (a)(1)"},
	CheckHolderSignature:       {"holder_signature", "RFC 8017 section 8, FIPS 186-5"},
	CheckRevocationList:        {"revocation_list", "RFC 5280 section 6.3"},
	CheckOCSP:                  {"ocsp", "RFC 6960 section 3.2"},
	CheckRevocationStatusFound: {"revocation_status", "RFC 5280 section 6.1.3 (a)(3)"},
}

// String is the name, such as "serial_number".
func (id CheckID) String() string { return checkTable[id].name }

// Spec is the rule that a check stands for.
func (id CheckID) Spec() string { return checkTable[id].spec }
