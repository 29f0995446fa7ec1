package pkix

import (
	"errors"
	"strconv"
	"strings"
	"unsafe"
)

// OID is an object identifier: the content octets of its DER encoding (X.690
// section 8.19). It is comparable and may be a map key. One that was read aliases the input,
// as everything that is read here does.
type OID string

// alias is octets that were read, as a string that aliases them: copying each identifier is half of what reading a certificate costs.
func alias(octets []byte) string { return unsafe.String(unsafe.SliceData(octets), len(octets)) }

// ParseOID reads dotted decimal, such as "1.2.392.200149.8.5.1.3.30".
func ParseOID(dotted string) (OID, error) {
	parts := strings.Split(dotted, ".")
	if len(parts) < 2 || len(parts) > 128 {
		return "", errors.New("pkix: object identifier needs at least two arcs")
	}
	arcs := make([]uint64, len(parts))
	for i, part := range parts {
		n, err := strconv.ParseUint(part, 10, 62)
		if err != nil || (len(part) > 1 && part[0] == '0') {
			return "", errors.New("pkix: bad arc in object identifier")
		}
		arcs[i] = n
	}
	if arcs[0] > 2 || (arcs[0] < 2 && arcs[1] > 39) {
		return "", errors.New("pkix: bad first arcs in object identifier")
	}
	arcs[1] += 40 * arcs[0]
	var out []byte
	for _, n := range arcs[1:] {
		out = appendBase128(out, n)
	}
	return OID(out), nil
}

// MustOID is ParseOID for constants; it panics on bad input.
func MustOID(dotted string) OID {
	oid, err := ParseOID(dotted)
	if err != nil {
		panic(err)
	}
	return oid
}

func appendBase128(out []byte, n uint64) []byte {
	started := false
	for shift := 63; shift > 0; shift -= 7 {
		if group := byte(n>>shift) & 0x7f; group != 0 || started {
			out = append(out, group|0x80)
			started = true
		}
	}
	return append(out, byte(n)&0x7f)
}

// String is the dotted decimal form; arcs above 2^63 are written as "?".
func (o OID) String() string {
	var b strings.Builder
	var n uint64
	big := false
	first := true
	for i := range len(o) {
		big = big || n>>56 != 0
		n = n<<7 | uint64(o[i]&0x7f)
		if o[i]&0x80 != 0 {
			continue
		}
		if first {
			root := min(n/40, 2)
			b.WriteString(strconv.FormatUint(root, 10))
			n -= 40 * root
			first = false
		}
		b.WriteByte('.')
		if big {
			b.WriteByte('?')
		} else {
			b.WriteString(strconv.FormatUint(n, 10))
		}
		n, big = 0, false
	}
	return b.String()
}

// validOID says whether octets are the content of a DER object identifier.
func validOID(octets []byte) bool {
	if len(octets) == 0 || octets[len(octets)-1]&0x80 != 0 {
		return false
	}
	start := true
	for _, b := range octets {
		if start && b == 0x80 { // X.690 section 8.19.2: the fewest octets
			return false
		}
		start = b&0x80 == 0
	}
	return true
}
