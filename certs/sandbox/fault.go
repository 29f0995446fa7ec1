package sandbox

import (
	"crypto/rsa"
	"fmt"
	"slices"
	"sync"
	"time"
)

// An OCSPFaultKind is what is wrong with the responders.
type OCSPFaultKind int

const (
	OCSPHealthy        OCSPFaultKind = iota
	OCSPUnavailable                  // HTTP 503
	OCSPDropped                      // the connection ends without an answer
	OCSPWrongNonce                   // the answer is to another nonce: a replay
	OCSPNoNonce                      // the nonce is ignored, as a pre-producing responder does
	OCSPWrongResponder               // signed by a stranger whose certificate looks right but was not issued by the CA
	OCSPNotDelegated                 // signed by a certificate of the CA that lacks OCSPSigning
	OCSPStale                        // nextUpdate was a day ago
	OCSPTryLater                     // OCSP status tryLater
	OCSPInternalError                // OCSP status internalError
	OCSPRubbish                      // HTTP 200, the right content type, and no DER
	ocspFaultKinds
)

// An OCSPFault is a kind and a delay; slow alone is OCSPHealthy with a delay.
type OCSPFault struct {
	Kind  OCSPFaultKind
	Delay time.Duration // before anything is answered; ends early with the request
}

// A ListFaultKind is what is wrong with one list.
type ListFaultKind int

const (
	ListHealthy          ListFaultKind = iota
	ListMissing                        // HTTP 404
	ListUnavailable                    // HTTP 503
	ListDropped                        // half of the body, then the connection ends
	ListStale                          // rightly signed, but nextUpdate was an hour ago
	ListFuture                         // rightly signed, but thisUpdate is tomorrow
	ListWrongPartition                 // another municipality's list stands at this address
	ListOlderNumber                    // rightly signed and in date, but the content and number before the current ones: a rollback
	ListTruncated                      // two thirds of the DER, with a matching Content-Length
	ListForeignSignature               // the right identifiers, a stranger's signature
	ListOversized                      // a DER header that promises Size octets, and as many octets
	ListOtherAuthority                 // the other CA's list of the municipality
	ListOtherGeneration                // the same CA's, under its other key
	ListShrunken                       // rightly signed and the next number, but nearly all that were revoked are gone
	ListGrown                          // rightly signed and the next number, but with Size revoked that nobody heard of
	ListErrorPage                      // HTTP 200 and a page for people
	ListTrickle                        // the right list, an octet at a time
	ListBomb                           // a gzip encoding of zeros that never ends, whatever encodings were asked for
	listFaultKinds
)

const (
	// defaultOversize is more than any municipality's list can need.
	defaultOversize = 256 << 20
	// defaultGrowth is more than are ever revoked in a municipality in a day.
	defaultGrowth = 1_000_000
	// firstGrown is where the serials of those who were never issued begin.
	firstGrown = 2_000_000_000
	// trickle is between two octets of a list that trickles.
	trickle = 100 * time.Millisecond
)

// A ListFault is a kind and a delay; slow alone is ListHealthy with a delay.
type ListFault struct {
	Kind  ListFaultKind
	Delay time.Duration // before anything is answered; ends early with the request
	Other string        // for ListWrongPartition: the other municipality's code; default: the next one
	Size  int64         // for ListOversized: octets, default 256 MiB, at least 128; for ListGrown: entries, default a million
}

// faults is what is wrong at present.
type faults struct {
	mu    sync.RWMutex
	ocsp  OCSPFault            // guarded by mu
	lists map[ListID]ListFault // guarded by mu
}

func newFaults() *faults { return &faults{lists: make(map[ListID]ListFault)} }

// SetOCSPFault makes every responder of the world fail so until told otherwise;
// the zero OCSPFault heals them.
func (w *World) SetOCSPFault(f OCSPFault) error {
	if f.Kind < 0 || f.Kind >= ocspFaultKinds || f.Delay < 0 {
		return fmt.Errorf("sandbox: %w: %+v", ErrFault, f)
	}
	w.faults.mu.Lock()
	defer w.faults.mu.Unlock()
	w.faults.ocsp = f
	return nil
}

