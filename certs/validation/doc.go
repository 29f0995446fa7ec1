// Package validation judges certificates, signatures and CMS messages of any PKI by the specifications alone: RFC 5280 and
// 9618 for paths and lists, RFC 6960 for OCSP, RFC 5652 for CMS, RFC 9525 for names of servers.
//
// It is the general engine under one door, so that suites which nobody here wrote can measure it, and so that a person
// can ask it about a file. It is not what verifies a phone's certificate: package certs does, by JPKI's profiles, which are
// stricter. Both stand on the same rooms: chain, crl, ocsp, signature.
//
// Everything that it rests on is put in: certificates, lists, responses, a time. It fetches nothing, and the same question has
// the same answer for ever. Line reads and writes the questions as JSON.
//
// Revocation is hard-fail: where it is asked for and no evidence that is authentic, in scope and timely says "good", the verdict
// is indeterminate. Certificates, lists and responses that cannot be read are as good as absent; the certificate in
// question, the message or the key that cannot be read makes the verdict malformed.
package validation
