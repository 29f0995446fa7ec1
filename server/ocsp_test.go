package server

import (
	"encoding/hex"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/tashika-jp/tashika/certs/sandbox"
	tashikav1 "github.com/tashika-jp/tashika/proto/tashika/v1"
	"github.com/tashika-jp/tashika/server/revocation"
)

// TestOCSP: answers, an answer again, an outage that costs no verdict, and what of it is to be seen.
func TestOCSP(t *testing.T) {
	r := refreshed(t, func(c *Config) {
		for _, o := range world().Sources().OCSP {
			c.Revocation.Responders = append(c.Revocation.Responders,
				Responder{Name: fmt.Sprintf("ocsp-%v-g%d", o.Authority, o.Generation), URL: o.URL, IssuerKeyID: hex.EncodeToString(o.KeyID)})
		}
	})
	defer world().ClearFaults()
	verify := func(request *tashikav1.VerifyRequest, token string, method tashikav1.RevocationMethod) *tashikav1.VerifyResponse {
		t.Helper()
		request.RevocationMethod = method
		out, err := r.verification().Verify(as(token), request)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	sees := func(lines ...string) {
		t.Helper()
		scraped := r.scrape()
		for _, line := range lines {
			if !strings.Contains(scraped, line+"\n") {
				t.Errorf("no %q in the metrics", line)
			}
		}
	}
	const (
		ocsp        = tashikav1.RevocationMethod_REVOCATION_METHOD_OCSP
		ocspThenCRL = tashikav1.RevocationMethod_REVOCATION_METHOD_OCSP_THEN_CRL
		crl         = tashikav1.RevocationMethod_REVOCATION_METHOD_CRL
	)
	// At the kiosk an answer serves again, and its age goes on; where identities are verified none does.
	phone := newPhone(t)
	first := verify(r.kioskRequest(phone), kioskToken, ocsp)
	again := verify(r.kioskRequest(phone), kioskToken, ocsp)
	for _, v := range []*tashikav1.VerifyResponse{first, again} {
		s := v.GetStatus()
		if v.GetVerdict() != tashikav1.Verdict_VERDICT_VALID || s.GetMethod() != ocsp || s.GetSourceTime() == nil ||
			s.GetAge().AsDuration() != v.GetVerifyTime().AsTime().Sub(s.GetSourceTime().AsTime()) {
			t.Errorf("%v %v", v.GetVerdict(), s)
		}
	}
	if again.GetStatus().GetAge().AsDuration() <= first.GetStatus().GetAge().AsDuration() {
		t.Error("the answer that was used again is no older")
	}
	for range 2 {
		verify(r.kycRequest(phone), kycToken, ocsp)
	}
	sees(`tashika_ocsp_questions_total{outcome="asked"} 3`, `tashika_ocsp_questions_total{outcome="cached"} 1`, `tashika_ocsp_wait_seconds_count 3`,
		`tashika_ocsp_circuits{circuit="closed"} 4`, `tashika_ocsp_circuits{circuit="open"} 0`)

	// The responder is down: the list answers, and after some questions the responder is left alone.
	if err := world().SetOCSPFault(sandbox.OCSPFault{Kind: sandbox.OCSPUnavailable}); err != nil {
		t.Fatal(err)
	}
	for range 8 {
		out := verify(r.kycRequest(phone), kycToken, ocspThenCRL)
		s := out.GetStatus()
		if out.GetVerdict() != tashikav1.Verdict_VERDICT_VALID || s.GetMethod() != crl || !s.GetFallback() || s.GetAge() == nil ||
			len(out.GetReasons()) == 0 || out.GetReasons()[0].GetId() != "REVOCATION_FALLBACK_USED" {
			t.Errorf("%v %v %v", out.GetVerdict(), s, out.GetReasons())
		}
	}
	out := verify(r.kycRequest(phone), kycToken, ocsp)
	if out.GetVerdict() != tashikav1.Verdict_VERDICT_INDETERMINATE || out.GetReasons()[0].GetId() != "OCSP_UNAVAILABLE" {
		t.Errorf("%v %v", out.GetVerdict(), out.GetReasons())
	}
	sees(`tashika_ocsp_circuits{circuit="closed"} 3`)
	counted := map[string]int{}
	for _, m := range regexp.MustCompile(`(?m)^tashika_ocsp_questions_total\{outcome="(\w+)"\} (\d+)$`).FindAllStringSubmatch(r.scrape(), -1) {
		counted[m[1]], _ = strconv.Atoi(m[2])
	}
	// On a slow machine one of them may try in between whether the responder is back.
	if len(counted) != len(revocation.OCSPOutcomes()) || counted["failed"] < 5 || counted["failed"]+counted["refused"] != 9 {
		t.Errorf("questions %v", counted)
	}
}
