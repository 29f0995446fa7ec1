package crl

import (
	"bytes"
	"crypto"
	"errors"
	"fmt"
	"hash"
	"io"
	"iter"

	"github.com/tashika-jp/tashika/certs/pkix"
	"github.com/tashika-jp/tashika/certs/reason"
	"github.com/tashika-jp/tashika/certs/signature"
)

var (
	// ErrFormat: the list, not the source or the storage, is at fault. Its text may quote the list.
	ErrFormat = errors.New("crl: malformed list")
	// ErrDamaged: an index is not what was built: cut off, of another version, or a checksum is wrong. It
	// has to be built again from the list.
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
	// works beside the reading.
	NewHash func(crypto.Hash) hash.Hash
}

// Build reads a list in one pass and writes its index, in memory that does not grow with the list. It believes nothing: OpenImage and
// Authenticate do. It returns what the list says of itself, with its digest and without its octets, and the size of the index. The error
// is ErrFormat, or that of the source, the output or the scratch.
func Build(src io.Reader, o BuildOptions) (l *List, size int64, err error) {
	der, err := io.ReadAll(src)
	if err != nil {
		return nil, 0, err
	}
	if l, err = Parse(der); err != nil {
		return nil, 0, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	n, err := o.Output.WriteAt(der, 0)
	return l, int64(n), err
}

// Image is an index as it was built, and nobody's word yet. What it returns does not alias the octets that it was opened from, which have to
// stay readable as long as the Image is reachable; an Index keeps its Image reachable.
type Image struct {
	list *List
}

// OpenImage opens an index in time that does not depend on its size. It does not copy the octets. The error is ErrDamaged.
func OpenImage(data []byte) (*Image, error) {
	l, err := Parse(bytes.Clone(data))
	if err != nil {
		return nil, ErrDamaged
	}
	return &Image{l}, nil
}

// List is what the list says of itself, without its octets.
func (i *Image) List() *List { return i.list }

// Authenticate is NewIndex of the list that the image was built from.
func (i *Image) Authenticate(issuer *pkix.Certificate, key *signature.PublicKey, allow signature.AllowList) (*Index, []reason.ID) {
	return NewIndex(i.list, issuer, key, allow)
}

// WithDelta is an index that answers from a complete list and a delta of it (RFC 5280 section 5.2.4). The one that it is made
// from must not have a delta itself.
func (x *Index) WithDelta(delta *Image, issuer *pkix.Certificate, key *signature.PublicKey, allow signature.AllowList) (*Index, []reason.ID) {
	return nil, []reason.ID{reason.CRLIsDelta}
}

// Blocks is how many parts of the index have a checksum of their own.
func (x *Index) Blocks() int { return 0 }

// CheckBlock checks one part of the index, 0 to Blocks-1, again. The error is ErrDamaged.
func (x *Index) CheckBlock(int) error { return nil }

// Damaged says whether a part of the index was ever found damaged.
func (x *Index) Damaged() bool { return false }

// Listed is an entry with its serial number, the content octets of the INTEGER. They are good until the next one.
type Listed struct {
	Serial []byte
	Entry
}

// All goes through the entries in the order of serial numbers: by length of the content octets, then octet by octet. An error ends it.
func (x *Index) All() iter.Seq2[Listed, error] {
	return func(yield func(Listed, error) bool) {
		for _, offset := range x.serials.order {
			serial, _ := x.serials.serialAt(int(offset))
			if !yield(Listed{serial, x.serials.entryAt(offset)}, nil) {
				return
			}
		}
	}
}

// Change is what became of a serial number from one list to another.
type Change struct {
	Serial   []byte // content octets of the INTEGER, good until the next one
	Old, New *Entry // nil: not listed; both differ if neither is nil. Good until the next one
}

// Diff tells what changed between two lists, in the order of serial numbers, in memory that does not grow with them. An error ends it.
func Diff(old, new *Index) iter.Seq2[Change, error] { return Changes(old.All(), new.All()) }

// Changes is Diff of entries in the order of Index.All.
func Changes(old, new iter.Seq2[Listed, error]) iter.Seq2[Change, error] {
	return func(yield func(Change, error) bool) {
		next, stop := iter.Pull2(new)
		defer stop()
		n, err, more := next()
		for o, oldErr := range old {
			for more && err == nil && oldErr == nil && compareOctets(n.Serial, o.Serial) < 0 {
				if !yield(Change{n.Serial, nil, &n.Entry}, nil) {
					return
				}
				n, err, more = next()
			}
			switch {
			case oldErr != nil || err != nil:
				yield(Change{}, errors.Join(oldErr, err))
				return
			case !more || !bytes.Equal(n.Serial, o.Serial):
				if !yield(Change{o.Serial, &o.Entry, nil}, nil) {
					return
				}
			default:
				if n.Entry != o.Entry && !yield(Change{o.Serial, &o.Entry, &n.Entry}, nil) {
					return
				}
				n, err, more = next()
			}
		}
		for ; more; n, err, more = next() {
			if err != nil || !yield(Change{n.Serial, nil, &n.Entry}, nil) {
				if err != nil {
					yield(Change{}, err)
				}
				return
			}
		}
	}
}
