// Package sandbox is a pretend J-LIS: the two certification authorities of
// Japan's JPKI, the phones that carry their certificates, and the places where
// revocation is published, all invented, in one process.
//
// # What it is
//
// A [World] owns a sign CA and an auth CA. Each has two key generations under
// ONE distinguished name, because the real ones do: a verifier that picks the
// issuer by name alone fails here, as it would fail in production. The world
// issues [Phone]s (and cards) to invented [Holder]s, lets them live the life a
// smartphone certificate has (held, lifted, revoked in the app, replaced,
// moved house, card renewed, expired) and publishes what follows from it: one
// CRL for each CA, key generation and municipality, and an OCSP responder with
// a delegated certificate for each CA key. [World.Handler] serves all of it
// over HTTP. It can be as large as the country ([Config].Partitions, [Config].Revoked):
// 1,741 municipalities and as many millions of revoked serials as are asked for, which
// cost nothing until a list is read. Faults ([World.SetOCSPFault], [World.SetListFault]) and an
// [Impostor] make the bad days that a verifier is there for.
//
// # Why it is so
//
// The real profile specification and the real CRL and OCSP interfaces are given
// only to notified verifiers, under NDA. So that a kiosk can be developed and a
// verifier be tested without them, this package makes the same shapes from what
// is publicly known of them: the bytes of the published CA certificates and of
// one expired card certificate, the CPS, and the RFCs where those are silent.
// Every choice that is the sandbox's own (and not known of J-LIS) says so in
// its comment.
//
// It writes its DER itself over x/crypto/cryptobyte. crypto/x509's
// CreateCertificate cannot express directoryName distribution points, an AKI
// with issuer and serial, otherName subject alternative names, or an
// issuerAltName; and an oracle that shares no code with the verifier it tests
// is worth more than one that does. For the same reason the package imports no
// other package of this module.
//
// # What it refuses
//
// It refuses to be mistaken for the real thing: every name says "Sandbox", the
// mobile policy OIDs stand in the documentation arc of RFC 5612, the holders do
// not exist. It refuses operations that the real life refuses (a second phone
// beside a living one, lifting the stop of a card, revoking without the signing
// password), each with its own error. It never waits unless a fault says so, and
// reads no clock but the one it was given. It keeps private keys in memory
// without protection, so it must never hold a key that matters.
package sandbox
