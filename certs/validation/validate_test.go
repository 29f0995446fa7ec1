package validation

import (
	"crypto/x509"
	xpkix "crypto/x509/pkix"
	"net"
	"testing"
	"time"

	"github.com/tashika-jp/tashika/certs/reason"
	"golang.org/x/crypto/ocsp"
)

// TestRevocation: what lists and responses say, alone and together. The first word of a name is what is expected.
func TestRevocation(t *testing.T) {
	root := issue(nil, "root", 1, ca)
	middle := issue(root, "middle", 2, ca)
	leaf := issue(middle, "leaf", 3, nil)
	delegate := issue(middle, "responder", 4, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning} })
	stranger := issue(nil, "middle", 5, ca)
	rootList := list(root, 1, nil, nil)
	good := func(at time.Time) []byte { return response(middle, middle, leaf, ocsp.Good, 0, at) }
	earlier, later := now.Add(-2*time.Hour), now.Add(-time.Minute)
	for _, c := range []struct {
		name            string
		change          func(*Question)
		verdict, status string
		reasons         []reason.ID
	}{
		{"valid_without", func(q *Question) {}, "valid", "unknown", nil},
		{"valid_none_asked", func(q *Question) { q.Revocation, q.CRLs = "none", [][]byte{list(middle, 1, map[int64]int{3: 1}, nil)} }, "valid", "unknown", nil},
		{"indeterminate_no_list", func(q *Question) { q.Revocation = "crl" }, "indeterminate", "unknown", []reason.ID{reason.CRLMissing}},
		{"valid_list", func(q *Question) { q.CRLs = [][]byte{rootList, list(middle, 1, nil, nil)} }, "valid", "good", nil},
		{"indeterminate_list_of_leaf_only", func(q *Question) { q.CRLs = [][]byte{list(middle, 1, nil, nil)} }, "indeterminate", "unknown", []reason.ID{reason.CRLMissing, reason.CRLSignerUnconfirmed}},
		{"valid_leaf_only", func(q *Question) { q.Scope, q.CRLs = "leaf", [][]byte{list(middle, 1, nil, nil)} }, "valid", "good", nil},
		{"revoked", func(q *Question) { q.CRLs = [][]byte{rootList, list(middle, 1, map[int64]int{3: 1}, nil)} }, "invalid", "revoked", []reason.ID{reason.Revoked}},
		{"on_hold", func(q *Question) { q.CRLs = [][]byte{rootList, list(middle, 1, map[int64]int{3: 6}, nil)} }, "invalid", "on_hold", []reason.ID{reason.OnHold}},
		{"invalid_authority_revoked", func(q *Question) {
			q.Scope, q.CRLs = "chain", [][]byte{list(root, 1, map[int64]int{2: 2}, nil), list(middle, 1, nil, nil)}
		},
			"invalid", "unknown", []reason.ID{reason.IssuerRevoked, reason.CRLSignerUnconfirmed}},
		{"indeterminate_stale", func(q *Question) {
			q.CRLs = [][]byte{rootList, list(middle, 1, nil, func(l *x509.RevocationList) { l.NextUpdate = now.Add(-time.Minute) })}
		}, "indeterminate", "unknown", []reason.ID{reason.CRLStale}},
		{"indeterminate_too_old", func(q *Question) {
			seconds := 60.
			q.MaxAge, q.Scope, q.CRLs = &seconds, "leaf", [][]byte{list(middle, 1, nil, nil)}
		},
			"indeterminate", "unknown", []reason.ID{reason.CRLTooOld}},
		{"indeterminate_forged_list", func(q *Question) { q.Scope, q.CRLs = "leaf", [][]byte{list(stranger, 1, map[int64]int{3: 1}, nil)} },
			"indeterminate", "unknown", []reason.ID{reason.CRLSignerUnconfirmed}},
		{"indeterminate_unreadable_list", func(q *Question) { q.Scope, q.CRLs = "leaf", [][]byte{{0x30}} }, "indeterminate", "unknown", []reason.ID{reason.CRLMissing, reason.CRLFormatFailure}},

		{"indeterminate_no_response", func(q *Question) { q.Revocation, q.Scope = "ocsp", "leaf" }, "indeterminate", "unknown", []reason.ID{reason.OCSPMissing}},
		{"valid_response", func(q *Question) { q.Scope, q.OCSPResponses = "leaf", [][]byte{good(later)} }, "valid", "good", nil},
		{"valid_responses_of_chain", func(q *Question) {
			q.OCSPResponses = [][]byte{response(root, root, middle, ocsp.Good, 0, later), good(later)}
		}, "valid", "good", nil},
		{"indeterminate_response_for_another", func(q *Question) {
			q.Scope, q.OCSPResponses = "leaf", [][]byte{response(middle, middle, delegate, ocsp.Good, 0, later)}
		},
			"indeterminate", "unknown", []reason.ID{reason.OCSPCertIDMismatch}},
		{"revoked_response", func(q *Question) {
			q.Scope, q.OCSPResponses = "leaf", [][]byte{response(middle, middle, leaf, ocsp.Revoked, 1, later)}
		},
			"invalid", "revoked", []reason.ID{reason.Revoked}},
		{"on_hold_response", func(q *Question) {
			q.Scope, q.OCSPResponses = "leaf", [][]byte{response(middle, middle, leaf, ocsp.Revoked, 6, later)}
		},
			"invalid", "on_hold", []reason.ID{reason.OnHold}},
		{"indeterminate_status_unknown", func(q *Question) {
			q.Scope, q.OCSPResponses = "leaf", [][]byte{response(middle, middle, leaf, ocsp.Unknown, 0, later)}
		},
			"indeterminate", "unknown", []reason.ID{reason.OCSPStatusUnknown}},
		{"valid_delegate", func(q *Question) {
			q.Scope, q.OCSPResponses = "leaf", [][]byte{response(middle, delegate, leaf, ocsp.Good, 0, later)}
		}, "valid", "good", nil},
		{"indeterminate_delegate_revoked", func(q *Question) {
			q.Revocation, q.Scope, q.OCSPResponses, q.CRLs = "ocsp", "leaf", [][]byte{response(middle, delegate, leaf, ocsp.Good, 0, later)}, [][]byte{list(middle, 1, map[int64]int{4: 1}, nil)}
		}, "indeterminate", "unknown", []reason.ID{reason.OCSPResponderRevoked}},

		{"revoked_by_list_whatever_ocsp", func(q *Question) {
			q.Scope, q.CRLs, q.OCSPResponses = "leaf", [][]byte{list(middle, 1, map[int64]int{3: 1}, nil)}, [][]byte{good(later)}
		}, "invalid", "revoked", []reason.ID{reason.Revoked}},
		{"revoked_by_ocsp_whatever_list", func(q *Question) {
			q.Scope, q.CRLs, q.OCSPResponses = "leaf", [][]byte{list(middle, 1, nil, nil)}, [][]byte{response(middle, middle, leaf, ocsp.Revoked, 0, earlier)}
		}, "invalid", "revoked", []reason.ID{reason.Revoked}},
		{"valid_hold_released_since", func(q *Question) {
			q.Scope, q.CRLs, q.OCSPResponses = "leaf", [][]byte{list(middle, 1, map[int64]int{3: 6}, nil)}, [][]byte{good(later)}
		}, "valid", "good", nil},
		{"on_hold_since", func(q *Question) {
			q.Scope, q.CRLs, q.OCSPResponses = "leaf", [][]byte{list(middle, 1, map[int64]int{3: 6}, nil)}, [][]byte{good(earlier)}
		}, "invalid", "on_hold", []reason.ID{reason.OnHold}},
		{"valid_list_where_response_is_wrong", func(q *Question) {
			q.Scope, q.CRLs, q.OCSPResponses = "leaf", [][]byte{list(middle, 1, nil, nil)}, [][]byte{{0x30, 0}}
		}, "valid", "good", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			q := Question{TrustAnchors: ders(root), Intermediates: ders(middle), Certificate: leaf.Raw}
			c.change(&q)
			ask(t, q).expect(t, c.verdict, c.status, c.reasons...)
		})
	}
}

