package certs_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tashika-jp/tashika/certs"
	"github.com/tashika-jp/tashika/certs/crl"
	"github.com/tashika-jp/tashika/certs/pkix"
	"github.com/tashika-jp/tashika/certs/profile"
	"github.com/tashika-jp/tashika/certs/reason"
	"github.com/tashika-jp/tashika/certs/sandbox"
	"github.com/tashika-jp/tashika/certs/signature"
)

// expect compares conclusion, status and the whole list of reasons.
func expect(t *testing.T, name string, v *certs.Verdict, conclusion certs.Conclusion, status certs.Status, ids ...reason.ID) {
	t.Helper()
	got := slices.Clone(v.Reasons)
	slices.Sort(got)
	slices.Sort(ids)
	if v.Conclusion != conclusion || v.Evidence.Status != status || !slices.Equal(got, ids) {
		t.Errorf("%s: conclusion %d, status %d, reasons %v; want %d, %d, %v", name, v.Conclusion, v.Evidence.Status, got, conclusion, status, ids)
	}
	if v.Conclusion != certs.Valid && v.Attributes != nil {
		t.Errorf("%s: attributes with a verdict that is not VALID", name)
	}
	if v.Guidance.JA == "" || v.Guidance.EN == "" || len(v.Guidance.NextSteps) == 0 || len(v.Checks) == 0 {
		t.Errorf("%s: no guidance or no explanation", name)
	}
	seen := map[certs.CheckID]bool{}
	for _, check := range v.Checks {
		if seen[check.ID] {
			t.Errorf("%s: check %s is told twice", name, check.ID)
		}
		seen[check.ID] = true
		if check.ID.Spec() == "" || check.Outcome == 0 {
			t.Errorf("%s: check %q has no rule or no outcome", name, check.ID)
		}
	}
}

// TestEveryCheckIsTold: the explanation has all the checks, made or skipped, whatever came of them.
func TestEveryCheckIsTold(t *testing.T) {
	w := newWorld(t)
	p := w.presented(w.issue(sandbox.IssueOptions{}), kyc)
	p.Method = profile.OCSPThenCRL
	all := len(w.verify(p, kyc).Checks)
	wrong := p
	wrong.Signature = &certs.Signature{Value: []byte{1}, Algorithm: signature.PKCS1SHA256, Message: []byte("m")}
	foreign := p
	impostor, err := w.Impostor(false)
	if err != nil {
		t.Fatal(err)
	}
	fake, err := impostor.Issue(sandbox.HolderN(501), sandbox.IssueOptions{})
	if err != nil {
		t.Fatal(err)
	}
	foreign.Certificate = w.parse(fake.Certificate(sandbox.Sign).DER)
	for name, p := range map[string]certs.Presented{"wrong signature": wrong, "foreign": foreign} {
		if v := w.verify(p, kyc); len(v.Checks) != all || all < 20 {
			t.Errorf("%s: %d checks are told of %d", name, len(v.Checks), all)
		}
	}
}

const (
	kiosk  = profile.ConvenienceStoreIssuance
	clinic = profile.HealthInsurance
	kyc    = profile.PrivateIdentityVerification
)

// methods that every status is looked up by.
var methods = []profile.Method{profile.CRL, profile.OCSP, profile.CRLThenOCSP, profile.OCSPThenCRL}

