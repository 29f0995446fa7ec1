// Package certs verifies JPKI smartphone certificates: bytes, a time and a look-up in, a
// verdict out. It is pure: it opens nothing, waits for nothing of its own, knows no clock.
//
// Verify goes from cheap to dear: the challenge's outcome, the certificate against the
// profile and the anchors, the revocation list at hand, the two signatures, and only then,
// where the profile asks for it, OCSP through the look-up that it was given. All findings of
// a stage are collected before the next is begun, and a stage that failed ends the run: a
// replayed challenge never reaches the cryptography, and nobody's forged certificate makes
// us ask J-LIS.
//
// Three conclusions are possible, and unknown is never good: what is not proven by
// evidence that is authentic, in scope and fresh is INDETERMINATE. The zero value of a
// Verdict is not a valid one.
//
// It is as strict as JPKI's profiles are, and asks of the rooms below only what these need: a path of one certificate, complete lists of one
// municipality each, answers of one responder. What any PKI may do by RFC 5280 is in the same rooms (chain, crl, ocsp,
// signature), and package validation puts it together.
//
// What JPKI does not publish (docs say which: the mobile policies, the shape of lists and
// responses) comes from profiles and anchors, never from constants here.
package certs
