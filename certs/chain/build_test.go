package chain

import (
	"bytes"
	"crypto/x509"
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/tashika-jp/tashika/certs/pkix"
	"github.com/tashika-jp/tashika/certs/reason"
	cb "golang.org/x/crypto/cryptobyte/asn1"
)

func validity(from, to time.Duration) func(*x509.Certificate) {
	return func(c *x509.Certificate) { c.NotBefore, c.NotAfter = now.Add(from), now.Add(to) }
}

func keyUsage(u x509.KeyUsage) func(*x509.Certificate) {
	return func(c *x509.Certificate) { c.KeyUsage = u }
}

func notCA(c *x509.Certificate) { c.BasicConstraintsValid, c.IsCA, c.MaxPathLen = true, false, 0 }

// line issues root, intermediates and leaf, one below the other.
func line(t testing.TB, leaf func(*x509.Certificate), authorities ...func(*x509.Certificate)) world {
	t.Helper()
	var w world
	var above *entity
	for i, change := range authorities {
		above = issue(t, above, string(rune('A'+i)), i, changes(ca, change))
		if i == 0 {
			w.anchors = []*entity{above}
		} else {
			w.untrusted = append(w.untrusted, above)
		}
	}
	w.target = issue(t, above, "leaf", len(authorities), leaf)
	return w
}

// TestPath: RFC 5280 section 6.1, but for names and policies. The first word of a name is what is expected.
func TestPath(t *testing.T) {
	unknown := extension(privateOID, true, []byte{5, 0})
	for _, c := range []struct {
		name        string
		leaf        func(*x509.Certificate)
		authorities []func(*x509.Certificate)
		want        reason.ID
	}{
		{"good_one", nil, []func(*x509.Certificate){nil}, ""},
		{"good_three", nil, []func(*x509.Certificate){nil, nil, nil}, ""},
		{"bad_leaf_expired", validity(-2*time.Hour, -time.Second), []func(*x509.Certificate){nil}, reason.Expired},
		{"good_leaf_last_second", validity(-2*time.Hour, 0), []func(*x509.Certificate){nil}, ""},
		{"good_leaf_first_second", validity(0, time.Hour), []func(*x509.Certificate){nil}, ""},
		{"bad_leaf_early", validity(time.Second, time.Hour), []func(*x509.Certificate){nil}, reason.NotYetValid},
		{"bad_intermediate_expired", nil, []func(*x509.Certificate){nil, validity(-2*time.Hour, -time.Second)}, reason.IssuerNotValidNow},
		{"bad_root_expired", nil, []func(*x509.Certificate){validity(-2*time.Hour, -time.Second)}, reason.IssuerNotValidNow},
		{"bad_root_early", nil, []func(*x509.Certificate){validity(time.Second, time.Hour)}, reason.IssuerNotValidNow},
		{"bad_leaf_critical", unknown, []func(*x509.Certificate){nil}, reason.UnknownCriticalExtension},
		{"bad_intermediate_critical", nil, []func(*x509.Certificate){nil, unknown}, reason.UnknownCriticalExtension},
		{"bad_root_critical", nil, []func(*x509.Certificate){unknown}, reason.UnknownCriticalExtension},
		{"bad_intermediate_no_ca", nil, []func(*x509.Certificate){nil, notCA}, reason.IssuerNotAllowed},
		{"bad_intermediate_no_basic_constraints", nil, []func(*x509.Certificate){nil, func(c *x509.Certificate) { c.BasicConstraintsValid = false }}, reason.IssuerNotAllowed},
		{"bad_intermediate_key_usage", nil, []func(*x509.Certificate){nil, keyUsage(x509.KeyUsageCRLSign)}, reason.IssuerNotAllowed},
		{"good_intermediate_without_key_usage", nil, []func(*x509.Certificate){nil, keyUsage(0)}, ""},
		{"bad_root_key_usage", nil, []func(*x509.Certificate){keyUsage(x509.KeyUsageCRLSign)}, reason.IssuerNotAllowed},
		{"bad_root_no_ca", nil, []func(*x509.Certificate){notCA}, reason.IssuerNotAllowed},
		{"good_root_without_basic_constraints", nil, []func(*x509.Certificate){func(c *x509.Certificate) { c.BasicConstraintsValid = false }}, ""},
		{"good_path_length", nil, []func(*x509.Certificate){pathLen(1), pathLen(0)}, ""},
		{"good_path_length_may_grow", nil, []func(*x509.Certificate){nil, pathLen(1), pathLen(2)}, ""},
		{"bad_path_length", nil, []func(*x509.Certificate){nil, pathLen(0), nil}, reason.PathLengthExceeded},
		{"bad_path_length_of_root", nil, []func(*x509.Certificate){pathLen(0), nil}, reason.PathLengthExceeded},
		{"bad_path_length_from_above", nil, []func(*x509.Certificate){nil, pathLen(1), pathLen(5), nil}, reason.PathLengthExceeded},
		{"good_leaf_is_ca", changes(ca, pathLen(0)), []func(*x509.Certificate){nil, pathLen(0)}, ""},
		{"bad_policy_qualifier", extension("2.5.29.32", true, sequence(sequence(oid(privateOID), sequence(sequence(oid(privateOID), []byte{5, 0}))))),
			[]func(*x509.Certificate){nil}, reason.UnknownCriticalExtension},
		{"good_policy_qualifier_not_critical", extension("2.5.29.32", false, sequence(sequence(oid(privateOID), sequence(sequence(oid(privateOID), []byte{5, 0}))))),
			[]func(*x509.Certificate){nil}, ""},
		{"bad_policy_mapping_of_any", nil, []func(*x509.Certificate){nil, extension("2.5.29.33", true, sequence(sequence(oid("2.5.29.32.0"), oid(privateOID))))}, reason.PolicyMappingInvalid},
		{"bad_policy_required", nil, []func(*x509.Certificate){nil, extension("2.5.29.36", true, sequence(context(0, false, []byte{0})))}, reason.ExplicitPolicyRequired},
	} {
		t.Run(c.name, func(t *testing.T) { line(t, c.leaf, c.authorities...).expect(t, c.want) })
	}
}

