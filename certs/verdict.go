package certs

import (
	"context"
	"time"

	"github.com/tashika-jp/tashika/certs/anchors"
	"github.com/tashika-jp/tashika/certs/crl"
	"github.com/tashika-jp/tashika/certs/ocsp"
	"github.com/tashika-jp/tashika/certs/pkix"
	"github.com/tashika-jp/tashika/certs/profile"
	"github.com/tashika-jp/tashika/certs/reason"
	"github.com/tashika-jp/tashika/certs/signature"
)

// Presented is what a relying party presents.
type Presented struct {
	// Certificate of the holder.
	Certificate *pkix.Certificate
	// Signature of the holder; nil where only the certificate is checked.
	Signature *Signature
	// Challenge is what came of consuming the challenge; nil if it was fine or none is answered.
	Challenge []reason.ID
	// Method to find the status by; one that the profile offers.
	Method profile.Method
	// MaxAge of the evidence, 0 for what the profile demands; it can only tighten that.
	MaxAge time.Duration
}

// Signature is a holder's signature and what it was made over.
type Signature struct {
	Value     []byte
	Algorithm signature.Algorithm
	// Message that was signed, or nil if only its Digest is known.
	Message []byte
	// Digest of the message under the algorithm's hash.
	Digest []byte
	// CMS: it came in a CMS message (ReadCMS); Message is what it must be over, content or attributes.
	CMS bool
	// Findings about the CMS message, beyond what is checked of every signature.
	Findings []reason.ID
}

// Trust is what a verification stands on: one immutable snapshot for the whole of it.
type Trust struct {
	Profile    *profile.Profile
	Anchors    *anchors.Set
	Revocation Revocation
	Now        time.Time
	// Cache of certificates; may be nil.
	Cache *Cache
}

// Revocation is where the evidence of a status comes from.
type Revocation interface {
	// List returns the authenticated list whose scope is the certificate's distribution
	// point, and the name of its source; nil if there is none. It does not block.
	List(issuer *anchors.Anchor, c *pkix.Certificate) (index *crl.Index, source string)
	// Ask asks the issuer's OCSP responder and checks what it answers with the
	// options given. It ends before the context does, so that there is time left for a verdict, and not
	// after the timeout. The answer is nil where there are findings; it may be shared, so it is only read.
	Ask(ctx context.Context, q Question) (answer *ocsp.Answer, source string, findings []reason.ID)
}

// Question is one for an OCSP responder.
type Question struct {
	Issuer      *anchors.Anchor
	Certificate *pkix.Certificate
	// Options that the answer is checked with.
	Options ocsp.Options
	// Timeout of the question; 0 is for whoever answers to choose.
	Timeout time.Duration
	// Reuse is how long ago an answer may have been asked for that was right then and is by Options now. 0 wants
	// one that is on its way when the question is put, or comes after it.
	Reuse time.Duration
}

// Conclusion of a verification. The zero value is none and never valid.
type Conclusion uint8

// The conclusions (ETSI EN 319 102-1 section 5.1.3).
const (
	Indeterminate Conclusion = iota + 1
	Invalid
	Valid
)

// Status of a certificate at its issuer. The zero value is Unknown.
type Status uint8

// The statuses.
const (
	Unknown Status = iota
	Good
	OnHold
	Revoked
)

// Evidence is a status and what it rests on.
type Evidence struct {
	Status         Status
	Reason         crl.Reason     // of Revoked and OnHold
	RevocationTime time.Time      // of Revoked and OnHold
	Method         profile.Method // CRL or OCSP; 0 where there is no evidence
	ThisUpdate     time.Time
	NextUpdate     time.Time
	CRLNumber      string // decimal; lists only
	Source         string
	Fallback       bool // the answer of the second method
}

// Age is the time from thisUpdate of the evidence to the given time; 0 without evidence.
func (e Evidence) Age(now time.Time) time.Duration {
	if e.ThisUpdate.IsZero() {
		return 0
	}
	return now.Sub(e.ThisUpdate)
}

// Outcome of one check.
type Outcome uint8

// The outcomes.
const (
	Passed Outcome = iota + 1
	Failed
	Undecided
	Skipped
)

// Check is one line of the explanation.
type Check struct {
	ID      CheckID
	Outcome Outcome
	Reasons []reason.ID
}

// Verdict is the answer with everything it rests on.
type Verdict struct {
	Conclusion Conclusion
	Reasons    []reason.ID // gravest first, each once
	Guidance   Guidance
	Kind       profile.Kind    // 0 if unknown
	Issuer     *anchors.Anchor // nil if unknown
	Evidence   Evidence
	Attributes *HolderAttributes // only of a Valid verdict, if the profile says so
	Checks     []Check           // in the order made
	Profile    string
	Time       time.Time
}
