package sandbox

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// TestOpenSSLVerifiesCMS: openssl accepts what a phone makes, and refuses every fault.
func TestOpenSSLVerifiesCMS(t *testing.T) {
	needOpenSSL(t)
	f := theWorld(t)
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	anchors := f.anchorsPEM(t, dir)
	rsa, ec := f.phone(t, IssueOptions{}), f.phone(t, IssueOptions{Key: P384})
	content := []byte("口座開設申込書")
	if err := os.WriteFile(file("content"), content, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		p    *Phone
		o    CMSOptions
		fail bool
	}{
		"good_attached":        {rsa, CMSOptions{}, false},
		"good_time":            {rsa, CMSOptions{SigningTime: true}, false},
		"good_auth":            {rsa, CMSOptions{Authority: Auth}, false},
		"good_detached":        {rsa, CMSOptions{Detached: true}, false},
		"good_certificate_not": {rsa, CMSOptions{NoCertificate: true}, false},
		"good_no_attributes":   {rsa, CMSOptions{NoAttributes: true}, false},
		"good_sha512":          {rsa, CMSOptions{Algorithm: RSAPKCS1SHA512}, false},
		"good_pss":             {rsa, CMSOptions{Algorithm: RSAPSSSHA256}, false},
		"good_ecdsa":           {ec, CMSOptions{}, false},
		"good_two_signers":     {rsa, CMSOptions{Fault: CMSTwoSigners}, false}, // who they are is not for openssl to mind
		"bad_content":          {rsa, CMSOptions{Fault: CMSContentChanged}, true},
		"bad_content_alone":    {rsa, CMSOptions{Fault: CMSContentChanged, NoAttributes: true}, true},
		"bad_digest":           {rsa, CMSOptions{Fault: CMSWrongDigest}, true},
		"bad_no_content_type":  {rsa, CMSOptions{Fault: CMSNoContentType}, true},
		"bad_no_signer":        {rsa, CMSOptions{Fault: CMSNoSigner}, true},
	} {
		t.Run(name, func(t *testing.T) {
			secret := DefaultPassword
			if c.o.Authority == Auth {
				secret = DefaultPIN
			}
			der, err := c.p.SignCMS(secret, content, c.o)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file(name), der, 0o600); err != nil {
				t.Fatal(err)
			}
			args := []string{"cms", "-verify", "-binary", "-inform", "DER", "-in", file(name), "-out", file(name + ".out"), "-purpose", "any",
				"-attime", fmt.Sprint(testNow.Unix()), "-CAfile", anchors}
			if c.o.Detached {
				args = append(args, "-content", file("content"))
			}
			if c.o.NoCertificate {
				args = append(args, "-certfile", writePEM(t, dir, name+".pem", "CERTIFICATE", c.p.Certificate(c.o.Authority).DER))
			}
			out, err := openssl(t, args...)
			if (err != nil) != c.fail {
				t.Errorf("%v: %s", err, out)
			}
			if got, _ := os.ReadFile(file(name + ".out")); err == nil && !bytes.Equal(got, content) {
				t.Errorf("content %q", got)
			}
		})
	}
}

// TestCMSRefusals: what a phone does not sign.
func TestCMSRefusals(t *testing.T) {
	p := theWorld(t).phone(t, IssueOptions{})
	for _, c := range []struct {
		secret string
		o      CMSOptions
		want   error
	}{
		{"WRONG123", CMSOptions{}, ErrWrongSecret},
		{DefaultPassword, CMSOptions{Authority: Auth}, ErrPINFormat},
		{DefaultPassword, CMSOptions{Algorithm: 99}, ErrAlgorithm},
		{DefaultPassword, CMSOptions{Algorithm: ECDSASHA256}, ErrAlgorithm},
		{DefaultPassword, CMSOptions{Fault: cmsFaultKinds}, ErrFault},
	} {
		if _, err := p.SignCMS(c.secret, []byte("x"), c.o); !errors.Is(err, c.want) {
			t.Errorf("%+v: %v, want %v", c.o, err, c.want)
		}
	}
	for _, a := range authorities {
		der, err := p.ExportKey(a)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := x509.ParsePKCS8PrivateKey(der); err != nil {
			t.Error(err)
		}
	}
}
