package crl

import (
	"bytes"
	"cmp"
	"slices"
	"time"

	"github.com/tashika-jp/tashika/certs/pkix"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// Entry is what a list says of a revoked certificate.
type Entry struct {
	RevocationTime time.Time
	Reason         Reason // Unspecified if the entry gives none
}

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
	certificateIssuer []byte // GeneralNames, as encoded; nil if the entry has none
	unknownCritical   bool
	offProfile        bool // as List.offProfile
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
	generalized := inner.PeekASN1Tag(asn1.GeneralizedTime)
	e.revoked, ok = pkix.ReadTime(&inner)
	// RFC 5280 section 5.1.2.6: revocationDate is encoded as thisUpdate is.
	e.offProfile = generalized && e.revoked.Year() < 2050
	if !ok || inner.Empty() {
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
	// RFC 5280 sections 5.3.1, 5.3.2, 5.3.3: the first two are not critical, the third is.
	case bytes.Equal(id, idReasonCode):
		e.offProfile = e.offProfile || critical
		e.reason, ok = ReadReason(&value)
		return ok && value.Empty()
	case bytes.Equal(id, idInvalidityDate):
		e.offProfile = e.offProfile || critical
		_, ok = pkix.ReadGeneralizedTime(&value)
		return ok && value.Empty()
	case bytes.Equal(id, idCertificateIssuer):
		e.offProfile = e.offProfile || !critical
		e.certificateIssuer = value // parseEntries reads the names
		return true
	}
	e.unknownCritical = e.unknownCritical || critical
	if bytes.Equal(id, idHoldInstruction) { // obsolete; known so that it costs nothing
		return true
	}
	_, ok = pkix.ReadOID(&id)
	return ok
}

// find is what the list says of a certificate, the gravest if it says several things. It allocates
// only where entries name their issuers.
func (l *List) find(c *pkix.Certificate) (best Entry, found bool) {
	// RFC 5280 section 5.3.3: entries before the first that names an issuer are about the list's issuer's.
	ours := l.Issuer.Equal(c.Issuer)
	if !l.CertificateIssuer {
		if !ours {
			return Entry{}, false
		}
		for rest := l.RawEntries; len(rest) > 0; {
			entry, serial := firstEntry(rest)
			if bytes.Equal(serial, c.SerialNumber) {
				s := cryptobyte.String(entry)
				e, _ := readEntry(&s, l.Version) // Parse has read it before
				best, found = gravest(best, found, Entry{e.revoked, e.reason}), true
			}
			rest = rest[len(entry):]
		}
		return best, found
	}
	issuers := issuerKeys(c)
	var names, compared []byte // those in force, and those that ours tells of
	for s := cryptobyte.String(l.RawEntries); !s.Empty(); {
		e, _ := readEntry(&s, l.Version) // Parse has read it before
		// RFC 5280 section 5.3.3: an entry without the extension is about the same issuer's as the one before it.
		if e.certificateIssuer != nil {
			names = e.certificateIssuer
		}
		if !bytes.Equal(e.serial, c.SerialNumber) {
			continue
		}
		if !bytes.Equal(names, compared) { // once for all entries in a row of the same names
			ours, compared = anyNamed(names, issuers), names
		}
		if ours {
			best, found = gravest(best, found, Entry{e.revoked, e.reason}), true
		}
	}
	return best, found
}

// firstEntry is the first of entries that Parse has read before, whole, and its serial number.
func firstEntry(entries []byte) (entry, serial []byte) {
	header, content, _ := measure(entries)
	entry = entries[:header+int(content)]
	serial = entry[header:]
	header, content, _ = measure(serial)
	return entry, serial[header : header+int(content)]
}

func gravest(best Entry, found bool, e Entry) Entry {
	if !found || graver(e, best) {
		return e
	}
	return best
}

// anyNamed says whether a certificateIssuer has one of the names.
func anyNamed(certificateIssuer []byte, keys []string) bool {
	s := cryptobyte.String(certificateIssuer)
	names, _ := pkix.ReadGeneralNames(&s, asn1.SEQUENCE) // Parse has read them before
	return slices.ContainsFunc(names, func(name pkix.GeneralName) bool { return slices.Contains(keys, generalNameKey(name)) })
}

// compareOctets orders INTEGER contents: by length, then octet by octet. For numbers that are
// not negative that is their order; for all it is a total order, which is all a search needs.
func compareOctets(a, b []byte) int {
	if c := cmp.Compare(len(a), len(b)); c != 0 {
		return c
	}
	return bytes.Compare(a, b)
}
