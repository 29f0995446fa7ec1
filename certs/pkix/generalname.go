package pkix

import (
	"errors"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// GeneralNameKind is the choice of a GeneralName, with the tag numbers of RFC 5280.
type GeneralNameKind uint8

// The kinds of general name.
const (
	OtherName GeneralNameKind = iota
	RFC822Name
	DNSName
	X400Address
	DirectoryName
	EDIPartyName
	URIName
	IPAddress
	RegisteredID
)

// GeneralName is one name of any kind.
type GeneralName struct {
	Kind  GeneralNameKind
	Value []byte // content octets; for DirectoryName the whole Name
}

// ReadGeneralNames reads GeneralNames under the given tag; they are one or more.
func ReadGeneralNames(s *cryptobyte.String, tag asn1.Tag) ([]GeneralName, error) {
	return readGeneralNames(nil, s, tag)
}

// readGeneralNames appends them to out.
func readGeneralNames(out []GeneralName, s *cryptobyte.String, tag asn1.Tag) ([]GeneralName, error) {
	var list cryptobyte.String
	if !s.ReadASN1(&list, tag) || list.Empty() {
		return nil, errors.New("malformed general names")
	}
	for !list.Empty() {
		name, err := readGeneralName(&list)
		if err != nil {
			return nil, err
		}
		out = append(out, name)
	}
	return out, nil
}

func readGeneralName(s *cryptobyte.String) (GeneralName, error) {
	var content cryptobyte.String
	var tag asn1.Tag
	if !s.ReadAnyASN1(&content, &tag) {
		return GeneralName{}, errors.New("malformed general name")
	}
	name := GeneralName{Kind: GeneralNameKind(tag & 0x1f), Value: content}
	constructed := name.Kind == OtherName || name.Kind == X400Address || name.Kind == DirectoryName || name.Kind == EDIPartyName
	want := asn1.Tag(name.Kind).ContextSpecific()
	if constructed {
		want = want.Constructed()
	}
	if name.Kind > RegisteredID || tag != want {
		return GeneralName{}, errors.New("general name of no known kind")
	}
	switch name.Kind {
	case DirectoryName: // Name is a CHOICE, so its tag is explicit
		inner, err := ReadName(&content)
		if err != nil || !content.Empty() {
			return GeneralName{}, errors.New("malformed directoryName")
		}
		name.Value = inner
	case OtherName:
		if _, _, ok := name.OtherName(); !ok {
			return GeneralName{}, errors.New("malformed otherName")
		}
	case RFC822Name, DNSName, URIName:
		for _, c := range content {
			if c >= 0x80 {
				return GeneralName{}, errors.New("general name is not an IA5String")
			}
		}
	case RegisteredID:
		if !validOID(content) {
			return GeneralName{}, errors.New("malformed registeredID")
		}
	}
	return name, nil
}

// OtherName returns type and value (a whole element) of an otherName.
func (g GeneralName) OtherName() (typeID OID, value []byte, ok bool) {
	s := cryptobyte.String(g.Value)
	if g.Kind != OtherName {
		return "", nil, false
	}
	if typeID, ok = ReadOID(&s); !ok {
		return "", nil, false
	}
	var explicit, element cryptobyte.String
	var tag asn1.Tag
	if !s.ReadASN1(&explicit, asn1.Tag(0).ContextSpecific().Constructed()) || !s.Empty() ||
		!explicit.ReadAnyASN1Element(&element, &tag) || !explicit.Empty() {
		return "", nil, false
	}
	return typeID, element, true
}

// Equal compares two general names: directory names by RFC 5280 section 7.1, others
// by their encoding.
func (g GeneralName) Equal(other GeneralName) bool {
	if g.Kind != other.Kind {
		return false
	}
	if g.Kind == DirectoryName {
		return Name(g.Value).Equal(Name(other.Value))
	}
	return string(g.Value) == string(other.Value)
}

// String is the name for people: RFC 4514 for directory names, the text of URIs and
// the like, and nothing of what may identify a holder.
func (g GeneralName) String() string {
	switch g.Kind {
	case DirectoryName:
		return Name(g.Value).String()
	case URIName, DNSName:
		return string(g.Value)
	}
	return ""
}

// DistributionPoint is RFC 5280 section 4.2.1.13.
type DistributionPoint struct {
	FullName     []GeneralName
	RelativeName []byte // content of nameRelativeToCRLIssuer
	HasReasons   bool
	Reasons      uint16 // ReasonFlags, bit 0 lowest
	CRLIssuer    []GeneralName
}

// ReadDistributionPoints reads CRLDistributionPoints, which are one or more.
func ReadDistributionPoints(s *cryptobyte.String) ([]DistributionPoint, error) {
	return readDistributionPoints(nil, nil, s)
}

// readDistributionPoints appends them to out, and the names of the first to names.
func readDistributionPoints(out []DistributionPoint, names []GeneralName, s *cryptobyte.String) ([]DistributionPoint, error) {
	var list cryptobyte.String
	if !s.ReadASN1(&list, asn1.SEQUENCE) || list.Empty() {
		return nil, errors.New("malformed")
	}
	for !list.Empty() {
		var inner cryptobyte.String
		if !list.ReadASN1(&inner, asn1.SEQUENCE) {
			return nil, errors.New("malformed distribution point")
		}
		var point DistributionPoint
		var err error
		if point.FullName, point.RelativeName, err = readDistributionPointName(names, &inner); err != nil {
			return nil, err
		}
		names = nil
		if tag := asn1.Tag(1).ContextSpecific(); inner.PeekASN1Tag(tag) {
			if point.Reasons, point.HasReasons = ReadNamedBits(&inner, tag); !point.HasReasons {
				return nil, errors.New("malformed reasons")
			}
		}
		if tag := asn1.Tag(2).ContextSpecific().Constructed(); inner.PeekASN1Tag(tag) {
			if point.CRLIssuer, err = ReadGeneralNames(&inner, tag); err != nil {
				return nil, err
			}
		}
		// RFC 5280 section 4.2.1.13: a point MUST NOT consist of only the reasons field.
		if !inner.Empty() || point.FullName == nil && point.RelativeName == nil && point.CRLIssuer == nil {
			return nil, errors.New("malformed distribution point")
		}
		out = append(out, point)
	}
	return out, nil
}

// ReadDistributionPointName reads [0] DistributionPointName OPTIONAL, which
// distribution points and issuing distribution points share.
func ReadDistributionPointName(s *cryptobyte.String) (full []GeneralName, relative []byte, err error) {
	return readDistributionPointName(nil, s)
}

// readDistributionPointName appends the full name to names.
func readDistributionPointName(names []GeneralName, s *cryptobyte.String) (full []GeneralName, relative []byte, err error) {
	outer := asn1.Tag(0).ContextSpecific().Constructed()
	if !s.PeekASN1Tag(outer) {
		return nil, nil, nil
	}
	var choice cryptobyte.String
	s.ReadASN1(&choice, outer)
	fullTag, relativeTag := asn1.Tag(0).ContextSpecific().Constructed(), asn1.Tag(1).ContextSpecific().Constructed()
	if choice.PeekASN1Tag(fullTag) {
		full, err = readGeneralNames(names, &choice, fullTag)
	} else {
		var rdn cryptobyte.String
		if !choice.ReadASN1(&rdn, relativeTag) || rdn.Empty() {
			err = errors.New("malformed distribution point name")
		}
		relative = rdn
	}
	if err == nil && !choice.Empty() {
		err = errors.New("malformed distribution point name")
	}
	return full, relative, err
}
