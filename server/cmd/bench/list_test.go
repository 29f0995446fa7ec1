package main

import (
	"bytes"
	"crypto/x509"
	"encoding/hex"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tashika-jp/tashika/certs/crl"
)

// TestMain lets the test binary play the roles that the program plays.
func TestMain(m *testing.M) {
	if os.Getenv(roleVariable) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

func testAuthority(t *testing.T) *authority {
	t.Helper()
	a, err := newAuthority(time.Now().UTC())
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// TestList: what is written is what was meant, says everybody who can read lists.
func TestList(t *testing.T) {
	ca := testAuthority(t)
	der, pem, err := ca.save(t.TempDir())
	if err != nil || der == "" {
		t.Fatal(err)
	}
	thisUpdate := time.Now().UTC().Truncate(time.Second).Add(-time.Hour)
	for name, l := range map[string]*listing{
		"dense":            newListing(false, 1, 0, 1, 3000, 1, thisUpdate),
		"dense, one of 7":  newListing(false, 1, 3, 7, 500, 300, thisUpdate),
		"dense, next":      newListing(false, 2, 0, 1, 1000, 1, thisUpdate).next(10),
		"random":           newListing(true, 1, 0, 1, 3000, 70000, thisUpdate),
		"random, one of 2": newListing(true, 1, 1, 2, 700, 2, thisUpdate),
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "list.crl")
			size, err := ca.write(t.Context(), path, l)
			if err != nil {
				t.Fatal(err)
			}
			data, err := os.ReadFile(path)
			if err != nil || int64(len(data)) != size {
				t.Fatal(len(data), size, err)
			}
			theirs, err := x509.ParseRevocationList(data)
			if err != nil {
				t.Fatal(err)
			}
			if err := theirs.CheckSignatureFrom(ca.own); err != nil {
				t.Error(err)
			}
			if theirs.Number.Int64() != l.Number || len(theirs.RevokedCertificateEntries) != l.Entries {
				t.Error(theirs.Number, len(theirs.RevokedCertificateEntries))
			}
			ours, err := crl.Parse(data)
			if err != nil {
				t.Fatal(err)
			}
			if !ours.IDPCritical || !bytes.Equal(ours.IDP.FullName[0].Value, partitionName(l.Partition)) {
				t.Error("the scope is another")
			}
			n, last := 0, uint64(0)
			for serial, e := range ours.Entries() {
				want, found := l.find(serial)
				if !found || !same(want, e) {
					t.Fatalf("entry %d: %v, %v, but the list was made of %v", n, found, e, want)
				}
				if entry := theirs.RevokedCertificateEntries[n]; !bytes.Equal(entry.SerialNumber.Bytes(), bytes.TrimLeft(serial, "\x00")) ||
					!entry.RevocationTime.Equal(want.RevocationTime) || entry.ReasonCode != int(want.Reason) {
					t.Fatalf("entry %d is another to crypto/x509", n)
				}
				key, _ := l.keyOf(serial)
				if n > 0 && key <= last {
					t.Fatal("not in order, or twice")
				}
				n, last = n+1, key
			}
			if n != l.Entries {
				t.Errorf("%d entries", n)
			}
			openssl, err := exec.LookPath("openssl")
			if err != nil {
				t.Skip("no openssl")
			}
			said, err := exec.Command(openssl, "crl", "-in", path, "-inform", "DER", "-noout", "-verify", "-CAfile", pem).CombinedOutput()
			if err != nil || !strings.Contains(string(said), "verify OK") {
				t.Errorf("openssl: %v: %s", err, said)
			}
			agreesWithOpenSSL(t, openssl, path, ours)
		})
	}
}

// agreesWithOpenSSL compares the index of a list with what openssl reads of every entry: serial number, time and reason.
func agreesWithOpenSSL(t *testing.T, openssl, path string, l *crl.List) {
	t.Helper()
	var image crl.Memory
	data, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer data.Close()
	if _, _, err := crl.Build(data, crl.BuildOptions{Output: &image}); err != nil {
		t.Fatal(err)
	}
	opened, err := crl.OpenImage(image.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	ours := make(map[string]string)
	for e, err := range opened.Entries() {
		if err != nil {
			t.Fatal(err)
		}
		ours[strings.ToUpper(hex.EncodeToString(bytes.TrimLeft(e.Serial, "\x00")))] = e.RevocationTime.Format("Jan _2 15:04:05 2006 GMT") + " " + e.Reason.String()
	}
	text, err := exec.Command(openssl, "crl", "-in", path, "-inform", "DER", "-noout", "-text").Output()
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]string{"Key Compromise": "keyCompromise", "Affiliation Changed": "affiliationChanged", "Superseded": "superseded",
		"Cessation Of Operation": "cessationOfOperation", "Certificate Hold": "certificateHold"}
	theirs, serial := make(map[string]string), ""
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if after, ok := strings.CutPrefix(line, "Serial Number: "); ok {
			serial = after
		} else if after, ok := strings.CutPrefix(line, "Revocation Date: "); ok {
			theirs[serial] = after + " unspecified"
		} else if name, ok := names[line]; ok && serial != "" {
			theirs[serial] = strings.Replace(theirs[serial], "unspecified", name, 1)
		}
	}
	if len(theirs) != l.EntryCount || !maps.Equal(ours, theirs) {
		t.Errorf("openssl reads %d entries, the index has %d, and they differ", len(theirs), len(ours))
	}
}

