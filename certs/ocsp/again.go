package ocsp

import (
	"time"

	"github.com/tashika-jp/tashika/certs/pkix"
	"github.com/tashika-jp/tashika/certs/reason"
	"github.com/tashika-jp/tashika/certs/signature"
)

// basis is what an answer was accepted on, as far as other options can see it otherwise.
type basis struct {
	skew       time.Duration
	nonce      bool                   // it bears the request's
	algorithms [2]signature.Algorithm // of the response; of the delegate's certificate, if one signed
	// Of the delegate, if one signed.
	delegated           bool
	nocheck             bool
	notBefore, notAfter time.Time
}

// basisOf is the basis of a response that was found right; signer is the delegate's certificate, or nil.
func (r *response) basisOf(req *Request, signer *pkix.Certificate, o Options) basis {
	b := basis{skew: o.Skew, nonce: r.nonce != nil && req.nonce != nil}
	b.algorithms[0], _ = signature.FromIdentifier(r.algorithm)
	if signer != nil {
		b.algorithms[1], _ = signature.FromIdentifier(signer.SignatureAlgorithm)
		b.delegated, b.nocheck, b.notBefore, b.notAfter = true, signer.OCSPNoCheck, signer.NotBefore, signer.NotAfter
	}
	return b
}

// Stands says whether an answer that Check or CheckStored gave would be given under other options too: at
// another time, with another maximum age, another allow-list. It reads and computes nothing: what these found of
// form, certificate and signatures holds whatever the options. It never says yes where they would say no. It says
// no where only the response could tell: to a skew smaller than the answer was accepted with, and where
// somebody is to be asked about the delegate.
func (a *Answer) Stands(o Options) bool {
	b := &a.basis
	if o.Skew < b.skew || o.RequireNonce && !b.nonce || !o.Allow.Allows(b.algorithms[0]) {
		return false
	}
	if b.delegated {
		notYet, over := o.At.Add(o.Skew).Before(b.notBefore), o.At.Add(-o.Skew).After(b.notAfter)
		if notYet || over || !o.Allow.Allows(b.algorithms[1]) || o.ResponderStatus != nil && !b.nocheck {
			return false
		}
	}
	var found reason.Findings
	(&single{thisUpdate: a.ThisUpdate, nextUpdate: a.NextUpdate}).checkTimes(&found, o)
	return len(found) == 0
}
