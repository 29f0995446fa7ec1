package chain

import (
	"bytes"
	"strings"

	"github.com/tashika-jp/tashika/certs/pkix"
	"github.com/tashika-jp/tashika/certs/reason"
)

var (
	oidEmailAddress     = pkix.MustOID("1.2.840.113549.1.9.1")
	errSubtreeMalformed = []reason.ID{reason.NameConstraintsUnacceptable}
)

// form is a name form: names are held against the subtrees of their own form only.
type form struct {
	kind  pkix.GeneralNameKind
	other pkix.OID // type of an otherName: each is a form of its own
}

// subtree is a constraint, taken apart once for all the names that are held against it.
type subtree struct {
	form
	unsupported bool   // no rule says what is within
	canonical   string // directoryName
	domain      string // dNSName, rfc822Name, URI; empty is everything
	below       bool   // ".domain": what is below the domain, not the domain itself
	local       string // rfc822Name of one mailbox
	mailbox     bool
	ip, mask    []byte // iPAddress
}

// candidate is a name of a certificate, taken apart likewise.
type candidate struct {
	form
	malformed bool // and so within no subtree, and perhaps within any
	canonical string
	domain    string
	wildcard  bool
	local     string
	ip        []byte
}

// constraints are the name constraints of an authority: permitted_subtrees and excluded_subtrees of RFC 5280
// section 6.1.2 (b), (c), but of one certificate. A name has to satisfy those of every authority above it, which is
// the intersection and the union that section 6.1.4 (g) speaks of.
type constraints struct {
	permitted, excluded []subtree
}

// newConstraints takes the extension apart. Strict refuses the period before a dNSName, which RFC 5280 knows of URIs and addresses only
// but which others understand and authorities use.
func newConstraints(nc *pkix.NameConstraints, strict bool) (*constraints, []reason.ID) {
	k := new(constraints)
	for _, part := range []struct {
		from []pkix.GeneralSubtree
		into *[]subtree
	}{{nc.Permitted, &k.permitted}, {nc.Excluded, &k.excluded}} {
		for _, from := range part.from {
			s, ok := newSubtree(from, strict)
			if !ok {
				return nil, errSubtreeMalformed
			}
			*part.into = append(*part.into, s)
		}
	}
	return k, nil
}

// newSubtree: RFC 5280 section 4.2.1.10.
func newSubtree(from pkix.GeneralSubtree, strict bool) (s subtree, ok bool) {
	value := string(from.Base.Value)
	s.kind, s.unsupported, ok = from.Base.Kind, from.Bounded, true
	switch s.kind {
	case pkix.DirectoryName:
		name := pkix.Name(from.Base.Value)
		s.canonical = name.Canonical()
		ok = s.canonical != "" || name.Empty()
	case pkix.DNSName:
		value, s.below = strings.CutPrefix(value, ".")
		ok = s.setDomain(value) && !(s.below && (strict || s.domain == ""))
	case pkix.RFC822Name:
		if strings.Contains(value, "@") {
			var m pkix.Mailbox
			m, ok = pkix.ParseMailbox(value)
			s.local, s.domain, s.mailbox = m.Local, m.Domain, true
			break
		}
		value, s.below = strings.CutPrefix(value, ".")
		ok = s.setDomain(value) && !(s.below && s.domain == "")
	case pkix.URIName:
		value, s.below = strings.CutPrefix(value, ".")
		ok = s.setDomain(value) && !(s.below && s.domain == "") && !strings.ContainsAny(value, ":/?#@[]")
	case pkix.IPAddress:
		s.ip, s.mask, ok = network(from.Base.Value)
	case pkix.OtherName:
		s.other, _, ok = from.Base.OtherName()
		s.unsupported = true
	default:
		s.unsupported = true
	}
	return s, ok
}

func (s *subtree) setDomain(value string) bool {
	n, ok := pkix.ParseDomainName(value)
	s.domain = n.Domain
	return ok && !n.Wildcard
}

// network takes an address and a mask of the same length apart, in the style of RFC 4632: the ones of the mask come first.
func network(octets []byte) (ip, mask []byte, ok bool) {
	if len(octets) != 8 && len(octets) != 32 {
		return nil, nil, false
	}
	ip, mask = octets[:len(octets)/2], octets[len(octets)/2:]
	ended := false
	for _, b := range mask {
		if ended && b != 0 || ^b&(^b+1) != 0 { // what is left of a mask is 2^n - 1
			return nil, nil, false
		}
		ended = b != 0xff
	}
	return ip, mask, true
}

