package signature

import (
	"bytes"
	"encoding/pem"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tashika-jp/tashika/certs/pkix"
	"github.com/tashika-jp/tashika/certs/reason"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// dispute is a message on which openssl cms -verify -noverify and we do not agree.
type dispute struct {
	*vector
	d     *SignedData // nil if we could not read it
	err   string      // why we could not
	found []reason.ID
	text  string // what openssl says
}

// refused are the classes of what we refuse and openssl accepts.
var refused = []struct {
	name, why string
	applies   func(*dispute) bool
}{
	{"versions", "RFC 5652 sections 5.1, 5.3 give the versions; openssl reads any number", func(d *dispute) bool {
		return strings.Contains(d.err, "version")
	}},
	{"trailing octets", "openssl reads the first element of a file and leaves the rest", func(d *dispute) bool {
		r := &berReader{nodes: maxBERNodes}
		rest := d.ber
		_, _, _, err := r.element(&rest)
		return err == nil && len(rest) > 0 && d.d == nil
	}},
	{"other BER", "tag numbers above 30, strings in segments that are not OCTET STRINGs, primitive types that are constructed: X.690 forbids all but the first, " +
		"which nothing in CMS has; openssl does not look inside what it takes for ANY", func(d *dispute) bool {
		_, err := toDER(d.ber)
		return d.d == nil && err != nil
	}},
	{"sets without the constructed bit", "X.690 section 8.12.1: a SET OF is constructed; openssl does not look at that bit of an implicit tag", func(d *dispute) bool {
		rest := d.afterContent()
		return strings.Contains(d.err, "signerInfos") && len(rest) > 0 && (rest[0] == 0x80 || rest[0] == 0x81)
	}},
	{"digest algorithm", "RFC 5652 section 5.1: digestAlgorithm is one of digestAlgorithms; openssl 3.0 takes an identifier that it does not know for any of them", func(d *dispute) bool {
		return strings.Contains(d.err, "digestAlgorithms lacks")
	}},
	{"DER in what is read", "RFC 5652 sections 5.3, 10.1 want DER in signed attributes and algorithms; openssl reads an INTEGER with octets too many and the like", func(d *dispute) bool {
		return strings.Contains(d.err, "malformed version") || strings.Contains(d.err, "SignerInfo: malformed serialNumber")
	}},
	{"bounds", "openssl has none on how many there are", func(d *dispute) bool {
		return strings.Contains(d.err, "too many") && !strings.Contains(d.err, "malformed")
	}},
	{"weak hashes and other algorithms", "SHA-1 and SHA-224 are on no list; openssl -noverify asks nothing of a hash", func(d *dispute) bool {
		return d.anySigner(func(s *Signer) bool {
			a, err := s.Algorithm()
			_, digestErr := hashFromIdentifier(s.DigestAlgorithm)
			return d.has(reason.CryptoConstraintsFailure) && (err == nil && !AllSHA2().Allows(a) || digestErr != nil)
		})
	}},
	{"signature algorithm", "RFC 5754 section 3, RFC 3370 section 3.2: it names the hash, and has the parameters that belong to it; openssl takes the hash from " +
		"digestAlgorithm and the scheme from the key", func(d *dispute) bool {
		return d.anySigner(func(s *Signer) bool {
			_, err := s.Algorithm()
			return d.has(reason.CryptoConstraintsFailure) && err != nil || d.has(reason.AlgorithmKeyMismatch)
		})
	}},
	{"public key", "P-224 is no curve of this package; RFC 3279 section 2.3.1 wants NULL in the key's algorithm, openssl takes anything", func(d *dispute) bool {
		return d.has(reason.PublicKeyUnacceptable)
	}},
	{"unreadable certificate", "the signer's certificate is not DER, or not one of RFC 5280; openssl reads it as BER", func(d *dispute) bool {
		return d.has(reason.CMSSignerCertificateMissing) && d.unreadable()
	}},
	{"attributes that nobody asked for", "openssl reads the ESS attributes only with -cades, and CMSAlgorithmProtection and the form of a signing time never", func(d *dispute) bool {
		return d.has(reason.CMSAttributesUnacceptable) && d.anySigner(func(s *Signer) bool {
			return slices.ContainsFunc([]pkix.OID{oidSigningCertificate, oidSigningCertificateV2, oidAlgorithmProtection, oidSigningTime}, s.attributes.has)
		})
	}},
	{"message without attributes", "RFC 5652 section 5.3 demands them unless the content is id-data, and content that reads as attributes is a forgery; openssl asks for neither", func(d *dispute) bool {
		return d.has(reason.CMSAttributesUnacceptable) && d.anySigner(func(s *Signer) bool {
			return s.message == nil && (d.d.ContentType != oidData || readsAsAttributes(d.d.Content))
		})
	}},
	{"attributes not in DER", "RFC 5652 section 5.4: the signature is over the DER encoding, whose SET OF is in order; openssl verifies the order that it got, " +
		"and values as it got them", func(d *dispute) bool {
		return d.has(reason.SigCryptoFailure) && d.reencoded()
	}},
	{"content type", "RFC 5652 section 11.1: the attribute MUST match eContentType; openssl looks whether it is there", func(d *dispute) bool {
		return d.has(reason.CMSAttributesUnacceptable) && d.anySigner(func(s *Signer) bool {
			return s.attributes.has(oidContentType) && !bytes.HasSuffix(s.attributes.value(oidContentType), []byte(d.d.ContentType))
		})
	}},
}

// accepted are the classes of what we accept and openssl refuses.
var accepted = []struct {
	name, why string
	applies   func(*dispute) bool
}{
	{"attributes not in DER", "the same as above: what was signed is the DER encoding, however the message has it", (*dispute).reencoded},
	{"certificates and lists that nobody needs", "RFC 5652 section 10.2: other kinds, and what cannot be read, are passed over here; openssl gives up the whole message", func(d *dispute) bool {
		return strings.Contains(d.text, "Error reading SMIME Content Info") && (d.unreadable() || len(d.d.CRLs) > 0 || strings.HasPrefix(d.name, "good_other_revocation_information"))
	}},
	{"strings of names", "names are compared, not approved: openssl refuses a string that is none of a name's types or no UTF-8", func(d *dispute) bool {
		return strings.Contains(d.text, "x509_name_ex_d2i") || strings.Contains(d.text, "Type=ASN1_PRINTABLE")
	}},
	{"values that nobody reads", "openssl looks into the primitive types of what it takes for ANY, such as the parameters of an algorithm that is not used", func(d *dispute) bool {
		return strings.Contains(d.text, ":asn1_ex_c2i:")
	}},
	{"long length of nothing", "a length of 0 in more octets than needed; openssl wants as many octets again after it", func(d *dispute) bool {
		return strings.Contains(d.text, "ASN1_get_object:header too long")
	}},
	{"digest algorithms that nobody uses", "RFC 5652 section 5.1: digestAlgorithms is a help for one pass; openssl needs to know all of them", func(d *dispute) bool {
		return strings.Contains(d.text, "evp_generic_fetch:unsupported") || strings.Contains(d.text, "unknown digest algorithm")
	}},
}

func (d *dispute) has(id reason.ID) bool { return slices.Contains(d.found, id) }

func (d *dispute) anySigner(f func(*Signer) bool) bool {
	return d.d != nil && slices.ContainsFunc(d.d.Signers, f)
}

// reencoded says whether signed attributes do not stand in the message as they are signed, once for each signer
// that has them.
func (d *dispute) reencoded() bool {
	signers := map[string]int{}
	d.anySigner(func(s *Signer) bool {
		message := s.message
		if _, content, _, err := (&berReader{nodes: 1}).element(&message); err == nil {
			signers[string(content)]++
		}
		return false
	})
	for content, n := range signers {
		if bytes.Count(d.ber, []byte(content)) < n {
			return true
		}
	}
	return false
}

// unreadable says whether there is a certificate that we could not read.
func (d *dispute) unreadable() bool {
	rest := d.afterContent()
	certificates, err := readSet(&berReader{nodes: maxBERNodes}, &rest, explicit(0))
	return err == nil && d.d != nil && len(certificates) > len(d.d.Certificates)
}

// afterContent is what follows encapContentInfo: certificates, crls, signerInfos.
func (d *dispute) afterContent() []byte {
	r := &berReader{nodes: maxBERNodes}
	info, _ := r.only(d.ber, asn1.SEQUENCE)
	_, _, _, _ = r.element(&info)
	info, _ = r.only(info, explicit(0))
	info, _ = r.only(info, asn1.SEQUENCE)
	for range 3 {
		_, _, _, _ = r.element(&info)
	}
	return info
}

// opensslAccepts asks openssl cms -verify about a message, trust in certificates aside.
func opensslAccepts(t testing.TB, dir, name string, v *vector) (string, bool) {
	args := []string{"cms", "-verify", "-noverify", "-binary", "-inform", "DER", "-out", os.DevNull,
		"-in", writeFile(t, filepath.Join(dir, name+".in"), v.encoded())}
	if v.content != nil {
		args = append(args, "-content", writeFile(t, filepath.Join(dir, name+".content"), v.content))
	}
	for _, c := range v.beside {
		args = append(args, "-certfile", writeFile(t, filepath.Join(dir, name+".pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})))
	}
	text, err := openssl(t, args...)
	return text, err == nil
}

// compare returns the class of the disagreement, or "" where there is none. One that is in no class fails.
func compare(t *testing.T, dir, file string, v *vector) string {
	t.Helper()
	text, theirs := opensslAccepts(t, dir, file, v)
	found := judge(v.ber, v.content, v.beside...)
	if ours := found == nil; ours == theirs {
		return ""
	}
	q := &dispute{vector: v, found: found, text: text}
	var err error
	if q.d, err = ParseCMS(v.ber); err != nil {
		q.err = err.Error()
	}
	classes := refused
	if found == nil {
		classes = accepted
	}
	for _, c := range classes {
		if c.applies(q) {
			return c.name
		}
	}
	t.Errorf("%s: ours %v (%v), openssl %v: %s\n%x", v.name, found, err, theirs, strings.ReplaceAll(text, "\n", " | "), v.ber)
	return "none"
}
