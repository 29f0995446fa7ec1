package crl

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"testing"
)

var errFault = errors.New("the storage failed")

// faulty fails at one of its operations, all storages of one test counted together.
type faulty struct {
	Memory
	left *int
}

func (f *faulty) fails() bool { *f.left--; return *f.left == 0 }

func (f *faulty) ReadAt(p []byte, at int64) (int, error) {
	if f.fails() {
		return 0, errFault
	}
	return f.Memory.ReadAt(p, at)
}

func (f *faulty) WriteAt(p []byte, at int64) (int, error) {
	if f.fails() {
		return 0, errFault
	}
	return f.Memory.WriteAt(p, at)
}

// TestTableStorageFails at each operation in turn: it is said, and what there is in the output is no table.
func TestTableStorageFails(t *testing.T) {
	r := seeded(6)
	ordered := listings(r, "consecutive", 300)
	disordered := listings(r, "any length", 200)
	for _, all := range [][]listing{nil, ordered, disordered, append(ordered, disordered...)} {
		for at := 1; ; at++ {
			left := at
			out := &faulty{left: &left}
			w := small(newTableWriter(out, func() (Storage, error) {
				s := &faulty{left: &left}
				if s.fails() {
					return nil, errFault
				}
				return s, nil
			}, nil), 32, 8)
			err := addAll(w, all)
			if err == nil {
				_, err = w.finish([]byte("of the caller"))
			}
			if left > 0 { // there is no such operation
				if err != nil {
					t.Fatal(err)
				}
				agrees(t, opened(t, out.octets), mapOf(all))
				if len(all) > 400 && at < 100 {
					t.Errorf("only %d operations", at)
				}
				break
			}
			if !errors.Is(err, errFault) {
				t.Fatalf("operation %d of %d entries: %v", at, len(all), err)
			}
			if _, _, err := openTable(out.octets); err == nil {
				t.Fatalf("operation %d of %d entries: it opens", at, len(all))
			}
		}
	}
}

// forgetful gives other octets back than it was given.
type forgetful struct{ Memory }

func (f *forgetful) ReadAt(p []byte, at int64) (int, error) {
	n, err := f.Memory.ReadAt(p, at)
	p[n/2] ^= 4
	return n, err
}

func TestTableStorageForgets(t *testing.T) {
	r := seeded(7)
	ordered, disordered := listings(r, "consecutive", 300), listings(r, "sparse", 300)
	for name, storages := range map[string][2]Storage{"scratch": {&Memory{}, &forgetful{}}, "output": {&forgetful{}, &Memory{}}} {
		w := small(newTableWriter(storages[0], func() (Storage, error) { return storages[1], nil }, nil), 32, 8)
		err := addAll(w, append(ordered, disordered...))
		if err == nil {
			_, err = w.finish(nil)
		}
		if !errors.Is(err, errReadBack) {
			t.Error(name, err)
		}
	}
}

// unharmed asks a table for what it was made of: it is right or says that it is damaged. It returns how often it said so.
func unharmed(t testing.TB, image []byte, all []listing, known map[string]Entry) (refused int) {
	t.Helper()
	x, meta, err := openTable(image)
	if err != nil {
		if err != ErrDamaged {
			t.Fatal(err)
		}
		return 1
	}
	if string(meta) != "of the caller" {
		t.Fatalf("%q", meta)
	}
	ask := func(serial []byte) {
		want, is := known[string(serial)]
		switch e, found, err := x.lookup(serial); {
		case err != nil && err != ErrDamaged || err != nil && !x.damaged():
			t.Fatal(err)
		case err != nil:
			refused++
		case found != is || e != want:
			t.Fatalf("%x: %v %v, want %v %v", serial, e, found, want, is)
		}
	}
	for _, l := range all {
		ask(l.serial)
		ask(nearMisses(l.serial)[0])
	}
	return refused
}

// TestTableDamage: whatever bit is wrong, and wherever a table ends, nothing is answered that is not so.
func TestTableDamage(t *testing.T) {
	all := listings(seeded(8), "random 128 bits", 40)
	all = append(all, listings(seeded(8), "dense", 30)...)
	image, known := tableImage(t, all, 1000, 16), mapOf(all)
	if unharmed(t, image, all, known) != 0 {
		t.Fatal("damaged")
	}
	for i := range image {
		for bit := range 8 {
			image[i] ^= 1 << bit
			if unharmed(t, image, all, known) == 0 {
				t.Errorf("bit %d of octet %d of %d is not missed", bit, i, len(image))
			}
			image[i] ^= 1 << bit
		}
		if unharmed(t, image[:i], all, known) == 0 || unharmed(t, append(bytes.Clone(image), 0), all, known) == 0 {
			t.Errorf("%d octets of %d are enough", i, len(image))
		}
	}
}

