// Package challenge issues one-time challenges for a phone to sign and accepts each of them
// at most once.
//
// A challenge is sealed, not stored: expiry, use, 32 random bytes and a keyed hash of the
// relying party stand in its own bytes, under an HMAC-SHA256 that only this server can make.
// Issuing therefore costs no memory, and nobody can exhaust us by asking for challenges that
// are never answered. What must be remembered is the opposite: which challenges were used,
// and each only until it expires, after which its own bytes refuse it. That memory is the
// interface Used, one method wide, so that several servers can share one outside the process;
// the memory of this package is for one process.
//
// The bytes begin with a readable label. The phone signs them as they are, and the label
// keeps that signature from meaning anything in another protocol made with the same key, as
// the context string of TLS 1.3 does (RFC 8446 section 4.4.3).
//
// Who may spend a challenge: only the relying party it was issued to. A presentation by
// another one is refused and leaves it untouched, or else anybody who sees a challenge, on a
// kiosk's network or a phone's screen, could burn it before its owner verifies. The owner
// spends it with its first presentation, whatever comes of it, also for a wrong use: a second
// try needs a second challenge. Whether it was used is told to the owner only; expiry and use
// can be read from the bytes by anyone who holds them.
//
// What it refuses: bytes it did not seal (one bit changed is enough), expired, used, another
// relying party's, another use's. It refuses too to forget: when the memory of used
// challenges is full, new ones are turned away with ErrFull, because a forgotten one could be
// replayed. And it refuses to begin with a key that outlives the process beside a memory that
// does not: a challenge used before a restart would be good again after it. Without a
// configured key each process draws its own, and challenges issued before a restart are
// unknown after it, which is the price of having lost what was used.
package challenge

import (
	"context"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tashika-jp/tashika/certs/profile"
	"github.com/tashika-jp/tashika/certs/reason"
)

// The form of a challenge: label, expiry, use, nonce, party, tag. The label carries the
// version; whatever changes below changes it.
const (
	label = "Tashika challenge v1"

	expiryAt = len(label)   // Unix milliseconds, big endian
	useAt    = expiryAt + 8 // profile.Use
	nonceAt  = useAt + 1    // 32 random bytes
	partyAt  = nonceAt + 32 // first 16 bytes of HMAC(party key, nonce || relying party)
	tagAt    = partyAt + 16 // HMAC(seal key, all before)

	// Size is the length of every challenge in bytes.
	Size = tagAt + 32
)

const (
	maxParty        = 1024        // bytes of a relying party's name
	keySize         = sha256.Size // least length of a configured key
	minTTL, maxTTL  = time.Second, time.Hour
	defaultTTL      = 5 * time.Minute
	defaultCapacity = 1 << 20
)

// ErrFull says that the memory of used challenges holds as many unexpired ones as it may. The
// challenge presented is not consumed; the same request can succeed later.
var ErrFull = errors.New("challenge: too many used challenges are unexpired")

// Binding is what a challenge is good for.
type Binding struct {
	// RelyingParty is the name of the relying party, as authenticated.
	RelyingParty string
	// Use is what will be verified.
	Use profile.Use
}

// ID names a sealed challenge in a set of used ones. It is a part of the seal: distinct for
// distinct challenges and of no use to whoever reads it.
type ID [16]byte

// Used is the set of used challenges.
type Used interface {
	// Add puts the id into the set and says whether this call did so: of all calls with one
	// id, at any time and from any process that shares the set, at most one is told true. It
	// keeps the id at least until expires, by the clocks of all who share it; where those
	// differ, it adds the difference. An id that it may have forgotten already is answered
	// false, and an id that it cannot keep is an error, ErrFull if for want of room.
	Add(ctx context.Context, id ID, expires time.Time) (first bool, err error)
}

// Config of an Issuer. The zero value is a good one for a single process.
type Config struct {
	// TTL is how long a challenge can be answered, 1s to 1h; 0 means five minutes, time to
	// find the phone and type a PIN.
	TTL time.Duration
	// Capacity is the greatest number of used, unexpired challenges in memory, some 40 bytes
	// each; 0 means 1,048,576. Only for the memory of this package: with Used it must be 0.
	Capacity int
	// Clock is the time; nil means time.Now.
	Clock func() time.Time
	// Random is the source of nonces and of the key, safe for concurrent use; nil means
	// crypto/rand.
	Random io.Reader
	// Key seals challenges, at least 32 secret bytes. Nil means a random one for this process,
	// so that challenges issued before a restart are unknown after it: the set of used ones
	// was lost with the process. A Key therefore demands a Used that outlives the process.
	Key []byte
	// Used is the set of used challenges; nil means the memory of this process.
	Used Used
}

