package client

import (
	"time"

	tashikav1 "github.com/tashika-jp/tashika/proto/tashika/v1"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// The generated getters answer for nil messages, so what is missing becomes a zero value.

// judgement is what the responses of Verify and CheckStatus have in common.
type judgement interface {
	GetVerdict() tashikav1.Verdict
	GetReasons() []*tashikav1.Reason
	GetGuidance() *tashikav1.Guidance
	GetCertificate() *tashikav1.Certificate
	GetStatus() *tashikav1.RevocationStatus
	GetChecks() []*tashikav1.Check
	GetVerifyTime() *timestamppb.Timestamp
	GetProfile() string
}

func newResult(j judgement) *Result {
	s := j.GetStatus()
	return &Result{
		Verdict: enum[Verdict](j.GetVerdict()),
		Reasons: each(j.GetReasons(), func(r *tashikav1.Reason) Reason {
			return Reason{r.GetId(), enum[Severity](r.GetSeverity()), r.GetSpecReference(), r.GetSubIndication(), newText(r.GetText())}
		}),
		Guidance: Guidance{
			Text:      newText(j.GetGuidance().GetText()),
			NextSteps: each(j.GetGuidance().GetNextSteps(), func(n tashikav1.NextStep) NextStep { return enum[NextStep](n) }),
			Telephone: j.GetGuidance().GetTelephone(),
		},
		Certificate: newCertificate(j.GetCertificate()),
		Status: RevocationStatus{
			Status:         enum[Status](s.GetStatus()),
			Reason:         enum[RevocationReason](s.GetReason()),
			RevocationTime: at(s.GetRevocationTime()),
			Method:         enum[RevocationMethod](s.GetMethod()),
			SourceTime:     at(s.GetSourceTime()),
			NextUpdate:     at(s.GetNextUpdate()),
			Age:            span(s.GetAge()),
			CRLNumber:      s.GetCrlNumber(),
			Source:         s.GetSource(),
			Fallback:       s.GetFallback(),
		},
		Checks: each(j.GetChecks(), func(c *tashikav1.Check) Check {
			return Check{c.GetId(), enum[Outcome](c.GetOutcome()), c.GetReasonIds(), c.GetSpecReference()}
		}),
		VerifyTime: at(j.GetVerifyTime()),
		Profile:    j.GetProfile(),
	}
}

func newCertificate(c *tashikav1.Certificate) Certificate {
	return Certificate{
		Kind:        enum[Kind](c.GetKind()),
		NotBefore:   at(c.GetNotBefore()),
		NotAfter:    at(c.GetNotAfter()),
		Partition:   c.GetPartition(),
		Fingerprint: c.GetFingerprint(),
		Issuer:      c.GetIssuer(),
		IssuerKeyID: c.GetIssuerKeyId(),
	}
}

func newHolderAttributes(h *tashikav1.HolderAttributes) *HolderAttributes {
	if h == nil {
		return nil
	}
	d := h.GetDateOfBirth()
	return &HolderAttributes{
		CommonName:  SubstitutedText{h.GetCommonName().GetText(), h.GetCommonName().GetSubstitutePositions()},
		Address:     SubstitutedText{h.GetAddress().GetText(), h.GetAddress().GetSubstitutePositions()},
		DateOfBirth: DateOfBirth{d.GetYear(), d.GetMonth(), d.GetDay(), enum[Era](d.GetEra()), d.GetEraYear(), d.GetRecorded()},
		Gender:      enum[Gender](h.GetGender()),
		GenderCode:  h.GetGenderCode(),
	}
}

func newText(t *tashikav1.LocalizedText) Text { return Text{t.GetJa(), t.GetEn()} }

// each converts a list; an empty one becomes nil.
func each[P, T any](list []P, convert func(P) T) []T {
	var out []T
	for _, p := range list {
		out = append(out, convert(p))
	}
	return out
}

// at is the zero time for a timestamp that is missing, which AsTime would make 1970.
func at(t *timestamppb.Timestamp) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.AsTime()
}

func span(d *durationpb.Duration) time.Duration { return d.AsDuration() }
