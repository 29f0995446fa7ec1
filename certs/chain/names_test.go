package chain

import (
	"crypto/x509"
	xpkix "crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"testing"

	"github.com/tashika-jp/tashika/certs/reason"
	cb "golang.org/x/crypto/cryptobyte/asn1"
)

const privateOID = "1.3.6.1.4.1.99999.1"

func otherName(typeID string, value []byte) []byte {
	return context(0, true, oid(typeID), context(0, true, value))
}

func altNames(names ...[]byte) func(*x509.Certificate) {
	return extension("2.5.29.17", false, sequence(names...))
}

func text(kind uint8, s string) []byte { return context(kind, false, []byte(s)) }

func subject(names ...string) func(*x509.Certificate) {
	return func(c *x509.Certificate) { c.RawSubject = rdns(names...) }
}

// TestNameConstraints: RFC 5280 section 4.2.1.10. The first word of a name is what is expected. The constraints are the intermediate's,
// where the case does not say otherwise.
func TestNameConstraints(t *testing.T) {
	const violated, unacceptable = reason.NameConstraintsViolated, reason.NameConstraintsUnacceptable
	mailInSubject := func(address string) func(*x509.Certificate) {
		return func(c *x509.Certificate) {
			c.Subject.ExtraNames = []xpkix.AttributeTypeAndValue{{Type: asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 1}, Value: address}}
		}
	}
	for _, c := range []struct {
		name              string
		root, inter, leaf func(*x509.Certificate)
		want              reason.ID
	}{
		{"good_dns_same", nil, permitDNS("example.com"), dns("example.com"), ""},
		{"good_dns_below", nil, permitDNS("example.com"), dns("a.b.example.com"), ""},
		{"good_dns_case", nil, permitDNS("Example.COM"), dns("a.eXample.com"), ""},
		{"bad_dns_no_label_boundary", nil, permitDNS("example.com"), dns("notexample.com"), violated},
		{"bad_dns_second_name", nil, permitDNS("example.com"), dns("example.com", "example.org"), violated},
		{"bad_dns_excluded", nil, excludeDNS("example.com"), dns("a.example.com"), violated},
		{"bad_dns_excluded_wins", nil, changes(permitDNS("example.com"), excludeDNS("a.example.com")), dns("b.a.example.com"), violated},
		{"good_dns_excluded_other", nil, excludeDNS("example.com"), dns("example.org"), ""},
		{"bad_dns_by_root", permitDNS("example.com"), nil, dns("example.org"), violated},
		{"good_dns_by_root", permitDNS("example.com"), nil, dns("example.com"), ""},
		{"bad_dns_widened", permitDNS("b.example.com"), permitDNS("a.example.com", "b.example.com"), dns("a.example.com"), violated},
		{"bad_dns_narrowed", permitDNS("a.example.com", "b.example.com"), permitDNS("b.example.com"), dns("a.example.com"), violated},
		{"good_dns_other_form", nil, permitDNS("example.com"), ip("192.0.2.1"), ""},
		{"good_dns_no_names", nil, permitDNS("example.com"), nil, ""},
		{"good_dns_leading_period_below", nil, constrain([][]byte{text(2, ".example.com")}, nil), dns("a.example.com"), ""},
		{"bad_dns_leading_period_itself", nil, constrain([][]byte{text(2, ".example.com")}, nil), dns("example.com"), violated},
		{"good_dns_empty_permits_all", nil, constrain([][]byte{text(2, "")}, nil), dns("example.com"), ""},
		{"bad_dns_empty_excludes_all", nil, constrain(nil, [][]byte{text(2, "")}), dns("example.com"), violated},
		{"bad_dns_constraint_with_wildcard", nil, constrain([][]byte{text(2, "*.example.com")}, nil), dns("a.example.com"), unacceptable},
		{"bad_dns_constraint_of_dots", nil, constrain([][]byte{text(2, "..")}, nil), dns("a.example.com"), unacceptable},
		{"bad_dns_name_malformed", nil, permitDNS("example.com"), altNames(text(2, ".example.com"), text(2, "a.example.com")), violated},
		{"bad_dns_name_malformed_excluded", nil, excludeDNS("example.org"), altNames(text(2, "a..example.com")), violated},
		{"bad_wildcard_wider_than_permitted", nil, permitDNS("foo.example.com"), dns("*.example.com"), violated},
		{"good_wildcard_within", nil, permitDNS("example.com"), dns("*.example.com"), ""},
		{"good_wildcard_within_leading_period", nil, constrain([][]byte{text(2, ".example.com")}, nil), dns("*.example.com"), ""},
		{"bad_wildcard_touches_excluded", nil, excludeDNS("bar.example.com"), dns("*.example.com"), violated},
		{"good_wildcard_far_above_excluded", nil, excludeDNS("a.bar.example.com"), dns("*.example.com"), ""},
		{"bad_wildcard_below_excluded", nil, excludeDNS("example.com"), dns("*.a.example.com"), violated},
		{"bad_wildcard_within_excluded_leading_period", nil, constrain(nil, [][]byte{text(2, ".example.com")}), dns("*.example.com"), violated},

		{"good_ip_v4", nil, constrain([][]byte{context(7, false, []byte{192, 0, 2, 0, 255, 255, 255, 0})}, nil), ip("192.0.2.77"), ""},
		{"bad_ip_v4", nil, constrain([][]byte{context(7, false, []byte{192, 0, 2, 0, 255, 255, 255, 0})}, nil), ip("192.0.3.1"), violated},
		{"bad_ip_v6_where_v4_permitted", nil, constrain([][]byte{context(7, false, []byte{192, 0, 2, 0, 255, 255, 255, 0})}, nil), ip("2001:db8::1"), violated},
		{"good_ip_v4_where_v6_excluded", nil, constrain(nil, [][]byte{context(7, false, make([]byte, 32))}), ip("192.0.2.1"), ""},
		{"bad_ip_excluded_all", nil, constrain(nil, [][]byte{context(7, false, make([]byte, 8))}), ip("192.0.2.1"), violated},
		{"good_ip_host_bits_do_not_count", nil, constrain([][]byte{context(7, false, []byte{10, 1, 2, 3, 255, 255, 0, 0})}, nil), ip("10.1.9.9"), ""},
		{"bad_ip_mask_with_holes", nil, constrain([][]byte{context(7, false, []byte{10, 0, 0, 0, 255, 0, 255, 0})}, nil), ip("10.0.0.1"), unacceptable},
		{"bad_ip_constraint_without_mask", nil, constrain([][]byte{context(7, false, []byte{127, 0, 0, 1})}, nil), ip("127.0.0.1"), unacceptable},
		{"bad_ip_name_with_mask", nil, constrain([][]byte{context(7, false, []byte{192, 0, 2, 0, 255, 255, 255, 0})}, nil), altNames(context(7, false, []byte{192, 0, 2, 0, 255, 255, 255, 0})), violated},

		{"good_mail_mailbox", nil, constrain([][]byte{text(1, "a@example.com")}, nil), mail("a@Example.com"), ""},
		{"bad_mail_mailbox_case_of_local", nil, constrain([][]byte{text(1, "a@example.com")}, nil), mail("A@example.com"), violated},
		{"good_mail_quoted", nil, constrain([][]byte{text(1, "foo@example.com")}, nil), altNames(text(1, `"\f\o\o"@example.com`)), ""},
		{"good_mail_host", nil, constrain([][]byte{text(1, "example.com")}, nil), mail("a@example.com"), ""},
		{"bad_mail_host_below", nil, constrain([][]byte{text(1, "example.com")}, nil), mail("a@b.example.com"), violated},
		{"good_mail_domain", nil, constrain([][]byte{text(1, ".example.com")}, nil), mail("a@b.example.com"), ""},
		{"bad_mail_domain_itself", nil, constrain([][]byte{text(1, ".example.com")}, nil), mail("a@example.com"), violated},
		{"bad_mail_two_ats", nil, constrain([][]byte{text(1, "example.com")}, nil), altNames(text(1, "a@b@example.com")), violated},
		{"bad_mail_in_subject", nil, constrain([][]byte{text(1, "example.com")}, nil), mailInSubject("a@example.org"), violated},
		{"good_mail_in_subject_beside_good_name", nil, constrain([][]byte{text(1, "example.com")}, nil), changes(mail("a@example.com"), mailInSubject("a@example.org")), ""},
		{"good_mail_in_subject", nil, constrain([][]byte{text(1, "example.com")}, nil), mailInSubject("a@example.com"), ""},
		{"good_mail_utf8", nil, constrain([][]byte{text(1, "example.com")}, nil), altNames(otherName("1.3.6.1.5.5.7.8.9", der(cb.UTF8String, []byte("あ@example.com")))), ""},
		{"bad_mail_utf8", nil, constrain([][]byte{text(1, "example.com")}, nil), altNames(otherName("1.3.6.1.5.5.7.8.9", der(cb.UTF8String, []byte("あ@example.org")))), violated},

		{"good_uri_host", nil, constrain([][]byte{text(6, "example.com")}, nil), uri("https://u@example.com:8443/x?y#z"), ""},
		{"bad_uri_host_below", nil, constrain([][]byte{text(6, "example.com")}, nil), uri("https://a.example.com/"), violated},
		{"good_uri_domain", nil, constrain([][]byte{text(6, ".example.com")}, nil), uri("https://a.example.com/"), ""},
		{"bad_uri_ip", nil, constrain(nil, [][]byte{text(6, "example.com")}), uri("https://192.0.2.1/"), violated},
		{"bad_uri_ip6", nil, constrain(nil, [][]byte{text(6, "example.com")}), uri("https://[2001:db8::1]:80/"), violated},
		{"bad_uri_without_authority", nil, constrain(nil, [][]byte{text(6, "example.com")}), uri("urn:example:a"), violated},
		{"bad_uri_user_is_not_host", nil, constrain([][]byte{text(6, "example.com")}, nil), altNames(text(6, "https://example.com@example.org/")), violated},

		{"good_directory", nil, constrain([][]byte{directory("a")}, nil), subject("A", "b"), ""},
		{"bad_directory_subject", nil, constrain([][]byte{directory("a")}, nil), subject("b", "a"), violated},
		{"bad_directory_alternative", nil, constrain([][]byte{directory("a")}, nil), changes(subject("a"), altNames(directory("b"))), violated},
		{"bad_directory_excluded", nil, constrain(nil, [][]byte{directory("a", "b")}), subject("a", " B ", "c"), violated},
		{"good_directory_above_excluded", nil, constrain(nil, [][]byte{directory("a", "b")}), subject("a"), ""},
		{"good_directory_empty_permits_all", nil, constrain([][]byte{directory()}, nil), subject("a"), ""},

		{"good_other_name_absent", nil, constrain(nil, [][]byte{otherName(privateOID, []byte{5, 0})}), dns("example.com"), ""},
		{"bad_other_name", nil, constrain(nil, [][]byte{otherName(privateOID, []byte{5, 0})}), altNames(otherName(privateOID, []byte{5, 0})), violated},
		{"bad_other_name_permitted", nil, constrain([][]byte{otherName(privateOID, []byte{5, 0})}, nil), altNames(otherName(privateOID, []byte{5, 0})), violated},
		{"good_other_name_of_other_type", nil, constrain([][]byte{otherName(privateOID, []byte{5, 0})}, nil), altNames(otherName(privateOID+".2", []byte{5, 0})), ""},
		{"bad_registered_id", nil, constrain(nil, [][]byte{context(8, false, []byte{0x2a, 3})}), altNames(context(8, false, []byte{0x2a, 4})), violated},
		{"bad_maximum", nil, extension("2.5.29.30", true, sequence(context(0, true, sequence(text(2, "example.com"), context(1, false, []byte{9}))))), dns("example.com"), violated},
		{"good_maximum_of_absent_form", nil, extension("2.5.29.30", true, sequence(context(0, true, sequence(text(2, "example.com"), context(1, false, []byte{9}))))), nil, ""},
		{"good_common_name_is_no_dns", nil, permitDNS("example.com"), func(c *x509.Certificate) { c.Subject.CommonName = "example.org" }, ""},
		{"bad_name_of_intermediate", permitDNS("example.com"), dns("example.org"), dns("example.com"), violated},
	} {
		t.Run(c.name, func(t *testing.T) {
			root := issue(t, nil, "root", 0, changes(ca, c.root))
			inter := issue(t, root, "intermediate", 1, changes(ca, c.inter))
			leaf := issue(t, inter, "leaf", 2, c.leaf)
			world{target: leaf, untrusted: []*entity{inter}, anchors: []*entity{root}}.expect(t, c.want)
		})
	}
}

