package conformance

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/crypto/cryptobyte"
	tag "golang.org/x/crypto/cryptobyte/asn1"
)

// node is a TLV of a certificate or list, taken apart so that it can be changed anywhere and
// put together again with lengths that fit.
type node struct {
	tag      byte
	content  []byte  // of a primitive
	children []*node // else
	wrapped  bool    // a primitive that holds DER: the value of an extension
	long     bool    // length in more octets than it needs
}

// takeApart reads TLVs with one-octet tags; nil if it is no sequence of such.
func takeApart(in []byte) []*node {
	s := cryptobyte.String(in)
	var all []*node
	for !s.Empty() {
		var element cryptobyte.String
		var t tag.Tag
		if !s.ReadAnyASN1(&element, &t) {
			return nil
		}
		n := &node{tag: byte(t), content: element}
		if children := takeApart(element); children != nil && (t&0x20 != 0 || t == tag.OCTET_STRING) {
			n.children, n.wrapped = children, t == tag.OCTET_STRING
		}
		all = append(all, n)
	}
	return all
}

func (n *node) der() []byte {
	content := n.content
	if n.children != nil {
		content = nil
		for _, c := range n.children {
			content = append(content, c.der()...)
		}
	}
	out := []byte{n.tag}
	switch l := len(content); {
	case n.long:
		out = append(out, 0x83, 0, byte(l>>8), byte(l))
	case l < 0x80:
		out = append(out, byte(l))
	case l < 0x100:
		out = append(out, 0x81, byte(l))
	default:
		out = append(out, 0x82, byte(l>>8), byte(l))
	}
	return append(out, content...)
}

// parents are the nodes that have children, each as often as it has.
func (n *node) parents() (all []*node) {
	for _, c := range n.children {
		all = append(append(all, n), c.parents()...)
	}
	return all
}

// mutateDER changes one thing, and says which.
func mutateDER(r *rand.Rand, in []byte) ([]byte, string) {
	if r.IntN(4) == 0 {
		out := bytes.Clone(in)
		out[r.IntN(len(out))] ^= 1 << r.IntN(8)
		return out, "bit flipped"
	}
	root := takeApart(in)[0]
	parents := root.parents()
	p := parents[r.IntN(len(parents))]
	i := r.IntN(len(p.children))
	c := p.children[i]
	insert := func(n *node) {
		p.children = append(p.children[:i:i], append([]*node{n}, p.children[i:]...)...)
	}
	switch r.IntN(12) {
	case 0:
		p.children = append(append([]*node{}, p.children[:i]...), p.children[i+1:]...)
		return root.der(), "element removed"
	case 1:
		insert(c)
		return root.der(), "element doubled"
	case 2:
		j := r.IntN(len(p.children))
		p.children[i], p.children[j] = p.children[j], p.children[i]
		return root.der(), "elements swapped"
	case 3:
		insert(&node{tag: byte(tag.NULL)})
		return root.der(), "element inserted"
	case 4:
		p.children = append(p.children, &node{tag: byte(tag.INTEGER), content: []byte{1}})
		return root.der(), "element appended"
	case 5:
		c.long = true
		return root.der(), "length too long"
	case 6:
		c.tag ^= 1 << r.IntN(8)
		return root.der(), "tag changed"
	case 7:
		c.children, c.content = nil, nil
		return root.der(), "element emptied"
	case 8:
		o := parents[r.IntN(len(parents))]
		other := o.children[r.IntN(len(o.children))]
		p.children[i] = takeApart(other.der())[0] // a copy: it may be the one that it goes into
		return root.der(), "element replaced by another"
	case 9:
		if content := c.der(); len(content) > 3 {
			*c = node{tag: c.tag, content: content[2 : len(content)-1]}
		}
		return root.der(), "element truncated"
	case 10:
		if c.children == nil {
			c.content = append([]byte{0}, c.content...)
		}
		return root.der(), "zero octet before"
	default:
		if c.children == nil && len(c.content) > 0 {
			c.content = bytes.Clone(c.content)
			c.content[r.IntN(len(c.content))] = byte(r.IntN(256))
		}
		return root.der(), "value changed"
	}
}

// resign changes what is signed and signs it again with the key that had signed it.
func resign(t testing.TB, r *rand.Rand, der []byte) ([]byte, []string) {
	t.Helper()
	var outer, tbs, algorithm cryptobyte.String
	var sig []byte
	in := cryptobyte.String(der)
	if !in.ReadASN1(&outer, tag.SEQUENCE) || !outer.ReadASN1Element(&tbs, tag.SEQUENCE) ||
		!outer.ReadASN1(&algorithm, tag.SEQUENCE) || !outer.ReadASN1BitStringAsBytes(&sig) {
		t.Fatal("the grammar has written what cannot be read")
	}
	digest := sha256.Sum256(tbs)
	for _, k := range keys() {
		if ecdsa.VerifyASN1(&k.PublicKey, digest[:], sig) {
			changed, what := mutateDER(r, tbs)
			return signed(changed, k), []string{what}
		}
	}
	t.Fatal("signed by nobody")
	return nil, nil
}

