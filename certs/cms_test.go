package certs_test

import (
	"bytes"
	"slices"
	"testing"

	"github.com/tashika-jp/tashika/certs"
	"github.com/tashika-jp/tashika/certs/pkix"
	"github.com/tashika-jp/tashika/certs/profile"
	"github.com/tashika-jp/tashika/certs/reason"
	"github.com/tashika-jp/tashika/certs/sandbox"
)

// cms is what a phone hands over in a CMS message.
func (w *world) cms(p *sandbox.Phone, content []byte, o sandbox.CMSOptions) certs.Presented {
	w.t.Helper()
	secret := sandbox.DefaultPassword
	if o.Authority == sandbox.Auth {
		secret = sandbox.DefaultPIN
	}
	message, err := p.SignCMS(secret, []byte("what the holder signs"), o)
	if err != nil {
		w.t.Fatal(err)
	}
	signature, certificate, refused := certs.ReadCMS(message, nil, content)
	if refused != "" {
		w.t.Fatal(refused)
	}
	return certs.Presented{Certificate: certificate, Signature: signature, Method: profile.CRL}
}

func told(v *certs.Verdict, id certs.CheckID) certs.Outcome {
	for _, c := range v.Checks {
		if c.ID == id {
			return c.Outcome
		}
	}
	return 0
}

// TestCMS: what a message says is checked with the certificate, before any cryptography.
func TestCMS(t *testing.T) {
	w := newWorld(t)
	content := []byte("what the holder signs")
	phone := w.issue(sandbox.IssueOptions{})
	for name, o := range map[string]sandbox.CMSOptions{
		"attached": {}, "detached": {Detached: true}, "PSS": {Algorithm: sandbox.RSAPSSSHA384}, "no attributes": {NoAttributes: true}, "time": {SigningTime: true},
	} {
		v := w.verify(w.cms(phone, content, o), kyc)
		expect(t, name, v, certs.Valid, certs.Good)
		if told(v, certs.CheckCMS) != certs.Passed || v.Attributes == nil {
			t.Errorf("%s: %+v", name, v)
		}
	}
	next := w.cms(w.issue(sandbox.IssueOptions{Key: sandbox.P384}), nil, sandbox.CMSOptions{}) // of a holder with substitute characters
	expect(t, "P-384", w.verify(next, kyc), certs.Valid, certs.Good, reason.SubstituteCharacters)

	for _, c := range []struct {
		name    string
		o       sandbox.CMSOptions
		content string
		step    certs.NextStep
		id      reason.ID
	}{
		{"content changed", sandbox.CMSOptions{Fault: sandbox.CMSContentChanged}, "", certs.SignAgain, reason.CMSMessageDigestMismatch},
		{"wrong digest", sandbox.CMSOptions{Fault: sandbox.CMSWrongDigest}, "", certs.SignAgain, reason.CMSMessageDigestMismatch},
		{"other content", sandbox.CMSOptions{}, "x", certs.SignAgain, reason.CMSContentMismatch},
		{"other content of a detached message", sandbox.CMSOptions{Detached: true}, "x", certs.SignAgain, reason.CMSMessageDigestMismatch},
		{"no content type", sandbox.CMSOptions{Fault: sandbox.CMSNoContentType}, "", certs.RefuseAndReport, reason.CMSAttributesUnacceptable},
		{"SHA-1", sandbox.CMSOptions{Algorithm: sandbox.RSAPKCS1SHA1}, "", certs.RefuseAndReport, reason.CryptoConstraintsFailure},
		{"PSS with SHA-1", sandbox.CMSOptions{Algorithm: sandbox.RSAPSSSHA1}, "", certs.RefuseAndReport, reason.CryptoConstraintsFailure},
		{"user authentication", sandbox.CMSOptions{Authority: sandbox.Auth}, "", certs.PresentOtherCertificate, reason.WrongKind},
	} {
		var given []byte
		if c.content != "" {
			given = []byte(c.content)
		}
		v := w.verify(w.cms(phone, given, c.o), kyc)
		expect(t, c.name, v, certs.Invalid, certs.Unknown, c.id)
		if v.Guidance.NextSteps[0] != c.step || told(v, certs.CheckCMS) == 0 || told(v, certs.CheckHolderSignature) != certs.Skipped {
			t.Errorf("%s: next steps %v, checks %v", c.name, v.Guidance.NextSteps, v.Checks)
		}
	}
	p := w.cms(phone, nil, sandbox.CMSOptions{NoAttributes: true, Fault: sandbox.CMSContentChanged})
	expect(t, "content changed, no attributes", w.verify(p, kyc), certs.Invalid, certs.Good, reason.SigCryptoFailure)

	// An algorithm that nobody knows is no algorithm, and says nothing of the key.
	p = w.cms(phone, nil, sandbox.CMSOptions{})
	p.Signature.Algorithm, p.Signature.Findings = certs.Signature{}.Algorithm, []reason.ID{reason.CryptoConstraintsFailure}
	expect(t, "unknown algorithm", w.verify(p, kyc), certs.Invalid, certs.Unknown, reason.CryptoConstraintsFailure)

	if err := w.Revoke(phone, sandbox.DefaultPassword); err != nil {
		t.Fatal(err)
	}
	expect(t, "revoked", w.verify(w.cms(phone, nil, sandbox.CMSOptions{}), kyc), certs.Invalid, certs.Revoked, reason.Revoked)
	// What is wrong with the message is found without asking for a status.
	v := w.verify(w.cms(phone, nil, sandbox.CMSOptions{Fault: sandbox.CMSContentChanged}), kyc)
	expect(t, "revoked, content changed", v, certs.Invalid, certs.Unknown, reason.CMSMessageDigestMismatch)
	// A raw signature is told nothing of CMS, made or skipped.
	if v := w.verify(w.presented(phone, kyc), kyc); told(v, certs.CheckCMS) != 0 {
		t.Errorf("checks %v", v.Checks)
	}
}

