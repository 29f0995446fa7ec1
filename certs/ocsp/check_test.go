package ocsp

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/tashika-jp/tashika/certs/crl"
	"github.com/tashika-jp/tashika/certs/pkix"
	"github.com/tashika-jp/tashika/certs/reason"
	"github.com/tashika-jp/tashika/certs/signature"
)

// judge is Check, with what always holds, and the findings in order of their names.
func judge(t testing.TB, der []byte, o Options) (*Answer, []reason.ID) {
	t.Helper()
	a := theCA()
	answer, found := Check(der, theRequest(), a.cert, a.public, o)
	if (answer == nil) != (len(found) > 0) {
		t.Errorf("answer %v with findings %v", answer, found)
	}
	return answer, slices.Sorted(slices.Values(found))
}

// refuse expects exactly these findings, and the same without a request, but for the nonce's.
func refuse(t *testing.T, name string, s *responseSpec, o Options, want ...reason.ID) {
	t.Helper()
	der := s.der()
	if _, found := judge(t, der, o); !slices.Equal(found, slices.Sorted(slices.Values(want))) {
		t.Errorf("%s: %v, want %v", name, found, want)
	}
	want = slices.DeleteFunc(slices.Clone(want), func(id reason.ID) bool {
		return id == reason.OCSPNonceMissing || id == reason.OCSPNonceMismatch
	})
	if _, found := judgeStored(t, der, o); !slices.Equal(found, slices.Sorted(slices.Values(want))) {
		t.Errorf("%s, stored: %v, want %v", name, found, want)
	}
}

// judgeStored is judge without a request, and so without its nonce.
func judgeStored(t testing.TB, der []byte, o Options) (*Answer, []reason.ID) {
	t.Helper()
	a := theCA()
	o.RequireNonce = false
	answer, found := CheckStored(der, holder(), a.cert, a.public, o)
	if (answer == nil) != (len(found) > 0) {
		t.Errorf("stored: answer %v with findings %v", answer, found)
	}
	return answer, slices.Sorted(slices.Values(found))
}

func TestAnswers(t *testing.T) {
	a, r := theCA(), theRequest()
	at := now.Add(-72 * time.Hour)
	for name, c := range map[string]struct {
		status []byte
		want   Answer
	}{
		"good":                   {good, Answer{Status: Good}},
		"unknown":                {unknown, Answer{Status: Unknown}},
		"revoked":                {revoked(at, -1), Answer{Status: Revoked, RevocationTime: at}},
		"revoked, with a reason": {revoked(at, 3), Answer{Status: Revoked, Reason: crl.AffiliationChanged, RevocationTime: at}},
		"held":                   {revoked(at, 6), Answer{Status: Revoked, Reason: crl.CertificateHold, RevocationTime: at}},
	} {
		for _, delegate := range []*pkix.Certificate{nil, a.delegate(nil)} {
			s := a.conforming(r, delegate)
			s.singles[0].status = c.status
			c.want.ThisUpdate, c.want.NextUpdate, c.want.ProducedAt = now.Add(-5*time.Minute), now.Add(10*time.Minute), now.Add(-time.Minute)
			if got := a.answer(t, s, r, options).said(); got != c.want {
				t.Errorf("%s: %+v, want %+v", name, got, c.want)
			}
		}
	}
	if Good.String() != "good" || Revoked.String() != "revoked" || Unknown.String() != "unknown" {
		t.Error("names of the statuses")
	}
	if (Answer{}).Status != Unknown {
		t.Error("the zero value is not unknown")
	}
}

