package crl

import (
	"bytes"
	"math/big"
	"time"

	"github.com/tashika-jp/tashika/certs/pkix"
	"github.com/tashika-jp/tashika/certs/reason"
	"github.com/tashika-jp/tashika/certs/signature"
)

// Index answers from a list that was found to be its issuer's and complete for its scope.
// There is no way to one but NewIndex. It is immutable and safe for concurrent use.
type Index struct {
	issuer      pkix.Name
	issuerKeyID []byte
	thisUpdate  time.Time
	nextUpdate  time.Time
	number      []byte
	decimal     string // number
	idp         *IssuingDistributionPoint
	names       []pkix.GeneralName // of idp, whole; nil if it has none
	scope       pkix.Name
	issuerKey   []byte // SubjectPublicKeyInfo
	entries     int
	image       *Image // of the complete list
	delta       *Image // nil if there is none
}

// NewIndex authenticates a list and makes it fit for look-ups. The list is as Parse returned
// it, the issuer is trusted, and the key is the issuer's. All findings are returned, and an
// index only if there are none. Time is not asked here, but in CheckTimes at every use. The index does not alias the list.
func NewIndex(l *List, issuer *pkix.Certificate, key *signature.PublicKey, allow signature.AllowList) (*Index, []reason.ID) {
	hashed := *l
	hashed.digest = l.Digest() // once, for the signature and for the image
	var found reason.Findings
	// Not one without its octets, which an image has: its entries would be lost. RFC 5280 section 4.1.2.2: not more than 20 octets.
	found.Add(l.Raw == nil || l.longSerial, reason.CRLFormatFailure)
	hashed.authenticate(&found, issuer, key, allow)
	if len(found) > 0 {
		return nil, found
	}
	image, err := hashed.image()
	if err != nil {
		return nil, []reason.ID{reason.CRLIndexDamaged}
	}
	return image.index(issuer), nil
}

// authenticate finds why a list cannot be believed or not stand alone.
func (l *List) authenticate(found *reason.Findings, issuer *pkix.Certificate, key *signature.PublicKey, allow signature.AllowList) {
	l.checkForm(found)
	// RFC 5280 section 5.2.4: a delta says only what has changed.
	found.Add(l.DeltaBase != nil, reason.CRLIsDelta)
	l.checkStated(found)
	l.checkScope(found)
	l.checkIssuer(found, issuer)
	l.checkSignature(found, key, allow) // last, because it is dear; once, because nobody asks again
}

// index is the index of an image whose list was found to be the issuer's.
func (i *Image) index(issuer *pkix.Certificate) *Index {
	l := i.list
	x := &Index{
		issuer: l.Issuer, issuerKeyID: issuer.SubjectKeyID, issuerKey: issuer.RawSubjectPublicKeyInfo, thisUpdate: l.ThisUpdate, nextUpdate: l.NextUpdate,
		number: l.Number, decimal: decimal(l.Number), idp: l.IDP, entries: i.table.len(), image: i,
	}
	if l.IDP != nil {
		x.names, _ = pointNames(l.Issuer, l.IDP.FullName, l.IDP.RelativeName)
	}
	x.scope = scopeOf(x.names)
	return x
}

// checkForm: the list is one that anybody can use.
func (l *List) checkForm(found *reason.Findings) {
	// RFC 5280 section 5.2: a list with an unknown critical extension MUST NOT be used; section 5.3: nor one
	// with such an entry, whatever certificate is asked for (TestTrapCriticalExtensions).
	found.Add(l.UnknownCritical || l.UnknownCriticalEntry, reason.CRLUnknownCriticalExtension)
	// RFC 5280 section 5.3.1: removeFromCRL only in deltas.
	found.Add(l.RemoveFromCRL && l.DeltaBase == nil, reason.CRLFormatFailure)
	found.Add(!l.NextUpdate.IsZero() && !l.NextUpdate.After(l.ThisUpdate), reason.CRLFormatFailure)
}

// checkStated: the list says what an index needs, of when it is, and of nobody else's certificates.
func (l *List) checkStated(found *reason.Findings) {
	// RFC 5280 section 5.2.6: a freshestCRL that must be processed tells of deltas that nobody here looks for.
	found.Add(l.FreshestCritical, reason.CRLUnknownCriticalExtension)
	// RFC 5280 section 5.3.3: certificateIssuer: this entry and those after it are about certificates
	// of another issuer.
	found.Add(l.CertificateIssuer, reason.CRLIsIndirect)
	// RFC 5280 section 5.2.3: issuers MUST include the number.
	found.Add(l.Number == nil, reason.CRLNumberMissing)
	// RFC 5280 section 5.1.2.5: issuers MUST include nextUpdate: without it a list is fresh for ever
	// (TestTrapNextUpdateIgnored).
	found.Add(l.NextUpdate.IsZero(), reason.CRLNextUpdateMissing)
}