// TestPathLengthSelfIssued: RFC 5280 section 6.1.4 (l): self-issued authorities do not count, but against MaxIntermediates.
func TestPathLengthSelfIssued(t *testing.T) {
	root := issue(t, nil, "root", 0, changes(ca, pathLen(1)))
	one := issue(t, root, "one", 1, changes(ca, pathLen(0)))
	again := issue(t, one, "one", 2, ca)
	w := world{target: issue(t, again, "leaf", 3, nil), untrusted: []*entity{one, again}, anchors: []*entity{root}}
	w.expect(t, "")
	w.options.MaxIntermediates = 2
	w.expect(t, "")
	w.options.MaxIntermediates = 1
	w.expect(t, reason.PathTooLong)
}

// TestMaxIntermediatesZero: a bound of 0 is one.
func TestMaxIntermediatesZero(t *testing.T) {
	w := line(t, nil, nil)
	b := NewBuilder(nil, Settings{At: now, Allow: allowed})
	if path, found := b.Build(w.target.Certificate, Options{Anchors: []*Anchor{w.anchors[0].anchor()}}); path == nil {
		t.Error(found)
	}
	w = line(t, nil, nil, nil)
	b = NewBuilder([]*pkix.Certificate{w.untrusted[0].Certificate}, Settings{At: now, Allow: allowed})
	if path, found := b.Build(w.target.Certificate, Options{Anchors: []*Anchor{w.anchors[0].anchor()}}); path != nil || !slices.Contains(found, reason.PathTooLong) {
		t.Error(found)
	}
}

