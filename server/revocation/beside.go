package revocation

import "hash"

// A list is hashed beside its reading: the hash takes about as long as all the rest.
const (
	besideChunk = 256 << 10
	besideRing  = 4 // chunks under way
)

// beside is a hash that works on a goroutine of its own. It is good for one Sum; stop ends it earlier.
type beside struct {
	hash.Hash
	chunk   []byte      // being filled
	full    chan []byte // to the goroutine
	empty   chan []byte // and back
	wait    func()      // for the goroutine
	stopped bool
}

func newBeside(h hash.Hash) *beside {
	b := &beside{Hash: h, full: make(chan []byte, besideRing), empty: make(chan []byte, besideRing)}
	for range besideRing {
		b.empty <- make([]byte, 0, besideChunk)
	}
	b.chunk = <-b.empty
	b.wait = humbly(func() {
		for chunk := range b.full {
			h.Write(chunk)
			b.empty <- chunk[:0]
		}
	})
	return b
}

// Write copies what it is given; it waits only where the hash is a whole ring behind.
func (b *beside) Write(p []byte) (int, error) {
	written := len(p)
	for len(p) > 0 {
		n := min(len(p), cap(b.chunk)-len(b.chunk))
		b.chunk = append(b.chunk, p[:n]...)
		p = p[n:]
		if len(b.chunk) == cap(b.chunk) {
			b.full <- b.chunk
			b.chunk = <-b.empty
		}
	}
	return written, nil
}

// Sum waits until all was hashed.
func (b *beside) Sum(to []byte) []byte {
	if !b.stopped {
		b.full <- b.chunk
	}
	b.stop()
	return b.Hash.Sum(to)
}

// stop ends the goroutine and waits for it.
func (b *beside) stop() {
	if !b.stopped {
		b.stopped = true
		close(b.full)
	}
	b.wait()
}