// TestLife plays the life of a smartphone certificate (section 5 of the facts) and looks at each
// state through every method.
func TestLife(t *testing.T) {
	w := newWorld(t)
	phone := w.issue(sandbox.IssueOptions{})
	see := func(name string, p certs.Presented, use profile.Use, conclusion certs.Conclusion, status certs.Status, why crl.Reason, ids ...reason.ID) {
		t.Helper()
		for _, method := range methods {
			p.Method = method
			v := w.verify(p, use)
			expect(t, name+" by "+method.String(), v, conclusion, status, ids...)
			if v.Evidence.Reason != why || (status != certs.Good) == v.Evidence.RevocationTime.IsZero() {
				t.Errorf("%s by %s: reason %s at %v", name, method, v.Evidence.Reason, v.Evidence.RevocationTime)
			}
			if v.Evidence.Method != method.Steps()[0] || v.Evidence.Source == "" || v.Evidence.ThisUpdate.IsZero() {
				t.Errorf("%s by %s: evidence %+v", name, method, v.Evidence)
			}
		}
	}
	auth, sign := w.presented(phone, kiosk), w.presented(phone, kyc)
	see("new", auth, kiosk, certs.Valid, certs.Good, 0)
	see("new", auth, clinic, certs.Valid, certs.Good, 0)
	see("new", sign, kyc, certs.Valid, certs.Good, 0)

	if err := w.ReportLost(phone); err != nil {
		t.Fatal(err)
	}
	see("lost", auth, clinic, certs.Invalid, certs.OnHold, crl.CertificateHold, reason.OnHold)
	see("lost", sign, kyc, certs.Invalid, certs.OnHold, crl.CertificateHold, reason.OnHold)

	if err := w.LiftStop(phone); err != nil {
		t.Fatal(err)
	}
	// A hold that is released is good again: nothing is remembered.
	see("found", auth, clinic, certs.Valid, certs.Good, 0)
	see("found, old", sign, kyc, certs.Invalid, certs.Revoked, crl.Superseded, reason.Revoked)
	see("found, new", w.presented(phone, kyc), kyc, certs.Valid, certs.Good, 0)

	sign = w.presented(phone, kyc)
	if err := w.MoveHouse(phone, "", ""); err != nil {
		if err = w.MoveHouse(phone, sandbox.Municipalities()[1].Code, ""); err != nil {
			t.Fatal(err)
		}
	}
	see("moved", auth, kiosk, certs.Valid, certs.Good, 0)
	see("moved", sign, kyc, certs.Invalid, certs.Revoked, crl.AffiliationChanged, reason.Revoked)

	if _, err := w.ChangeDevice(phone, sandbox.IssueOptions{}); err != nil {
		t.Fatal(err)
	}
	see("new device", auth, kiosk, certs.Invalid, certs.Revoked, crl.Superseded, reason.Revoked)

	other := w.issue(sandbox.IssueOptions{Generation: 1})
	auth = w.presented(other, kiosk)
	see("older generation", auth, kiosk, certs.Valid, certs.Good, 0)
	if err := w.Revoke(other, sandbox.DefaultPassword); err != nil {
		t.Fatal(err)
	}
	see("revoked in the app", auth, kiosk, certs.Invalid, certs.Revoked, crl.CessationOfOperation, reason.Revoked)
}

