package crl

import (
	"crypto"
	"errors"
	"fmt"
	"iter"
	"math"
	"time"

	"github.com/tashika-jp/tashika/certs/pkix"
	"github.com/tashika-jp/tashika/certs/signature"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// List is the view of a list (RFC 5280 section 5.1). It aliases Raw. It is what the list
// says, whoever wrote it: only NewIndex knows whether to believe it.
type List struct {
	Raw    []byte // whole CertificateList
	RawTBS []byte // what the issuer signed

	Version            int // 1 or 2
	SignatureAlgorithm pkix.AlgorithmIdentifier
	Issuer             pkix.Name
	ThisUpdate         time.Time
	NextUpdate         time.Time // zero if absent
	RawEntries         []byte    // content of revokedCertificates; nil if absent
	EntryCount         int       // entries in it

	Number            []byte // cRLNumber, content octets of the INTEGER; nil if absent
	DeltaBase         []byte // BaseCRLNumber of a delta, likewise
	DeltaCritical     bool
	AuthorityKeyID    []byte // keyIdentifier; nil if absent
	RawAuthorityKeyID []byte // the whole extension's value; nil if absent
	IDP               *IssuingDistributionPoint
	IDPCritical       bool
	FreshestCRL       []pkix.DistributionPoint // nil if absent
	FreshestCritical  bool

	// UnknownCritical: a critical extension of the list that is not read here.
	UnknownCritical bool
	// UnknownCriticalEntry: the same in an entry.
	UnknownCriticalEntry bool
	// CertificateIssuer: an entry names another issuer, as only indirect lists do.
	CertificateIssuer bool
	// RemoveFromCRL: an entry has this reason, as only deltas do.
	RemoveFromCRL bool

	// offProfile: the encoding breaks a rule of RFC 5280 section 5 that binds issuers and endangers nobody. Only a
	// strict judge minds.
	offProfile bool

	// longSerial: an entry has a serial number of more octets than an index takes.
	longSerial bool

	Signature []byte // over RawTBS

	// What a list is without its entries, as encoded: what is before them, the extensions with their tag (nil if absent), and the signatureValue.
	head, extensions, signatureValue []byte

	digest []byte // where the octets are gone
}

// Digest is the digest that the signature is over, under the hash of the signature algorithm: it names the list. It is
// nil if the algorithm is not known.
func (l *List) Digest() []byte {
	hash, known := l.hash()
	if l.digest != nil || !known {
		return l.digest
	}
	h := hash.New()
	h.Write(l.RawTBS)
	return h.Sum(nil)
}

// hash is that of the signature algorithm.
func (l *List) hash() (h crypto.Hash, known bool) {
	a, err := signature.FromIdentifier(l.SignatureAlgorithm)
	return a.Hash, err == nil && a.Hash.Available()
}

// maxNumberSize bounds cRLNumber, in octets. RFC 5280 section 5.2.3 wants up to 20 read.
const maxNumberSize = 256

var (
	oidCRLNumber      = pkix.MustOID("2.5.29.20")
	oidDeltaIndicator = pkix.MustOID("2.5.29.27")
	oidIDP            = pkix.MustOID("2.5.29.28")
	oidAuthorityKeyID = pkix.MustOID("2.5.29.35")
	oidFreshestCRL    = pkix.MustOID("2.5.29.46")
	oidAuthorityInfo  = pkix.MustOID("1.3.6.1.5.5.7.1.1")
	oidCAIssuers      = pkix.MustOID("1.3.6.1.5.5.7.48.2")
)

// Parse reads one list, every entry of it, and nothing after it.
func Parse(der []byte) (*List, error) {
	l := &List{Raw: der}
	if err := l.read(windowOn(der), nil); err != nil {
		return nil, fmt.Errorf("crl: %w", err)
	}
	return l, nil
}

// read reads a list to its end. Entries go to add, if there is one.
func (l *List) read(w *window, add addEntry) error {
	listEnd, ok := w.enter(math.MaxInt64)
	if !ok {
		return errors.New("not a SEQUENCE")
	}
	signed := w.offset()
	tbsEnd, ok := w.enter(listEnd)
	if !ok {
		return errors.New("no tbsCertList")
	}
	l.head = w.keep(w.rest(min(tbsEnd, w.offset()+w.head)))
	rest := cryptobyte.String(l.head)
	if err := l.parseHead(&rest); err != nil {
		return err
	}
	l.head = l.head[:len(l.head)-len(rest)]
	w.pos += len(l.head)
	if hash, known := l.hash(); known && w.newHash != nil {
		w.digest, w.hashed, w.signedTo = w.newHash(hash), signed, tbsEnd
		w.hash()
	}
	var entries, entriesEnd int64
	hasEntries := rest.PeekASN1Tag(asn1.SEQUENCE)
	if hasEntries {
		// RFC 5280 section 5.1.2.6 wants it absent when nothing is revoked. An empty one says the
		// same, and many issue it.
		if entriesEnd, ok = w.enter(tbsEnd); !ok {
			return errors.New("malformed revokedCertificates")
		}
		entries = w.offset()
		l.offProfile = l.offProfile || entries == entriesEnd
		if err := l.readEntries(w, entriesEnd, add); err != nil {
			return err
		}
	}
	size := listEnd - w.offset()
	switch {
	case size > w.tail:
		return errors.New("too much behind the entries")
	case w.need(int(min(size, int64(len(w.buf)))) + 1):
		return errors.New("more than one SEQUENCE")
	case size > int64(w.end-w.pos):
		return errors.New("the list ends early")
	}
	if err := l.parseTail(w.rest(tbsEnd), w.rest(listEnd)[tbsEnd-w.offset():]); err != nil {
		return err
	}
	switch {
	case w.digest != nil:
		l.digest = w.digest.Sum(nil)
	case w.src == nil:
		l.RawTBS = w.buf[signed:tbsEnd]
		if hasEntries {
			l.RawEntries = w.buf[entries:entriesEnd]
		}
	}
	return nil
}

// parseHead reads what is before the entries.
func (l *List) parseHead(tbs *cryptobyte.String) error {
	l.Version = 1
	if tbs.PeekASN1Tag(asn1.INTEGER) {
		// RFC 5280 section 5.1.2.1: when present, version MUST be v2, the integer 1.
		version, ok := pkix.ReadInteger(tbs)
		if !ok || len(version) != 1 || version[0] != 1 {
			return errors.New("version is not v2")
		}
		l.Version = 2
	}
	var err error
	if l.SignatureAlgorithm, err = pkix.ReadAlgorithmIdentifier(tbs); err != nil {
		return err
	}
	if l.Issuer, err = pkix.ReadName(tbs); err != nil {
		return fmt.Errorf("issuer: %w", err)
	}
	var ok bool
	generalized := tbs.PeekASN1Tag(asn1.GeneralizedTime)
	if l.ThisUpdate, ok = pkix.ReadTime(tbs); !ok {
		return errors.New("malformed thisUpdate")
	}
	// RFC 5280 sections 5.1.2.4, 5.1.2.5: times through 2049 are UTCTime.
	l.offProfile = generalized && l.ThisUpdate.Year() < 2050
	if generalized = tbs.PeekASN1Tag(asn1.GeneralizedTime); generalized || tbs.PeekASN1Tag(asn1.UTCTime) {
		if l.NextUpdate, ok = pkix.ReadTime(tbs); !ok {
			return errors.New("malformed nextUpdate")
		}
		l.offProfile = l.offProfile || generalized && l.NextUpdate.Year() < 2050
	}
	return nil
}

// parseTail reads what is behind the entries, in what is signed and after it.
func (l *List) parseTail(tbs, outer cryptobyte.String) error {
	if !tbs.Empty() {
		var extensions cryptobyte.String
		l.extensions = tbs
		// RFC 5280 section 5.1: crlExtensions, if present, version MUST be v2.
		if l.Version != 2 || !tbs.ReadASN1(&extensions, asn1.Tag(0).ContextSpecific().Constructed()) || !tbs.Empty() {
			return errors.New("malformed end of tbsCertList")
		}
		if err := pkix.WalkExtensions(extensions, l.parseExtension); err != nil {
			return err
		}
	}
	algorithm, err := pkix.ReadAlgorithmIdentifier(&outer)
	if err != nil {
		return err
	}
	// RFC 5280 section 5.1.1.2: signatureAlgorithm MUST be the same as signature.
	if !l.SignatureAlgorithm.Equal(algorithm) {
		return errors.New("inner and outer signature algorithm differ")
	}
	l.signatureValue = outer
	var ok bool
	if l.Signature, ok = pkix.ReadSignature(&outer); !ok || !outer.Empty() {
		return errors.New("malformed signatureValue")
	}
	return nil
}

// Entries goes through the entries in the list's order, with the serial numbers as content
// octets of the INTEGER. Nothing of it is authenticated.
func (l *List) Entries() iter.Seq2[[]byte, Entry] {
	return func(yield func([]byte, Entry) bool) {
		for s := cryptobyte.String(l.RawEntries); !s.Empty(); {
			e, ok := readEntry(&s, l.Version)
			if !ok || !yield(e.serial, Entry{e.revoked, e.reason}) {
				return
			}
		}
	}
}

func (l *List) parseExtension(e pkix.Extension) error {
	s := cryptobyte.String(e.Value)
	var err error
	switch e.ID {
	case oidCRLNumber:
		l.offProfile = l.offProfile || e.Critical // RFC 5280 section 5.2.3
		l.Number, err = readNumber(&s)
	case oidDeltaIndicator:
		l.DeltaCritical = e.Critical
		l.DeltaBase, err = readNumber(&s)
	case oidAuthorityKeyID:
		l.offProfile = l.offProfile || e.Critical // RFC 5280 section 4.2.1.1
		l.RawAuthorityKeyID = e.Value
		l.AuthorityKeyID, err = readAuthorityKeyID(&s)
	case oidFreshestCRL:
		l.FreshestCritical = e.Critical
		l.FreshestCRL, err = pkix.ReadDistributionPoints(&s)
	case oidAuthorityInfo:
		l.UnknownCritical = l.UnknownCritical || e.Critical
		l.offProfile = l.offProfile || !namesIssuers(s)
		return nil
	case oidIDP:
		l.IDPCritical = e.Critical
		l.IDP, err = readIDP(&s)
	default:
		// RFC 5280 section 5.2: a list with a critical extension that cannot be processed MUST NOT be
		// used. That includes those of RFC 5280 which nothing here rests on (issuerAltName, and above
		// authorityInfoAccess): they are not critical.
		l.UnknownCritical = l.UnknownCritical || e.Critical
		return nil
	}
	if err == nil && !s.Empty() {
		err = errors.New("malformed")
	}
	return err
}

// readNumber reads CRLNumber ::= INTEGER (0..MAX).
func readNumber(s *cryptobyte.String) ([]byte, error) {
	n, ok := pkix.ReadInteger(s)
	if !ok || n[0]&0x80 != 0 || len(n) > maxNumberSize {
		return nil, errors.New("malformed number")
	}
	return n, nil
}

// readAuthorityKeyID returns the keyIdentifier, which RFC 5280 section 5.2.1 demands of lists;
// issuer and serial number are read past.
func readAuthorityKeyID(s *cryptobyte.String) ([]byte, error) {
	var inner, id, serial cryptobyte.String
	var hasID, hasSerial bool
	if !s.ReadASN1(&inner, asn1.SEQUENCE) || !inner.ReadOptionalASN1(&id, &hasID, asn1.Tag(0).ContextSpecific()) {
		return nil, errors.New("malformed")
	}
	issuer := asn1.Tag(1).ContextSpecific().Constructed()
	hasIssuer := inner.PeekASN1Tag(issuer)
	if hasIssuer {
		if _, err := pkix.ReadGeneralNames(&inner, issuer); err != nil {
			return nil, err
		}
	}
	if !inner.ReadOptionalASN1(&serial, &hasSerial, asn1.Tag(2).ContextSpecific()) || !inner.Empty() {
		return nil, errors.New("malformed")
	}
	// RFC 5280 appendix A.2: authorityCertIssuer and authorityCertSerialNumber both or neither.
	if hasIssuer != hasSerial || hasSerial && len(serial) == 0 || hasID && len(id) == 0 {
		return nil, errors.New("malformed")
	}
	return id, nil
}

// Scope is Index.Scope of a list that nobody has authenticated. It is the empty name where the issuing distribution point makes no sense.
func (l *List) Scope() pkix.Name {
	if l.IDP == nil {
		return nil
	}
	names, ok := pointNames(l.Issuer, l.IDP.FullName, l.IDP.RelativeName)
	if !ok {
		return pkix.Name{}
	}
	return scopeOf(names)
}
