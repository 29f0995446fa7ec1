package ocsp

import (
	"bytes"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/tashika-jp/tashika/certs/crl"
	"github.com/tashika-jp/tashika/certs/reason"
	"golang.org/x/crypto/cryptobyte"
	cb "golang.org/x/crypto/cryptobyte/asn1"
)

var update = flag.Bool("update", false, "write the seeds of the fuzz targets")

// seeds are responses by the keys of this test, which are always the same, so that what was signed once stays so.
func seeds() map[string]*responseSpec {
	a, r := theCA(), theRequest()
	out := map[string]*responseSpec{}
	add := func(name string, delegated bool, change func(*responseSpec)) {
		s := a.conforming(r, nil)
		if delegated {
			s = a.conforming(r, a.delegate(nil))
		}
		change(s)
		out[name] = s
	}
	add("good_direct", false, func(*responseSpec) {})
	add("good_delegated", true, func(*responseSpec) {})
	add("good_everything", true, func(s *responseSpec) {
		s.version, s.responder = wrap(explicit(0), []byte{2, 1, 0}), byName(a.delegate(nil))
		s.extensions = append(s.extensions, extension("1.2.3", false, null))
		s.singles[0].extensions = [][]byte{extension(idPKIXOCSP+".6", true, generalized(now)), extension(sctList, false, null)}
		s.certificates = append(s.certificates, seq(null), holder().Raw)
	})
	add("good_twice", false, func(s *responseSpec) { s.singles = append(s.singles, s.singles[0]) })
	add("good_among_others", false, func(s *responseSpec) {
		other, id := s.singles[0], idOf(r)
		id.serial = []byte{0xff}
		other.id, other.status = id.der(), revoked(now, 1)
		s.singles = []singleSpec{other, s.singles[0], other}
	})
	for algorithm := range certIDHashes {
		add("good_"+algorithm.String(), false, func(s *responseSpec) {
			s.singles[0].id = idOf(&Request{id: identify(holder(), a.cert, algorithm)}).der()
		})
	}
	add("revoked", false, func(s *responseSpec) { s.singles[0].status, s.singles[0].next = revoked(now, -1), nil })
	add("revoked_reason", true, func(s *responseSpec) { s.singles[0].status = revoked(now, 1) })
	add("revoked_unspecified", true, func(s *responseSpec) { s.singles[0].status = revoked(now, 0) })
	add("unknown", false, func(s *responseSpec) { s.singles[0].status = unknown })
	add("bad_conflict", false, func(s *responseSpec) {
		s.singles = append(s.singles, s.singles[0])
		s.singles[1].status = revoked(now, 1)
	})
	add("bad_critical", false, func(s *responseSpec) { s.singles[0].extensions = [][]byte{extension("1.2.3", true, null)} })
	add("bad_stranger", false, func(s *responseSpec) { s.key = strangersKey() })
	add("bad_delegate", true, func(s *responseSpec) {
		s.certificates = [][]byte{a.delegate(func(c *x509.Certificate) { c.ExtKeyUsage = nil }).Raw}
	})
	add("bad_stale", false, func(s *responseSpec) { s.singles[0].next = generalized(now.AddDate(0, 0, -1)) })
	return out
}

// TestSeeds: the committed seeds are what their names say, and -update writes them anew.
func TestSeeds(t *testing.T) {
	for name, s := range seeds() {
		if *update {
			text := fmt.Appendf(nil, "go test fuzz v1\n[]byte(%+q)\n", s.der())
			for _, target := range []string{"FuzzParseResponse", "FuzzCheckStored"} {
				dir := filepath.Join("testdata", "fuzz", target)
				if err := errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(filepath.Join(dir, name), text, 0o644)); err != nil {
					t.Fatal(err)
				}
			}
		}
		der := s.der()
		if committed := seed(t, name); !bytes.Equal(must(parseResponse(committed, 4)).rawTBS, must(parseResponse(der, 4)).rawTBS) {
			t.Errorf("%s is not what is made here: run with -update", name)
		} else {
			der = committed
		}
		answer, found := judgeStored(t, der, stored)
		verdict := "bad"
		if answer != nil {
			verdict = answer.Status.String()
		}
		if !bytes.HasPrefix([]byte(name), []byte(verdict)) {
			t.Errorf("%s is %s: %v", name, verdict, found)
		}
	}
}

