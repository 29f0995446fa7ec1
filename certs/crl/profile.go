package crl

import (
	"github.com/tashika-jp/tashika/certs/reason"
)

// checkProfile: what RFC 5280 section 5 demands of issuers besides what makes a list usable. Peers accept most of it.
func (l *List) checkProfile(found *findings) {
	violated := func(condition bool) { found.add(condition, reason.CRLProfileViolated) }
	_ = violated
}
