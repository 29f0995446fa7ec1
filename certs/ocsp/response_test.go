package ocsp

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tashika-jp/tashika/certs/pkix"
	"github.com/tashika-jp/tashika/certs/reason"
	"github.com/tashika-jp/tashika/certs/signature"
	xocsp "golang.org/x/crypto/ocsp"
)

func TestParseRefuses(t *testing.T) {
	a, r := theCA(), theRequest()
	for name, change := range map[string]func(*responseSpec){
		"another type":                func(s *responseSpec) { s.kind = oid("1.2.3") },
		"version v2":                  func(s *responseSpec) { s.version = wrap(explicit(0), []byte{2, 1, 1}) },
		"responder by nothing":        func(s *responseSpec) { s.responder = nil },
		"responder and more":          func(s *responseSpec) { s.responder = wrap(explicit(1), a.cert.Subject, null) },
		"producedAt in UTCTime":       func(s *responseSpec) { s.producedAt = wrap(23, []byte("261123030000Z")) },
		"fraction of a second":        func(s *responseSpec) { s.producedAt = wrap(24, []byte("20261123030000.5Z")) },
		"extension twice":             func(s *responseSpec) { s.extensions = append(s.extensions, s.extensions[0]) },
		"no extensions but the tag":   func(s *responseSpec) { s.extensions = [][]byte{} },
		"something behind the data":   func(s *responseSpec) { s.after = null },
		"something behind signature":  func(s *responseSpec) { s.end = null },
		"certificates that are none":  func(s *responseSpec) { s.certificates = [][]byte{null} },
		"good with content":           func(s *responseSpec) { s.singles[0].status = []byte{0x80, 1, 0} },
		"good as [0] EXPLICIT":        func(s *responseSpec) { s.singles[0].status = wrap(explicit(0), null) },
		"unknown with content":        func(s *responseSpec) { s.singles[0].status = []byte{0x82, 2, 5, 0} },
		"a fourth status":             func(s *responseSpec) { s.singles[0].status = []byte{0x83, 0} },
		"revoked without time":        func(s *responseSpec) { s.singles[0].status = wrap(explicit(1)) },
		"revoked, reason 7":           func(s *responseSpec) { s.singles[0].status = revoked(now, 7) },
		"revoked, removeFromCRL":      func(s *responseSpec) { s.singles[0].status = revoked(now, 8) },
		"revoked and more":            func(s *responseSpec) { s.singles[0].status = wrap(explicit(1), generalized(now), null) },
		"nextUpdate and more":         func(s *responseSpec) { s.singles[0].next = join(generalized(now), null) },
		"nextUpdate in UTCTime":       func(s *responseSpec) { s.singles[0].next = wrap(23, []byte("261123030000Z")) },
		"something behind the answer": func(s *responseSpec) { s.singles[0].after = null },
		"answer with no extensions":   func(s *responseSpec) { s.singles[0].extensions = [][]byte{} },
		"CertID and more":             func(s *responseSpec) { s.singles[0].id = seq(s.singles[0].id[2:], null) },
	} {
		s := a.conforming(r, nil)
		change(s)
		refuse(t, name, s, options, reason.OCSPFormatFailure)
	}
	fine := a.conforming(r, a.delegate(nil)).der()
	for n := range fine {
		if answer, _ := judge(t, fine[:n], options); answer != nil {
			t.Errorf("accepted, cut to %d octets", n)
		}
	}
	if _, found := judge(t, append(bytes.Clone(fine), 0), options); !slices.Equal(found, []reason.ID{reason.OCSPFormatFailure}) {
		t.Errorf("trailing octet: %v", found)
	}
}

