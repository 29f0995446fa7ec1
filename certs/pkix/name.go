package pkix

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Name is a distinguished name: the DER of an RDNSequence.
type Name []byte

// Attribute is one type and value of a name.
type Attribute struct {
	Type  OID
	Tag   asn1.Tag
	Value []byte // content octets
}

// ReadName reads a Name and checks its structure.
func ReadName(s *cryptobyte.String) (Name, error) {
	var raw cryptobyte.String
	if !s.ReadASN1Element(&raw, asn1.SEQUENCE) {
		return nil, errors.New("name is not a SEQUENCE")
	}
	wellFormed := true
	if err := Name(raw).walk(func(_ int, a Attribute) { wellFormed = wellFormed && a.wellFormed() }); err != nil {
		return nil, err
	}
	if !wellFormed {
		return nil, errors.New("attribute of a name has a value that its type does not allow")
	}
	return Name(raw), nil
}

// walk calls visit for each attribute with the number of its RDN.
func (n Name) walk(visit func(rdn int, a Attribute)) error {
	s := cryptobyte.String(n)
	var rdns cryptobyte.String
	if !s.ReadASN1(&rdns, asn1.SEQUENCE) || !s.Empty() {
		return errors.New("name is not a SEQUENCE")
	}
	for i := 0; !rdns.Empty(); i++ {
		var set cryptobyte.String
		if !rdns.ReadASN1(&set, asn1.SET) || set.Empty() {
			return errors.New("relative distinguished name is not a SET of one or more")
		}
		for !set.Empty() {
			var pair, value cryptobyte.String
			var a Attribute
			if !set.ReadASN1(&pair, asn1.SEQUENCE) {
				return errors.New("attribute of a name is not a SEQUENCE")
			}
			var ok bool
			if a.Type, ok = ReadOID(&pair); !ok || !pair.ReadAnyASN1(&value, &a.Tag) || !pair.Empty() {
				return errors.New("attribute of a name is malformed")
			}
			a.Value = value
			visit(i, a)
		}
	}
	return nil
}

// wellFormed: X.680 section 41: a string has the characters of its type only; X.690 section 10.2: it is in one piece; RFC 5280 appendix A.1:
// the attributes of names that stand in attributeNames are strings. A NUL in a name that everybody prints without it is how a name
// passes for another.
func (a Attribute) wellFormed() bool {
	isString, ok := stringForm(a.Tag, a.Value)
	if isString {
		return ok
	}
	if pieces, _ := stringForm(a.Tag&^0x20, nil); pieces {
		return false
	}
	for _, known := range attributeNames {
		if known.oid == a.Type {
			return false
		}
	}
	return true
}

// Empty says whether the name has no RDN.
func (n Name) Empty() bool { return len(n) == 0 || bytes.Equal(n, []byte{0x30, 0}) }

// Attributes goes through the attributes of the name, whatever RDN they stand in.
func (n Name) Attributes() iter.Seq[Attribute] {
	return func(yield func(Attribute) bool) {
		more := true
		_ = n.walk(func(_ int, a Attribute) { // a Name was checked when it was read
			more = more && yield(a)
		})
	}
}

// Equal compares by RFC 5280 section 7.1: attribute by attribute, without regard to
// case, insignificant white space and string type, in each RDN without regard to order.
func (n Name) Equal(other Name) bool {
	if bytes.Equal(n, other) {
		return true
	}
	a, b := n.Canonical(), other.Canonical()
	return a != "" && a == b
}

// Key is equal for names that are Equal, and only for them: fit for a map, also where a name cannot be compared but
// octet for octet.
func (n Name) Key() string {
	if canonical := n.Canonical(); canonical != "" {
		return "=" + canonical
	}
	return string(n)
}

// Canonical is a form that is equal for equal names and only for them, fit for a map
// key. It is empty where the name is malformed or has a value that cannot be compared.
func (n Name) Canonical() string {
	var rdns [][]string
	comparable := true
	err := n.walk(func(i int, a Attribute) {
		if i == len(rdns) {
			rdns = append(rdns, nil)
		}
		value, ok := canonicalValue(a)
		comparable = comparable && ok
		rdns[i] = append(rdns[i], fmt.Sprintf("%d:%s%d:%s", len(a.Type), a.Type, len(value), value))
	})
	if err != nil || !comparable {
		return ""
	}
	var b strings.Builder
	for _, rdn := range rdns {
		slices.Sort(rdn)
		fmt.Fprintf(&b, "%d;", len(rdn))
		for _, attribute := range rdn {
			b.WriteString(attribute)
		}
	}
	return b.String()
}

