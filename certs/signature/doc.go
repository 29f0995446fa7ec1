// Package signature checks signatures: RSASSA-PKCS1-v1_5, RSASSA-PSS and ECDSA over
// P-256 and P-384, with SHA-256, SHA-384 and SHA-512; alone, or in a CMS message.
//
// The padding checks are ours. crypto/rsa cannot enforce a PSS salt of length 0 (it
// reads 0 as "any") nor an MGF1 hash other than the message's, and a wrong accept here
// lets an impostor through; so the encoded message is rebuilt or taken apart exactly as
// RFC 8017 section 8 says and compared whole. Only the public operation s^e mod n comes
// from elsewhere: for the usual key of 2048 bits from package eightlane, two signatures at once where the
// processor can, with every thousandth raised again by other code and the lanes off at the first difference; else from
// filippo.io/bigmod, the standard library's own modular arithmetic. ECDSA is crypto/ecdsa's. A chip signs any block that the caller supplies, so a SHA-1 block is
// possible: hashes are named by the caller and bound by an allow-list, never read
// from the signature.
//
// CMS SignedData (RFC 5652) is taken apart by ParseCMS and checked by SignedData.Check, which
// returns a signature as any other: bytes, an algorithm, and a value for a key to verify. The two
// ways in which other readers of CMS fell are closed by construction: BER is read under bounds and
// never allocates by a length that is only claimed, and a message is one of signed attributes or
// one of content, never what the attacker says that it is.
//
// What it refuses: RSA below 2048 or above 8192 bits, even moduli, exponents that are even,
// below 3 or above 2^31-1, signatures whose length is not that of the modulus, ECDSA
// signatures that are not DER, keys whose parameters are missing or explicit, parameters that a
// key for RSASSA-PSS does not permit, and SHA-1 and SHA-224 wherever the allow-list does not name them,
// which no profile does. Of CMS: content that is not an OCTET STRING, messages without a signer, signed
// attributes that are not over this content and of its type, or that name another certificate or
// other algorithms.
package signature