// TestSigners: who may sign lists beside the issuer's own key.
func TestSigners(t *testing.T) {
	root := issue(nil, "root", 1, ca)
	crlSign := func(c *x509.Certificate) { c.KeyUsage, c.SubjectKeyId = x509.KeyUsageCRLSign, []byte("for lists") }
	signer := issue(root, "root", 2, crlSign) // another key of the same name, for lists only
	leaf := issue(root, "leaf", 3, nil)
	byItself := list(signer, 1, nil, nil)
	q := func(crls ...[]byte) Question {
		return Question{TrustAnchors: ders(root), Intermediates: ders(signer), Certificate: leaf.Raw, CRLs: crls}
	}
	// A list may say of its own signer that it is good: nobody else says otherwise.
	ask(t, q(byItself)).expect(t, "valid", "good")
	ask(t, q(list(signer, 1, map[int64]int{3: 1}, nil))).expect(t, "invalid", "revoked", reason.Revoked)
	// Not when it says that it is revoked, or when anybody else does.
	ask(t, q(list(signer, 1, map[int64]int{2: 1}, nil))).expect(t, "indeterminate", "unknown", reason.CRLSignerUnconfirmed)
	ask(t, q(byItself, list(root, 1, map[int64]int{2: 1}, nil))).expect(t, "valid", "good") // by the list of the root alone
	ask(t, q(list(signer, 1, map[int64]int{3: 1}, nil), list(root, 1, map[int64]int{2: 1}, nil))).expect(t, "valid", "good")
	// Nor when it leads to another anchor, has no cRLSign, or is expired.
	other := issue(nil, "root", 4, ca)
	foreign := issue(other, "root", 2, crlSign)
	two := Question{TrustAnchors: ders(root, other), Intermediates: ders(foreign), Certificate: leaf.Raw, CRLs: [][]byte{byItself}}
	ask(t, two).expect(t, "indeterminate", "unknown", reason.CRLSignerUnconfirmed)
	expired := issue(root, "root", 2, func(c *x509.Certificate) { crlSign(c); c.NotAfter = now.Add(-time.Hour) })
	late := q(byItself)
	late.Intermediates = ders(expired)
	ask(t, late).expect(t, "indeterminate", "unknown", reason.CRLSignerUnconfirmed)
}

