package signature

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha1"
	"crypto/x509"
	x509pkix "crypto/x509/pkix"
	"encoding/hex"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tashika-jp/tashika/certs/pkix"
	"github.com/tashika-jp/tashika/certs/reason"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// vector is a message with what a verifier finds in it. The name begins with the expectation.
type vector struct {
	name    string
	m       message
	ber     []byte              // instead of m as built
	content []byte              // presented beside
	beside  []*pkix.Certificate // candidates beside those in the message
	want    []reason.ID
}

func ids(list ...reason.ID) []reason.ID { return list }

func (v *vector) encoded() []byte {
	if v.ber == nil {
		v.ber = v.m.build()
	}
	return v.ber
}

var oidTSTInfo = pkix.MustOID("1.2.840.113549.1.9.16.1.4")

// vectors are the messages that one test each would be too much for.
func vectors(t testing.TB) []*vector {
	rsa, p256, p384 := holders()[0], holders()[1], holders()[2]
	content := []byte("確か, certain")
	by := func(h *holder, a Algorithm, change ...func(*signer)) message {
		s := &signer{holder: h, a: a}
		for _, f := range change {
			f(s)
		}
		return message{content: content, signers: []*signer{s}}
	}
	with := func(more ...[]byte) func(*signer) { return func(s *signer) { s.more = more } }
	plain := by(rsa, PKCS1SHA256)
	digest := der(asn1.OCTET_STRING, digestOf(crypto.SHA256, content))
	typeData, digestAttribute := attr(oidContentType, oid(oidData)), attr(oidMessageDigest, digest)
	only := func(attributes ...[]byte) func(*signer) { return func(s *signer) { s.attributes = attributes } }
	unacceptable := ids(reason.CMSAttributesUnacceptable)
	malformed := ids(reason.CMSFormatFailure)
	utc := func(text string) []byte { return attr(oidSigningTime, der(asn1.UTCTime, []byte(text))) }
	change := func(m message, f func(*message)) message { f(&m); return m }

	// The forms of ESS attributes.
	ess := func(id pkix.OID, parts ...[]byte) []byte {
		return attr(id, sequence(sequence(sequence(parts...))))
	}
	sha1Of, sha256Of := der(asn1.OCTET_STRING, digestOf(crypto.SHA1, rsa.cert.Raw)), der(asn1.OCTET_STRING, digestOf(crypto.SHA256, rsa.cert.Raw))
	issuedBy := func(name, serial []byte) []byte {
		return sequence(sequence(der(explicit(4), name)), der(asn1.INTEGER, serial))
	}
	protection := func(digest, scheme []byte) []byte {
		return attr(oidAlgorithmProtection, sequence(digest, scheme))
	}
	retag := func(raw []byte, tag byte) []byte { out := slices.Clone(raw); out[0] = tag; return out }
	named := retag(identifier(PKCS1SHA256), 0xa1)

	attributesAsContent := der(asn1.SET, sorted(typeData, digestAttribute)...)
	return []*vector{
		{name: "good_rsa", m: plain},
		{name: "good_rsa_sha384", m: by(rsa, PKCS1SHA384)},
		{name: "good_rsa_sha512", m: by(rsa, PKCS1SHA512)},
		{name: "good_pss", m: by(rsa, PSSSHA256)},
		{name: "good_pss_salt_of_its_own", m: by(rsa, Algorithm{RSASSA_PSS, crypto.SHA256, crypto.SHA256, 11})},
		{name: "good_pss_sha512", m: by(rsa, PSSSHA512)},
		{name: "good_p256", m: by(p256, ECDSASHA256)},
		{name: "good_p384", m: by(p384, ECDSASHA384)},
		{name: "good_p256_sha512", m: by(p256, ECDSASHA512)},
		{name: "good_rsaEncryption", m: by(rsa, PKCS1SHA256, func(s *signer) { s.scheme = sequence(oid(oidRSA), null) })},
		{name: "good_rsaEncryption_without_NULL", m: by(rsa, PKCS1SHA256, func(s *signer) { s.scheme = sequence(oid(oidRSA)) })},
		{name: "good_digest_without_NULL", m: by(rsa, PKCS1SHA256, func(s *signer) { s.digest = sequence(hashIdentifier(crypto.SHA256)[2:13]) })},
		{name: "good_key_identifier", m: by(p256, ECDSASHA256, func(s *signer) { s.keyID = true })},
		{name: "good_without_attributes", m: by(rsa, PKCS1SHA256, func(s *signer) { s.bare = true })},
		{name: "good_without_attributes_p384", m: by(p384, ECDSASHA384, func(s *signer) { s.bare = true })},
		{name: "good_detached", m: change(plain, func(m *message) { m.detached = true }), content: content},
		{name: "good_detached_empty", m: change(plain, func(m *message) { m.detached, m.content = true, nil }), content: []byte{}},
		{name: "good_empty_content", m: change(plain, func(m *message) { m.content = nil })},
		{name: "good_presented_twice", m: plain, content: content},
		{name: "good_version_3", m: change(plain, func(m *message) { m.version = integer(3) })},
		{name: "good_version_5", m: change(plain, func(m *message) { m.version = integer(5) })},
		{name: "good_other_content_type", m: change(plain, func(m *message) { m.contentType = oidTSTInfo })},
		{name: "good_three_signers", m: message{content: content, signers: []*signer{
			{holder: rsa, a: PSSSHA256}, {holder: p256, a: ECDSASHA256}, {holder: p384, a: ECDSASHA384, keyID: true}}}},
		{name: "good_one_key_twice", m: message{content: content, signers: []*signer{
			{holder: rsa, a: PKCS1SHA256}, {holder: rsa, a: PKCS1SHA512}}}},
		{name: "good_certificate_beside", m: change(plain, func(m *message) { m.certificates = [][]byte{} }), beside: []*pkix.Certificate{rsa.cert}},
		{name: "good_other_kinds_of_certificate", m: change(plain, func(m *message) {
			m.certificates = [][]byte{der(explicit(1), integer(1)), sequence(), der(explicit(3), integer(1)), rsa.cert.Raw}
		})},
		{name: "good_other_revocation_information", m: change(plain, func(m *message) { m.crls = [][]byte{der(explicit(1), integer(1))} })},
		{name: "good_attributes_in_another_order", m: by(rsa, PKCS1SHA256, with(utc("261124000000Z")), func(s *signer) { s.order = slices.Reverse[[][]byte] })},
		{name: "good_attribute_unknown", m: by(rsa, PKCS1SHA256, with(attr(pkix.MustOID("1.2.3.4"), integer(2), integer(1)), attr(pkix.MustOID("1.2.3.5"))),
			func(s *signer) {
				s.signedOver = attributeSet(content, attr(pkix.MustOID("1.2.3.4"), integer(1), integer(2)), attr(pkix.MustOID("1.2.3.5")))
			})},
		{name: "good_attribute_unknown_twice", m: by(rsa, PKCS1SHA256, with(attr(pkix.MustOID("1.2.3.4"), integer(2)), attr(pkix.MustOID("1.2.3.4"), integer(1))))},
		{name: "good_signing_time", m: by(rsa, PKCS1SHA256, with(utc("261124000000Z")))},
		{name: "good_signing_time_2050", m: by(rsa, PKCS1SHA256, with(attr(oidSigningTime, der(asn1.GeneralizedTime, []byte("20500101000000Z")))))},
		{name: "good_unsigned_attribute", m: by(rsa, PKCS1SHA256, func(s *signer) { s.unsigned = [][]byte{attr(oidCountersignature, integer(1))} })},
		{name: "good_signing_certificate", m: by(rsa, PKCS1SHA256, with(ess(oidSigningCertificate, sha1Of)))},
		{name: "good_signing_certificate_with_issuer", m: by(rsa, PKCS1SHA256,
			with(ess(oidSigningCertificate, sha1Of, issuedBy(rsa.cert.Issuer, rsa.cert.SerialNumber))))},
		{name: "good_signing_certificate_v2", m: by(rsa, PKCS1SHA256, with(ess(oidSigningCertificateV2, sha256Of)))},
		{name: "good_signing_certificate_v2_sha512", m: by(rsa, PKCS1SHA256, with(ess(oidSigningCertificateV2, hashIdentifier(crypto.SHA512),
			der(asn1.OCTET_STRING, digestOf(crypto.SHA512, rsa.cert.Raw)), issuedBy(rsa.cert.Issuer, rsa.cert.SerialNumber))))},
		{name: "good_both_signing_certificates", m: by(rsa, PKCS1SHA256, with(ess(oidSigningCertificate, sha1Of), ess(oidSigningCertificateV2, sha256Of)))},
		{name: "good_algorithm_protection", m: by(rsa, PKCS1SHA256, with(protection(hashIdentifier(crypto.SHA256), named)))},
		{name: "good_algorithm_protection_without_NULL", m: by(rsa, PKCS1SHA256, with(protection(sequence(hashIdentifier(crypto.SHA256)[2:13]), named)))},
		{name: "good_content_begins_like_attributes", m: change(by(rsa, PKCS1SHA256, func(s *signer) { s.bare = true }),
			func(m *message) { m.content = attributesAsContent[:len(attributesAsContent)-1] })},

		{name: "bad_rsa_sha1", m: by(rsa, PKCS1SHA1), want: ids(reason.CryptoConstraintsFailure)},
		{name: "bad_pss_sha1", m: by(rsa, PSSSHA1), want: ids(reason.CryptoConstraintsFailure)},
		{name: "bad_ecdsa_sha1", m: by(p256, ECDSASHA1), want: ids(reason.CryptoConstraintsFailure)},
		{name: "bad_signature", m: by(rsa, PKCS1SHA256, func(s *signer) { s.signature = make([]byte, 256) }), want: ids(reason.SigCryptoFailure)},
		{name: "bad_signature_empty", m: by(rsa, PKCS1SHA256, func(s *signer) { s.signature = []byte{} }), want: ids(reason.SigCryptoFailure)},
		{name: "bad_signature_by_another", m: by(&holder{p256.key, newHolderLike(p256)}, ECDSASHA256), want: ids(reason.SigCryptoFailure)},
		{name: "bad_key_of_another_kind", m: by(p256, ECDSASHA256, func(s *signer) { s.scheme = identifier(PKCS1SHA256) }), want: ids(reason.AlgorithmKeyMismatch)},
		{name: "bad_public_key", m: by(weakHolder(t), ECDSASHA256), want: ids(reason.PublicKeyUnacceptable)},
		{name: "bad_ecPublicKey_as_algorithm", m: by(p256, ECDSASHA256, func(s *signer) { s.scheme = sequence(oid(oidEC)) }), want: ids(reason.CryptoConstraintsFailure)},
		{name: "bad_rsaEncryption_with_parameters", m: by(rsa, PKCS1SHA256, func(s *signer) { s.scheme = sequence(oid(oidRSA), integer(1)) }), want: ids(reason.CryptoConstraintsFailure)},
		{name: "bad_digest_not_of_signature_rsa", m: by(rsa, PKCS1SHA256, func(s *signer) { s.scheme = identifier(PKCS1SHA512) }), want: ids(reason.CryptoConstraintsFailure)},
		{name: "bad_digest_not_of_signature_pss", m: by(rsa, PSSSHA256, func(s *signer) { s.scheme = identifier(PSSSHA512) }), want: ids(reason.CryptoConstraintsFailure)},
		{name: "bad_digest_not_of_signature_ecdsa", m: by(p256, ECDSASHA256, func(s *signer) { s.scheme = identifier(ECDSASHA512) }), want: ids(reason.CryptoConstraintsFailure)},
		{name: "bad_digest_with_parameters", m: by(rsa, PKCS1SHA256, func(s *signer) { s.digest = sequence(hashIdentifier(crypto.SHA256)[2:13], integer(1)) }),
			want: ids(reason.CryptoConstraintsFailure)},
		{name: "bad_pss_without_parameters", m: by(rsa, PSSSHA256, func(s *signer) { s.scheme = sequence(oid(oidRSASSAPSS)) }), want: ids(reason.CryptoConstraintsFailure)},
		{name: "bad_content", m: change(plain, func(m *message) {
			m.encap = sequence(oid(oidData), der(explicit(0), der(asn1.OCTET_STRING, []byte("other"))))
		}),
			want: ids(reason.CMSMessageDigestMismatch)},
		{name: "bad_content_without_attributes", m: change(by(rsa, PKCS1SHA256, func(s *signer) { s.bare = true }),
			func(m *message) {
				m.encap = sequence(oid(oidData), der(explicit(0), der(asn1.OCTET_STRING, []byte("other"))))
			}), want: ids(reason.SigCryptoFailure)},
		{name: "bad_detached_other_content", m: change(plain, func(m *message) { m.detached = true }), content: []byte("other"), want: ids(reason.CMSMessageDigestMismatch)},
		{name: "bad_detached_without_content", m: change(plain, func(m *message) { m.detached = true }), want: ids(reason.CMSContentMissing)},
		{name: "bad_presented_is_other", m: plain, content: []byte("other"), want: ids(reason.CMSContentMismatch)},
		{name: "bad_presented_is_empty", m: plain, content: []byte{}, want: ids(reason.CMSContentMismatch)},
		{name: "bad_no_signer", m: message{content: content, certificates: [][]byte{rsa.cert.Raw}}, want: ids(reason.CMSSignerMissing)},
		{name: "bad_certificate_missing", m: change(plain, func(m *message) { m.certificates = [][]byte{p256.cert.Raw} }), want: ids(reason.CMSSignerCertificateMissing)},
		{name: "bad_certificate_is_BER", m: change(plain, func(m *message) { m.certificates = [][]byte{indefinite(t, rsa.cert.Raw, 1)} }), want: ids(reason.CMSSignerCertificateMissing)},
		{name: "bad_one_of_two_signers", m: message{content: content, signers: []*signer{
			{holder: rsa, a: PKCS1SHA256}, {holder: p256, a: ECDSASHA256, signature: []byte{1}}}}, want: ids(reason.SigCryptoFailure)},
		{name: "bad_signed_over_implicit_tag", m: by(rsa, PKCS1SHA256, func(s *signer) { s.signedOver = retag(attributeSet(content), 0xa0) }), want: ids(reason.SigCryptoFailure)},
		{name: "bad_signed_over_content_with_attributes", m: by(rsa, PKCS1SHA256, func(s *signer) { s.signedOver = content }), want: ids(reason.SigCryptoFailure)},
		{name: "bad_signed_over_attributes_in_another_order", m: by(rsa, PKCS1SHA256, func(s *signer) {
			s.order, s.signedOver = slices.Reverse[[][]byte], der(asn1.SET, sorted(typeData, digestAttribute)[1], sorted(typeData, digestAttribute)[0])
		}), want: ids(reason.SigCryptoFailure)},

		{name: "bad_content_type_missing", m: by(rsa, PKCS1SHA256, only(digestAttribute)), want: unacceptable},
		{name: "bad_message_digest_missing", m: by(rsa, PKCS1SHA256, only(typeData)), want: ids(reason.CMSAttributesUnacceptable, reason.CMSMessageDigestMismatch)},
		{name: "bad_no_attribute_at_all", m: by(rsa, PKCS1SHA256, func(s *signer) { s.attributes = [][]byte{} }), want: ids(reason.CMSAttributesUnacceptable, reason.CMSMessageDigestMismatch)},
		{name: "bad_content_type_other", m: by(rsa, PKCS1SHA256, only(attr(oidContentType, oid(oidTSTInfo)), digestAttribute)), want: unacceptable},
		{name: "bad_content_type_twice", m: by(rsa, PKCS1SHA256, only(typeData, typeData, digestAttribute)), want: unacceptable},
		{name: "bad_content_type_of_two_values", m: by(rsa, PKCS1SHA256, only(attr(oidContentType, oid(oidData), oid(oidData)), digestAttribute)), want: unacceptable},
		{name: "bad_content_type_of_no_value", m: by(rsa, PKCS1SHA256, only(attr(oidContentType), digestAttribute)), want: unacceptable},
		{name: "bad_content_type_not_an_identifier", m: by(rsa, PKCS1SHA256, only(attr(oidContentType, integer(1)), digestAttribute)), want: unacceptable},
		{name: "bad_message_digest_twice", m: by(rsa, PKCS1SHA256, only(typeData, digestAttribute, digestAttribute)), want: ids(reason.CMSAttributesUnacceptable, reason.CMSMessageDigestMismatch)},
		{name: "bad_message_digest_of_two_values", m: by(rsa, PKCS1SHA256, only(typeData, attr(oidMessageDigest, digest, digest))), want: ids(reason.CMSAttributesUnacceptable, reason.CMSMessageDigestMismatch)},
		{name: "bad_message_digest_not_octets", m: by(rsa, PKCS1SHA256, only(typeData, attr(oidMessageDigest, integer(1)))), want: ids(reason.CMSAttributesUnacceptable, reason.CMSMessageDigestMismatch)},
		{name: "bad_message_digest_short", m: by(rsa, PKCS1SHA256, only(typeData, attr(oidMessageDigest, der(asn1.OCTET_STRING, digest[2:33])))), want: ids(reason.CMSMessageDigestMismatch)},
		{name: "bad_message_digest_empty", m: by(rsa, PKCS1SHA256, only(typeData, attr(oidMessageDigest, der(asn1.OCTET_STRING)))), want: ids(reason.CMSMessageDigestMismatch)},
		{name: "bad_message_digest_of_another_hash", m: by(rsa, PKCS1SHA256, only(typeData, attr(oidMessageDigest, der(asn1.OCTET_STRING, digestOf(crypto.SHA512, content))))),
			want: ids(reason.CMSMessageDigestMismatch)},
		{name: "bad_signing_time_twice", m: by(rsa, PKCS1SHA256, with(utc("261124000000Z"), utc("261125000000Z"))), want: unacceptable},
		{name: "bad_signing_time_without_seconds", m: by(rsa, PKCS1SHA256, with(utc("2611240000Z"))), want: unacceptable},
		{name: "bad_signing_time_not_a_time", m: by(rsa, PKCS1SHA256, with(attr(oidSigningTime, integer(1)))), want: unacceptable},
		{name: "bad_countersignature_is_signed", m: by(rsa, PKCS1SHA256, with(attr(oidCountersignature, integer(1)))), want: unacceptable},
		{name: "bad_other_content_type_without_attributes", m: change(by(rsa, PKCS1SHA256, func(s *signer) { s.bare = true }),
			func(m *message) { m.contentType = oidTSTInfo }), want: unacceptable},
		{name: "bad_signing_certificate_other", m: by(p256, ECDSASHA256, with(ess(oidSigningCertificate, sha1Of))), want: unacceptable},
		{name: "bad_signing_certificate_v2_other", m: by(p256, ECDSASHA256, with(ess(oidSigningCertificateV2, sha256Of))), want: unacceptable},
		{name: "bad_signing_certificate_v2_other_first", m: by(rsa, PKCS1SHA256, with(attr(oidSigningCertificateV2, sequence(sequence(
			sequence(der(asn1.OCTET_STRING, digestOf(crypto.SHA256, p256.cert.Raw))), sequence(sha256Of)))))), want: unacceptable},
		{name: "bad_signing_certificate_v2_of_another_hash", m: by(rsa, PKCS1SHA256, with(ess(oidSigningCertificateV2, sha1Of))), want: unacceptable},
		{name: "bad_signing_certificate_v2_unknown_hash", m: by(rsa, PKCS1SHA256, with(ess(oidSigningCertificateV2, sequence(oid(oidData)), sha256Of))), want: unacceptable},
		{name: "bad_signing_certificate_issuer", m: by(rsa, PKCS1SHA256, with(ess(oidSigningCertificate, sha1Of, issuedBy(sequence(), rsa.cert.SerialNumber)))), want: unacceptable},
		{name: "bad_signing_certificate_serial_number", m: by(rsa, PKCS1SHA256, with(ess(oidSigningCertificate, sha1Of, issuedBy(rsa.cert.Issuer, []byte{9})))), want: unacceptable},
		{name: "bad_signing_certificate_empty", m: by(rsa, PKCS1SHA256, with(attr(oidSigningCertificate, sequence(sequence())))), want: unacceptable},
		{name: "bad_signing_certificate_twice", m: by(rsa, PKCS1SHA256, with(ess(oidSigningCertificate, sha1Of), ess(oidSigningCertificate, sha1Of))), want: unacceptable},
		{name: "bad_algorithm_protection_digest", m: by(rsa, PKCS1SHA256, with(protection(hashIdentifier(crypto.SHA512), named))), want: unacceptable},
		{name: "bad_algorithm_protection_signature", m: by(rsa, PKCS1SHA256, with(protection(hashIdentifier(crypto.SHA256), retag(identifier(PKCS1SHA512), 0xa1)))), want: unacceptable},
		{name: "bad_algorithm_protection_of_a_MAC", m: by(rsa, PKCS1SHA256, with(protection(hashIdentifier(crypto.SHA256), retag(identifier(PKCS1SHA256), 0xa2)))), want: unacceptable},
		{name: "bad_algorithm_protection_signature_missing", m: by(rsa, PKCS1SHA256, with(attr(oidAlgorithmProtection, sequence(hashIdentifier(crypto.SHA256))))), want: unacceptable},
		{name: "bad_attributes_as_content", m: change(by(rsa, PKCS1SHA256, func(s *signer) { s.bare = true }),
			func(m *message) { m.content = attributesAsContent }), want: unacceptable},

		{name: "bad_version_0", m: change(plain, func(m *message) { m.version = integer(0) }), want: malformed},
		{name: "bad_version_6", m: change(plain, func(m *message) { m.version = integer(6) }), want: malformed},
		{name: "bad_version_negative", m: change(plain, func(m *message) { m.version = integer(-1) }), want: malformed},
		{name: "bad_signer_version_3_with_issuer", m: by(rsa, PKCS1SHA256, func(s *signer) { s.version = integer(3) }), want: malformed},
		{name: "bad_signer_version_1_with_key_identifier", m: by(rsa, PKCS1SHA256, func(s *signer) { s.keyID, s.version = true, integer(1) }), want: malformed},
		{name: "bad_signer_version_2", m: by(rsa, PKCS1SHA256, func(s *signer) { s.version = integer(2) }), want: malformed},
		{name: "bad_signer_identifier_empty", m: by(rsa, PKCS1SHA256, func(s *signer) { s.sid = sequence() }), want: malformed},
		{name: "bad_digest_not_in_digestAlgorithms", m: change(plain, func(m *message) { m.digests = der(asn1.SET, hashIdentifier(crypto.SHA512)) }), want: malformed},
		{name: "bad_digestAlgorithms_a_SEQUENCE", m: change(plain, func(m *message) { m.digests = sequence(hashIdentifier(crypto.SHA256)) }), want: malformed},
		{name: "bad_content_not_octets", m: change(plain, func(m *message) { m.encap = sequence(oid(oidData), der(explicit(0), integer(1))) }), want: malformed},
		{name: "bad_content_twice", m: change(plain, func(m *message) {
			m.encap = sequence(oid(oidData), der(explicit(0), der(asn1.OCTET_STRING, content), der(asn1.OCTET_STRING, content)))
		}), want: malformed},
		{name: "bad_unsigned_message_digest", m: by(rsa, PKCS1SHA256, func(s *signer) { s.unsigned = [][]byte{digestAttribute} }), want: malformed},
		{name: "bad_unsigned_attribute_malformed", m: by(rsa, PKCS1SHA256, func(s *signer) { s.unsigned = [][]byte{integer(1)} }), want: malformed},
		{name: "bad_seventeen_signers", m: message{content: content, signers: slices.Repeat([]*signer{{holder: p256, a: ECDSASHA256, signature: []byte{1}}}, 17)}, want: malformed},
		{name: "bad_sixtyfive_certificates", m: change(plain, func(m *message) { m.certificates = slices.Repeat([][]byte{rsa.cert.Raw}, 65) }), want: malformed},
		{name: "bad_sixtyfive_attributes", m: by(rsa, PKCS1SHA256, with(slices.Repeat([][]byte{attr(pkix.MustOID("1.2.3.4"), integer(1))}, 63)...)), want: malformed},
		{name: "bad_not_SignedData", ber: sequence(oid(oidData), der(explicit(0), der(asn1.OCTET_STRING, content))), want: malformed},
		{name: "bad_trailing_octet", ber: append(plain.build(), 0), want: malformed},
		{name: "bad_empty", ber: []byte{}, want: malformed},
	}
}