// TestReadCMS: what has no signature of one holder is refused, and of which certificates one is found.
func TestReadCMS(t *testing.T) {
	w := newWorld(t)
	phone, other := w.issue(sandbox.IssueOptions{}), w.issue(sandbox.IssueOptions{})
	content := []byte("content")
	sign := func(o sandbox.CMSOptions) []byte {
		t.Helper()
		message, err := phone.SignCMS(sandbox.DefaultPassword, content, o)
		if err != nil {
			t.Fatal(err)
		}
		return message
	}
	own, foreign := w.parse(phone.Certificate(sandbox.Sign).DER), w.parse(other.Certificate(sandbox.Sign).DER)
	good := sign(sandbox.CMSOptions{})
	for _, c := range []struct {
		name    string
		message []byte
		given   *pkix.Certificate
		content []byte
		want    reason.ID
	}{
		{"good", good, nil, nil, ""},
		{"good_given_twice", good, own, content, ""},
		{"good_certificate_beside", sign(sandbox.CMSOptions{NoCertificate: true}), own, nil, ""},
		{"good_detached", sign(sandbox.CMSOptions{Detached: true}), nil, content, ""},
		{"good_detached_and_empty", sign(sandbox.CMSOptions{Detached: true}), nil, []byte{}, ""},
		{"bad_nothing", nil, nil, nil, reason.CMSFormatFailure},
		{"bad_cut", good[:len(good)-1], nil, nil, reason.CMSFormatFailure},
		{"bad_trailing", append(slices.Clone(good), 0), nil, nil, reason.CMSFormatFailure},
		{"bad_no_signer", sign(sandbox.CMSOptions{Fault: sandbox.CMSNoSigner}), nil, nil, reason.CMSSignerMissing},
		{"bad_two_signers", sign(sandbox.CMSOptions{Fault: sandbox.CMSTwoSigners}), nil, nil, reason.CMSSignersAmbiguous},
		{"bad_no_certificate", sign(sandbox.CMSOptions{NoCertificate: true}), nil, nil, reason.CMSSignerCertificateMissing},
		{"bad_certificate_of_another", good, foreign, nil, reason.CMSSignerCertificateMissing},
		{"bad_no_content", sign(sandbox.CMSOptions{Detached: true}), nil, nil, reason.CMSContentMissing},
	} {
		s, certificate, refused := certs.ReadCMS(c.message, c.given, c.content)
		if refused != c.want || (refused == "") != (s != nil && s.CMS && s.Message != nil && certificate != nil) {
			t.Errorf("%s: %q, %+v", c.name, refused, s)
		}
		if certificate != nil && !bytes.Equal(certificate.Raw, own.Raw) {
			t.Errorf("%s: another certificate", c.name)
		}
	}
}
