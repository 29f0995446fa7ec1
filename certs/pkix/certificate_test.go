package pkix

import (
	"bytes"
	"crypto/x509"
	"os"
	"path/filepath"
	"testing"
)

// sharedCertificates returns the DER of certificates that nobody here made, or skips.
func sharedCertificates(t testing.TB, pattern string) map[string][]byte {
	t.Helper()
	paths, _ := filepath.Glob(filepath.Join("..", "..", "..", "shared", pattern))
	if len(paths) == 0 {
		t.Skip("no shared material at " + pattern)
	}
	out := map[string][]byte{}
	for _, path := range paths {
		der, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		out[filepath.Base(path)] = der
	}
	return out
}

func TestRealAuthorities(t *testing.T) {
	for name, der := range sharedCertificates(t, "jpki-ca/*.cer") {
		c, err := ParseCertificate(der)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if c.Version != 3 || !c.IsCA || c.MaxPathLen != -1 || c.KeyUsage != KeyCertSign|CRLSign || !c.KeyUsageCritical {
			t.Errorf("%s: not the profile of an authority: %+v", name, c.Extensions)
		}
		if len(c.SubjectKeyID) != 20 || c.AuthorityKeyID != nil || !c.SelfIssued() {
			t.Errorf("%s: key identifiers or names", name)
		}
		if len(c.DistributionPoints) != 1 || !Name(c.DistributionPoints[0].FullName[0].Value).Equal(c.Subject) {
			t.Errorf("%s: the distribution point is not its own name", name)
		}
		if want := ",O=JPKI,C=JP"; !bytes.HasSuffix([]byte(c.Subject.String()), []byte(want)) {
			t.Errorf("%s: subject %s", name, c.Subject)
		}
	}
}

// agree compares what is read here with crypto/x509, where both read it.
func agree(t *testing.T, der []byte) {
	ours, err := ParseCertificate(der)
	theirs, theirErr := x509.ParseCertificate(der)
	if err != nil || theirErr != nil {
		return
	}
	if !bytes.Equal(ours.RawTBS, theirs.RawTBSCertificate) || len(ours.Signature) > 0 && !bytes.Equal(ours.Signature, theirs.Signature) ||
		!bytes.Equal(ours.Issuer, theirs.RawIssuer) || !bytes.Equal(ours.Subject, theirs.RawSubject) ||
		!bytes.Equal(ours.RawSubjectPublicKeyInfo, theirs.RawSubjectPublicKeyInfo) {
		t.Error("raw parts differ from crypto/x509")
	}
	if !ours.NotBefore.Equal(theirs.NotBefore) || !ours.NotAfter.Equal(theirs.NotAfter) {
		t.Error("validity differs from crypto/x509")
	}
	if ours.Version != theirs.Version || ours.IsCA != theirs.IsCA || ours.KeyUsage != KeyUsage(theirs.KeyUsage) ||
		!bytes.Equal(ours.SubjectKeyID, theirs.SubjectKeyId) || !bytes.Equal(ours.AuthorityKeyID, theirs.AuthorityKeyId) {
		t.Error("extensions differ from crypto/x509")
	}
	if len(ours.Policies) != len(theirs.Policies) {
		t.Error("policies differ from crypto/x509")
	}
	if ours.HasBasicConstraints && ours.IsCA && ours.MaxPathLen != theirs.MaxPathLen {
		t.Errorf("pathLen %d, crypto/x509 %d", ours.MaxPathLen, theirs.MaxPathLen)
	}
}

// TestPKITSCertificatesParse: every certificate of PKITS is well-formed, also those that
// crypto/x509 cannot read.
func TestPKITSCertificatesParse(t *testing.T) {
	for name, der := range sharedCertificates(t, "conformance/pkits/certs/*") {
		if _, err := ParseCertificate(der); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		agree(t, der)
	}
}

// TestTrapDirectoryNameDistributionPoint: crypto/x509 returns no distribution point at all for
// a directoryName, and notation-core-go concludes that the certificate cannot be revoked.
func TestTrapDirectoryNameDistributionPoint(t *testing.T) {
	for name, der := range sharedCertificates(t, "jpki-ca/*.cer") {
		theirs, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		ours, err := ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		if len(theirs.CRLDistributionPoints) != 0 {
			t.Fatalf("%s: crypto/x509 has learned directoryName: this trap is gone", name)
		}
		if len(ours.DistributionPoints) != 1 || ours.DistributionPoints[0].FullName[0].Kind != DirectoryName {
			t.Errorf("%s: directoryName distribution point not read", name)
		}
	}
}

// TestEveryTruncationAndExtensionIsRefused: DER has one end.
func TestEveryTruncationAndExtensionIsRefused(t *testing.T) {
	for name, der := range sharedCertificates(t, "jpki-ca/*.cer") {
		for n := range der {
			if _, err := ParseCertificate(der[:n]); err == nil {
				t.Fatalf("%s: accepted when cut to %d bytes", name, n)
			}
		}
		if _, err := ParseCertificate(append(bytes.Clone(der), 0)); err == nil {
			t.Fatalf("%s: accepted with a trailing byte", name)
		}
	}
	if _, err := ParseCertificate(make([]byte, MaxCertificateSize+1)); err == nil {
		t.Error("accepted above the maximum size")
	}
}
