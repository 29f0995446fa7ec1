// Package crl reads certificate revocation lists, authenticates them and answers from them
// (RFC 5280 sections 5 and 6.3).
//
// There are two ways to an answer, for two askers. An Index is for who knows where a list comes from: it
// takes complete lists of one issuer only, and is asked a million times. A Checker is for who was given a bag of
// certificates and lists and has to find out: it takes every kind of list that RFC 5280 knows (deltas,
// indirect lists, lists of some reasons or of one distribution point, lists signed by another key of the issuer
// or by somebody off the path) and answers by section 6.3.3, or says for what reason it cannot.
//
// An Index has two steps because they have two prices. Build reads a list in one pass, of any size and from any stream, and writes an
// image: the entries in order, packed, and what the list says of itself. That costs what reading and hashing cost and little
// more, in memory that does not depend on the list, and believes nothing. Authenticate, of an image that OpenImage opened in
// milliseconds whatever its size, asks whether the list was made by the issuer and can stand alone for all of its scope: one
// signature over the digest that Build computed on the way. Only then is there an *Index, and only an *Index
// answers. So the type is the proof: whoever holds one holds a list whose signature was
// checked, once, and not again at every look-up (which costs OpenSSL 160 ms with a million
// entries). Peers got one of the two wrong at least: a map of serial numbers that was
// filled before, or without, checking a signature. NewIndex does both for a list that Parse read from memory.
//
// JPKI has one list per municipality, and the scope of each is a directoryName in its
// issuing distribution point. The list of another municipality is authentic, fresh, and says
// "not revoked" of everybody. Covers therefore compares the list's scope with the
// certificate's distribution points, and has to be asked for every certificate: an answer of
// Lookup without it means nothing.
//
// What Parse returns aliases the octets given: do not change them afterwards. No entry costs an allocation. An index
// is exact, immutable and safe for concurrent use; a hold that was released is
// simply not in the next list's index, and nothing of the one before is remembered. WithDelta answers from a complete list and a delta
// of it together, and writes neither again.
//
// An image is a cache on a disk, and disks err. Its blocks have checksums that are checked before anything in them is believed, and
// octets that cannot be read any more (a mapped file that was cut off) end in ErrDamaged and not in the end of the process.
// After that nothing is known of the certificate, which is never good, and the image is to be built again from the list.
//
// A Checker differs from section 6.3.3 where it may say "good", and then to the safe side. All lists in scope are
// asked, not only until every reason is covered. Of several lists of one scope and key the last counts, by
// number and time; where these contradict each other, all do. removeFromCRL releases a hold and takes back no revocation.
// Entries that name an issuer are believed in indirect lists only. To the other side it differs in
// two things: cRLIssuer may name the certificate's own issuer without the list being indirect, and deltas are used wherever they
// are, pointed to by freshestCRL or not. Lists past nextUpdate are not used, however late; one within its times is, though a later
// one may have run out. How openssl differs from all this is in TestAgainstOpenSSL.
//
// What Parse refuses: BER, trailing bytes anywhere, versions other than v1 and v2, extensions
// in a v1 list, inner and outer algorithms that differ, extensions that appear twice, reason
// codes that do not exist. What Build refuses besides: serial numbers of more than 20 octets (21 with a leading zero: RFC 5280 section
// 4.1.2.2), and lists that have more than 64 KiB before their entries or in one of them, or more than 128 KiB behind them. What
// Authenticate and NewIndex refuse besides: lists of other
// issuers or other keys of the issuer, signers without cRLSign, algorithms off the
// allow-list, deltas, indirect lists, lists of some reasons only, unknown critical
// extensions of the list or of any entry, removeFromCRL, an issuing distribution point that
// is not critical or contradicts itself, and lists without number or nextUpdate. Refusing
// leaves a status unknown, which is never good. That goes for a reason without meaning as well: CRLReason is
// closed, so a list with another number is not one of RFC 5280, and what it says of others cannot be relied on.
package crl
