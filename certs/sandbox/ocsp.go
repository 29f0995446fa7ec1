package sandbox

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"encoding/asn1"
	"errors"
	"math/big"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

var (
	oidOCSPBasic = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 1}
	oidOCSPNonce = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 2}

	certIDHashes = map[string]crypto.Hash{
		"1.3.14.3.2.26":          crypto.SHA1,
		"2.16.840.1.101.3.4.2.1": crypto.SHA256,
		"2.16.840.1.101.3.4.2.2": crypto.SHA384,
		"2.16.840.1.101.3.4.2.3": crypto.SHA512,
	}
)

// OCSPResponseStatus values (RFC 6960 section 4.2.1).
const (
	ocspSuccessful       = 0
	ocspMalformedRequest = 1
	ocspInternalError    = 2
	ocspTryLater         = 3
	ocspUnauthorized     = 6
)

const (
	// ocspPeriod: the real responder's data is renewed every 15 minutes (jpki.md section 3).
	ocspPeriod = 15 * time.Minute
	// maxOCSPQuestions bounds the work and the answer of one request.
	maxOCSPQuestions = 32
	// maxNonce: RFC 9654 section 2.1, a nonce has 1 to 128 octets.
	maxNonce = 128
)

var errOCSPRequest = errors.New("malformed OCSP request")

// A question is one certificate asked about.
type question struct {
	certID            []byte // the CertID's DER, to be repeated in the answer
	hash              crypto.Hash
	nameHash, keyHash []byte
	serial            *big.Int
}

// An ocspRequest is what a responder needs of an OCSPRequest.
type ocspRequest struct {
	questions []question
	nonce     []byte // nil: none
}

// parseOCSPRequest reads an OCSPRequest (RFC 6960 section 4.1.1), strictly: DER,
// nothing behind it, known critical extensions only. A signature over the
// request is skipped unread: whether J-LIS wants one is not public, and the
// sandbox answers everybody.
func parseOCSPRequest(der []byte) (*ocspRequest, error) {
	in := cryptobyte.String(der)
	var outer, tbs, list, exts cryptobyte.String
	var has bool
	if !in.ReadASN1(&outer, cbasn1.SEQUENCE) || !in.Empty() || !outer.ReadASN1(&tbs, cbasn1.SEQUENCE) {
		return nil, errOCSPRequest
	}
	if !outer.SkipOptionalASN1(explicit0) || !outer.Empty() {
		return nil, errOCSPRequest
	}
	var version cryptobyte.String
	if !tbs.ReadOptionalASN1(&version, &has, explicit0) {
		return nil, errOCSPRequest
	}
	if has {
		var v int64
		if !version.ReadASN1Integer(&v) || v != 0 || !version.Empty() {
			return nil, errOCSPRequest
		}
	}
	if !tbs.SkipOptionalASN1(explicit1) /* requestorName */ || !tbs.ReadASN1(&list, cbasn1.SEQUENCE) {
		return nil, errOCSPRequest
	}
	r := new(ocspRequest)
	for !list.Empty() {
		q, ok := readQuestion(&list)
		if !ok || len(r.questions) == maxOCSPQuestions {
			return nil, errOCSPRequest
		}
		r.questions = append(r.questions, q)
	}
	if len(r.questions) == 0 || !tbs.ReadOptionalASN1(&exts, &has, cbasn1.Tag(2).ContextSpecific().Constructed()) || !tbs.Empty() {
		return nil, errOCSPRequest
	}
	if has && !readExtensions(exts, func(oid asn1.ObjectIdentifier, critical bool, value []byte) bool {
		if !oid.Equal(oidOCSPNonce) {
			return !critical // RFC 6960 section 4.4: a critical extension that is not understood is refused
		}
		v := cryptobyte.String(value)
		var nonce []byte
		if r.nonce != nil || !v.ReadASN1Bytes(&nonce, cbasn1.OCTET_STRING) || !v.Empty() ||
			len(nonce) < 1 || len(nonce) > maxNonce {
			return false
		}
		r.nonce = nonce
		return true
	}) {
		return nil, errOCSPRequest
	}
	return r, nil
}

