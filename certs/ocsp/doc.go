// Package ocsp asks about the status of one certificate and judges the answer, or a response that
// nobody asked for here: stapled, archived (RFC 6960, nonces by RFC 9654). It moves no bytes: the
// caller sends Request.DER and brings back what came.
//
// A response is a signed statement about a CertID, and it is worth as much as three
// questions are answered: is it about this certificate, is it by somebody who may say so, is
// it from now. x/crypto/ocsp leaves parts of each to its caller: it compares no hashes of the
// CertID, passes over the extensions of the response, critical ones and nonce alike, and
// asks of a delegated responder neither its extended key usage nor its validity. Check and CheckStored
// ask all of it, tell everything that they find, and hand out an Answer only if they find nothing.
// They differ in two things: an answer to a request is under the hash of the request's CertID and has its
// nonce; in a stored response CertIDs are read under SHA-1, SHA-256, SHA-384 and SHA-512, and a nonce says nothing.
//
// Who may say so: the issuer itself, or a delegate, whose certificate the issuer's own key
// signed for OCSP signing (RFC 6960 section 4.2.2.2), be it in the response or among those that the caller has. There is
// no third way: no locally configured responder, no chain between, no older key of the issuer, no
// anyExtendedKeyUsage, no delegate that is an authority or vouches for its own certificate. Whether the
// delegate's certificate is revoked is asked of the caller (Options.ResponderStatus), unless
// id-pkix-ocsp-nocheck says that nobody need.
//
// What it refuses: BER and trailing bytes, responses above MaxResponseSize, response types other
// than basic, versions other than v1, critical extensions that it does not know, another
// nonce than the request's, answers for the certificate that differ, under whichever hashes, algorithms off
// the allow-list, times in the future, past nextUpdate or beyond the maximum age, answers without nextUpdate where
// there is no maximum age either, and "good" of a certificate whose status the responder does not keep. A certificate in
// the response that cannot be read is passed over, because nobody signed the list: without it the signer is known or is not.
//
// producedAt is when the response was signed, and no measure of its age. It may lie in the future of the time
// that is judged for, but not outside of the certificate's validity.
//
// SHA-1 appears here as the name of a key or an issuer, where RFC 6960 fixes it; never under a
// signature, unless an allow-list names it, which no profile does.
//
// The oracles of the tests are OpenSSL's own set of responses, the openssl program on thousands of mutated ones, with a
// table of why it sees otherwise where it does, and x/crypto/ocsp.
package ocsp