// TestFindAgreesWithTheEntries: what is said of a serial number by calculation is what a set of all entries says.
func TestFindAgreesWithTheEntries(t *testing.T) {
	thisUpdate := time.Now().UTC()
	for _, l := range []*listing{newListing(false, 9, 0, 1, 2000, 1, thisUpdate), newListing(false, 9, 1, 3, 2000, 1, thisUpdate), newListing(true, 9, 0, 1, 2000, 1, thisUpdate)} {
		set := make(map[string]crl.Entry)
		for key := l.First; key < l.End; key++ {
			if l.lists(key) {
				set[string(l.serial(nil, key))] = l.statement(key)
			}
		}
		if len(set) != l.Entries {
			t.Fatalf("%d different serial numbers of %d", len(set), l.Entries)
		}
		check := func(serial []byte) {
			got, found := l.find(serial)
			if want, listed := set[string(serial)]; found != listed || got != want {
				t.Fatalf("%x: %v, %v; in the set: %v, %v", serial, got, found, want, listed)
			}
		}
		for serial := range set {
			check([]byte(serial))
			check([]byte(serial)[1:])
			check(append([]byte(serial), 0))
			check(append([]byte{0x80}, serial...))
		}
		random := rand.New(rand.NewPCG(1, 2))
		hits := 0
		for i := range 20000 {
			var q lookup
			q.make(random, []*listing{l}, i%2 == 0, nil)
			check(q.serial)
			if q.listed {
				hits++
			}
			if q.listed != (i%2 == 0) {
				t.Fatalf("asked for listed %v, got %x", i%2 == 0, q.serial)
			}
		}
		if hits != 10000 {
			t.Errorf("%d hits", hits)
		}
		for counter := range uint64(3 * l.End) {
			if l.Random {
				break
			}
			check(counterOctets(counter))
		}
	}
}

// counterOctets are the content octets of an INTEGER.
func counterOctets(n uint64) []byte {
	plain := &listing{Partitions: 1}
	return plain.serial(nil, n)
}

// TestNextIssue: as long, later, and little changed.
func TestNextIssue(t *testing.T) {
	for _, random := range []bool{false, true} {
		l := newListing(random, 4, 0, 1, 5000, 41, time.Now().UTC())
		n := l.next(20)
		gone, come := 0, 0
		for key := min(l.First, n.First); key < max(l.End, n.End); key++ {
			serial := l.serial(nil, key)
			before, was := l.find(serial)
			after, is := n.find(serial)
			switch {
			case was && !is:
				gone++
			case is && !was:
				come++
			case before != after:
				t.Fatal("a statement changed")
			}
		}
		if gone != 20 || come != 20 || n.Number != 42 || n.Entries != l.Entries {
			t.Errorf("%d gone, %d come, number %d, %d entries", gone, come, n.Number, n.Entries)
		}
	}
}

func TestMixIsABijection(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 1000 {
		if x := random.Uint64(); unmix(mix(x)) != x || inverse(x|1)*(x|1) != 1 {
			t.Fatal(x)
		}
	}
}

func TestHeader(t *testing.T) {
	for length, want := range map[int64]string{
		0: "\x30\x00", 127: "\x30\x7f", 128: "\x30\x81\x80", 255: "\x30\x81\xff", 256: "\x30\x82\x01\x00",
		1 << 24: "\x30\x84\x01\x00\x00\x00", 1<<32 - 1: "\x30\x84\xff\xff\xff\xff", 1 << 32: "\x30\x85\x01\x00\x00\x00\x00",
	} {
		if got := string(appendHeader(nil, 0x30, length)); got != want {
			t.Errorf("%d: %x", length, got)
		}
	}
}
