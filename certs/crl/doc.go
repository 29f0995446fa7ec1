// Package crl reads certificate revocation lists, authenticates them and answers from them
// (RFC 5280 sections 5 and 6.3).
//
// It has two steps because they have two prices. Parse reads the structure of a list, every
// entry of it, and believes nothing. NewIndex asks whether the list was made by the issuer
// and can stand alone for all of its scope; only then is there an *Index, and only an *Index
// answers. So the type is the proof: whoever holds one holds a list whose signature was
// checked, once, and not again at every look-up (which costs OpenSSL 160 ms with a million
// entries). Peers got one of the two wrong at least: a map of serial numbers that was
// filled before, or without, checking a signature.
//
// JPKI has one list per municipality, and the scope of each is a directoryName in its
// issuing distribution point. The list of another municipality is authentic, fresh, and says
// "not revoked" of everybody. Covers therefore compares the list's scope with the
// certificate's distribution points, and has to be asked for every certificate: an answer of
// Lookup without it means nothing.
//
// Parse and the index alias the bytes given: do not change them afterwards. No entry costs
// an allocation. The index is a sorted slice of offsets into the list, 4 octets and an eighth
// an entry, exact, immutable and safe for concurrent use; a hold that was released is
// simply not in the next list's index, and nothing of the one before is remembered.
//
// What Parse refuses: BER, trailing bytes anywhere, versions other than v1 and v2, extensions
// in a v1 list, inner and outer algorithms that differ, extensions that appear twice, reason
// codes that do not exist, 4 GiB and more. What NewIndex refuses besides: lists of other
// issuers or other keys of the issuer, signers without cRLSign, algorithms off the
// allow-list, deltas, indirect lists, lists of some reasons only, unknown critical
// extensions of the list or of any entry, removeFromCRL, an issuing distribution point that
// is not critical or contradicts itself, and lists without number or nextUpdate. Refusing
// leaves a status unknown, which is never good.
package crl