// TestGoesBack: of several candidates for an issuer the first is not always right.
func TestGoesBack(t *testing.T) {
	root := issue(t, nil, "root", 0, ca)
	other := issue(t, nil, "other", 1, ca)
	for _, c := range []struct {
		name  string
		wrong func() []*entity // candidates for "middle" that lead nowhere
	}{
		{"expired", func() []*entity {
			return []*entity{issue(t, root, "middle", 2, changes(ca, validity(-2*time.Hour, -time.Hour)))}
		}},
		{"another_root", func() []*entity { return []*entity{issue(t, other, "middle", 2, ca), other} }},
		{"another_key", func() []*entity {
			return []*entity{issue(t, root, "middle", 3, changes(ca, func(c *x509.Certificate) { c.SubjectKeyId = []byte("key of middle") }))}
		}},
		{"name_constraints", func() []*entity { return []*entity{issue(t, root, "middle", 2, changes(ca, permitDNS("example.org")))} }},
		{"extended_key_usage", func() []*entity {
			return []*entity{issue(t, root, "middle", 2, changes(ca, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning} }))}
		}},
		{"no_authority", func() []*entity { return []*entity{issue(t, root, "middle", 2, notCA)} }},
		{"circle", func() []*entity {
			x := issue(t, nil, "x", 4, ca)
			y := issue(t, x, "middle", 2, ca)
			return []*entity{x, y, issue(t, y, "x", 4, ca)}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			right := issue(t, root, "middle", 2, ca)
			leaf := issue(t, right, "leaf", 5, dns("example.com"))
			w := world{target: leaf, anchors: []*entity{root}, options: Options{ExtendedKeyUsages: []pkix.OID{pkix.MustOID("1.3.6.1.5.5.7.3.1")}}}
			w.untrusted = c.wrong()
			if path, found := w.build(); path != nil || len(found) == 0 {
				t.Fatalf("accepted without the right one: %v", found)
			}
			w.untrusted = append(w.untrusted, right)
			if path := w.expect(t, ""); path.Certificates[0] != right.Certificate {
				t.Error("not by the right one")
			}
			slices.Reverse(w.untrusted)
			w.expect(t, "")
		})
	}
}

// TestAccept: a path that the caller does not accept is given up for another, and what was found of the last is told.
func TestAccept(t *testing.T) {
	root := issue(t, nil, "root", 0, ca)
	first := issue(t, root, "middle", 1, ca)
	second := issue(t, root, "middle", 1, ca)
	var asked []*pkix.Certificate
	w := world{target: issue(t, first, "leaf", 2, nil), untrusted: []*entity{first, second}, anchors: []*entity{root}}
	w.options.Accept = func(p *Path) []reason.ID {
		if asked = append(asked, p.Certificates[0]); len(asked) == 1 {
			return []reason.ID{reason.IssuerRevoked}
		}
		return nil
	}
	if path := w.expect(t, ""); len(asked) != 2 || path.Certificates[0] != asked[1] || asked[0] == asked[1] {
		t.Errorf("%d paths asked", len(asked))
	}
	w.options.Accept = func(*Path) []reason.ID { return []reason.ID{reason.CRLMissing} }
	w.expect(t, reason.CRLMissing)
}

// TestBudget: what grows without bound ends, undecided.
func TestBudget(t *testing.T) {
	root := issue(t, nil, "root", 0, ca)
	var untrusted []*entity
	for range 150 { // all of one name, none of the key that signed
		untrusted = append(untrusted, issue(t, root, "middle", 1, ca))
	}
	leaf := issue(t, &entity{template: issue(t, nil, "middle", 2, ca).template, key: keys()[2]}, "leaf", 3, func(c *x509.Certificate) { c.AuthorityKeyId = nil })
	w := world{target: leaf, untrusted: untrusted, anchors: []*entity{root}}
	w.expect(t, reason.PathBudgetExceeded)
	var mesh []*entity // twelve names that all certify each other: paths without number, none to the root
	for i := range 12 {
		for j := range 12 {
			mesh = append(mesh, issue(t, &entity{template: &x509.Certificate{Subject: name(i)}, key: keys()[i]}, name(j).CommonName, j, ca))
		}
	}
	leaf = issue(t, &entity{template: &x509.Certificate{Subject: name(0)}, key: keys()[0]}, "leaf", 3, nil)
	path, found := world{target: leaf, untrusted: mesh, anchors: []*entity{root}, settings: Settings{Budget: &Budget{Signatures: 1000, Steps: 20_000, Paths: 10}}}.build()
	if path != nil || !slices.Contains(found, reason.PathBudgetExceeded) {
		t.Error(found)
	}
}

