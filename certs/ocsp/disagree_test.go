package ocsp

import (
	"bytes"
	"maps"
	"slices"
	"strings"

	"github.com/tashika-jp/tashika/certs/crl"
	"github.com/tashika-jp/tashika/certs/pkix"
	"github.com/tashika-jp/tashika/certs/reason"
	"golang.org/x/crypto/cryptobyte"
	cb "golang.org/x/crypto/cryptobyte/asn1"
)

// disagreement is a class of responses that openssl judges otherwise, and why.
type disagreement struct {
	name string
	why  string
	is   func(*trial) bool
}

var theNewer = disagreement{"the newer of two", "of two answers that agree the newer counts here, in openssl the first", func(c *trial) bool {
	return len(c.about()) > 1
}}

// stricter are the classes that are refused here and not by openssl, each with the finding that it explains. All findings
// of a trial must be explained.
var stricter = map[reason.ID][]disagreement{
	reason.OCSPNotYetValid: {theNewer},
	reason.OCSPStale:       {theNewer},
	reason.OCSPTooOld:      {theNewer},
	reason.OCSPUnknownCriticalExtension: {{"critical extension", "RFC 6960 section 4.4; openssl ocsp asks for none", func(c *trial) bool {
		return c.response.unknownCritical || slices.ContainsFunc(c.response.singles, func(s single) bool { return s.unknownCritical })
	}}},
	reason.OCSPConflict: {{"conflict", "openssl goes by the first answer", func(c *trial) bool { return len(c.about()) > 1 }}},
	reason.OCSPAlgorithmRefused: {
		{"SHA-1", "the allow-list; openssl asks it of certificates only", func(c *trial) bool {
			return c.response.algorithm.Algorithm == pkix.MustOID("1.2.840.113549.1.1.5")
		}},
		{"parameters of the signature", "RFC 4055 section 5, RFC 5758 section 3.2; openssl looks at none", func(c *trial) bool {
			return c.response.algorithm.Parameters != nil
		}},
	},
	reason.OCSPCertIDMismatch: {{"parameters of the hash", "RFC 5754 section 2: NULL or absent; openssl compares none", func(c *trial) bool {
		return slices.ContainsFunc(c.response.singles, func(s single) bool { return s.id.hash == "" })
	}}},
	reason.OCSPStatusUnknown: {{"good of what is not known", "the archive cutoff and producedAt, which openssl does not look at", func(c *trial) bool {
		return slices.ContainsFunc(c.about(), func(s single) bool { return s.status == Good })
	}}},
	reason.OCSPResponderUnauthorized: {
		{"delegate that is an authority", "RFC 5280 section 4.2.1.12", func(c *trial) bool { return c.signedBy("authority") }},
		{"delegate's certificate in BER", "passed over here; openssl reads it", func(c *trial) bool { return !isDER(c.der) }},
		{"delegate that may not sign", "RFC 5280 section 4.2.1.3; openssl asks for no key usage of a responder", func(c *trial) bool { return c.signedBy("cannot") }},
	},
	reason.OCSPFormatFailure: {
		{"BER", "DER only; openssl reads BER and checks the signature over its own DER", func(c *trial) bool { return !isDER(c.der) }},
		theNewer,
		{"extensions that are none", "RFC 5280 section 4.1: SIZE (1..MAX); openssl reads an empty list", func(c *trial) bool {
			return bytes.Contains(c.der, wrap(explicit(1), seq()))
		}},
		{"octets behind", "one response and nothing after it, one BasicOCSPResponse and nothing after it; openssl reads the first", func(c *trial) bool {
			roots := readNodes(c.der)
			return len(roots) != 1 || len(roots[0].children[1].children[0].children[1].children) != 1
		}},
		{"time that is none", "X.690 section 11.7; openssl looks at thisUpdate and nextUpdate only", func(c *trial) bool { return !timesAreRight(readNodes(c.der)) }},
		{"number of a reason", "RFC 5280 section 5.3.1", func(c *trial) bool {
			for n := range 256 {
				if n != 7 && n != int(crl.RemoveFromCRL) && n <= int(crl.AACompromise) {
					continue
				}
				if bytes.Contains(c.der, wrap(explicit(0), []byte{0x0a, 1, byte(n)})) {
					return true
				}
			}
			return false
		}},
		{"extension twice", "RFC 5280 section 4.2; openssl takes the first", func(c *trial) bool {
			return strings.Contains(c.parseError(), "appears twice")
		}},
	},
}

