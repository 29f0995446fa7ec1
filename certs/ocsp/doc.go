// Package ocsp asks about the status of one certificate and judges the answer (RFC 6960,
// nonces by RFC 9654). It moves no bytes: the caller sends Request.DER and brings back what
// came.
//
// A response is a signed statement about a CertID, and it is worth as much as three
// questions are answered: is it about this certificate, is it by somebody who may say so, is
// it from now. x/crypto/ocsp leaves parts of each to its caller: it compares no hashes of the
// CertID, passes over the extensions of the response, critical ones and nonce alike, and
// asks of a delegated responder neither its extended key usage nor its validity. Check
// asks all of it, tells everything that it finds, and hands out an Answer only if it finds nothing.
//
// Who may say so: the issuer itself, or a certificate in the response which the issuer's own key
// signed for OCSP signing (RFC 6960 section 4.2.2.2). There is no third way: no locally configured
// responder, no chain between, no anyExtendedKeyUsage. Whether a delegate's own certificate is
// revoked is not asked: id-pkix-ocsp-nocheck says that nobody need, and asking for one
// without it is left to a later room.
//
// What it refuses: BER and trailing bytes, responses above MaxResponseSize, response types other
// than basic, versions other than v1, critical extensions that it does not know, another
// nonce than the request's, CertIDs under another hash than the request's, answers for the
// certificate that differ, algorithms off the allow-list, times in the future, past nextUpdate or beyond the
// maximum age, and answers without nextUpdate where there is no maximum age either.
//
// SHA-1 appears here as the name of a key or an issuer, where RFC 6960 fixes it; never under a
// signature, unless an allow-list names it, which no profile does.
package ocsp
