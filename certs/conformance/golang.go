package conformance

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	_ "crypto/sha1" // hashes that the suites name
	_ "crypto/sha256"
	_ "crypto/sha512"
	"crypto/x509"
	"errors"
	"math/big"
	"runtime"
	"slices"

	"golang.org/x/crypto/ocsp"
)

// Go is what a Go program does without an engine of its own: crypto/x509 for the path, the
// check against lists that is found in most programs, x/crypto/ocsp, crypto/rsa and
// crypto/ecdsa.
type Go struct{}

// Name implements Judge.
func (Go) Name() string { return "Go" }

// Version implements Judge.
func (Go) Version(context.Context) (string, error) { return runtime.Version(), nil }

// Judge implements Judge.
func (Go) Judge(ctx context.Context, cases []Case, done func()) ([]Answer, error) {
	return each(ctx, cases, done, func(_ context.Context, c Case) (Answer, error) {
		var err error
		switch {
		case c.PublicKey != nil:
			err = goSignature(c)
		case c.Revocation == "ocsp":
			err = goOCSP(c)
		default:
			err = goVerify(c)
		}
		if err != nil {
			return Answer{Why: err.Error()}, nil
		}
		return Answer{Accept: true}, nil
	})
}

// goVerify accepts if a chain is found of which every certificate, the anchor aside, has a
// current list by its issuer that does not name it.
func goVerify(c Case) error {
	leaf, err := x509.ParseCertificate(c.Certificate)
	if err != nil {
		return err
	}
	pool := func(ders [][]byte) *x509.CertPool {
		p := x509.NewCertPool()
		for _, der := range ders {
			if cert, err := x509.ParseCertificate(der); err == nil {
				p.AddCert(cert)
			}
		}
		return p
	}
	options := x509.VerifyOptions{
		Roots: pool(c.TrustAnchors), Intermediates: pool(c.Intermediates), CurrentTime: c.Time,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}, DNSName: c.ServerName,
	}
	if slices.Contains(c.ExtendedKeyUsage, serverAuth) {
		options.KeyUsages = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	}
	if c.Policy != nil {
		for _, text := range c.Policy.InitialPolicySet {
			oid, err := x509.ParseOID(text)
			if err != nil {
				return err
			}
			if text != anyPolicy {
				options.CertificatePolicies = append(options.CertificatePolicies, oid)
			}
		}
	}
	chains, err := leaf.Verify(options)
	if err != nil || c.Revocation != "crl" {
		return err
	}
	var lists []*x509.RevocationList
	for _, der := range c.CRLs {
		list, err := x509.ParseRevocationList(der)
		if err != nil {
			return err
		}
		lists = append(lists, list)
	}
	for _, chain := range chains {
		if err = notRevoked(chain, lists, c); err == nil {
			return nil
		}
	}
	return err
}

func notRevoked(chain []*x509.Certificate, lists []*x509.RevocationList, c Case) error {
	for i, cert := range chain[:len(chain)-1] {
		found := false
		for _, list := range lists {
			if !bytes.Equal(list.RawIssuer, cert.RawIssuer) || list.CheckSignatureFrom(chain[i+1]) != nil ||
				c.Time.Before(list.ThisUpdate) || c.Time.After(list.NextUpdate) {
				continue
			}
			found = true
			for _, entry := range list.RevokedCertificateEntries {
				if entry.SerialNumber.Cmp(cert.SerialNumber) == 0 {
					return errors.New("revoked")
				}
			}
		}
		if !found {
			return errors.New("no list")
		}
		if c.Scope == "leaf" {
			break
		}
	}
	return nil
}

// goOCSP is x/crypto/ocsp as it is. That the certificate is the issuer's it does not ask; a
// program that has checked the path before has, and would refuse six cases more.
func goOCSP(c Case) error {
	cert, err := x509.ParseCertificate(c.Certificate)
	if err != nil {
		return err
	}
	issuer, err := x509.ParseCertificate(c.issuer())
	if err != nil {
		return err
	}
	response, err := ocsp.ParseResponseForCert(c.OCSPResponses[0], cert, issuer)
	switch {
	case err != nil:
		return err
	case response.Status != ocsp.Good:
		return errors.New("not good")
	case c.Time.Before(response.ThisUpdate) || !response.NextUpdate.IsZero() && c.Time.After(response.NextUpdate):
		return errors.New("not current")
	}
	return nil
}

var goHashes = map[string]crypto.Hash{
	"SHA-1": crypto.SHA1, "SHA-224": crypto.SHA224, "SHA-256": crypto.SHA256, "SHA-384": crypto.SHA384, "SHA-512": crypto.SHA512,
}

// goSignature passes what crypto/rsa and crypto/ecdsa can be told. They cannot be told a hash
// for MGF1, nor a salt length of 0, which means any.
func goSignature(c Case) error {
	hash, known := goHashes[c.Algorithm.Hash]
	if !known {
		return errors.New("unknown hash")
	}
	h := hash.New()
	h.Write(c.Message)
	digest := h.Sum(nil)
	key, err := x509.ParsePKIXPublicKey(c.PublicKey)
	if err != nil {
		return err
	}
	switch key := key.(type) {
	case *rsa.PublicKey:
		if c.Algorithm.Type == "rsa-pkcs1" {
			return rsa.VerifyPKCS1v15(key, hash, digest, c.Signature)
		}
		if c.Algorithm.MGFHash != c.Algorithm.Hash {
			return errors.New("MGF1 with another hash is not supported")
		}
		return rsa.VerifyPSS(key, hash, digest, c.Signature, &rsa.PSSOptions{SaltLength: *c.Algorithm.SaltLength})
	case *ecdsa.PublicKey:
		ok := false
		if c.Algorithm.Type == "ecdsa-p1363" {
			half := len(c.Signature) / 2
			ok = half == (key.Curve.Params().BitSize+7)/8 && len(c.Signature) == 2*half &&
				ecdsa.Verify(key, digest, new(big.Int).SetBytes(c.Signature[:half]), new(big.Int).SetBytes(c.Signature[half:]))
		} else {
			ok = ecdsa.VerifyASN1(key, digest, c.Signature)
		}
		if !ok {
			return errors.New("verification error")
		}
		return nil
	}
	return errors.New("unknown key")
}

func ecdsaKey(spki []byte) (*ecdsa.PublicKey, error) {
	key, err := x509.ParsePKIXPublicKey(spki)
	if err != nil {
		return nil, err
	}
	if key, ok := key.(*ecdsa.PublicKey); ok {
		return key, nil
	}
	return nil, errors.New("no ECDSA key")
}
