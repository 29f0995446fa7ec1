package conformance

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// OpenSSL asks the openssl program, once for each case: openssl verify, ocsp and pkeyutl.
type OpenSSL struct{}

// Name implements Judge.
func (OpenSSL) Name() string { return "OpenSSL" }

// Version implements Judge.
func (OpenSSL) Version(ctx context.Context) (string, error) {
	out, err := version(ctx, "openssl", "version")
	name, _, _ := strings.Cut(out, " (")
	return name, err
}

// Judge implements Judge.
func (OpenSSL) Judge(ctx context.Context, cases []Case, done func()) ([]Answer, error) {
	return each(ctx, cases, done, func(ctx context.Context, c Case) (Answer, error) {
		dir, err := os.MkdirTemp("", "conformance")
		if err != nil {
			return Answer{}, err
		}
		defer os.RemoveAll(dir)
		switch {
		case c.PublicKey != nil:
			return opensslSignature(ctx, dir, c)
		case c.Revocation == "ocsp":
			return opensslOCSP(ctx, dir, c)
		default:
			return opensslVerify(ctx, dir, c)
		}
	})
}

// opensslVerify gives all of openssl verify that RFC 5280 asks for: extended CRL support
// (indirect, reasons), deltas, the policy tree with the initial settings. -x509_strict stays
// off: it demands more of a CA's profile than the RFC of a path.
func opensslVerify(ctx context.Context, dir string, c Case) (Answer, error) {
	anchors, err := writePEM(dir, "anchors.pem", "CERTIFICATE", c.TrustAnchors)
	if err != nil {
		return Answer{}, err
	}
	leaf, err := writePEM(dir, "leaf.pem", "CERTIFICATE", [][]byte{c.Certificate})
	if err != nil {
		return Answer{}, err
	}
	args := []string{"verify", "-CAfile", anchors, "-no-CApath", "-no-CAstore",
		"-attime", strconv.FormatInt(c.Time.Unix(), 10), "-policy_check"}
	if len(c.Intermediates) > 0 {
		untrusted, err := writePEM(dir, "untrusted.pem", "CERTIFICATE", c.Intermediates)
		if err != nil {
			return Answer{}, err
		}
		args = append(args, "-untrusted", untrusted)
	}
	if c.Revocation == "crl" {
		args = append(args, "-extended_crl", "-use_deltas", "-crl_check")
		if c.Scope == "chain" {
			args = append(args, "-crl_check_all")
		}
		if len(c.CRLs) > 0 {
			crls, err := writePEM(dir, "crls.pem", "X509 CRL", c.CRLs)
			if err != nil {
				return Answer{}, err
			}
			args = append(args, "-CRLfile", crls)
		}
	}
	if p := c.Policy; p != nil {
		for _, oid := range p.InitialPolicySet { // anyPolicy too: it is no default of the program's
			args = append(args, "-policy", oid)
		}
		for flag, set := range map[string]bool{
			"-explicit_policy": p.RequireExplicitPolicy, "-inhibit_map": p.InhibitPolicyMapping, "-inhibit_any": p.InhibitAnyPolicy,
		} {
			if set {
				args = append(args, flag)
			}
		}
	}
	if slices.Contains(c.ExtendedKeyUsage, serverAuth) {
		args = append(args, "-purpose", "sslserver")
	}
	switch {
	case c.ServerName == "":
	case c.isAddress():
		args = append(args, "-verify_ip", c.ServerName)
	default:
		args = append(args, "-verify_hostname", c.ServerName)
	}
	out, err := run(ctx, "openssl", append(args, leaf)...)
	if err != nil {
		return Answer{}, err
	}
	if out.ok && strings.HasSuffix(strings.TrimSpace(out.text), ": OK") {
		return Answer{Accept: true}, nil
	}
	return Answer{Why: out.reason("error ")}, nil
}

// opensslOCSP reads the status that openssl ocsp prints for the certificate. -attime holds for
// the responder's certificate only; nextUpdate is compared with the present, but leniently by
// as many seconds as one likes, so by those since the time of the case.
func opensslOCSP(ctx context.Context, dir string, c Case) (Answer, error) {
	anchors, err := writePEM(dir, "anchors.pem", "CERTIFICATE", c.TrustAnchors)
	if err != nil {
		return Answer{}, err
	}
	issuer, err := writePEM(dir, "issuer.pem", "CERTIFICATE", [][]byte{c.issuer()})
	if err != nil {
		return Answer{}, err
	}
	leaf, err := writePEM(dir, "leaf.pem", "CERTIFICATE", [][]byte{c.Certificate})
	if err != nil {
		return Answer{}, err
	}
	response := filepath.Join(dir, "response.der")
	if err := os.WriteFile(response, c.OCSPResponses[0], 0o600); err != nil {
		return Answer{}, err
	}
	other := anchors // where the issuer as a responder is looked for, as OpenSSL's own test does
	if len(c.Intermediates) > 0 {
		if other, err = writePEM(dir, "untrusted.pem", "CERTIFICATE", c.Intermediates); err != nil {
			return Answer{}, err
		}
	}
	// Two runs: an -issuer is also trusted to have signed the response, whatever its name.
	check := []string{"ocsp", "-respin", response, "-CAfile", anchors, "-verify_other", other,
		"-partial_chain", "-no-CApath", "-no-CAstore", "-attime", strconv.FormatInt(c.Time.Unix(), 10)}
	if c.NoCertChecks {
		check = append(check, "-no_cert_checks")
	}
	out, err := run(ctx, "openssl", check...)
	if err != nil {
		return Answer{}, err
	}
	if !out.ok || !strings.Contains(out.text, "Response verify OK") {
		return Answer{Why: out.reason("rror")}, nil
	}
	out, err = run(ctx, "openssl", "ocsp", "-respin", response, "-issuer", issuer, "-cert", leaf, "-noverify",
		"-validity_period", strconv.FormatInt(int64(time.Since(c.Time).Seconds()), 10))
	if err != nil {
		return Answer{}, err
	}
	if out.ok && strings.Contains(out.text, leaf+": good") {
		return Answer{Accept: true}, nil
	}
	return Answer{Why: out.reason("rror")}, nil
}