// TestEveryBitFlipRefused: no response that differs in one bit from a good one is an answer.
func TestEveryBitFlipRefused(t *testing.T) {
	a, r := theCA(), theRequest()
	strong := newAuthority(rsaKey(), caName)
	byRSA := must(NewRequest(strong.issue(strangersKey(), nil), strong.cert, crypto.SHA1, nonce))
	for name, c := range map[string]struct {
		by  *authority
		req *Request
		s   *responseSpec
	}{
		"direct": {a, r, a.conforming(r, nil)}, "delegated": {a, r, a.conforming(r, a.delegate(nil))}, "RSA": {strong, byRSA, strong.conforming(byRSA, nil)},
	} {
		der := c.s.der()
		if answer, found := Check(der, c.req, c.by.cert, c.by.public, options); answer == nil {
			t.Fatal(name, found)
		}
		for i := range der {
			for bit := range 8 {
				changed := bytes.Clone(der)
				changed[i] ^= 1 << bit
				if answer, found := Check(changed, c.req, c.by.cert, c.by.public, options); answer != nil || len(found) == 0 {
					t.Errorf("%s: octet %d bit %d flipped: %+v", name, i, bit, answer)
				}
			}
		}
	}
}

// agree compares what is read here with x/crypto/ocsp, where both read it.
func agree(t *testing.T, der []byte) {
	r, err := parseResponse(der, 16)
	if (r == nil) != (err != nil) {
		t.Fatal("response and error, or neither")
	}
	if err != nil || len(r.singles) != 1 {
		return
	}
	theirs, err := xocsp.ParseResponse(der, nil)
	if err != nil { // it checks signatures of enclosed certificates, and fewer algorithms
		return
	}
	one := r.singles[0]
	status := map[int]Status{xocsp.Good: Good, xocsp.Revoked: Revoked, xocsp.Unknown: Unknown}[theirs.Status]
	serial := new(big.Int).SetBytes(one.id.serial)
	if one.id.serial[0]&0x80 != 0 {
		serial.Sub(serial, new(big.Int).Lsh(big.NewInt(1), uint(8*len(one.id.serial))))
	}
	if !bytes.Equal(r.rawTBS, theirs.TBSResponseData) || one.status != status || serial.Cmp(theirs.SerialNumber) != 0 ||
		!one.thisUpdate.Equal(theirs.ThisUpdate) || !one.nextUpdate.Equal(theirs.NextUpdate) || !r.producedAt.Equal(theirs.ProducedAt) ||
		status == Revoked && (!one.revoked.Equal(theirs.RevokedAt) || int(one.reason) != theirs.RevocationReason) {
		t.Errorf("%+v, x/crypto/ocsp %+v", one, theirs)
	}
}

// TestXCryptoAgrees: requests that x/crypto/ocsp reads, and responses that it makes.
func TestXCryptoAgrees(t *testing.T) {
	a := theCA()
	for _, hash := range []crypto.Hash{crypto.SHA1, crypto.SHA256} {
		r := must(NewRequest(holder(), a.cert, hash, nil))
		theirs := must(xocsp.ParseRequest(r.DER))
		if theirs.HashAlgorithm != hash || !bytes.Equal(theirs.IssuerNameHash, r.id.nameHash) || !bytes.Equal(theirs.IssuerKeyHash, r.id.keyHash) ||
			theirs.SerialNumber.Cmp(new(big.Int).SetBytes(r.id.serial)) != 0 {
			t.Errorf("x/crypto/ocsp reads %+v", theirs)
		}
		made := must(xocsp.CreateRequest(must(x509.ParseCertificate(holder().Raw)), a.parent, &xocsp.RequestOptions{Hash: hash}))
		if !bytes.Equal(made, r.DER) {
			t.Errorf("x/crypto/ocsp makes %x, we %x", made, r.DER)
		}
		d := a.delegate(nil)
		template := xocsp.Response{
			Status: xocsp.Revoked, SerialNumber: big.NewInt(4711), ThisUpdate: now, NextUpdate: now.Add(time.Minute), RevokedAt: now.Add(-time.Hour),
			RevocationReason: xocsp.CertificateHold, IssuerHash: hash, Certificate: must(x509.ParseCertificate(d.Raw)),
		}
		der := must(xocsp.CreateResponse(a.parent, template.Certificate, template, delegateKey()))
		o := options
		o.RequireNonce = false
		parsed := must(parseResponse(der, 4))
		o.At = parsed.producedAt // theirs is the clock's
		if o.At.Before(now) {
			o.At = now
		}
		_, found := Check(der, r, a.cert, a.public, o)
		for _, id := range found { // the template's times are fixed, so they may be over
			if id != reason.OCSPStale && id != reason.OCSPTooOld && id != reason.OCSPResponderNotValidNow {
				t.Errorf("response by x/crypto/ocsp: %v", found)
			}
		}
		agree(t, der)
	}
	for _, s := range []*responseSpec{a.conforming(theRequest(), nil), a.conforming(theRequest(), a.delegate(nil))} {
		if _, err := xocsp.ParseResponse(s.der(), a.parent); err != nil {
			t.Errorf("x/crypto/ocsp refuses ours: %v", err)
		}
		agree(t, s.der())
	}
}

