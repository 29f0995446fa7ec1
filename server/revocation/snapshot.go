package revocation

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"time"

	"github.com/tashika-jp/tashika/certs/anchors"
	"github.com/tashika-jp/tashika/certs/crl"
	"github.com/tashika-jp/tashika/certs/pkix"
	"github.com/tashika-jp/tashika/certs/profile"
	"github.com/tashika-jp/tashika/certs/reason"
)

// key is what a list is known by. Less than this and two partitions of one issuer, or two
// generations of its key, take each other's place.
type key struct {
	issuer, keyID, scope string // names in canonical form; no scope: all of the issuer's
	delta                bool   // of the complete list with the same rest
}

// keyFor is the key of a list of an anchor. It is false where the scope cannot be compared:
// such a scope must not be taken for none.
func keyFor(a *anchors.Anchor, scope pkix.Name) (key, bool) {
	k := key{issuer: a.Certificate.Subject.Canonical(), keyID: string(a.Certificate.SubjectKeyID)}
	if scope != nil {
		k.scope = scope.Canonical()
	}
	return k, k.issuer != "" && (scope == nil || k.scope != "")
}

// file is the key's name in the state directory: hexadecimal digits, and what marks a delta.
func (k key) file() string {
	h := sha256.New()
	for _, part := range []string{k.issuer, k.keyID, k.scope} {
		fmt.Fprintf(h, "%d:%s", len(part), part)
	}
	name := hex.EncodeToString(h.Sum(nil)[:20])
	if k.delta {
		name += deltaSuffix
	}
	return name
}

// live is a list that serves. It is immutable.
type live struct {
	key    key
	index  *crl.Index
	anchor *anchors.Anchor
	source string // name of the entry in Sources that it came by
	digest string // names the list (digestOf)
	about  record
	proven bool // the index was built in this process; one that was found in the state directory has yet to be (tend)
	words  *words
	unsafe *spool   // the DER, while it could not be written. Guarded by Living.commit
	delta  *overlay // nil: a complete list
	awaits string   // of a complete list: the number of a delta that served and is lost; it answers nothing then. Empty: none
}

// stale says whether its answers are unknown for its times (certs.Verify asks again, with
// the profile's bounds).
func (x *live) stale(at time.Time, skew time.Duration) bool {
	return x.awaits != "" || len(untimely(x.index, at, skew)) > 0
}

// untimely is what is wrong with the times of a list, whatever freshness a profile demands.
func untimely(x *crl.Index, at time.Time, skew time.Duration) []reason.ID {
	var out []reason.ID
	for _, id := range x.CheckTimes(at, skew, 0) {
		if id != reason.CRLTooOld {
			out = append(out, id)
		}
	}
	return out
}

// snapshot is all that serves at one time. It is immutable: a new list makes a new snapshot.
type snapshot struct {
	lists map[key]*live
	exact map[exactKey]*live
}

// exactKey finds a list by encodings instead of canonical names: nearly every certificate
// names its issuer and partition octet for octet as the list does, and comparing names by
// RFC 5280 section 7.1 costs more than all the rest of a look-up.
type exactKey struct{ issuer, keyID, scope string }

func exactOf(x *live) exactKey {
	return exactKey{string(x.anchor.Certificate.Subject), x.key.keyID, string(x.index.Scope())}
}

// with is the snapshot with some lists put in and some keys taken out.
func (s *snapshot) with(put []*live, drop []key) *snapshot {
	next := &snapshot{lists: maps.Clone(s.lists), exact: maps.Clone(s.exact)}
	remove := func(k key) {
		if old := next.lists[k]; old != nil {
			delete(next.exact, exactOf(old))
			delete(next.lists, k)
		}
	}
	for _, k := range drop {
		remove(k)
	}
	for _, x := range put {
		remove(x.key)
		next.lists[x.key] = x
	}
	for _, k := range drop {
		k.delta = false
		next.pairUp(k)
	}
	for _, x := range put {
		k := x.key
		k.delta = false
		next.pairUp(k)
	}
	return next
}

func emptySnapshot() *snapshot {
	return &snapshot{lists: make(map[key]*live), exact: make(map[exactKey]*live)}
}

// find returns the list of an issuer with a scope; nil for the one without.
func (s *snapshot) find(issuer *anchors.Anchor, scope pkix.Name) *live {
	c := issuer.Certificate
	if x := s.exact[exactKey{string(c.Subject), string(c.SubjectKeyID), string(scope)}]; x != nil {
		return x
	}
	k, ok := keyFor(issuer, scope)
	if !ok {
		return nil
	}
	return s.answering(k)
}

// List returns the live list that is authoritative for the certificate and the name of
// its source, as in Sources. It takes no lock.
//
// RFC 5280 section 6.3.3 (b)(2): the list of the certificate's distribution point, by name;
// only where there is none, one that has all of the issuer's certificates in its scope. Either has to
// say itself that it covers the certificate.
func (l *Living) List(issuer *anchors.Anchor, c *pkix.Certificate) (*crl.Index, string) {
	s := l.snapshot.Load()
	for _, point := range c.DistributionPoints {
		for _, name := range point.FullName {
			if name.Kind != pkix.DirectoryName {
				continue
			}
			if x := s.find(issuer, pkix.Name(name.Value)); x != nil && x.index.Covers(c) {
				return x.index, x.source
			}
		}
	}
	if x := s.find(issuer, nil); x != nil && x.index.Covers(c) {
		return x.index, x.source
	}
	return nil, ""
}

// State of a source.
type State uint8

// The states; the zero value is none.
const (
	Fresh    State = iota + 1 // a list is at hand, and in its time
	Stale                     // there is one, but it is out of its time: its answers are UNKNOWN
	Missing                   // there is none
	OnDemand                  // an OCSP responder
)

// String is "fresh", "stale", "missing" or "on-demand".
func (s State) String() string {
	return []string{"", "fresh", "stale", "missing", "on-demand"}[s]
}

// SourceState is what is known of one source at one time. A manifest and a drop directory have a state of their
// own, the worst of their partitions', and one for each partition.
type SourceState struct {
	Name        string
	Method      profile.Method // CRL or OCSP
	State       State
	Circuit     Circuit // OCSP: whether the responder is asked; the worst of those that certificates name
	Issuer      string  // RFC 4514; empty if not known
	IssuerKeyID string  // lower-case hexadecimal; empty if not known
	Partition   string  // RFC 4514; empty where the list has no partition, or is not known
	Number      string  // decimal
	ThisUpdate  time.Time
	NextUpdate  time.Time
	Entries     int
	LastFetch   time.Time // last success, "not modified" and OCSP answers included; of a manifest, that of the partition where it is longest ago
	LastFailure time.Time
	Failure     Failure // of LastFailure
	Required    bool
	Fetches     uint64   // successes since the start
	Failures    uint64   // since the start
	Lists       int      // live lists; 1 at most but for a whole
	Refused     *Refusal // the last list that it gives and that must not serve; nil if there is none

	PartOf       string            // the manifest or directory that it is a partition of; empty for a source of the configuration
	Partitions   [OnDemand + 1]int // of a whole, by State; else itself
	Failing      int               // of them, whose last failure is later than their last success
	OldestUpdate time.Time         // earliest thisUpdate
	NextExpected time.Time         // earliest nextUpdate
}