// TestAnchors: what an anchor may be, and what it may not.
func TestAnchors(t *testing.T) {
	root := issue(t, nil, "root", 0, ca)
	middle := issue(t, root, "middle", 1, ca)
	leaf := issue(t, middle, "leaf", 2, nil)
	world{target: leaf, anchors: []*entity{middle}}.expect(t, "") // not self-signed
	world{target: leaf, untrusted: []*entity{middle, root}}.expect(t, reason.NoCertificateChainFound)
	world{target: root, anchors: []*entity{root}}.expect(t, "")
	world{target: leaf, anchors: []*entity{leaf}}.expect(t, reason.NoCertificateChainFound)
	impostor := issue(t, nil, "middle", 3, ca)
	world{target: leaf, anchors: []*entity{impostor}}.expect(t, reason.CertificateSignatureInvalid)
	expired := issue(t, nil, "old", 4, changes(ca, validity(-2*time.Hour, -time.Hour), keyUsage(x509.KeyUsageDigitalSignature)))
	w := world{target: issue(t, expired, "leaf", 2, nil), anchors: []*entity{expired}}
	w.expect(t, reason.IssuerNotValidNow)
	w.settings.TrustedIssuers = true
	w.expect(t, "")
	w.target = issue(t, expired, "leaf", 2, validity(-2*time.Hour, -time.Hour))
	w.expect(t, reason.Expired)
	nameless := issue(t, nil, "", 5, ca)
	world{target: issue(t, nameless, "leaf", 2, nil), anchors: []*entity{nameless}}.expect(t, reason.IssuerMissing)
}