func sorted(elements ...[]byte) [][]byte {
	slices.SortFunc(elements, bytes.Compare)
	return elements
}

// attributeSet is what is signed: content type and message digest by SHA-256 with others.
func attributeSet(content []byte, more ...[]byte) []byte {
	return der(asn1.SET, sorted(append(more, attr(oidContentType, oid(oidData)),
		attr(oidMessageDigest, der(asn1.OCTET_STRING, digestOf(crypto.SHA256, content))))...)...)
}

// newHolderLike is the certificate of another key under the issuer and number of a holder's.
func newHolderLike(h *holder) *pkix.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return newHolder(key, int64(h.cert.SerialNumber[0])).cert
}

// weakHolder has a key of a curve that is not used.
func weakHolder(t testing.TB) *holder {
	key, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return newHolder(key, 0x54)
}

// TestVectors judges each message as DER, and again with indefinite lengths throughout: the verdict is the same.
func TestVectors(t *testing.T) {
	for _, v := range vectors(t) {
		t.Run(v.name, func(t *testing.T) {
			if strings.HasPrefix(v.name, "good_") != (v.want == nil) || !strings.HasPrefix(v.name, "good_") && !strings.HasPrefix(v.name, "bad_") {
				t.Fatal("the name does not say what is expected")
			}
			ber := v.encoded()
			if got := judge(ber, v.content, v.beside...); !slices.Equal(got, v.want) {
				_, err := ParseCMS(ber)
				t.Errorf("found %v, want %v (%v)", got, v.want, err)
			}
			if v.name == "bad_trailing_octet" || len(ber) == 0 {
				return
			}
			if got := judge(berOf(t, ber), v.content, v.beside...); !slices.Equal(got, v.want) {
				t.Errorf("as BER found %v, want %v", got, v.want)
			}
		})
	}
}

