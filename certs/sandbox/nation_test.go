package sandbox

import (
	"bytes"
	"compress/gzip"
	"crypto/x509"
	"encoding/csv"
	"io"
	"net/http"
	"strings"
	"testing"

	"golang.org/x/crypto/ocsp"
)

// TestNation: every municipality has its own code, name and partition, and its lists are signed only when read.
func TestNation(t *testing.T) {
	f := newFixture(t, Config{Partitions: NationalPartitions, Revoked: 50})
	all := f.Municipalities()
	if len(all) != NationalPartitions || all[0] != municipalities[0] {
		t.Fatalf("%d municipalities, first %v", len(all), all[0])
	}
	codes, names, partitions := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for i, m := range all {
		codes[m.Code], names[m.Prefecture+m.Name] = true, true
		if len(m.Code) != 5 || i >= len(municipalities) && !strings.Contains(m.Name, "架空") {
			t.Errorf("municipality %d: %+v", i, m)
		}
	}
	lists := f.Sources().Lists
	signed := 0
	for _, s := range lists {
		partitions[s.Authority.String()+s.Partition] = true
		l, err := f.list(s.ListID)
		if err != nil {
			t.Fatal(err)
		}
		if l.current.signed != nil {
			signed++
		}
	}
	if len(lists) != 2*Generations*NationalPartitions || len(codes) != len(all) || len(names) != len(all) || len(partitions) != 2*len(all) || signed != 0 {
		t.Errorf("%d lists, %d codes, %d names, %d partitions, %d signed unread", len(lists), len(codes), len(names), len(partitions), signed)
	}
	last := all[len(all)-1]
	p, err := f.Issue(someone(), IssueOptions{Municipality: last.Code})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.ReportLost(p); err != nil {
		t.Fatal(err)
	}
	f.expect(t, "phone of the last municipality", p.Certificate(Auth), Held, CertificateHold)
	if _, err := theWorld(t).Issue(someone(), IssueOptions{Municipality: last.Code}); err == nil {
		t.Error("a world issues for a municipality that it does not have")
	}

	var manifest bytes.Buffer
	if err := WriteManifest(&manifest, lists); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&manifest).ReadAll()
	if err != nil || len(rows) != 1+len(lists) {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	if s := lists[0]; rows[1][0] != "sign-g1-08220" || rows[1][1] != s.URL || rows[1][2] != s.Partition || len(rows[1][3]) != 40 {
		t.Errorf("row %q", rows[1])
	}
}

