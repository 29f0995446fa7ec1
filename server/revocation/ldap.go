package revocation

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"sync/atomic"
	"unicode/utf8"

	"github.com/tashika-jp/tashika/certs/pkix"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// A directoryName distribution point means an entry of a directory, and the list is an attribute of it (RFC 5280
// section 4.2.1.13, RFC 4523 section 2). To read one attribute of one entry takes two requests and three answers of LDAP,
// and they are written out here: a library for all of LDAP takes a message into memory whole before it shows the first
// octet, several times over, and this one message may be gigabytes. What we send is DER; what comes is
// BER of definite length (RFC 4511 section 5.1), and the value goes to disk as it comes.
//
// Not done: referrals (they would let a server say whom we connect to), StartTLS (ldaps does as well, and lists
// are signed), credentials.

// The attributes that a list may be in (RFC 4523 sections 2.2 and 2.3).
var ldapAttributes = []string{"certificateRevocationList;binary", "authorityRevocationList;binary"}

// Tags of LDAP, RFC 4511 section 4 and its ASN.1.
const (
	ldapBindRequest     asn1.Tag = 0x60
	ldapBindResponse    asn1.Tag = 0x61
	ldapUnbindRequest   asn1.Tag = 0x42
	ldapSearchRequest   asn1.Tag = 0x63
	ldapSearchEntry     asn1.Tag = 0x64
	ldapSearchDone      asn1.Tag = 0x65
	ldapSearchReference asn1.Tag = 0x73
	ldapSimple          asn1.Tag = 0x80
	ldapPresent         asn1.Tag = 0x87
)

// ldapOverhead is what an answer may have beside the list.
const ldapOverhead = 64 << 10

// ldapTarget is what an LDAP URL names (RFC 4516).
type ldapTarget struct {
	address   string // host:port
	host      string
	tls       bool
	dn        string // RFC 4514
	attribute string
}

// parseLDAP reads ldap://host[:port]/dn?attribute?base. Where it has no DN, the partition is it: a distribution point's directoryName is
// the name of the entry.
func parseLDAP(u *url.URL, partition pkix.Name) (*ldapTarget, error) {
	t := &ldapTarget{host: u.Hostname(), tls: u.Scheme == "ldaps", dn: strings.TrimPrefix(u.Path, "/"), attribute: ldapAttributes[0]}
	port := u.Port()
	if or(&port, "389"); t.tls && u.Port() == "" {
		port = "636"
	}
	t.address = net.JoinHostPort(t.host, port)
	if t.dn == "" {
		t.dn = partition.String()
	}
	parts := append(strings.Split(u.RawQuery, "?"), "", "", "")
	known := parts[0] == ""
	for _, a := range ldapAttributes {
		if strings.EqualFold(parts[0], a) {
			t.attribute, known = a, true
		}
	}
	switch {
	case t.host == "":
		return nil, errors.New("an LDAP URL needs a host")
	case t.dn == "" || !utf8.ValidString(t.dn) || len(t.dn) > 4<<10:
		return nil, errors.New("an LDAP URL needs the name of an entry, or the source a partition that is it")
	case !known:
		return nil, fmt.Errorf("the attribute of an LDAP URL is %s", strings.Join(ldapAttributes, " or "))
	case parts[1] != "" && parts[1] != "base" || strings.Join(parts[2:], "") != "":
		return nil, errors.New("an LDAP URL names one entry: its scope is base, without filter and extensions")
	}
	return t, nil
}

// String is the whole URL, which tells two entries of one server apart.
func (t *ldapTarget) String() string {
	scheme := "ldap"
	if t.tls {
		scheme = "ldaps"
	}
	return (&url.URL{Scheme: scheme, Host: t.address, Path: "/" + t.dn, RawQuery: t.attribute + "?base"}).String()
}

