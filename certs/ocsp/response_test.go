package ocsp

import (
	"bytes"
	"crypto"
	"slices"
	"testing"

	"github.com/tashika-jp/tashika/certs/reason"
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
		"nextUpdate in the year 1":    func(s *responseSpec) { s.singles[0].next = wrap(24, []byte("00010101000000Z")) },
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
				if underRace && bit != i%8 {
					continue
				}
				changed := bytes.Clone(der)
				changed[i] ^= 1 << bit
				if answer, found := Check(changed, c.req, c.by.cert, c.by.public, options); answer != nil || len(found) == 0 {
					t.Errorf("%s: octet %d bit %d flipped: %+v", name, i, bit, answer)
				}
				if answer, found := CheckStored(changed, c.req.about, c.by.cert, c.by.public, stored); answer != nil || len(found) == 0 {
					t.Errorf("%s, stored: octet %d bit %d flipped: %+v", name, i, bit, answer)
				}
			}
		}
	}
}