// berOf makes all lengths of a message indefinite, those in certificates aside.
func berOf(t testing.TB, in []byte) []byte {
	r := &berReader{nodes: maxBERNodes}
	info, err := r.only(in, asn1.SEQUENCE)
	if err != nil {
		t.Fatal(err)
	}
	_, _, id, _ := r.element(&info)
	content, err := r.only(info, explicit(0))
	if err != nil {
		t.Fatal(err)
	}
	body, err := r.only(content, asn1.SEQUENCE)
	if err != nil { // no SignedData
		return indefinite(t, in, maxBERDepth)
	}
	var parts [][]byte
	for len(body) > 0 {
		tag, _, raw, err := r.element(&body)
		if err != nil {
			t.Fatal(err)
		}
		depth := maxBERDepth
		if tag == explicit(0) || tag == explicit(1) {
			depth = 1
		}
		parts = append(parts, indefinite(t, raw, depth))
	}
	eoc := []byte{0, 0}
	return slices.Concat([]byte{0x30, 0x80}, id, []byte{0xa0, 0x80, 0x30, 0x80}, slices.Concat(parts...), eoc, eoc, eoc)
}

// TestParsed looks at what a message says.
func TestParsed(t *testing.T) {
	rsa, p256 := holders()[0], holders()[1]
	list := sequence(integer(1))
	m := message{content: []byte("m"), crls: [][]byte{list, der(explicit(1), integer(1))}, signers: []*signer{
		{holder: rsa, a: PKCS1SHA256, more: [][]byte{attr(oidSigningTime, der(asn1.UTCTime, []byte("261124010203Z")))}},
		{holder: p256, a: ECDSASHA384, keyID: true},
	}}
	d, err := ParseCMS(m.build())
	if err != nil {
		t.Fatal(err)
	}
	if d.ContentType != oidData || string(d.Content) != "m" || d.Detached || len(d.Certificates) != 2 || len(d.CRLs) != 1 ||
		!bytes.Equal(d.CRLs[0], list) || len(d.Signers) != 2 {
		t.Errorf("%+v", d)
	}
	if !bytes.Equal(d.Certificates[0].Raw, rsa.cert.Raw) {
		t.Error("the certificate is not byte by byte as it was")
	}
	first, second := d.Signers[0], d.Signers[1]
	if !first.Issuer.Equal(rsa.cert.Issuer) || first.SubjectKeyID != nil || !bytes.Equal(second.SubjectKeyID, p256.cert.SubjectKeyID) || second.Issuer != nil {
		t.Errorf("%+v %+v", first, second)
	}
	if want := time.Date(2026, 11, 24, 1, 2, 3, 0, time.UTC); !first.SigningTime.Equal(want) || !second.SigningTime.IsZero() {
		t.Error(first.SigningTime, second.SigningTime)
	}
	if a, err := second.Algorithm(); a != ECDSASHA384 || err != nil {
		t.Error(a, err)
	}
	if first.FindCertificate(d.Certificates) != d.Certificates[0] || second.FindCertificate(d.Certificates) != d.Certificates[1] || first.FindCertificate(nil) != nil {
		t.Error("the wrong certificate was found")
	}
}

