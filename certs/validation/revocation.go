package validation

import (
	"slices"
	"time"

	"github.com/tashika-jp/tashika/certs/chain"
	"github.com/tashika-jp/tashika/certs/crl"
	"github.com/tashika-jp/tashika/certs/ocsp"
	"github.com/tashika-jp/tashika/certs/pkix"
	"github.com/tashika-jp/tashika/certs/reason"
	"github.com/tashika-jp/tashika/certs/signature"
)

// revocation asks for the status of the certificates of a path, from the anchor down; the status told is the target's.
func (j *judge) revocation(p *chain.Path, lists *crl.Checker) (crl.Status, []reason.ID) {
	last := len(p.Certificates) - 1
	first := last
	if j.r.Scope == WholeChain {
		first = 0
	}
	var all []reason.ID
	var told evidence
	for i := first; i <= last; i++ {
		told = j.status(p, i, lists)
		switch {
		case told.status == crl.Good:
		case told.status == crl.Unknown:
			all = append(all, told.findings...)
		case i < last:
			all = append(all, reason.IssuerRevoked)
		case told.status == crl.OnHold:
			all = append(all, reason.OnHold)
		default:
			all = append(all, reason.Revoked)
		}
	}
	return told.status, all
}

// evidence is what one method tells of one certificate.
type evidence struct {
	status     crl.Status
	thisUpdate time.Time
	findings   []reason.ID // why the status is unknown; not empty then
}

// status is that of the i-th certificate of a path.
func (j *judge) status(p *chain.Path, i int, lists *crl.Checker) evidence {
	var told []evidence
	if j.r.Revocation != OCSP {
		told = append(told, j.listed(p.Certificates[i], lists))
	}
	if j.r.Revocation != CRL {
		told = append(told, j.answered(p, i, lists)...)
	}
	return weigh(told)
}

// weigh: revoked is for ever, so whoever says so is right; a hold can be released, so of those that say "on hold" and those that
// say "good" the latest is right, and at one time the graver.
func weigh(told []evidence) evidence {
	var out evidence
	for _, e := range told {
		switch {
		case e.status == crl.Unknown:
			out.findings = append(out.findings, e.findings...)
		case e.status == crl.Revoked, out.status == crl.Unknown,
			out.status != crl.Revoked && (e.thisUpdate.After(out.thisUpdate) || e.thisUpdate.Equal(out.thisUpdate) && e.status > out.status):
			out.status, out.thisUpdate = e.status, e.thisUpdate
		}
	}
	return out
}

func (j *judge) listed(c *pkix.Certificate, lists *crl.Checker) evidence {
	r := lists.Status(c)
	e := evidence{status: r.Status, thisUpdate: r.ThisUpdate, findings: r.Findings}
	if r.Status == crl.Unknown && j.m.UnreadableCRLs && slices.Contains(e.findings, reason.CRLMissing) {
		e.findings = append(e.findings, reason.CRLFormatFailure)
	}
	return e
}

// answered is what the responses tell; one of them may be about the certificate, and the others about others.
func (j *judge) answered(p *chain.Path, i int, lists *crl.Checker) []evidence {
	c, issuer := p.Certificates[i], p.Issuer(i)
	missing := []evidence{{findings: []reason.ID{reason.OCSPMissing}}}
	key, err := signature.NewPublicKey(issuer.PublicKeyAlgorithm, issuer.PublicKey)
	if err != nil {
		return missing
	}
	o := ocsp.Options{At: j.r.At, MaxAge: j.r.MaxAge, Allow: j.r.allow(), Untrusted: j.m.Intermediates}
	if len(j.m.CRLs) > 0 {
		o.ResponderStatus = func(delegate *pkix.Certificate) []reason.ID {
			// RFC 6960 section 4.2.2.2.1 leaves it to the client whether to ask about a delegate without nocheck. Where there
			// are lists, what they say is heard; that they say nothing is no reason.
			if s := lists.Status(delegate).Status; s == crl.Revoked || s == crl.OnHold {
				return []reason.ID{reason.OCSPResponderRevoked}
			}
			return nil
		}
	}
	var out []evidence
	for _, der := range j.m.OCSPResponses {
		answer, found := ocsp.CheckStored(der, c, issuer, key, o)
		switch {
		case answer == nil:
			if !slices.Contains(found, reason.OCSPCertIDMismatch) || len(j.m.OCSPResponses) == 1 {
				out = append(out, evidence{findings: found})
			}
		case answer.Status == ocsp.Good:
			out = append(out, evidence{status: crl.Good, thisUpdate: answer.ThisUpdate})
		case answer.Status == ocsp.Revoked && answer.Reason == crl.CertificateHold:
			out = append(out, evidence{status: crl.OnHold, thisUpdate: answer.ThisUpdate})
		case answer.Status == ocsp.Revoked:
			out = append(out, evidence{status: crl.Revoked, thisUpdate: answer.ThisUpdate})
		default:
			out = append(out, evidence{findings: []reason.ID{reason.OCSPStatusUnknown}})
		}
	}
	if out == nil {
		return missing
	}
	return out
}
