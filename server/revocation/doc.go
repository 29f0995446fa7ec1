// Package revocation is the living index: it keeps the authorities' revocation lists at
// hand, asks their OCSP responders, and answers both questions that package certs has of
// evidence (certs.Revocation).
//
// # How a list lives
//
// A source is a URL, a drop directory, or a manifest of thousands of URLs. Each is visited on a schedule, what it gives is
// spooled to disk under a size cap, a timeout and a least pace, and then has to pass the gate: well-formed
// DER; an issuer that is an anchor, by name and key identifier; the signature, checked once;
// the partition and the key that the source promised; not from the future; not before the
// list that we hold, by number and by time; and of its entries no more new, or gone, than is plausible (crl.Plausible).
// What passes is written durably and then swapped
// in behind an atomic pointer. What does not pass is kept aside, reported, counted and said loudly (see aside.go), and the
// last good list goes on serving until it is stale. An operator who has looked at it may let it through by name. Nothing that a request needs is ever
// held under a lock while we fetch, check or write.
//
// Lists are known by issuer, key and scope together. The 1,741 partitions of an authority
// share its name, and its key generations share it too, so anything keyed by less lets a second list
// overwrite the first and a revoked certificate pass. Two sources may give the same list: the
// newer number serves, and the mirror that lags is not an error.
//
// # Where lists come from
//
// HTTP, conditionally and compressed (http.go); LDAP, because distribution points of JPKI are names of directory entries (ldap.go);
// files that somebody drops; and a manifest, whose rows are URLs like any other and whose
// health is told as one (manifest.go). What is due stands in line for places, of which there are a few over all and to each host, so
// that 3,482 partitions are one orderly job; a host that does not answer is left alone for a while instead of costing each of
// them a timeout (job.go). How a source fares is told with it, counted over its partitions: how many are fresh, how old the
// oldest is, when the next is expected. What is fresh enough for a use is the profile's to say, and certs.Verify's to judge.
//
// # Choices
//
// A list already past its nextUpdate is refused while the one held is not; where there is
// nothing better it is taken in and shown as STALE. Its answers are UNKNOWN either way
// (certs.Verify asks for the times), but it says how far back we are, and it holds the
// line against an older one.
//
// A URL gives one partition. Where the operator did not promise which, the first list
// accepted promises for those that follow. The key may change, because keys roll; the list of the
// old key then serves until it is stale and is forgotten after that. The same holds for the list of a
// file that was taken out of a drop directory.
//
// The clock is not asked to be right, only answered for: a list that is from the future by it is refused, and if our clock was set
// back, what serves is from the future too and its answers are UNKNOWN; if it was set forward all is stale, and UNKNOWN. Neither
// loses a list, and the number holds the line whatever the clock says.
//
// A delta serves over the complete list that it is of, from whichever source it came, and is never taken back but by a complete list
// that is as far on (see delta.go).
//
// Nothing is monotone but the number: an entry that is gone from the next list is gone
// (a hold of a phone's authentication certificate is released that way).
//
// # State
//
// With a state directory every list that went live is kept there as it came, beside the index that was built from it in one pass
// (crl.Build) and is mapped into memory to answer from, and a record that says which of them count (see store.go): a start opens
// as many lists of whatever size in milliseconds each. At the start nothing in it is believed: checksums, issuer, signature and
// promise are checked again, and what fails is set aside. Behind the requests every index is then held
// against what its list gives, octet for octet, and all that serves is looked through once a day (see scrub.go). An index that is
// damaged leaves service at once, and comes back built from its list, or is fetched anew. The
// directory belongs to one process, which holds a lock on it; the second refuses to start.
// A disk that is full or read-only costs durability and nothing else: the list serves from
// memory, the source says STATE_NOT_WRITTEN, and each later visit tries again.
//
// # OCSP
//
// Each request carries 32 fresh random octets (RFC 9654 section 2.1) and is sent by POST
// to the responder configured for the issuer's key, never through a redirect. The address in
// the certificate is used only where the operator says so.
//
// A question costs its caller no more than the profile's timeout, and not the whole of the caller's own deadline: a
// tenth of it is kept, so that there is a verdict by the other method, or that the status is not known, and not a deadline that
// passed. The request itself belongs to nobody. Questions about the same certificate share it, each judges what comes by
// its own options, and who gives up or goes away stops it for none of the others.
//
// An answer that was right when it came, its nonce included, may be used again for as long as the profile of who asks says
// (ocsp_reuse, from the moment it was asked for), and only while it stands by that profile at that time:
// age, nextUpdate, algorithms, the delegate's validity. What makes that honest is that the evidence's age is told from
// thisUpdate, so it grows with each use. "Revoked" and "on hold" are kept as long as "good" and no longer; "unknown" is not kept.
//
// When a responder does not answer, its circuit opens after a few questions, and the rest go without
// an answer at once: to the list, where the profile says so. One question at a time tries whether it is back, after a second at first and half
// a minute at most. Only silence opens it, errors of the transport and what is no OCSP response: never an answer that
// somebody does not accept, nor a caller's short deadline, so no caller can open it. A bound on the
// requests under way to one responder holds even before it opens.
//
// # What it refuses
//
// BER, PEM, deltas without their list, partial content, compressed bombs, bodies above the cap, what trickles, redirects to another
// scheme, referrals, credentials in URLs, answers from a list that does not cover the certificate. It never
// logs a serial number, a certificate, or the text of a parser's error, which may quote one.
package revocation