// TestTolerated: what endangers nobody, and what is optional.
func TestTolerated(t *testing.T) {
	a, r := theCA(), theRequest()
	noHurry := options
	noHurry.RequireNonce = false
	for name, c := range map[string]struct {
		change func(*responseSpec)
		o      Options
	}{
		"version v1 encoded":            {func(s *responseSpec) { s.version = wrap(explicit(0), []byte{2, 1, 0}) }, options},
		"hash without parameters":       {func(s *responseSpec) { id := idOf(r); id.parameters = nil; s.singles[0].id = id.der() }, options},
		"unknown extensions":            {func(s *responseSpec) { s.extensions = append(s.extensions, extension("1.2.3", false, nil)) }, options},
		"unknown single extension":      {func(s *responseSpec) { s.singles[0].extensions = [][]byte{extension("1.2.3", false, nil)} }, options},
		"nonce critical":                {func(s *responseSpec) { s.extensions[0] = extension("1.3.6.1.5.5.7.48.1.2", true, octets(nonce)) }, options},
		"no nextUpdate, an age allowed": {func(s *responseSpec) { s.singles[0].next = nil }, options},
		"no nonce, none required":       {func(s *responseSpec) { s.extensions = nil }, noHurry},
		"issuer's certificate enclosed": {func(s *responseSpec) { s.certificates = [][]byte{a.cert.Raw} }, options},
		"issuer by key":                 {func(s *responseSpec) { s.responder = byKey(a.cert) }, options},
		"issuer's name in other letters": {func(s *responseSpec) {
			s.responder = wrap(explicit(1), name("OU=jpki FOR  user authentication,O=jpki,C=jp"))
		}, options},
		"others before and behind": {func(s *responseSpec) {
			other := s.singles[0]
			id := idOf(r)
			id.serial = []byte{1}
			other.id, other.status, other.extensions = id.der(), revoked(now, 1), [][]byte{extension("1.2.3", true, nil)}
			s.singles = []singleSpec{other, s.singles[0], other}
		}, options},
		"said twice": {func(s *responseSpec) { s.singles = append(s.singles, s.singles[0]) }, options},
	} {
		t.Run(name, func(t *testing.T) {
			s := a.conforming(r, nil)
			c.change(s)
			if a.answer(t, s, r, c.o).Status != Good {
				t.Error("not good")
			}
		})
	}
}

func TestUnsuccessful(t *testing.T) {
	for status, want := range map[byte]reason.ID{
		0: reason.OCSPFormatFailure, // successful, with nothing
		1: reason.OCSPUnsuccessful, 2: reason.OCSPUnsuccessful, 3: reason.OCSPUnsuccessful, 5: reason.OCSPUnsuccessful, 6: reason.OCSPUnsuccessful,
		4: reason.OCSPFormatFailure, 7: reason.OCSPFormatFailure, 255: reason.OCSPFormatFailure,
	} {
		if _, found := judge(t, responseDER(status, nil), options); !slices.Equal(found, []reason.ID{want}) {
			t.Errorf("status %d: %v, want %s", status, found, want)
		}
	}
	s := theCA().conforming(theRequest(), nil)
	s.status = 3
	refuse(t, "unsuccessful, with a response", s, options, reason.OCSPFormatFailure)
}

// TestTrapIssuerNameHashNotCompared: x/crypto/ocsp compares the serial number only.
func TestTrapIssuerNameHashNotCompared(t *testing.T) {
	a, r := theCA(), theRequest()
	for name, change := range map[string]func(*certIDSpec){
		"name hash": func(id *certIDSpec) { id.nameHash = digest(crypto.SHA256, []byte("somebody")) },
		"key hash":  func(id *certIDSpec) { id.keyHash = digest(crypto.SHA256, []byte("somebody's")) },
		"serial":    func(id *certIDSpec) { id.serial = []byte{0x12, 0x68} },
		"serial, negative": func(id *certIDSpec) {
			id.serial = []byte{0xff, 0x12, 0x67}
		},
		"hash":            func(id *certIDSpec) { id.hash = "2.16.840.1.101.3.4.2.2" },
		"unknown hash":    func(id *certIDSpec) { id.hash = "1.2.3" },
		"hash parameters": func(id *certIDSpec) { id.parameters = oid("1.2.3") },
		"swapped":         func(id *certIDSpec) { id.nameHash, id.keyHash = id.keyHash, id.nameHash },
	} {
		s, id := a.conforming(r, nil), idOf(r)
		change(&id)
		s.singles[0].id = id.der()
		refuse(t, name, s, options, reason.OCSPCertIDMismatch)
	}
	s := a.conforming(r, nil)
	s.singles = nil
	refuse(t, "no answer", s, options, reason.OCSPCertIDMismatch)
}

