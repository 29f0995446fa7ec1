package crl

import (
	"bytes"
	"crypto/rand"
	"crypto/x509"
	xpkix "crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// agree compares what is read here with crypto/x509, where both read it. It returns the list,
// nil if it was refused here.
func agree(t *testing.T, der []byte) *List {
	ours, err := Parse(der)
	theirs, theirErr := x509.ParseRevocationList(der)
	if err != nil {
		if ours != nil {
			t.Error("a list beside an error")
		}
		return nil
	}
	if theirErr != nil {
		return ours
	}
	if !bytes.Equal(ours.RawTBS, theirs.RawTBSRevocationList) || !bytes.Equal(ours.Issuer, theirs.RawIssuer) ||
		len(ours.Signature) > 0 && !bytes.Equal(ours.Signature, theirs.Signature) {
		t.Error("raw parts differ from crypto/x509")
	}
	if !ours.ThisUpdate.Equal(theirs.ThisUpdate) || !ours.NextUpdate.Equal(theirs.NextUpdate) {
		t.Error("times differ from crypto/x509")
	}
	if theirs.Number != nil && (ours.Number == nil || new(big.Int).SetBytes(ours.Number).Cmp(theirs.Number) != 0) {
		t.Error("number differs from crypto/x509")
	}
	if !bytes.Equal(ours.AuthorityKeyID, theirs.AuthorityKeyId) {
		t.Error("authority key identifier differs from crypto/x509")
	}
	if ours.EntryCount != len(theirs.RevokedCertificateEntries) {
		t.Fatalf("%d entries, crypto/x509 %d", ours.EntryCount, len(theirs.RevokedCertificateEntries))
	}
	i := 0
	for serial, e := range ours.Entries() {
		other := theirs.RevokedCertificateEntries[i]
		n := new(big.Int).SetBytes(serial)
		if serial[0]&0x80 != 0 {
			n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(serial))))
		}
		if n.Cmp(other.SerialNumber) != 0 || !e.RevocationTime.Equal(other.RevocationTime) || int(e.Reason) != other.ReasonCode {
			t.Errorf("entry %d: %x %+v, crypto/x509 %+v", i, serial, e, other)
		}
		i++
	}
	if i != ours.EntryCount {
		t.Errorf("%d entries read, %d counted", i, ours.EntryCount)
	}
	return ours
}

func TestParseAgreesWithX509(t *testing.T) {
	a := theCA()
	var revoked []x509.RevocationListEntry
	for i := range 120 {
		serial := new(big.Int).SetBytes(append(randomSerial(i%18+1), byte(i>>8), byte(i)))
		entry := x509.RevocationListEntry{SerialNumber: serial.Add(serial, big.NewInt(1)), RevocationTime: now.Add(-time.Duration(i) * time.Hour), ReasonCode: i % 7}
		if i%5 == 0 {
			date, _ := asn1.MarshalWithParams(now.Add(-time.Hour), "generalized")
			entry.ExtraExtensions = []xpkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 24}, Value: date}}
		}
		revoked = append(revoked, entry)
	}
	for n := range revoked {
		der, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{
			Number: big.NewInt(int64(n) << 33), ThisUpdate: now, NextUpdate: now.Add(time.Hour), RevokedCertificateEntries: revoked[:n],
		}, a.parent, a.key)
		if err != nil {
			t.Fatal(err)
		}
		l := agree(t, der)
		if l == nil || l.EntryCount != n {
			t.Fatalf("list of %d entries not read", n)
		}
		x, found := NewIndex(l, a.cert, a.public, allowed)
		if x == nil {
			t.Fatalf("list by crypto/x509 refused: %v", found)
		}
		for i, e := range revoked {
			entry, ok, err := x.Lookup(contents(e.SerialNumber))
			if err != nil || ok != (i < n) || ok && int(entry.Reason) != e.ReasonCode {
				t.Fatalf("list of %d: entry %d: %v %v", n, i, entry, ok)
			}
		}
	}
}

// contents are the content octets of an INTEGER that is not negative.
func contents(n *big.Int) []byte {
	b := n.Bytes()
	if len(b) == 0 || b[0]&0x80 != 0 {
		b = append([]byte{0}, b...)
	}
	return b
}

