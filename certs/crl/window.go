package crl

import (
	"bytes"
	"crypto"
	"hash"
	"io"
	"math"

	"golang.org/x/crypto/cryptobyte/asn1"
)

const (
	// windowSize is how much of a stream is in memory, and how much of it is hashed at a time. It is twice what a tail may have, and
	// stays in the processor's second cache.
	windowSize = 256 << 10
	// headSize bounds what is before the entries, in octets: it is the issuer's name and little more.
	headSize = 64 << 10
	// entrySize bounds an entry, in octets. Only the names of another issuer take more than a hundred.
	entrySize = 64 << 10
	// tailSize bounds what is behind the entries, in octets: extensions, algorithm and signature.
	tailSize = 128 << 10
	// maxEmptyReads is after how many reads without an octet and without an error a source counts as stuck.
	maxEmptyReads = 100
)

// window is the part of a list that is in memory: all of it for Parse, the next octets of a stream for Build. Lengths that the list
// claims move positions and allocate nothing.
type window struct {
	src    io.Reader // nil if the whole list is in memory
	buf    []byte
	pos    int   // buf[pos:end] is there to be read
	end    int   //
	before int64 // octets of the list before buf[0]
	ended  bool  // there is nothing more in src
	failed error // of src, if it was not its end

	head, entry, tail int64 // bounds, in octets

	// What is signed is hashed as it comes in: from an offset to another, nothing while digest is nil.
	newHash          func(crypto.Hash) hash.Hash
	digest           hash.Hash
	hashed, signedTo int64
}

// windowOn is the window on a list that is in memory.
func windowOn(der []byte) *window {
	const unbounded = math.MaxInt64 / 2
	return &window{buf: der, end: len(der), ended: true, head: unbounded, entry: unbounded, tail: unbounded}
}

// windowOver is the window on a list that is read as it is needed.
func windowOver(src io.Reader, newHash func(crypto.Hash) hash.Hash) *window {
	return &window{src: src, buf: make([]byte, windowSize), head: headSize, entry: entrySize, tail: tailSize, newHash: newHash}
}

// offset is the position in the list.
func (w *window) offset() int64 { return w.before + int64(w.pos) }

// rest are the octets in the window that are before an offset of the list.
func (w *window) rest(to int64) []byte {
	return w.buf[w.pos : w.pos+int(min(int64(w.end-w.pos), to-w.offset()))]
}

// need says whether there are n octets more, and sees to it that they are in the window. What it showed before moves.
func (w *window) need(n int) bool {
	if w.end-w.pos >= n {
		return true
	}
	if w.ended || n > len(w.buf) {
		return false
	}
	w.end = copy(w.buf, w.buf[w.pos:w.end])
	w.before += int64(w.pos)
	w.pos = 0
	for empty := 0; !w.ended && w.end < len(w.buf); {
		read, err := w.src.Read(w.buf[w.end:])
		w.end += read
		if empty++; read > 0 {
			empty = 0
		}
		if err == nil && empty == maxEmptyReads {
			err = io.ErrNoProgress
		}
		if err != nil {
			w.ended = true
			if err != io.EOF {
				w.failed = err
			}
		}
	}
	w.hash()
	return w.end >= n
}

// hash hashes what is in the window of what is signed and was not hashed yet.
func (w *window) hash() {
	if to := min(w.before+int64(w.end), w.signedTo); w.digest != nil && w.hashed < to {
		w.digest.Write(w.buf[w.hashed-w.before : to-w.before])
		w.hashed = to
	}
}

// maxHeaderSize is the octets of a tag and a length as measure reads them.
const maxHeaderSize = 9

// measure returns how many octets the tag and the length of an element have, and how many follow. Tags are of one octet, and lengths of
// eight at most: X.690 section 10.1: in the definite form, encoded in the minimum number of octets.
func measure(der []byte) (header int, content int64, ok bool) {
	if len(der) < 2 || der[0]&0x1f == 0x1f {
		return 0, 0, false
	}
	n := int(der[1])
	if n < 0x80 {
		return 2, int64(n), true
	}
	n &= 0x7f
	if n == 0 || n > maxHeaderSize-2 || len(der) < 2+n || der[2] == 0 || n == 1 && der[2] < 0x80 {
		return 0, 0, false
	}
	for _, b := range der[2 : 2+n] {
		content = content<<8 | int64(b)
	}
	return 2 + n, content, true
}

// enter reads the tag and the length of a SEQUENCE and returns the offset of its end, which may be anywhere up to limit.
func (w *window) enter(limit int64) (end int64, ok bool) {
	w.need(maxHeaderSize)
	der := w.rest(limit)
	header, content, ok := measure(der)
	if !ok || der[0] != byte(asn1.SEQUENCE) || content > limit-w.offset()-int64(header) {
		return 0, false
	}
	w.pos += header
	return w.offset() + content, true
}

// element reads a whole element that ends before an offset. The octets are good until the next call of need.
func (w *window) element(limit int64) ([]byte, bool) {
	w.need(maxHeaderSize)
	header, content, ok := measure(w.rest(limit))
	size := int64(header) + content
	if !ok || size > min(limit-w.offset(), w.entry, int64(len(w.buf))) || !w.need(int(size)) {
		return nil, false
	}
	der := w.buf[w.pos : w.pos+int(size)]
	w.pos += int(size)
	return der, true
}

// keep is a copy of octets of the window where these will not stay.
func (w *window) keep(b []byte) []byte {
	if w.src == nil {
		return b
	}
	return bytes.Clone(b)
}
