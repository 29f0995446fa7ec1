package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/tashika-jp/tashika/certs/crl"
)

// newLists are the files of the scripts about revocation lists, made by crypto/x509: of an authority (issuer.pem), and of a
// stranger of the same name (stranger.pem).
func newLists() (map[string][]byte, error) {
	files := map[string][]byte{}
	var failures []error
	for _, who := range []string{"issuer", "stranger"} {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return nil, err
		}
		template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{Country: []string{"JP"}, Organization: []string{"Example CA"}},
			NotBefore: at.AddDate(-1, 0, 0), NotAfter: at.AddDate(9, 0, 0), KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
			IsCA: true, BasicConstraintsValid: true}
		der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
		if err != nil {
			return nil, err
		}
		files[who+".pem"] = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
		issuer, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, err
		}
		// list has the serial numbers 1001 on; every tenth is on hold.
		list := func(name string, number, first, last int64, extra ...pkix.Extension) {
			l := &x509.RevocationList{Number: big.NewInt(number), ThisUpdate: at.AddDate(0, 0, int(number)), NextUpdate: at.AddDate(0, 0, int(number)+1), ExtraExtensions: extra}
			for n := first; n < last; n++ {
				e := x509.RevocationListEntry{SerialNumber: big.NewInt(1000 + n), RevocationTime: at, ReasonCode: 1}
				if n%10 == 0 {
					e.ReasonCode = 6
				}
				l.RevokedCertificateEntries = append(l.RevokedCertificateEntries, e)
			}
			der, err := x509.CreateRevocationList(rand.Reader, l, issuer, key)
			failures = append(failures, err)
			files[name] = der
		}
		if who == "stranger" {
			list("foreign.crl", 2, 1, 101)
			continue
		}
		list("old.crl", 1, 1, 101)
		list("new.crl", 2, 3, 103)
		list("cut.crl", 3, 0, 0)
		// onlyContainsCACerts
		list("ca.crl", 2, 1, 2, pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 28}, Critical: true, Value: []byte{0x30, 3, 0x82, 1, 0xff}})
		list("critical.crl", 2, 1, 2, pkix.Extension{Id: asn1.ObjectIdentifier{2, 999, 1}, Critical: true, Value: []byte{5, 0}})
		// of old.crl: deltaCRLIndicator
		list("delta.crl", 2, 100, 105, pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 27}, Critical: true, Value: []byte{2, 1, 1}})
		files["new.pem"] = append([]byte("a list:\n"), pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: files["new.crl"]})...)
		files["broken.crl"] = files["new.crl"][:len(files["new.crl"])/2]
	}
	return files, errors.Join(failures...)
}

// TestOpenList: DER and PEM are one list, nothing is left behind, and what is no list says so whatever it is.
func TestOpenList(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	files, err := newLists()
	if err != nil {
		t.Fatal(err)
	}
	endless := io.MultiReader(bytes.NewReader([]byte("-----BEGIN X509 CRL-----\n")), bytes.NewReader(bytes.Repeat([]byte("AAAA"), 1000)))
	for name, test := range map[string]struct {
		in   io.Reader
		want error
	}{
		"DER":             {in: bytes.NewReader(files["new.crl"])},
		"PEM":             {in: bytes.NewReader(files["new.pem"])},
		"PEM with CR":     {in: bytes.NewReader(bytes.ReplaceAll(files["new.pem"], []byte("\n"), []byte("\r\n")))},
		"PEM cut off":     {in: bytes.NewReader(files["new.pem"][:1000]), want: crl.ErrFormat},
		"DER cut off":     {in: bytes.NewReader(files["broken.crl"]), want: crl.ErrFormat},
		"DER and more":    {in: bytes.NewReader(append(bytes.Clone(files["new.crl"]), 0)), want: crl.ErrFormat},
		"a certificate":   {in: bytes.NewReader(files["issuer.pem"]), want: crl.ErrFormat},
		"empty":           {in: bytes.NewReader(nil), want: crl.ErrFormat},
		"text":            {in: bytes.NewReader(bytes.Repeat([]byte("a"), 1<<20)), want: crl.ErrFormat},
		"not even a list": {in: endless, want: crl.ErrFormat},
	} {
		i := &invocation{ctx: context.Background(), stdin: test.in, stderr: io.Discard}
		l, err := i.openList("-")
		if !errors.Is(err, test.want) || (l == nil) != (err != nil) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
		if l != nil {
			if l.size != int64(len(files["new.crl"])) || l.list.EntryCount != 100 {
				t.Errorf("%s: %d octets, %d entries", name, l.size, l.list.EntryCount)
			}
			l.close()
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := (&invocation{ctx: ctx, stdin: bytes.NewReader(files["new.crl"]), stderr: io.Discard}).openList("-"); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
	left, err := os.ReadDir(os.TempDir())
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// TestProgress: what takes long says how far it is, and takes it back.
func TestProgress(t *testing.T) {
	var out bytes.Buffer
	p := &progress{ctx: context.Background(), in: bytes.NewReader(make([]byte, 3<<20)), out: &out, name: "big\x1b.crl", total: 4 << 20, began: time.Now().Add(-time.Minute)}
	if _, err := io.ReadFull(p, make([]byte, 3<<20)); err != nil {
		t.Fatal(err)
	}
	p.end()
	if want := fmt.Sprintf("\r\x1b[K%s: 3 of 4 (75 %%) MiB\r\x1b[K", clean("big\x1b.crl")); out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
}

// TestTemporaryDirectoryMissing: a list that cannot be indexed is no malformed list.
func TestTemporaryDirectoryMissing(t *testing.T) {
	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), "none"))
	if _, err := (&invocation{ctx: context.Background(), stdin: bytes.NewReader([]byte{0x30, 0}), stderr: io.Discard}).openList("-"); err == nil || errors.Is(err, crl.ErrFormat) {
		t.Errorf("error %v", err)
	}
}
