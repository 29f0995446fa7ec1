package sandbox

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"runtime"
	"sync"
)

// KeyType is the kind of key a phone generates.
type KeyType int

// RSA2048 is what cards and phones have now. P384 is the next card's (planned
// for FY2028, jpki.md section 2); P256 and RSA3072 are there to prove that a
// verifier is algorithm-agile.
const (
	RSA2048 KeyType = iota
	RSA3072
	P256
	P384
)

func (t KeyType) String() string {
	if t < RSA2048 || t > P384 {
		return fmt.Sprintf("KeyType(%d)", int(t))
	}
	return [...]string{"RSA-2048", "RSA-3072", "P-256", "P-384"}[t]
}

// A KeyPool makes RSA-2048 keys in the background, which is nearly all the work
// of making a world: about a tenth of a second of CPU each. Worlds may share a
// pool. It holds no goroutine while nobody wants a key, so it needs no Close.
type KeyPool struct {
	ahead   int
	reuse   int
	workers chan struct{} // a token for each key being made
	ready   chan keyOrError

	mu      sync.Mutex
	coming  int               // guarded by mu: keys in ready or being made, less those promised to takers
	made    []*rsa.PrivateKey // guarded by mu: handed out so far, when keys are to be reused
	turn    int               // guarded by mu: whose turn it is again
	reserve []*rsa.PrivateKey // guarded by mu: supplied by the caller, each to be used once
}

type keyOrError struct {
	key *rsa.PrivateKey
	err error
}

// KeyPoolConfig configures a [KeyPool]. The zero value is good.
type KeyPoolConfig struct {
	// Ahead is how many keys to keep in store. The first key asked for starts
	// the making; the default is 2, a negative number is none.
	Ahead int
	// Workers is how many keys are made at the same time; the default is the number of CPUs.
	Workers int
	// Supplied are keys made elsewhere, used first and once each.
	Supplied []*rsa.PrivateKey
	// Reuse, when positive, makes the pool hand out only so many different keys
	// to phones, round and round. FOR LOAD TESTS ONLY: thousands of phones in
	// seconds, but different people share a key, a subject key identifier and
	// each other's signatures. CA and responder keys are never reused.
	Reuse int
}

// NewKeyPool returns a pool that makes nothing until the first key is asked for.
func NewKeyPool(c KeyPoolConfig) *KeyPool {
	if c.Ahead == 0 {
		c.Ahead = 2
	}
	if c.Workers <= 0 {
		c.Workers = runtime.GOMAXPROCS(0)
	}
	return &KeyPool{
		ahead: max(c.Ahead, 0), reuse: max(c.Reuse, 0),
		workers: make(chan struct{}, c.Workers),
		// Room for whatever can be coming, so that a maker never blocks: see Prepare.
		ready:   make(chan keyOrError, 1024),
		reserve: append([]*rsa.PrivateKey(nil), c.Supplied...),
	}
}

// Prepare starts making n keys in the background, beyond those already coming
// (at most 512 at once); it does not wait.
func (p *KeyPool) Prepare(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.start(min(n, 512) - max(p.coming, 0))
}

// start launches n makers. The caller holds mu.
func (p *KeyPool) start(n int) {
	for range n {
		p.coming++
		go func() {
			p.workers <- struct{}{}
			key, err := rsa.GenerateKey(rand.Reader, 2048)
			<-p.workers
			p.ready <- keyOrError{key, err}
		}()
	}
}

// fresh returns a key that nobody else has or will get.
func (p *KeyPool) fresh() (*rsa.PrivateKey, error) {
	p.mu.Lock()
	if n := len(p.reserve); n > 0 {
		key := p.reserve[n-1]
		p.reserve = p.reserve[:n-1]
		p.mu.Unlock()
		return key, nil
	}
	// Take one of those coming (making it come if need be) and top the store up.
	p.coming--
	p.start(p.ahead - p.coming)
	p.mu.Unlock()
	k := <-p.ready
	return k.key, k.err
}

// forPhone returns a key for a phone or card: fresh, or one again where the
// pool was told to reuse.
func (p *KeyPool) forPhone() (*rsa.PrivateKey, error) {
	if p.reuse > 0 {
		p.mu.Lock()
		if len(p.made) >= p.reuse {
			key := p.made[p.turn%len(p.made)]
			p.turn++
			p.mu.Unlock()
			return key, nil
		}
		p.mu.Unlock()
	}
	key, err := p.fresh()
	if err == nil && p.reuse > 0 {
		p.mu.Lock()
		p.made = append(p.made, key)
		p.mu.Unlock()
	}
	return key, err
}

// newKey makes a key of type t for a phone.
func (p *KeyPool) newKey(t KeyType) (crypto.Signer, error) {
	switch t {
	case RSA2048:
		return p.forPhone()
	case RSA3072:
		return rsa.GenerateKey(rand.Reader, 3072)
	case P256:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case P384:
		return ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	}
	return nil, fmt.Errorf("%w: %v", ErrAlgorithm, t)
}

// together runs the makers of several keys side by side and returns the first error.
func together(makers ...func() error) error {
	errs := make(chan error, len(makers))
	for _, m := range makers {
		go func() { errs <- m() }()
	}
	var first error
	for range makers {
		if err := <-errs; first == nil {
			first = err
		}
	}
	return first
}