// Issuer issues and consumes challenges. It is safe for concurrent use.
type Issuer struct {
	ttl    time.Duration
	clock  func() time.Time
	random io.Reader
	used   Used
	memory *memory // used, where it is ours; else nil

	sealers sync.Pool // of *sealer: hash states are dear to make, cheap to reset

	issued, consumed, full atomic.Uint64
}

// Stats are counters since New, and the state of the memory.
type Stats struct {
	Issued   uint64 // challenges made
	Consumed uint64 // challenges consumed without a finding
	Full     uint64 // presentations turned away with ErrFull
	Held     int    // used challenges in memory; 0 if Config.Used keeps them
	Capacity int    // greatest number of them; 0 if Config.Used keeps them
}

// New returns an issuer.
func New(config Config) (*Issuer, error) {
	if config.TTL == 0 {
		config.TTL = defaultTTL
	}
	if config.Clock == nil {
		config.Clock = time.Now
	}
	if config.Random == nil {
		config.Random = rand.Reader
	}
	switch {
	case config.TTL < minTTL || config.TTL > maxTTL:
		return nil, fmt.Errorf("challenge: TTL %v is not between %v and %v", config.TTL, minTTL, maxTTL)
	case config.Capacity < 0:
		return nil, errors.New("challenge: Capacity is negative")
	case config.Capacity != 0 && config.Used != nil:
		return nil, errors.New("challenge: Capacity is for the memory of the process, which Used replaces")
	case config.Key != nil && len(config.Key) < keySize:
		return nil, fmt.Errorf("challenge: Key has %d bytes, needs %d", len(config.Key), keySize)
	case config.Key != nil && config.Used == nil:
		return nil, errors.New("challenge: Key outlives the process, so Used must too: else a used challenge is good again after a restart")
	}
	i := &Issuer{ttl: config.TTL, clock: config.Clock, random: config.Random, used: config.Used}
	if i.used == nil {
		if config.Capacity == 0 {
			config.Capacity = defaultCapacity
		}
		i.memory = newMemory(config.Capacity, config.TTL, config.Clock)
		i.used = i.memory
	}
	key := config.Key
	if key == nil {
		key = make([]byte, keySize)
		if _, err := io.ReadFull(config.Random, key); err != nil {
			return nil, fmt.Errorf("challenge: no random key: %w", err)
		}
	}
	// One key, one purpose: sealing and hiding the party have a key each.
	sealKey, err := hkdf.Key(sha256.New, key, nil, label+" seal", keySize)
	if err != nil {
		return nil, fmt.Errorf("challenge: %w", err)
	}
	partyKey, err := hkdf.Key(sha256.New, key, nil, label+" party", keySize)
	if err != nil {
		return nil, fmt.Errorf("challenge: %w", err)
	}
	i.sealers.New = func() any {
		return &sealer{seal: hmac.New(sha256.New, sealKey), party: hmac.New(sha256.New, partyKey)}
	}
	return i, nil
}

// Issue makes a challenge and says from when on it is refused.
func (i *Issuer) Issue(b Binding) (challenge []byte, expires time.Time, err error) {
	switch {
	case b.RelyingParty == "" || len(b.RelyingParty) > maxParty:
		return nil, time.Time{}, fmt.Errorf("challenge: name of the relying party has %d bytes", len(b.RelyingParty))
	case b.Use.String() == "":
		return nil, time.Time{}, fmt.Errorf("challenge: no such use: %d", b.Use)
	}
	c := make([]byte, Size)
	copy(c, label)
	if _, err := io.ReadFull(i.random, c[nonceAt:partyAt]); err != nil {
		return nil, time.Time{}, fmt.Errorf("challenge: no random bytes: %w", err)
	}
	milli := i.clock().Add(i.ttl).UnixMilli()
	binary.BigEndian.PutUint64(c[expiryAt:], uint64(milli))
	c[useAt] = byte(b.Use)
	s := i.sealers.Get().(*sealer)
	copy(c[partyAt:tagAt], s.hideParty(c[nonceAt:partyAt], b.RelyingParty))
	copy(c[tagAt:], s.sum(s.seal, c[:tagAt]))
	i.sealers.Put(s)
	i.issued.Add(1)
	return c, time.UnixMilli(milli).UTC(), nil
}

