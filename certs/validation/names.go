package validation

import (
	"net/netip"
	"strings"

	"github.com/tashika-jp/tashika/certs/pkix"
)

// matchesServer: RFC 9525 section 6: the name is one of the certificate's dNSNames or iPAddresses. The subject's common name is none.
func matchesServer(c *pkix.Certificate, server string) bool {
	address, err := netip.ParseAddr(server)
	isAddress := err == nil
	reference, ok := pkix.ParseDomainName(server)
	if !isAddress && (!ok || reference.Wildcard || reference.Domain == "") {
		return false
	}
	for _, name := range c.SubjectAltNames {
		switch {
		case isAddress && name.Kind == pkix.IPAddress:
			// RFC 9525 section 6.5: octet for octet; an IPv4 address is none of IPv6.
			if presented, ok := netip.AddrFromSlice(name.Value); ok && presented == address {
				return true
			}
		case !isAddress && name.Kind == pkix.DNSName:
			if presented, ok := pkix.ParseDomainName(string(name.Value)); ok && matchesDomain(presented, reference.Domain) {
				return true
			}
		}
	}
	return false
}

// matchesDomain: RFC 9525 section 6.3: a wildcard is a whole leftmost label and stands for exactly one. Before a single label, as
// in "*.com", it stands for none: no authority may certify that.
func matchesDomain(presented pkix.DomainName, domain string) bool {
	if !presented.Wildcard {
		return presented.Domain != "" && presented.Domain == domain
	}
	label, rest, found := strings.Cut(domain, ".")
	return found && label != "" && rest == presented.Domain && strings.Contains(rest, ".")
}

// matchesEmail: RFC 5280 section 7.5, RFC 9598 section 5: the address is one of the certificate's.
func matchesEmail(c *pkix.Certificate, email string) bool {
	reference, ok := pkix.ParseMailbox(email)
	if !ok {
		return false
	}
	for _, name := range c.SubjectAltNames {
		address, isAddress := name.Address()
		if presented, ok := pkix.ParseMailbox(address); isAddress && ok && presented == reference {
			return true
		}
	}
	return false
}
