package sandbox

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"encoding/asn1"
	"fmt"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// A CMSFaultKind is what is wrong with a CMS message.
type CMSFaultKind int

const (
	CMSHealthy        CMSFaultKind = iota
	CMSContentChanged              // the content inside is not the one that was signed
	CMSWrongDigest                 // rightly signed, but the message digest is that of another content
	CMSNoContentType               // rightly signed, but the signed attributes lack the content type
	CMSTwoSigners                  // the signer stands there twice
	CMSNoSigner                    // certificates and content, and nobody signed
	cmsFaultKinds
)

// CMSOptions say how a phone's CMS message is made. The zero value is what an app for
// identity verification makes: the sign key's signature over signed attributes, content and
// certificate inside.
type CMSOptions struct {
	Authority     Authority // whose key signs
	Algorithm     Algorithm
	Detached      bool // the content is not inside
	NoCertificate bool // nor the certificate
	NoAttributes  bool // the signature is over the content itself
	SigningTime   bool // a signed attribute says when, by the world's clock
	Fault         CMSFaultKind
}

var (
	oidData          = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}
	oidSignedData    = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}
	oidContentType   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 3}
	oidMessageDigest = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 4}
	oidSigningTime   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 5}
	oidRSAPSS        = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 10}
	oidMGF1          = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 8}

	explicit2 = cbasn1.Tag(2).ContextSpecific().Constructed()

	hashOIDs = map[crypto.Hash]asn1.ObjectIdentifier{
		crypto.SHA1: {1, 3, 14, 3, 2, 26}, crypto.SHA256: {2, 16, 840, 1, 101, 3, 4, 2, 1},
		crypto.SHA384: {2, 16, 840, 1, 101, 3, 4, 2, 2}, crypto.SHA512: {2, 16, 840, 1, 101, 3, 4, 2, 3},
	}
	ecdsaOIDs = map[crypto.Hash]asn1.ObjectIdentifier{
		crypto.SHA1: {1, 2, 840, 10045, 4, 1}, crypto.SHA256: {1, 2, 840, 10045, 4, 3, 2},
		crypto.SHA384: {1, 2, 840, 10045, 4, 3, 3}, crypto.SHA512: {1, 2, 840, 10045, 4, 3, 4},
	}
)

// SignCMS makes a CMS SignedData (RFC 5652 section 5) over a content: DER, version 1, one
// signer named by issuer and serial number. The secret is the password of the sign key, or
// the PIN if the options name the auth key. What the chip signs is a digest either way: the
// message is the work of an app around it.
func (p *Phone) SignCMS(secret string, content []byte, o CMSOptions) ([]byte, error) {
	if o.Fault < 0 || o.Fault >= cmsFaultKinds {
		return nil, fmt.Errorf("sandbox: %w: %+v", ErrFault, o)
	}
	unlock := p.unlockSign
	if o.Authority == Auth {
		unlock = p.unlockAuth
	}
	c, err := unlock(secret)
	if err != nil {
		return nil, err
	}
	o.Algorithm = o.Algorithm.forKey(c.key)
	hash := o.Algorithm.Hash()
	if hash == 0 {
		return nil, fmt.Errorf("%w: %v", ErrAlgorithm, o.Algorithm)
	}
	attributes, err := p.signedAttributes(hash, content, o)
	if err != nil {
		return nil, err
	}
	message := content
	if attributes != nil {
		// RFC 5652 section 5.4: the signature is over the attributes as a SET OF, not under the [0] of the message.
		if message, err = encoded(func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SET, func(b *cryptobyte.Builder) { b.AddBytes(attributes) })
		}); err != nil {
			return nil, err
		}
	}
	value, err := sign(p.random, c.key, o.Algorithm, message)
	if err != nil {
		return nil, err
	}
	signer, err := encoded(func(b *cryptobyte.Builder) { c.addSignerInfo(b, attributes, value, o.Algorithm) })
	if err != nil {
		return nil, err
	}
	signers := [][]byte{signer}
	switch o.Fault {
	case CMSContentChanged:
		content = append([]byte("not "), content...)
	case CMSTwoSigners:
		signers = [][]byte{signer, signer}
	case CMSNoSigner:
		signers = nil
	}
	return encoded(func(b *cryptobyte.Builder) { c.addSignedData(b, content, signers, o) })
}

