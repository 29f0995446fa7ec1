package certs

// CheckID names a check of the explanation. The set is closed and append-only.
type CheckID string

// The checks, in the order in which they are made.
const (
	CheckChallenge             CheckID = "challenge"
	CheckVersion               CheckID = "version"
	CheckSerialNumber          CheckID = "serial_number"
	CheckCriticalExtensions    CheckID = "critical_extensions"
	CheckBasicConstraints      CheckID = "basic_constraints"
	CheckIssuer                CheckID = "issuer"
	CheckIssuerCertificate     CheckID = "issuer_certificate"
	CheckPolicy                CheckID = "certificate_policy"
	CheckKind                  CheckID = "kind"
	CheckKeyUsage              CheckID = "key_usage"
	CheckExtendedKeyUsage      CheckID = "extended_key_usage"
	CheckDistributionPoint     CheckID = "distribution_point"
	CheckValidity              CheckID = "validity"
	CheckCertificateAlgorithm  CheckID = "certificate_algorithm"
	CheckPublicKey             CheckID = "public_key"
	CheckCMS                   CheckID = "cms"
	CheckHolderAlgorithm       CheckID = "holder_algorithm"
	CheckHolderAttributes      CheckID = "holder_attributes"
	CheckCertificateSignature  CheckID = "certificate_signature"
	CheckHolderSignature       CheckID = "holder_signature"
	CheckRevocationList        CheckID = "revocation_list"
	CheckOCSP                  CheckID = "ocsp"
	CheckRevocationStatusFound CheckID = "revocation_status"
)

// allChecks are all of them, in that order.
var allChecks = []CheckID{
	CheckChallenge, CheckVersion, CheckSerialNumber, CheckCriticalExtensions, CheckBasicConstraints, CheckIssuer,
	CheckIssuerCertificate, CheckPolicy, CheckKind, CheckKeyUsage, CheckExtendedKeyUsage, CheckDistributionPoint, CheckValidity,
	CheckCertificateAlgorithm, CheckPublicKey, CheckCMS, CheckHolderAlgorithm, CheckHolderAttributes, CheckCertificateSignature,
	CheckHolderSignature, CheckRevocationList, CheckOCSP, CheckRevocationStatusFound,
}

// Spec is the rule that a check stands for; empty for an id that is none.
func (id CheckID) Spec() string { return checkSpecs[id] }

var checkSpecs = map[CheckID]string{
	CheckChallenge:             "Tashika challenge",
	CheckVersion:               "RFC 5280 section 4.1.2.1",
	CheckSerialNumber:          "RFC 5280 section 4.1.2.2",
	CheckCriticalExtensions:    "RFC 5280 section 4.2",
	CheckBasicConstraints:      "RFC 5280 section 4.2.1.9",
	CheckIssuer:                "RFC 5280 section 6.1.3 (a)(4)",
	CheckIssuerCertificate:     "RFC 5280 section 6.1.4 (k), (n)",
	CheckPolicy:                "RFC 5280 section 4.2.1.4",
	CheckKind:                  "公的個人認証法 36, 38",
	CheckKeyUsage:              "RFC 5280 section 4.2.1.3",
	CheckExtendedKeyUsage:      "RFC 5280 section 4.2.1.12",
	CheckDistributionPoint:     "RFC 5280 section 4.2.1.13",
	CheckValidity:              "RFC 5280 section 6.1.3 (a)(2)",
	CheckCertificateAlgorithm:  "RFC 5280 section 4.1.1.2",
	CheckPublicKey:             "RFC 3279 section 2.3",
	CheckCMS:                   "RFC 5652 section 5.6",
	CheckHolderAlgorithm:       "RFC 8017 section 8, FIPS 186-5",
	CheckHolderAttributes:      "JPKI certificate profile",
	CheckCertificateSignature:  "RFC 5280 section 6.1.3 (a)(1)",
	CheckHolderSignature:       "RFC 8017 section 8, FIPS 186-5",
	CheckRevocationList:        "RFC 5280 section 6.3",
	CheckOCSP:                  "RFC 6960 section 3.2",
	CheckRevocationStatusFound: "RFC 5280 section 6.1.3 (a)(3)",
}