// fetchLDAP gets a list from a directory. LDAP has no conditional request: an unchanged list is known by its digest.
func (l *Living) fetchLDAP(ctx context.Context, c *conf, s *Source, _ validators, arrived *atomic.Int64) (*fetched, error) {
	conn, err := c.Dial(ctx, "tcp", s.ldap.address)
	if err != nil {
		return nil, err
	}
	defer func() { conn.Close() }()
	if s.ldap.tls {
		config := c.TLS.Clone()
		config.ServerName = s.ldap.host
		secure := tls.Client(conn, config)
		if err := secure.HandshakeContext(ctx); err != nil {
			return nil, err
		}
		conn = secure
	}
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	in := &berReader{from: bufio.NewReaderSize(&inflow{conn, arrived, s.MaxSize + ldapOverhead}, 64<<10)}

	if _, err := conn.Write(ldapBind(1)); err != nil {
		return nil, err
	}
	tag, end, err := in.message(1)
	if err == nil && tag != ldapBindResponse {
		err = errProtocol
	}
	if err == nil {
		err = in.result(end)
	}
	if err != nil {
		return nil, err
	}
	if _, err := conn.Write(ldapSearch(2, s.ldap)); err != nil {
		return nil, err
	}
	body, err := l.searchResult(in, s)
	if err != nil {
		if body != nil {
			body.discard()
		}
		return nil, err
	}
	_, _ = conn.Write(ldapUnbind(3)) // a courtesy
	return &fetched{body: body}, nil
}

// searchResult reads the answers to the search: an entry with the list, and that this was all. The caller discards
// the spool, also with an error.
func (l *Living) searchResult(in *berReader, s *Source) (body *spool, err error) {
	for {
		tag, end, err := in.message(2)
		if err != nil {
			return body, err
		}
		switch {
		case tag == ldapSearchEntry && body == nil:
			if body, err = l.entry(in, end, s); err != nil {
				return body, err
			}
		case tag == ldapSearchReference:
			return body, errReferral
		case tag == ldapSearchDone:
			if err := in.result(end); err != nil {
				return body, err
			}
			if body == nil {
				return nil, errNoList
			}
			return body, nil
		default:
			return body, errProtocol
		}
	}
}

// entry reads SearchResultEntry (RFC 4511 section 4.5.2). The values of an attribute have no order (section 4.1.7), so of two
// lists none is the one: which it is, is for the source to say.
func (l *Living) entry(in *berReader, end int64, s *Source) (body *spool, err error) {
	if _, err := in.short(asn1.OCTET_STRING, end); err != nil { // its name
		return nil, err
	}
	attributes, err := in.open(asn1.SEQUENCE, end)
	if err != nil {
		return nil, err
	}
	for in.at < attributes {
		attribute, err := in.open(asn1.SEQUENCE, attributes)
		if err != nil {
			return body, err
		}
		name, err := in.short(asn1.OCTET_STRING, attribute)
		if err != nil {
			return body, err
		}
		values, err := in.open(asn1.SET, attribute)
		if err != nil {
			return body, err
		}
		if !strings.EqualFold(string(name), s.ldap.attribute) {
			return body, errProtocol // nobody asked for it
		}
		for in.at < values {
			if body != nil {
				return body, errManyLists
			}
			value, err := in.open(asn1.OCTET_STRING, values)
			switch {
			case err != nil:
				return body, err
			case value-in.at > s.MaxSize:
				return body, errTooLarge
			}
			whole := value - in.at
			if body, err = l.take(io.LimitReader(in, whole), s.MaxSize); err != nil {
				return body, err
			}
			if in.at != value {
				return body, io.ErrUnexpectedEOF
			}
		}
	}
	return body, in.skip(end)
}

// berReader reads BER as it comes. What is read has to end where what it is in ends.
type berReader struct {
	from *bufio.Reader
	at   int64 // octets read
}

// Read implements io.Reader.
func (b *berReader) Read(p []byte) (int, error) {
	n, err := b.from.Read(p)
	b.at += int64(n)
	return n, err
}

func (b *berReader) octet() (byte, error) {
	c, err := b.from.ReadByte()
	if err == nil {
		b.at++
	} else if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return c, err
}