// TestBackFromRevoked: a path with a revoked authority is given up for another.
func TestBackFromRevoked(t *testing.T) {
	root := issue(nil, "root", 1, ca)
	middle := issue(root, "middle", 2, ca)
	again := issue(root, "middle", 2, func(c *x509.Certificate) { ca(c); c.SerialNumber.SetInt64(20) })
	leaf := issue(middle, "leaf", 3, nil)
	crls := [][]byte{list(root, 1, map[int64]int{2: 4}, nil), list(middle, 1, nil, nil)}
	for _, order := range [][]*entity{{middle, again}, {again, middle}} {
		ask(t, Question{TrustAnchors: ders(root), Intermediates: ders(order...), Certificate: leaf.Raw, CRLs: crls}).expect(t, "valid", "good")
	}
}

// TestNames: RFC 9525 and RFC 5280 section 7.5. The first word of a name is what is expected.
func TestNames(t *testing.T) {
	root := issue(nil, "root", 1, ca)
	names := func(dns []string, mail []string, ips ...string) *entity {
		return issue(root, "example.net", 2, func(c *x509.Certificate) {
			c.DNSNames, c.EmailAddresses = dns, mail
			for _, ip := range ips {
				c.IPAddresses = append(c.IPAddresses, net.ParseIP(ip))
			}
		})
	}
	for _, c := range []struct {
		name          string
		leaf          *entity
		server, email string
	}{
		{"good_same", names([]string{"example.com"}, nil), "EXAMPLE.com", ""},
		{"good_end_dot", names([]string{"example.com"}, nil), "example.com.", ""},
		{"bad_other", names([]string{"example.com"}, nil), "example.org", ""},
		{"bad_below", names([]string{"example.com"}, nil), "a.example.com", ""},
		{"bad_above", names([]string{"a.example.com"}, nil), "example.com", ""},
		{"good_wildcard", names([]string{"*.example.com"}, nil), "a.example.com", ""},
		{"bad_wildcard_two_labels", names([]string{"*.example.com"}, nil), "a.b.example.com", ""},
		{"bad_wildcard_itself", names([]string{"*.example.com"}, nil), "example.com", ""},
		{"bad_wildcard_of_top", names([]string{"*.com"}, nil), "example.com", ""},
		{"bad_wildcard_part", names([]string{"ba*.example.com"}, nil), "baz.example.com", ""},
		{"bad_wildcard_inside", names([]string{"a.*.example.com"}, nil), "a.b.example.com", ""},
		{"bad_asked_for_wildcard", names([]string{"*.example.com"}, nil), "*.example.com", ""},
		{"bad_common_name", names(nil, nil), "example.net", ""},
		{"good_ip", names(nil, nil, "192.0.2.1"), "192.0.2.1", ""},
		{"good_ip6", names(nil, nil, "2001:db8::1"), "2001:DB8:0::1", ""},
		{"bad_ip_as_dns", names([]string{"192.0.2.1"}, nil), "192.0.2.1", ""},
		{"bad_ip_mapped", names(nil, nil, "192.0.2.1"), "::ffff:192.0.2.1", ""},
		{"good_mail", names(nil, []string{"a@example.com"}), "", "a@EXAMPLE.com"},
		{"bad_mail_case", names(nil, []string{"a@example.com"}), "", "A@example.com"},
		{"bad_mail_domain", names(nil, []string{"a@example.com"}), "", "a@example.org"},
		{"bad_mail_none", names([]string{"example.com"}, nil), "", "a@example.com"},
		{"good_both", names([]string{"example.com"}, []string{"a@example.com"}), "example.com", "a@example.com"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := ask(t, Question{TrustAnchors: ders(root), Certificate: c.leaf.Raw, ServerName: c.server, Email: c.email})
			switch {
			case c.name[:4] == "good":
				a.expect(t, "valid", "unknown")
			case c.server != "":
				a.expect(t, "invalid", "unknown", reason.ServerNameMismatch)
			default:
				a.expect(t, "invalid", "unknown", reason.EmailMismatch)
			}
		})
	}
}