// TestPKITSLists: every list of PKITS but those that are malformed on purpose is read, and the
// entries are those that crypto/x509 reads.
func TestPKITSLists(t *testing.T) {
	paths, _ := filepath.Glob("../../../shared/conformance/pkits/crls/*")
	if len(paths) == 0 {
		t.Skip("no shared material")
	}
	for _, path := range paths {
		der, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if agree(t, der) == nil {
			t.Errorf("%s is not read", filepath.Base(path))
		}
	}
	t.Logf("%d lists", len(paths))
}

func TestVersion1(t *testing.T) {
	s := theCA().conforming(nil, revoke([]byte{1}, now))
	s.version, s.extensions = nil, nil
	l, err := Parse(s.sign(ecKey()))
	if err != nil || l.Version != 1 || l.EntryCount != 1 || l.Number != nil {
		t.Fatalf("%v %+v", err, l)
	}
}

func TestParseRefuses(t *testing.T) {
	a := theCA()
	hold := because(CertificateHold)
	entry := func(parts ...[]byte) func(*listSpec) {
		return func(s *listSpec) { s.entries = seq(seq(parts...)) }
	}
	ext := func(id string, value []byte) func(*listSpec) { return func(s *listSpec) { s.set(id, false, value) } }
	one, at := integer(7), utc(now)
	for name, change := range map[string]func(*listSpec){
		"version v1 encoded":            func(s *listSpec) { s.version = integer(0) },
		"version v3":                    func(s *listSpec) { s.version = integer(2) },
		"v1 with extensions":            func(s *listSpec) { s.version = nil },
		"v1 with entry extensions":      func(s *listSpec) { s.version, s.extensions, s.entries = nil, nil, seq(revoke([]byte{1}, now, hold)) },
		"inner and outer algorithm":     func(s *listSpec) { s.outer = rsaSHA256 },
		"thisUpdate without seconds":    func(s *listSpec) { s.this = wrap(23, []byte("2611230300Z")) },
		"nextUpdate with an offset":     func(s *listSpec) { s.next = wrap(23, []byte("261123030000+0900")) },
		"30 February":                   func(s *listSpec) { s.next = wrap(24, []byte("20270230000000Z")) },
		"fraction of a second":          func(s *listSpec) { s.next = wrap(24, []byte("20270201000000.5Z")) },
		"something behind":              func(s *listSpec) { s.after = integer(1) },
		"extension twice":               func(s *listSpec) { s.extensions = append(s.extensions, s.extensions[1]) },
		"no extensions but the tag":     func(s *listSpec) { s.extensions = []extension{} },
		"number negative":               ext("2.5.29.20", integer(-1)),
		"number not minimal":            ext("2.5.29.20", []byte{2, 2, 0, 1}),
		"number and more":               ext("2.5.29.20", append(integer(1), 0)),
		"number huge":                   ext("2.5.29.20", wrap(2, bytes.Repeat([]byte{1}, 300))),
		"base number negative":          ext("2.5.29.27", integer(-1)),
		"key id: issuer without serial": ext("2.5.29.35", seq(wrap(explicit(1), directory(tsukuba)))),
		"key id: serial without issuer": ext("2.5.29.35", seq(wrap(tag(2), []byte{1}))),
		"key id: no sequence":           ext("2.5.29.35", wrap(tag(0), []byte{1})),
		"key id: more behind":           ext("2.5.29.35", seq(wrap(tag(0), []byte{1}), integer(1))),
		"IDP: FALSE encoded":            ext("2.5.29.28", seq(wrap(tag(1), []byte{0}))),
		"IDP: TRUE not FF":              ext("2.5.29.28", seq(wrap(tag(1), []byte{1}))),
		"IDP: wrong order":              ext("2.5.29.28", seq(wrap(tag(2), flagTrue), wrap(tag(1), flagTrue))),
		"IDP: no names":                 ext("2.5.29.28", seq(fullName())),
		"IDP: reasons with zero bits":   ext("2.5.29.28", seq(wrap(tag(3), []byte{0, 0x40}))),
		"IDP: more behind":              ext("2.5.29.28", append(seq(wrap(tag(1), flagTrue)), 5, 0)),
		"entry: no time":                entry(one),
		"entry: no serial":              entry(at),
		"entry: serial not minimal":     entry([]byte{2, 2, 0, 1}, at),
		"entry: serial empty":           entry([]byte{2, 0}, at),
		"entry: malformed time":         entry(one, wrap(23, []byte("261323030000Z"))),
		"entry: no extensions":          entry(one, at, seq()),
		"entry: more behind":            entry(one, at, extensions([]extension{hold}), one),
		"entry: reason twice":           entry(one, at, extensions([]extension{hold, hold})),
		"entry: unknown one twice":      entry(one, at, extensions([]extension{{"1.2.3", false, nil}, hold, {"1.2.3", false, nil}})),
		"entry: reason 7":               entry(one, at, extensions([]extension{because(7)})),
		"entry: reason 11":              entry(one, at, extensions([]extension{because(11)})),
		"entry: reason of two octets":   entry(one, at, extensions([]extension{{"2.5.29.21", false, []byte{10, 2, 0, 1}}})),
		"entry: reason as INTEGER":      entry(one, at, extensions([]extension{{"2.5.29.21", false, []byte{2, 1, 1}}})),
		"entry: reason and more":        entry(one, at, extensions([]extension{{"2.5.29.21", false, []byte{10, 1, 1, 0}}})),
		"entry: invalidity in UTCTime":  entry(one, at, extensions([]extension{{"2.5.29.24", false, at}})),
		"entry: FALSE encoded":          entry(one, at, seq(seq(element("2.5.29.21"), []byte{1, 1, 0}, wrap(4, []byte{10, 1, 1})))),
		"entry: OID not minimal":        entry(one, at, seq(seq([]byte{6, 3, 0x55, 0x80, 1}, wrap(4, nil)))),
		"entry: value not octets":       entry(one, at, seq(seq(element("2.5.29.21"), []byte{5, 0}))),
		"entry: a million extensions": func(s *listSpec) {
			var many [][]byte
			for i := range 1000 {
				many = append(many, extension{"1.2." + big.NewInt(int64(i)).String(), false, nil}.der())
			}
			s.entries = seq(seq(one, at, seq(many...)))
		},
		"entries not sequences": func(s *listSpec) { s.entries = seq(one) },
	} {
		s := a.conforming(tsukuba, revoke([]byte{1}, now))
		change(s)
		if _, err := Parse(s.sign(a.key)); err == nil {
			t.Errorf("%s: read", name)
		}
	}
	fine := a.conforming(tsukuba, revoke([]byte{1}, now)).sign(a.key)
	if _, err := Parse(fine); err != nil {
		t.Fatal(err)
	}
	for name, der := range map[string][]byte{
		"nothing": nil, "trailing octet": append(bytes.Clone(fine), 0), "two lists": append(bytes.Clone(fine), fine...),
		"indefinite length":  append([]byte{0x30, 0x80}, append(bytes.Clone(fine[4:]), 0, 0)...),
		"length not minimal": append([]byte{0x30, 0x83, 0, fine[2], fine[3]}, fine[4:]...),
	} {
		if _, err := Parse(der); err == nil {
			t.Errorf("%s: read", name)
		}
	}
	for n := range fine {
		if _, err := Parse(fine[:n]); err == nil {
			t.Errorf("read, cut to %d octets", n)
		}
	}
}