// TestCrowd: what a list has, what the register says and what the responder answers are one, and no serial is on two lists.
func TestCrowd(t *testing.T) {
	const revoked = 300
	f := newFixture(t, Config{Revoked: revoked})
	places := map[uint64]ListID{}
	for _, s := range f.Sources().Lists {
		_, der := fetch(t, f.url+s.Path())
		l, err := x509.ParseRevocationList(der)
		if err != nil {
			t.Fatal(err)
		}
		if err := l.CheckSignatureFrom(f.issuer(t, Certificate{Authority: s.Authority, Generation: s.Generation})); err != nil {
			t.Error(err)
		}
		if len(l.RevokedCertificateEntries) != revoked+3 {
			t.Errorf("%s has %d entries", s.Path(), len(l.RevokedCertificateEntries))
		}
		previous := uint64(0)
		for _, e := range l.RevokedCertificateEntries {
			serial := e.SerialNumber.Uint64()
			if other, twice := places[serial]; twice || serial <= previous {
				t.Fatalf("serial %d of %v after %d, also of %v", serial, s.ListID, previous, other)
			}
			places[serial], previous = s.ListID, serial
			state, ok := f.Status(s.Authority, serial)
			if !ok || state.Status == Good || state.Reason != Reason(e.ReasonCode) || !state.Date.Equal(e.RevocationTime) || e.RevocationTime.After(l.ThisUpdate) {
				t.Fatalf("serial %d of %v: %+v on the list, %+v in the register", serial, s.ListID, e, state)
			}
		}
	}
	good := 0
	for serial := range places {
		for next := serial + 1; next < serial+perPlace; next++ {
			if state, ok := f.Status(places[serial].Authority, next); ok && state.Status == Good {
				good++
			}
		}
	}
	if good < 3*len(places) {
		t.Errorf("%d good beside %d revoked: the serials are not dense", good, len(places))
	}
	asked := 0
	for serial, id := range places {
		p := f.phone(t, IssueOptions{Generation: id.Generation})
		c := parse(t, p.Certificate(id.Authority).DER)
		c.SerialNumber.SetUint64(serial)
		request, err := ocsp.CreateRequest(c, f.issuer(t, p.Certificate(id.Authority)), nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.Post(c.OCSPServer[0], "application/ocsp-request", bytes.NewReader(request))
		if err != nil {
			t.Fatal(err)
		}
		der, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if r, err := ocsp.ParseResponse(der, nil); err != nil || r.Status != ocsp.Revoked {
			t.Errorf("serial %d: %+v, %v", serial, r, err)
		}
		if asked++; asked == 3 {
			break
		}
	}
	// Any part of the entries is what it is when all of them are read.
	c := f.cas[Auth].generations[1].order[0].crowd
	whole := make([]byte, c.size())
	if _, err := c.ReadAt(whole, 0); err != nil {
		t.Fatal(err)
	}
	for off := range int64(3 * crowdEntry) {
		part := make([]byte, 50)
		if n, err := c.ReadAt(part, off); n != 50 || err != nil || !bytes.Equal(part, whole[off:off+50]) {
			t.Errorf("at %d: %d octets, %v", off, n, err)
		}
	}
	if n, err := c.ReadAt(make([]byte, 50), c.size()-7); n != 7 || err != io.EOF {
		t.Errorf("at the end: %d, %v", n, err)
	}
	for _, bad := range []Config{{Partitions: 7}, {Partitions: MaxPartitions + 1}, {Revoked: -1}, {Revoked: 1 << 40}, {Revoked: 50_000_000}} {
		if _, err := New(bad); err == nil {
			t.Errorf("%+v accepted", bad)
		}
	}
}

// TestCompressedLists: who asks for gzip gets the same list, under a tag of its own.
func TestCompressedLists(t *testing.T) {
	f := newFixture(t, Config{Revoked: 100})
	url := f.url + f.Sources().Lists[0].Path()
	plain, der := fetch(t, url, "Accept-Encoding", "identity")
	etag := plain.Header.Get("ETag")
	for accept, want := range map[string]string{"gzip": "gzip", "br, GZIP;q=0.5": "gzip", "gzip;q=0": "", "br": "", "gzip;q=x": ""} {
		res, body := fetch(t, url, "Accept-Encoding", accept)
		if got := res.Header.Get("Content-Encoding"); got != want || res.Header.Get("Vary") != "Accept-Encoding" {
			t.Errorf("%q: %v", accept, res.Header)
		}
		if want != "gzip" {
			if !bytes.Equal(body, der) || res.Header.Get("ETag") != etag {
				t.Errorf("%q: another list", accept)
			}
			continue
		}
		z, err := gzip.NewReader(bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(z); err != nil || !bytes.Equal(got, der) || len(body) >= len(der) || res.Header.Get("ETag") == etag {
			t.Errorf("%q: %v, %d octets of %d", accept, err, len(body), len(der))
		}
		if res, body := fetch(t, url, "Accept-Encoding", accept, "If-None-Match", res.Header.Get("ETag")); res.StatusCode != http.StatusNotModified ||
			len(body) != 0 || res.Header.Get("Content-Encoding") != "" {
			t.Errorf("%q again: %d, %d octets, %v", accept, res.StatusCode, len(body), res.Header)
		}
	}
	if res, body := fetch(t, url, "Accept-Encoding", "gzip", "Range", "bytes=5-9"); res.StatusCode != http.StatusPartialContent || !bytes.Equal(body, der[5:10]) {
		t.Errorf("range: %d, % x", res.StatusCode, body)
	}
}