func readQuestion(list *cryptobyte.String) (q question, ok bool) {
	var request, certID, body, algorithm, exts cryptobyte.String
	var oid asn1.ObjectIdentifier
	var has bool
	if !list.ReadASN1(&request, cbasn1.SEQUENCE) || !request.ReadASN1Element(&certID, cbasn1.SEQUENCE) {
		return q, false
	}
	q.certID = certID
	q.serial = new(big.Int)
	if !certID.ReadASN1(&body, cbasn1.SEQUENCE) ||
		!body.ReadASN1(&algorithm, cbasn1.SEQUENCE) || !algorithm.ReadASN1ObjectIdentifier(&oid) ||
		!body.ReadASN1Bytes(&q.nameHash, cbasn1.OCTET_STRING) || !body.ReadASN1Bytes(&q.keyHash, cbasn1.OCTET_STRING) ||
		!body.ReadASN1Integer(q.serial) || !body.Empty() {
		return q, false
	}
	// Hash algorithms come with NULL parameters or none (RFC 5754 section 2).
	var null cryptobyte.String
	if !algorithm.ReadOptionalASN1(&null, &has, cbasn1.NULL) || !null.Empty() || !algorithm.Empty() {
		return q, false
	}
	q.hash = certIDHashes[oid.String()] // 0 if unknown: then it names no issuer of ours
	if !request.ReadOptionalASN1(&exts, &has, explicit0) || !request.Empty() {
		return q, false
	}
	if has && !readExtensions(exts, func(_ asn1.ObjectIdentifier, critical bool, _ []byte) bool { return !critical }) {
		return q, false
	}
	return q, true
}

// readExtensions walks an Extensions value; each decides whether one is acceptable.
func readExtensions(in cryptobyte.String, each func(oid asn1.ObjectIdentifier, critical bool, value []byte) bool) bool {
	var list cryptobyte.String
	if !in.ReadASN1(&list, cbasn1.SEQUENCE) || !in.Empty() || list.Empty() {
		return false
	}
	for !list.Empty() {
		var ext cryptobyte.String
		var oid asn1.ObjectIdentifier
		var critical bool
		var value []byte
		if !list.ReadASN1(&ext, cbasn1.SEQUENCE) || !ext.ReadASN1ObjectIdentifier(&oid) {
			return false
		}
		if ext.PeekASN1Tag(cbasn1.BOOLEAN) && !ext.ReadASN1Boolean(&critical) {
			return false
		}
		if !ext.ReadASN1Bytes(&value, cbasn1.OCTET_STRING) || !ext.Empty() || !each(oid, critical, value) {
			return false
		}
	}
	return true
}

// A responder answers for one CA key with a certificate delegated by that key
// (RFC 6960 section 4.2.2.2). Immutable.
type responder struct {
	key    *rsa.PrivateKey
	der    []byte
	keyID  []byte
	serial uint64
}

// newResponder makes the delegated responder of g.
func (g *generation) newResponder(key *rsa.PrivateKey, serial uint64) (*responder, error) {
	return g.makeResponder(g.key, key, serial, true)
}

// makeResponder makes a responder certificate, signed by caKey, with or without
// the delegation. Both exist for faults: only the CA's key and true are right.
func (g *generation) makeResponder(caKey, key *rsa.PrivateKey, serial uint64, delegated bool) (*responder, error) {
	spki := rsaPublicKeyBits(&key.PublicKey)
	r := &responder{key: key, keyID: sha1Sum(spki), serial: serial}
	subject := append(append(name{}, g.ca.name...), attribute{oidCN, "OCSP Responder " + g.tag()})
	var err error
	r.der, err = g.issueWith(caKey, template{
		// As long-lived as the CA's key, so that a world's clock may be moved by
		// years; a real responder's certificate lives for weeks.
		serial: serial, notBefore: g.notBefore, notAfter: g.notAfter, subject: subject, public: &key.PublicKey,
		extensions: func(b *cryptobyte.Builder) {
			addExtension(b, oidKeyUsage, true, keyUsage(0x80, 7))
			if delegated {
				addExtension(b, oidEKU, false, extendedKeyUsage(oidOCSPSigning))
				// RFC 6960 section 4.2.2.2.1: nobody need ask whether the answerer is revoked.
				addExtension(b, oidOCSPNoCheck, false, (*cryptobyte.Builder).AddASN1NULL)
			}
			addExtension(b, oidAKI, false, func(b *cryptobyte.Builder) {
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1(implicit0, func(b *cryptobyte.Builder) { b.AddBytes(g.claimKeyID) })
				})
			})
			addExtension(b, oidSKI, false, octets(r.keyID))
		},
	})
	return r, err
}

// issuerHashes are the CertID hashes of g (RFC 6960 section 4.1.1).
func (g *generation) issuerHashes(h crypto.Hash) (nameHash, keyHash []byte) {
	n, k := h.New(), h.New()
	n.Write(g.ca.name.der())
	k.Write(g.spki)
	return n.Sum(nil), k.Sum(nil)
}

// An answer is the status of one question.
type answer struct {
	certID []byte
	known  bool
	state  State
}

