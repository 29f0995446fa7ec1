package client

import (
	"fmt"
	"strconv"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// The enumerations carry the numbers of the API, and what they have in common is here:
// String is the name without its type's prefix ("ON_HOLD"), for people; MarshalText is the
// API's whole name ("CERTIFICATE_STATUS_ON_HOLD"), so that JSON is the API's; UnmarshalText,
// on those that stand in requests, reads either, and "on-hold" too, for flags and files.

// enum converts a value of the API. One that this version does not know becomes the zero
// value, which never means anything good.
func enum[E ~int32](p protoreflect.Enum) E {
	if p.Descriptor().Values().ByNumber(p.Number()) == nil {
		return 0
	}
	return E(p.Number())
}

func fullName(p protoreflect.Enum) string {
	if v := p.Descriptor().Values().ByNumber(p.Number()); v != nil {
		return string(v.Name())
	}
	return strconv.Itoa(int(p.Number()))
}

func shortName(p protoreflect.Enum) string {
	zero := string(p.Descriptor().Values().ByNumber(0).Name()) // AIP-126: PREFIX_UNSPECIFIED
	return strings.TrimPrefix(fullName(p), strings.TrimSuffix(zero, "UNSPECIFIED"))
}

func marshalName(p protoreflect.Enum) ([]byte, error) { return []byte(fullName(p)), nil }

func parseName[E ~int32](into *E, p protoreflect.Enum, text []byte) error {
	name := strings.ToUpper(strings.ReplaceAll(string(text), "-", "_"))
	var known []string
	for n := range p.Descriptor().Values().Len() {
		if n == 0 { // nobody asks for nothing
			continue
		}
		v := p.Descriptor().Values().Get(n)
		short := shortName(p.Type().New(v.Number()))
		if name == short || name == string(v.Name()) {
			*into = E(v.Number())
			return nil
		}
		known = append(known, strings.ToLower(strings.ReplaceAll(short, "_", "-")))
	}
	return fmt.Errorf("%q is not known; known are %s", text, strings.Join(known, ", "))
}

// Use is what a certificate is verified for. It selects the server's profile.
type Use int32

// The uses.
const (
	UseConvenienceStoreIssuance    Use = iota + 1 // コンビニ交付
	UseHealthInsurance                            // 健康保険証 (オンライン資格確認)
	UsePrivateIdentityVerification                // 民間の本人確認
)

// Verdict is the conclusion. The zero value is none, or one that this version does not know.
type Verdict int32

// The verdicts.
const (
	Valid         Verdict = iota + 1 // every check passed, on fresh evidence
	Invalid                          // must not be relied on: forged, revoked, on hold, expired …
	Indeterminate                    // not decided and not to be relied on; perhaps later
)

// Severity is what a reason does to the verdict; the greater, the graver.
type Severity int32

// The severities.
const (
	SeverityWarning Severity = iota + 1
	SeverityIndeterminate
	SeverityInvalid
)

// NextStep is what the relying party, or the person at its counter, does next.
type NextStep int32

// The next steps.
const (
	StepProceed                 NextStep = iota + 1 // go on
	StepAskForCard                                  // ask for the My Number card itself
	StepCallMyNumberLine                            // the holder calls the My Number line
	StepLiftStopInApp                               // the holder lifts the stop in the マイナポータル app
	StepApplyAgainInApp                             // the holder applies for a new certificate in the app
	StepTryLater                                    // the evidence is not at hand now
	StepSignAgain                                   // a new challenge, or the content once more
	StepPresentOtherCertificate                     // the phone's other certificate is the one for this use
	StepRefuseAndReport                             // stop, and tell the operator
)

// Outcome is what came of one check.
type Outcome int32

// The outcomes.
const (
	OutcomePassed Outcome = iota + 1
	OutcomeFailed
	OutcomeIndeterminate
	OutcomeSkipped
)

// Kind is which of JPKI's certificates one is.
type Kind int32

// The kinds.
const (
	KindCardSign   Kind = iota + 1 // 個人番号カード用署名用
	KindCardAuth                   // 個人番号カード用利用者証明用
	KindMobileSign                 // 移動端末設備用署名用
	KindMobileAuth                 // 移動端末設備用利用者証明用
)

// Status is the state of a certificate at its issuer. The zero value is none, or one that
// this version does not know; like Unknown it must never be taken for Good.
type Status int32

// The statuses.
const (
	Good    Status = iota + 1
	OnHold         // 一時停止; a MOBILE_AUTH certificate may become good again
	Revoked        // 失効
	Unknown        // no evidence that is fresh, authentic and in scope
)

// RevocationReason is the CRLReason of RFC 5280 section 5.3.1. The zero value is none given.
type RevocationReason int32

// The revocation reasons, with their numbers in RFC 5280.
const (
	ReasonKeyCompromise        RevocationReason = 1
	ReasonCACompromise         RevocationReason = 2
	ReasonAffiliationChanged   RevocationReason = 3
	ReasonSuperseded           RevocationReason = 4
	ReasonCessationOfOperation RevocationReason = 5
	ReasonCertificateHold      RevocationReason = 6
	ReasonPrivilegeWithdrawn   RevocationReason = 9
	ReasonAACompromise         RevocationReason = 10
)

// RevocationMethod is how a status is found. In a request, the zero value means as the
// profile of the use says.
type RevocationMethod int32

// The revocation methods.
const (
	MethodCRL RevocationMethod = iota + 1
	MethodOCSP
	MethodCRLThenOCSP
	MethodOCSPThenCRL
)

// SignatureAlgorithm is the algorithm of the holder's signature.
type SignatureAlgorithm int32

// The signature algorithms.
const (
	PKCS1SHA256 SignatureAlgorithm = iota + 1 // RSASSA-PKCS1-v1_5: what phones do today
	PKCS1SHA384
	PKCS1SHA512
	PSSSHA256 // RSASSA-PSS, MGF1 and salt of the same hash
	PSSSHA384
	PSSSHA512
	ECDSASHA256 // signature as DER ECDSA-Sig-Value
	ECDSASHA384
	ECDSASHA512
	PKCS1SHA1 // refused by every server; named so that the refusal can be explained
)

// SourceState is the state of a revocation source.
type SourceState int32

// The states of a source.
const (
	SourceFresh SourceState = iota + 1
	SourceStale
	SourceMissing
	SourceOnDemand // an OCSP responder, asked when needed
)

// Platform of a handset.
type Platform int32

// The platforms.
const (
	PlatformAndroid Platform = iota + 1
	PlatformIOS
)

// Support is what the list says of a handset.
type Support int32

// The answers about a handset.
const (
	DeviceSupported Support = iota + 1
	DeviceUnsupported
	DeviceNotListed // not a "no": the list may be incomplete
)

// Gender as JPKI records it. The zero value is not recorded, not applicable, or a code that
// is not known.
type Gender int32

// The genders.
const (
	GenderMale Gender = iota + 1
	GenderFemale
)

// Era is a Japanese era. The zero value is not recorded.
type Era int32

// The eras.
const (
	EraMeiji Era = iota + 1
	EraTaisho
	EraShowa
	EraHeisei
	EraReiwa
)