// TestWhatIsPresented: everything that can be wrong without any revocation.
func TestWhatIsPresented(t *testing.T) {
	w := newWorld(t)
	phone, stranger := w.issue(sandbox.IssueOptions{}), w.issue(sandbox.IssueOptions{})
	good := w.presented(phone, kiosk)

	p := w.presented(phone, kyc)
	v := w.verify(p, kiosk)
	expect(t, "signature certificate at a kiosk", v, certs.Invalid, certs.Unknown, reason.WrongKind)
	if v.Guidance.NextSteps[0] != certs.PresentOtherCertificate {
		t.Errorf("next steps %v", v.Guidance.NextSteps)
	}
	expect(t, "user authentication certificate for identity verification", w.verify(good, kyc), certs.Invalid, certs.Unknown, reason.WrongKind)

	card, err := w.IssueCard(phone.Holder(), sandbox.IssueOptions{})
	if err != nil {
		t.Fatal(err)
	}
	expect(t, "the card itself", w.verify(w.presented(card, kiosk), kiosk), certs.Invalid, certs.Unknown, reason.WrongKind)

	p = good
	p.Certificate = w.parse(stranger.Certificate(sandbox.Auth).DER)
	expect(t, "another's signature", w.verify(p, kiosk), certs.Invalid, certs.Good, reason.SigCryptoFailure)

	p = w.presented(phone, kiosk)
	p.Signature.Message = []byte("something else")
	expect(t, "another message", w.verify(p, kiosk), certs.Invalid, certs.Good, reason.SigCryptoFailure)

	p = w.presented(phone, kiosk)
	p.Challenge = []reason.ID{reason.ChallengeReplayed}
	v = w.verify(p, kiosk)
	expect(t, "replayed challenge", v, certs.Invalid, certs.Unknown, reason.ChallengeReplayed)
	for _, check := range v.Checks[1:] {
		if check.Outcome != certs.Skipped {
			t.Errorf("a replayed challenge was followed by the check %s", check.ID)
		}
	}

	sha1, err := phone.SignChallenge(sandbox.DefaultPIN, sandbox.RSAPKCS1SHA1, good.Signature.Message)
	if err != nil {
		t.Fatal(err)
	}
	p = w.presented(phone, kiosk)
	p.Signature.Value, p.Signature.Algorithm = sha1, signature.PKCS1SHA1
	expect(t, "SHA-1, named", w.verify(p, kiosk), certs.Invalid, certs.Unknown, reason.CryptoConstraintsFailure)
	p.Signature.Algorithm = signature.PKCS1SHA256
	expect(t, "SHA-1, called SHA-256", w.verify(p, kiosk), certs.Invalid, certs.Good, reason.SigCryptoFailure)
	p.Signature.Algorithm = signature.ECDSASHA256
	expect(t, "ECDSA with an RSA key", w.verify(p, kiosk), certs.Invalid, certs.Unknown, reason.AlgorithmKeyMismatch)

	for forged, want := range map[bool]reason.ID{false: reason.NoCertificateChainFound, true: reason.CertificateSignatureInvalid} {
		impostor, err := w.Impostor(forged)
		if err != nil {
			t.Fatal(err)
		}
		fake, err := impostor.Issue(sandbox.HolderN(500), sandbox.IssueOptions{})
		if err != nil {
			t.Fatal(err)
		}
		w.asked = 0
		p := w.presented(fake, kiosk)
		p.Method = profile.OCSPThenCRL
		v := w.verify(p, kiosk)
		expect(t, "impostor", v, certs.Invalid, certs.Unknown, want)
		if w.asked != 0 {
			t.Error("a forged certificate made us ask the responder")
		}
		if v.Guidance.NextSteps[0] != certs.RefuseAndReport {
			t.Errorf("next steps %v", v.Guidance.NextSteps)
		}
	}

	ca := good
	ca.Certificate = w.parse(w.Anchors()[0].DER)
	if v := w.verify(ca, kiosk); v.Conclusion != certs.Invalid || !slices.Contains(v.Reasons, reason.CACertificate) {
		t.Errorf("an authority's certificate: %v", v.Reasons)
	}
}

// TestNothingTurnedOverIsGood: no bit of certificate or signature can be changed.
func TestNothingTurnedOverIsGood(t *testing.T) {
	w := newWorld(t)
	phone := w.issue(sandbox.IssueOptions{})
	good := w.presented(phone, kiosk)
	der := good.Certificate.Raw
	for i := 0; i < len(der)*8; i += 3 {
		bad := bytes.Clone(der)
		bad[i/8] ^= 1 << (i % 8)
		c, err := pkix.ParseCertificate(bad)
		if err != nil {
			continue
		}
		p := good
		p.Certificate = c
		if v := w.verify(p, kiosk); v.Conclusion == certs.Valid {
			t.Fatalf("VALID with bit %d of the certificate turned over", i)
		}
	}
}

func TestValidity(t *testing.T) {
	w := newWorld(t)
	end := w.clock().Add(time.Hour)
	phone := w.issue(sandbox.IssueOptions{NotAfter: end})
	p := w.presented(phone, kiosk)
	expect(t, "before the end", w.verify(p, kiosk), certs.Valid, certs.Good)
	w.pass(time.Hour)
	expect(t, "the last second", w.verify(p, kiosk), certs.Valid, certs.Good)
	w.pass(time.Second)
	v := w.verify(p, kiosk)
	expect(t, "after the end", v, certs.Invalid, certs.Unknown, reason.Expired)
	if v.Guidance.NextSteps[0] != certs.ApplyAgainInApp {
		t.Errorf("next steps %v", v.Guidance.NextSteps)
	}
	later := w.issue(sandbox.IssueOptions{NotBefore: w.clock().Add(time.Hour)})
	expect(t, "not yet", w.verify(w.presented(later, kiosk), kiosk), certs.Invalid, certs.Unknown, reason.NotYetValid)
	expired := w.issue(sandbox.IssueOptions{Expired: true})
	expect(t, "long ago", w.verify(w.presented(expired, kyc), kyc), certs.Invalid, certs.Unknown, reason.Expired)
}

