package certs_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	xpkix "crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"testing"
	"time"

	"github.com/tashika-jp/tashika/certs"
	"github.com/tashika-jp/tashika/certs/anchors"
	"github.com/tashika-jp/tashika/certs/crl"
	"github.com/tashika-jp/tashika/certs/pkix"
	"github.com/tashika-jp/tashika/certs/profile"
	"github.com/tashika-jp/tashika/certs/reason"
	"github.com/tashika-jp/tashika/certs/sandbox"
)

// TestListWithoutPartition: a list without issuing distribution point is, by RFC 5280, one of all its issuer's
// certificates. Of JPKI it would be one municipality's that does not say so: nobody is good by it, unless a profile
// says that the issuer makes such lists.
func TestListWithoutPartition(t *testing.T) {
	now := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	check := func(der []byte, err error) []byte {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	name := xpkix.Name{Country: []string{"JP"}, Organization: []string{"A test"}}
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: name, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, IsCA: true, BasicConstraintsValid: true, SubjectKeyId: []byte("key")}
	caDER := check(x509.CreateCertificate(rand.Reader, ca, ca, &key.PublicKey, key))
	point, err := asn1.Marshal([]asn1.RawValue{{Class: 2, Tag: 0, IsCompound: true, Bytes: wrapped(t, 0xa0, wrapped(t, 0xa4, check(asn1.Marshal(name.ToRDNSequence()))))}})
	if err != nil {
		t.Fatal(err)
	}
	points, err := asn1.Marshal(asn1.RawValue{Class: 0, Tag: 16, IsCompound: true, Bytes: point})
	if err != nil {
		t.Fatal(err)
	}
	policies := check(asn1.Marshal([]struct{ ID asn1.ObjectIdentifier }{{asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 32473, 8, 3, 40}}}))
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: xpkix.Name{CommonName: "A holder"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtraExtensions: []xpkix.Extension{
			{Id: asn1.ObjectIdentifier{2, 5, 29, 31}, Value: points},
			{Id: asn1.ObjectIdentifier{2, 5, 29, 32}, Critical: true, Value: policies},
		}}
	parent, err := x509.ParseCertificate(caDER)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := pkix.ParseCertificate(check(x509.CreateCertificate(rand.Reader, leaf, parent, &key.PublicKey, key)))
	if err != nil {
		t.Fatal(err)
	}
	set, err := anchors.New(anchors.Config{Set: "test", Sources: []anchors.Source{{DER: caDER, CA: anchors.Auth}}, Policies: map[profile.Kind][]pkix.OID{
		profile.MobileAuth: {pkix.MustOID(sandbox.PolicyMobileAuth)}, profile.MobileSign: {pkix.MustOID(sandbox.PolicyMobileSign)}}})
	if err != nil {
		t.Fatal(err)
	}
	list, err := crl.Parse(check(x509.CreateRevocationList(rand.Reader, &x509.RevocationList{
		Number: big.NewInt(1), ThisUpdate: now.Add(-time.Minute), NextUpdate: now.Add(time.Hour)}, parent, key)))
	if err != nil {
		t.Fatal(err)
	}
	a := set.All()[0]
	index, found := crl.NewIndex(list, a.Certificate, a.Key, allowed)
	if index == nil || !index.Covers(cert) {
		t.Fatalf("by RFC 5280 the list covers the certificate: %v", found)
	}
	w := &world{t: t, now: now}
	trust := certs.Trust{Profile: w.profile(kiosk), Anchors: set, Revocation: &oneList{index: index}, Now: now}
	p := certs.Presented{Certificate: cert, Method: profile.CRL}
	expect(t, "list without partition", certs.Verify(context.Background(), p, trust), certs.Indeterminate, certs.Unknown, reason.CRLScopeMismatch)
	trust.Profile.Revocation.CRLPartitionRequired = false
	expect(t, "whole list, by the profile's leave", certs.Verify(context.Background(), p, trust), certs.Valid, certs.Good)
}

// wrapped puts a header of DER before some content.
func wrapped(t *testing.T, tag byte, content []byte) []byte {
	t.Helper()
	if len(content) > 127 {
		t.Fatal("longer than one octet of length")
	}
	return append([]byte{tag, byte(len(content))}, content...)
}
