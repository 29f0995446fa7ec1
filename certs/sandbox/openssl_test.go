package sandbox

import (
	"context"
	"crypto"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The openssl program is the foremost oracle: it shares no code with this
// package, and kiosk developers have it.

func openssl(t *testing.T, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "openssl", args...).CombinedOutput()
	return string(out), err
}

func needOpenSSL(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("the openssl program is not installed: ", err)
	}
}

func (f *fixture) anchorsPEM(t *testing.T, dir string) string {
	var ders [][]byte
	for _, a := range f.Anchors() {
		ders = append(ders, a.DER)
	}
	return writePEM(t, dir, "anchors.pem", "CERTIFICATE", ders...)
}

// listsPEM is every list of the world in one file: openssl must find the right
// one by generation and partition.
func (f *fixture) listsPEM(t *testing.T, dir string) string {
	var ders [][]byte
	for _, s := range f.Sources().Lists {
		_, der := fetch(t, s.URL)
		ders = append(ders, der)
	}
	return writePEM(t, dir, "lists.pem", "X509 CRL", ders...)
}

func TestOpenSSLVerifiesCertificatesAgainstLists(t *testing.T) {
	needOpenSSL(t)
	f := theWorld(t)
	dir := t.TempDir()
	card, err := f.IssueCard(someone(), IssueOptions{})
	if err != nil {
		t.Fatal(err)
	}
	heldCard, err := f.IssueCard(someone(), IssueOptions{})
	if err != nil {
		t.Fatal(err)
	}
	good, old := f.phone(t, IssueOptions{}), f.phone(t, IssueOptions{Generation: 1})
	held, revoked, moved := f.phone(t, IssueOptions{}), f.phone(t, IssueOptions{Generation: 1}), f.phone(t, IssueOptions{})
	p256, p384 := f.phone(t, IssueOptions{Key: P256}), f.phone(t, IssueOptions{Key: P384})
	expired := f.phone(t, IssueOptions{Expired: true})
	nowhere := f.phone(t, IssueOptions{Municipality: UnpublishedMunicipality})
	for _, err := range []error{
		f.ReportLost(held), f.ReportLost(heldCard), f.Revoke(revoked, DefaultPassword), f.MoveHouse(moved, "13112", ""),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	var strangers []*Phone
	for _, forge := range []bool{false, true} {
		i, err := f.Impostor(forge)
		if err != nil {
			t.Fatal(err)
		}
		p, err := i.Issue(someone(), IssueOptions{})
		if err != nil {
			t.Fatal(err)
		}
		strangers = append(strangers, p)
	}
	anchors, lists := f.anchorsPEM(t, dir), f.listsPEM(t, dir)

	const revokedText = "certificate revoked"
	for i, c := range []struct {
		name, signWants, authWants string // what openssl complains of; "" is OK
		p                          *Phone
	}{
		{"good_phone", "", "", good},
		{"good_phone_older_generation", "", "", old},
		{"good_card", "", "", card},
		{"good_phone_P-256", "", "", p256},
		{"good_phone_P-384", "", "", p384},
		{"held_phone", revokedText, revokedText, held},
		{"held_card", revokedText, revokedText, heldCard},
		{"revoked_phone_older_generation", revokedText, revokedText, revoked},
		{"moved_phone", revokedText, "", moved},
		{"bad_expired", "has expired", "has expired", expired},
		{"bad_no_list_for_partition", "different CRL scope", "different CRL scope", nowhere},
		{"bad_foreign_CA", "unable to get local issuer", "unable to get local issuer", strangers[0]},
		{"bad_forged_AKI", "signature failure", "signature failure", strangers[1]},
	} {
		for _, a := range authorities {
			t.Run(fmt.Sprintf("%s/%v", c.name, a), func(t *testing.T) {
				file := writePEM(t, dir, fmt.Sprintf("%d-%v.pem", i, a), "CERTIFICATE", c.p.Certificate(a).DER)
				out, err := openssl(t, "verify", "-attime", fmt.Sprint(testNow.Unix()), "-x509_strict",
					"-crl_check", "-extended_crl", "-CAfile", anchors, "-CRLfile", lists, file)
				want := c.signWants
				if a == Auth {
					want = c.authWants
				}
				switch {
				case want == "" && (err != nil || !strings.Contains(out, ": OK")):
					t.Errorf("want OK, got %v: %s", err, out)
				case want != "" && (err == nil || !strings.Contains(out, want)):
					t.Errorf("want %q, got %v: %s", want, err, out)
				}
			})
		}
	}
}

func TestOpenSSLVerifiesEveryList(t *testing.T) {
	needOpenSSL(t)
	f := theWorld(t)
	dir := t.TempDir()
	for _, s := range f.Sources().Lists {
		// `openssl crl` takes the first CA of that name, whatever its key: the very
		// mistake that generations under one DN are there to reveal. So give it one.
		g, _ := f.generation(s.Authority, s.Generation)
		anchors := writePEM(t, dir, "anchor.pem", "CERTIFICATE", g.der)
		_, der := fetch(t, s.URL)
		file := writePEM(t, dir, "list.pem", "X509 CRL", der)
		out, err := openssl(t, "crl", "-noout", "-verify", "-CAfile", anchors, "-in", file)
		if err != nil || !strings.Contains(out, "verify OK") {
			t.Errorf("%s: %v: %s", s.URL, err, out)
		}
	}
}

// TestOpenSSLAsksTheResponder runs on the real clock (the world's default),
// because `openssl ocsp` compares thisUpdate with the machine's time.
func TestOpenSSLAsksTheResponder(t *testing.T) {
	needOpenSSL(t)
	f := newFixture(t, Config{Clock: time.Now})
	dir := t.TempDir()
	good, held, revoked := f.phone(t, IssueOptions{}), f.phone(t, IssueOptions{Generation: 1}), f.phone(t, IssueOptions{})
	if err := f.ReportLost(held); err != nil {
		t.Fatal(err)
	}
	if err := f.Revoke(revoked, DefaultPassword); err != nil {
		t.Fatal(err)
	}
	anchors := f.anchorsPEM(t, dir)
	ask := func(t *testing.T, c Certificate, extra ...string) string {
		t.Helper()
		issuer := writePEM(t, dir, "issuer.pem", "CERTIFICATE", f.issuer(t, c).Raw)
		args := append([]string{"ocsp", "-issuer", issuer, "-CAfile", anchors, "-url", parse(t, c.DER).OCSPServer[0]}, extra...)
		out, err := openssl(t, args...)
		if err != nil || !strings.Contains(out, "Response verify OK") || strings.Contains(out, "WARNING") {
			t.Fatalf("%v: %s", err, out)
		}
		return out
	}
	for _, c := range []struct {
		name string
		p    *Phone
		want []string
	}{
		{"good", good, []string{": good"}},
		{"held", held, []string{": revoked", "certificateHold"}},
		{"revoked", revoked, []string{": revoked", "cessationOfOperation"}},
	} {
		for _, a := range authorities {
			for _, hash := range []string{"-sha1", "-sha256"} {
				t.Run(fmt.Sprintf("%s/%v%s", c.name, a, hash), func(t *testing.T) {
					cert := c.p.Certificate(a)
					file := writePEM(t, dir, "cert.pem", "CERTIFICATE", cert.DER)
					out := ask(t, cert, hash, "-cert", file)
					for _, w := range c.want {
						if !strings.Contains(out, w) {
							t.Errorf("want %q in %s", w, out)
						}
					}
				})
			}
		}
	}
	t.Run("unknown", func(t *testing.T) {
		if out := ask(t, good.Certificate(Auth), "-serial", "0x7fffffff"); !strings.Contains(out, ": unknown") {
			t.Error(out)
		}
	})
	t.Run("explicitly trusted responder", func(t *testing.T) {
		cert := good.Certificate(Auth)
		g, _ := f.generation(Auth, cert.Generation)
		va := writePEM(t, dir, "va.pem", "CERTIFICATE", g.responder.der)
		file := writePEM(t, dir, "cert.pem", "CERTIFICATE", cert.DER)
		if out := ask(t, cert, "-VAfile", va, "-cert", file); !strings.Contains(out, ": good") {
			t.Error(out)
		}
	})
}

// TestOpenSSLVerifiesSignatures: every algorithm of the phone, the deliberately
// wrong ones too, is what it says it is.
func TestOpenSSLVerifiesSignatures(t *testing.T) {
	needOpenSSL(t)
	f := theWorld(t)
	dir := t.TempDir()
	phones := map[scheme][]*Phone{
		pkcs1:     {f.phone(t, IssueOptions{})},
		ecdsaASN1: {f.phone(t, IssueOptions{Key: P256}), f.phone(t, IssueOptions{Key: P384})},
	}
	phones[pss] = phones[pkcs1]
	message := []byte("a challenge of a kiosk")
	content := filepath.Join(dir, "content")
	if err := os.WriteFile(content, message, 0o600); err != nil {
		t.Fatal(err)
	}
	for alg, s := range algorithms {
		for _, p := range phones[s.scheme] {
			file := writePEM(t, dir, "cert.pem", "CERTIFICATE", p.Certificate(Auth).DER)
			public, err := openssl(t, "x509", "-in", file, "-noout", "-pubkey")
			if err != nil {
				t.Fatal(public)
			}
			key, signature := filepath.Join(dir, "key.pem"), filepath.Join(dir, "signature")
			if err := os.WriteFile(key, []byte(public), 0o600); err != nil {
				t.Fatal(err)
			}
			h := alg.Hash().New()
			h.Write(message)
			whole, err1 := p.SignChallenge(DefaultPIN, alg, message)
			ofDigest, err2 := p.SignChallengeDigest(DefaultPIN, alg, h.Sum(nil))
			if err1 != nil || err2 != nil {
				t.Fatal(err1, err2)
			}
			for _, sig := range [][]byte{whole, ofDigest} {
				if err := os.WriteFile(signature, sig, 0o600); err != nil {
					t.Fatal(err)
				}
				flag := map[crypto.Hash]string{crypto.SHA1: "-sha1", crypto.SHA256: "-sha256", crypto.SHA384: "-sha384", crypto.SHA512: "-sha512"}
				args := []string{"dgst", flag[alg.Hash()], "-verify", key, "-signature", signature}
				if s.scheme == pss {
					args = append(args, "-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest")
				}
				if out, err := openssl(t, append(args, content)...); err != nil {
					t.Errorf("%v: %v: %s", alg, err, out)
				}
			}
		}
	}
}