// TestTrapSerialOnlyAcrossIssuers: one issuer's answer says nothing of another's
// certificate with the same serial number, even under the same name.
func TestTrapSerialOnlyAcrossIssuers(t *testing.T) {
	a, other := theCA(), newAuthority(delegateKey(), caName)
	theirs := must(NewRequest(other.issue(strangersKey(), nil), other.cert, crypto.SHA256, nonce))
	if !bytes.Equal(theirs.id.serial, theRequest().id.serial) || !bytes.Equal(theirs.id.nameHash, theRequest().id.nameHash) {
		t.Fatal("the certificates differ in more than the key: nothing is tested")
	}
	answer, found := Check(a.conforming(theRequest(), nil).der(), theirs, other.cert, other.public, options)
	if answer != nil || !slices.Contains(found, reason.OCSPCertIDMismatch) || !slices.Contains(found, reason.OCSPSignatureInvalid) {
		t.Errorf("%v %v", answer, found)
	}
	// The request of one issuer, judged by the other.
	answer, found = Check(a.conforming(theirs, nil).der(), theirs, a.cert, a.public, options)
	if answer != nil || !slices.Equal(found, []reason.ID{reason.OCSPCertIDMismatch}) {
		t.Errorf("%v %v", answer, found)
	}
}

// TestConflict: two answers for the certificate that differ are none.
func TestConflict(t *testing.T) {
	a, r := theCA(), theRequest()
	at := now.Add(-time.Hour)
	for name, pair := range map[string][2][]byte{
		"good and revoked": {good, revoked(at, -1)}, "revoked and good": {revoked(at, 1), good}, "good and unknown": {good, unknown}, "unknown and good": {unknown, good},
		"hold and revocation": {revoked(at, 6), revoked(at, 1)}, "two times": {revoked(at, 1), revoked(now, 1)},
	} {
		s := a.conforming(r, nil)
		s.singles = append(s.singles, s.singles[0])
		s.singles[0].status, s.singles[1].status = pair[0], pair[1]
		refuse(t, name, s, options, reason.OCSPConflict)
	}
	// Under SHA-1 as well, which nobody asked for: never good.
	under := must(NewRequest(holder(), a.cert, crypto.SHA1, nil))
	for _, pair := range [][2][]byte{{good, revoked(at, 1)}, {revoked(at, 1), good}, {good, unknown}} {
		for _, first := range []bool{true, false} {
			s := a.conforming(r, nil)
			other := s.singles[0]
			other.id, s.singles[0].status, other.status = idOf(under).der(), pair[0], pair[1]
			if s.singles = append(s.singles, other); first {
				slices.Reverse(s.singles)
			}
			refuse(t, "under two hashes", s, options, reason.OCSPConflict)
		}
	}
	s := a.conforming(r, nil)
	other := s.singles[0]
	other.id = idOf(under).der()
	s.singles = append(s.singles, other)
	a.answer(t, s, r, options) // the same under two hashes is no conflict
	s = a.conforming(r, nil)
	s.singles = append(s.singles, s.singles[0], s.singles[0])
	s.singles[1].this = generalized(now.Add(-2 * time.Minute))
	if got := a.answer(t, s, r, options); !got.ThisUpdate.Equal(now.Add(-2 * time.Minute)) {
		t.Error("of two that agree, not the newer")
	}
	s.singles[2].extensions = [][]byte{extension("1.2.3", true, nil)}
	refuse(t, "critical extension in one of them", s, options, reason.OCSPUnknownCriticalExtension)
}

// TestTrapNoNonce: an old response is not an answer to a new question.
func TestTrapNoNonce(t *testing.T) {
	a, r := theCA(), theRequest()
	notRequired := options
	notRequired.RequireNonce = false
	for name, value := range map[string][]byte{
		"another":  octets(bytes.Repeat([]byte{1}, 32)),
		"shorter":  octets(nonce[:31]),
		"longer":   octets(append(bytes.Clone(nonce), 0)),
		"raw":      nonce,
		"empty":    octets(nil),
		"and more": append(octets(nonce), 0),
	} {
		s := a.conforming(r, nil)
		s.extensions[0] = extension("1.3.6.1.5.5.7.48.1.2", false, value)
		refuse(t, name, s, options, reason.OCSPNonceMismatch)
		refuse(t, name+", not required", s, notRequired, reason.OCSPNonceMismatch)
	}
	s := a.conforming(r, nil)
	s.extensions = nil
	refuse(t, "none", s, options, reason.OCSPNonceMissing)
	without := must(NewRequest(holder(), a.cert, crypto.SHA256, nil))
	// A nonce that nobody asked for is somebody else's: it proves nothing, and disproves nothing.
	s = a.conforming(without, nil)
	s.extensions = [][]byte{nonceExtension(nonce)}
	if _, found := Check(s.der(), without, a.cert, a.public, options); !slices.Equal(found, []reason.ID{reason.OCSPNonceMissing}) {
		t.Errorf("required, but none was sent: %v", found)
	}
	a.answer(t, s, without, notRequired)
}

