package ocsp

import (
	"bytes"
	"errors"
	"time"

	"github.com/tashika-jp/tashika/certs/crl"
	"github.com/tashika-jp/tashika/certs/pkix"
	"github.com/tashika-jp/tashika/certs/reason"
	"github.com/tashika-jp/tashika/certs/signature"
)

// Status of a certificate. The zero value is Unknown.
type Status uint8

// The statuses (RFC 6960 section 2.2). A certificate on hold is Revoked with the reason
// crl.CertificateHold.
const (
	Unknown Status = iota
	Good
	Revoked
)

// String is the name of RFC 6960.
func (s Status) String() string {
	switch s {
	case Good:
		return "good"
	case Revoked:
		return "revoked"
	}
	return "unknown"
}

// Options are what Check and CheckStored go by.
type Options struct {
	// At is the time to judge for.
	At time.Time
	// Skew of clocks that is conceded to all times but the age.
	Skew time.Duration
	// MaxAge bounds the age of thisUpdate exactly. 0 is no bound beyond nextUpdate, and
	// refuses an answer without nextUpdate.
	MaxAge time.Duration
	// RequireNonce refuses an answer without the request's nonce, and so every stored one.
	RequireNonce bool
	// Allow are the algorithms accepted for the signatures of responses and of delegates'
	// certificates.
	Allow signature.AllowList
	// MaxDelegateCertificates bounds the certificates in a response; 0 means 4.
	MaxDelegateCertificates int
	// Untrusted are further certificates among which the delegate's may be, because a response may
	// come without it. Each that bears the responder's name or key can cost two signatures to check.
	Untrusted []*pkix.Certificate
	// ResponderStatus is asked about a delegate that is authorized but has no id-pkix-ocsp-nocheck,
	// and what it finds refuses the response. nil: nobody asks.
	ResponderStatus func(delegate *pkix.Certificate) []reason.ID
}

const defaultMaxCertificates = 4

// Answer is what a response says of the certificate that was asked about.
type Answer struct {
	Status         Status
	Reason         crl.Reason // of Revoked; Unspecified if none is given
	RevocationTime time.Time  // of Revoked
	// NotIssued: the responder says of a certificate that its issuer never issued it (RFC 6960
	// section 2.2, the extended definition of revoked). The Reason is then Unspecified, not the
	// certificateHold that stands in the response: nobody can lift this hold.
	NotIssued  bool
	ThisUpdate time.Time
	NextUpdate time.Time // zero if absent
	ProducedAt time.Time

	basis basis
}

// Check judges the response to a request. The issuer is trusted, and the key is the
// issuer's. All findings are returned, and an answer only if there are none.
func Check(der []byte, req *Request, issuer *pkix.Certificate, key *signature.PublicKey, o Options) (*Answer, []reason.ID) {
	return check(der, req, issuer, key, o)
}

// CheckStored judges a response that was not asked for here (stapled, archived): about
// certificate c of the issuer. CertIDs under any hash of SHA-1 and SHA-2 are read, and a nonce says nothing, because
// it is the answer to somebody else's.
func CheckStored(der []byte, c, issuer *pkix.Certificate, key *signature.PublicKey, o Options) (*Answer, []reason.ID) {
	return check(der, &Request{about: c}, issuer, key, o)
}

func check(der []byte, req *Request, issuer *pkix.Certificate, key *signature.PublicKey, o Options) (*Answer, []reason.ID) {
	most := o.MaxDelegateCertificates
	if most <= 0 {
		most = defaultMaxCertificates
	}
	r, err := parseResponse(der, most)
	if errors.Is(err, errUnsuccessful) {
		return nil, []reason.ID{reason.OCSPUnsuccessful}
	}
	if err != nil {
		return nil, []reason.ID{reason.OCSPFormatFailure}
	}
	var found reason.Findings
	one := r.find(&found, req, issuer)
	// RFC 6960 section 4.4: critical extensions of the response (TestTrapCriticalExtensions).
	found.Add(r.unknownCritical, reason.OCSPUnknownCriticalExtension)
	r.checkNonce(&found, req, o)
	if one != nil {
		one.checkTimes(&found, o)
		r.checkKnown(&found, one, req.about, o)
	}
	wrong, signer := r.checkSigner(req.about, issuer, key, o) // last, because it is dear
	found.Add(true, wrong...)
	if len(found) > 0 || one == nil {
		return nil, found
	}
	answer := r.answer(one)
	answer.basis = r.basisOf(req, signer, o)
	return answer, nil
}

