package ocsp

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tashika-jp/tashika/certs/pkix"
	"github.com/tashika-jp/tashika/certs/reason"
)

// TestOpenSSL: openssl answers our requests, with and without nonce, and reads our responses.
func TestOpenSSL(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("the openssl program is not installed: ", err)
	}
	dir := t.TempDir()
	file := func(name string, b []byte) string {
		path := filepath.Join(dir, name)
		if b != nil {
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return path
	}
	certificate := func(c *pkix.Certificate) []byte {
		return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
	}
	openssl := func(args ...string) string {
		out, err := exec.CommandContext(t.Context(), "openssl", args...).CombinedOutput()
		if err != nil {
			t.Fatalf("openssl %v: %v: %s", args, err, out)
		}
		return string(out)
	}
	a, d := theCA(), theCA().delegate(nil)
	ca, responder := file("ca.pem", certificate(a.cert)), file("responder.pem", certificate(d))
	key := file("key.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: must(x509.MarshalPKCS8PrivateKey(delegateKey()))}))
	for line, want := range map[string]Answer{
		"V\t301231000000Z\t\t1267\tunknown\t/CN=holder":                                                    {Status: Good},
		"R\t301231000000Z\t261120000000Z,keyCompromise\t1267\tunknown\t/CN=holder":                         {Status: Revoked, Reason: 1},
		"R\t301231000000Z\t261120000000Z,holdInstruction,holdInstructionReject\t1267\tunknown\t/CN=holder": {Status: Revoked, Reason: 6},
		"V\t301231000000Z\t\t01\tunknown\t/CN=other":                                                       {Status: Unknown},
	} {
		index := file("index.txt", []byte(line+"\n"))
		for _, n := range [][]byte{nonce, nil} {
			r := must(NewRequest(holder(), a.cert, crypto.SHA256, n))
			out := file("response.der", nil)
			openssl("ocsp", "-index", index, "-CA", ca, "-rsigner", responder, "-rkey", key, "-rmd", "sha256", "-ndays", "1",
				"-reqin", file("request.der", r.DER), "-respout", out)
			der := must(os.ReadFile(out))
			parsed := must(parseResponse(der, 4))
			o := options
			o.At, o.RequireNonce = parsed.producedAt, n != nil // openssl goes by the clock
			answer, found := Check(der, r, a.cert, a.public, o)
			found = slices.DeleteFunc(found, func(id reason.ID) bool { return id == reason.OCSPResponderNotValidNow })
			if len(found) > 0 || answer != nil && (answer.Status != want.Status || answer.Reason != want.Reason) {
				t.Errorf("%q: %+v %v", line, answer, found)
			}
			agree(t, der)
		}
	}
	s := a.conforming(theRequest(), d)
	s.producedAt, s.singles[0].this, s.singles[0].next = generalized(time.Now()), generalized(time.Now()), generalized(time.Now().Add(time.Hour))
	s.singles[0].status = revoked(now, 6)
	out := openssl("ocsp", "-respin", file("ours.der", s.der()), "-CAfile", ca, "-issuer", ca, "-sha256", "-cert", file("holder.pem", certificate(holder())),
		"-no_nonce", "-text")
	if !strings.Contains(out, "Response verify OK") || !strings.Contains(out, "revoked") || !strings.Contains(out, "certificateHold") {
		t.Errorf("openssl of our response: %s", out)
	}
}
