// Package conformance puts suites that nobody here wrote before Tashika and before other
// judges, and counts.
//
// A verifier is believed for its evidence. The suites (NIST PKITS for paths and revocation
// lists, OpenSSL's OCSP responses, Wycheproof for signatures) are read into [Case]s; each is
// a line of input for `tashika validate -batch`, and every [Judge] answers from that same
// line: so all of them are asked the same question, and ours is asked through the door that
// anybody can use. The tests demand that ours is right on every case but those listed, with
// their reasons, in expected_failures.txt; package main in cmd/scoreboard prints the table of
// README.md.
//
// Valid and invalid cases are always counted apart: a judge that refuses everything is right
// on more than half of PKITS, and stands in the table to say so. Other judges are given every
// setting that helps them and that a user could give them.
//
// The suites are not part of this repository: they are read from shared/conformance beside
// the checkout. What this package refuses: a case without an expectation, and to be imported
// by anything but tests and mains, because it starts other programs.
package conformance
