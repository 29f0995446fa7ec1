// Package chain leads from a certificate to a trust anchor.
//
// It does so in two ways, because two kinds of caller ask. JPKI has no intermediate authorities, so there a path is one
// certificate long: the anchor that the certificate names as its issuer, by name and key identifier together, because all
// generations of an authority's key share one name. It is asked in three steps, from cheap to dear: FindIssuer, CheckIssuer,
// CheckSignature.
//
// Everybody else's paths are found by a Builder: RFC 5280 section 6.1 whole, over any number of candidates for each issuer (key
// rollover, cross-certificates), going back where a path turns out wrong, under a budget of signatures, steps and comparisons that
// no input can exceed. Policies are processed by the graph of RFC 9618, whose size is that of the certificates; the tree
// of RFC 5280 is the same in what it accepts and exponential in what it costs.
//
// A trust anchor is a certificate here, and what it says of itself binds it (RFC 5937): its validity, basic constraints, key usage,
// extended key usage, path length and name constraints. Not its policies: RFC 5280 begins with any, and so do other implementations.
//
// What a Builder refuses: what section 6.1 refuses, and besides anchors out of their validity, versions 1 and 2 for
// intermediates, constraints on names that it cannot process where such a name appears, and paths beyond the budget. With
// Strict it refuses also what section 4 forbids to authorities but section 6 does not look at. Revocation is asked through a
// function, so that a path with a revoked authority is given up for another.
package chain