func FuzzParse(f *testing.F) {
	a, r := theCA(), theRequest()
	f.Add(responseDER(3, nil))
	f.Add(a.conforming(r, nil).der())
	s := a.conforming(r, a.delegate(nil))
	s.version, s.responder = wrap(explicit(0), []byte{2, 1, 0}), byName(a.delegate(nil))
	s.singles[0].status, s.singles[0].next = revoked(now, 6), nil
	s.singles[0].extensions = [][]byte{extension("1.2.3", true, nil)}
	f.Add(s.der())
	f.Fuzz(func(t *testing.T, der []byte) {
		agree(t, der)
		answer, found := Check(der, r, a.cert, a.public, options)
		if (answer == nil) != (len(found) > 0) {
			t.Errorf("%+v with %v", answer, found)
		}
		if _, err := parseResponse(der, 4); errors.Is(err, errUnsuccessful) != slices.Contains(found, reason.OCSPUnsuccessful) {
			t.Errorf("%v with %v", err, found)
		}
	})
}

// TestConformance is OpenSSL's set: 58 of 58 with SHA-1 allowed, and nothing accepted without.
func TestConformance(t *testing.T) {
	const dir = "../../../shared/conformance/ocsp"
	text, err := os.ReadFile(filepath.Join(dir, "cases.json"))
	if err != nil {
		t.Skip("no shared material: ", err)
	}
	type oneCase struct {
		ID, Dir, Response, Cert, Trusted, Expected, Group string
		Untrusted                                         []string
		Time                                              time.Time
	}
	var cases []oneCase
	if err := json.Unmarshal(text, &cases); err != nil {
		var wrapped struct{ Cases []oneCase }
		if err := json.Unmarshal(text, &wrapped); err != nil {
			t.Fatal(err)
		}
		cases = wrapped.Cases
	}
	right, accepted := 0, 0
	for _, c := range cases {
		t.Run(c.ID, func(t *testing.T) {
			read := func(name string) []byte { return must(os.ReadFile(filepath.Join(dir, c.Dir, name))) }
			cert, issuer := must(pkix.ParseCertificate(read(c.Cert))), must(pkix.ParseCertificate(read(c.Trusted)))
			for _, name := range c.Untrusted { // in one case the certificate's issuer is not the one that is trusted
				if other := must(pkix.ParseCertificate(read(name))); other.Subject.Equal(cert.Issuer) {
					issuer = other
				}
			}
			key := must(signature.NewPublicKey(issuer.PublicKeyAlgorithm, issuer.PublicKey))
			check := func(allow signature.AllowList) (bool, []reason.ID) {
				r, err := NewRequest(cert, issuer, crypto.SHA1, nil)
				if err != nil {
					// The issuer given is not the certificate's: there is nothing to ask. Ask all the same,
					// to see the response refused as well.
					r = &Request{about: cert, id: identify(cert, issuer, oidSHA1)}
				}
				answer, found := Check(read(c.Response), r, issuer, key, Options{At: c.Time, Allow: allow})
				return answer != nil && answer.Status == Good, found
			}
			got, found := check(append(signature.AllowList{signature.PKCS1SHA1}, allowed...))
			if got == (c.Expected == "accept") {
				right++
			} else {
				t.Errorf("%s: accepted %v, expected %s: %v", c.Group, got, c.Expected, found)
			}
			if got {
				accepted++
			}
			if got, found := check(allowed); got || len(found) == 0 {
				t.Errorf("without SHA-1: accepted %v: %v", got, found)
			}
		})
	}
	t.Logf("%d of %d, %d accepted", right, len(cases), accepted)
}