// TestProfile: RFC 5280 section 4: accepted, but not by Strict.
func TestProfile(t *testing.T) {
	serial := func(n *big.Int) func(*x509.Certificate) {
		return func(c *x509.Certificate) { c.SerialNumber = n }
	}
	long := new(big.Int).Lsh(big.NewInt(1), 161)
	basicConstraints := func(critical bool, parts ...[]byte) func(*x509.Certificate) {
		return func(c *x509.Certificate) {
			c.BasicConstraintsValid = false
			extension("2.5.29.19", critical, sequence(parts...))(c)
		}
	}
	isTrue := []byte{1, 1, 0xff}
	withoutKeyID := extension("2.5.29.35", false, []byte{0x30, 0})
	empty := func(c *x509.Certificate) { c.RawSubject = []byte{0x30, 0} }
	for _, c := range []struct {
		name              string
		leaf, inter, root func(*x509.Certificate)
		want              reason.ID // of Strict
	}{
		{"good", dns("example.com"), nil, nil, ""},
		{"good_wildcard", dns("*.example.com"), nil, nil, ""},
		{"bad_serial_zero", changes(serial(big.NewInt(0)), extension(privateOID, false, nil)), nil, nil, reason.SerialNumberUnacceptable},
		{"bad_serial_long", serial(long), nil, nil, reason.SerialNumberUnacceptable},
		{"bad_leaf_without_authority_key_id", withoutKeyID, nil, nil, reason.AuthorityKeyIDMissing},
		{"bad_authority_key_id_critical", extension("2.5.29.35", true, sequence(context(0, false, []byte("key")))), nil, nil, reason.ExtensionCriticalityWrong},
		{"bad_subject_key_id_critical", nil, extension("2.5.29.14", true, der(cb.OCTET_STRING, []byte("key"))), nil, reason.ExtensionCriticalityWrong},
		{"bad_intermediate_basic_constraints_not_critical", nil, basicConstraints(false, isTrue), nil, reason.ExtensionCriticalityWrong},
		{"bad_root_basic_constraints_not_critical", nil, nil, basicConstraints(false, isTrue), reason.ExtensionCriticalityWrong},
		{"bad_root_without_basic_constraints", nil, nil, func(c *x509.Certificate) { c.BasicConstraintsValid = false }, reason.ExtensionMissing},
		{"bad_intermediate_without_key_usage", nil, keyUsage(0), nil, reason.ExtensionMissing},
		{"bad_leaf_key_cert_sign", keyUsage(x509.KeyUsageCertSign), nil, nil, reason.ExtensionMisplaced},
		{"bad_leaf_path_length", basicConstraints(true, []byte{2, 1, 0}), nil, nil, reason.ExtensionMisplaced},
		{"bad_leaf_name_constraints", permitDNS("example.com"), nil, nil, reason.ExtensionMisplaced},
		{"bad_name_constraints_not_critical", nil, changes(permitDNS("example.com"), func(c *x509.Certificate) { c.PermittedDNSDomainsCritical = false }), nil, reason.ExtensionCriticalityWrong},
		{"bad_policy_constraints_not_critical", nil, extension("2.5.29.36", false, sequence(context(0, false, []byte{9}))), nil, reason.ExtensionCriticalityWrong},
		{"bad_inhibit_any_policy_not_critical", nil, extension("2.5.29.54", false, []byte{2, 1, 9}), nil, reason.ExtensionCriticalityWrong},
		{"bad_authority_info_access_critical", extension("1.3.6.1.5.5.7.1.1", true, sequence(sequence(oid("1.3.6.1.5.5.7.48.1"), text(6, "http://example.com/")))), nil, nil, reason.ExtensionCriticalityWrong},
		{"bad_key_usage_of_no_bits", extension("2.5.29.15", true, []byte{3, 1, 0}), nil, nil, reason.KeyUsageMismatch},
		{"bad_subject_empty", empty, nil, nil, reason.SubjectMissing},
		{"bad_subject_empty_names_not_critical", changes(empty, altNames(text(2, "example.com"))), nil, nil, reason.SubjectMissing},
		{"good_subject_empty_names_critical", changes(empty, extension("2.5.29.17", true, sequence(text(2, "example.com")))), nil, nil, ""},
		{"bad_no_names", altNames(), nil, nil, reason.SubjectAltNameUnacceptable},
		{"bad_dns_underscore", altNames(text(2, "a_b.example.com")), nil, nil, reason.SubjectAltNameUnacceptable},
		{"bad_dns_is_ip", altNames(text(2, "192.0.2.1")), nil, nil, reason.SubjectAltNameUnacceptable},
		{"bad_dns_space", altNames(text(2, " ")), nil, nil, reason.SubjectAltNameUnacceptable},
		{"bad_ip_of_five_octets", altNames(context(7, false, make([]byte, 5))), nil, nil, reason.SubjectAltNameUnacceptable},
		{"bad_mail", altNames(text(1, "nobody")), nil, nil, reason.SubjectAltNameUnacceptable},
		{"bad_uri_relative", altNames(text(6, "/path")), nil, nil, reason.SubjectAltNameUnacceptable},
		{"bad_leading_period", dns("a.example.com"), constrain([][]byte{text(2, ".example.com")}, nil), nil, reason.NameConstraintsUnacceptable},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := line(t, c.leaf, c.root, c.inter)
			w.expect(t, "")
			w.settings.Strict = true
			w.expect(t, c.want)
		})
	}
}

