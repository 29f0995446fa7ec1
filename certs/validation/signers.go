package validation

import (
	"github.com/tashika-jp/tashika/certs/chain"
	"github.com/tashika-jp/tashika/certs/crl"
	"github.com/tashika-jp/tashika/certs/pkix"
	"github.com/tashika-jp/tashika/certs/reason"
	"github.com/tashika-jp/tashika/certs/signature"
)

// lists answers from the lists whose signers an anchor leads to (RFC 5280 section 6.3.3 (f): to the same anchor as the certificate in question).
//
// Signers of lists are certificates, whose status is on lists, perhaps on one that they signed themselves, which RFC 5280 allows
// (PKITS 4.5.3, 4.14.30). So who may sign is found from the outside in: at first everybody is believed who has a path; then,
// until nobody is left to give up, whoever those lists do not say is good. What is believed in the end agrees with itself, and
// a signer that anybody believable calls revoked is not in it.
func (j *judge) lists(a *chain.Anchor) *crl.Checker {
	if k := j.checkers[a]; k != nil {
		return k
	}
	believed := map[*pkix.Certificate]*signature.PublicKey{}
	for _, l := range j.m.CRLs {
		for _, c := range j.builder.BySubject(l.Issuer) {
			if believed[c] != nil || !j.leadsTo(a, c, nil) {
				continue
			}
			if key, err := signature.NewPublicKey(c.PublicKeyAlgorithm, c.PublicKey); err == nil {
				believed[c] = key
			}
		}
	}
	k := j.checker(a, believed)
	for round := 0; j.r.Scope == WholeChain; round++ {
		var given []*pkix.Certificate
		for c := range believed {
			if !j.leadsTo(a, c, k) {
				given = append(given, c)
			}
		}
		if len(given) == 0 {
			break
		}
		for _, c := range given {
			delete(believed, c)
		}
		if round == maxRounds { // nothing that honest lists do; and nobody's word is better than a doubtful one
			clear(believed)
		}
		k = j.checker(a, believed)
	}
	j.checkers[a] = k
	return k
}

const maxRounds = 8

// leadsTo says whether a certificate has a path to the anchor, on which according to the lists, if given, nobody is revoked.
func (j *judge) leadsTo(a *chain.Anchor, c *pkix.Certificate, lists *crl.Checker) bool {
	o := chain.Options{Anchors: []*chain.Anchor{a}, MaxIntermediates: -1}
	if lists != nil {
		o.Accept = func(p *chain.Path) []reason.ID {
			_, found := j.revocation(p, lists)
			return found
		}
	}
	path, _ := j.builder.Build(c, o)
	return path != nil
}

// checker believes the anchor and some others. Whether they may sign lists is package crl's question.
func (j *judge) checker(a *chain.Anchor, believed map[*pkix.Certificate]*signature.PublicKey) *crl.Checker {
	return crl.NewChecker(j.m.CRLs, crl.CheckOptions{
		At: j.r.At, MaxAge: j.r.MaxAge, Allow: j.r.allow(), Strict: j.r.Strict,
		Signers: func(l *crl.List) []crl.Signer {
			var out []crl.Signer
			if a.Certificate.Subject.Equal(l.Issuer) {
				out = append(out, crl.Signer{Certificate: a.Certificate, Key: a.Key})
			}
			for _, c := range j.builder.BySubject(l.Issuer) {
				if key := believed[c]; key != nil {
					out = append(out, crl.Signer{Certificate: c, Key: key})
				}
			}
			return out
		},
	})
}
