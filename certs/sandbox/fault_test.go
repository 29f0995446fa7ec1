package sandbox

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"
)

func TestListFaults(t *testing.T) {
	f := newFixture(t, Config{})
	p := f.phone(t, IssueOptions{})
	c := p.Certificate(Auth)
	id, issuer := c.List(), f.issuer(t, c)
	if err := f.ReportLost(p); err != nil {
		t.Fatal(err)
	}
	healthy := f.fetchList(t, id)
	now := f.clock.now()
	set := func(t *testing.T, fault ListFault) {
		t.Helper()
		if err := f.SetListFault(id, fault); err != nil {
			t.Fatal(err)
		}
	}
	for kind, code := range map[ListFaultKind]int{ListMissing: 404, ListUnavailable: 503} {
		set(t, ListFault{Kind: kind})
		if res, _ := fetch(t, f.url+id.Path()); res.StatusCode != code {
			t.Errorf("fault %d: %d", kind, res.StatusCode)
		}
	}
	signedBy := func(l *x509.RevocationList) bool { return l.CheckSignatureFrom(issuer) == nil }
	for _, k := range []struct {
		name  string
		fault ListFault
		bad   func(l *x509.RevocationList) bool // the fault, and nothing else, shows
	}{
		{"stale", ListFault{Kind: ListStale}, func(l *x509.RevocationList) bool {
			return signedBy(l) && l.NextUpdate.Before(now) && l.Number.Cmp(healthy.Number) == 0
		}},
		{"future", ListFault{Kind: ListFuture}, func(l *x509.RevocationList) bool { return signedBy(l) && l.ThisUpdate.After(now) }},
		{"wrong partition", ListFault{Kind: ListWrongPartition}, func(l *x509.RevocationList) bool {
			return signedBy(l) && !bytes.Equal(idpOf(l), idpOf(healthy))
		}},
		{"older number", ListFault{Kind: ListOlderNumber}, func(l *x509.RevocationList) bool {
			return signedBy(l) && l.NextUpdate.After(now) && l.Number.Cmp(healthy.Number) < 0 &&
				len(l.RevokedCertificateEntries) == len(healthy.RevokedCertificateEntries)-1
		}},
		{"foreign signature", ListFault{Kind: ListForeignSignature}, func(l *x509.RevocationList) bool {
			return !signedBy(l) && bytes.Equal(l.AuthorityKeyId, issuer.SubjectKeyId)
		}},
		{"other authority", ListFault{Kind: ListOtherAuthority}, func(l *x509.RevocationList) bool {
			return l.CheckSignatureFrom(f.issuer(t, p.Certificate(Sign))) == nil
		}},
		{"other generation", ListFault{Kind: ListOtherGeneration}, func(l *x509.RevocationList) bool {
			return !signedBy(l) && bytes.Equal(l.RawIssuer, issuer.RawSubject) && bytes.Equal(idpOf(l), idpOf(healthy))
		}},
		{"shrunken", ListFault{Kind: ListShrunken}, func(l *x509.RevocationList) bool {
			return signedBy(l) && l.Number.Cmp(healthy.Number) > 0 && len(l.RevokedCertificateEntries) == 1 && l.NextUpdate.After(now)
		}},
		{"grown", ListFault{Kind: ListGrown, Size: 1000}, func(l *x509.RevocationList) bool {
			return signedBy(l) && l.Number.Cmp(healthy.Number) > 0 && len(l.RevokedCertificateEntries) == len(healthy.RevokedCertificateEntries)+1000
		}},
	} {
		set(t, k.fault)
		if l := f.fetchList(t, id); !k.bad(l) {
			t.Errorf("%s does not look it", k.name)
		}
	}
	set(t, ListFault{Kind: ListTruncated})
	if _, der := fetch(t, f.url+id.Path()); len(der) == 0 || len(der) >= len(healthy.Raw) || !bytes.HasPrefix(healthy.Raw, der) {
		t.Errorf("truncated: %d of %d octets", len(der), len(healthy.Raw))
	}
	set(t, ListFault{Kind: ListDropped})
	if res, err := http.Get(f.url + id.Path()); err == nil {
		if _, err = io.ReadAll(res.Body); err == nil {
			t.Error("dropped: the body came whole")
		}
		res.Body.Close()
	}
	set(t, ListFault{Kind: ListOversized, Size: 3 << 20})
	if _, der := fetch(t, f.url+id.Path()); len(der) != 3<<20+5 || !bytes.HasPrefix(der, []byte{0x30, 0x83, 0x30, 0, 0}) {
		t.Errorf("oversized: %d octets, % x", len(der), der[:8])
	}
	set(t, ListFault{Kind: ListErrorPage})
	if res, body := fetch(t, f.url+id.Path()); res.StatusCode != 200 || !bytes.HasPrefix(body, []byte("<!DOCTYPE html>")) {
		t.Errorf("error page: %d, %.20s", res.StatusCode, body)
	}
	set(t, ListFault{Kind: ListBomb})
	if res, err := http.Get(f.url + id.Path()); err != nil {
		t.Error(err)
	} else {
		// The client decodes: more comes of it than ever went over the wire.
		if n, err := io.CopyN(io.Discard, res.Body, 200<<20); err != nil {
			t.Errorf("bomb: %d octets, %v", n, err)
		}
		res.Body.Close()
	}
	set(t, ListFault{Kind: ListTrickle})
	if res, err := http.Get(f.url + id.Path()); err != nil {
		t.Error(err)
	} else {
		some := make([]byte, 2)
		if _, err := io.ReadFull(res.Body, some); err != nil || !bytes.HasPrefix(healthy.Raw, some) || res.ContentLength != int64(len(healthy.Raw)) {
			t.Errorf("trickle: % x of %d, %v", some, res.ContentLength, err)
		}
		res.Body.Close()
	}
	// A fault is of one list only.
	if res, _ := fetch(t, f.url+ListID{Auth, 1, c.Municipality}.Path()); res.StatusCode != 200 {
		t.Error("another list fails too")
	}
	set(t, ListFault{Delay: time.Hour})
	slowEndsWithTheRequest(t, func(ctx context.Context) *http.Request {
		r, _ := http.NewRequestWithContext(ctx, "GET", f.url+id.Path(), nil)
		return r
	})
	if _, lists := f.Faults(); len(lists) != 1 {
		t.Errorf("faults: %v", lists)
	}
	f.ClearFaults()
	if l := f.fetchList(t, id); !bytes.Equal(l.Raw, healthy.Raw) {
		t.Error("not healed")
	}
	for _, c := range []struct {
		id    ListID
		fault ListFault
		want  error
	}{
		{ListID{Auth, 2, UnpublishedMunicipality}, ListFault{}, ErrUnknownList},
		{ListID{9, 2, "08220"}, ListFault{}, ErrUnknownList},
		{id, ListFault{Kind: listFaultKinds}, ErrFault},
		{id, ListFault{Kind: -1}, ErrFault},
		{id, ListFault{Kind: ListWrongPartition, Other: id.Municipality}, ErrFault},
		{id, ListFault{Kind: ListWrongPartition, Other: "x"}, ErrFault},
		{id, ListFault{Kind: ListGrown, Size: 1 << 40}, ErrFault},
	} {
		if err := f.SetListFault(c.id, c.fault); !errors.Is(err, c.want) {
			t.Errorf("%v %v: %v", c.id, c.fault, err)
		}
	}
}