// canonicalValue prepares a value by RFC 4518: map, fold case, NFKC, prohibit,
// insignificant white space. What is no string is compared by its encoding.
func canonicalValue(a Attribute) (string, bool) {
	text, isString := decodeString(a.Tag, a.Value)
	if !isString {
		return fmt.Sprintf("#%02x%x", uint8(a.Tag), a.Value), true
	}
	mapped := strings.Map(func(r rune) rune {
		switch {
		case r == 0xAD || r == 0x1806 || r == 0x34F || r == 0xFFFC || r == 0x200B || r >= 0xFE00 && r <= 0xFE0F || r >= 0x180B && r <= 0x180D:
			return -1 // RFC 4518 section 2.2: mapped to nothing
		case r >= 0x09 && r <= 0x0D || r == 0x85 || unicode.In(r, unicode.Z):
			return ' '
		case unicode.In(r, unicode.Cc, unicode.Cf):
			return -1
		}
		return r
	}, text)
	prepared := norm.NFKC.String(cases.Fold().String(norm.NFKC.String(mapped)))
	for _, r := range prepared { // RFC 4518 section 2.4
		if r == utf8.RuneError || unicode.In(r, unicode.Co, unicode.Cs) {
			return "", false
		}
	}
	return "s" + strings.Join(strings.Fields(prepared), " "), true
}

// stringForm says whether a tag is of a character string type, and whether the octets are one of it.
func stringForm(tag asn1.Tag, b []byte) (isString, ok bool) {
	switch tag {
	case asn1.UTF8String:
		return true, utf8.Valid(b)
	case asn1.PrintableString:
		return true, consists(b, printable)
	case asn1.IA5String:
		return true, consists(b, func(c byte) bool { return c < 0x80 })
	case numericString:
		return true, consists(b, func(c byte) bool { return c == ' ' || c >= '0' && c <= '9' })
	case visibleString:
		return true, consists(b, func(c byte) bool { return c >= ' ' && c < 0x7f })
	case asn1.T61String:
		return true, true
	case bmpString:
		ok = len(b)%2 == 0
		for i := 0; ok && i < len(b); i += 2 {
			ok = !utf16.IsSurrogate(wide(b[i:], 2))
		}
		return true, ok
	case universalString:
		ok = len(b)%4 == 0
		for i := 0; ok && i < len(b); i += 4 {
			ok = utf8.ValidRune(wide(b[i:], 4))
		}
		return true, ok
	}
	return false, false
}

const (
	numericString   asn1.Tag = 18
	visibleString   asn1.Tag = 26
	universalString asn1.Tag = 28
	bmpString       asn1.Tag = 30
)

// wide is a character of some octets.
func wide(b []byte, octets int) (r rune) {
	for _, c := range b[:octets] {
		r = r<<8 | rune(c)
	}
	return r
}

// decodeString returns the text of a character string type; no text where it is none.
func decodeString(tag asn1.Tag, b []byte) (text string, ok bool) {
	if _, ok = stringForm(tag, b); !ok {
		return "", false
	}
	width := 1
	switch tag {
	case bmpString:
		width = 2
	case universalString:
		width = 4
	case asn1.T61String: // read as ISO 8859-1, as everybody does
	default:
		return alias(b), true
	}
	var out strings.Builder
	for ; len(b) > 0; b = b[width:] {
		out.WriteRune(wide(b, width))
	}
	return out.String(), true
}

func consists(b []byte, of func(byte) bool) bool {
	return !slices.ContainsFunc(b, func(c byte) bool { return !of(c) })
}

// printable: X.680 section 41.4.
func printable(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte(" '()+,-./:=?", c) >= 0
}

var attributeNames = []struct {
	oid  OID
	name string
}{
	{MustOID("2.5.4.3"), "CN"}, {MustOID("2.5.4.6"), "C"}, {MustOID("2.5.4.7"), "L"}, {MustOID("2.5.4.8"), "ST"},
	{MustOID("2.5.4.9"), "STREET"}, {MustOID("2.5.4.10"), "O"}, {MustOID("2.5.4.11"), "OU"},
	{MustOID("0.9.2342.19200300.100.1.25"), "DC"}, {MustOID("0.9.2342.19200300.100.1.1"), "UID"},
}

// String is the form of RFC 4514: the last RDN first.
func (n Name) String() string {
	type placed struct {
		rdn int
		Attribute
	}
	var ordinary [12]placed
	all := ordinary[:0]
	_ = n.walk(func(i int, a Attribute) { // a Name was checked when it was read
		all = append(all, placed{i, a})
	})
	var b strings.Builder
	b.Grow(len(n))
	for end := len(all); end > 0; {
		start := end - 1
		for start > 0 && all[start-1].rdn == all[end-1].rdn {
			start--
		}
		if end < len(all) {
			b.WriteByte(',')
		}
		for i, a := range all[start:end] {
			if i > 0 {
				b.WriteByte('+')
			}
			a.write(&b)
		}
		end = start
	}
	return b.String()
}

