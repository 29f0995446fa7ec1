package pkix

import (
	"errors"
	"math"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// AnyPolicy is the special certificate policy of RFC 5280 section 4.2.1.4.
var AnyPolicy = MustOID("2.5.29.32.0")

// NameConstraints is RFC 5280 section 4.2.1.10. A nil list is one that is absent.
type NameConstraints struct {
	Permitted, Excluded []GeneralSubtree
}

// GeneralSubtree is a name below which others are.
type GeneralSubtree struct {
	Base GeneralName
	// Bounded: minimum is not 0, or maximum is there. RFC 5280 uses neither, and a certificate with a name of
	// this form is refused.
	Bounded bool
}

// PolicyMapping is one pair of RFC 5280 section 4.2.1.5.
type PolicyMapping struct {
	IssuerDomain, SubjectDomain OID
}

func readNameConstraints(s *cryptobyte.String) (*NameConstraints, error) {
	var inner cryptobyte.String
	if !s.ReadASN1(&inner, asn1.SEQUENCE) {
		return nil, errors.New("malformed")
	}
	n := new(NameConstraints)
	var err error
	for i, into := range []*[]GeneralSubtree{&n.Permitted, &n.Excluded} {
		if *into, err = readSubtrees(&inner, asn1.Tag(i).ContextSpecific().Constructed()); err != nil {
			return nil, err
		}
	}
	if !inner.Empty() || n.Permitted == nil && n.Excluded == nil {
		return nil, errors.New("malformed")
	}
	return n, nil
}

// maxSubtrees bounds the comparisons that one certificate can ask of every other below it.
const maxSubtrees = 4096

func readSubtrees(s *cryptobyte.String, tag asn1.Tag) ([]GeneralSubtree, error) {
	if !s.PeekASN1Tag(tag) {
		return nil, nil
	}
	var list cryptobyte.String
	if !s.ReadASN1(&list, tag) || list.Empty() {
		return nil, errors.New("malformed subtrees")
	}
	var out []GeneralSubtree
	for !list.Empty() {
		var inner cryptobyte.String
		if !list.ReadASN1(&inner, asn1.SEQUENCE) || len(out) == maxSubtrees {
			return nil, errors.New("malformed subtree, or too many")
		}
		base, err := readGeneralName(&inner)
		if err != nil {
			return nil, err
		}
		subtree := GeneralSubtree{Base: base}
		for bound := asn1.Tag(0); bound <= 1; bound++ {
			var content cryptobyte.String
			var present bool
			if !inner.ReadOptionalASN1(&content, &present, bound.ContextSpecific()) || present && len(content) == 0 {
				return nil, errors.New("malformed subtree")
			}
			if bound == 0 && string(content) == "\x00" { // X.690 section 11.5: the default is not encoded
				return nil, errors.New("malformed subtree")
			}
			subtree.Bounded = subtree.Bounded || present
		}
		if !inner.Empty() {
			return nil, errors.New("malformed subtree")
		}
		out = append(out, subtree)
	}
	return out, nil
}

func readPolicyMappings(s *cryptobyte.String) ([]PolicyMapping, error) {
	var list cryptobyte.String
	if !s.ReadASN1(&list, asn1.SEQUENCE) || list.Empty() {
		return nil, errors.New("malformed")
	}
	var out []PolicyMapping
	for !list.Empty() {
		var pair cryptobyte.String
		if !list.ReadASN1(&pair, asn1.SEQUENCE) {
			return nil, errors.New("malformed pair")
		}
		issuer, okIssuer := ReadOID(&pair)
		subject, okSubject := ReadOID(&pair)
		if !okIssuer || !okSubject || !pair.Empty() {
			return nil, errors.New("malformed pair")
		}
		out = append(out, PolicyMapping{issuer, subject})
	}
	return out, nil
}

func (x *Extensions) parsePolicyConstraints(s *cryptobyte.String) error {
	var inner cryptobyte.String
	// RFC 5280 section 4.2.1.11: the sequence MUST NOT be empty.
	if !s.ReadASN1(&inner, asn1.SEQUENCE) || inner.Empty() {
		return errors.New("malformed")
	}
	for i, into := range []*int{&x.RequireExplicitPolicy, &x.InhibitPolicyMapping} {
		var content cryptobyte.String
		var present, ok bool
		if !inner.ReadOptionalASN1(&content, &present, asn1.Tag(i).ContextSpecific()) {
			return errors.New("malformed")
		}
		if !present {
			continue
		}
		if *into, ok = skipCerts(content); !ok {
			return errors.New("malformed number of certificates")
		}
	}
	if !inner.Empty() {
		return errors.New("malformed")
	}
	return nil
}

// skipCerts is the value of SkipCerts ::= INTEGER (0..MAX), or of a path length. No path is so long that a number above
// 2^31-1 differs from that.
func skipCerts(content []byte) (int, bool) {
	if !minimalInteger(content) || content[0]&0x80 != 0 {
		return 0, false
	}
	n := 0
	for _, b := range content {
		if n = n<<8 | int(b); n > math.MaxInt32 {
			return math.MaxInt32, true
		}
	}
	return n, true
}
