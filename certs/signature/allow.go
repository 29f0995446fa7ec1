package signature

import (
	"crypto"
	"slices"
)

// AllowList is the set of algorithms that may be relied on.
type AllowList []Algorithm

// AnySaltLength, as the SaltLength of an entry of an AllowList, stands for every length. It is no
// length: no signature verifies under it.
const AnySaltLength = -1

// Allows says whether the algorithm is on the list.
func (l AllowList) Allows(a Algorithm) bool {
	if a.Scheme == RSASSA_PSS && a.SaltLength >= 0 && !slices.Contains(l, a) {
		a.SaltLength = AnySaltLength
	}
	return slices.Contains(l, a)
}

// AllSHA2 is every algorithm of this package over SHA-256, SHA-384 and SHA-512, RSASSA-PSS with
// any salt length and any of the three as hash of MGF1: what a verifier of certificates in general
// accepts. Profiles name fewer.
func AllSHA2() AllowList {
	return allOver(crypto.SHA256, crypto.SHA384, crypto.SHA512)
}

// AllSHA1 is every algorithm of this package over SHA-1 alone. Collisions of SHA-1 can be made: it is for
// test material of the time, added to another list by whoever names it, and no profile can.
func AllSHA1() AllowList { return allOver(crypto.SHA1) }

func allOver(hashes ...crypto.Hash) (list AllowList) {
	for _, hash := range hashes {
		list = append(list, Algorithm{Scheme: RSASSA_PKCS1_V15, Hash: hash},
			Algorithm{Scheme: ECDSA, Hash: hash}, Algorithm{Scheme: ECDSA_P1363, Hash: hash})
		for _, mgf := range hashes {
			list = append(list, Algorithm{RSASSA_PSS, hash, mgf, AnySaltLength})
		}
	}
	return list
}