// TestRules: each rule of a question reaches the engine.
func TestRules(t *testing.T) {
	root := issue(nil, "root", 1, ca)
	middle := issue(root, "middle", 2, func(c *x509.Certificate) {
		ca(c)
		c.Policies = []x509.OID{must(x509.OIDFromInts([]uint64{1, 2, 3}))}
	})
	leaf := issue(middle, "leaf", 3, func(c *x509.Certificate) {
		c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
		c.Policies = []x509.OID{must(x509.OIDFromInts([]uint64{1, 2, 3}))}
		c.Subject = xpkix.Name{CommonName: "leaf"}
	})
	q := Question{TrustAnchors: ders(root), Intermediates: ders(middle), Certificate: leaf.Raw}
	if a := ask(t, q); a.Verdict != "valid" || len(a.Policies) != 1 || a.Policies[0] != "1.2.3" {
		t.Errorf("%+v", a)
	}
	depth := 0
	for _, c := range []struct {
		name   string
		change func(*Question)
		want   reason.ID
	}{
		{"time", func(q *Question) { late := now.Add(48 * time.Hour); q.Time = &late }, reason.Expired},
		{"max_chain_depth", func(q *Question) { q.MaxChainDepth = &depth }, reason.PathTooLong},
		{"extended_key_usage", func(q *Question) { q.ExtendedKeyUsage = []string{"1.3.6.1.5.5.7.3.1"} }, reason.ExtendedKeyUsageNotAllowed},
		{"policy", func(q *Question) { q.Policy.InitialPolicySet, q.Policy.RequireExplicitPolicy = []string{"1.2.4"}, true }, reason.ExplicitPolicyRequired},
		{"anchors", func(q *Question) { q.TrustAnchors = ders(leaf) }, reason.NoCertificateChainFound},
		{"no_anchors", func(q *Question) { q.TrustAnchors = nil }, reason.NoCertificateChainFound},
	} {
		t.Run(c.name, func(t *testing.T) {
			one := q
			c.change(&one)
			ask(t, one).expect(t, "invalid", "unknown", c.want)
		})
	}
	one := q
	one.Policy.InitialPolicySet, one.Policy.RequireExplicitPolicy = []string{"1.2.3", "1.2.4"}, true
	ask(t, one).expect(t, "valid", "unknown")
	one = q
	one.TrustAnchors, one.Intermediates, one.AnchorsAreTrustedIssuers = ders(issue(nil, "middle", 2, nil)), nil, true // no authority at all
	ask(t, one).expect(t, "valid", "unknown")
	one.AnchorsAreTrustedIssuers = false
	one.Strict = true
	if a := ask(t, one); a.Verdict != "invalid" {
		t.Errorf("%+v", a)
	}
}
