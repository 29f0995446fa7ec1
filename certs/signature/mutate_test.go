package signature

import (
	"bytes"
	"math/rand/v2"
	"slices"

	"golang.org/x/crypto/cryptobyte/asn1"
)

// node is an element of a message that is taken apart to be changed.
type node struct {
	tag      byte
	content  []byte // of a primitive one
	children []*node
	form     form
}

// form is how an element is encoded; the zero value is DER.
type form uint8

const (
	indefiniteLength form = iota + 1
	longLength            // with more octets than needed
	inSegments            // of an OCTET STRING
	wrongLength           // one more than there is
)

// parseNodes takes DER apart.
func parseNodes(in []byte) (nodes []*node) {
	r := &berReader{nodes: maxBERNodes}
	for len(in) > 0 {
		tag, content, _, err := r.element(&in)
		if err != nil {
			panic(err)
		}
		n := &node{tag: byte(tag), content: content}
		if tag&berConstructed != 0 {
			n.children = parseNodes(content)
		}
		nodes = append(nodes, n)
	}
	return nodes
}

func (n *node) encode() []byte {
	content := n.content
	if n.tag&berConstructed != 0 {
		content = nil
		for _, child := range n.children {
			content = append(content, child.encode()...)
		}
	}
	size := len(content)
	switch {
	case n.form == indefiniteLength && n.tag&berConstructed != 0:
		return slices.Concat([]byte{n.tag, 0x80}, content, []byte{0, 0})
	case n.form == longLength:
		return slices.Concat([]byte{n.tag, 0x84, byte(size >> 24), byte(size >> 16), byte(size >> 8), byte(size)}, content)
	case n.form == inSegments && n.tag == byte(asn1.OCTET_STRING) && size > 1:
		return slices.Concat([]byte{0x24, 0x80}, der(asn1.OCTET_STRING, content[:size/2]), der(asn1.OCTET_STRING, content[size/2:]), []byte{0, 0})
	case n.form == wrongLength && size < 0x7f:
		return slices.Concat([]byte{n.tag, byte(size + 1)}, content)
	}
	return setLength(slices.Concat([]byte{n.tag, 0}, content), 2)
}

// walk visits every node below one, with its parent.
func (n *node) walk(visit func(parent *node, i int)) {
	for i, child := range n.children {
		visit(n, i)
		child.walk(visit)
	}
}

// mutate changes a message in one to three places. What it does is the random source's alone.
func mutate(r *rand.Rand, in []byte, others [][]byte) []byte {
	if r.IntN(4) == 0 { // bytes, as an attacker without a parser
		out := bytes.Clone(in)
		switch r.IntN(4) {
		case 0:
			return out[:r.IntN(len(out))]
		case 1:
			out[r.IntN(min(64, len(out)))] ^= 1 << r.IntN(8)
		case 2:
			out[r.IntN(len(out))] = byte(r.Uint32())
		default:
			out[r.IntN(len(out))] ^= 1 << r.IntN(8)
		}
		return out
	}
	root := &node{children: parseNodes(in)}
	for range 1 + r.IntN(3) {
		type place struct {
			parent *node
			i      int
		}
		var places []place
		root.walk(func(parent *node, i int) { places = append(places, place{parent, i}) })
		if len(places) == 0 {
			break
		}
		p := places[r.IntN(len(places))]
		n := p.parent.children[p.i]
		switch r.IntN(12) {
		case 0, 1, 2:
			n.form = form(1 + r.IntN(4))
		case 3: // everything below
			f := form(1 + r.IntN(2))
			n.form = f
			n.walk(func(parent *node, i int) { parent.children[i].form = f })
		case 4:
			p.parent.children = slices.Delete(slices.Clone(p.parent.children), p.i, p.i+1)
		case 5:
			p.parent.children = slices.Insert(slices.Clone(p.parent.children), p.i, n)
		case 6:
			q := places[r.IntN(len(places))].parent.children
			j := r.IntN(len(q))
			q[j], p.parent.children[p.i] = p.parent.children[p.i], q[j]
			if root.cyclic() {
				q[j], p.parent.children[p.i] = p.parent.children[p.i], q[j]
			}
		case 7:
			j := r.IntN(len(p.parent.children))
			p.parent.children[j], p.parent.children[p.i] = p.parent.children[p.i], p.parent.children[j]
		case 8:
			n.tag ^= 1 << r.IntN(8)
		case 9:
			if len(n.content) > 0 && n.children == nil {
				n.content = bytes.Clone(n.content)
				n.content[r.IntN(len(n.content))] ^= 1 << r.IntN(8)
			}
		case 10:
			if len(n.content) > 0 && n.children == nil {
				n.content = n.content[:r.IntN(len(n.content))]
			}
		default: // a part of another message
			var parts []*node
			other := &node{children: parseNodes(others[r.IntN(len(others))])}
			other.walk(func(parent *node, i int) { parts = append(parts, parent.children[i]) })
			p.parent.children[p.i] = parts[r.IntN(len(parts))]
		}
	}
	var out []byte
	for _, n := range root.children {
		out = append(out, n.encode()...)
	}
	return out
}

// cyclic says whether a node stands below itself.
func (n *node) cyclic() bool {
	above := map[*node]bool{}
	var down func(n *node) bool
	down = func(n *node) bool {
		if above[n] {
			return true
		}
		above[n] = true
		defer delete(above, n)
		return slices.ContainsFunc(n.children, down)
	}
	return down(n)
}