// SetListFault makes one list fail so until told otherwise; the zero ListFault heals it.
func (w *World) SetListFault(id ListID, f ListFault) error {
	if _, err := w.list(id); err != nil {
		return err
	}
	if f.Kind < 0 || f.Kind >= listFaultKinds || f.Delay < 0 || f.Size < 0 ||
		f.Kind == ListOversized && f.Size > 0 && f.Size < 128 || f.Kind == ListGrown && f.Size > lastCrowdSerial-firstGrown {
		return fmt.Errorf("sandbox: %w: %+v", ErrFault, f)
	}
	if f.Kind == ListWrongPartition {
		if f.Other == "" {
			i := slices.IndexFunc(w.municipalities, func(m Municipality) bool { return m.Code == id.Municipality })
			f.Other = w.municipalities[(i+1)%len(w.municipalities)].Code
		}
		if _, err := w.list(ListID{id.Authority, id.Generation, f.Other}); err != nil || f.Other == id.Municipality {
			return fmt.Errorf("sandbox: %w: %q is no other municipality's list", ErrFault, f.Other)
		}
	}
	switch {
	case f.Size != 0:
	case f.Kind == ListOversized:
		f.Size = defaultOversize
	case f.Kind == ListGrown:
		f.Size = defaultGrowth
	}
	w.faults.mu.Lock()
	defer w.faults.mu.Unlock()
	if f == (ListFault{}) {
		delete(w.faults.lists, id)
	} else {
		w.faults.lists[id] = f
	}
	return nil
}

// ClearFaults heals everything.
func (w *World) ClearFaults() {
	w.faults.mu.Lock()
	defer w.faults.mu.Unlock()
	w.faults.ocsp = OCSPFault{}
	clear(w.faults.lists)
}

// Faults reports what is wrong at present.
func (w *World) Faults() (OCSPFault, map[ListID]ListFault) {
	w.faults.mu.RLock()
	defer w.faults.mu.RUnlock()
	lists := make(map[ListID]ListFault, len(w.faults.lists))
	for id, f := range w.faults.lists {
		lists[id] = f
	}
	return w.faults.ocsp, lists
}

func (w *World) ocspFault() OCSPFault {
	w.faults.mu.RLock()
	defer w.faults.mu.RUnlock()
	return w.faults.ocsp
}

func (w *World) listFault(id ListID) ListFault {
	w.faults.mu.RLock()
	defer w.faults.mu.RUnlock()
	return w.faults.lists[id]
}

// A forger is the stranger's key behind faulty signatures, made only when a
// fault needs it.
type forger struct {
	keys *KeyPool
	once sync.Once
	key  *rsa.PrivateKey
	err  error
}

func (f *forger) get() (*rsa.PrivateKey, error) {
	f.once.Do(func() { f.key, f.err = f.keys.fresh() })
	return f.key, f.err
}

// responderFor is who answers for g under a fault.
func (w *World) responderFor(g *generation, fault OCSPFaultKind) (*responder, error) {
	if fault != OCSPWrongResponder && fault != OCSPNotDelegated {
		return g.responder, nil
	}
	key, err := w.forger.get()
	if err != nil {
		return nil, err
	}
	if fault == OCSPWrongResponder {
		return g.makeResponder(key, key, g.responder.serial, true)
	}
	return g.makeResponder(g.key, key, g.responder.serial, false)
}

// faultyList makes the list that a fault serves in place of the current issue.
func (w *World) faultyList(l *list, current, before *issue, f ListFault) (*document, error) {
	now := w.clock().UTC().Truncate(time.Second)
	// The same but for what the kind says.
	fake := &issue{list: l, number: current.number, thisUpdate: current.thisUpdate, nextUpdate: current.nextUpdate, crowds: current.crowds, entries: current.entries}
	key := l.generation.key
	other := l.id
	switch f.Kind {
	case ListStale:
		fake.nextUpdate = now.Add(-time.Hour)
		fake.thisUpdate = fake.nextUpdate.Add(-w.validity)
	case ListFuture:
		fake.thisUpdate = now.Add(24 * time.Hour)
		fake.nextUpdate = fake.thisUpdate.Add(w.validity)
	case ListOlderNumber:
		fake.number--
		fake.entries = nil
		if before != nil {
			fake.entries = before.entries
		}
	case ListShrunken, ListGrown:
		fake.number++
		fake.thisUpdate, fake.nextUpdate = now, now.Add(w.validity)
		if f.Kind == ListShrunken {
			fake.crowds, fake.entries = nil, fake.entries[:min(1, len(fake.entries))]
		} else {
			grown := crowd{first: firstGrown, stride: 1, rounds: int(f.Size), before: crowdTime(now)}
			fake.crowds = append(slices.Clip(fake.crowds), grown)
		}
	case ListForeignSignature:
		var err error
		if key, err = w.forger.get(); err != nil {
			return nil, err
		}
	case ListWrongPartition:
		other.Municipality = f.Other
	case ListOtherAuthority:
		other.Authority = Sign + Auth - other.Authority
	case ListOtherGeneration:
		other.Generation = 1 + other.Generation%Generations
	}
	if other == l.id {
		return l.sign(fake, key)
	}
	from, err := w.list(other)
	if err != nil {
		return nil, err
	}
	theirs, _ := w.issueOf(from)
	return theirs.document()
}
