package ocsp

import (
	"bytes"
	"math/rand/v2"

	"golang.org/x/crypto/cryptobyte"
	cb "golang.org/x/crypto/cryptobyte/asn1"
)

// node is an element of a structure that is to be mutated.
type node struct {
	tag      byte
	content  []byte // of a primitive one
	children []*node
	length   int // how the length is encoded
}

// Encodings of a length.
const (
	minimal = iota
	longer  // BER: more octets than needed
	indefinite
)

// readNodes takes a structure apart, that of an OCTET STRING with a structure inside included.
func readNodes(der []byte) []*node {
	s := cryptobyte.String(der)
	var out []*node
	for !s.Empty() {
		var content cryptobyte.String
		var tag cb.Tag
		if !s.ReadAnyASN1(&content, &tag) {
			return nil
		}
		n := &node{tag: byte(tag), content: content}
		if tag&0x20 != 0 || tag == cb.OCTET_STRING && len(content) > 64 {
			n.children = readNodes(content)
		}
		out = append(out, n)
	}
	return out
}

func (n *node) der() []byte {
	content := n.content
	if n.children != nil {
		content = nil
		for _, child := range n.children {
			content = append(content, child.der()...)
		}
	}
	switch n.length {
	case longer:
		size := len(content)
		return append([]byte{n.tag, 0x84, byte(size >> 24), byte(size >> 16), byte(size >> 8), byte(size)}, content...)
	case indefinite:
		return append(append([]byte{n.tag, 0x80}, content...), 0, 0)
	}
	return wrap(cb.Tag(n.tag), content)
}

// all are the nodes of a tree, with their parents.
func (n *node) all(visit func(parent, n *node)) {
	for _, child := range n.children {
		visit(n, child)
		child.all(visit)
	}
}

// shuffle changes the structure in one place.
func shuffle(r *rand.Rand, der []byte) []byte {
	roots := readNodes(der)
	if len(roots) != 1 {
		return der
	}
	type place struct{ parent, n *node }
	var places []place
	roots[0].all(func(parent, n *node) { places = append(places, place{parent, n}) })
	if len(places) == 0 {
		return der
	}
	p, q := places[r.IntN(len(places))], places[r.IntN(len(places))]
	i, siblings := 0, p.parent.children
	for siblings[i] != p.n {
		i++
	}
	switch r.IntN(9) {
	case 0: // left out
		p.parent.children = append(append([]*node{}, siblings[:i]...), siblings[i+1:]...)
	case 1: // twice
		p.parent.children = append(append(append([]*node{}, siblings[:i]...), p.n), siblings[i:]...)
	case 2: // two of them in each other's place
		j := r.IntN(len(siblings))
		siblings[i], siblings[j] = siblings[j], siblings[i]
	case 3: // another one in its place, as it stands there
		*p.n = *readOr(q.n.der(), p.n)
	case 4: // another tag
		p.n.tag ^= 1 << r.IntN(8)
	case 5: // one octet of its content
		if p.n.children == nil && len(p.n.content) > 0 {
			p.n.content = bytes.Clone(p.n.content)
			p.n.content[r.IntN(len(p.n.content))] ^= 1 << r.IntN(8)
		}
	case 6: // an octet more, or less
		if p.n.children == nil && r.IntN(2) == 0 && len(p.n.content) > 0 {
			p.n.content = p.n.content[1:]
		} else if p.n.children == nil {
			p.n.content = append(bytes.Clone(p.n.content), byte(r.IntN(256)))
		} else {
			p.n.children = append(p.n.children, &node{tag: 5})
		}
	case 7:
		p.n.length = longer
	case 8:
		if p.n.tag&0x20 != 0 {
			p.n.length = indefinite
		}
	}
	return roots[0].der()
}

// readOr is the one node of an encoding, or another.
func readOr(der []byte, other *node) *node {
	if nodes := readNodes(der); len(nodes) == 1 {
		return nodes[0]
	}
	return other
}

// garble changes octets without regard to the structure.
func garble(r *rand.Rand, der []byte) []byte {
	out := bytes.Clone(der)
	switch r.IntN(4) {
	case 0:
		return out[:r.IntN(len(out))]
	case 1:
		return append(out, make([]byte, 1+r.IntN(3))...)
	}
	for range 1 + r.IntN(3) {
		out[r.IntN(len(out))] ^= 1 << r.IntN(8)
	}
	return out
}