// write is type and value in the form of RFC 4514.
func (a Attribute) write(b *strings.Builder) {
	label := ""
	for i := range attributeNames {
		if attributeNames[i].oid == a.Type {
			label = attributeNames[i].name
		}
	}
	if label == "" {
		label = a.Type.String()
	}
	b.WriteString(label)
	b.WriteByte('=')
	if text, isString := decodeString(a.Tag, a.Value); isString {
		writeEscaped(b, text)
		return
	}
	fmt.Fprintf(b, "#%02x%02x%x", byte(a.Tag), byte(len(a.Value)), a.Value)
}

func writeEscaped(b *strings.Builder, s string) {
	if plain(s) {
		b.WriteString(s)
		return
	}
	writeRunes(b, s)
}

func writeRunes(b *strings.Builder, s string) {
	for i, r := range s {
		switch {
		case r == 0 || unicode.IsControl(r):
			for _, c := range []byte(string(r)) {
				fmt.Fprintf(b, `\%02x`, c)
			}
			continue
		case strings.ContainsRune(`"+,;<>\`, r), r == ' ' && (i == 0 || i == len(s)-1), r == '#' && i == 0:
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
}

// plain says whether a value stands as it is (RFC 4514 section 2.4): nearly all do, and rune by rune they were a sixth of a verification's
// answer.
func plain(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case c < ' ' || c > '~', c == '"', c == '+', c == ',', c == ';', c == '<', c == '>', c == '\\':
			return false
		case c == ' ' && (i == 0 || i == len(s)-1), c == '#' && i == 0:
			return false
		}
	}
	return true
}

// ParseName reads the form of RFC 4514 (values as UTF8String; no multi-valued RDN and
// no #hex values). It is for names in configuration, to be compared with Equal.
func ParseName(s string) (Name, error) {
	var rdns [][2]string
	for rest := s; rest != ""; {
		label, after, found := strings.Cut(rest, "=")
		if !found {
			return nil, errors.New("pkix: name without '='")
		}
		value, next, err := unescapeValue(after)
		if err != nil {
			return nil, err
		}
		rdns = append(rdns, [2]string{strings.ToUpper(strings.TrimSpace(label)), value})
		rest = next
	}
	slices.Reverse(rdns)
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		for _, rdn := range rdns {
			oid, err := attributeType(rdn[0])
			if err != nil {
				b.SetError(err)
				return
			}
			b.AddASN1(asn1.SET, func(b *cryptobyte.Builder) {
				b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1(asn1.OBJECT_IDENTIFIER, func(b *cryptobyte.Builder) { b.AddBytes([]byte(oid)) })
					b.AddASN1(asn1.UTF8String, func(b *cryptobyte.Builder) { b.AddBytes([]byte(rdn[1])) })
				})
			})
		}
	})
	return b.Bytes()
}

func attributeType(label string) (OID, error) {
	for _, known := range attributeNames {
		if known.name == label {
			return known.oid, nil
		}
	}
	oid, err := ParseOID(label)
	if err != nil {
		return "", fmt.Errorf("pkix: unknown attribute type %q in a name", label)
	}
	return oid, nil
}

// unescapeValue returns the value up to the next unescaped comma and what follows it.
func unescapeValue(s string) (value, rest string, err error) {
	var b []byte
	s = strings.TrimLeft(s, " ")
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == ',':
			if rest = s[i+1:]; rest == "" {
				return "", "", errors.New("pkix: name ends with a comma")
			}
			return strings.TrimRight(string(b), " "), rest, nil
		case c == '+' || c == '"' || c == ';' || c == '<' || c == '>' || c == '#' && i == 0:
			return "", "", fmt.Errorf("pkix: unescaped %q in a name", c)
		case c != '\\':
			b = append(b, c)
		case i+1 < len(s) && strings.IndexByte(`"+,;<>\ #=`, s[i+1]) >= 0:
			i++
			b = append(b, s[i])
		case i+2 < len(s):
			octet, err := hex.DecodeString(s[i+1 : i+3])
			if err != nil {
				return "", "", errors.New("pkix: bad escape in a name")
			}
			b, i = append(b, octet...), i+2
		default:
			return "", "", errors.New("pkix: bad escape in a name")
		}
	}
	return strings.TrimRight(string(b), " "), "", nil
}