// TestTolerated: what binds issuers but endangers nobody, and what is optional.
func TestTolerated(t *testing.T) {
	a := theCA()
	for name, change := range map[string]func(*listSpec){
		"empty revokedCertificates":   func(s *listSpec) { s.entries = seq() },
		"GeneralizedTime before 2050": func(s *listSpec) { s.next = generalized(now.Add(time.Hour)) },
		"unknown extension":           func(s *listSpec) { s.set("1.2.3.4", false, []byte("anything")) },
		"hold instruction, invalidity date, unknown": func(s *listSpec) {
			s.entries = seq(revoke([]byte{5}, now, because(CertificateHold), extension{"2.5.29.23", false, element("1.2.840.10040.2.1")},
				extension{"2.5.29.24", false, generalized(now)}, extension{"1.2.3", false, nil}))
		},
		"key identifier with issuer and serial": func(s *listSpec) {
			s.set("2.5.29.35", false, seq(wrap(tag(0), a.cert.SubjectKeyID), wrap(explicit(1), directory(a.cert.Subject)), wrap(tag(2), []byte{1})))
		},
		"no key identifier": func(s *listSpec) { s.drop("2.5.29.35") },
	} {
		t.Run(name, func(t *testing.T) {
			s := a.conforming(tsukuba)
			change(s)
			a.index(t, s)
			agree(t, s.sign(a.key))
		})
	}
}
