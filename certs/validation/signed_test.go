package validation

import (
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"testing"

	"github.com/tashika-jp/tashika/certs/pkix"
	"github.com/tashika-jp/tashika/certs/reason"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// element is a DER element of parts, one after the other.
func element(tag asn1.Tag, parts ...[]byte) []byte {
	var b cryptobyte.Builder
	b.AddASN1(tag, func(b *cryptobyte.Builder) {
		for _, p := range parts {
			b.AddBytes(p)
		}
	})
	return b.BytesOrPanic()
}

func sequence(parts ...[]byte) []byte { return element(asn1.SEQUENCE, parts...) }
func set(parts ...[]byte) []byte      { return element(asn1.SET, parts...) }
func tagged(n int, parts ...[]byte) []byte {
	return element(asn1.Tag(n).ContextSpecific().Constructed(), parts...)
}
func octets(b []byte) []byte   { return element(asn1.OCTET_STRING, b) }
func small(n byte) []byte      { return element(asn1.INTEGER, []byte{n}) }
func oid(dotted string) []byte { return element(asn1.OBJECT_IDENTIFIER, []byte(pkix.MustOID(dotted))) }

const (
	data       = "1.2.840.113549.1.7.1"
	signedData = "1.2.840.113549.1.7.2"
	sha256OID  = "2.16.840.1.101.3.4.2.1"
)

// cms is a SignedData over a content with signed attributes.
type cms struct {
	content  []byte
	detached bool
	certs    [][]byte
	crls     [][]byte
	signers  []*entity
}

func (m cms) build() *[]byte {
	digest := sha256.Sum256(m.content)
	attributes := [][]byte{
		sequence(oid("1.2.840.113549.1.9.3"), set(oid(data))),
		sequence(oid("1.2.840.113549.1.9.4"), set(octets(digest[:]))),
	}
	var signers [][]byte
	for _, s := range m.signers {
		signed := sha256.Sum256(set(attributes...))
		signers = append(signers, sequence(small(1), sequence(s.RawIssuer, small(byte(s.SerialNumber.Int64()))), sequence(oid(sha256OID)),
			tagged(0, attributes...), sequence(oid("1.2.840.10045.4.3.2")), octets(must(s.key.Sign(nil, signed[:], crypto.SHA256)))))
	}
	encapsulated := [][]byte{oid(data)}
	if !m.detached {
		encapsulated = append(encapsulated, tagged(0, octets(m.content)))
	}
	parts := [][]byte{small(1), set(sequence(oid(sha256OID))), sequence(encapsulated...)}
	if m.certs != nil {
		parts = append(parts, tagged(0, m.certs...))
	}
	if m.crls != nil {
		parts = append(parts, tagged(1, m.crls...))
	}
	out := sequence(oid(signedData), tagged(0, sequence(append(parts, set(signers...))...)))
	return &out
}

// TestCMS: whose certificate is believed, and whose signature counts. The first word of a name is what is expected.
func TestCMS(t *testing.T) {
	root := issue(nil, "root", 1, ca)
	middle := issue(root, "middle", 2, ca)
	signer := issue(middle, "signer", 3, nil)
	other := issue(middle, "other", 4, nil)
	expired := issue(middle, "expired", 5, func(c *x509.Certificate) { c.NotAfter = now })
	stranger := issue(nil, "stranger", 6, nil)
	decoy := issue(middle, "decoy", 7, func(c *x509.Certificate) { c.SerialNumber.SetInt64(3) }) // says that it is the signer's
	cipher := issue(middle, "cipher", 9, func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyEncipherment })
	content := []byte("the content of a transaction")
	changed := []byte("the content of another")
	late := now.Add(1e9)
	inside := func(m cms) cms { m.content, m.certs = content, ders(signer, middle, root); return m }
	for _, c := range []struct {
		name            string
		q               Question
		verdict, status string
		reasons         []reason.ID
	}{
		{"valid", Question{CMS: inside(cms{signers: []*entity{signer}}).build()}, "valid", "unknown", nil},
		{"valid_content_given_too", Question{CMS: inside(cms{signers: []*entity{signer}}).build(), Content: &content}, "valid", "unknown", nil},
		{"invalid_other_content_given", Question{CMS: inside(cms{signers: []*entity{signer}}).build(), Content: &changed}, "invalid", "unknown", []reason.ID{reason.CMSContentMismatch}},
		{"valid_detached", Question{CMS: inside(cms{detached: true, signers: []*entity{signer}}).build(), Content: &content}, "valid", "unknown", nil},
		{"invalid_detached_changed", Question{CMS: inside(cms{detached: true, signers: []*entity{signer}}).build(), Content: &changed}, "invalid", "unknown", []reason.ID{reason.CMSMessageDigestMismatch}},
		{"invalid_detached_alone", Question{CMS: inside(cms{detached: true, signers: []*entity{signer}}).build()}, "invalid", "unknown", []reason.ID{reason.CMSContentMissing}},
		{"valid_certificates_beside", Question{CMS: cms{content: content, signers: []*entity{signer}}.build(), Intermediates: ders(middle, signer)}, "valid", "unknown", nil},
		{"valid_certificate_given", Question{CMS: cms{content: content, signers: []*entity{signer}}.build(), Intermediates: ders(middle), Certificate: signer.Raw}, "valid", "unknown", nil},
		{"invalid_another_certificate_given", Question{CMS: inside(cms{signers: []*entity{signer}}).build(), Certificate: other.Raw}, "invalid", "unknown", []reason.ID{reason.CMSSignerCertificateMissing}},
		{"invalid_without_certificate", Question{CMS: cms{content: content, signers: []*entity{signer}}.build()}, "invalid", "unknown", []reason.ID{reason.CMSSignerCertificateMissing}},
		{"invalid_without_signer", Question{CMS: inside(cms{}).build()}, "invalid", "unknown", []reason.ID{reason.CMSSignerMissing}},
		{"invalid_anchor_inside_is_none", Question{TrustAnchors: ders(stranger), CMS: inside(cms{signers: []*entity{signer}}).build()}, "invalid", "unknown", []reason.ID{reason.NoCertificateChainFound}},
		{"valid_both", Question{CMS: cms{content: content, certs: ders(signer, other, middle), signers: []*entity{signer, other}}.build()}, "valid", "unknown", nil},
		{"invalid_one_of_two", Question{CMS: cms{content: content, certs: ders(signer, expired, middle), signers: []*entity{signer, expired}}.build(), Time: &late}, "invalid", "unknown", []reason.ID{reason.Expired}},
		{"invalid_for_encipherment", Question{CMS: cms{content: content, certs: ders(cipher, middle), signers: []*entity{cipher}}.build()}, "invalid", "unknown", []reason.ID{reason.KeyUsageMismatch}},
		{"invalid_stranger", Question{CMS: cms{content: content, certs: ders(stranger), signers: []*entity{stranger}}.build()}, "invalid", "unknown", []reason.ID{reason.NoCertificateChainFound}},
		{"valid_decoy_before", Question{CMS: cms{content: content, certs: ders(decoy, signer, middle), signers: []*entity{signer}}.build()}, "valid", "unknown", nil},
		{"invalid_decoy_alone", Question{CMS: cms{content: content, certs: ders(decoy, middle), signers: []*entity{signer}}.build()}, "invalid", "unknown", []reason.ID{reason.SigCryptoFailure}},
		{"valid_lists_inside", Question{Revocation: "crl", CMS: cms{content: content, certs: ders(signer, middle), crls: [][]byte{list(root, 1, nil, nil), list(middle, 1, nil, nil)}, signers: []*entity{signer}}.build()}, "valid", "good", nil},
		{"invalid_revoked_by_list_inside", Question{Revocation: "crl", CMS: cms{content: content, certs: ders(signer, middle), crls: [][]byte{list(root, 1, nil, nil), list(middle, 1, map[int64]int{3: 1}, nil)}, signers: []*entity{signer}}.build()}, "invalid", "revoked", []reason.ID{reason.Revoked}},
		{"indeterminate_forged_list_inside", Question{Revocation: "crl", Scope: "leaf", CMS: cms{content: content, certs: ders(signer, middle), crls: [][]byte{list(issue(nil, "middle", 8, ca), 1, nil, nil)}, signers: []*entity{signer}}.build()}, "indeterminate", "unknown", []reason.ID{reason.CRLSignerUnconfirmed}},
		{"malformed_cut", Question{CMS: cut(inside(cms{signers: []*entity{signer}}).build())}, "malformed", "unknown", []reason.ID{reason.CMSFormatFailure}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.q.TrustAnchors == nil {
				c.q.TrustAnchors = ders(root)
			}
			ask(t, c.q).expect(t, c.verdict, c.status, c.reasons...)
		})
	}
	// Without anchors there is the signature alone, and it is said so.
	ask(t, Question{CMS: inside(cms{signers: []*entity{signer}}).build()}).expect(t, "valid", "unknown", reason.SignerNotValidated)
	ask(t, Question{CMS: cms{content: content, certs: ders(decoy), signers: []*entity{signer}}.build()}).
		expect(t, "invalid", "unknown", reason.SigCryptoFailure, reason.SignerNotValidated)
	// An empty list of anchors is one: nobody is trusted.
	ask(t, Question{TrustAnchors: [][]byte{}, CMS: inside(cms{signers: []*entity{signer}}).build()}).expect(t, "invalid", "unknown", reason.NoCertificateChainFound)
}

func cut(b *[]byte) *[]byte {
	short := (*b)[:len(*b)-1]
	return &short
}
