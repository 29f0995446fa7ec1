package pkix

import (
	"net/netip"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// DomainName is a dNSName taken apart (RFC 5280 section 4.2.1.6, RFC 1034 section 3.5, wildcards by RFC 9525 section 6.3).
type DomainName struct {
	Domain   string // lower case, without the wildcard label and without a dot at the end; may be empty
	Wildcard bool   // the leftmost label is "*"
}

// ParseDomainName reads a name of labels that are not empty, of which the leftmost may be a whole "*"; one dot at the
// end is read past. Letters are not held against letters, digits and hyphens: see IsHostname.
func ParseDomainName(s string) (n DomainName, ok bool) {
	s = strings.ToLower(strings.TrimSuffix(s, "."))
	if rest, wild := strings.CutPrefix(s, "*."); wild {
		n.Wildcard, s = true, rest
		if s == "" {
			return n, false
		}
	}
	n.Domain = s
	if s == "" {
		return n, true
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || strings.ContainsFunc(label, func(c rune) bool { return c <= ' ' || c >= 0x7f || c == '*' }) {
			return n, false
		}
	}
	return n, len(s) <= 253
}

// IsHostname says whether a domain is in the preferred name syntax (RFC 1034 section 3.5 as RFC 1123 section 2.1 has it): letters, digits and
// hyphens, no hyphen at an end of a label, and no IPv4 address.
func IsHostname(domain string) bool {
	if _, err := netip.ParseAddr(domain); err == nil || domain == "" {
		return false
	}
	for label := range strings.SplitSeq(domain, ".") {
		if label == "" || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, c := range []byte(label) {
			if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-') {
				return false
			}
		}
	}
	return true
}

// Within says whether the domain is the other or below it. Everything is within the empty domain.
func Within(domain, other string) bool {
	return other == "" || domain == other || strings.HasSuffix(domain, other) && domain[len(domain)-len(other)-1] == '.'
}

// Mailbox is an e-mail address (RFC 5321 section 4.1.2). Of the local part upper and lower case differ (RFC 5280 section
// 7.5), and quoting does not count.
type Mailbox struct {
	Local, Domain string // the domain in lower case
}

// ParseMailbox reads Local-part "@" Domain. Address literals are refused: they name no domain.
func ParseMailbox(s string) (m Mailbox, ok bool) {
	rest := ""
	if strings.HasPrefix(s, `"`) {
		m.Local, rest, ok = quoted(s[1:])
	} else {
		m.Local, rest, ok = strings.Cut(s, "@")
		ok = ok && m.Local != "" && !strings.ContainsFunc(m.Local, func(c rune) bool { return c <= ' ' || c == 0x7f || strings.ContainsRune(`"(),:;<>[\]`, c) }) &&
			m.Local[0] != '.' && m.Local[len(m.Local)-1] != '.' && !strings.Contains(m.Local, "..")
	}
	if !ok {
		return m, false
	}
	domain, ok := ParseDomainName(rest)
	m.Domain = domain.Domain
	return m, ok && !domain.Wildcard && m.Domain != "" && !strings.HasSuffix(rest, ".") && IsHostname(m.Domain)
}

var oidSmtpUTF8Mailbox = MustOID("1.3.6.1.5.5.7.8.9")

// Address is the e-mail address of a name that is one: an rfc822Name, or an otherName SmtpUTF8Mailbox (RFC 9598 section 3). It is
// empty, and no mailbox, where the latter is no UTF8String.
func (g GeneralName) Address() (address string, ok bool) {
	if g.Kind == RFC822Name {
		return string(g.Value), true
	}
	id, element, ok := g.OtherName()
	if !ok || id != oidSmtpUTF8Mailbox {
		return "", false
	}
	s := cryptobyte.String(element)
	var text cryptobyte.String
	if !s.ReadASN1(&text, asn1.UTF8String) || !s.Empty() {
		return "", true
	}
	return string(text), true
}

// quoted reads the rest of a Quoted-string and the "@" behind it.
func quoted(s string) (local, rest string, ok bool) {
	var b []byte
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			rest, ok = strings.CutPrefix(s[i+1:], "@")
			return string(b), rest, ok && len(b) > 0
		case c == '\\' && i+1 < len(s):
			i++
			b = append(b, s[i])
		case c < ' ' || c == 0x7f || c == '\\':
			return "", "", false
		default:
			b = append(b, c)
		}
	}
	return "", "", false
}

// CutScheme returns what follows the scheme of a URI (RFC 3986 section 3.1); false if there is none, as in a relative reference.
func CutScheme(uri string) (rest string, ok bool) {
	for i, c := range []byte(uri) {
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		switch {
		case c == ':':
			return uri[i+1:], i > 0
		case letter:
		case i > 0 && (c >= '0' && c <= '9' || c == '+' || c == '-' || c == '.'):
		default:
			return "", false
		}
	}
	return "", false
}

// URIHost returns the host of a URI in lower case (RFC 3986 section 3.2.2); false if there is none that is a name: no authority, an IP
// address, an encoded or malformed one.
func URIHost(uri string) (host string, ok bool) {
	rest, absolute := CutScheme(uri)
	rest, hasAuthority := strings.CutPrefix(rest, "//")
	if !absolute || !hasAuthority {
		return "", false
	}
	if end := strings.IndexAny(rest, "/?#"); end >= 0 {
		rest = rest[:end]
	}
	rest = rest[strings.LastIndexByte(rest, '@')+1:]
	host, port, _ := strings.Cut(rest, ":")
	if strings.Trim(port, "0123456789") != "" {
		return "", false
	}
	name, ok := ParseDomainName(host)
	if _, err := netip.ParseAddr(name.Domain); err == nil {
		return "", false
	}
	return name.Domain, ok && !name.Wildcard && name.Domain != "" && !strings.ContainsAny(name.Domain, "%[]")
}
