//go:build unix

package revocation

import (
	"context"
	"encoding/binary"
	"hash/crc32"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tashika-jp/tashika/certs/crl"
)

// spoil changes a file in its place, under whoever has it mapped.
func spoil(t testing.TB, name string, at int64, octets ...byte) {
	t.Helper()
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(octets, at); err != nil {
		t.Fatal(err)
	}
}

// TestDamageUnderALookup: whatever octet of an index changes, before it is opened or while it is mapped, no answer is ever wrong. What was
// found damaged is not asked again, and the next visit, without any network, has it whole.
func TestDamageUnderALookup(t *testing.T) {
	a := newAuthority(t)
	c, index := crowded(t, a, 3000)
	whole, err := os.ReadFile(index)
	if err != nil {
		t.Fatal(err)
	}
	unknown := 0
	for at := 0; at < len(whole); at += 1 + len(whole)/150 {
		for _, mapped := range []bool{false, true} {
			if err := os.WriteFile(index, whole, 0o600); err != nil {
				t.Fatal(err)
			}
			if !mapped {
				spoil(t, index, int64(at), whole[at]^0x10)
			}
			l := start(t, c)
			if mapped {
				spoil(t, index, int64(at), whole[at]^0x10)
			}
			ask := func() (damaged bool) {
				for _, x := range l.snapshot.Load().lists {
					for i := range 300 {
						serial := []byte{0x0f, 0x42, 0x40 + byte(i%0x80)} // 10^6 = 0x0f4240
						_, is, err := x.index.Lookup(serial)
						if err != nil {
							return true
						}
						if is != (i%2 == 0) {
							t.Fatalf("octet %d, mapped %v: serial 10^6+%d is revoked: %v", at, mapped, i%0x80, is)
						}
					}
				}
				return false
			}
			if ask() {
				unknown++
				_ = l.RefreshAll(t.Context())
				if ask() || len(l.snapshot.Load().lists) != 1 {
					t.Errorf("octet %d, mapped %v: was not mended", at, mapped)
				}
				if now, err := os.ReadFile(index); err != nil || !slices.Equal(now, whole) {
					t.Errorf("octet %d, mapped %v: the file is not as it was, %v", at, mapped, err)
				}
			}
			l.Close()
		}
	}
	if unknown == 0 {
		t.Error("no look-up met a damage")
	}
	t.Logf("an index of %d octets; %d times a look-up met the damage", len(whole), unknown)
}

// TestScrubFindsDamage that no look-up met, and a file that was cut off.
func TestScrubFindsDamage(t *testing.T) {
	a := newAuthority(t)
	c, index := crowded(t, a, 3000)
	for name, harm := range map[string]func(size int64){
		"changed": func(size int64) { spoil(t, index, 200, 0xaa, 0x55, 0xaa) },
		"cut off": func(size int64) { os.Truncate(index, 0) },
	} {
		l := start(t, c)
		info, err := os.Stat(index)
		if err != nil {
			t.Fatal(err)
		}
		harm(info.Size())
		l.scrub(t.Context())
		if n := len(l.snapshot.Load().lists); n != 0 {
			t.Errorf("%s: still serves", name)
		}
		_ = l.RefreshAll(t.Context())
		if is, number := revoked(l, a, a.certificate(t, 1_000_000, nil)); !is || number != "3" {
			t.Errorf("%s: list %q, revoked %v", name, number, is)
		}
		l.scrub(t.Context())
		if n := len(l.snapshot.Load().lists); n != 1 {
			t.Errorf("%s: was not mended", name)
		}
		l.Close()
	}
}

// TestWatchMendsWhatALookupMet, without being asked.
func TestWatchMendsWhatALookupMet(t *testing.T) {
	a := newAuthority(t)
	c, index := crowded(t, a, 3000)
	synctest.Test(t, func(t *testing.T) {
		l := start(t, c)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- l.Run(ctx) }()
		time.Sleep(time.Hour) // what was found at the start is proven by then
		synctest.Wait()
		spoil(t, index, 200, 0xaa, 0x55, 0xaa)
		cert := a.certificate(t, 1_000_000, nil)
		for serial := byte(0x40); serial < 0xff; serial++ {
			for _, x := range l.snapshot.Load().lists {
				x.index.Lookup([]byte{0x0f, 0x42, serial})
			}
		}
		time.Sleep(watchPeriod + time.Second)
		synctest.Wait()
		if is, number := revoked(l, a, cert); !is || number != "3" {
			t.Errorf("list %q, revoked %v", number, is)
		}
		if s := sourceState(t, l, "x"); s.State != Fresh {
			t.Errorf("%+v", s)
		}
		cancel()
		<-ended
	})
}