// milder are the classes that are answered here and refused by openssl, or answered otherwise.
var milder = []disagreement{
	{"certificate that is none", "passed over here, BER included; openssl refuses all, or reads the BER", func(c *trial) bool {
		return !isDER(c.der) || c.certificates() > len(c.response.certificates)
	}},
	{"responder's name in other letters", "RFC 5280 section 7.1; openssl knows fewer that are equal", func(c *trial) bool {
		return strings.Contains(c.text, "signer certificate not found") && c.response.namedBy(c.cert) && !bytes.Equal(c.response.responderName, c.cert.Subject)
	}},
	{"under another hash", "CertIDs are read under every hash here, openssl asks under one", func(c *trial) bool {
		return !slices.ContainsFunc(c.about(), func(s single) bool { return s.id.hash == c.hash })
	}},
	{"several issuers", "openssl trusts a signer only if all answers are of one issuer under one hash; here the one about the certificate counts", func(c *trial) bool {
		first := c.response.singles[0].id
		return slices.ContainsFunc(c.response.singles, func(s single) bool {
			return s.id.hash != first.hash || !bytes.Equal(s.id.nameHash, first.nameHash) || !bytes.Equal(s.id.keyHash, first.keyHash)
		})
	}},
	{"several signers", "of several certificates that the responder may mean, openssl tries the first", func(c *trial) bool {
		n := 0
		for _, d := range append(c.response.certificates, c.cert) {
			if c.response.namedBy(d) {
				n++
			}
		}
		return n > 1
	}},
	theNewer,
}

// explain returns the names of the classes of a disagreement, or nil.
func (c *trial) explain() []string {
	if c.ours != "refused" {
		i := slices.IndexFunc(milder, func(d disagreement) bool { return d.is(c) })
		if i < 0 {
			return nil
		}
		return []string{milder[i].name}
	}
	var names []string
	for _, id := range c.found {
		i := slices.IndexFunc(stricter[id], func(d disagreement) bool { return d.is(c) })
		if i < 0 {
			return nil
		}
		names = append(names, stricter[id][i].name)
	}
	return names
}

// classes are all names.
func classes() []string {
	var names []string
	for _, d := range slices.Concat(append(slices.Collect(maps.Values(stricter)), milder)...) {
		names = append(names, d.name)
	}
	return names
}

// about are the answers about the certificate.
func (c *trial) about() []single {
	if c.response == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(c.response.singles), func(s single) bool { return !s.id.identifies(c.holder, c.cert) })
}

// signedBy: the response is by the delegate of that name.
func (c *trial) signedBy(name string) bool {
	return slices.ContainsFunc(c.response.certificates, func(d *pkix.Certificate) bool { return bytes.Equal(d.Raw, c.delegates[name].Raw) })
}

func (c *trial) parseError() string {
	_, err := parseResponse(c.der, 4)
	return err.Error()
}

// certificates counts the elements of the list.
func (c *trial) certificates() int {
	roots := readNodes(c.der)
	basic := roots[0].children[1].children[0].children[1].children[0].children
	if last := basic[len(basic)-1]; last.tag == byte(explicit0) {
		return len(last.children[0].children)
	}
	return 0
}

// isDER: lengths are minimal and definite, what has elements is constructed and what has none is not, true is 0xff.
func isDER(der []byte) bool {
	s := cryptobyte.String(der)
	for !s.Empty() {
		var content cryptobyte.String
		var tag cb.Tag
		if !s.ReadAnyASN1(&content, &tag) {
			return false
		}
		if tag&0xc0 == 0 && tag&0x20 != 0 && tag != cb.SEQUENCE && tag != cb.SET {
			return false
		}
		switch {
		case tag&0x20 != 0, tag == cb.OCTET_STRING && len(content) > 64:
			if !isDER(content) {
				return false
			}
		case tag == 0x10, tag == 0x11, tag == cb.BOOLEAN && string(content) != "\xff":
			return false
		}
	}
	return true
}

// timesAreRight: every GeneralizedTime is one.
func timesAreRight(nodes []*node) bool {
	for _, n := range nodes {
		s := cryptobyte.String(n.der())
		if _, ok := pkix.ReadGeneralizedTime(&s); n.tag == byte(cb.GeneralizedTime) && !ok || !timesAreRight(n.children) {
			return false
		}
	}
	return true
}