// opensslSignature verifies a signature alone. Not with openssl dgst, which reads no more of a
// signature than the key is long, and so accepts what has been appended.
func opensslSignature(ctx context.Context, dir string, c Case) (Answer, error) {
	key, err := writePEM(dir, "key.pem", "PUBLIC KEY", [][]byte{c.PublicKey})
	if err != nil {
		return Answer{}, err
	}
	signature := c.Signature
	if c.Algorithm.Type == "ecdsa-p1363" {
		if signature, err = p1363ToDER(c); err != nil {
			return Answer{Why: err.Error()}, nil
		}
	}
	file, message := filepath.Join(dir, "signature"), filepath.Join(dir, "message")
	if err := errors.Join(os.WriteFile(file, signature, 0o600), os.WriteFile(message, c.Message, 0o600)); err != nil {
		return Answer{}, err
	}
	digest := func(name string) string { return strings.ToLower(strings.ReplaceAll(name, "-", "")) }
	args := []string{"pkeyutl", "-verify", "-pubin", "-inkey", key, "-rawin", "-digest", digest(c.Algorithm.Hash),
		"-sigfile", file, "-in", message}
	if c.Algorithm.Type == "rsa-pss" {
		args = append(args, "-pkeyopt", "rsa_padding_mode:pss",
			"-pkeyopt", "rsa_pss_saltlen:"+strconv.Itoa(*c.Algorithm.SaltLength), "-pkeyopt", "rsa_mgf1_md:"+digest(c.Algorithm.MGFHash))
	}
	out, err := run(ctx, "openssl", args...)
	if err != nil {
		return Answer{}, err
	}
	if out.ok && strings.Contains(out.text, "Signature Verified Successfully") {
		return Answer{Accept: true}, nil
	}
	return Answer{Why: out.reason("rror")}, nil
}

// p1363ToDER is what a program must do that has r and s at full length and a library that
// wants DER.
func p1363ToDER(c Case) ([]byte, error) {
	key, err := ecdsaKey(c.PublicKey)
	if err != nil {
		return nil, err
	}
	size := (key.Curve.Params().BitSize + 7) / 8
	if len(c.Signature) != 2*size {
		return nil, errors.New("not two integers of the curve's size")
	}
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1BigInt(new(big.Int).SetBytes(c.Signature[:size]))
		b.AddASN1BigInt(new(big.Int).SetBytes(c.Signature[size:]))
	})
	return b.Bytes()
}

// output is what a program printed and whether it was content.
type output struct {
	text string
	ok   bool
}

// reason is the first line that has the word, else all of it in one.
func (o output) reason(word string) string {
	for line := range strings.Lines(o.text) {
		if strings.Contains(line, word) {
			return strings.TrimSpace(line)
		}
	}
	return strings.Join(strings.Fields(o.text), " ")
}

// run starts a program; that it refuses is no error, that it cannot be started is one.
func run(ctx context.Context, name string, args ...string) (output, error) {
	command := exec.CommandContext(ctx, name, args...)
	out, err := command.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || !exit.Exited()) {
		return output{}, fmt.Errorf("%s %s: %w", name, args[0], err)
	}
	return output{string(out), err == nil}, nil
}

// version is the first line that a program prints when asked for it.
func version(ctx context.Context, name string, args ...string) (string, error) {
	if _, err := exec.LookPath(name); err != nil {
		return "", fmt.Errorf("%w: %s", ErrNotInstalled, name)
	}
	out, err := run(ctx, name, args...)
	if err == nil && !out.ok {
		err = fmt.Errorf("%s %s: %s", name, args[0], out.text)
	}
	first, _, _ := strings.Cut(out.text, "\n")
	return first, err
}

func writePEM(dir, name, kind string, ders [][]byte) (string, error) {
	var data []byte
	for _, der := range ders {
		data = append(data, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})...)
	}
	name = filepath.Join(dir, name)
	return name, os.WriteFile(name, data, 0o600)
}
