// Package signature checks signatures: RSASSA-PKCS1-v1_5, RSASSA-PSS and ECDSA over
// P-256 and P-384, with SHA-256, SHA-384 and SHA-512.
//
// The padding checks are ours. crypto/rsa cannot enforce a PSS salt of length 0 (it
// reads 0 as "any") nor an MGF1 hash other than the message's, and a wrong accept here
// lets an impostor through; so the encoded message is rebuilt or taken apart exactly as
// RFC 8017 section 8 says and compared whole. Only the public operation s^e mod n comes
// from filippo.io/bigmod, the standard library's own modular arithmetic, and ECDSA from
// crypto/ecdsa. A chip signs any block that the caller supplies, so a SHA-1 block is
// possible: hashes are named by the caller and bound by an allow-list, never read
// from the signature.
//
// What it refuses: RSA below 2048 or above 8192 bits, even moduli, exponents that are even,
// below 3 or above 2^31-1, signatures whose length is not that of the modulus, ECDSA
// signatures that are not DER, keys whose parameters are missing or explicit, and SHA-1
// wherever the allow-list does not name it, which no profile does.
package signature
