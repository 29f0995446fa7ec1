// Package pkix reads the structures of RFC 5280 that a verdict rests on: names,
// algorithm identifiers, times, general names, distribution points, certificates.
//
// It is a reader of our own because crypto/x509 is not one to lean on here: it
// drops directoryName distribution points (the only kind that JPKI uses), cannot
// compare names by RFC 5280 section 7.1, and refuses certificates that the rules
// allow. It stands on x/crypto/cryptobyte, which enforces DER's minimal lengths and
// integers.
//
// Everything parsed aliases the input: do not change a buffer after giving it away.
// Parsing promises structure and nothing about values; whether a value is acceptable
// is asked by the packages above. What it refuses: BER, trailing bytes anywhere,
// an extension that appears twice, inner and outer signature algorithms that
// differ, DEFAULT values that are encoded, unused bits that are set, and inputs above
// MaxCertificateSize.
package pkix
