package main

import (
	"bufio"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	stdpkix "crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"hash"
	"math/big"
	"os"
	"path/filepath"
	"time"

	"github.com/tashika-jp/tashika/certs/pkix"
	"github.com/tashika-jp/tashika/certs/sandbox"
	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// authority issues the lists, and certificates to ask about. Its key is as J-LIS's: RSA-2048, with SHA-256.
type authority struct {
	key    *rsa.PrivateKey
	der    []byte // its certificate
	own    *x509.Certificate
	scribe *scribe // of the dates last written
}

func newAuthority(now time.Time) (*authority, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: now.AddDate(-10, 0, 0), NotAfter: now.AddDate(10, 0, 0), IsCA: true, BasicConstraintsValid: true,
		Subject:            stdpkix.Name{Country: []string{"JP"}, Organization: []string{"Tashika Bench"}, OrganizationalUnit: []string{"Lists of any length"}},
		KeyUsage:           x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		SignatureAlgorithm: x509.SHA256WithRSA,
	}
	a := &authority{key: key}
	if a.der, err = x509.CreateCertificate(rand.Reader, template, template, key.Public(), key); err != nil {
		return nil, err
	}
	a.own, err = x509.ParseCertificate(a.der)
	return a, err
}

// save writes the authority's certificate, DER for us and PEM for OpenSSL.
func (a *authority) save(dir string) (der, text string, err error) {
	der, text = filepath.Join(dir, "ca.cer"), filepath.Join(dir, "ca.pem")
	if err := os.WriteFile(der, a.der, 0o600); err != nil {
		return "", "", err
	}
	return der, text, os.WriteFile(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.der}), 0o600)
}

// partitionName is the directoryName of a partition's distribution point.
func partitionName(partition int) pkix.Name {
	n, err := pkix.ParseName(fmt.Sprintf("CN=Partition %d CRLDP,OU=CRL Distribution Points,O=Tashika Bench,C=JP", partition))
	if err != nil {
		panic(err) // a constant and a number
	}
	return n
}

// addPoint writes distributionPoint [0] { fullName [0] { directoryName [4] } } (RFC 5280 section 4.2.1.13).
func addPoint(b *cryptobyte.Builder, n pkix.Name) {
	explicit := func(n uint8) cbasn1.Tag { return cbasn1.Tag(n).ContextSpecific().Constructed() }
	b.AddASN1(explicit(0), func(b *cryptobyte.Builder) {
		b.AddASN1(explicit(0), func(b *cryptobyte.Builder) {
			b.AddASN1(explicit(4), func(b *cryptobyte.Builder) { b.AddBytes(n) })
		})
	})
}

var (
	oidSHA256RSA = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 11}
	oidNumber    = asn1.ObjectIdentifier{2, 5, 29, 20}
	oidIDP       = asn1.ObjectIdentifier{2, 5, 29, 28}
	oidAKI       = asn1.ObjectIdentifier{2, 5, 29, 35}
)

func addSHA256RSA(b *cryptobyte.Builder) {
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(oidSHA256RSA)
		b.AddASN1NULL()
	})
}

func addExtension(b *cryptobyte.Builder, oid asn1.ObjectIdentifier, critical bool, value func(*cryptobyte.Builder)) {
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(oid)
		if critical {
			b.AddASN1Boolean(true)
		}
		b.AddASN1(cbasn1.OCTET_STRING, value)
	})
}

// listValidity is the time from thisUpdate to nextUpdate.
const listValidity = 36 * time.Hour

// before is what stands in a list's tbsCertList before the entries.
func (a *authority) before(l *listing) ([]byte, error) {
	var b cryptobyte.Builder
	b.AddASN1Int64(1) // v2
	addSHA256RSA(&b)
	b.AddBytes(a.own.RawSubject)
	b.AddASN1UTCTime(l.ThisUpdate)
	b.AddASN1UTCTime(l.ThisUpdate.Add(listValidity))
	return b.Bytes()
}

// behind is what stands there after them.
func (a *authority) behind(l *listing) ([]byte, error) {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.Tag(0).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			addExtension(b, oidAKI, false, func(b *cryptobyte.Builder) {
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1(cbasn1.Tag(0).ContextSpecific(), func(b *cryptobyte.Builder) { b.AddBytes(a.own.SubjectKeyId) })
				})
			})
			addExtension(b, oidNumber, false, func(b *cryptobyte.Builder) { b.AddASN1Int64(l.Number) })
			addExtension(b, oidIDP, true, func(b *cryptobyte.Builder) {
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { addPoint(b, partitionName(l.Partition)) })
			})
		})
	})
	return b.Bytes()
}