// Consume spends a challenge. No findings and no error mean that this call, and no other
// ever, consumed it for the binding. Findings are all that apply and can be told:
// ChallengeUnknown stands alone, for nothing in such bytes can be believed;
// ChallengeReplayed is found only where the challenge is unexpired and the relying party the
// right one. An error means that it was not decided: the challenge must count as not consumed.
func (i *Issuer) Consume(ctx context.Context, challenge []byte, b Binding) ([]reason.ID, error) {
	// A request that was given up by its caller burns nothing.
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	id, expires, findings := i.open(challenge, b)
	now := i.clock()
	switch {
	case slices.Contains(findings, reason.ChallengeUnknown):
		return findings, nil
	case !now.Before(expires):
		return append([]reason.ID{reason.ChallengeExpired}, findings...), nil
	case slices.Contains(findings, reason.ChallengeWrongRelyingParty):
		return findings, nil // untouched: it is somebody else's to spend
	}
	first, err := i.used.Add(ctx, id, expires)
	if err != nil {
		if errors.Is(err, ErrFull) {
			i.full.Add(1)
		}
		return nil, err
	}
	switch {
	case !i.clock().Before(expires):
		// It expired while we asked: the set may have forgotten it before our Add, so that
		// "first" proves nothing any more.
		findings = append([]reason.ID{reason.ChallengeExpired}, findings...)
	case !first:
		findings = append([]reason.ID{reason.ChallengeReplayed}, findings...)
	}
	if len(findings) == 0 {
		i.consumed.Add(1)
	}
	return findings, nil
}

// Stats returns the counters.
func (i *Issuer) Stats() Stats {
	s := Stats{Issued: i.issued.Load(), Consumed: i.consumed.Load(), Full: i.full.Load()}
	if i.memory != nil {
		s.Held = int(min(i.memory.held.Load(), i.memory.capacity))
		s.Capacity = int(i.memory.capacity)
	}
	return s
}

// open checks the seal and then the binding. The id and the expiry mean nothing beside
// ChallengeUnknown.
func (i *Issuer) open(c []byte, b Binding) (id ID, expires time.Time, findings []reason.ID) {
	if len(c) != Size {
		return id, expires, []reason.ID{reason.ChallengeUnknown}
	}
	s := i.sealers.Get().(*sealer)
	defer i.sealers.Put(s)
	// All comparisons with what an attacker may not learn byte by byte are constant in time.
	if !hmac.Equal(s.sum(s.seal, c[:tagAt]), c[tagAt:]) {
		return id, expires, []reason.ID{reason.ChallengeUnknown}
	}
	// From here on the bytes are our own.
	if len(b.RelyingParty) > maxParty ||
		subtle.ConstantTimeCompare(s.hideParty(c[nonceAt:partyAt], b.RelyingParty), c[partyAt:tagAt]) != 1 {
		findings = append(findings, reason.ChallengeWrongRelyingParty)
	}
	if profile.Use(c[useAt]) != b.Use {
		findings = append(findings, reason.ChallengeWrongUse)
	}
	return ID(c[tagAt:]), time.UnixMilli(int64(binary.BigEndian.Uint64(c[expiryAt:]))), findings
}

// sealer is the working space of one call.
type sealer struct {
	seal, party hash.Hash
	in, out     []byte
}

// hideParty is the keyed hash of a party. The nonce goes in, so that two challenges of one
// party have nothing in common that a bystander could see.
func (s *sealer) hideParty(nonce []byte, party string) []byte {
	s.in = append(append(s.in[:0], nonce...), party...)
	return s.sum(s.party, s.in)[:tagAt-partyAt]
}

// sum is valid until the next call.
func (s *sealer) sum(h hash.Hash, data []byte) []byte {
	h.Reset()
	h.Write(data) // never fails (hash.Hash)
	s.out = h.Sum(s.out[:0])
	return s.out
}