// answerOCSP answers a request about certificates of g, with whatever the fault
// asks to be wrong about the answer.
func (w *World) answerOCSP(g *generation, request []byte, fault OCSPFaultKind) []byte {
	switch fault {
	case OCSPTryLater:
		return ocspError(ocspTryLater)
	case OCSPInternalError:
		return ocspError(ocspInternalError)
	}
	req, err := parseOCSPRequest(request)
	if err != nil {
		return ocspError(ocspMalformedRequest)
	}
	now := w.clock().UTC().Truncate(time.Second)
	asOf := now
	if w.daily {
		asOf = now.Truncate(ocspPeriod)
	}
	answers, ours := w.look(g, req, asOf)
	if !ours {
		// RFC 6960 section 2.3 (and RFC 5019): not an issuer it can speak for.
		return ocspError(ocspUnauthorized)
	}
	who, err := w.responderFor(g, fault)
	if err != nil {
		return ocspError(ocspInternalError)
	}
	nonce := req.nonce
	switch fault {
	case OCSPWrongNonce:
		// Another nonce of the same length; without one asked for, an unasked one.
		nonce = bytes.Clone(nonce)
		if len(nonce) == 0 {
			nonce = make([]byte, 16)
		}
		nonce[0] ^= 0xFF
	case OCSPNoNonce:
		nonce = nil
	case OCSPStale:
		now = now.Add(-24 * time.Hour)
		asOf = now
	}
	der, err := who.respond(answers, nonce, now, asOf)
	if err != nil {
		return ocspError(ocspInternalError)
	}
	return der
}

// look finds the state of everything asked about. ours is false if no question is about g.
func (w *World) look(g *generation, req *ocspRequest, asOf time.Time) (answers []answer, ours bool) {
	w.mu.RLock()
	defer w.mu.RUnlock()
	for _, q := range req.questions {
		a := answer{certID: q.certID}
		if q.hash != 0 {
			nameHash, keyHash := g.issuerHashes(q.hash)
			if bytes.Equal(nameHash, q.nameHash) && bytes.Equal(keyHash, q.keyHash) {
				ours = true
				// A serial of the CA's other generation is not this issuer's: unknown.
				if q.serial.IsUint64() {
					if r, ok := g.ca.record(q.serial.Uint64()); ok && r.generation == g {
						a.known, a.state = true, r.asOf(asOf)
					}
				}
			}
		}
		answers = append(answers, a)
	}
	return answers, ours
}

// respond writes and signs a successful OCSPResponse (RFC 6960 section 4.2.1).
func (r *responder) respond(answers []answer, nonce []byte, producedAt, thisUpdate time.Time) ([]byte, error) {
	var tbs cryptobyte.Builder
	tbs.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		// responderID byKey [2]: the SHA-1 of the responder's key.
		b.AddASN1(cbasn1.Tag(2).ContextSpecific().Constructed(), octets(r.keyID))
		b.AddASN1GeneralizedTime(producedAt)
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			for _, a := range answers {
				a.add(b, thisUpdate)
			}
		})
		if nonce != nil {
			b.AddASN1(explicit1, func(b *cryptobyte.Builder) {
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { addExtension(b, oidOCSPNonce, false, octets(nonce)) })
			})
		}
	})
	der, err := tbs.Bytes()
	if err != nil {
		return nil, err
	}
	signature, err := sign(nil, r.key, RSAPKCS1SHA256, der)
	if err != nil {
		return nil, err
	}
	var out cryptobyte.Builder
	out.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Enum(ocspSuccessful)
		b.AddASN1(explicit0, func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1ObjectIdentifier(oidOCSPBasic)
				b.AddASN1(cbasn1.OCTET_STRING, func(b *cryptobyte.Builder) {
					b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
						b.AddBytes(der)
						addSHA256RSA(b)
						b.AddASN1BitString(signature)
						b.AddASN1(explicit0, func(b *cryptobyte.Builder) {
							b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddBytes(r.der) })
						})
					})
				})
			})
		})
	})
	return out.Bytes()
}

// add writes a SingleResponse.
func (a answer) add(b *cryptobyte.Builder, thisUpdate time.Time) {
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(a.certID)
		switch {
		case !a.known:
			b.AddASN1(implicit2, func(*cryptobyte.Builder) {}) // unknown [2] IMPLICIT NULL
		case a.state.Status == Good:
			b.AddASN1(implicit0, func(*cryptobyte.Builder) {}) // good [0] IMPLICIT NULL
		default: // revoked [1]: a hold is revoked with reason certificateHold
			b.AddASN1(explicit1, func(b *cryptobyte.Builder) {
				b.AddASN1GeneralizedTime(a.state.Date)
				if a.state.Reason != Unspecified {
					b.AddASN1(explicit0, func(b *cryptobyte.Builder) { b.AddASN1Enum(int64(a.state.Reason)) })
				}
			})
		}
		b.AddASN1GeneralizedTime(thisUpdate)
		b.AddASN1(explicit0, func(b *cryptobyte.Builder) { b.AddASN1GeneralizedTime(thisUpdate.Add(ocspPeriod)) })
	})
}

// ocspError writes an OCSPResponse without responseBytes.
func ocspError(status int64) []byte {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1Enum(status) })
	return b.BytesOrPanic()
}
