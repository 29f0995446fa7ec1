package sandbox

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestHolders(t *testing.T) {
	ids, eras, places, marked := map[string]bool{}, map[string]bool{}, map[string]bool{}, 0
	for i := range 5000 {
		h := HolderN(i)
		if err := h.check(); err != nil {
			t.Fatalf("holder %d: %v", i, err)
		}
		if ids[h.ID] {
			t.Fatalf("holder %d is somebody else", i)
		}
		ids[h.ID] = true
		if i < len(Holders()) {
			eras[h.DateOfBirth()[:1]], places[h.Municipality] = true, true
			if strings.Contains(h.NameMarks+h.AddressMarks, "1") {
				marked++
			}
		}
	}
	if len(eras) < 5 || len(places) < 6 || marked < 4 {
		t.Errorf("curated holders: eras %v, places %v, %d marked", eras, places, marked)
	}
	for date, want := range map[string]string{
		"1912-07-29": "119120729", "1912-07-30": "219120730", "1926-12-24": "219261224", "1926-12-25": "319261225",
		"1989-01-07": "319890107", "1989-01-08": "419890108", "2019-04-30": "420190430", "2019-05-01": "520190501",
	} {
		d, _ := time.Parse(time.DateOnly, date)
		if got := (Holder{Birth: d}).DateOfBirth(); got != want {
			t.Errorf("%s: %s, want %s", date, got, want)
		}
	}
}

func TestFifthBirthday(t *testing.T) {
	day := func(s string) time.Time { d, _ := time.Parse(time.RFC3339, s); return d }
	for _, c := range []struct{ birth, issued, want string }{
		{"1985-04-12T00:00:00Z", "2026-11-23T03:00:00Z", "2031-04-12T14:59:59Z"},
		{"1985-11-24T00:00:00Z", "2026-11-23T03:00:00Z", "2030-11-24T14:59:59Z"}, // the first is tomorrow
		{"1985-11-23T00:00:00Z", "2026-11-23T03:00:00Z", "2031-11-23T14:59:59Z"}, // today's does not count
		{"1988-02-29T00:00:00Z", "2026-03-01T00:00:00Z", "2031-02-28T14:59:59Z"},
		{"1988-02-29T00:00:00Z", "2023-03-01T00:00:00Z", "2028-02-29T14:59:59Z"},
	} {
		if got := fifthBirthday(day(c.birth), day(c.issued)); !got.Equal(day(c.want)) {
			t.Errorf("%s issued %s: %v, want %s", c.birth, c.issued, got, c.want)
		}
	}
}

func TestCertificateProfile(t *testing.T) {
	f := theWorld(t)
	h := someone()
	p, err := f.Issue(h, IssueOptions{})
	if err != nil {
		t.Fatal(err)
	}
	card, err := f.IssueCard(h, IssueOptions{})
	if err != nil {
		t.Fatal(err)
	}
	want := map[Kind]struct{ policy, usage, names string }{
		MobileSign: {PolicyMobileSign, "030206c0", "2.5.29.15 2.5.29.32 2.5.29.17 2.5.29.18 2.5.29.31 1.3.6.1.5.5.7.1.1 2.5.29.35 2.5.29.14"},
		CardSign:   {PolicyCardSign, "030206c0", "2.5.29.15 2.5.29.32 2.5.29.17 2.5.29.18 2.5.29.31 1.3.6.1.5.5.7.1.1 2.5.29.35 2.5.29.14"},
		MobileAuth: {PolicyMobileAuth, "03020780", "2.5.29.15 2.5.29.37 2.5.29.32 2.5.29.18 2.5.29.31 1.3.6.1.5.5.7.1.1 2.5.29.35 2.5.29.14"},
		CardAuth:   {PolicyCardAuth, "03020780", "2.5.29.15 2.5.29.37 2.5.29.32 2.5.29.18 2.5.29.31 1.3.6.1.5.5.7.1.1 2.5.29.35 2.5.29.14"},
	}
	for _, d := range []*Phone{p, card} {
		for _, a := range authorities {
			c := d.Certificate(a)
			x, w := parse(t, c.DER), want[c.Kind]
			if len(x.PolicyIdentifiers) != 1 || x.PolicyIdentifiers[0].String() != w.policy {
				t.Errorf("%s: policy %v", c.Kind, x.PolicyIdentifiers)
			}
			var oids []string
			for _, e := range x.Extensions {
				oids = append(oids, e.Id.String())
				if critical := e.Id.Equal(oidKeyUsage) || e.Id.Equal(oidPolicies); e.Critical != critical {
					t.Errorf("%s: %v critical = %v", c.Kind, e.Id, e.Critical)
				}
				if e.Id.Equal(oidKeyUsage) && hex.EncodeToString(e.Value) != w.usage {
					t.Errorf("%s: key usage %x", c.Kind, e.Value)
				}
				if e.Id.Equal(oidSAN) {
					if diff := cmp.Diff([]string{"1", h.Name, "4", h.DateOfBirth(), "3", h.Gender, "5", h.Address, "2", h.NameMarks, "6", h.AddressMarks}, otherNames(t, e.Value)); diff != "" {
						t.Error(diff)
					}
				}
			}
			if got := strings.Join(oids, " "); got != w.names {
				t.Errorf("%s: extensions %s", c.Kind, got)
			}
			if err := x.CheckSignatureFrom(f.issuer(t, c)); err != nil {
				t.Errorf("%s: %v", c.Kind, err)
			}
			// The trap of Go's parser: a directoryName distribution point is invisible.
			if len(x.CRLDistributionPoints) != 0 || len(x.OCSPServer) != 1 || x.NotAfter.Format("150405") != "145959" {
				t.Errorf("%s: CDP %v, OCSP %v, notAfter %v", c.Kind, x.CRLDistributionPoints, x.OCSPServer, x.NotAfter)
			}
			if n := len(c.DER); n < 1200 || n > 2600 {
				t.Errorf("%s: %d octets", c.Kind, n)
			}
		}
	}
	if cn := parse(t, p.Certificate(Auth).DER).Subject.CommonName; len(cn) != 14+5+4 || !strings.HasSuffix(cn, h.Municipality+"003A") {
		t.Errorf("auth CN %q", cn)
	}
	for _, a := range f.Anchors() {
		x := parse(t, a.DER)
		if err := x.CheckSignatureFrom(x); err != nil {
			t.Error(err)
		}
		if x.AuthorityKeyId != nil || !bytes.Equal(x.SubjectKeyId, a.KeyID) || !x.IsCA || x.MaxPathLen != -1 ||
			x.KeyUsage != x509.KeyUsageCertSign|x509.KeyUsageCRLSign || x.NotAfter.Format("150405") != "145959" ||
			!strings.Contains(x.Subject.String(), sandboxOrg) || x.NotAfter.Before(testNow) {
			t.Errorf("CA certificate %v g%d is off its profile", a.Authority, a.Generation)
		}
	}
}