func idpOf(l *x509.RevocationList) []byte {
	for _, e := range l.Extensions {
		if e.Id.Equal(oidIDP) {
			return e.Value
		}
	}
	return nil
}

func slowEndsWithTheRequest(t *testing.T, request func(context.Context) *http.Request) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := http.DefaultClient.Do(request(ctx)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("slow: %v", err)
	}
}

func TestOCSPFaults(t *testing.T) {
	f := newFixture(t, Config{})
	c := f.phone(t, IssueOptions{}).Certificate(Auth)
	cert, issuer := parse(t, c.DER), f.issuer(t, c)
	nonce := bytes.Repeat([]byte{7}, 32)
	request := requestWith(t, cert, issuer, nonce)
	post := func(t *testing.T) (int, []byte, error) {
		t.Helper()
		res, err := http.Post(cert.OCSPServer[0], "application/ocsp-request", bytes.NewReader(request))
		if err != nil {
			return 0, nil, err
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		return res.StatusCode, body, err
	}
	parsed := func(t *testing.T) *ocsp.Response {
		t.Helper()
		_, der, err := post(t)
		if err != nil {
			t.Fatal(err)
		}
		r, err := ocsp.ParseResponseForCert(der, cert, nil) // signature checked against the enclosed responder
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	issued := func(r *ocsp.Response) bool { return r.Certificate.CheckSignatureFrom(issuer) == nil }
	delegated := func(r *ocsp.Response) bool {
		return len(r.Certificate.ExtKeyUsage) == 1 && r.Certificate.ExtKeyUsage[0] == x509.ExtKeyUsageOCSPSigning
	}
	for _, k := range []struct {
		name string
		kind OCSPFaultKind
		ok   func(t *testing.T) bool
	}{
		{"healthy", OCSPHealthy, func(t *testing.T) bool {
			r := parsed(t)
			return r.Status == ocsp.Good && bytes.Equal(nonceOf(t, r), nonce) && issued(r) && delegated(r) &&
				r.NextUpdate.Sub(r.ThisUpdate) == 15*time.Minute
		}},
		{"unavailable", OCSPUnavailable, func(t *testing.T) bool { code, _, _ := post(t); return code == 503 }},
		{"dropped", OCSPDropped, func(t *testing.T) bool { _, _, err := post(t); return err != nil }},
		{"wrong nonce", OCSPWrongNonce, func(t *testing.T) bool {
			n := nonceOf(t, parsed(t))
			return len(n) == len(nonce) && !bytes.Equal(n, nonce)
		}},
		{"no nonce", OCSPNoNonce, func(t *testing.T) bool { return nonceOf(t, parsed(t)) == nil }},
		{"wrong responder", OCSPWrongResponder, func(t *testing.T) bool { r := parsed(t); return !issued(r) && delegated(r) }},
		{"not delegated", OCSPNotDelegated, func(t *testing.T) bool { r := parsed(t); return issued(r) && !delegated(r) }},
		{"stale", OCSPStale, func(t *testing.T) bool { return parsed(t).NextUpdate.Before(f.clock.now()) }},
		{"try later", OCSPTryLater, func(t *testing.T) bool { return statusOf(t, post, ocsp.TryLater) }},
		{"internal error", OCSPInternalError, func(t *testing.T) bool { return statusOf(t, post, ocsp.InternalError) }},
		{"rubbish", OCSPRubbish, func(t *testing.T) bool {
			code, der, _ := post(t)
			_, err := ocsp.ParseResponse(der, nil)
			return code == 200 && err != nil
		}},
	} {
		t.Run(k.name, func(t *testing.T) {
			if err := f.SetOCSPFault(OCSPFault{Kind: k.kind}); err != nil {
				t.Fatal(err)
			}
			if !k.ok(t) {
				t.Error("does not look it")
			}
		})
	}
	if err := f.SetOCSPFault(OCSPFault{Delay: time.Hour}); err != nil {
		t.Fatal(err)
	}
	slowEndsWithTheRequest(t, func(ctx context.Context) *http.Request {
		r, _ := http.NewRequestWithContext(ctx, "POST", cert.OCSPServer[0], bytes.NewReader(request))
		r.Header.Set("Content-Type", "application/ocsp-request")
		return r
	})
	f.ClearFaults()
	if code, _, err := post(t); code != 200 || err != nil {
		t.Errorf("not healed: %d %v", code, err)
	}
	if err := f.SetOCSPFault(OCSPFault{Kind: ocspFaultKinds}); !errors.Is(err, ErrFault) {
		t.Errorf("unknown fault: %v", err)
	}
}

func statusOf(t *testing.T, post func(*testing.T) (int, []byte, error), want ocsp.ResponseStatus) bool {
	t.Helper()
	_, der, err := post(t)
	if err != nil {
		t.Fatal(err)
	}
	var e ocsp.ResponseError
	_, err = ocsp.ParseResponse(der, nil)
	return errors.As(err, &e) && e.Status == want
}