// TestProfileOfAnchors: RFC 5280 section 4.2.1.1: only the self-signed may leave the authority key identifier out: signed by itself,
// not named after itself.
func TestProfileOfAnchors(t *testing.T) {
	root := issue(t, nil, "root", 0, ca)
	for _, c := range []struct {
		name   string
		key    int // that signs for "root"
		change func(*x509.Certificate)
		want   reason.ID
	}{
		{"good_self_signed", 1, nil, ""},
		{"bad_cross_signed", 0, nil, reason.AuthorityKeyIDMissing},
		{"good_cross_signed_with_identifier", 0, func(c *x509.Certificate) { c.AuthorityKeyId = []byte("key of root") }, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			issuer := &entity{template: &x509.Certificate{Subject: root.template.Subject}, key: keys()[c.key]}
			if c.change != nil {
				issuer.template.SubjectKeyId = []byte("key of root")
			}
			anchor := issue(t, issuer, "middle", 1, ca)
			w := world{target: issue(t, anchor, "leaf", 2, nil), anchors: []*entity{anchor}}
			w.settings.Strict = true
			w.expect(t, c.want)
		})
	}
}

// TestProfileOfRewritten: what crypto/x509 does not issue.
func TestProfileOfRewritten(t *testing.T) {
	root := issue(t, nil, "root", 0, ca)
	middle := issue(t, root, "middle", 1, ca)
	leaf := issue(t, middle, "leaf", 2, nil)
	rewritten := rewrite(t, leaf, middle, func(tbs []byte) []byte {
		utc := func(t time.Time) []byte { return der(cb.UTCTime, []byte(t.Format("060102150405Z"))) }
		generalized := der(cb.GeneralizedTime, []byte(leaf.NotAfter.Format("20060102150405Z")))
		return bytes.Replace(tbs, sequence(utc(leaf.NotBefore), utc(leaf.NotAfter)), sequence(utc(leaf.NotBefore), generalized), 1)
	})
	w := world{target: rewritten, untrusted: []*entity{middle}, anchors: []*entity{root}}
	w.expect(t, "")
	w.settings.Strict = true
	w.expect(t, reason.ValidityEncodingWrong)

	w.target = rewrite(t, leaf, middle, func(tbs []byte) []byte { // version 1 has no extensions
		tbs = bytes.TrimPrefix(tbs, context(0, true, []byte{2, 1, 2}))
		return bytes.TrimSuffix(tbs, context(3, true, leaf.RawExtensions))
	})
	if w.target.Version != 1 {
		t.Fatal("not version 1")
	}
	w.expect(t, reason.VersionNot3)
	w.settings.Strict = false
	w.expect(t, "")

	noKeyID := rewrite(t, middle, root, func(tbs []byte) []byte {
		id := sequence(oid("2.5.29.14"), der(cb.OCTET_STRING, der(cb.OCTET_STRING, middle.SubjectKeyID)))
		extensions := bytes.Replace(middle.RawExtensions[headerSize(middle.RawExtensions):], id, nil, 1)
		return slices.Concat(bytes.TrimSuffix(tbs, context(3, true, middle.RawExtensions)), context(3, true, sequence(extensions)))
	})
	if len(noKeyID.SubjectKeyID) > 0 {
		t.Fatal("still there")
	}
	w = world{target: leaf, untrusted: []*entity{noKeyID}, anchors: []*entity{root}}
	w.expect(t, "")
	w.settings.Strict = true
	w.expect(t, reason.SubjectKeyIDMissing)
	// RFC 5280 section 6.1.4 (k): what has no extensions is no authority.
	v1 := rewrite(t, middle, root, func(tbs []byte) []byte {
		tbs = bytes.TrimPrefix(tbs, context(0, true, []byte{2, 1, 2}))
		return bytes.TrimSuffix(tbs, context(3, true, middle.RawExtensions))
	})
	world{target: leaf, untrusted: []*entity{v1}, anchors: []*entity{root}}.expect(t, reason.IssuerNotAllowed)
}
