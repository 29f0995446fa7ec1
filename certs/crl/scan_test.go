package crl

import (
	"bytes"
	"encoding/binary"
	"fmt"
	mrand "math/rand/v2"
	"testing"
	"time"

	"github.com/tashika-jp/tashika/certs/pkix"
	"golang.org/x/crypto/cryptobyte"
)

// TestUTCTime: every day of the hundred years, and every octet of a time changed to every other, as pkix.ReadTime has it.
func TestUTCTime(t *testing.T) {
	agree := func(der []byte) {
		s := cryptobyte.String(der)
		want, wanted := pkix.ReadTime(&s)
		wanted = wanted && der[0] == 0x17 && s.Empty()
		got, ok := utcTime(der)
		if ok != wanted || ok && got != want.Unix() {
			t.Fatalf("%q: %d %v, want %v %v", der, got, ok, want, wanted)
		}
	}
	// Days that there are not, too.
	for year := range 100 {
		for month := range 14 {
			for day := range 34 {
				agree(fmt.Appendf([]byte{0x17, 13}, "%02d%02d%02d%02d%02d%02dZ", year, month, day, (year+day)%26, (month+day*7)%62, (year*day)%62))
			}
		}
	}
	for _, at := range []time.Time{now, time.Date(2000, 2, 29, 23, 59, 59, 0, time.UTC), time.Date(1950, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2049, 12, 31, 19, 9, 9, 0, time.UTC)} {
		der := utc(at)
		for i := range der {
			for b := range 256 {
				changed := bytes.Clone(der)
				changed[i] = byte(b)
				agree(changed)
			}
		}
	}
}

// scanned compares scan with readEntry on octets that begin with an entry. It says whether scan took it.
func scanned(t *testing.T, der []byte, version int) bool {
	t.Helper()
	l := List{Version: version}
	var serial []byte
	var unix int64
	var why Reason
	n, err := l.scan(append(bytes.Clone(der), make([]byte, scanSize)...), func(s []byte, at int64, r Reason) error {
		if serial == nil {
			serial, unix, why = bytes.Clone(s), at, r
		}
		return nil
	})
	if err != nil || l.EntryCount > 0 != (n > 0) {
		t.Fatal(err, l.EntryCount, n)
	}
	if n == 0 {
		return false
	}
	s := cryptobyte.String(append(bytes.Clone(der), make([]byte, scanSize)...))
	e, ok := readEntry(&s, version)
	if !ok || e.unknownCritical || e.offProfile || e.certificateIssuer != nil || !indexable(e.serial) {
		t.Fatalf("% x was scanned, and is read as %+v %v", der, e, ok)
	}
	if !bytes.Equal(e.serial, serial) || e.revoked.Unix() != unix || e.reason != why || l.RemoveFromCRL != (why == RemoveFromCRL) && l.EntryCount == 1 {
		t.Fatalf("% x was scanned as %x %d %v, and is read as %+v", der, serial, unix, why, e)
	}
	return true
}

// TestScanIsReadEntry: what scan takes readEntry reads alike: entries of every size, with every octet changed to every other.
func TestScanIsReadEntry(t *testing.T) {
	taken, mutated := 0, 0
	for size := 1; size <= 23; size++ {
		serial := randomSerial(size)
		if size == maxSerial {
			serial[0], serial[1] = 0, 0x80
		}
		for _, der := range [][]byte{
			revoke(serial, now), revoke(serial, now, because(Superseded)), revoke(serial, now, because(RemoveFromCRL)),
			revoke(serial, now, extension{"2.5.29.21", true, []byte{10, 1, 1}}), revoke(serial, now, extension{"2.5.29.24", false, generalized(now)}),
			seq(wrap(2, serial), generalized(now)),
		} {
			plain := bytes.Contains(der, utc(now)) && (len(der) == len(serial)+19 || bytes.Contains(der, reasonCode[:]))
			if took := scanned(t, der, 2); took != (plain && size <= maxSerial) {
				t.Errorf("% x: taken %v", der, took)
			} else if took {
				taken++
			}
			if took := scanned(t, der, 1); took && bytes.Contains(der, reasonCode[:]) {
				t.Errorf("extensions in version 1: % x", der)
			}
			if size > 3 && size < 19 && size != 8 {
				continue
			}
			for i := range der {
				for b := range 256 {
					changed := bytes.Clone(der)
					changed[i] = byte(b)
					if scanned(t, changed, 2) {
						mutated++
					}
				}
			}
		}
	}
	if taken != 3*21 || mutated < 10_000 {
		t.Errorf("%d entries were taken, and %d changed ones", taken, mutated)
	}
}

// TestScanStops: scan leaves to readEntry what is near the end, and takes the rest.
func TestScanStops(t *testing.T) {
	entry := revoke([]byte{1, 2}, now, because(KeyCompromise))
	der := bytes.Repeat(entry, 100)
	for n := range len(der) + 1 {
		var l List
		l.Version = 2
		at, err := l.scan(der[:n], nil)
		if err != nil || at%len(entry) != 0 || at > n || n-at >= max(scanSize, len(entry))+len(entry) {
			t.Fatalf("%d of %d octets: %v", at, n, err)
		}
	}
}

func FuzzScan(f *testing.F) {
	f.Add(revoke([]byte{1}, now), true)
	f.Add(revoke(append([]byte{0}, bytes.Repeat([]byte{0x80}, 20)...), now, because(CertificateHold)), true)
	f.Fuzz(func(t *testing.T, der []byte, v2 bool) {
		version := 1
		if v2 {
			version = 2
		}
		scanned(t, der, version)
	})
}

// manyEntries are entries as JPKI's lists have them, or with random serial numbers; some have no reason.
func manyEntries(n int, random bool) []byte {
	r := mrand.New(mrand.NewPCG(1, 2))
	var body, serial []byte
	for i := range n {
		if serial = serial[:0]; random {
			serial = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(serial, r.Uint64()>>1|1<<56), r.Uint64())
		} else {
			serial = binary.BigEndian.AppendUint32(serial, uint32(0x01000000+i*5))
		}
		at := now.Add(-time.Duration(r.IntN(5*365*86400)) * time.Second)
		if i%8 == 0 {
			body = append(append(body, 0x30, byte(len(serial)+17), 2, byte(len(serial))), serial...)
			body = at.AppendFormat(append(body, 0x17, 13), "060102150405Z")
			continue
		}
		body = append(append(body, 0x30, byte(len(serial)+31), 2, byte(len(serial))), serial...)
		body = at.AppendFormat(append(body, 0x17, 13), "060102150405Z")
		body = append(append(body, reasonCode[:]...), byte(r.IntN(6)))
	}
	return body
}

// BenchmarkRead is the reading of a stream, without a hash and without an index.
func BenchmarkRead(b *testing.B) {
	const n = 1_000_000
	for _, random := range []bool{false, true} {
		s := theCA().conforming(nil)
		s.entries = seq(manyEntries(n, random))
		der := s.sign(theCA().key)
		sum := int64(0)
		add := func(serial []byte, at int64, why Reason) error {
			sum += at
			return nil
		}
		b.Run(map[bool]string{false: "dense", true: "random"}[random], func(b *testing.B) {
			b.SetBytes(int64(len(der)))
			for b.Loop() {
				var l List
				if err := l.read(windowOver(bytes.NewReader(der), nil), add); err != nil || l.EntryCount != n {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/entry")
		})
	}
}