// signedAttributes is the content of the SET; nil if there shall be none. X.690 section
// 11.6: in ascending order.
func (p *Phone) signedAttributes(hash crypto.Hash, content []byte, o CMSOptions) ([]byte, error) {
	if o.NoAttributes {
		return nil, nil
	}
	h := hash.New()
	h.Write(content)
	if o.Fault == CMSWrongDigest {
		h.Write([]byte{0})
	}
	type attribute struct {
		id    asn1.ObjectIdentifier
		value func(*cryptobyte.Builder)
	}
	list := []attribute{{oidMessageDigest, octets(h.Sum(nil))}}
	if o.Fault != CMSNoContentType {
		list = append(list, attribute{oidContentType, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(oidData) }})
	}
	if o.SigningTime {
		list = append(list, attribute{oidSigningTime, func(b *cryptobyte.Builder) { addTime(b, p.world.clock()) }})
	}
	var elements [][]byte
	for _, a := range list {
		der, err := encoded(func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1ObjectIdentifier(a.id)
				b.AddASN1(cbasn1.SET, a.value)
			})
		})
		if err != nil {
			return nil, err
		}
		elements = append(elements, der)
	}
	slices.SortFunc(elements, bytes.Compare)
	return slices.Concat(elements...), nil
}

// addSignedData writes the ContentInfo (RFC 5652 sections 3, 5.1, 5.2).
func (c *credential) addSignedData(b *cryptobyte.Builder, content []byte, signers [][]byte, o CMSOptions) {
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(oidSignedData)
		b.AddASN1(explicit0, func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1Int64(1)
				b.AddASN1(cbasn1.SET, func(b *cryptobyte.Builder) { addHash(b, o.Algorithm.Hash()) })
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1ObjectIdentifier(oidData)
					if !o.Detached {
						b.AddASN1(explicit0, octets(content))
					}
				})
				if !o.NoCertificate {
					b.AddASN1(explicit0, func(b *cryptobyte.Builder) { b.AddBytes(c.cert.DER) })
				}
				b.AddASN1(cbasn1.SET, func(b *cryptobyte.Builder) { b.AddBytes(slices.Concat(signers...)) })
			})
		})
	})
}

// addSignerInfo writes a SignerInfo of version 1 (RFC 5652 section 5.3).
func (c *credential) addSignerInfo(b *cryptobyte.Builder, attributes, value []byte, a Algorithm) {
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(1)
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			authorityName(c.cert.Authority).add(b)
			b.AddASN1Uint64(c.cert.Serial)
		})
		addHash(b, a.Hash())
		if attributes != nil {
			b.AddASN1(explicit0, func(b *cryptobyte.Builder) { b.AddBytes(attributes) })
		}
		c.addSignatureAlgorithm(b, a)
		b.AddASN1OctetString(value)
	})
}

// addSignatureAlgorithm: RFC 5754 section 3.2 for PKCS #1, RFC 4056 section 3 for PSS, RFC
// 5754 section 3.3 for ECDSA.
func (c *credential) addSignatureAlgorithm(b *cryptobyte.Builder, a Algorithm) {
	hash := a.Hash()
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		_, isRSA := c.key.(*rsa.PrivateKey)
		switch {
		case !isRSA:
			b.AddASN1ObjectIdentifier(ecdsaOIDs[hash])
		case algorithms[a].scheme == pkcs1:
			b.AddASN1ObjectIdentifier(oidRSA)
			b.AddASN1NULL()
		default:
			b.AddASN1ObjectIdentifier(oidRSAPSS)
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				if hash == crypto.SHA1 { // all of it is DEFAULT
					return
				}
				b.AddASN1(explicit0, func(b *cryptobyte.Builder) { addHash(b, hash) })
				b.AddASN1(explicit1, func(b *cryptobyte.Builder) {
					b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
						b.AddASN1ObjectIdentifier(oidMGF1)
						addHash(b, hash)
					})
				})
				b.AddASN1(explicit2, func(b *cryptobyte.Builder) { b.AddASN1Int64(int64(hash.Size())) })
			})
		}
	})
}

// addHash writes a hash's AlgorithmIdentifier. RFC 5754 section 2: parameters are left out.
func addHash(b *cryptobyte.Builder, hash crypto.Hash) {
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(hashOIDs[hash]) })
}

func encoded(write func(*cryptobyte.Builder)) ([]byte, error) {
	var b cryptobyte.Builder
	write(&b)
	return b.Bytes()
}
