package crl

import (
	"crypto"
	"errors"
	"fmt"
	"hash"
	"io"
	"iter"
	"runtime"
	"runtime/debug"
	"sync/atomic"

	"github.com/tashika-jp/tashika/certs/pkix"
	"github.com/tashika-jp/tashika/certs/reason"
	"github.com/tashika-jp/tashika/certs/signature"
)

var (
	// ErrFormat: the list, not the source or the storage, is at fault. Its text may quote the list.
	ErrFormat = errors.New("crl: malformed list")
	// ErrDamaged: an index is not what was built: cut off, of another version, a checksum is wrong, or its octets cannot be
	// read. It has to be built again from the list.
	ErrDamaged = errors.New("crl: damaged index")
)

// Storage is where an index is built.
type Storage interface {
	io.ReaderAt
	io.WriterAt
}

// BuildOptions say where Build works.
type BuildOptions struct {
	// Output takes the index, from offset 0.
	Output Storage
	// Scratch makes a place for entries that have to be put in order, where they are too many for memory; nil means memory.
	Scratch func() (Storage, error)
	// NewHash makes the hash of what is signed; nil means crypto.Hash.New. A caller with processors to spare returns one that
	// works beside the reading. It is asked once at most, and for the sum only if the list is well-formed.
	NewHash func(crypto.Hash) hash.Hash
	// Beside begins a task and returns how to wait for its end; nil means that it is done at once. A caller with processors to spare lets
	// it go on beside the reading. Tasks write to Output and Scratch, two at a time at most, and have ended when Build returns.
	Beside func(task func()) (wait func())
	// Large is told of each piece of memory of 4 MiB or more before it is first written, and may ask the system for large pages there; nil
	// means nobody. It must not change or keep it.
	Large func(memory []byte)
}

