package crl

import (
	"strconv"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// Reason is why a certificate was revoked, with the numbers of CRLReason (RFC 5280
// section 5.3.1). OCSP uses the same.
type Reason uint8

// The reasons; 7 is not used.
const (
	Unspecified          Reason = 0
	KeyCompromise        Reason = 1
	CACompromise         Reason = 2
	AffiliationChanged   Reason = 3
	Superseded           Reason = 4
	CessationOfOperation Reason = 5
	CertificateHold      Reason = 6
	RemoveFromCRL        Reason = 8
	PrivilegeWithdrawn   Reason = 9
	AACompromise         Reason = 10
)

var reasonNames = [...]string{"unspecified", "keyCompromise", "cACompromise", "affiliationChanged", "superseded",
	"cessationOfOperation", "certificateHold", "", "removeFromCRL", "privilegeWithdrawn", "aACompromise"}

// defined says whether RFC 5280 knows the number.
func (r Reason) defined() bool { return r <= AACompromise && r != 7 }

// String is the name of RFC 5280, or the number where there is none.
func (r Reason) String() string {
	if r.defined() {
		return reasonNames[r]
	}
	return strconv.Itoa(int(r))
}

// gravity orders the three things that an entry can mean.
func (r Reason) gravity() int {
	switch r {
	case RemoveFromCRL:
		return 0
	case CertificateHold:
		return 1
	}
	return 2
}

// ReadReason reads a CRLReason. Numbers that RFC 5280 does not define are refused: what
// they say of a certificate is not known.
func ReadReason(s *cryptobyte.String) (Reason, bool) {
	var content cryptobyte.String
	if !s.ReadASN1(&content, asn1.ENUM) || len(content) != 1 {
		return 0, false
	}
	r := Reason(content[0])
	return r, r.defined()
}
