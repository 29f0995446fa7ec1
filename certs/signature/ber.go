package signature

import (
	"errors"

	"golang.org/x/crypto/cryptobyte/asn1"
)

// Bounds of what is read as BER. Memory is that of the input whatever they are: a length is believed
// only once its octets are there. They bound time and the stack.
const (
	maxBERDepth = 64
	maxBERNodes = 1 << 20
)

var (
	errBER       = errors.New("malformed BER")
	errBERBounds = errors.New("BER is too deep or has too many elements")
)

// berReader reads the outer layers of a CMS message, which may be BER (RFC 5652 section 4): lengths that are
// indefinite or longer than needed, strings in segments. What is inside is handed on in DER to strict readers, but
// for certificates and lists, which are taken as they are: whoever re-encodes those makes a signature hold that
// does not.
//
// Tag numbers above 30 are refused; nothing in CMS has one.
type berReader struct {
	nodes int // how many more elements may be read
}

// berHeader is what stands before the content of an element.
type berHeader struct {
	tag     asn1.Tag // the identifier octet
	size    int      // of the header
	length  int      // of the content, which is there; -1 if indefinite
	minimal bool     // the length is as DER wants it
}

const berConstructed = 0x20

func (h berHeader) constructed() bool { return h.tag&berConstructed != 0 }

// header reads the header of the first element of b.
func (r *berReader) header(b []byte) (h berHeader, err error) {
	if r.nodes--; r.nodes < 0 {
		return h, errBERBounds
	}
	if len(b) < 2 || b[0]&0x1f == 0x1f {
		return h, errBER
	}
	h = berHeader{tag: asn1.Tag(b[0]), size: 2}
	switch first := b[1]; {
	case first < 0x80:
		h.length, h.minimal = int(first), true
	case first == 0x80:
		// X.690 section 8.1.3.2: the indefinite form only where the encoding is constructed.
		if !h.constructed() {
			return h, errBER
		}
		h.length = -1
	default:
		// X.690 section 8.1.3.5 (c): 11111111 is not used; there cannot be 127 octets more of length.
		h.size += int(first & 0x7f)
		if first == 0xff || h.size > len(b) {
			return h, errBER
		}
		var length int64
		for _, octet := range b[2:h.size] {
			if length = length<<8 | int64(octet); length > int64(len(b)) {
				return h, errBER
			}
		}
		h.length, h.minimal = int(length), b[2] != 0 && length >= 0x80
	}
	if h.length > len(b)-h.size || !wellFormed(h.tag) {
		return h, errBER
	}
	return h, nil
}

// wellFormed: X.690 sections 8.2 to 8.23: which universal types are primitive, which constructed; all others may
// be both.
func wellFormed(tag asn1.Tag) bool {
	switch tag {
	case asn1.BOOLEAN | berConstructed, asn1.INTEGER | berConstructed, asn1.NULL | berConstructed,
		asn1.OBJECT_IDENTIFIER | berConstructed, asn1.ENUM | berConstructed,
		asn1.SEQUENCE &^ berConstructed, asn1.SET &^ berConstructed, berConstructed:
		return false
	}
	return true
}

// endOfContents says whether b begins with the two octets that end an indefinite length.
func endOfContents(b []byte) bool { return len(b) >= 2 && b[0] == 0 && b[1] == 0 }

// children calls each for what is left of the content of an element at the beginning of b, until nothing is, and
// returns what follows the element.
func (r *berReader) children(h berHeader, b []byte, each func([]byte) ([]byte, error)) (rest []byte, err error) {
	body := b[h.size:]
	if h.length >= 0 {
		body, rest = body[:h.length], body[h.length:]
	}
	for {
		switch {
		case h.length >= 0 && len(body) == 0:
			return rest, nil
		case h.length < 0 && endOfContents(body):
			return body[2:], nil
		}
		if body, err = each(body); err != nil {
			return nil, err
		}
	}
}

// element takes the first element off b and returns its tag, its content and the whole of it.
func (r *berReader) element(b *[]byte) (tag asn1.Tag, content, raw []byte, err error) {
	h, err := r.header(*b)
	if err != nil {
		return 0, nil, nil, err
	}
	if h.tag == 0 { // end of contents where nothing was begun
		return 0, nil, nil, errBER
	}
	end, after := h.size+h.length, h.size+h.length
	if h.length < 0 {
		if end, err = r.end((*b)[h.size:]); err != nil {
			return 0, nil, nil, err
		}
		end += h.size
		after = end + 2
	}
	content, raw, *b = (*b)[h.size:end], (*b)[:after], (*b)[after:]
	return h.tag, content, raw, nil
}

// end returns where the end-of-contents of an indefinite length is. What has a length is stepped over, and
// what has none only counted: no stack.
func (r *berReader) end(b []byte) (int, error) {
	for at, open := 0, 1; ; {
		h, err := r.header(b[at:])
		switch {
		case err != nil:
			return 0, err
		case h.tag == 0 && (h.length != 0 || h.size != 2):
			return 0, errBER
		case h.tag == 0:
			if open--; open == 0 {
				return at, nil
			}
			at += 2
		case h.length < 0:
			if open++; open > maxBERDepth {
				return 0, errBERBounds
			}
			at += h.size
		default:
			at += h.size + h.length
		}
	}
}

// only reads b as one element with the tag and nothing after it, and returns its content.
func (r *berReader) only(b []byte, tag asn1.Tag) ([]byte, error) {
	got, content, _, err := r.element(&b)
	if err == nil && (got != tag || len(b) != 0) {
		err = errBER
	}
	return content, err
}

