package crl

import (
	"bytes"
	"errors"
	"io"
	mrand "math/rand/v2"
	"slices"
	"testing"

	"github.com/tashika-jp/tashika/certs/reason"
)

// spoil changes an octet of the last block of an image that was opened.
func spoil(i *Image) { i.table.data[len(i.table.data)-1] ^= 1 }

// TestDamagedImage: an image that is cut off or changed is found out when it is opened, or answers rightly, or not at all.
func TestDamagedImage(t *testing.T) {
	a := theCA()
	r := mrand.New(mrand.NewPCG(13, 14))
	der := a.conforming(tsukuba, append(handful(r, Superseded, CertificateHold), revoke([]byte{1, 2, 3}, now), revoke(randomSerial(16), now))...).sign(a.key)
	naive := naiveOf(must(Parse(der)))
	var out Memory
	if _, _, err := Build(bytes.NewReader(der), BuildOptions{Output: &out}); err != nil {
		t.Fatal(err)
	}
	for n := range len(out.Bytes()) {
		if i, err := OpenImage(out.Bytes()[:n]); i != nil || err != ErrDamaged {
			t.Fatalf("cut to %d of %d: %v", n, len(out.Bytes()), err)
		}
	}
	if _, err := OpenImage(append(bytes.Clone(out.Bytes()), 0)); err != ErrDamaged {
		t.Errorf("longer: %v", err)
	}
	opened, refused := 0, 0
	for at := range out.Bytes() {
		changed := bytes.Clone(out.Bytes())
		changed[at] ^= 1 << r.IntN(8)
		i, err := OpenImage(changed)
		if err != nil {
			continue
		}
		opened++
		x, found := i.Authenticate(a.cert, a.public, allowed)
		if x == nil {
			t.Fatal(found)
		}
		for serial, want := range naive {
			switch e, ok, err := x.Lookup([]byte(serial)); {
			case err != nil:
				refused++
				if err != ErrDamaged || ok || !x.Damaged() {
					t.Fatalf("octet %d: %v %v, damaged %v", at, ok, err, x.Damaged())
				}
			case !ok || e != want:
				t.Fatalf("octet %d: %x is %v %v, want %v", at, serial, e, ok, want)
			}
		}
		bad := 0
		for n := range x.Blocks() {
			if x.CheckBlock(n) != nil {
				bad++
			}
		}
		if bad != 1 || !x.Damaged() {
			t.Errorf("octet %d: %d blocks are damaged", at, bad)
		}
	}
	if opened == 0 || refused == 0 {
		t.Errorf("%d were opened, %d did not answer", opened, refused)
	}
}

// TestImageListHasNoEntries: the list of an image says what it is, and has no entries to look in: nobody takes that for "not revoked".
func TestImageListHasNoEntries(t *testing.T) {
	a := theCA()
	s := a.conforming(nil, revoke([]byte{1}, now))
	i := imageOf(t, s.sign(a.key))
	if x, found := i.Authenticate(a.cert, a.public, allowed); x == nil {
		t.Fatal(found)
	}
	if x, found := NewIndex(i.List(), a.cert, a.public, allowed); x != nil || !slices.Equal(found, []reason.ID{reason.CRLFormatFailure}) {
		t.Errorf("an index: %v", found)
	}
	if r := NewChecker([]*List{i.List()}, options(a)).Status(a.issue(nil, nil)); r.Status != Unknown || !slices.Contains(r.Findings, reason.CRLFormatFailure) {
		t.Errorf("%+v", r)
	}
}

// TestImageIsDeterministic: the image of a list is always the same octets: who doubts one can hold another against it.
func TestImageIsDeterministic(t *testing.T) {
	s := theCA().conforming(tsukuba)
	s.entries = seq(manyEntries(30_000, true))
	der := s.sign(theCA().key)
	var once, again Memory
	for src, out := range map[io.Reader]*Memory{bytes.NewReader(der): &once, chunks{bytes.NewReader(der), mrand.New(mrand.NewPCG(1, 2)), 999}: &again} {
		if _, _, err := Build(src, BuildOptions{Output: out}); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(once.Bytes(), again.Bytes()) {
		t.Error("two images of one list")
	}
}

// TestPanicOfTheReader: a panic of whoever goes through the entries is his own.
func TestPanicOfTheReader(t *testing.T) {
	i := imageOf(t, theCA().conforming(nil, revoke([]byte{1}, now)).sign(theCA().key))
	theirs := errors.New("theirs")
	defer func() {
		if recover() != theirs || i.damaged() {
			t.Error("is taken for a damage of the image")
		}
	}()
	for range i.all() {
		panic(theirs)
	}
}

func TestMemory(t *testing.T) {
	var m Memory
	naive := make([]byte, 0, 5000)
	r := mrand.New(mrand.NewPCG(1, 3))
	for range 300 {
		p := bytes.Repeat([]byte{byte(r.IntN(256))}, r.IntN(200))
		off := r.IntN(4000)
		if n, err := m.WriteAt(p, int64(off)); n != len(p) || err != nil {
			t.Fatal(n, err)
		}
		if len(p) > 0 {
			naive = naive[:max(len(naive), off+len(p))]
		}
		copy(naive[min(off, len(naive)):], p)
		q := make([]byte, r.IntN(300))
		off = r.IntN(5000)
		want := copy(make([]byte, len(q)), naive[min(off, len(naive)):])
		if n, err := m.ReadAt(q, int64(off)); n != want || !bytes.Equal(q[:n], naive[min(off, len(naive)):][:n]) || (err == io.EOF) != (n < len(q)) {
			t.Fatalf("%d octets at %d: %d %v", len(q), off, n, err)
		}
	}
	if !bytes.Equal(m.Bytes(), naive) {
		t.Error("not what was written")
	}
	if _, err := m.WriteAt([]byte{1}, -1); err == nil {
		t.Error("written before the beginning")
	}
	if _, err := m.ReadAt([]byte{1}, -1); err == nil {
		t.Error("read before the beginning")
	}
}
