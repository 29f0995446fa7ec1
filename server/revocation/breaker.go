package revocation

import (
	"math/bits"
	"net/url"
	"sync"
	"time"
)

// The measures of a breaker.
const (
	// tripRow and tripShare open a circuit: failures in a row, or of the last tripWindow questions.
	tripRow    = 5
	tripShare  = 10
	tripWindow = 20
	// firstWait until a question tries whether the responder answers again; doubled with each that finds it does not.
	firstWait = time.Second
	lastWait  = 30 * time.Second
	// maxBreakers bounds the hosts that certificates name. JPKI's are two.
	maxBreakers = 64
)

// Circuit is whether a responder is asked. The zero value is none: a list has no circuit.
type Circuit uint8

// The circuits, the better first.
const (
	CircuitClosed   Circuit = iota + 1 // it is asked
	CircuitHalfOpen                    // one question at a time tries whether it answers again
	CircuitOpen                        // it failed, and nobody asks it for a while
)

// String is "closed", "half-open" or "open"; empty for none.
func (c Circuit) String() string { return []string{"", "closed", "half-open", "open"}[c] }

// breaker is what stands before one responder: a bound on the questions under way, and a circuit that opens when it does not
// answer, so that an outage costs the time of a few questions and not that of all. It counts only what the
// responder did to a question, however short the patience of who put it, and nothing that one certificate
// can bring about: nobody outside can open it.
type breaker struct {
	mu      sync.Mutex
	asking  int           // guarded by mu: questions under way
	recent  uint32        // guarded by mu: the last ones, a bit each, 1 for a failure, the newest lowest
	open    bool          // guarded by mu
	probing bool          // guarded by mu: open, and one question tries
	wait    time.Duration // guarded by mu: of the last opening, before jitter
	until   time.Time     // guarded by mu: open, and nobody tries before
}

// enter lets a question through, or says why not. Each that gets through has to leave. The probe is the one that tries.
func (b *breaker) enter(now time.Time, most int) (probe bool, refused OCSPOutcome) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.open && (b.probing || b.waiting(now)):
		return false, OCSPRefused
	case b.asking >= most:
		return false, OCSPBusy
	}
	b.asking++
	b.probing = b.open
	return b.open, ""
}

// waiting: a clock that stepped back does not make the wait longer. Called with mu held.
func (b *breaker) waiting(now time.Time) bool {
	left := b.until.Sub(now)
	return left > 0 && left <= b.wait
}

// leave enters what came of a question: whether the responder failed. What others than the probe find while the circuit is open was
// asked before and says nothing new. It returns whether the circuit opened or closed, and for how long nobody will ask.
func (b *breaker) leave(now time.Time, probe, failed bool, random float64) (changed bool, wait time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asking--
	switch {
	case probe && !failed:
		b.open, b.probing, b.recent = false, false, 0
		return true, 0
	case probe:
		b.probing = false
		b.wait = min(2*b.wait, lastWait)
	case b.open:
		return false, 0
	default:
		b.recent <<= 1
		if failed {
			b.recent |= 1
		}
		row, window := uint32(1<<tripRow-1), uint32(1<<tripWindow-1)
		if b.recent&row != row && bits.OnesCount32(b.recent&window) < tripShare {
			return false, 0
		}
		b.open, b.wait, changed = true, firstWait, true
	}
	// Between half of the wait and the whole, so that many servers do not come back at once.
	wait = b.wait/2 + time.Duration(random*float64(b.wait/2))
	b.until = now.Add(wait)
	return changed, wait
}

func (b *breaker) circuit(now time.Time) Circuit {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case !b.open:
		return CircuitClosed
	case b.probing || !b.waiting(now):
		return CircuitHalfOpen
	}
	return CircuitOpen
}

// idle says that nothing would be lost with the breaker.
func (b *breaker) idle() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.asking == 0 && !b.open && b.recent == 0
}

// breakers are those of one entry in Sources: one for a responder that is configured, one a host for those that certificates name.
type breakers struct {
	mu   sync.Mutex
	byID map[string]*breaker // guarded by mu
}

// of returns the breaker for an address, nil where there are too many.
func (b *breakers) of(address string) *breaker {
	u, err := url.Parse(address)
	if err != nil {
		return nil
	}
	id := u.Scheme + "://" + u.Host
	b.mu.Lock()
	defer b.mu.Unlock()
	if found := b.byID[id]; found != nil {
		return found
	}
	if len(b.byID) >= maxBreakers {
		for other, x := range b.byID {
			if x.idle() {
				delete(b.byID, other)
			}
		}
		if len(b.byID) >= maxBreakers {
			return nil
		}
	}
	if b.byID == nil {
		b.byID = make(map[string]*breaker)
	}
	b.byID[id] = new(breaker)
	return b.byID[id]
}

// circuit is the worst of them.
func (b *breakers) circuit(now time.Time) Circuit {
	b.mu.Lock()
	defer b.mu.Unlock()
	worst := CircuitClosed
	for _, x := range b.byID {
		worst = max(worst, x.circuit(now))
	}
	return worst
}
