package chain

import (
	"time"

	"github.com/tashika-jp/tashika/certs/anchors"
	"github.com/tashika-jp/tashika/certs/pkix"
	"github.com/tashika-jp/tashika/certs/reason"
	"github.com/tashika-jp/tashika/certs/signature"
)

// FindIssuer returns the anchor that the certificate says issued it, valid at the time
// given if one of several is; nil with findings if there is none.
func FindIssuer(c *pkix.Certificate, set *anchors.Set, at time.Time) (*anchors.Anchor, []reason.ID) {
	// RFC 5280 section 4.2.1.1: keyIdentifier MUST be there to facilitate path construction.
	if len(c.AuthorityKeyID) == 0 {
		return nil, []reason.ID{reason.AuthorityKeyIDMissing}
	}
	var found *anchors.Anchor
	for _, a := range set.All() {
		if a.Known(c.Issuer, c.AuthorityKeyID) && (found == nil || validAt(a.Certificate, at) && !validAt(found.Certificate, at)) {
			found = a
		}
	}
	if found == nil {
		return nil, []reason.ID{reason.NoCertificateChainFound}
	}
	return found, nil
}

func validAt(c *pkix.Certificate, at time.Time) bool {
	early, late := checkTime(c, at)
	return !early && !late
}

// CheckIssuer checks that the anchor may issue certificates at the given time.
func CheckIssuer(a *anchors.Anchor, at time.Time) []reason.ID {
	var found []reason.ID
	// RFC 5280 section 6.1 leaves the anchor's own validity to local policy. Ours: an expired key of JPKI
	// checks old records, not people.
	if !validAt(a.Certificate, at) {
		found = append(found, reason.IssuerNotValidNow)
	}
	// RFC 5280 section 6.1.4 (k), (n): a CA, and keyCertSign.
	if !a.Certificate.IsCA || a.Certificate.KeyUsage&pkix.KeyCertSign == 0 {
		found = append(found, reason.IssuerNotAllowed)
	}
	return found
}

// SignatureCheck is the check of the anchor's signature over the certificate, to be made by signature.VerifyAll (RFC 5280 section
// 6.1.3 (a)(1)). The algorithm must already have been found on the allow-list; one that is not known is an error.
func SignatureCheck(c *pkix.Certificate, a *anchors.Anchor) (signature.Check, error) {
	algorithm, err := signature.FromIdentifier(c.SignatureAlgorithm)
	return signature.Check{Key: a.Key, Algorithm: algorithm, Message: c.RawTBS, Signature: c.Signature}, err
}
