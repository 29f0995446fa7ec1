package certs

import (
	"slices"

	"github.com/tashika-jp/tashika/certs/profile"
	"github.com/tashika-jp/tashika/certs/reason"
)

// NextStep is what the relying party, or the person at its counter, does next. The zero
// value is none.
type NextStep uint8

// The next steps.
const (
	Proceed NextStep = iota + 1
	AskForCard
	CallMyNumberLine
	LiftStopInApp
	ApplyAgainInApp
	TryLater
	SignAgain
	PresentOtherCertificate
	RefuseAndReport
)

// MyNumberLine is マイナンバー総合フリーダイヤル, where a loss is reported day and night.
const MyNumberLine = "0120-95-0178"

// Guidance is what to tell the person at the counter and what to do next.
type Guidance struct {
	JA, EN    string
	NextSteps []NextStep // the first to be tried first
	Telephone string
}

var (
	guideProceed = Guidance{"確認できました。手続きを続けてください。",
		"Verified. Please go on.", []NextStep{Proceed}, ""}
	guideSuspicious = Guidance{"この証明書は受け付けられません。手続きを中止し、管理者に連絡してください。",
		"This certificate cannot be accepted. Stop, and tell your operator.", []NextStep{RefuseAndReport, AskForCard}, ""}
	guideTerminal = Guidance{"端末の設定に問題があります。管理者に連絡してください。マイナンバーカードでの手続きをご案内ください。",
		"The terminal is not set up rightly. Tell your operator, and ask for the My Number card.", []NextStep{RefuseAndReport, AskForCard}, ""}
	guideSignAgain = Guidance{"もう一度スマートフォンで操作をお願いします。",
		"Please do it on the phone once more.", []NextStep{SignAgain, AskForCard}, ""}
	guideWrongKind = Guidance{"この手続きには別の種類の証明書が必要です。スマートフォンで正しい証明書を選んでください。",
		"This needs the other certificate. Please choose the right one on the phone.", []NextStep{PresentOtherCertificate, AskForCard}, ""}
	guideHeldReleasable = Guidance{"スマートフォンの証明書は一時停止中です。マイナポータルアプリで停止を解除するか、マイナンバーカードをご利用ください。お困りの場合はマイナンバー総合フリーダイヤルへお電話ください。",
		"The phone's certificate is on hold. Lift the stop in the Mynaportal app, or use the My Number card. For help call the My Number line.",
		[]NextStep{LiftStopInApp, AskForCard, CallMyNumberLine}, MyNumberLine}
	guideHeldForGood = Guidance{"署名用の証明書は一時停止されており、再開できません。マイナポータルアプリで新しい証明書を申請するか、マイナンバーカードをご利用ください。",
		"The certificate was put on hold and cannot be used again. Apply for a new one in the Mynaportal app, or use the My Number card.",
		[]NextStep{ApplyAgainInApp, AskForCard, CallMyNumberLine}, MyNumberLine}
	guideRevoked = Guidance{"スマートフォンの証明書は失効しています。マイナンバーカードをご利用いただくか、マイナポータルアプリで新しい証明書を申請してください。",
		"The phone's certificate has been revoked. Use the My Number card, or apply for a new one in the Mynaportal app.",
		[]NextStep{AskForCard, ApplyAgainInApp, CallMyNumberLine}, MyNumberLine}
	guideExpired = Guidance{"スマートフォンの証明書の有効期限が切れています。マイナポータルアプリで新しい証明書を申請するか、マイナンバーカードをご利用ください。",
		"The phone's certificate has expired. Apply for a new one in the Mynaportal app, or use the My Number card.",
		[]NextStep{ApplyAgainInApp, AskForCard}, ""}
	guideTryLater = Guidance{"ただいま証明書の状態を確認できません。しばらくしてからもう一度お試しいただくか、マイナンバーカードをご利用ください。",
		"The certificate's status cannot be confirmed right now. Try again later, or use the My Number card.",
		[]NextStep{TryLater, AskForCard}, ""}
)

// guides says which guidance a reason leads to, the one that decides first: what hints at a
// forgery or a wrong terminal before what the holder can mend.
var guides = []struct {
	ids   []reason.ID
	guide *Guidance
}{
	{[]reason.ID{reason.ChallengeWrongRelyingParty, reason.CertificateSignatureInvalid, reason.NoCertificateChainFound}, &guideSuspicious},
	{[]reason.ID{reason.CryptoConstraintsFailure, reason.AlgorithmKeyMismatch, reason.ChallengeWrongUse, reason.CMSAttributesUnacceptable}, &guideTerminal},
	{[]reason.ID{reason.ChallengeReplayed, reason.ChallengeExpired, reason.ChallengeUnknown}, &guideSignAgain},
	{[]reason.ID{reason.WrongKind}, &guideWrongKind},
	{[]reason.ID{reason.Revoked}, &guideRevoked},
	{[]reason.ID{reason.Expired}, &guideExpired},
	// Whatever was signed, it is not what was presented: the remedy is the same for a mix-up, and an attacker gains nothing by it.
	{[]reason.ID{reason.SigCryptoFailure, reason.CMSMessageDigestMismatch, reason.CMSContentMismatch}, &guideSignAgain},
}

// guide chooses the guidance for a verdict.
func guide(v *Verdict) Guidance {
	switch v.Conclusion {
	case Valid:
		return guideProceed
	case Indeterminate:
		return guideTryLater
	}
	for _, g := range guides {
		if slices.ContainsFunc(v.Reasons, func(id reason.ID) bool { return slices.Contains(g.ids, id) }) {
			return *g.guide
		}
	}
	if slices.Contains(v.Reasons, reason.OnHold) {
		// A hold is released for the phone's certificate for user authentication only.
		if v.Kind == profile.MobileAuth {
			return guideHeldReleasable
		}
		return guideHeldForGood
	}
	return guideSuspicious
}
