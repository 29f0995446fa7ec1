package ocsp

import (
	"errors"
	"time"

	"github.com/tashika-jp/tashika/certs/crl"
	"github.com/tashika-jp/tashika/certs/pkix"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// Bounds of a response: it is read from the network before anything of it is proven.
const (
	// MaxResponseSize in bytes.
	MaxResponseSize = 128 << 10
	maxSingles      = 256
)

// response is the view of a BasicOCSPResponse. It aliases what it was read from and is
// believed by nobody.
type response struct {
	rawTBS       []byte // tbsResponseData
	algorithm    pkix.AlgorithmIdentifier
	signature    []byte
	certificates []*pkix.Certificate

	responderName pkix.Name // byName, or
	responderKey  []byte    // byKey
	canonicalName string    // of responderName
	producedAt    time.Time
	singles       []single

	nonce           []byte // whole value of the extension; nil if absent
	extendedRevoke  bool
	unknownCritical bool
}

// single is one SingleResponse.
type single struct {
	id              certID
	status          Status
	reason          crl.Reason
	revoked         time.Time
	thisUpdate      time.Time
	nextUpdate      time.Time // zero if absent
	archiveCutoff   time.Time // zero if absent
	unknownCritical bool
}

// parseResponse reads one OCSPResponse and nothing after it. An unsuccessful one is
// errUnsuccessful.
func parseResponse(der []byte, maxCertificates int) (*response, error) {
	if len(der) > MaxResponseSize {
		return nil, errTooLarge
	}
	input := cryptobyte.String(der)
	var outer, status, explicit, typed, basic cryptobyte.String
	if !input.ReadASN1(&outer, asn1.SEQUENCE) || !input.Empty() ||
		!outer.ReadASN1(&status, asn1.ENUM) || len(status) != 1 {
		return nil, errMalformed
	}
	switch status[0] {
	case 0:
	case 1, 2, 3, 5, 6: // malformedRequest, internalError, tryLater, sigRequired, unauthorized
		// RFC 6960 section 4.2.1: responseBytes only if successful.
		if !outer.Empty() {
			return nil, errMalformed
		}
		return nil, errUnsuccessful
	default:
		return nil, errMalformed
	}
	if !outer.ReadASN1(&explicit, explicit0) || !outer.Empty() ||
		!explicit.ReadASN1(&typed, asn1.SEQUENCE) || !explicit.Empty() {
		return nil, errMalformed
	}
	// RFC 6960 section 4.2.1: id-pkix-ocsp-basic is the type that every client knows; we know no other.
	kind, ok := pkix.ReadOID(&typed)
	if !ok || kind != oidBasic || !typed.ReadASN1(&basic, asn1.OCTET_STRING) || !typed.Empty() {
		return nil, errMalformed
	}
	r := new(response)
	if err := r.parseBasic(basic, maxCertificates); err != nil {
		return nil, err
	}
	return r, nil
}

func (r *response) parseBasic(input cryptobyte.String, maxCertificates int) error {
	var basic, tbs cryptobyte.String
	if !input.ReadASN1(&basic, asn1.SEQUENCE) || !input.Empty() || !basic.ReadASN1Element(&tbs, asn1.SEQUENCE) {
		return errMalformed
	}
	r.rawTBS = tbs
	var err error
	if r.algorithm, err = pkix.ReadAlgorithmIdentifier(&basic); err != nil {
		return err
	}
	var ok bool
	if r.signature, ok = pkix.ReadSignature(&basic); !ok {
		return errMalformed
	}
	if basic.PeekASN1Tag(explicit0) {
		if err := r.parseCertificates(&basic, maxCertificates); err != nil {
			return err
		}
	}
	if !basic.Empty() {
		return errMalformed
	}
	tbs.ReadASN1(&tbs, asn1.SEQUENCE)
	return r.parseTBS(tbs)
}

// parseCertificates reads the certificates that came along, bounded in number. One that cannot be read is passed over:
// nobody signed the list, RFC 6960 section 4.2.1 says only that it may help to find the signer, and if that
// was the signer's, nobody else is found (TestCertificatesThatAreNone).
func (r *response) parseCertificates(s *cryptobyte.String, most int) error {
	var explicit, list cryptobyte.String
	if !s.ReadASN1(&explicit, explicit0) || !explicit.ReadASN1(&list, asn1.SEQUENCE) || !explicit.Empty() {
		return errMalformed
	}
	for !list.Empty() {
		var der cryptobyte.String
		if !list.ReadASN1Element(&der, asn1.SEQUENCE) {
			return errMalformed
		}
		if most--; most < 0 {
			return errTooManyElements
		}
		if c, err := pkix.ParseCertificate(der); err == nil {
			r.certificates = append(r.certificates, c)
		}
	}
	return nil
}

// parseTBS reads the content of ResponseData.
func (r *response) parseTBS(s cryptobyte.String) error {
	if s.PeekASN1Tag(explicit0) {
		// X.690 section 11.5 wants the default, v1, not encoded. Responders that encode it exist, it
		// is signed, and it says the same: accepted, as by every other client.
		var explicit cryptobyte.String
		s.ReadASN1(&explicit, explicit0)
		if v, ok := pkix.ReadInteger(&explicit); !ok || !explicit.Empty() || len(v) != 1 || v[0] != 0 {
			return errors.New("ocsp: version is not v1")
		}
	}
	if err := r.parseResponderID(&s); err != nil {
		return err
	}
	var ok bool
	if r.producedAt, ok = pkix.ReadGeneralizedTime(&s); !ok {
		return errMalformed
	}
	var list cryptobyte.String
	if !s.ReadASN1(&list, asn1.SEQUENCE) {
		return errMalformed
	}
	for !list.Empty() {
		one, err := readSingle(&list)
		if err != nil {
			return err
		}
		if r.singles = append(r.singles, one); len(r.singles) > maxSingles {
			return errTooManyElements
		}
	}
	if s.Empty() {
		return nil
	}
	var extensions cryptobyte.String
	if !s.ReadASN1(&extensions, explicit1) || !s.Empty() {
		return errMalformed
	}
	return pkix.WalkExtensions(extensions, func(e pkix.Extension) error {
		switch e.ID {
		case oidNonce:
			r.nonce = e.Value
		case oidExtendedRevoke:
			r.extendedRevoke = true
		default:
			// RFC 6960 section 4.4: a critical extension that is not understood.
			r.unknownCritical = r.unknownCritical || e.Critical
		}
		return nil
	})
}

func (r *response) parseResponderID(s *cryptobyte.String) error {
	var choice, key cryptobyte.String
	var tag asn1.Tag
	if !s.ReadAnyASN1(&choice, &tag) {
		return errMalformed
	}
	var err error
	switch tag {
	case explicit1:
		if r.responderName, err = pkix.ReadName(&choice); err == nil {
			// Once, because it is compared with every certificate at hand.
			r.canonicalName = r.responderName.Canonical()
		}
	case explicit2:
		// RFC 6960 section 4.2.1: the SHA-1 hash of the responder's public key.
		if !choice.ReadASN1(&key, asn1.OCTET_STRING) || len(key) != 20 {
			return errMalformed
		}
		r.responderKey = key
	default:
		return errMalformed
	}
	if err == nil && !choice.Empty() {
		err = errMalformed
	}
	return err
}

func readSingle(list *cryptobyte.String) (single, error) {
	var one single
	var s cryptobyte.String
	var ok bool
	if !list.ReadASN1(&s, asn1.SEQUENCE) {
		return one, errMalformed
	}
	if one.id, ok = readCertID(&s); !ok || !one.readStatus(&s) {
		return one, errMalformed
	}
	if one.thisUpdate, ok = pkix.ReadGeneralizedTime(&s); !ok {
		return one, errMalformed
	}
	if s.PeekASN1Tag(explicit0) {
		var explicit cryptobyte.String
		s.ReadASN1(&explicit, explicit0)
		// 1 January of the year 1 would be taken for an absent one.
		if one.nextUpdate, ok = pkix.ReadGeneralizedTime(&explicit); !ok || !explicit.Empty() || one.nextUpdate.IsZero() {
			return one, errMalformed
		}
	}
	if s.Empty() {
		return one, nil
	}
	var extensions cryptobyte.String
	if !s.ReadASN1(&extensions, explicit1) || !s.Empty() {
		return one, errMalformed
	}
	err := pkix.WalkExtensions(extensions, one.readExtension)
	return one, err
}

// readExtension: RFC 6960 section 4.4 makes none of a single response critical. Of those that others make so, the
// archive cutoff is heeded, and timestamps of transparency logs (RFC 6962 section 3.3) say nothing of the status.
func (one *single) readExtension(e pkix.Extension) error {
	switch e.ID {
	case oidArchiveCutoff:
		value := cryptobyte.String(e.Value)
		var ok bool
		if one.archiveCutoff, ok = pkix.ReadGeneralizedTime(&value); !ok || !value.Empty() {
			return errMalformed
		}
	case oidSCTs:
	default:
		one.unknownCritical = one.unknownCritical || e.Critical
	}
	return nil
}

func readCertID(s *cryptobyte.String) (id certID, ok bool) {
	var inner, name, key cryptobyte.String
	if !s.ReadASN1(&inner, asn1.SEQUENCE) {
		return id, false
	}
	hash, err := pkix.ReadAlgorithmIdentifier(&inner)
	if err != nil || !inner.ReadASN1(&name, asn1.OCTET_STRING) || !inner.ReadASN1(&key, asn1.OCTET_STRING) {
		return id, false
	}
	serial, ok := pkix.ReadInteger(&inner)
	if !ok || !inner.Empty() {
		return id, false
	}
	// RFC 5754 section 2: NULL or absent parameters, both to be accepted. Others make another algorithm,
	// which equals no request's.
	if hash.Parameters == nil || string(hash.Parameters) == "\x05\x00" {
		id.hash = hash.Algorithm
	}
	id.nameHash, id.keyHash, id.serial = name, key, serial
	return id, true
}

// readStatus reads CertStatus.
func (one *single) readStatus(s *cryptobyte.String) bool {
	var content, explicit cryptobyte.String
	var tag asn1.Tag
	if !s.ReadAnyASN1(&content, &tag) {
		return false
	}
	switch tag {
	case asn1.Tag(0).ContextSpecific():
		one.status = Good
		return content.Empty()
	case asn1.Tag(2).ContextSpecific():
		one.status = Unknown
		return content.Empty()
	case explicit1:
		one.status = Revoked
	default:
		return false
	}
	var ok bool
	if one.revoked, ok = pkix.ReadGeneralizedTime(&content); !ok || content.Empty() {
		return ok
	}
	if !content.ReadASN1(&explicit, explicit0) || !content.Empty() {
		return false
	}
	one.reason, ok = crl.ReadReason(&explicit)
	// RFC 5280 section 5.3.1: removeFromCRL is for delta lists only.
	return ok && explicit.Empty() && one.reason != crl.RemoveFromCRL
}
