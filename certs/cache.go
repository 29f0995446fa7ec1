package certs

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"sync/atomic"

	"github.com/tashika-jp/tashika/certs/anchors"
	"github.com/tashika-jp/tashika/certs/pkix"
	"github.com/tashika-jp/tashika/certs/signature"
)

// Cache remembers certificates of which an issuer's signature was found right, with what of them never changes: the view that their
// octets are read as, the holder's key made ready, and the anchor whose signature it is. What a profile allows, validity and
// status are asked anew each time, so a verdict is the same with and without a Cache. The zero value and nil remember nothing.
//
// A certificate is recognized by all of its octets. It is looked for by the last of them, which are its issuer's signature, and nothing
// that the issuer did not sign is ever kept: so nobody but the issuer chooses what lies where, and nobody can put anything in a
// certificate's place. There is no lock, because each place holds one pointer.
type Cache struct {
	places       []atomic.Pointer[known]
	hits, misses atomic.Uint64
}

// known is a certificate that is remembered. It is immutable.
type known struct {
	certificate *pkix.Certificate
	key         *signature.PublicKey
	issuer      *anchors.Anchor // as a pointer, so that it is of one set of anchors and no other
}

const (
	// ways is among how many places a certificate may lie.
	ways = 4
	// maxKnownSize bounds what is remembered, in octets. J-LIS's certificates have at most 2.5 kB.
	maxKnownSize = 4 << 10
)

// NewCache makes one for about so many certificates, which take some 4 kB each.
func NewCache(certificates int) *Cache {
	return &Cache{places: make([]atomic.Pointer[known], (max(certificates, 0)+ways-1)/ways*ways)}
}

// Parse reads a certificate as pkix.ParseCertificate does, unless it is remembered. The octets may be kept, so they must not change.
func (c *Cache) Parse(der []byte) (*pkix.Certificate, error) {
	if k := c.find(der); k != nil {
		return k.certificate, nil
	}
	return pkix.ParseCertificate(der)
}

// CacheStats are counts since the Cache was made.
type CacheStats struct {
	Hits, Misses uint64 // issuers' signatures that needed no check, and that needed one
}

// Stats returns the counts.
func (c *Cache) Stats() CacheStats { return CacheStats{c.hits.Load(), c.misses.Load()} }

// near are the places where a certificate may lie; none if it is not to be remembered.
func (c *Cache) near(der []byte) []atomic.Pointer[known] {
	const tail = 8
	if c == nil || len(c.places) == 0 || len(der) < tail || len(der) > maxKnownSize {
		return nil
	}
	set := binary.BigEndian.Uint64(der[len(der)-tail:]) % uint64(len(c.places)/ways)
	return c.places[set*ways:][:ways]
}

// find returns what is remembered of a certificate, or nil.
func (c *Cache) find(der []byte) *known {
	near := c.near(der)
	for i := range near {
		if k := near[i].Load(); k != nil && bytes.Equal(k.certificate.Raw, der) {
			return k
		}
	}
	return nil
}

// put remembers a certificate of which the issuer's signature was checked and right.
func (c *Cache) put(k *known) {
	near := c.near(k.certificate.Raw)
	if near == nil {
		return
	}
	for i := range near {
		if old := near[i].Load(); old == nil || bytes.Equal(old.certificate.Raw, k.certificate.Raw) {
			near[i].Store(k)
			return
		}
	}
	near[rand.IntN(ways)].Store(k)
}

// count counts a certificate whose issuer's signature was asked for.
func (c *Cache) count(hit bool) {
	switch {
	case c == nil:
	case hit:
		c.hits.Add(1)
	default:
		c.misses.Add(1)
	}
}