// TestNameConstraintsSelfIssued: RFC 5280 section 6.1.3 (b): a self-issued authority is held against none, a self-issued leaf is.
func TestNameConstraintsSelfIssued(t *testing.T) {
	root := issue(t, nil, "root", 0, changes(ca, permitDNS("example.com")))
	rolled := issue(t, root, "root", 1, changes(ca, dns("example.org")))
	leaf := issue(t, rolled, "leaf", 2, dns("example.com"))
	world{target: leaf, untrusted: []*entity{rolled}, anchors: []*entity{root}}.expect(t, "")
	selfIssued := issue(t, rolled, "root", 3, dns("example.org"))
	world{target: selfIssued, untrusted: []*entity{rolled}, anchors: []*entity{root}}.expect(t, reason.NameConstraintsViolated)
}

// TestNameConstraintsAreBounded: names times constraints are spent from the budget, and nothing is good when it is gone.
func TestNameConstraintsAreBounded(t *testing.T) {
	var names, constraints []string
	for i := range 600 {
		names = append(names, fmt.Sprintf("t%d.test", i))
		constraints = append(constraints, fmt.Sprintf("x%d.test", i))
	}
	root := issue(t, nil, "root", 0, changes(ca, excludeDNS(constraints...)))
	leaf := issue(t, root, "leaf", 1, dns(names...))
	world{target: leaf, anchors: []*entity{root}}.expect(t, reason.PathBudgetExceeded)
	few := issue(t, root, "leaf", 1, dns(names[:100]...))
	world{target: few, anchors: []*entity{root}}.expect(t, "")
}
