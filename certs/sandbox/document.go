package sandbox

import (
	"bytes"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"io"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// A document is the DER of a signed list, in parts. Those that are long are made while they are read, so a list of
// ten million entries takes no more memory than an empty one.
type document struct {
	parts []*io.SectionReader
	size  int64
	etag  string
}

// ReadAt reads across the parts (io.ReaderAt).
func (d *document) ReadAt(p []byte, off int64) (n int, err error) {
	for _, part := range d.parts {
		if off >= part.Size() {
			off -= part.Size()
			continue
		}
		want := p[n:]
		if left := part.Size() - off; int64(len(want)) > left {
			want = want[:left]
		}
		read, err := part.ReadAt(want, off)
		n += read
		if read < len(want) {
			return n, err
		}
		if off = 0; n == len(p) {
			return n, nil
		}
	}
	return n, io.EOF
}

// first are the first octets of the document.
func (d *document) first(size int64) *io.SectionReader { return io.NewSectionReader(d, 0, size) }

func (d *document) bytes() ([]byte, error) { return io.ReadAll(d.first(d.size)) }

func (d *document) add(part io.ReaderAt, size int64) {
	d.parts = append(d.parts, io.NewSectionReader(part, 0, size))
	d.size += size
}

func (d *document) addBytes(der []byte) { d.add(bytes.NewReader(der), int64(len(der))) }

// sign writes the CRL (RFC 5280 section 5.1), hashes it and signs.
func (l *list) sign(i *issue, key *rsa.PrivateKey) (*document, error) {
	g := l.generation
	entries := int64(0)
	for _, c := range i.crowds {
		entries += c.size()
	}
	var own []byte
	for _, e := range i.entries {
		own = e.append(own)
	}
	entries += int64(len(own))

	var fields, extensions cryptobyte.Builder
	fields.AddASN1Int64(1) // v2
	addSHA256RSA(&fields)
	g.ca.name.add(&fields)
	addTime(&fields, i.thisUpdate)
	addTime(&fields, i.nextUpdate)
	extensions.AddASN1(explicit0, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			addExtension(b, oidAKI, false, func(b *cryptobyte.Builder) {
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1(implicit0, func(b *cryptobyte.Builder) { b.AddBytes(g.claimKeyID) })
				})
			})
			addExtension(b, oidCRLNumber, false, func(b *cryptobyte.Builder) { b.AddASN1Int64(i.number) })
			// RFC 5280 section 5.2.5: critical. onlyContainsUserCerts stays FALSE
			// (absent): the profile gives no reason to narrow the scope, and a
			// verifier must cope with the widest.
			addExtension(b, oidIDP, true, func(b *cryptobyte.Builder) {
				b.AddASN1(cbasn1.SEQUENCE, l.point.addDistributionPointName)
			})
		})
	})
	head, err := fields.Bytes()
	if err != nil {
		return nil, err
	}
	tail, err := extensions.Bytes()
	if err != nil {
		return nil, err
	}
	// RFC 5280 section 5.1.2.6: with nothing revoked the field MUST be absent.
	if entries > 0 {
		head = append(head, sequenceHeader(entries)...)
	}

	tbs := new(document)
	tbs.addBytes(append(sequenceHeader(int64(len(head))+entries+int64(len(tail))), head...))
	for _, c := range i.crowds {
		tbs.add(c, c.size())
	}
	tbs.addBytes(append(own, tail...))

	hash := sha256.New()
	if _, err := io.Copy(hash, tbs.first(tbs.size)); err != nil {
		return nil, err
	}
	signature, err := signDigest(nil, key, RSAPKCS1SHA256, hash.Sum(nil))
	if err != nil {
		return nil, err
	}
	var end cryptobyte.Builder
	addSHA256RSA(&end)
	end.AddASN1BitString(signature)
	ending, err := end.Bytes()
	if err != nil {
		return nil, err
	}
	d := &document{etag: etagOf(signature)}
	d.addBytes(sequenceHeader(tbs.size + int64(len(ending))))
	d.parts = append(d.parts, tbs.parts...)
	d.size += tbs.size
	d.addBytes(ending)
	return d, nil
}

// etagOf makes an entity tag of a signature, which no two different lists share.
func etagOf(signature []byte) string {
	sum := sha256.Sum256(signature)
	return `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`
}

// sequenceHeader is the identifier and the shortest length (X.690 section 10.1) of a SEQUENCE.
func sequenceHeader(size int64) []byte {
	if size < 0x80 {
		return []byte{0x30, byte(size)}
	}
	length := integerContents(uint64(size))
	if length[0] == 0 {
		length = length[1:]
	}
	return append([]byte{0x30, byte(0x80 | len(length))}, length...)
}

// append writes a line of revokedCertificates. It is written out because a country's lists have millions.
func (e entry) append(der []byte) []byte {
	der = append(der, 0x30, 0) // shorter than 128 octets
	start := len(der)
	serial := integerContents(e.serial)
	der = append(append(der, 0x02, byte(len(serial))), serial...)
	// RFC 5280 section 5.1.2.6: UTCTime through 2049, GeneralizedTime from 2050 on.
	date := e.date.UTC()
	if date.Year() < 2050 {
		der = date.AppendFormat(append(der, 0x17, 13), "060102150405Z")
	} else {
		der = date.AppendFormat(append(der, 0x18, 15), "20060102150405Z")
	}
	// RFC 5280 section 5.3.1: absent rather than unspecified (0).
	if e.reason != Unspecified {
		der = append(der, 0x30, 12, 0x30, 10, 0x06, 3, 0x55, 0x1d, 0x15, 0x04, 3, 0x0a, 1, byte(e.reason))
	}
	der[start-1] = byte(len(der) - start)
	return der
}