// Build reads a list of any size in one pass and writes its index, in memory that does not grow with the list. It believes nothing:
// OpenImage and Authenticate do. It refuses what Parse refuses, and besides serial numbers of more than 20 octets, 21 with a leading zero
// (RFC 5280 section 4.1.2.2), more than 64 KiB before the entries or in one of them, and more than 128 KiB behind them. It returns what the
// list says of itself, with its digest and without its octets, and the size of the index. The error is ErrFormat, or that of the
// source, the output or the scratch.
func Build(src io.Reader, o BuildOptions) (l *List, size int64, err error) {
	scratch, newHash := o.Scratch, o.NewHash
	if scratch == nil {
		scratch = newMemory
	}
	if newHash == nil {
		newHash = crypto.Hash.New
	}
	w, t := windowOver(src, newHash), newTableWriter(o.Output, scratch, o.Beside)
	t.large = o.Large
	defer t.settle()
	l = new(List)
	switch err = l.read(w, t.add); {
	case w.failed != nil:
		return nil, 0, w.failed
	case err != nil:
		return nil, 0, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	meta := l.meta()
	if size, err = t.finish(meta); err != nil {
		return nil, 0, err
	}
	l, err = readMeta(meta)
	return l, size, err
}

// image is the image of a list that is in memory.
func (l *List) image() (*Image, error) {
	var out Memory
	t := newTableWriter(&out, newMemory, nil)
	read := List{Version: l.Version}
	if err := read.readEntries(windowOn(l.RawEntries), int64(len(l.RawEntries)), t.add); err != nil {
		return nil, err
	}
	if _, err := t.finish(l.meta()); err != nil {
		return nil, err
	}
	return OpenImage(out.Bytes())
}

// Memory is a Storage in memory. The zero value is empty.
type Memory struct{ octets []byte }

func newMemory() (Storage, error) { return new(Memory), nil }

// Bytes are what was written. They are good until the next write.
func (m *Memory) Bytes() []byte { return m.octets }

// ReadAt is that of io.ReaderAt.
func (m *Memory) ReadAt(p []byte, off int64) (n int, err error) {
	if off < 0 {
		return 0, errors.New("crl: negative offset")
	}
	if off < int64(len(m.octets)) {
		n = copy(p, m.octets[off:])
	}
	if n < len(p) {
		err = io.EOF
	}
	return n, err
}

// WriteAt is that of io.WriterAt. Octets before an offset that nobody wrote are zero.
func (m *Memory) WriteAt(p []byte, off int64) (n int, err error) {
	if off < 0 {
		return 0, errors.New("crl: negative offset")
	}
	if end := int(off) + len(p); end > len(m.octets) {
		m.octets = append(m.octets, make([]byte, end-len(m.octets))...)
	}
	return copy(m.octets[off:], p), nil
}

// Image is an index as it was built, and nobody's word yet. What it returns does not alias the octets that it was opened from, which have to
// stay readable as long as the Image is reachable; an Index keeps its Image reachable. Octets of a mapped file that cannot be read any
// more, because the file was cut off or the disk is broken, are a damage like others.
type Image struct {
	list    *List
	table   *table
	faulted atomic.Bool
}

// OpenImage opens an index in time that does not depend on its size. It does not copy the octets. The error is ErrDamaged.
func OpenImage(data []byte) (*Image, error) {
	i := new(Image)
	if err := i.open(data); err != nil {
		return nil, err
	}
	return i, nil
}

func (i *Image) open(data []byte) (err error) {
	defer i.caught(debug.SetPanicOnFault(true), &err)
	var meta []byte
	if i.table, meta, err = openTable(data); err == nil {
		i.list, err = readMeta(meta)
	}
	return err
}

// caught ends what touches the octets of the image: it makes a fault of the memory an error, and keeps the image reachable until then. It is
// deferred, with what debug.SetPanicOnFault(true) returned.
func (i *Image) caught(before bool, err *error) { i.settle(recover(), before, err) }

func (i *Image) settle(fault any, before bool, err *error) {
	debug.SetPanicOnFault(before)
	runtime.KeepAlive(i)
	if fault == nil {
		return
	}
	if _, is := fault.(interface{ Addr() uintptr }); !is {
		panic(fault)
	}
	i.faulted.Store(true)
	*err = ErrDamaged
}

// List is what the list says of itself, without its octets.
func (i *Image) List() *List { return i.list }

// Authenticate is NewIndex of the list that the image was built from.
func (i *Image) Authenticate(issuer *pkix.Certificate, key *signature.PublicKey, allow signature.AllowList) (*Index, []reason.ID) {
	var found reason.Findings
	if i.list.authenticate(&found, issuer, key, allow); len(found) > 0 {
		return nil, found
	}
	return i.index(issuer), nil
}

func (i *Image) lookup(serial []byte) (e Entry, found bool, err error) {
	defer i.caught(debug.SetPanicOnFault(true), &err)
	return i.table.lookup(serial)
}

func (i *Image) checkBlock(n int) (err error) {
	defer i.caught(debug.SetPanicOnFault(true), &err)
	return i.table.checkBlock(n)
}

func (i *Image) damaged() bool { return i.faulted.Load() || i.table.damaged() }

// Listed is an entry with its serial number, the content octets of the INTEGER. They are good until the next one.
type Listed struct {
	Serial []byte
	Entry
}

// all goes through the entries in the order of serial numbers. An error ends it.
func (i *Image) all() iter.Seq2[Listed, error] {
	return func(yield func(Listed, error) bool) {
		if err := i.each(yield); err != nil {
			yield(Listed{}, err)
		}
	}
}

// each is all but for faults, which it returns. One of whoever the entries are given to is not its own, nor may he touch the image's octets.
func (i *Image) each(yield func(Listed, error) bool) (err error) {
	before, ours := debug.SetPanicOnFault(true), true
	defer func() {
		if ours {
			i.settle(recover(), before, &err)
		}
	}()
	var serial [maxSerial]byte
	for l, err := range i.table.all() {
		l.Serial = append(serial[:0], l.Serial...)
		debug.SetPanicOnFault(before)
		ours = false
		more := yield(l, err)
		ours = true
		debug.SetPanicOnFault(true)
		if !more {
			break
		}
	}
	return nil
}