// TestForgedIndex: one whose checksums are right, and whose head is that of the authentic list, but whose entries are not the list's, is
// found out behind the requests.
func TestForgedIndex(t *testing.T) {
	a := newAuthority(t)
	files, whole, c := oneList(t, a)
	var other crl.Memory
	if _, _, err := crl.Build(strings.NewReader(string(a.list(t, listing{number: 3, serials: []int64{11}}))), crl.BuildOptions{Output: &other}); err != nil {
		t.Fatal(err)
	}
	metaOf := func(image []byte) []byte {
		return image[uint64(len(image))-binary.BigEndian.Uint64(image[48:]):]
	}
	forged, meta := slices.Clone(other.Bytes()), metaOf(whole[indexSuffix])
	forged = append(forged[:len(forged)-len(metaOf(forged))], meta...)
	table := crc32.MakeTable(crc32.Castagnoli)
	binary.BigEndian.PutUint64(forged[16:], uint64(len(forged)))
	binary.BigEndian.PutUint64(forged[48:], uint64(len(meta)))
	binary.BigEndian.PutUint32(forged[56:], crc32.Checksum(meta, table))
	binary.BigEndian.PutUint32(forged[60:], crc32.Checksum(forged[:60], table))
	if err := os.WriteFile(filepath.Join(c.StateDir, files[indexSuffix]), forged, 0o600); err != nil {
		t.Fatal(err)
	}
	c.HTTPClient = nobody(t)
	l := start(t, c)
	if is, _ := revoked(l, a, a.certificate(t, 11, nil)); !is {
		t.Fatal("the forgery is not good enough for this test")
	}
	l.scrub(t.Context())
	if _, number := revoked(l, a, a.certificate(t, 11, nil)); number != "" {
		t.Error("the forgery serves on")
	}
	_ = l.RefreshAll(t.Context())
	if is, number := revoked(l, a, a.certificate(t, 10, nil)); !is || number != "3" {
		t.Errorf("list %q, revoked %v", number, is)
	}
	if is, _ := revoked(l, a, a.certificate(t, 11, nil)); is {
		t.Error("what the forgery revoked still is")
	}
}

// TestOldSnapshotsGo: who holds the index of a list goes on asking it, however many came after, and when the last lets go
// the file is no longer mapped.
func TestOldSnapshotsGo(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("mappings are counted in /proc")
	}
	a := newAuthority(t)
	s, dir := newSite(), t.TempDir()
	s.list("/", a.list(t, listing{number: 1, serials: []int64{1000}}))
	l := start(t, Config{Anchors: setOf(t, a), HTTPClient: s.client(), StateDir: dir, Sources: []Source{{Name: "x", URL: "http://ca.example/"}}})
	refresh(t, l)
	first, _ := l.List(a.anchor, a.certificate(t, 1000, nil))
	mapped := func() int {
		maps, err := os.ReadFile("/proc/self/maps")
		if err != nil {
			t.Fatal(err)
		}
		return strings.Count(string(maps), dir)
	}
	settles := func(most int) bool {
		for range 100 {
			runtime.GC()
			if mapped() <= most {
				return true
			}
			time.Sleep(10 * time.Millisecond) // cleanups run after a collection, on a goroutine of their own
		}
		return false
	}
	for i := range int64(100) {
		s.list("/", a.list(t, listing{number: 2 + i, serials: []int64{1001 + i}}))
		refresh(t, l)
		if i%10 == 0 {
			runtime.GC()
		}
		if _, is, err := first.Lookup([]byte{0x03, 0xe8}); !is || err != nil {
			t.Fatalf("after %d swaps: revoked %v, %v", i+1, is, err)
		}
	}
	if !settles(2) {
		t.Errorf("%d indexes are mapped, of one that serves and one that is held", mapped())
	}
	if _, is, err := first.Lookup([]byte{0x03, 0xe8}); !is || err != nil || first.Number() != "1" {
		t.Errorf("revoked %v, %v", is, err)
	}
	runtime.KeepAlive(first)
	first = nil
	if !settles(1) {
		t.Errorf("%d indexes are mapped, of one that serves", mapped())
	}
	if left := stored(t, dir, indexSuffix); len(left) != 1 {
		t.Errorf("left are %v", left)
	}
}
