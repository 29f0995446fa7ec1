package crl

import (
	"bytes"
	"time"

	"github.com/tashika-jp/tashika/certs/pkix"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// The identifiers of the extensions that are read, as whole elements: comparing them so
// costs no allocation.
var (
	idReasonCode        = element("2.5.29.21")
	idHoldInstruction   = element("2.5.29.23")
	idInvalidityDate    = element("2.5.29.24")
	idCertificateIssuer = element("2.5.29.29")
)

func element(dotted string) []byte {
	oid := pkix.MustOID(dotted)
	return append([]byte{byte(asn1.OBJECT_IDENTIFIER), byte(len(oid))}, oid...)
}

// maxEntryExtensions bounds the quadratic search for duplicates; RFC 5280 knows four.
const maxEntryExtensions = 16

// rawEntry is one element of revokedCertificates, taken apart.
type rawEntry struct {
	serial            []byte // content octets, aliasing the list
	revoked           time.Time
	reason            Reason
	certificateIssuer bool
	unknownCritical   bool
}

// readEntry reads one entry. It does not allocate.
func readEntry(s *cryptobyte.String, version int) (e rawEntry, ok bool) {
	var inner cryptobyte.String
	if !s.ReadASN1(&inner, asn1.SEQUENCE) {
		return e, false
	}
	if e.serial, ok = pkix.ReadInteger(&inner); !ok {
		return e, false
	}
	if e.revoked, ok = pkix.ReadTime(&inner); !ok || inner.Empty() {
		return e, ok
	}
	// RFC 5280 section 5.1: crlEntryExtensions, if present, version MUST be v2.
	return e, version == 2 && e.readExtensions(inner)
}

// readExtensions reads crlEntryExtensions. It is not pkix.WalkExtensions because that
// allocates, and there are ten million entries.
func (e *rawEntry) readExtensions(s cryptobyte.String) bool {
	var list cryptobyte.String
	if !s.ReadASN1(&list, asn1.SEQUENCE) || !s.Empty() || list.Empty() {
		return false
	}
	var seen [maxEntryExtensions]cryptobyte.String
	for n := 0; !list.Empty(); n++ {
		id, critical, value, ok := readExtension(&list)
		if !ok || n == len(seen) {
			return false
		}
		// RFC 5280 section 4.2: not more than one instance of a particular extension.
		for _, earlier := range seen[:n] {
			if bytes.Equal(earlier, id) {
				return false
			}
		}
		seen[n] = id
		if !e.extension(id, critical, value) {
			return false
		}
	}
	return true
}

// readExtension reads one extension; id is the whole element.
func readExtension(list *cryptobyte.String) (id cryptobyte.String, critical bool, value cryptobyte.String, ok bool) {
	var s, flag cryptobyte.String
	if !list.ReadASN1(&s, asn1.SEQUENCE) || !s.ReadASN1Element(&id, asn1.OBJECT_IDENTIFIER) {
		return nil, false, nil, false
	}
	if s.PeekASN1Tag(asn1.BOOLEAN) {
		// X.690 section 11.5: the default, FALSE, is not encoded; section 11.1: TRUE is FF.
		if !s.ReadASN1(&flag, asn1.BOOLEAN) || len(flag) != 1 || flag[0] != 0xff {
			return nil, false, nil, false
		}
		critical = true
	}
	ok = s.ReadASN1(&value, asn1.OCTET_STRING) && s.Empty()
	return id, critical, value, ok
}

func (e *rawEntry) extension(id cryptobyte.String, critical bool, value cryptobyte.String) bool {
	ok := true
	switch {
	case bytes.Equal(id, idReasonCode):
		e.reason, ok = ReadReason(&value)
		return ok && value.Empty()
	case bytes.Equal(id, idInvalidityDate):
		_, ok = pkix.ReadGeneralizedTime(&value)
		return ok && value.Empty()
	case bytes.Equal(id, idCertificateIssuer):
		// Read no further: whoever meets one refuses the list as indirect.
		e.certificateIssuer = true
		return true
	}
	e.unknownCritical = e.unknownCritical || critical
	if bytes.Equal(id, idHoldInstruction) { // obsolete; known so that it costs nothing
		return true
	}
	_, ok = pkix.ReadOID(&id)
	return ok
}