// header reads a tag and a length, and returns where the content ends, at most at the given end.
func (b *berReader) header(end int64) (tag asn1.Tag, content int64, err error) {
	first, err := b.octet()
	if err != nil {
		return 0, 0, err
	}
	length, err := b.octet()
	if err != nil {
		return 0, 0, err
	}
	n := int64(length)
	if length >= 0x80 {
		// RFC 4511 section 5.1 (1): never indefinite. Leading zeros are allowed.
		if length == 0x80 || length > 0x88 {
			return 0, 0, errProtocol
		}
		n = 0
		for range length & 0x7f {
			c, err := b.octet()
			if err != nil {
				return 0, 0, err
			}
			if n = n<<8 | int64(c); n > 1<<48 {
				return 0, 0, errProtocol
			}
		}
	}
	if b.at+n > end {
		return 0, 0, errProtocol
	}
	return asn1.Tag(first), b.at + n, nil
}

// open is header for an element whose tag is known.
func (b *berReader) open(want asn1.Tag, end int64) (content int64, err error) {
	tag, content, err := b.header(end)
	if err == nil && tag != want {
		err = errProtocol
	}
	return content, err
}

// short reads an element of a few octets.
func (b *berReader) short(want asn1.Tag, end int64) ([]byte, error) {
	content, err := b.open(want, end)
	if err != nil {
		return nil, err
	}
	if content-b.at > ldapOverhead {
		return nil, errProtocol
	}
	out := make([]byte, content-b.at)
	_, err = io.ReadFull(b, out)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return out, err
}

// skip reads on to an end.
func (b *berReader) skip(end int64) error {
	_, err := io.CopyN(io.Discard, b, end-b.at)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// message opens LDAPMessage and returns what it is and where it ends, the controls included.
func (b *berReader) message(id byte) (tag asn1.Tag, end int64, err error) {
	end, err = b.open(asn1.SEQUENCE, b.at+1<<48)
	if err != nil {
		return 0, 0, err
	}
	got, err := b.short(asn1.INTEGER, end)
	switch {
	case err != nil:
		return 0, 0, err
	case string(got) == "\x00": // RFC 4511 section 4.4.1: Notice of Disconnection
		return 0, 0, io.ErrUnexpectedEOF
	case string(got) != string(rune(id)):
		return 0, 0, errProtocol
	}
	tag, _, err = b.header(end)
	return tag, end, err
}

// result reads LDAPResult and whatever else there is before the end.
func (b *berReader) result(end int64) error {
	code, err := b.short(asn1.ENUM, end)
	switch {
	case err != nil:
		return err
	case len(code) != 1:
		return errProtocol
	case code[0] != 0:
		return ldapResult(code[0])
	}
	return b.skip(end)
}

// ldapResult is a result code other than success (RFC 4511 appendix A). The text that comes with it is somebody else's.
type ldapResult byte

// Error names the code by its number.
func (e ldapResult) Error() string { return fmt.Sprintf("LDAP result %d", byte(e)) }

// ldapMessage writes a request; names and attributes were bounded, so it cannot fail.
func ldapMessage(id int64, tag asn1.Tag, content func(*cryptobyte.Builder)) []byte {
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(id)
		b.AddASN1(tag, content)
	})
	return b.BytesOrPanic()
}

// ldapBind is an anonymous bind to version 3 (RFC 4513 section 5.1.1).
func ldapBind(id int64) []byte {
	return ldapMessage(id, ldapBindRequest, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(3)
		b.AddASN1OctetString(nil)
		b.AddASN1(ldapSimple, func(*cryptobyte.Builder) {})
	})
}

// ldapSearch asks for one attribute of one entry, whatever the entry is.
func ldapSearch(id int64, t *ldapTarget) []byte {
	return ldapMessage(id, ldapSearchRequest, func(b *cryptobyte.Builder) {
		b.AddASN1OctetString([]byte(t.dn))
		b.AddASN1Enum(0)        // scope: baseObject
		b.AddASN1Enum(0)        // derefAliases: never
		b.AddASN1Int64(1)       // sizeLimit
		b.AddASN1Int64(0)       // timeLimit: ours
		b.AddASN1Boolean(false) // typesOnly
		b.AddASN1(ldapPresent, func(b *cryptobyte.Builder) { b.AddBytes([]byte("objectClass")) })
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1OctetString([]byte(t.attribute)) })
	})
}

func ldapUnbind(id int64) []byte {
	return ldapMessage(id, ldapUnbindRequest, func(*cryptobyte.Builder) {})
}
