package sandbox

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"math/big"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
	"golang.org/x/crypto/ocsp"
)

// requestWith makes a request with x/crypto/ocsp and adds a nonce, which that
// package cannot.
func requestWith(t testing.TB, cert, issuer *x509.Certificate, nonce []byte) []byte {
	t.Helper()
	plain, err := ocsp.CreateRequest(cert, issuer, &ocsp.RequestOptions{Hash: crypto.SHA256})
	if err != nil {
		t.Fatal(err)
	}
	in := cryptobyte.String(plain)
	var outer, tbs cryptobyte.String
	if !in.ReadASN1(&outer, cbasn1.SEQUENCE) || !outer.ReadASN1(&tbs, cbasn1.SEQUENCE) {
		t.Fatal("x/crypto/ocsp made no request")
	}
	return requestDER(func(b *cryptobyte.Builder) {
		b.AddBytes(tbs)
		b.AddASN1(cbasn1.Tag(2).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { addExtension(b, oidOCSPNonce, false, octets(nonce)) })
		})
	})
}

func requestDER(tbs func(*cryptobyte.Builder)) []byte {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1(cbasn1.SEQUENCE, tbs) })
	return b.BytesOrPanic()
}

// nonceOf digs the nonce out of the raw response: x/crypto/ocsp shows only the
// extensions of single responses.
func nonceOf(t testing.TB, r *ocsp.Response) []byte {
	t.Helper()
	in := cryptobyte.String(r.TBSResponseData)
	var data, exts cryptobyte.String
	var has bool
	if !in.ReadASN1(&data, cbasn1.SEQUENCE) || !data.SkipASN1(cbasn1.Tag(2).ContextSpecific().Constructed()) ||
		!data.SkipASN1(cbasn1.GeneralizedTime) || !data.SkipASN1(cbasn1.SEQUENCE) ||
		!data.ReadOptionalASN1(&exts, &has, explicit1) || !data.Empty() {
		t.Fatal("unreadable ResponseData")
	}
	if !has {
		return nil
	}
	var list, ext, value cryptobyte.String
	var nonce []byte
	if !exts.ReadASN1(&list, cbasn1.SEQUENCE) || !list.ReadASN1(&ext, cbasn1.SEQUENCE) || !ext.SkipASN1(cbasn1.OBJECT_IDENTIFIER) ||
		!ext.ReadASN1(&value, cbasn1.OCTET_STRING) || !value.ReadASN1Bytes(&nonce, cbasn1.OCTET_STRING) {
		t.Fatal("unreadable nonce")
	}
	return nonce
}

func TestOCSPRequests(t *testing.T) {
	f := theWorld(t)
	p := f.phone(t, IssueOptions{})
	c := p.Certificate(Auth)
	cert, issuer := parse(t, c.DER), f.issuer(t, c)
	g, _ := f.generation(Auth, c.Generation)
	plain, err := ocsp.CreateRequest(cert, issuer, nil)
	if err != nil {
		t.Fatal(err)
	}
	unknown := *cert
	unknown.SerialNumber = new(big.Int).Lsh(big.NewInt(1), 150) // 20 octets and never issued
	neverIssued, err := ocsp.CreateRequest(&unknown, issuer, nil)
	if err != nil {
		t.Fatal(err)
	}
	otherGeneration, err := ocsp.CreateRequest(cert, parse(t, f.cas[Auth].generations[0].der), nil)
	if err != nil {
		t.Fatal(err)
	}
	long := func(n int) []byte { return requestWith(t, cert, issuer, bytes.Repeat([]byte{1}, n)) }
	for _, k := range []struct {
		name string
		req  []byte
		want ocsp.ResponseStatus
	}{
		{"good", plain, ocsp.Success},
		{"good_nonce_of_1", long(1), ocsp.Success},
		{"good_nonce_of_128", long(128), ocsp.Success},
		{"good_never_issued", neverIssued, ocsp.Success},
		{"bad_nonce_of_0", long(0), ocsp.Malformed},
		{"bad_nonce_of_129", long(129), ocsp.Malformed},
		{"bad_empty", nil, ocsp.Malformed},
		{"bad_trailing_octet", append(bytes.Clone(plain), 0), ocsp.Malformed},
		{"bad_cut", plain[:len(plain)-1], ocsp.Malformed},
		{"bad_no_questions", requestDER(func(b *cryptobyte.Builder) { b.AddASN1(cbasn1.SEQUENCE, func(*cryptobyte.Builder) {}) }), ocsp.Malformed},
		{"bad_issuer_of_other_generation", otherGeneration, ocsp.Unauthorized},
	} {
		der := f.answerOCSP(g, k.req, OCSPHealthy)
		r, err := ocsp.ParseResponse(der, issuer)
		got := ocsp.Success
		var e ocsp.ResponseError
		if errors.As(err, &e) {
			got = e.Status
		} else if err != nil {
			t.Errorf("%s: %v", k.name, err)
			continue
		}
		if got != k.want {
			t.Errorf("%s: %v, want %v", k.name, got, k.want)
		}
		if k.name == "good_never_issued" && r.Status != ocsp.Unknown {
			t.Errorf("%s: status %d", k.name, r.Status)
		}
	}
	if s, ok := f.Status(Auth, 1); ok {
		t.Errorf("serial 1 has status %v", s)
	}
}

