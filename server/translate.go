package server

import (
	"github.com/tashika-jp/tashika/certs"
	"github.com/tashika-jp/tashika/certs/crl"
	"github.com/tashika-jp/tashika/certs/profile"
	"github.com/tashika-jp/tashika/certs/reason"
	"github.com/tashika-jp/tashika/certs/signature"
	tashikav1 "github.com/tashika-jp/tashika/proto/tashika/v1"
	"github.com/tashika-jp/tashika/server/device"
	"github.com/tashika-jp/tashika/server/revocation"
)

// The tables between the API's values and those of the rooms behind it. Each has every value
// of both sides (translate_test.go counts them), so that a new one cannot pass as "unspecified"
// without anybody having decided so.
var (
	// From the API. What is not in a table is the zero value, which validation has refused or which means "as usual".
	uses = map[tashikav1.Use]profile.Use{
		tashikav1.Use_USE_CONVENIENCE_STORE_ISSUANCE:    profile.ConvenienceStoreIssuance,
		tashikav1.Use_USE_HEALTH_INSURANCE:              profile.HealthInsurance,
		tashikav1.Use_USE_PRIVATE_IDENTITY_VERIFICATION: profile.PrivateIdentityVerification,
	}
	methods = map[tashikav1.RevocationMethod]profile.Method{
		tashikav1.RevocationMethod_REVOCATION_METHOD_CRL:           profile.CRL,
		tashikav1.RevocationMethod_REVOCATION_METHOD_OCSP:          profile.OCSP,
		tashikav1.RevocationMethod_REVOCATION_METHOD_CRL_THEN_OCSP: profile.CRLThenOCSP,
		tashikav1.RevocationMethod_REVOCATION_METHOD_OCSP_THEN_CRL: profile.OCSPThenCRL,
	}
	algorithms = map[tashikav1.SignatureAlgorithm]signature.Algorithm{
		tashikav1.SignatureAlgorithm_SIGNATURE_ALGORITHM_RSASSA_PKCS1_V15_SHA1:   signature.PKCS1SHA1,
		tashikav1.SignatureAlgorithm_SIGNATURE_ALGORITHM_RSASSA_PKCS1_V15_SHA256: signature.PKCS1SHA256,
		tashikav1.SignatureAlgorithm_SIGNATURE_ALGORITHM_RSASSA_PKCS1_V15_SHA384: signature.PKCS1SHA384,
		tashikav1.SignatureAlgorithm_SIGNATURE_ALGORITHM_RSASSA_PKCS1_V15_SHA512: signature.PKCS1SHA512,
		tashikav1.SignatureAlgorithm_SIGNATURE_ALGORITHM_RSASSA_PSS_SHA256:       signature.PSSSHA256,
		tashikav1.SignatureAlgorithm_SIGNATURE_ALGORITHM_RSASSA_PSS_SHA384:       signature.PSSSHA384,
		tashikav1.SignatureAlgorithm_SIGNATURE_ALGORITHM_RSASSA_PSS_SHA512:       signature.PSSSHA512,
		tashikav1.SignatureAlgorithm_SIGNATURE_ALGORITHM_ECDSA_SHA256:            signature.ECDSASHA256,
		tashikav1.SignatureAlgorithm_SIGNATURE_ALGORITHM_ECDSA_SHA384:            signature.ECDSASHA384,
		tashikav1.SignatureAlgorithm_SIGNATURE_ALGORITHM_ECDSA_SHA512:            signature.ECDSASHA512,
	}
	platforms = map[tashikav1.Platform]device.Platform{
		tashikav1.Platform_PLATFORM_ANDROID: device.Android,
		tashikav1.Platform_PLATFORM_IOS:     device.IOS,
	}

	// To the API.
	methodViews = map[profile.Method]tashikav1.RevocationMethod{
		profile.CRL:         tashikav1.RevocationMethod_REVOCATION_METHOD_CRL,
		profile.OCSP:        tashikav1.RevocationMethod_REVOCATION_METHOD_OCSP,
		profile.CRLThenOCSP: tashikav1.RevocationMethod_REVOCATION_METHOD_CRL_THEN_OCSP,
		profile.OCSPThenCRL: tashikav1.RevocationMethod_REVOCATION_METHOD_OCSP_THEN_CRL,
	}
	conclusions = map[certs.Conclusion]tashikav1.Verdict{
		certs.Valid:         tashikav1.Verdict_VERDICT_VALID,
		certs.Invalid:       tashikav1.Verdict_VERDICT_INVALID,
		certs.Indeterminate: tashikav1.Verdict_VERDICT_INDETERMINATE,
	}
	severities = map[reason.Severity]tashikav1.Severity{
		reason.Warning:       tashikav1.Severity_SEVERITY_WARNING,
		reason.Indeterminate: tashikav1.Severity_SEVERITY_INDETERMINATE,
		reason.Invalid:       tashikav1.Severity_SEVERITY_INVALID,
	}
	statuses = map[certs.Status]tashikav1.CertificateStatus{
		certs.Unknown: tashikav1.CertificateStatus_CERTIFICATE_STATUS_UNKNOWN,
		certs.Good:    tashikav1.CertificateStatus_CERTIFICATE_STATUS_GOOD,
		certs.OnHold:  tashikav1.CertificateStatus_CERTIFICATE_STATUS_ON_HOLD,
		certs.Revoked: tashikav1.CertificateStatus_CERTIFICATE_STATUS_REVOKED,
	}
	// removeFromCRL (8) is no state of a certificate: lists that have it are refused (package crl).
	revocationReasons = map[crl.Reason]tashikav1.RevocationReason{
		crl.Unspecified:          tashikav1.RevocationReason_REVOCATION_REASON_UNSPECIFIED,
		crl.KeyCompromise:        tashikav1.RevocationReason_REVOCATION_REASON_KEY_COMPROMISE,
		crl.CACompromise:         tashikav1.RevocationReason_REVOCATION_REASON_CA_COMPROMISE,
		crl.AffiliationChanged:   tashikav1.RevocationReason_REVOCATION_REASON_AFFILIATION_CHANGED,
		crl.Superseded:           tashikav1.RevocationReason_REVOCATION_REASON_SUPERSEDED,
		crl.CessationOfOperation: tashikav1.RevocationReason_REVOCATION_REASON_CESSATION_OF_OPERATION,
		crl.CertificateHold:      tashikav1.RevocationReason_REVOCATION_REASON_CERTIFICATE_HOLD,
		crl.PrivilegeWithdrawn:   tashikav1.RevocationReason_REVOCATION_REASON_PRIVILEGE_WITHDRAWN,
		crl.AACompromise:         tashikav1.RevocationReason_REVOCATION_REASON_AA_COMPROMISE,
	}
	outcomes = map[certs.Outcome]tashikav1.Outcome{
		certs.Passed:    tashikav1.Outcome_OUTCOME_PASSED,
		certs.Failed:    tashikav1.Outcome_OUTCOME_FAILED,
		certs.Undecided: tashikav1.Outcome_OUTCOME_INDETERMINATE,
		certs.Skipped:   tashikav1.Outcome_OUTCOME_SKIPPED,
	}
	nextSteps = map[certs.NextStep]tashikav1.NextStep{
		certs.Proceed:                 tashikav1.NextStep_NEXT_STEP_PROCEED,
		certs.AskForCard:              tashikav1.NextStep_NEXT_STEP_ASK_FOR_CARD,
		certs.CallMyNumberLine:        tashikav1.NextStep_NEXT_STEP_CALL_MY_NUMBER_LINE,
		certs.LiftStopInApp:           tashikav1.NextStep_NEXT_STEP_LIFT_STOP_IN_APP,
		certs.ApplyAgainInApp:         tashikav1.NextStep_NEXT_STEP_APPLY_AGAIN_IN_APP,
		certs.TryLater:                tashikav1.NextStep_NEXT_STEP_TRY_LATER,
		certs.SignAgain:               tashikav1.NextStep_NEXT_STEP_SIGN_AGAIN,
		certs.PresentOtherCertificate: tashikav1.NextStep_NEXT_STEP_PRESENT_OTHER_CERTIFICATE,
		certs.RefuseAndReport:         tashikav1.NextStep_NEXT_STEP_REFUSE_AND_REPORT,
	}
	kinds = map[profile.Kind]tashikav1.CertificateKind{
		profile.CardSign:   tashikav1.CertificateKind_CERTIFICATE_KIND_CARD_SIGN,
		profile.CardAuth:   tashikav1.CertificateKind_CERTIFICATE_KIND_CARD_AUTH,
		profile.MobileSign: tashikav1.CertificateKind_CERTIFICATE_KIND_MOBILE_SIGN,
		profile.MobileAuth: tashikav1.CertificateKind_CERTIFICATE_KIND_MOBILE_AUTH,
	}
	eras = map[certs.Era]tashikav1.Era{
		certs.Meiji:  tashikav1.Era_ERA_MEIJI,
		certs.Taisho: tashikav1.Era_ERA_TAISHO,
		certs.Showa:  tashikav1.Era_ERA_SHOWA,
		certs.Heisei: tashikav1.Era_ERA_HEISEI,
		certs.Reiwa:  tashikav1.Era_ERA_REIWA,
	}
	genders = map[string]tashikav1.Gender{ // by code; others are kept as recorded
		"1": tashikav1.Gender_GENDER_MALE,
		"2": tashikav1.Gender_GENDER_FEMALE,
	}
	sourceStates = map[revocation.State]tashikav1.RevocationSource_State{
		revocation.Fresh:    tashikav1.RevocationSource_STATE_FRESH,
		revocation.Stale:    tashikav1.RevocationSource_STATE_STALE,
		revocation.Missing:  tashikav1.RevocationSource_STATE_MISSING,
		revocation.OnDemand: tashikav1.RevocationSource_STATE_ON_DEMAND,
	}
	platformViews = map[device.Platform]tashikav1.Platform{
		device.Android: tashikav1.Platform_PLATFORM_ANDROID,
		device.IOS:     tashikav1.Platform_PLATFORM_IOS,
	}
	supports = map[device.Support]tashikav1.Support{
		device.Supported:   tashikav1.Support_SUPPORT_SUPPORTED,
		device.Unsupported: tashikav1.Support_SUPPORT_UNSUPPORTED,
		device.NotListed:   tashikav1.Support_SUPPORT_NOT_LISTED,
	}
)