// TestFindCertificateWithoutKeyIdentifier: a certificate without the extension is found by what it would be.
func TestFindCertificateWithoutKeyIdentifier(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: x509pkix.Name{CommonName: "a"}}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := pkix.ParseCertificate(raw)
	if err != nil || c.SubjectKeyID != nil {
		t.Fatal(err, "or it has an identifier")
	}
	id := sha1.Sum(c.PublicKey)
	if (&Signer{SubjectKeyID: id[:]}).FindCertificate([]*pkix.Certificate{holders()[0].cert, c}) != c {
		t.Error("not found")
	}
	if (&Signer{SubjectKeyID: id[1:]}).FindCertificate([]*pkix.Certificate{c}) != nil {
		t.Error("found by another identifier")
	}
	// A name is compared by RFC 5280 section 7.1, not by its octets.
	upper := pkix.Name(bytes.Replace(bytes.Clone(c.Issuer), []byte{1, 'a'}, []byte{1, 'A'}, 1))
	if bytes.Equal(upper, c.Issuer) || (&Signer{Issuer: upper, SerialNumber: []byte{1}}).FindCertificate([]*pkix.Certificate{c}) != c {
		t.Error("not found by its name in other letters")
	}
}

// TestTrapAttributesAsContent: draft-ietf-lamps-cms-euf-cma-signeddata: who has a message with signed attributes
// can make one without, whose content is those attributes and whose signature is true; and who gets a content
// signed without attributes can make a message of any content.
func TestTrapAttributesAsContent(t *testing.T) {
	h := holders()[0]
	m := message{content: []byte("pay 1 yen"), signers: []*signer{{holder: h, a: PKCS1SHA256}}}
	d, err := ParseCMS(m.build())
	if err != nil {
		t.Fatal(err)
	}
	signed, found := d.Check(d.Signers[0], h.cert, nil)
	if found != nil {
		t.Fatal(found)
	}
	forged := message{content: signed.Message, signers: []*signer{{holder: h, a: PKCS1SHA256, bare: true, signature: signed.Signature}}}
	d, err = ParseCMS(forged.build())
	if err != nil {
		t.Fatal(err)
	}
	again, found := d.Check(d.Signers[0], h.cert, nil)
	if publicKey(t, h.key.Public()).Verify(again.Algorithm, again.Message, again.Signature) != nil {
		t.Fatal("the signature is not true any more: this trap is gone")
	}
	if !slices.Equal(found, ids(reason.CMSAttributesUnacceptable)) {
		t.Errorf("the forged message: found %v", found)
	}
}