func TestOCSPOverHTTP(t *testing.T) {
	f := theWorld(t)
	c := f.phone(t, IssueOptions{}).Certificate(Sign)
	cert, issuer := parse(t, c.DER), f.issuer(t, c)
	address := cert.OCSPServer[0]
	// GET, RFC 6960 appendix A.1. The nonce makes base64 with '/' and "//" in it.
	req := requestWith(t, cert, issuer, bytes.Repeat([]byte{0xFF}, 30))
	encoded := base64.StdEncoding.EncodeToString(req)
	if !strings.Contains(encoded, "//") {
		t.Fatal("the test needs slashes")
	}
	for _, path := range []string{url.QueryEscape(encoded), strings.ReplaceAll(encoded, "+", "%2B")} {
		res, der := fetch(t, address+"/"+path)
		if r, err := ocsp.ParseResponseForCert(der, cert, issuer); err != nil || r.Status != ocsp.Good {
			t.Errorf("GET %s: %d %v", path[:20], res.StatusCode, err)
		}
	}
	if _, der := fetch(t, address+"/not*base64"); !bytes.Equal(der, ocspError(ocspMalformedRequest)) {
		t.Errorf("GET of rubbish: % x", der)
	}
	for _, k := range []struct {
		name, contentType string
		body              []byte
		want              int
	}{
		{"wrong content type", "text/plain", req, http.StatusUnsupportedMediaType},
		{"content type with parameter", "application/ocsp-request; x=y", req, http.StatusOK},
		{"too large", "application/ocsp-request", make([]byte, maxOCSPRequest+1), http.StatusRequestEntityTooLarge},
		{"rubbish", "application/ocsp-request", []byte("rubbish"), http.StatusOK},
	} {
		res, err := http.Post(address, k.contentType, bytes.NewReader(k.body))
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != k.want {
			t.Errorf("%s: %d, want %d", k.name, res.StatusCode, k.want)
		}
	}
}

// FuzzOCSPRequest: what is accepted has questions with a serial, no more than
// the limit, and a nonce within RFC 9654; the answer is always a DER OCSPResponse.
func FuzzOCSPRequest(f *testing.F) {
	w := theWorld(f)
	g, _ := w.generation(Auth, Generations)
	c := w.phone(f, IssueOptions{}).Certificate(Auth)
	cert, issuer := parse(f, c.DER), w.issuer(f, c)
	f.Add(requestWith(f, cert, issuer, []byte{1}))
	plain, err := ocsp.CreateRequest(cert, issuer, nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(plain)
	f.Add([]byte{0x30, 0x00})
	f.Fuzz(func(t *testing.T, der []byte) {
		r, err := parseOCSPRequest(der)
		if err == nil {
			if n := len(r.questions); n < 1 || n > maxOCSPQuestions {
				t.Errorf("%d questions", n)
			}
			if r.nonce != nil && (len(r.nonce) < 1 || len(r.nonce) > maxNonce) {
				t.Errorf("nonce of %d octets", len(r.nonce))
			}
			for _, q := range r.questions {
				if q.serial == nil || !bytes.Contains(der, q.certID) {
					t.Error("question that was not asked")
				}
			}
		}
		answer := w.answerOCSP(g, der, OCSPHealthy)
		in := cryptobyte.String(answer)
		var body cryptobyte.String
		if !in.ReadASN1(&body, cbasn1.SEQUENCE) || !in.Empty() {
			t.Errorf("answer % x", answer)
		}
		if _, err2 := ocsp.ParseResponse(answer, nil); err != nil && err2 == nil {
			t.Error("a malformed request was answered")
		}
	})
}
