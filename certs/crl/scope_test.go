package crl

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tashika-jp/tashika/certs/pkix"
	"github.com/tashika-jp/tashika/certs/reason"
)

// TestCovers holds scopes of lists against distribution points of certificates.
func TestCovers(t *testing.T) {
	a := theCA()
	asCA := func(c *x509.Certificate) { c.IsCA, c.BasicConstraintsValid = true, true }
	otherCase := name(strings.ToUpper("CN=Tsukuba-shi  CRLDP,OU=Ibaraki-ken,OU=CRL Distribution Points," + caName))
	child := name("CN=leaf," + caName) // what relative("leaf") means below the issuer
	web := uri("http://crl.example/1")
	some := wrap(tag(1), []byte{5, 0x60})
	cRLIssuer := func(n pkix.Name) []byte { return wrap(explicit(2), directory(n)) }
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	only := func(n uint8) []byte { return wrap(tag(n), flagTrue) }
	for _, c := range []struct {
		name   string
		idp    []byte // content; nil for no extension
		points []byte
		change func(*x509.Certificate)
		want   bool
	}{
		{"all, no point", nil, nil, nil, true},
		{"all, a point", nil, points(fullName(directory(tsukuba))), nil, true},
		{"all, a point with reasons", nil, points(join(fullName(directory(tsukuba)), some)), nil, true},
		{"all, a CA", nil, nil, asCA, true},
		{"partition, its point", fullName(directory(tsukuba)), points(fullName(directory(tsukuba))), nil, true},
		{"partition, its point in other letters", fullName(directory(tsukuba)), points(fullName(directory(otherCase))), nil, true},
		{"partition, another point", fullName(directory(tsukuba)), points(fullName(directory(ushiku))), nil, false},
		{"partition, no point", fullName(directory(tsukuba)), nil, nil, false},
		{"partition, its point among several", fullName(directory(tsukuba)), points(fullName(directory(ushiku)), fullName(directory(tsukuba))), nil, true},
		{"partition, its name among several", fullName(directory(tsukuba)), points(fullName(web, directory(tsukuba))), nil, true},
		{"several names, one in common", fullName(web, directory(tsukuba)), points(fullName(directory(ushiku), web)), nil, true},
		{"several names, none in common", fullName(web, directory(tsukuba)), points(fullName(directory(ushiku), uri("http://crl.example/2"))), nil, false},
		{"URI, the same", fullName(web), points(fullName(web)), nil, true},
		{"URI, begins alike", fullName(web), points(fullName(uri("http://crl.example/12"))), nil, false},
		{"name as another kind", fullName(web), points(fullName(wrap(tag(2), []byte("http://crl.example/1")))), nil, false},
		{"partition, point with reasons", fullName(directory(tsukuba)), points(join(fullName(directory(tsukuba)), some)), nil, false},
		{"partition, point of another issuer", fullName(directory(tsukuba)), points(join(fullName(directory(tsukuba)), cRLIssuer(ushiku))), nil, false},
		{"partition, point that names the issuer", fullName(directory(tsukuba)), points(join(fullName(directory(tsukuba)), cRLIssuer(a.cert.Subject))), nil, false},
		{"the issuer's name, point of it", fullName(directory(a.cert.Subject)), points(cRLIssuer(a.cert.Subject)), nil, false},
		{"partition, reasons on one of two", fullName(directory(tsukuba)), points(join(fullName(directory(tsukuba)), some), fullName(directory(tsukuba))), nil, true},
		{"relative, relative", relative("leaf"), points(relative("Leaf")), nil, true},
		{"relative, whole", relative("leaf"), points(fullName(directory(child))), nil, true},
		{"whole, relative", fullName(directory(child)), points(relative("leaf")), nil, true},
		{"relative, another", relative("leaf"), points(relative("other")), nil, false},
		{"relative, the issuer", relative("leaf"), points(fullName(directory(a.cert.Subject))), nil, false},
		{"users only, a user", only(1), nil, nil, true},
		{"users only, a CA", only(1), nil, asCA, false},
		{"CAs only, a user", only(2), nil, nil, false},
		{"CAs only, a CA", only(2), nil, asCA, true},
		{"attributes only, a user", only(5), nil, nil, false},
		{"attributes only, a CA", only(5), nil, asCA, false},
		{"partition and users, both right", join(fullName(directory(tsukuba)), only(1)), points(fullName(directory(tsukuba))), nil, true},
		{"partition and users, a CA", join(fullName(directory(tsukuba)), only(1)), points(fullName(directory(tsukuba))), asCA, false},
		{"partition and users, another point", join(fullName(directory(tsukuba)), only(1)), points(fullName(directory(ushiku))), nil, false},
	} {
		s := a.conforming(nil)
		if c.idp != nil {
			s.set("2.5.29.28", true, seq(c.idp))
		}
		if got := a.index(t, s).Covers(a.issue(c.points, c.change)); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

func TestScope(t *testing.T) {
	a := theCA()
	for _, c := range []struct {
		idp  []byte
		want pkix.Name
	}{
		{nil, nil}, {wrap(tag(1), flagTrue), nil}, {fullName(directory(tsukuba)), tsukuba}, {fullName(uri("http://x"), directory(tsukuba), directory(ushiku)), tsukuba},
		{relative("leaf"), name("CN=leaf," + caName)}, {fullName(uri("http://x")), emptyName},
	} {
		s := a.conforming(nil)
		if c.idp != nil {
			s.set("2.5.29.28", true, seq(c.idp))
		}
		if got := a.index(t, s).Scope(); !bytes.Equal(got, c.want) || (got == nil) != (c.want == nil) {
			t.Errorf("scope %q, want %q", got, c.want)
		}
	}
	if emptyName.Canonical() != "" || emptyName.Equal(tsukuba) {
		t.Error("the empty scope is a name")
	}
}

// TestTrapSecondPartitionOverwritesFirst: grpc-go keeps one list an issuer, so that the
// second municipality's says "good" of the first one's revoked certificates.
func TestTrapSecondPartitionOverwritesFirst(t *testing.T) {
	a := theCA()
	c := a.issue(points(fullName(directory(tsukuba))), nil)
	first, second := a.index(t, a.conforming(tsukuba, revoke(c.SerialNumber, now))), a.index(t, a.conforming(ushiku))
	if _, revoked, err := first.Lookup(c.SerialNumber); err != nil || !revoked || !first.Covers(c) {
		t.Error("not revoked in its own partition")
	}
	if _, revoked, err := second.Lookup(c.SerialNumber); err != nil || revoked || second.Covers(c) {
		t.Error("the other partition answers for it")
	}
	if first.Scope().Equal(second.Scope()) || first.Scope() == nil {
		t.Error("the partitions cannot be told apart")
	}
}

// TestTrapDirectoryNameDistributionPoint: notation-core-go takes a certificate with such a point,
// and crypto/x509 shows none, for one that cannot be revoked.
func TestTrapDirectoryNameDistributionPoint(t *testing.T) {
	a := theCA()
	c := a.issue(points(fullName(directory(tsukuba))), nil)
	x := a.index(t, a.conforming(tsukuba, revoke(c.SerialNumber, now.AddDate(0, 0, -1), because(CertificateHold))))
	if e, revoked, err := x.Lookup(c.SerialNumber); err != nil || !x.Covers(c) || !revoked || e.Reason != CertificateHold || !e.RevocationTime.Equal(now.AddDate(0, 0, -1)) {
		t.Errorf("%v %v", e, revoked)
	}
}

// TestHoldReleased: what is not on the next list is not revoked any more.
func TestHoldReleased(t *testing.T) {
	a := theCA()
	before := a.index(t, a.conforming(tsukuba, revoke([]byte{7}, now, because(CertificateHold))))
	after := a.index(t, a.conforming(tsukuba))
	if _, held, err := before.Lookup([]byte{7}); err != nil || !held {
		t.Error("not held")
	}
	if _, held, err := after.Lookup([]byte{7}); err != nil || held {
		t.Error("held for ever")
	}
}

func openssl(t *testing.T, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("the openssl program is not installed: ", err)
	}
	out, _ := exec.CommandContext(t.Context(), "openssl", args...).CombinedOutput()
	return string(out)
}

// TestOpenSSLReadsTheSame: openssl accepts the list, and refuses the forged one, as we do.
func TestOpenSSLReadsTheSame(t *testing.T) {
	dir := t.TempDir()
	a := newAuthority(rsaKey(), name(caName), nil)
	ca, file := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "list.der")
	write := func(path string, b []byte) {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw}))
	var entries [][]byte
	serials := map[string]bool{}
	for i := range 500 {
		serial := randomSerial(1 + i%20)
		serials[strings.ToUpper(new(big.Int).SetBytes(serial).Text(16))] = true
		entries = append(entries, revoke(serial, now, because(Reason(i%7))))
	}
	good := a.conforming(tsukuba, entries...)
	forged := good.sign(otherRSA())
	write(file, good.sign(a.key))
	if out := openssl(t, "crl", "-inform", "DER", "-in", file, "-noout", "-verify", "-CAfile", ca); !strings.Contains(out, "verify OK") {
		t.Errorf("openssl: %s", out)
	}
	x := a.index(t, good)
	seen := 0
	for line := range strings.Lines(openssl(t, "crl", "-inform", "DER", "-in", file, "-noout", "-text")) {
		if hex, found := strings.CutPrefix(strings.TrimSpace(line), "Serial Number: "); found {
			n, _ := new(big.Int).SetString(hex, 16)
			if _, ok, err := x.Lookup(contents(n)); err != nil || !ok {
				t.Errorf("openssl reads %s, which is not found", hex)
			}
			seen++
		}
	}
	if seen != len(entries) || x.Entries() != len(serials) {
		t.Errorf("openssl reads %d entries, we %d of %d serial numbers", seen, x.Entries(), len(serials))
	}
	write(file, forged)
	if out := openssl(t, "crl", "-inform", "DER", "-in", file, "-noout", "-verify", "-CAfile", ca); !strings.Contains(out, "verify failure") {
		t.Errorf("openssl: %s", out)
	}
	if _, found := judge(t, a, forged, allowed); !slices.Equal(found, []reason.ID{reason.CRLSignatureInvalid}) {
		t.Errorf("forged: %v", found)
	}
}