// TestTableDamageStays: a block that was found damaged is so for good, however it is read later, and others are not.
func TestTableDamageStays(t *testing.T) {
	all := listings(seeded(9), "consecutive", 64)
	image := tableImage(t, all, 1000, 16)
	x := opened(t, image)
	image[x.blocked[1].offset] ^= 1
	for range 2 {
		for i, l := range all {
			if _, found, err := x.lookup(l.serial); (err == nil) != (i/16 != 1) || found != (err == nil) {
				t.Errorf("entry %d: %v %v", i, found, err)
			}
		}
		for i := range x.blocks() {
			if err := x.checkBlock(i); (err == nil) != (i != 1) {
				t.Errorf("block %d: %v", i, err)
			}
		}
		n := 0
		for _, err := range x.all() {
			if err != nil {
				break
			}
			n++
		}
		if n != 16 || !x.damaged() {
			t.Errorf("%d entries before the damage", n)
		}
		image[x.blocked[1].offset] ^= 1
	}
	// What was looked at before is looked at again.
	y := opened(t, image)
	y.lookup(all[0].serial)
	image[y.blocked[0].offset] ^= 1
	if y.damaged() || y.checkBlock(0) != ErrDamaged || !y.damaged() {
		t.Error("damage after the first touch is not found")
	}
}

// mended makes the checksums of an image right, as far as it has the parts that they are of.
func mended(image []byte) []byte {
	if len(image) < headerSize {
		return image
	}
	put := binary.BigEndian.PutUint32
	at, blocks, meta := binary.BigEndian.Uint64(image[32:]), binary.BigEndian.Uint64(image[40:]), binary.BigEndian.Uint64(image[48:])
	if at <= uint64(len(image)) && meta <= uint64(len(image))-at && blocks == (uint64(len(image))-at-meta)/directorySize {
		all := make([]block, blocks)
		offset := int64(headerSize)
		for i := range all {
			all[i].read(image[at+uint64(i)*directorySize:])
			all[i].offset = offset
			offset += all[i].size()
		}
		for i := range all {
			b := &all[i]
			if offset += b.countsSize(); offset <= int64(at) {
				put(image[at+uint64(i)*directorySize+40:], sum(image[offset-b.countsSize():offset], image[b.offset:][:b.size()]))
			}
		}
		put(image[12:], crc32.Checksum(image[at:uint64(len(image))-meta], castagnoli))
		put(image[56:], crc32.Checksum(image[uint64(len(image))-meta:], castagnoli))
	}
	put(image[60:], crc32.Checksum(image[:60], castagnoli))
	return image
}

// endures asks a table for everything that can be asked.
func endures(t testing.TB, image []byte, serials []listing) {
	x, _, err := openTable(image)
	if err != nil {
		return
	}
	for _, l := range serials {
		x.lookup(l.serial)
		for _, n := range nearMisses(l.serial) {
			x.lookup(n)
		}
	}
	n := 0
	var last []byte
	for e, err := range x.all() {
		if err != nil {
			break
		}
		if last != nil && compareOctets(last, e.Serial) >= 0 || len(e.Serial) < 1 || len(e.Serial) > maxSerial {
			t.Fatalf("%x after %x", e.Serial, last)
		}
		last = append(last[:0], e.Serial...)
		if n++; n > x.len() {
			t.Fatal("more entries than there are")
		}
		x.lookup(e.Serial)
	}
	for i := range x.blocks() {
		x.checkBlock(i)
	}
}

func hostileImages(t testing.TB) (images [][]byte, all []listing) {
	r := seeded(10)
	for _, shape := range []string{"dense", "random 128 bits", "any length", "listed several times"} {
		some := listings(r, shape, 40)
		images = append(images, tableImage(t, some, 1000, 16))
		all = append(all, some...)
	}
	return images, all
}

// TestTableHostile: one who makes checksums right again, too, brings nobody to panic or to go on for ever.
func TestTableHostile(t *testing.T) {
	images, all := hostileImages(t)
	if !bytes.Equal(mended(bytes.Clone(images[0])), images[0]) {
		t.Fatal("what is whole is mended")
	}
	r := seeded(11)
	n := 20_000
	if underRace || testing.Short() {
		n = 500
	}
	for range n {
		image := bytes.Clone(images[r.IntN(len(images))])
		directory := binary.BigEndian.Uint64(image[32:])
		for range 1 + r.IntN(3) {
			at := r.IntN(len(image))
			if r.IntN(3) > 0 { // most of what is interesting is there
				at = int(directory) + r.IntN(len(image)-int(directory))
			}
			image[at] ^= byte(1 << r.IntN(8))
		}
		endures(t, mended(image), all)
	}
}

// FuzzTable: changes of a table, with right checksums or without.
func FuzzTable(f *testing.F) {
	images, all := hostileImages(f)
	for i := range images {
		f.Add(byte(i), []byte{}, true)
		f.Add(byte(i), []byte{0, 8, 1, 1, 0, 255}, false)
	}
	f.Fuzz(func(t *testing.T, which byte, changes []byte, mend bool) {
		original := images[int(which)%len(images)]
		image := bytes.Clone(original)
		for ; len(changes) >= 3; changes = changes[3:] {
			image[int(binary.BigEndian.Uint16(changes))%len(image)] = changes[2]
		}
		if mend {
			endures(t, mended(image), all)
		} else if unharmed(t, image, nil, nil) == 0 {
			// What opens has the directory that it was made with; a block that was changed is damaged.
			x := opened(t, image)
			whole := opened(t, original)
			for i := range x.blocks() {
				b := &x.blocked[i]
				counts, packed := x.octets(b)
				a, c := whole.octets(b)
				if same := bytes.Equal(a, counts) && bytes.Equal(c, packed); same != (x.checkBlock(i) == nil) {
					t.Errorf("block %d the same: %v", i, same)
				}
			}
		}
	})
}