// TestUnknownIsNeverGood: each way of not knowing.
func TestUnknownIsNeverGood(t *testing.T) {
	w := newWorld(t)
	phone := w.issue(sandbox.IssueOptions{})
	p := w.presented(phone, kiosk)
	id := phone.Certificate(sandbox.Auth).List()
	fault := func(kind sandbox.ListFaultKind) {
		t.Helper()
		if err := w.SetListFault(id, sandbox.ListFault{Kind: kind}); err != nil {
			t.Fatal(err)
		}
	}
	for kind, want := range map[sandbox.ListFaultKind]reason.ID{
		sandbox.ListMissing:          reason.CRLMissing,
		sandbox.ListStale:            reason.CRLStale,
		sandbox.ListForeignSignature: reason.CRLMissing,       // never became an index
		sandbox.ListWrongPartition:   reason.CRLScopeMismatch, // refused again, although it was looked up
	} {
		fault(kind)
		p.Method = profile.CRL
		v := w.verify(p, kiosk)
		if v.Conclusion != certs.Indeterminate || v.Evidence.Status != certs.Unknown || !slices.Contains(v.Reasons, want) {
			t.Errorf("list fault %d: %d, %v; want %s", kind, v.Conclusion, v.Reasons, want)
		}
		if v.Guidance.NextSteps[0] != certs.TryLater {
			t.Errorf("list fault %d: next steps %v", kind, v.Guidance.NextSteps)
		}
		p.Method = profile.CRLThenOCSP
		v = w.verify(p, kiosk)
		expect(t, "with fallback", v, certs.Valid, certs.Good, reason.RevocationFallbackUsed)
		if !v.Evidence.Fallback || v.Evidence.Method != profile.OCSP {
			t.Errorf("fallback not told: %+v", v.Evidence)
		}
	}
	w.ClearFaults()

	nowhere := w.presented(w.issue(sandbox.IssueOptions{Municipality: sandbox.UnpublishedMunicipality}), kiosk)
	expect(t, "partition without a list", w.verify(nowhere, kiosk), certs.Indeterminate, certs.Unknown, reason.CRLMissing)

	for kind, want := range map[sandbox.OCSPFaultKind]reason.ID{
		sandbox.OCSPUnavailable:    reason.OCSPUnavailable,
		sandbox.OCSPWrongNonce:     reason.OCSPNonceMismatch,
		sandbox.OCSPNoNonce:        reason.OCSPNonceMissing,
		sandbox.OCSPWrongResponder: reason.OCSPResponderUnauthorized,
		sandbox.OCSPNotDelegated:   reason.OCSPResponderUnauthorized,
		sandbox.OCSPTryLater:       reason.OCSPUnsuccessful,
		sandbox.OCSPRubbish:        reason.OCSPFormatFailure,
		sandbox.OCSPStale:          reason.OCSPStale,
	} {
		if err := w.SetOCSPFault(sandbox.OCSPFault{Kind: kind}); err != nil {
			t.Fatal(err)
		}
		p.Method = profile.OCSP
		v := w.verify(p, kiosk)
		if v.Conclusion != certs.Indeterminate || v.Evidence.Status != certs.Unknown || !slices.Contains(v.Reasons, want) {
			t.Errorf("OCSP fault %d: %d, %v; want %s", kind, v.Conclusion, v.Reasons, want)
		}
		p.Method = profile.OCSPThenCRL
		expect(t, "with fallback", w.verify(p, kiosk), certs.Valid, certs.Good, reason.RevocationFallbackUsed)
	}
}