// octets reads b as one OCTET STRING and nothing after it. One without segments aliases b.
func (r *berReader) octets(b []byte) ([]byte, error) {
	h, err := r.header(b)
	if err != nil {
		return nil, err
	}
	if h.tag == asn1.OCTET_STRING && h.length == len(b)-h.size {
		return b[h.size:], nil
	}
	if h.tag != asn1.OCTET_STRING|berConstructed {
		return nil, errBER
	}
	out, rest, err := r.appendSegments(make([]byte, 0, len(b)), b, maxBERDepth)
	if err == nil && len(rest) != 0 {
		err = errBER
	}
	return out, err
}

// der takes the first element off b and returns it in DER, as far as that is a matter of lengths and segments: the
// order of a SET and the values of primitive types stay as they are. What is DER already is not copied.
func (r *berReader) der(b *[]byte) ([]byte, error) {
	rest, same, err := r.isDER(*b, maxBERDepth)
	if err != nil {
		return nil, err
	}
	if same {
		out := (*b)[:len(*b)-len(rest)]
		*b = rest
		return out, nil
	}
	out, rest, err := r.appendDER(nil, *b, maxBERDepth)
	*b = rest
	return out, err
}

// isDER says whether the first element of b is as der would return it, and returns what follows. What follows
// is of no use where it is not.
func (r *berReader) isDER(b []byte, depth int) (rest []byte, same bool, err error) {
	h, err := r.header(b)
	switch {
	case err != nil:
		return nil, false, err
	case depth == 0:
		return nil, false, errBERBounds
	case h.tag == 0:
		return nil, false, errBER
	case h.length < 0 || !h.minimal || segmented(h.tag):
		return nil, false, nil
	case !h.constructed():
		return b[h.size+h.length:], true, nil
	}
	body := b[h.size : h.size+h.length]
	for len(body) > 0 {
		if body, same, err = r.isDER(body, depth-1); err != nil || !same {
			return nil, false, err
		}
	}
	return b[h.size+h.length:], true, nil
}

// appendDER appends the first element of b in DER and returns what follows it in b.
func (r *berReader) appendDER(out, b []byte, depth int) (der, rest []byte, err error) {
	h, err := r.header(b)
	switch {
	case err != nil:
		return nil, nil, err
	case depth == 0:
		return nil, nil, errBERBounds
	case h.tag == 0:
		return nil, nil, errBER
	case segmented(h.tag):
		out = append(out, byte(h.tag&^berConstructed), 0)
		start := len(out)
		if out, rest, err = r.appendSegments(out, b, depth); err != nil {
			return nil, nil, err
		}
		return setLength(out, start), rest, nil
	}
	out = append(out, byte(h.tag), 0)
	start := len(out)
	if !h.constructed() {
		out = append(out, b[h.size:h.size+h.length]...)
		return setLength(out, start), b[h.size+h.length:], nil
	}
	rest, err = r.children(h, b, func(body []byte) ([]byte, error) {
		var after []byte
		var err error
		out, after, err = r.appendDER(out, body, depth-1)
		return after, err
	})
	if err != nil {
		return nil, nil, err
	}
	return setLength(out, start), rest, nil
}

// segmented: X.690 sections 8.7, 8.23, 8.25: string and time types in the constructed encoding. A BIT
// STRING in segments stays what it is, which no reader of DER accepts: CMS has none outside of certificates.
func segmented(tag asn1.Tag) bool {
	switch number := tag &^ berConstructed; {
	case tag&berConstructed == 0:
		return false
	case number == asn1.OCTET_STRING, number == 7, number == asn1.UTF8String: // 7 ObjectDescriptor
		return true
	default:
		// NumericString to BMPString, times among them, but for CHARACTER STRING, which is a SEQUENCE.
		return number >= 18 && number <= 30 && number != 29
	}
}

// appendSegments appends the content of a string in the constructed encoding, joined, and returns what follows it in
// b. X.690 section 8.23: whatever the string is, its segments are OCTET STRINGs.
func (r *berReader) appendSegments(out, b []byte, depth int) (joined, rest []byte, err error) {
	h, err := r.header(b)
	if err != nil {
		return nil, nil, err
	}
	if depth == 0 {
		return nil, nil, errBERBounds
	}
	rest, err = r.children(h, b, func(body []byte) ([]byte, error) {
		h, err := r.header(body)
		switch {
		case err != nil:
			return nil, err
		case h.tag == asn1.OCTET_STRING:
			out = append(out, body[h.size:h.size+h.length]...)
			return body[h.size+h.length:], nil
		case h.tag != asn1.OCTET_STRING|berConstructed:
			return nil, errBER
		}
		var after []byte
		out, after, err = r.appendSegments(out, body, depth-1)
		return after, err
	})
	return out, rest, err
}

// setLength makes the octet before start the DER length of what stands from there on.
func setLength(out []byte, start int) []byte {
	n := len(out) - start
	if n < 0x80 {
		out[start-1] = byte(n)
		return out
	}
	var octets []byte
	for ; n > 0; n >>= 8 {
		octets = append([]byte{byte(n)}, octets...)
	}
	out[start-1] = 0x80 | byte(len(octets))
	out = append(out, octets...) // make room
	copy(out[start+len(octets):], out[start:])
	copy(out[start:], octets)
	return out
}