// TestTrapCriticalExtensions: an answer whose meaning is not known is none; x/crypto/ocsp passes
// over those of the response.
func TestTrapCriticalExtensions(t *testing.T) {
	for name, change := range map[string]func(*responseSpec){
		"response": func(s *responseSpec) { s.extensions = append(s.extensions, extension("1.2.3", true, nil)) },
		"answer":   func(s *responseSpec) { s.singles[0].extensions = [][]byte{extension("1.2.3", true, nil)} },
		"crlReferences": func(s *responseSpec) {
			s.singles[0].extensions = [][]byte{extension("1.3.6.1.5.5.7.48.1.3", true, seq())}
		},
	} {
		s := theCA().conforming(theRequest(), nil)
		change(s)
		refuse(t, name, s, options, reason.OCSPUnknownCriticalExtension)
	}
}

// TestTrapNextUpdateIgnored and all other times.
func TestTrapNextUpdateIgnored(t *testing.T) {
	a, r := theCA(), theRequest()
	unbounded := options
	unbounded.MaxAge = 0
	at := func(o Options, t time.Time) Options { o.At = t; return o }
	this, next := now.Add(-5*time.Minute), now.Add(10*time.Minute)
	noNext := func(s *responseSpec) { s.singles[0].next = nil }
	for _, c := range []struct {
		name   string
		change func(*responseSpec)
		o      Options
		want   []reason.ID
	}{
		{"at nextUpdate", nil, at(options, next), nil},
		{"after, within the skew", nil, at(options, next.Add(time.Minute)), nil},
		{"after, beyond the skew", nil, at(options, next.Add(time.Minute+1)), []reason.ID{reason.OCSPStale}},
		{"before, within the skew", nil, at(options, this.Add(-time.Minute)), nil},
		{"before, beyond the skew", nil, at(options, this.Add(-time.Minute-1)), []reason.ID{reason.OCSPNotYetValid}},
		{"producedAt says nothing", func(s *responseSpec) { s.producedAt = generalized(now.Add(time.Hour)) }, options, nil},
		{"nextUpdate before thisUpdate", func(s *responseSpec) { s.singles[0].next = generalized(this.Add(-time.Second)) }, at(options, this), []reason.ID{reason.OCSPFormatFailure}},
		{"nextUpdate is thisUpdate", func(s *responseSpec) { s.singles[0].next = s.singles[0].this }, at(options, this), nil},
		{"as old as allowed", noNext, at(options, this.Add(time.Hour)), nil},
		{"older", noNext, at(options, this.Add(time.Hour+1)), []reason.ID{reason.OCSPTooOld}},
		{"no nextUpdate, no maximum age", noNext, unbounded, []reason.ID{reason.OCSPStale}},
		{"no maximum age", nil, unbounded, nil},
		{"a day later", nil, at(options, now.AddDate(0, 0, 1)), []reason.ID{reason.OCSPStale, reason.OCSPTooOld}},
		{"a day earlier", nil, at(options, now.AddDate(0, 0, -1)), []reason.ID{reason.OCSPNotYetValid}},
	} {
		s := a.conforming(r, nil)
		if c.change != nil {
			c.change(s)
		}
		refuse(t, c.name, s, c.o, c.want...)
	}
	negative := options
	negative.MaxAge = -1
	refuse(t, "a negative bound allows nothing", a.conforming(r, nil), negative, reason.OCSPTooOld)
}

// TestNeverIssuedIsNoHold: RFC 6960 section 2.2 says "certificateHold" of a certificate that was never
// issued. Nobody must be told to lift that hold.
func TestNeverIssuedIsNoHold(t *testing.T) {
	a, r := theCA(), theRequest()
	s := a.conforming(r, nil)
	s.singles[0].status = revoked(time.Unix(0, 0), 6)
	if got := a.answer(t, s, r, options); got.NotIssued || got.Reason != crl.CertificateHold {
		t.Errorf("without the extension: %+v", got)
	}
	s.extensions = append(s.extensions, extension("1.3.6.1.5.5.7.48.1.9", false, null))
	if got := a.answer(t, s, r, options); !got.NotIssued || got.Status != Revoked || got.Reason != crl.Unspecified {
		t.Errorf("%+v", got)
	}
	s.singles[0].status = revoked(now, 6)
	if got := a.answer(t, s, r, options); got.NotIssued || got.Reason != crl.CertificateHold {
		t.Errorf("a hold like any other: %+v", got)
	}
}

