package sandbox

import (
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"slices"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// A list is the CRL of one (CA, key generation, municipality). The shape of the
// real ones is not public (jpki.md section 3); the sandbox follows RFC 5280
// section 5 and the one inference of the domain page: an IDP with the same
// directoryName as the certificates' distribution point.
type list struct {
	id         ListID
	generation *generation
	point      name

	// The following are guarded by World.mu.
	revoked map[uint64]*record // held and revoked, until they leave the list for good
	changed bool               // something happened that the current issue does not say
	current *issue
	before  *issue // the issue before, for the fault of an older number
}

// An issue is one published CRL. Immutable.
type issue struct {
	der        []byte
	number     int64
	thisUpdate time.Time
	nextUpdate time.Time
	entries    []entry
	// sameSecond: the issue before bears the same thisUpdate, so Last-Modified
	// cannot tell the two apart and must not be used to (RFC 9110 section 8.8.2.2).
	sameSecond bool
	etag       string
}

// An entry is one line of revokedCertificates.
type entry struct {
	serial uint64
	date   time.Time
	reason Reason
}

func newList(g *generation, m Municipality) *list {
	return &list{
		id: ListID{g.ca.authority, g.number, m.Code}, generation: g, point: partitionName(g.ca.authority, m),
		revoked: make(map[uint64]*record),
	}
}

// note tells the list that r's state changed. A lifted hold leaves the list at
// once: the next issue does not have it (removeFromCRL is for delta CRLs only,
// RFC 5280 section 5.3.1).
func (l *list) note(r *record) {
	if r.now().Status == Good {
		delete(l.revoked, r.serial)
	} else {
		l.revoked[r.serial] = r
	}
	l.changed = true
}

// publishLocked makes a new issue. The caller holds w.mu.
func (w *World) publishLocked(l *list) error {
	now := w.clock().UTC().Truncate(time.Second)
	next := &issue{number: 1, thisUpdate: now, nextUpdate: now.Add(w.validity)}
	if l.current != nil {
		next.number = l.current.number + 1
		next.sameSecond = !next.thisUpdate.After(l.current.thisUpdate)
	}
	for serial, r := range l.revoked {
		// RFC 5280 section 3.3: an entry stays until it has appeared on one list
		// issued beyond the certificate's validity.
		if l.current != nil && l.current.thisUpdate.After(r.notAfter) {
			delete(l.revoked, serial)
			continue
		}
		s := r.now()
		next.entries = append(next.entries, entry{serial, s.Date, s.Reason})
	}
	slices.SortFunc(next.entries, func(a, b entry) int {
		if a.serial < b.serial {
			return -1
		}
		return 1 // serials are unique
	})
	var err error
	if next.der, err = l.sign(next, l.generation.key); err != nil {
		return fmt.Errorf("sandbox: publish %s: %w", l.id.Path(), err)
	}
	next.etag = etagOf(next.der)
	l.before, l.current, l.changed = l.current, next, false
	return nil
}

func etagOf(der []byte) string {
	sum := sha256.Sum256(der)
	return `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`
}

// sign writes and signs the CRL (RFC 5280 section 5.1).
func (l *list) sign(i *issue, key *rsa.PrivateKey) ([]byte, error) {
	g := l.generation
	return signed(key, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1Int64(1) // v2
			addSHA256RSA(b)
			g.ca.name.add(b)
			addTime(b, i.thisUpdate)
			addTime(b, i.nextUpdate)
			// RFC 5280 section 5.1.2.6: with nothing revoked the field MUST be absent.
			if len(i.entries) > 0 {
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
					for _, e := range i.entries {
						e.add(b)
					}
				})
			}
			b.AddASN1(explicit0, func(b *cryptobyte.Builder) {
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
					addExtension(b, oidAKI, false, func(b *cryptobyte.Builder) {
						b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
							b.AddASN1(implicit0, func(b *cryptobyte.Builder) { b.AddBytes(g.claimKeyID) })
						})
					})
					addExtension(b, oidCRLNumber, false, func(b *cryptobyte.Builder) { b.AddASN1Int64(i.number) })
					// RFC 5280 section 5.2.5: critical. onlyContainsUserCerts stays FALSE
					// (absent): the profile gives no reason to narrow the scope, and a
					// verifier must cope with the widest.
					addExtension(b, oidIDP, true, func(b *cryptobyte.Builder) {
						b.AddASN1(cbasn1.SEQUENCE, l.point.addDistributionPointName)
					})
				})
			})
		})
	})
}

func (e entry) add(b *cryptobyte.Builder) {
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Uint64(e.serial)
		addTime(b, e.date)
		// RFC 5280 section 5.3.1: absent rather than unspecified (0).
		if e.reason == Unspecified {
			return
		}
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			addExtension(b, oidReasonCode, false, func(b *cryptobyte.Builder) { b.AddASN1Enum(int64(e.reason)) })
		})
	})
}

// PublishCRLs makes a new issue of every list, changed or not, as the daily run does.
func (w *World) PublishCRLs() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.publishAllLocked()
}

func (w *World) publishAllLocked() error {
	for _, c := range w.cas {
		for _, g := range c.generations {
			for _, m := range municipalities {
				if err := w.publishLocked(g.lists[m.Code]); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (w *World) list(id ListID) (*list, error) {
	g, ok := w.generation(id.Authority, id.Generation)
	if !ok {
		return nil, fmt.Errorf("sandbox: %w: %v", ErrUnknownList, id)
	}
	l, ok := g.lists[id.Municipality]
	if !ok {
		return nil, fmt.Errorf("sandbox: %w: %v", ErrUnknownList, id)
	}
	return l, nil
}

// issueOf returns the list's current issue and the one before it (nil at
// first), making a new issue first if it is due: something changed (unless
// lists are daily), or the current one is about to end.
func (w *World) issueOf(l *list) (current, before *issue, err error) {
	now := w.clock()
	due := func() bool {
		return (l.changed && !w.daily) || !now.Before(l.current.nextUpdate.Add(-w.overlap))
	}
	w.mu.RLock()
	if !due() {
		defer w.mu.RUnlock()
		return l.current, l.before, nil
	}
	w.mu.RUnlock()
	w.mu.Lock()
	defer w.mu.Unlock()
	if due() { // still: somebody may have come first
		if err := w.publishLocked(l); err != nil {
			return nil, nil, err
		}
	}
	return l.current, l.before, nil
}

// CRL returns the current issue of a list, exactly what the handler serves when
// no fault is set.
func (w *World) CRL(id ListID) ([]byte, error) {
	l, err := w.list(id)
	if err != nil {
		return nil, err
	}
	i, _, err := w.issueOf(l)
	if err != nil {
		return nil, err
	}
	return slices.Clone(i.der), nil
}
