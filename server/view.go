package server

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"sync"
	"time"

	"github.com/tashika-jp/tashika/certs"
	"github.com/tashika-jp/tashika/certs/pkix"
	"github.com/tashika-jp/tashika/certs/profile"
	"github.com/tashika-jp/tashika/certs/reason"
	tashikav1 "github.com/tashika-jp/tashika/proto/tashika/v1"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// at is a time of the API, nil where there is none.
func at(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

// fingerprintLabel keeps the key's other uses, if there ever are any, apart.
const fingerprintLabel = "tashika/fingerprint/v1"

// fingerprint names a certificate to one relying party: what two of them keep cannot be joined, and the
// serial number, which the law restricts, cannot be found from it without the key.
func (c *call) fingerprint(der []byte) string {
	f := c.state.fingerprinters.Get().(*fingerprinter)
	defer c.state.fingerprinters.Put(f)
	f.b = f.b[:0]
	for _, part := range [...]string{fingerprintLabel, c.party.name} {
		f.b = append(append(f.b, part...), 0)
	}
	f.mac.Reset()
	f.mac.Write(f.b)
	f.mac.Write(der)
	f.b = f.mac.Sum(f.b[:0])
	f.b = hex.AppendEncode(f.b, f.b)
	return string(f.b[sha256.Size:])
}

// fingerprinter is the working space of one fingerprint: the state of a key is dear to make, cheap to reset.
type fingerprinter struct {
	mac hash.Hash
	b   []byte
}

// newFingerprinters makes them for a key.
func newFingerprinters(key []byte) *sync.Pool {
	return &sync.Pool{New: func() any { return &fingerprinter{mac: hmac.New(sha256.New, key)} }}
}

// certificateView is what an answer says of a certificate: never its serial number or subject.
func certificateView(x *pkix.Certificate, kind profile.Kind, c *call) *tashikav1.Certificate {
	return &tashikav1.Certificate{
		Kind: kinds[kind], NotBefore: timestamppb.New(x.NotBefore), NotAfter: timestamppb.New(x.NotAfter),
		Partition: certs.Partition(x), Fingerprint: c.fingerprint(x.Raw),
		Issuer: x.Issuer.String(), IssuerKeyId: hex.EncodeToString(x.AuthorityKeyID),
	}
}

func reasonViews(ids []reason.ID) []*tashikav1.Reason {
	out := make([]*tashikav1.Reason, len(ids))
	for i, id := range ids {
		r := reason.Get(id)
		out[i] = &tashikav1.Reason{
			Id: string(id), Severity: severities[r.Severity], SpecReference: r.Spec, SubIndication: r.SubIndication,
			Text: &tashikav1.LocalizedText{Ja: r.JA, En: r.EN},
		}
	}
	return out
}

func guidanceView(g certs.Guidance) *tashikav1.Guidance {
	out := &tashikav1.Guidance{Text: &tashikav1.LocalizedText{Ja: g.JA, En: g.EN}, Telephone: g.Telephone}
	for _, step := range g.NextSteps {
		out.NextSteps = append(out.NextSteps, nextSteps[step])
	}
	return out
}

func checkViews(checks []certs.Check) []*tashikav1.Check {
	views, out := make([]tashikav1.Check, len(checks)), make([]*tashikav1.Check, len(checks))
	for i, c := range checks {
		view := &views[i]
		view.Id, view.Outcome, view.SpecReference = c.ID.String(), outcomes[c.Outcome], c.ID.Spec()
		for _, id := range c.Reasons {
			view.ReasonIds = append(view.ReasonIds, string(id))
		}
		out[i] = view
	}
	return out
}

func statusView(e certs.Evidence, now time.Time) *tashikav1.RevocationStatus {
	out := &tashikav1.RevocationStatus{
		Status: statuses[e.Status], Reason: revocationReasons[e.Reason], RevocationTime: at(e.RevocationTime),
		Method: methodViews[e.Method], SourceTime: at(e.ThisUpdate), NextUpdate: at(e.NextUpdate),
		CrlNumber: e.CRLNumber, Source: e.Source, Fallback: e.Fallback,
	}
	if out.SourceTime != nil {
		out.Age = durationpb.New(e.Age(now))
	}
	return out
}

func attributesView(a *certs.HolderAttributes) *tashikav1.HolderAttributes {
	if a == nil {
		return nil
	}
	born := a.DateOfBirth
	return &tashikav1.HolderAttributes{
		CommonName: textView(a.CommonName), Address: textView(a.Address),
		DateOfBirth: &tashikav1.DateOfBirth{
			Year: int32(born.Year), Month: int32(born.Month), Day: int32(born.Day),
			Era: eras[born.Era], EraYear: int32(born.EraYear), Recorded: born.Recorded,
		},
		Gender: genders[a.GenderCode], GenderCode: a.GenderCode,
	}
}

func textView(t certs.SubstitutedText) *tashikav1.SubstitutedText {
	out := &tashikav1.SubstitutedText{Text: t.Text}
	for _, i := range t.Substitutes {
		out.SubstitutePositions = append(out.SubstitutePositions, int32(i))
	}
	return out
}