// appendHeader appends tag and length (X.690 section 8.1.3); cryptobyte ends at 4 GiB.
func appendHeader(to []byte, tag byte, length int64) []byte {
	if length < 0x80 {
		return append(to, tag, byte(length))
	}
	n := 1
	for length>>(8*n) > 0 {
		n++
	}
	to = append(to, tag, 0x80|byte(n))
	for n--; n >= 0; n-- {
		to = append(to, byte(length>>(8*n)))
	}
	return to
}

const (
	chunkSize = 1 << 20
	entryRoom = 64 // an entry is not longer
)

// write writes a list, signed, to a file, and returns its size. The octets are hashed and written while the next are made; none is
// kept.
func (a *authority) write(ctx context.Context, path string, l *listing) (size int64, err error) {
	before, err := a.before(l)
	if err != nil {
		return 0, err
	}
	behind, err := a.behind(l)
	if err != nil {
		return 0, err
	}
	var algorithm cryptobyte.Builder
	addSHA256RSA(&algorithm)
	tail := algorithm.BytesOrPanic()
	tail = append(appendHeader(tail, 0x03, int64(a.key.Size())+1), 0) // a BIT STRING without unused bits
	entries := appendHeader(nil, 0x30, l.Octets)
	content := int64(len(before)+len(entries)) + l.Octets + int64(len(behind))
	tbs := appendHeader(nil, 0x30, content)
	outer := appendHeader(nil, 0x30, int64(len(tbs))+content+int64(len(tail)+a.key.Size()))

	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	out := bufio.NewWriterSize(file, chunkSize)
	out.Write(outer) // a failure stays, and Flush tells of it
	sum := sha256.New()
	chunks, done := make(chan []byte, 4), make(chan error, 1)
	spare := make(chan []byte, 6)
	go func() { done <- take(out, sum, chunks, spare) }()
	chunk := append(append(append(make([]byte, 0, min(l.Octets+4*entryRoom, chunkSize)), tbs...), before...), entries...)
	if a.scribe == nil || a.scribe.since != l.Since {
		a.scribe = newScribe(l.Since)
	}
	for key := l.First; key < l.End; key++ {
		if !l.lists(key) {
			continue
		}
		if len(chunk) > chunkSize-entryRoom {
			chunks <- chunk
			select {
			case chunk = <-spare:
			default:
				chunk = make([]byte, 0, chunkSize)
			}
			if ctx.Err() != nil {
				break
			}
		}
		chunk = a.scribe.entry(chunk, l, key)
	}
	chunks <- chunk
	chunks <- behind
	close(chunks)
	if err := <-done; err != nil {
		return 0, err
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	signature, err := rsa.SignPKCS1v15(nil, a.key, crypto.SHA256, sum.Sum(nil))
	if err != nil {
		return 0, err
	}
	out.Write(tail)
	out.Write(signature)
	if err := out.Flush(); err != nil {
		return 0, err
	}
	if size, err = file.Seek(0, 1); err != nil {
		return 0, err
	}
	if want := int64(len(outer)+len(tbs)) + content + int64(len(tail)+len(signature)); size != want {
		return 0, fmt.Errorf("the list is of %d octets, not of %d", size, want)
	}
	return size, file.Close()
}

// take hashes and writes chunks and gives them back.
func take(out *bufio.Writer, sum hash.Hash, chunks <-chan []byte, spare chan<- []byte) error {
	var failed error
	for chunk := range chunks {
		sum.Write(chunk)
		if failed == nil {
			_, failed = out.Write(chunk)
		}
		select {
		case spare <- chunk[:0]:
		default:
		}
	}
	return failed
}

// holder is a phone's key and certificate, as the profile of user authentication wants it.
func (a *authority) holder(serial []byte, partition int, key *rsa.PrivateKey) ([]byte, error) {
	policies, err := encoded(func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.OBJECT_IDENTIFIER, func(b *cryptobyte.Builder) { b.AddBytes([]byte(pkix.MustOID(sandbox.PolicyMobileAuth))) })
		})
	})
	if err != nil {
		return nil, err
	}
	points, err := encoded(func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { addPoint(b, partitionName(partition)) })
	})
	if err != nil {
		return nil, err
	}
	now := time.Now()
	return x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes(serial), NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(4, 0, 0),
		Subject:  stdpkix.Name{Country: []string{"JP"}, CommonName: "bench"},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		ExtraExtensions: []stdpkix.Extension{
			{Id: asn1.ObjectIdentifier{2, 5, 29, 32}, Critical: true, Value: policies},
			{Id: asn1.ObjectIdentifier{2, 5, 29, 31}, Value: points},
		},
		SignatureAlgorithm: x509.SHA256WithRSA,
	}, a.own, key.Public(), a.key)
}

// encoded is a SEQUENCE.
func encoded(content func(*cryptobyte.Builder)) ([]byte, error) {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, content)
	return b.Bytes()
}