func (r *response) answer(one *single) *Answer {
	a := &Answer{
		Status: one.status, Reason: one.reason, RevocationTime: one.revoked,
		ThisUpdate: one.thisUpdate, NextUpdate: one.nextUpdate, ProducedAt: r.producedAt,
	}
	// RFC 6960 section 2.2: of a certificate that was never issued, with this extension: revoked,
	// certificateHold, 1 January 1970 (TestNeverIssuedIsNoHold).
	if r.extendedRevoke && one.status == Revoked && one.reason == crl.CertificateHold && one.revoked.Unix() == 0 {
		a.NotIssued, a.Reason = true, crl.Unspecified
	}
	return a
}

// find returns the answer about the certificate.
func (r *response) find(found *reason.Findings, req *Request, issuer *pkix.Certificate) *single {
	// RFC 6960 section 4.1.1: a CertID names the issuer as the certificate does. Another issuer's key would
	// judge the signer by the wrong one (TestTrapSerialOnlyAcrossIssuers).
	found.Add(!req.about.Issuer.Equal(issuer.Subject), reason.OCSPCertIDMismatch)
	var first, one *single
	for i := range r.singles {
		// RFC 6960 section 3.2 (1): the certificate in the response is the one in question: both hashes and the
		// serial number (TestTrapIssuerNameHashNotCompared).
		next := &r.singles[i]
		if !next.id.identifies(req.about, issuer) {
			continue
		}
		// RFC 6960 section 4.4: critical extensions of any answer about it.
		found.Add(next.unknownCritical, reason.OCSPUnknownCriticalExtension)
		// Two answers that differ are none, under whichever hashes they are given (TestConflict).
		if first == nil {
			first = next
		}
		differ := first.status != next.status || first.reason != next.reason || !first.revoked.Equal(next.revoked)
		found.Add(differ, reason.OCSPConflict)
		// RFC 6960 section 3.2 (1): an answer is to the CertID of the request, its hash included.
		if req.id.hash != "" && !next.id.equal(req.id) {
			continue
		}
		// Of two that agree, the newer.
		if one == nil || next.thisUpdate.After(one.thisUpdate) {
			one = next
		}
	}
	found.Add(one == nil, reason.OCSPCertIDMismatch)
	return one
}

// checkNonce: RFC 9654 section 2.1: the nonce of the response is the request's, octet for octet.
func (r *response) checkNonce(found *reason.Findings, req *Request, o Options) {
	switch {
	case r.nonce != nil && req.nonce != nil:
		found.Add(!bytes.Equal(r.nonce, nonceValue(req.nonce)), reason.OCSPNonceMismatch)
	case o.RequireNonce:
		// Also where none was sent: then nothing shows that the response is not an old one. A nonce
		// that nobody asked for is somebody else's and says nothing.
		found.Add(true, reason.OCSPNonceMissing)
	}
}

func (one *single) checkTimes(found *reason.Findings, o Options) {
	// RFC 6960 section 4.2.2.1: thisUpdate later than the local system time is unreliable. Of producedAt it
	// demands nothing, and nothing rests on it (openssl/05 was produced after its time of validation).
	found.Add(one.thisUpdate.After(o.At.Add(o.Skew)), reason.OCSPNotYetValid)
	if one.nextUpdate.IsZero() {
		// RFC 6960 section 4.2.2.1: without nextUpdate newer information is available all the time. Then
		// only the age bounds how long the answer lasts, and without a bound it would last for ever.
		found.Add(o.MaxAge == 0, reason.OCSPStale)
	} else {
		found.Add(one.nextUpdate.Before(one.thisUpdate), reason.OCSPFormatFailure)
		// RFC 6960 section 4.2.2.1: nextUpdate earlier than the local system time is unreliable
		// (TestTrapNextUpdateIgnored).
		found.Add(o.At.After(one.nextUpdate.Add(o.Skew)), reason.OCSPStale)
	}
	// RFC 6960 section 3.2 (5): thisUpdate is sufficiently recent.
	found.Add(o.MaxAge != 0 && o.At.Sub(one.thisUpdate) > o.MaxAge, reason.OCSPTooOld)
}

// checkKnown: "good" says no more than that the responder knows of no revocation (RFC 6960 section 2.2), and
// so nothing of a certificate whose status it does not keep. A revocation that it does know of stands.
func (r *response) checkKnown(found *reason.Findings, one *single, c *pkix.Certificate, o Options) {
	// RFC 6960 section 4.4.4: of certificates that expired before the archive cutoff no status is kept
	// (TestArchiveCutoff).
	forgotten := c.NotAfter.Before(one.archiveCutoff)
	// RFC 6960 section 4.4.4: without a cutoff none need be kept beyond the end of the certificate; and before its
	// beginning none can be (TestProducedOutsideValidity).
	late := one.archiveCutoff.IsZero() && r.producedAt.Add(-o.Skew).After(c.NotAfter)
	early := r.producedAt.Add(o.Skew).Before(c.NotBefore)
	found.Add(one.status == Good && (forgotten || late || early), reason.OCSPStatusUnknown)
}