// candidates are the names of a certificate that constraints are held against: the subject, and every alternative name.
func candidates(c *pkix.Certificate) []candidate {
	var out []candidate
	if !c.Subject.Empty() {
		out = append(out, directoryCandidate(c.Subject))
	}
	for a := range c.Subject.Attributes() {
		// RFC 5280 section 4.2.1.10: constraints on rfc822Name bind emailAddress in the subject where there are no
		// alternative names.
		if a.Type == oidEmailAddress && len(c.SubjectAltNames) == 0 {
			out = append(out, mailboxCandidate(string(a.Value)))
		}
	}
	for _, name := range c.SubjectAltNames {
		out = append(out, newCandidate(name))
		if address, ok := name.Address(); ok && name.Kind == pkix.OtherName { // RFC 9598 section 6: constraints on rfc822Name bind it too
			out = append(out, mailboxCandidate(address))
		}
	}
	return out
}

func directoryCandidate(name pkix.Name) candidate {
	canonical := name.Canonical()
	return candidate{form: form{kind: pkix.DirectoryName}, canonical: canonical, malformed: canonical == "" && !name.Empty()}
}

func mailboxCandidate(address string) candidate {
	m, ok := pkix.ParseMailbox(address)
	return candidate{form: form{kind: pkix.RFC822Name}, local: m.Local, domain: m.Domain, malformed: !ok}
}

func newCandidate(name pkix.GeneralName) candidate {
	n := candidate{form: form{kind: name.Kind}}
	switch name.Kind {
	case pkix.DirectoryName:
		return directoryCandidate(pkix.Name(name.Value))
	case pkix.RFC822Name:
		return mailboxCandidate(string(name.Value))
	case pkix.DNSName:
		d, ok := pkix.ParseDomainName(string(name.Value))
		n.domain, n.wildcard, n.malformed = d.Domain, d.Wildcard, !ok
	case pkix.URIName:
		var ok bool
		n.domain, ok = pkix.URIHost(string(name.Value))
		n.malformed = !ok // RFC 5280 section 4.2.1.10: a URI without a host name MUST be refused
	case pkix.IPAddress:
		n.ip, n.malformed = name.Value, len(name.Value) != 4 && len(name.Value) != 16
	case pkix.OtherName:
		n.other, _, _ = name.OtherName()
	}
	return n
}

// check: RFC 5280 section 6.1.3 (b), (c).
func (k *constraints) check(names []candidate, b *Budget) []reason.ID {
	for i := range names {
		n := &names[i]
		if !spend(&b.Comparisons, len(k.permitted)+len(k.excluded)) {
			return exceeded
		}
		constrained, permitted := false, false
		for j := range k.permitted {
			if s := &k.permitted[j]; s.form == n.form {
				constrained = true
				permitted = permitted || s.contains(n)
			}
		}
		if constrained && !permitted {
			return []reason.ID{reason.NameConstraintsViolated}
		}
		for j := range k.excluded {
			s := &k.excluded[j]
			// What cannot be read, or is of a form without a rule, cannot be shown to be outside.
			if s.form == n.form && (s.unsupported || n.malformed || s.contains(n) || s.touches(n)) {
				return []reason.ID{reason.NameConstraintsViolated}
			}
		}
	}
	return nil
}

// contains says whether all that the name stands for is within the subtree.
func (s *subtree) contains(n *candidate) bool {
	if s.unsupported || n.malformed {
		return false
	}
	switch s.kind {
	case pkix.DirectoryName:
		// A canonical form is made RDN by RDN, and each says where it ends: so a prefix of the text is one of the name.
		return strings.HasPrefix(n.canonical, s.canonical)
	case pkix.DNSName:
		return pkix.Within(n.domain, s.domain) && !(s.below && n.domain == s.domain && !n.wildcard)
	case pkix.RFC822Name:
		switch {
		case s.mailbox:
			return n.local == s.local && n.domain == s.domain
		case s.below:
			return n.domain != s.domain && pkix.Within(n.domain, s.domain)
		}
		return s.domain == "" || n.domain == s.domain
	case pkix.URIName:
		if s.below {
			return n.domain != s.domain && pkix.Within(n.domain, s.domain)
		}
		return s.domain == "" || n.domain == s.domain
	case pkix.IPAddress:
		if len(n.ip) != len(s.ip) {
			return false
		}
		masked := make([]byte, len(s.ip))
		for i := range masked {
			masked[i] = (n.ip[i] ^ s.ip[i]) & s.mask[i]
		}
		return bytes.Equal(masked, make([]byte, len(s.ip)))
	}
	return false
}

// touches says whether something that a wildcard stands for is within the subtree: the one label that makes it the
// subtree's domain.
func (s *subtree) touches(n *candidate) bool {
	if !n.wildcard || s.below || s.domain == n.domain || !pkix.Within(s.domain, n.domain) {
		return false
	}
	label := strings.TrimSuffix(strings.TrimSuffix(s.domain, n.domain), ".")
	return !strings.Contains(label, ".")
}