func seed(t *testing.T, name string) []byte {
	text := must(os.ReadFile(filepath.Join("testdata", "fuzz", "FuzzCheckStored", name)))
	var der []byte
	if _, err := fmt.Sscanf(string(text), "go test fuzz v1\n[]byte(%q)", &der); err != nil {
		t.Fatal(name, err)
	}
	return der
}

// FuzzParseResponse: what is read is what stands there.
func FuzzParseResponse(f *testing.F) {
	f.Add(responseDER(3, nil))
	f.Add([]byte{0x30, 0x84, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, der []byte) {
		var r *response
		var err error
		if n := allocated(func() { r, err = parseResponse(der, 4) }); n > 1<<20+64*uint64(len(der)) {
			t.Errorf("%d octets allocated for %d", n, len(der))
		}
		if err == nil {
			remarshal(t, r)
		}
		agree(t, der)
	})
}

// remarshal encodes what was read of the answers and compares it with what stands there.
func remarshal(t *testing.T, r *response) {
	s := cryptobyte.String(r.rawTBS)
	var tbs, list cryptobyte.String
	s.ReadASN1(&tbs, cb.SEQUENCE)
	tbs.SkipOptionalASN1(explicit0)
	var any cryptobyte.String
	var tag cb.Tag
	tbs.ReadAnyASN1(&any, &tag)
	tbs.SkipASN1(cb.GeneralizedTime)
	tbs.ReadASN1(&list, cb.SEQUENCE)
	for _, one := range r.singles {
		var raw, content cryptobyte.String
		if !list.ReadASN1(&raw, cb.SEQUENCE) {
			t.Fatal("fewer answers than were read")
		}
		content = raw
		var id, algorithm cryptobyte.String
		content.ReadASN1(&id, cb.SEQUENCE)
		id.ReadASN1Element(&algorithm, cb.SEQUENCE)
		if one.id.hash != "" { // else the parameters are such as nobody uses
			named := wrap(cb.OBJECT_IDENTIFIER, []byte(one.id.hash))
			if !bytes.Equal(algorithm, seq(named, null)) && !bytes.Equal(algorithm, seq(named)) {
				t.Fatalf("hash %x, read as %s", algorithm, one.id.hash)
			}
		}
		if !slices.ContainsFunc(one.forms(algorithm), func(form []byte) bool {
			rest, same := bytes.CutPrefix(raw, form)
			return same && (len(rest) == 0 || rest[0] == byte(explicit1))
		}) {
			t.Fatalf("%x, read as %+v", raw, one)
		}
	}
	if !list.Empty() {
		t.Fatal("more answers than were read")
	}
}

// forms are the encodings of an answer without its extensions: an unspecified reason may stand there or not.
func (one *single) forms(algorithm []byte) [][]byte {
	id := seq(algorithm, octets(one.id.nameHash), octets(one.id.keyHash), wrap(cb.INTEGER, one.id.serial))
	statuses := [][]byte{map[Status][]byte{Good: good, Unknown: unknown}[one.status]}
	if one.status == Revoked {
		statuses = [][]byte{revoked(one.revoked, int(one.reason))}
		if one.reason == crl.Unspecified {
			statuses = append(statuses, revoked(one.revoked, -1))
		}
	}
	var out [][]byte
	for _, status := range statuses {
		form := join(id, status, generalized(one.thisUpdate))
		if !one.nextUpdate.IsZero() {
			form = append(form, wrap(explicit(0), generalized(one.nextUpdate))...)
		}
		out = append(out, form)
	}
	return out
}

// FuzzCheckStored: no answer but out of signed octets, and none without a reason.
func FuzzCheckStored(f *testing.F) {
	var signed [][]byte
	for _, s := range seeds() {
		der := s.der()
		f.Add(der)
		signed = append(signed, must(parseResponse(der, 4)).rawTBS)
	}
	a := theCA()
	o := stored
	o.Untrusted = append(o.Untrusted, a.delegate(nil), holder(), a.cert)
	f.Fuzz(func(t *testing.T, der []byte) {
		answer, found := CheckStored(der, holder(), a.cert, a.public, o)
		if (answer == nil) != (len(found) > 0) {
			t.Errorf("%+v with %v", answer, found)
		}
		r, err := parseResponse(der, 4)
		if errors.Is(err, errUnsuccessful) != slices.Contains(found, reason.OCSPUnsuccessful) {
			t.Errorf("%v with %v", err, found)
		}
		if answer != nil && !slices.ContainsFunc(signed, func(tbs []byte) bool { return bytes.Equal(tbs, r.rawTBS) }) {
			t.Errorf("nobody signed %x: %+v", r.rawTBS, answer)
		}
	})
}
