package crl

import (
	"encoding/binary"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// What an index tells of its list, so that OpenImage does not need the list, is described in FORMAT.md. Most of it is the list without
// its entries, which Parse reads: what is before and behind them has one reader and one set of rules.
const (
	metaVersion = 1
	metaSize    = 11 // of what is before the digest
)

// flags tell what of the entries is needed without them.
const (
	flagUnknownCriticalEntry = 1 << iota
	flagCertificateIssuer
	flagRemoveFromCRL
	flagOffProfile
)

func (l *List) meta() []byte {
	var flags byte
	for flag, set := range map[byte]bool{
		flagUnknownCriticalEntry: l.UnknownCriticalEntry, flagCertificateIssuer: l.CertificateIssuer, flagRemoveFromCRL: l.RemoveFromCRL, flagOffProfile: l.offProfile,
	} {
		if set {
			flags |= flag
		}
	}
	digest := l.Digest()
	meta := binary.BigEndian.AppendUint64([]byte{metaVersion, flags}, uint64(l.EntryCount))
	meta = append(append(meta, byte(len(digest))), digest...)
	b := cryptobyte.NewBuilder(meta)
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddBytes(l.head)
			b.AddBytes(l.extensions)
		})
		b.AddBytes(l.SignatureAlgorithm.Raw)
		b.AddBytes(l.signatureValue)
	})
	return b.BytesOrPanic()
}

// readMeta is the list that meta octets tell of. The error is ErrDamaged.
func readMeta(meta []byte) (*List, error) {
	if len(meta) < metaSize || meta[0] != metaVersion || len(meta) < metaSize+int(meta[metaSize-1]) {
		return nil, ErrDamaged
	}
	flags, entries, digest := meta[1], binary.BigEndian.Uint64(meta[2:]), meta[metaSize:metaSize+int(meta[metaSize-1])]
	l, err := Parse(meta[metaSize+len(digest):])
	if err != nil || l.RawEntries != nil {
		return nil, ErrDamaged
	}
	l.Raw, l.RawTBS = nil, nil
	l.EntryCount = int(entries)
	l.UnknownCriticalEntry = flags&flagUnknownCriticalEntry != 0
	l.CertificateIssuer = flags&flagCertificateIssuer != 0
	l.RemoveFromCRL = flags&flagRemoveFromCRL != 0
	l.offProfile = flags&flagOffProfile != 0
	if len(digest) > 0 {
		l.digest = digest
	}
	return l, nil
}