// checkPoint returns the names of the issuing distribution point.
func (l *List) checkPoint(found *reason.Findings) []pkix.GeneralName {
	p := l.IDP
	if p == nil {
		return nil
	}
	found.Add(p.contradictory(), reason.CRLFormatFailure)
	names, ok := pointNames(l.Issuer, p.FullName, p.RelativeName)
	found.Add(!ok, reason.CRLFormatFailure)
	return names
}

// checkScope: the list is of the issuer's own certificates, and for all reasons. It returns the names of the issuing
// distribution point.
func (l *List) checkScope(found *reason.Findings) []pkix.GeneralName {
	p := l.IDP
	if p == nil {
		return nil
	}
	// RFC 5280 section 5.2.5: a critical extension.
	found.Add(!l.IDPCritical, reason.CRLFormatFailure)
	found.Add(p.Indirect, reason.CRLIsIndirect)
	// RFC 5280 section 6.3.3 (d), (e): what is revoked for another reason is not on it.
	found.Add(p.HasReasons, reason.CRLReasonsPartial)
	return l.checkPoint(found)
}

// checkIssuer: the list says that it is the issuer's, and the issuer may make lists.
func (l *List) checkIssuer(found *reason.Findings, issuer *pkix.Certificate) {
	// RFC 5280 section 6.3.3 (b)(1), names compared by section 7.1; section 5.1.2.3: not empty.
	found.Add(l.Issuer.Empty() || !l.Issuer.Equal(issuer.Subject), reason.CRLIssuerMismatch)
	// RFC 5280 section 5.2.1: the key that signed. JPKI's generations share one name
	// (TestTrapKeyGenerationsShareOneName).
	bothSay := len(l.AuthorityKeyID) > 0 && len(issuer.SubjectKeyID) > 0
	found.Add(bothSay && !bytes.Equal(l.AuthorityKeyID, issuer.SubjectKeyID), reason.CRLIssuerMismatch)
	found.Add(!maySignLists(issuer), reason.CRLSignerNotAllowed)
}

func (l *List) checkSignature(found *reason.Findings, key *signature.PublicKey, allow signature.AllowList) {
	algorithm, err := signature.FromIdentifier(l.SignatureAlgorithm)
	if err != nil || !allow.Allows(algorithm) || key == nil || !key.Permits(algorithm) {
		found.Add(true, reason.CRLAlgorithmRefused)
		return
	}
	// RFC 5280 section 6.3.3 (g) (TestTrapSignatureNeverChecked).
	found.Add(key.VerifyDigest(algorithm, l.Digest(), l.Signature) != nil, reason.CRLSignatureInvalid)
}

// ThisUpdate is the time that the list tells of.
func (x *Index) ThisUpdate() time.Time { return x.thisUpdate }

// NextUpdate is the time by which the next list is out; there always is one.
func (x *Index) NextUpdate() time.Time { return x.nextUpdate }

// Number is the list's number in decimal.
func (x *Index) Number() string { return x.decimal }

func decimal(number []byte) string { return new(big.Int).SetBytes(number).String() }

// Entries is how many certificates the list says are revoked; one that is on it twice is one.
func (x *Index) Entries() int { return x.entries }

// Issuer is the name of the list's issuer, as the list has it.
func (x *Index) Issuer() pkix.Name { return x.issuer }

// IssuerKeyID is the subject key identifier of the issuer's certificate; nil if it has none.
func (x *Index) IssuerKeyID() []byte { return x.issuerKeyID }

// Scope is the first directoryName of the issuing distribution point; nil if it names no
// point, and the empty name, which equals no certificate's, if it names one by
// other means. Two lists of one issuer that differ in it are not replacements of each other.
func (x *Index) Scope() pkix.Name { return x.scope }

// CheckTimes checks that the list may be relied on at a time. The skew of clocks is
// conceded to thisUpdate and nextUpdate; maxAge bounds the age of thisUpdate exactly, 0 being no bound.
func (x *Index) CheckTimes(at time.Time, skew, maxAge time.Duration) []reason.ID {
	var found reason.Findings
	found.Add(tooEarly(x.thisUpdate, at, skew), reason.CRLNotYetValid)
	checkAge(&found, x.thisUpdate, x.nextUpdate, at, skew, maxAge)
	return found
}

// Older says in what a list goes back against the last one of the same issuer, key and
// scope (nil: there was none). An equal number or time is none.
func Older(next, last *Index) []reason.ID {
	if last == nil {
		return nil
	}
	var found reason.Findings
	// RFC 5280 section 5.2.3: numbers increase monotonically for a scope and issuer.
	found.Add(compareOctets(next.number, last.number) < 0, reason.CRLNumberLower)
	found.Add(next.thisUpdate.Before(last.thisUpdate), reason.CRLOlder)
	return found
}
