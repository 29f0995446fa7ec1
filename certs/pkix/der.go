package pkix

import (
	"bytes"
	"errors"
	"math/bits"
	"time"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// AlgorithmIdentifier is an algorithm with its parameters (RFC 5280 section 4.1.1.2).
type AlgorithmIdentifier struct {
	Raw        []byte // whole SEQUENCE
	Algorithm  OID
	Parameters []byte // whole element; nil if absent
}

// ReadAlgorithmIdentifier reads an AlgorithmIdentifier.
func ReadAlgorithmIdentifier(s *cryptobyte.String) (AlgorithmIdentifier, error) {
	var a AlgorithmIdentifier
	var raw, inner cryptobyte.String
	if !s.ReadASN1Element(&raw, asn1.SEQUENCE) {
		return a, errors.New("algorithm identifier is not a SEQUENCE")
	}
	a.Raw = raw
	raw.ReadASN1(&inner, asn1.SEQUENCE)
	var ok bool
	if a.Algorithm, ok = ReadOID(&inner); !ok {
		return a, errors.New("algorithm identifier without an object identifier")
	}
	if !inner.Empty() {
		var params cryptobyte.String
		var tag asn1.Tag
		if !inner.ReadAnyASN1Element(&params, &tag) || !inner.Empty() {
			return a, errors.New("algorithm identifier with bad parameters")
		}
		a.Parameters = params
	}
	return a, nil
}

// Equal says whether the two are encoded alike.
func (a AlgorithmIdentifier) Equal(b AlgorithmIdentifier) bool { return bytes.Equal(a.Raw, b.Raw) }

// ReadOID reads an OBJECT IDENTIFIER.
func ReadOID(s *cryptobyte.String) (OID, bool) {
	var content cryptobyte.String
	if !s.ReadASN1(&content, asn1.OBJECT_IDENTIFIER) || !validOID(content) {
		return "", false
	}
	return OID(alias(content)), true
}

// ReadInteger reads an INTEGER of any sign and size and returns its content octets,
// which DER makes unique.
func ReadInteger(s *cryptobyte.String) ([]byte, bool) {
	var content cryptobyte.String
	if !s.ReadASN1(&content, asn1.INTEGER) || !minimalInteger(content) {
		return nil, false
	}
	return content, true
}

// minimalInteger: X.690 section 8.3.2: an INTEGER has one octet or more, and the fewest.
func minimalInteger(content []byte) bool {
	switch len(content) {
	case 0:
		return false
	case 1:
		return true
	}
	return !(content[0] == 0 && content[1]&0x80 == 0 || content[0] == 0xff && content[1]&0x80 != 0)
}

// ReadTime reads a Time as RFC 5280 section 4.1.2.5 wants it: seconds present, Z, no
// fraction. A GeneralizedTime before 2050 is accepted: the rule against it binds CAs.
func ReadTime(s *cryptobyte.String) (time.Time, bool) {
	var content cryptobyte.String
	var tag asn1.Tag
	if !s.ReadAnyASN1(&content, &tag) {
		return time.Time{}, false
	}
	switch tag {
	case asn1.UTCTime:
		return parseTime(content, 2)
	case asn1.GeneralizedTime:
		return parseTime(content, 4)
	}
	return time.Time{}, false
}

// ReadGeneralizedTime reads a GeneralizedTime in the same strict form.
func ReadGeneralizedTime(s *cryptobyte.String) (time.Time, bool) {
	var content cryptobyte.String
	if !s.ReadASN1(&content, asn1.GeneralizedTime) {
		return time.Time{}, false
	}
	return parseTime(content, 4)
}

func parseTime(b []byte, yearDigits int) (time.Time, bool) {
	if len(b) != yearDigits+11 || b[len(b)-1] != 'Z' {
		return time.Time{}, false
	}
	number := func(from, to int) int {
		n := 0
		for _, c := range b[from:to] {
			if c < '0' || c > '9' {
				return -1 << 20
			}
			n = n*10 + int(c-'0')
		}
		return n
	}
	year := number(0, yearDigits)
	if yearDigits == 2 { // RFC 5280 section 4.1.2.5.1: 50 to 99 are 19YY
		if year += 1900; year < 1950 {
			year += 100
		}
	}
	y := yearDigits
	month, day := number(y, y+2), number(y+2, y+4)
	hour, minute, second := number(y+4, y+6), number(y+6, y+8), number(y+8, y+10)
	if year < 0 || month < 1 || day < 1 || hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59 {
		return time.Time{}, false
	}
	t := time.Date(year, time.Month(month), day, hour, minute, second, 0, time.UTC)
	if t.Month() != time.Month(month) || t.Day() != day { // 30 February
		return time.Time{}, false
	}
	return t, true
}

// ReadNamedBits reads a BIT STRING that is a list of named bits, bit 0 first at the
// lowest bit of the result; at most 16 of them. X.690 section 11.2.2: no trailing zero bits.
func ReadNamedBits(s *cryptobyte.String, tag asn1.Tag) (uint16, bool) {
	var content cryptobyte.String
	if !s.ReadASN1(&content, tag) || len(content) == 0 || len(content) > 3 {
		return 0, false
	}
	unused, octets := int(content[0]), content[1:]
	if len(octets) == 0 {
		return 0, unused == 0
	}
	last := octets[len(octets)-1]
	if unused > 7 || last == 0 || bits.TrailingZeros8(last) != unused {
		return 0, false
	}
	var out uint16
	for i, b := range octets {
		out |= uint16(bits.Reverse8(b)) << (8 * i)
	}
	return out, true
}

// ReadSignature reads a signatureValue. One that is no whole number of octets is well-formed
// but nobody's signature (PKITS has two): it is returned empty, which no key accepts.
func ReadSignature(s *cryptobyte.String) ([]byte, bool) {
	var content cryptobyte.String
	if !s.ReadASN1(&content, asn1.BIT_STRING) || len(content) == 0 {
		return nil, false
	}
	if unused := content[0]; unused != 0 {
		last := content[len(content)-1]
		return nil, unused < 8 && len(content) > 1 && last&(1<<unused-1) == 0
	}
	return content[1:], true
}

// readOctetBits reads a BIT STRING of whole octets.
func readOctetBits(s *cryptobyte.String) ([]byte, bool) {
	var content cryptobyte.String
	if !s.ReadASN1(&content, asn1.BIT_STRING) || len(content) == 0 || content[0] != 0 {
		return nil, false
	}
	return content[1:], true
}

// readDefaultFalse reads BOOLEAN DEFAULT FALSE; DER forbids to encode the default.
func readDefaultFalse(s *cryptobyte.String, tag asn1.Tag) (value, ok bool) {
	if !s.PeekASN1Tag(tag) {
		return false, true
	}
	var content cryptobyte.String
	if !s.ReadASN1(&content, tag) || len(content) != 1 || content[0] != 0xff {
		return false, false
	}
	return true, true
}

// ReadDefaultFalse reads a BOOLEAN DEFAULT FALSE under an implicit context tag.
func ReadDefaultFalse(s *cryptobyte.String, tag uint8) (value, ok bool) {
	return readDefaultFalse(s, asn1.Tag(tag).ContextSpecific())
}