// TestOpenSSL: openssl answers our requests, with and without nonce, and reads our responses.
func TestOpenSSL(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("the openssl program is not installed: ", err)
	}
	dir := t.TempDir()
	file := func(name string, b []byte) string {
		path := filepath.Join(dir, name)
		if b != nil {
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return path
	}
	certificate := func(c *pkix.Certificate) []byte {
		return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
	}
	openssl := func(args ...string) string {
		out, err := exec.CommandContext(t.Context(), "openssl", args...).CombinedOutput()
		if err != nil {
			t.Fatalf("openssl %v: %v: %s", args, err, out)
		}
		return string(out)
	}
	a, d := theCA(), theCA().delegate(nil)
	ca, responder := file("ca.pem", certificate(a.cert)), file("responder.pem", certificate(d))
	key := file("key.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: must(x509.MarshalPKCS8PrivateKey(delegateKey()))}))
	for line, want := range map[string]Answer{
		"V\t301231000000Z\t\t1267\tunknown\t/CN=holder":                                                    {Status: Good},
		"R\t301231000000Z\t261120000000Z,keyCompromise\t1267\tunknown\t/CN=holder":                         {Status: Revoked, Reason: 1},
		"R\t301231000000Z\t261120000000Z,holdInstruction,holdInstructionReject\t1267\tunknown\t/CN=holder": {Status: Revoked, Reason: 6},
		"V\t301231000000Z\t\t01\tunknown\t/CN=other":                                                       {Status: Unknown},
	} {
		index := file("index.txt", []byte(line+"\n"))
		for _, n := range [][]byte{nonce, nil} {
			r := must(NewRequest(holder(), a.cert, crypto.SHA256, n))
			out := file("response.der", nil)
			openssl("ocsp", "-index", index, "-CA", ca, "-rsigner", responder, "-rkey", key, "-rmd", "sha256", "-ndays", "1",
				"-reqin", file("request.der", r.DER), "-respout", out)
			der := must(os.ReadFile(out))
			parsed := must(parseResponse(der, 4))
			o := options
			o.At, o.RequireNonce = parsed.producedAt, n != nil // openssl goes by the clock
			answer, found := Check(der, r, a.cert, a.public, o)
			found = slices.DeleteFunc(found, func(id reason.ID) bool { return id == reason.OCSPResponderNotValidNow })
			if len(found) > 0 || answer != nil && (answer.Status != want.Status || answer.Reason != want.Reason) {
				t.Errorf("%q: %+v %v", line, answer, found)
			}
			agree(t, der)
		}
	}
	s := a.conforming(theRequest(), d)
	s.producedAt, s.singles[0].this, s.singles[0].next = generalized(time.Now()), generalized(time.Now()), generalized(time.Now().Add(time.Hour))
	s.singles[0].status = revoked(now, 6)
	out := openssl("ocsp", "-respin", file("ours.der", s.der()), "-CAfile", ca, "-issuer", ca, "-sha256", "-cert", file("holder.pem", certificate(holder())),
		"-no_nonce", "-text")
	if !strings.Contains(out, "Response verify OK") || !strings.Contains(out, "revoked") || !strings.Contains(out, "certificateHold") {
		t.Errorf("openssl of our response: %s", out)
	}
}
