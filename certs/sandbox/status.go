package sandbox

import (
	"fmt"
	"time"
)

// A Status is what the register knows about a certificate.
type Status int

const (
	Good Status = iota + 1
	Held        // certificateHold: may come back (auth of a phone) or end
	Revoked
)

func (s Status) String() string {
	switch s {
	case Good:
		return "good"
	case Held:
		return "held"
	case Revoked:
		return "revoked"
	}
	return fmt.Sprintf("Status(%d)", int(s))
}

// A Reason is a CRLReason (RFC 5280 section 5.3.1), with the JPKI meaning of CPS 4.9.9.
type Reason int

const (
	Unspecified          Reason = 0 // destroyed before hand-over
	KeyCompromise        Reason = 1
	CACompromise         Reason = 2
	AffiliationChanged   Reason = 3 // recorded items changed
	Superseded           Reason = 4 // renewed
	CessationOfOperation Reason = 5 // no longer wanted
	CertificateHold      Reason = 6 // 一時保留
)

func (r Reason) String() string {
	if r < Unspecified || r > CertificateHold {
		return fmt.Sprintf("Reason(%d)", int(r))
	}
	return [...]string{"unspecified", "keyCompromise", "cACompromise", "affiliationChanged",
		"superseded", "cessationOfOperation", "certificateHold"}[r]
}

func statusFor(r Reason) Status {
	if r == CertificateHold {
		return Held
	}
	return Revoked
}

// A State is a certificate's status from some time on.
type State struct {
	Status Status
	Reason Reason    // meaningful unless Good
	Since  time.Time // when the register learned it
	// Date is the revocation date that lists and OCSP give. It differs from
	// Since only where a hold became final: then it stays the date of the hold,
	// so that nothing signed while held can come to look good.
	Date time.Time
}

// A record is one issued end-entity serial. Guarded by World.mu.
type record struct {
	serial       uint64
	generation   *generation
	municipality string
	notAfter     time.Time
	history      []State // oldest first, never empty
}

func (r *record) now() State { return r.history[len(r.history)-1] }

// asOf is the state as the register had it at t. Before the issue it is the
// first state: a responder looks the issue itself up at once.
func (r *record) asOf(t time.Time) State {
	for i := len(r.history) - 1; i > 0; i-- {
		if !r.history[i].Since.After(t) {
			return r.history[i]
		}
	}
	return r.history[0]
}

func (r *record) set(s Status, reason Reason, at time.Time) {
	date := at
	if last := r.now(); last.Status == Held && s == Revoked {
		date = last.Date
	}
	r.history = append(r.history, State{Status: s, Reason: reason, Since: at, Date: date})
}

// Status is the truth in the register, whatever lists and responders say so far.
// ok is false for a serial that was never issued.
func (w *World) Status(a Authority, serial uint64) (state State, ok bool) {
	if a < Sign || a > Auth {
		return State{}, false
	}
	w.mu.RLock()
	defer w.mu.RUnlock()
	r, ok := w.cas[a].record(serial)
	if !ok {
		return State{}, false
	}
	return r.now(), true
}