// TestAllFindings: one refusal does not hide another.
func TestAllFindings(t *testing.T) {
	a := theCA()
	s := a.conforming(theRequest(), a.delegate(func(c *x509.Certificate) { c.ExtKeyUsage, c.NotAfter = nil, now.AddDate(0, 0, -1) }))
	s.extensions = [][]byte{extension("1.2.3", true, nil), nonceExtension([]byte{1})}
	s.singles = append(s.singles, s.singles[0])
	s.singles[0].status, s.singles[0].next = revoked(now, 1), generalized(now.Add(-time.Hour))
	s.singles[0].this, s.producedAt = generalized(now.Add(time.Hour)), generalized(now.Add(time.Hour))
	s.key = strangersKey()
	refuse(t, "all", s, options, reason.OCSPUnknownCriticalExtension, reason.OCSPNonceMismatch, reason.OCSPConflict, reason.OCSPStale,
		reason.OCSPFormatFailure, reason.OCSPNotYetValid, reason.OCSPResponderUnauthorized, reason.OCSPResponderNotValidNow, reason.OCSPSignatureInvalid)
}

func TestAlgorithms(t *testing.T) {
	a := newAuthority(rsaKey(), caName)
	r := must(NewRequest(a.issue(strangersKey(), nil), a.cert, crypto.SHA1, nonce))
	sha1 := func(s *responseSpec) { s.algorithm = rsaSHA1 }
	for name, c := range map[string]struct {
		change func(*responseSpec)
		allow  signature.AllowList
		want   []reason.ID
	}{
		"SHA-256":           {func(*responseSpec) {}, allowed, nil},
		"nothing allowed":   {func(*responseSpec) {}, nil, []reason.ID{reason.OCSPAlgorithmRefused}},
		"SHA-1":             {sha1, allowed, []reason.ID{reason.OCSPAlgorithmRefused}},
		"SHA-1, allowed":    {sha1, signature.AllowList{signature.PKCS1SHA1}, nil},
		"said to be ECDSA":  {func(s *responseSpec) { s.algorithm = ecdsaSHA256 }, allowed, []reason.ID{reason.OCSPAlgorithmRefused}},
		"not an identifier": {func(s *responseSpec) { s.algorithm = seq(oid("1.2.3")) }, allowed, []reason.ID{reason.OCSPAlgorithmRefused}},
	} {
		s := a.conforming(r, nil)
		c.change(s)
		o := options
		o.Allow = c.allow
		if _, found := Check(s.der(), r, a.cert, a.public, o); !slices.Equal(found, c.want) {
			t.Errorf("%s: %v, want %v", name, found, c.want)
		}
	}
	if _, found := Check(a.conforming(r, nil).der(), r, a.cert, nil, options); !slices.Equal(found, []reason.ID{reason.OCSPAlgorithmRefused}) {
		t.Errorf("no key: %v", found)
	}
}

// TestNewRequest: what is asked, and what is not.
func TestNewRequest(t *testing.T) {
	a := theCA()
	other := newAuthority(delegateKey(), caName)
	for name, c := range map[string]struct {
		issuer *pkix.Certificate
		hash   crypto.Hash
		nonce  []byte
		ok     bool
	}{
		"SHA-1":                     {a.cert, crypto.SHA1, nil, true},
		"SHA-256":                   {a.cert, crypto.SHA256, make([]byte, 128), true},
		"SHA-384":                   {a.cert, crypto.SHA384, nonce, false},
		"no hash":                   {a.cert, 0, nonce, false},
		"empty nonce":               {a.cert, crypto.SHA256, []byte{}, false},
		"nonce too long":            {a.cert, crypto.SHA256, make([]byte, 129), false},
		"another key of the issuer": {other.cert, crypto.SHA256, nonce, false},
		"another issuer":            {holder(), crypto.SHA256, nonce, false},
	} {
		if r, err := NewRequest(holder(), c.issuer, c.hash, c.nonce); (err == nil) != c.ok || (r != nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
	big20 := a.issue(strangersKey(), func(c *x509.Certificate) {
		c.SerialNumber = new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 159), big.NewInt(1))
	})
	own := bytes.Clone(nonce)
	r := must(NewRequest(big20, a.cert, crypto.SHA256, own))
	own[0]++
	if !bytes.Equal(r.nonce, nonce) {
		t.Error("the request changes with the caller's buffer")
	}
	a.answer(t, a.conforming(r, nil), r, options)
}