// mutate changes one certificate or list of a case, and says what came of it.
func mutate(t testing.TB, r *rand.Rand, c Case) Case {
	t.Helper()
	var before, after []byte
	var words []string
	replace := func(list [][]byte) [][]byte {
		i := r.IntN(len(list))
		out := append([][]byte(nil), list...)
		before = list[i]
		after, words = resign(t, r, before)
		out[i] = after
		return out
	}
	kind := "certificate"
	switch n := r.IntN(10); {
	case n < 3 && len(c.CRLs) > 0:
		c.CRLs, kind = replace(c.CRLs), "list"
	case n < 6 && len(c.Intermediates) > 0:
		c.Intermediates, kind = replace(c.Intermediates), "authority"
	default:
		c.Certificate = replace([][]byte{c.Certificate})[0]
	}
	words = append(words, "changed "+kind)
	words = append(words, kindOfChange(before, after, kind == "list")...)
	words = append(words, oddNames(takeApart(after))...)
	if kind != "list" && ask(t, Line{Certificate: after, TrustAnchors: c.TrustAnchors, Time: c.Time}).Verdict == "malformed" {
		words = append(words, "unreadable "+kind)
	}
	c.Needs = append(append([]string{}, c.Needs...), words...)
	return c
}

// kindOfChange says what crypto/x509 makes of a change.
func kindOfChange(before, after []byte, list bool) []string {
	read := func(in []byte) (ids [][]byte, end time.Time, err error) {
		if list {
			l, err := x509.ParseRevocationList(in)
			if err != nil {
				return nil, time.Time{}, err
			}
			return [][]byte{l.AuthorityKeyId}, l.NextUpdate, nil
		}
		c, err := x509.ParseCertificate(in)
		if err != nil {
			return nil, time.Time{}, err
		}
		return [][]byte{c.AuthorityKeyId, c.SubjectKeyId}, c.NotAfter, nil
	}
	was, _, err := read(before)
	if err != nil {
		return nil // the grammar writes what crypto/x509 cannot read
	}
	is, end, err := read(after)
	switch {
	case err != nil:
		return []string{err.Error()}
	case !slices.EqualFunc(was, is, bytes.Equal):
		return []string{"key identifier changed"}
	case end.Equal(worldTime) && list:
		return []string{"list at its last second"}
	case end.Equal(worldTime):
		return []string{"at its last second"}
	}
	return nil
}

// oddNames looks for attributes of names that are no strings, or not such as their type allows.
func oddNames(in []*node) (words []string) {
	for _, n := range in {
		words = append(words, oddNames(n.children)...)
		if n.tag != byte(tag.SET) {
			continue
		}
		for _, a := range n.children {
			if len(a.children) != 2 || a.children[0].tag != byte(tag.OBJECT_IDENTIFIER) {
				continue
			}
			value := string(a.children[1].content)
			outside := func(allowed func(rune) bool) bool {
				return strings.ContainsFunc(value, func(r rune) bool { return !allowed(r) })
			}
			odd := false
			switch tag.Tag(a.children[1].tag) {
			case tag.UTF8String:
				odd = !utf8.ValidString(value)
			case tag.PrintableString:
				odd = outside(func(r rune) bool {
					return r < 0x80 && (unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune(" '()+,-./:=?", r))
				})
			case 18: // NumericString
				odd = outside(func(r rune) bool { return r == ' ' || r < 0x80 && unicode.IsDigit(r) })
			case tag.IA5String, 26: // VisibleString
				odd = outside(func(r rune) bool { return r > 0 && r < 0x80 })
			case tag.T61String, 28, 30: // UniversalString, BMPString
			default:
				odd = true
			}
			if odd {
				words = append(words, "odd name")
			}
		}
	}
	return words
}

// mutated are cases that everybody accepts, each with one thing changed and signed again.
func mutated(t *testing.T) (cases []Case) {
	const each = 4
	var originals []Case
	for seed := *firstSeed; len(originals) < few(*worlds)/each; seed++ {
		if c := generate(seed); ask(t, c.Line).Accept {
			originals = append(originals, c)
		}
	}
	accepted := answersOf(t, OpenSSL{}, originals)
	for i, c := range originals {
		r := rand.New(rand.NewPCG(*firstSeed+uint64(i), 6960))
		for n := 0; accepted[i].Accept && n < each; n++ {
			m := mutate(t, r, c)
			m.ID = fmt.Sprintf("%s, mutation %d", c.ID, n)
			cases = append(cases, m)
		}
	}
	return cases
}

// TestMutationsOpenSSL: openssl verify, on what was good before one thing in it was changed.
func TestMutationsOpenSSL(t *testing.T) { compare(t, OpenSSL{}, mutated(t)) }