// TestMaxAge: a caller can tighten the freshness, never loosen it.
func TestMaxAge(t *testing.T) {
	w := newWorld(t)
	phone := w.issue(sandbox.IssueOptions{})
	p := w.presented(phone, kiosk)
	w.verify(p, kiosk) // the list of the hour is made
	w.pass(2 * time.Hour)
	v := w.verify(p, kiosk)
	expect(t, "two hours old", v, certs.Valid, certs.Good)
	if age := v.Evidence.Age(w.clock()); age < 2*time.Hour || age > 3*time.Hour {
		t.Errorf("age %v", age)
	}
	p.MaxAge = time.Hour
	v = w.verify(p, kiosk)
	expect(t, "an hour demanded", v, certs.Indeterminate, certs.Unknown, reason.CRLTooOld)
	if v.Evidence.Age(w.clock()) < 2*time.Hour {
		t.Error("the age of the refused evidence is not told")
	}
	p.Method = profile.CRLThenOCSP
	expect(t, "an hour demanded, with fallback", w.verify(p, kiosk), certs.Valid, certs.Good, reason.RevocationFallbackUsed)
	p.Method, p.MaxAge = profile.CRL, 1000*time.Hour
	expect(t, "more than the profile allows", w.verify(p, kiosk), certs.Valid, certs.Good)
	// What is in its time for its issuer may be too old for a use.
	strict := *w.profile(kiosk)
	strict.Revocation.CRLMaxAge = time.Hour
	v = certs.Verify(t.Context(), p, certs.Trust{Profile: &strict, Anchors: w.set, Revocation: w, Now: w.clock()})
	expect(t, "too old for the profile", v, certs.Indeterminate, certs.Unknown, reason.CRLTooOld)
	if v.Evidence.Age(w.clock()) < 2*time.Hour {
		t.Error("the age of the evidence that is too old for the profile is not told")
	}
}

// TestHolderAttributes reads every curated holder's certificate.
func TestHolderAttributes(t *testing.T) {
	w := newWorld(t)
	marked := 0
	for _, holder := range sandbox.Holders() {
		phone, err := w.Issue(holder, sandbox.IssueOptions{})
		if err != nil {
			t.Fatal(err)
		}
		v := w.verify(w.presented(phone, kyc), kyc)
		if v.Conclusion != certs.Valid || v.Attributes == nil {
			t.Fatalf("%d %v", v.Conclusion, v.Reasons)
		}
		a := v.Attributes
		if a.CommonName.Text != holder.Name || a.Address.Text != holder.Address || a.GenderCode != holder.Gender || a.DateOfBirth.Recorded != holder.DateOfBirth() {
			t.Errorf("attributes %+v of %+v", a, holder)
		}
		if a.DateOfBirth.Year != holder.Birth.Year() || a.DateOfBirth.Month != int(holder.Birth.Month()) || a.DateOfBirth.Day != holder.Birth.Day() {
			t.Errorf("date of birth %+v, want %v", a.DateOfBirth, holder.Birth)
		}
		flags := []byte(strings.Repeat("0", len([]rune(holder.Name))))
		for _, i := range a.CommonName.Substitutes {
			flags[i] = '1'
		}
		if string(flags) != holder.NameMarks {
			t.Errorf("substitutes %v, want %s", a.CommonName.Substitutes, holder.NameMarks)
		}
		if len(a.CommonName.Substitutes)+len(a.Address.Substitutes) > 0 {
			marked++
			if !slices.Contains(v.Reasons, reason.SubstituteCharacters) {
				t.Error("substitute characters are not pointed out")
			}
		}
	}
	if marked == 0 {
		t.Error("no holder with substitute characters: nothing was tested")
	}
}

// TestStatusAlone: a certificate without a signature.
func TestStatusAlone(t *testing.T) {
	w := newWorld(t)
	phone := w.issue(sandbox.IssueOptions{})
	p := certs.Presented{Certificate: w.parse(phone.Certificate(sandbox.Sign).DER), Method: profile.OCSPThenCRL}
	expect(t, "good", w.verify(p, kyc), certs.Valid, certs.Good)
	if err := w.MoveHouse(phone, sandbox.Municipalities()[2].Code, ""); err != nil {
		t.Fatal(err)
	}
	v := w.verify(p, kyc)
	expect(t, "moved", v, certs.Invalid, certs.Revoked, reason.Revoked)
	if v.Evidence.Reason != crl.AffiliationChanged {
		t.Errorf("reason %s", v.Evidence.Reason)
	}
}

// TestZeroVerdict: what was never decided is not valid.
func TestZeroVerdict(t *testing.T) {
	var v certs.Verdict
	if v.Conclusion == certs.Valid || v.Evidence.Status == certs.Good {
		t.Error("the zero value is good")
	}
}