func otherNames(t *testing.T, der []byte) (out []string) {
	t.Helper()
	var raw []asn1.RawValue
	if _, err := asn1.Unmarshal(der, &raw); err != nil {
		t.Fatal(err)
	}
	for _, r := range raw {
		var one struct {
			ID    asn1.ObjectIdentifier
			Value asn1.RawValue
		}
		// GeneralName otherName is [0] IMPLICIT SEQUENCE: read it as one.
		if _, err := asn1.UnmarshalWithParams(r.FullBytes, &one, "tag:0"); err != nil {
			t.Fatal(err)
		}
		var value asn1.RawValue // inside [0] EXPLICIT
		if _, err := asn1.Unmarshal(one.Value.Bytes, &value); err != nil {
			t.Fatal(err)
		}
		if value.Tag != asn1.TagUTF8String || one.Value.Tag != 0 {
			t.Errorf("otherName %v has tag %d in %d", one.ID, value.Tag, one.Value.Tag)
		}
		out = append(out, strings.TrimPrefix(one.ID.String(), "1.2.392.200149.8.5.5."), string(value.Bytes))
	}
	return out
}

func TestSecretsLock(t *testing.T) {
	f := theWorld(t)
	p := f.phone(t, IssueOptions{PIN: "2580", Password: "Abc123"})
	use := map[string]func(string) error{
		"PIN":      func(s string) error { _, err := p.SignChallenge(s, DefaultAlgorithm, []byte("c")); return err },
		"password": func(s string) error { _, err := p.SignContent(s, DefaultAlgorithm, []byte("c")); return err },
	}
	for what, s := range map[string]struct{ right, wrong, malformed string }{
		"PIN": {"2580", "0000", "12a4"}, "password": {"Abc123", "abc123", "日本語パスワード"},
	} {
		try := use[what]
		for i := range 4 {
			var w *WrongSecretError
			if err := try(s.wrong); !errors.As(err, &w) || w.Left != 4-i {
				t.Fatalf("%s: wrong try %d: %v", what, i+1, err)
			}
		}
		if err := try(s.malformed); !errors.Is(err, ErrPINFormat) && !errors.Is(err, ErrPasswordFormat) {
			t.Errorf("%s: malformed: %v", what, err)
		}
		if err := try(s.right); err != nil {
			t.Errorf("%s: right after four wrong: %v", what, err)
		}
		for range 4 { // the right one set the counter back
			if err := try(s.wrong); !errors.Is(err, ErrWrongSecret) {
				t.Errorf("%s: %v", what, err)
			}
		}
		for range 2 {
			if err := try(s.wrong); !errors.Is(err, ErrLocked) {
				t.Errorf("%s: fifth wrong: %v", what, err)
			}
		}
		if err := try(s.right); !errors.Is(err, ErrLocked) {
			t.Errorf("%s: right after the lock: %v", what, err)
		}
	}
	if err := p.ResetSecrets("12345", "Abc123"); !errors.Is(err, ErrPINFormat) {
		t.Error(err)
	}
	if err := p.ResetSecrets("1111", "NEW12345"); err != nil {
		t.Fatal(err)
	}
	if use["PIN"]("1111") != nil || use["password"]("NEW12345") != nil {
		t.Error("still locked after the reset")
	}
	if _, err := p.SignChallenge("1111", ECDSASHA256, []byte("c")); !errors.Is(err, ErrAlgorithm) {
		t.Errorf("ECDSA with an RSA key: %v", err)
	}
	if _, err := p.SignChallengeDigest("1111", RSAPKCS1SHA256, make([]byte, 20)); !errors.Is(err, ErrDigestLength) {
		t.Errorf("short digest: %v", err)
	}
}

func TestKeyReuse(t *testing.T) {
	supplied, err := pool.fresh()
	if err != nil {
		t.Fatal(err)
	}
	p := NewKeyPool(KeyPoolConfig{Ahead: -1, Reuse: 1, Supplied: []*rsa.PrivateKey{supplied}})
	for range 3 {
		if k, err := p.forPhone(); err != nil || k != supplied {
			t.Errorf("not the supplied key again: %v", err)
		}
	}
	// A CA's key is never one that phones have.
	if k, err := p.fresh(); err != nil || k == supplied {
		t.Errorf("a CA got a phone's key: %v", err)
	}
}