// TestSegments: eContent in pieces is one content, whatever the pieces are.
func TestSegments(t *testing.T) {
	content := bytes.Repeat([]byte("segment "), 100)
	for _, size := range []int{1, 7, 100, len(content)} {
		for name, encoded := range map[string][]byte{
			"definite": segments(content, size), "indefinite": indefinite(t, segments(content, size), 1),
			"nested": der(asn1.OCTET_STRING|berConstructed, segments(content[:300], size), segments(nil, 1), segments(content[300:], size)),
		} {
			m := message{content: content, encap: sequence(oid(oidData), der(explicit(0), encoded)), signers: []*signer{{holder: holders()[1], a: ECDSASHA256}}}
			ber := m.build()
			if got := judge(ber, content); got != nil {
				t.Errorf("%s in pieces of %d: %v", name, size, got)
			}
			d, err := ParseCMS(ber)
			if err != nil || !bytes.Equal(d.Content, content) {
				t.Errorf("%s in pieces of %d: content %q, %v", name, size, d.Content, err)
			}
		}
	}
	for name, encoded := range map[string][]byte{
		"a segment of another type": der(asn1.OCTET_STRING|berConstructed, integer(1)),
		"a segment cut short":       {0x24, 3, 4, 2, 1},
		"without an end":            {0x24, 0x80, 4, 1, 1},
	} {
		m := message{content: content, encap: sequence(oid(oidData), der(explicit(0), encoded)), signers: []*signer{{holder: holders()[1], a: ECDSASHA256}}}
		if got := judge(m.build(), nil); !slices.Equal(got, ids(reason.CMSFormatFailure)) {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestEveryTruncationOfCMSIsRefused: nothing is read that is not there.
func TestEveryTruncationOfCMSIsRefused(t *testing.T) {
	m := message{content: []byte("m"), signers: []*signer{{holder: holders()[1], a: ECDSASHA256}}}
	for _, ber := range [][]byte{m.build(), berOf(t, m.build())} {
		for n := range ber {
			if _, err := ParseCMS(ber[:n:n]); err == nil {
				t.Fatalf("accepted when cut to %d of %d: %s", n, len(ber), hex.EncodeToString(ber[:n]))
			}
		}
	}
}
