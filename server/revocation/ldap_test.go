package revocation

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// ldapWord writes an LDAPMessage as servers do.
func ldapWord(id int64, tag asn1.Tag, content ...func(*cryptobyte.Builder)) []byte {
	return ldapMessage(id, tag, func(b *cryptobyte.Builder) {
		for _, f := range content {
			f(b)
		}
	})
}

func ldapOutcome(code byte) func(*cryptobyte.Builder) {
	return func(b *cryptobyte.Builder) {
		b.AddASN1Enum(int64(code))
		b.AddASN1OctetString([]byte("C=JP"))
		b.AddASN1OctetString([]byte("a server's words"))
	}
}

// ldapValues is the content of a SearchResultEntry with one attribute.
func ldapValues(name string, values ...[]byte) func(*cryptobyte.Builder) {
	return func(b *cryptobyte.Builder) {
		b.AddASN1OctetString([]byte("CN=North,C=JP"))
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1OctetString([]byte(name))
				b.AddASN1(asn1.SET, func(b *cryptobyte.Builder) {
					for _, v := range values {
						b.AddASN1OctetString(v)
					}
				})
			})
		})
	}
}

// padded writes the length of an element in four octets, as some servers do.
func padded(message []byte) []byte {
	var content cryptobyte.String
	in := cryptobyte.String(message)
	in.ReadASN1(&content, asn1.SEQUENCE)
	n := len(content)
	return append([]byte{0x30, 0x84, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}, content...)
}

// directory is an LDAP server that says what it is told to, word for word: to a bind, and to a search.
type directory struct {
	bind, search func(io.Writer)

	mu    sync.Mutex
	asked []string // base and attribute of each search, guarded by mu
}

func (d *directory) serve(t testing.TB, c net.Conn) {
	defer c.Close()
	in := &berReader{from: bufio.NewReader(c)}
	for id := byte(1); ; id++ {
		tag, end, err := in.message(id)
		if err != nil {
			return
		}
		switch tag {
		case ldapBindRequest:
			rest := make([]byte, end-in.at)
			if _, err := io.ReadFull(in, rest); err != nil || !bytes.Equal(rest, []byte{2, 1, 3, 4, 0, 0x80, 0}) {
				t.Errorf("bind of % x, %v", rest, err)
			}
			d.bind(c)
		case ldapSearchRequest:
			base, _ := in.short(asn1.OCTET_STRING, end)
			rest := make([]byte, end-in.at)
			io.ReadFull(in, rest)
			const fixed = "\x0a\x01\x00\x0a\x01\x00\x02\x01\x01\x02\x01\x00\x01\x01\x00\x87\x0bobjectClass\x30"
			attribute, ok := strings.CutPrefix(string(rest), fixed)
			if !ok || len(attribute) < 3 {
				t.Errorf("search of % x", rest)
				return
			}
			d.mu.Lock()
			d.asked = append(d.asked, string(base)+"?"+attribute[3:])
			d.mu.Unlock()
			d.search(c)
		case ldapUnbindRequest:
			return
		default:
			t.Errorf("request %#x", tag)
			return
		}
	}
}

// dial connects without a network, so also inside a synctest bubble.
func (d *directory) dial(t testing.TB) func(context.Context, string, string) (net.Conn, error) {
	return func(context.Context, string, string) (net.Conn, error) {
		here, there := net.Pipe()
		go d.serve(t, there)
		return here, nil
	}
}

func says(words ...[]byte) func(io.Writer) {
	return func(w io.Writer) {
		for _, word := range words {
			w.Write(word)
		}
	}
}

func TestLDAP(t *testing.T) {
	a := newAuthority(t)
	north := nameFrom(t, "CN=North,C=JP")
	der := a.list(t, listing{number: 5, scope: north, serials: []int64{10}})
	other := a.list(t, listing{number: 6, scope: north})
	const attribute = "certificateRevocationList;binary"
	bound, done := ldapWord(1, ldapBindResponse, ldapOutcome(0)), ldapWord(2, ldapSearchDone, ldapOutcome(0))
	entry := func(name string, values ...[]byte) []byte {
		return ldapWord(2, ldapSearchEntry, ldapValues(name, values...))
	}
	good := entry(attribute, der)
	indefinite := append([]byte{0x30, 0x80}, good[4:]...)
	longer := bytes.Clone(good)
	longer[3]++ // the message ends behind what is in it
	control := append([]byte{0x30, 0x82, byte((len(good) - 4 + 2) >> 8), byte(len(good) - 4 + 2)}, append(bytes.Clone(good[4:]), 0xa0, 0)...)
	endless := append([]byte{0x30, 0x88, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, good[4:]...)
	for _, test := range []struct {
		name         string
		bind, search func(io.Writer)
		want         Failure // "": taken in
	}{
		{name: "good", search: says(good, done)},
		{name: "good_long_lengths", bind: says(padded(bound)), search: says(padded(good), padded(done))},
		{name: "good_controls", search: says(control, done)},
		{name: "good_octet_by_octet", search: func(w io.Writer) {
			for _, c := range append(bytes.Clone(good), done...) {
				w.Write([]byte{c})
			}
		}},
		{name: "good_other_case", search: says(entry("CertificateRevocationList;BINARY", der), done)},
		{name: "bad_bind_refused", bind: says(ldapWord(1, ldapBindResponse, ldapOutcome(48))), want: FetchLDAPResult},
		{name: "bad_bind_rubbish", bind: says([]byte("HTTP/1.1 400 Bad Request\r\n")), want: FetchProtocol},
		{name: "bad_bind_of_another_kind", bind: says(ldapWord(1, ldapSearchDone, ldapOutcome(0))), want: FetchProtocol},
		{name: "bad_bind_without_answer", bind: func(w io.Writer) { w.(io.Closer).Close() }, want: FetchInterrupted},
		{name: "bad_no_such_object", search: says(ldapWord(2, ldapSearchDone, ldapOutcome(32))), want: FetchLDAPResult},
		{name: "bad_busy_after_the_list", search: says(good, ldapWord(2, ldapSearchDone, ldapOutcome(51))), want: FetchLDAPResult},
		{name: "bad_referral", search: says(ldapWord(2, ldapSearchDone, ldapOutcome(10))), want: FetchLDAPResult},
		{name: "bad_reference", search: says(ldapWord(2, ldapSearchReference, func(b *cryptobyte.Builder) { b.AddASN1OctetString([]byte("ldap://elsewhere.example/")) })), want: FetchLDAPResult},
		{name: "bad_no_entry", search: says(done), want: FetchLDAPResult},
		{name: "bad_no_value", search: says(entry(attribute), done), want: FetchLDAPResult},
		{name: "bad_two_values", search: says(entry(attribute, der, other), done), want: FetchLDAPResult},
		{name: "bad_two_entries", search: says(good, good, done), want: FetchProtocol},
		{name: "bad_other_attribute", search: says(entry("userPassword", der), done), want: FetchProtocol},
		{name: "bad_not_binary", search: says(entry("certificateRevocationList", der), done), want: FetchProtocol},
		{name: "bad_rubbish", search: says(bytes.Repeat([]byte{0xaa}, 1000)), want: FetchProtocol},
		{name: "bad_indefinite", search: says(indefinite), want: FetchProtocol},
		{name: "bad_longer_than_it_is", search: says(longer, done), want: FetchProtocol},
		{name: "bad_another_answer", search: says(ldapWord(3, ldapSearchEntry, ldapValues(attribute, der)), done), want: FetchProtocol},
		{name: "bad_disconnection", search: says(ldapWord(0, 0x78, ldapOutcome(52))), want: FetchInterrupted},
		{name: "bad_truncated", search: func(w io.Writer) { w.Write(good[:len(good)/2]); w.(io.Closer).Close() }, want: FetchInterrupted},
		{name: "bad_no_end", search: func(w io.Writer) { w.Write(good); w.(io.Closer).Close() }, want: FetchInterrupted},
		{name: "bad_large", search: says(entry(attribute, make([]byte, 9000)), done), want: FetchTooLarge},
		{name: "bad_large_by_its_word", search: says(endless[:60], []byte("and no more")), want: FetchProtocol},
		{name: "bad_without_end", search: func(w io.Writer) {
			w.Write([]byte{0x30, 0x85, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 1, 2, 0x65, 0x85, 0xfe, 0xff, 0xff, 0xff, 0xff, 0x0a, 1, 0})
			for {
				if _, err := w.Write(make([]byte, 4096)); err != nil {
					return
				}
			}
		}, want: FetchTooLarge},
		{name: "bad_list", search: says(entry(attribute, der[:len(der)-1]), done), want: "CRL_FORMAT_FAILURE"},
		{name: "bad_silent", search: func(io.Writer) {}, want: FetchTimeout},
		{name: "bad_slow", search: func(w io.Writer) {
			for _, c := range good {
				time.Sleep(time.Second)
				if _, err := w.Write([]byte{c}); err != nil {
					return
				}
			}
		}, want: FetchTimeout},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &directory{bind: test.bind, search: test.search}
				if d.bind == nil {
					d.bind = says(bound)
				}
				logs := new(journal)
				l := start(t, Config{Anchors: setOf(t, a), Dial: d.dial(t), Logger: logs.logger(),
					Sources: []Source{{Name: "x", URL: "ldap://directory.example/", Partition: north, MaxSize: 8 << 10}}})
				err := l.Refresh(context.Background(), "x")
				if test.want == "" && err != nil || test.want != "" && !errors.Is(err, &Error{Failures: []Failure{test.want}}) {
					t.Errorf("error %v, want %s", err, test.want)
				}
				if _, number := revoked(l, a, a.certificate(t, 10, north)); (number == "5") != (test.want == "") {
					t.Errorf("list %q serves", number)
				}
				if strings.Contains(logs.String(), "a server's words") {
					t.Errorf("the log has what a server says: %s", logs)
				}
				if test.want == "" {
					refresh(t, l) // known by its digest
					if s := sourceState(t, l, "x"); s.Fetches != 2 || s.Failures != 0 || strings.Count(logs.String(), "list in service") != 1 {
						t.Errorf("%+v\n%s", s, logs)
					}
				}
				time.Sleep(2 * time.Second) // until the server has seen the end
			})
		})
	}
}

// TestLDAPURL: which entry and attribute a URL means.
func TestLDAPURL(t *testing.T) {
	a := newAuthority(t)
	north := nameFrom(t, `CN=North\, Upper,OU=X,C=JP`)
	for _, test := range []struct{ url, partition, want, address string }{
		{"ldap://h/CN=a,C=JP", "", "CN=a,C=JP?certificateRevocationList;binary", "h:389"},
		{"ldap://h:3389/CN=a,C=JP?certificateRevocationList;binary?base", "", "CN=a,C=JP?certificateRevocationList;binary", "h:3389"},
		{"ldap://h/CN=a,C=JP?authorityRevocationList;BINARY", "", "CN=a,C=JP?authorityRevocationList;binary", "h:389"},
		{"ldap://[::1]/CN=a%3fb%2F%20c,C=JP??base??", "", "CN=a?b/ c,C=JP?certificateRevocationList;binary", "[::1]:389"},
		{"ldap://h", "N", `CN=North\, Upper,OU=X,C=JP?certificateRevocationList;binary`, "h:389"},
		{"ldap://h/CN=a,C=JP", "N", "CN=a,C=JP?certificateRevocationList;binary", "h:389"},
		{"ldaps://h/CN=a,C=JP", "", "CN=a,C=JP?certificateRevocationList;binary", "h:636"},
		{"ldap://h", "", "", ""},
		{"ldap:///CN=a", "", "", ""},
		{"ldap://:389/CN=a", "", "", ""},
		{"ldap://h/CN=a?userPassword", "", "", ""},
		{"ldap://h/CN=a?certificateRevocationList", "", "", ""},
		{"ldap://h/CN=a?certificateRevocationList;binary,objectClass", "", "", ""},
		{"ldap://h/CN=a??sub", "", "", ""},
		{"ldap://h/CN=a??base?(cn=*)", "", "", ""},
		{"ldap://h/CN=a??base??!bindname=cn=x", "", "", ""},
		{"ldap://u@h/CN=a", "", "", ""},
		{"ldap://h/%ff", "", "", ""},
		{"ldapi://h/CN=a", "", "", ""},
	} {
		s := Source{Name: "x", URL: test.url}
		if test.partition != "" {
			s.Partition = north
		}
		c, err := Config{Anchors: setOf(t, a), Allow: allow, Sources: []Source{s}}.complete()
		if (err == nil) != (test.want != "") {
			t.Errorf("%s: %v", test.url, err)
			continue
		}
		if err != nil {
			continue
		}
		target := c.Sources[0].ldap
		if got := target.dn + "?" + target.attribute; got != test.want || target.address != test.address {
			t.Errorf("%s: %s at %s", test.url, got, target.address)
		}
		s.URL = c.Sources[0].URL
		if again, err := (Config{Anchors: setOf(t, a), Allow: allow, Sources: []Source{s}}).complete(); err != nil || again.Sources[0].URL != s.URL || again.Sources[0].ldap.dn != target.dn {
			t.Errorf("%s: written as %s, which is another (%v)", test.url, s.URL, err)
		}
	}
}

// TestLDAPS: over TLS, and only with a server whose certificate is trusted for the name.
func TestLDAPS(t *testing.T) {
	a := newAuthority(t)
	north := nameFrom(t, "CN=North,C=JP")
	der := a.list(t, listing{number: 5, scope: north})
	d := &directory{bind: says(ldapWord(1, ldapBindResponse, ldapOutcome(0))), search: says(
		ldapWord(2, ldapSearchEntry, ldapValues("certificateRevocationList;binary", der)), ldapWord(2, ldapSearchDone, ldapOutcome(0)))}
	web := httptest.NewTLSServer(http.NotFoundHandler()) // for its certificate
	defer web.Close()
	roots := x509.NewCertPool()
	roots.AddCert(web.Certificate())
	listener, err := tls.Listen("tcp", "127.0.0.1:0", web.TLS)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go d.serve(t, c)
		}
	}()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	for _, test := range []struct {
		host  string
		roots *x509.CertPool
		want  bool
	}{{"127.0.0.1", roots, true}, {"localhost", roots, false}, {"127.0.0.1", x509.NewCertPool(), false}} {
		l := start(t, Config{Anchors: setOf(t, a), TLS: &tls.Config{RootCAs: test.roots}, Sources: []Source{{Name: "x", URL: "ldaps://" + test.host + ":" + port, Partition: north}},
			Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, network, listener.Addr().String())
			}})
		if err := l.Refresh(context.Background(), "x"); (err == nil) != test.want || err != nil && !errors.Is(err, &Error{Failures: []Failure{FetchUnreachable}}) {
			t.Errorf("%s: %v", test.host, err)
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.asked) != 1 || d.asked[0] != "CN=North,C=JP?certificateRevocationList;binary" {
		t.Errorf("asked %q", d.asked)
	}
}

// TestLDAPStreams: a list goes to disk as it comes, in the memory of a buffer.
func TestLDAPStreams(t *testing.T) {
	const size = 64 << 20
	st, err := openStore(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer st.close()
	l := &Living{store: st}
	entry := ldapHead(size)
	s := &Source{MaxSize: size, ldap: &ldapTarget{attribute: "certificateRevocationList;binary"}}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	done := ldapWord(2, ldapSearchDone, ldapOutcome(0))
	answers := io.MultiReader(bytes.NewReader(entry), io.LimitReader(zeros{}, size), bytes.NewReader(done))
	body, err := l.searchResult(&berReader{from: bufio.NewReader(answers)}, s)
	if err != nil {
		t.Fatal(err)
	}
	defer body.discard()
	runtime.ReadMemStats(&after)
	if took := after.TotalAlloc - before.TotalAlloc; body.size != size || took > 4<<20 {
		t.Errorf("%d bytes took %d of memory", body.size, took)
	}
}

// zeros is a list without end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// ldapHead is a SearchResultEntry up to its value of so many octets.
func ldapHead(size int) (head []byte) {
	name := append([]byte{4, 32}, "certificateRevocationList;binary"...)
	for _, e := range []struct {
		tag    byte
		before []byte
	}{{4, nil}, {0x31, nil}, {0x30, name}, {0x30, nil}, {0x64, []byte{4, 0}}, {0x30, []byte{2, 1, 2}}} {
		n := len(e.before) + len(head) + size
		head = slices.Concat([]byte{e.tag, 0x84, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}, e.before, head)
	}
	return head
}

// FuzzLDAPAnswers: whatever a directory says, nothing is taken for a list that it did not give whole, and nothing hangs.
func FuzzLDAPAnswers(f *testing.F) {
	list := []byte("a list")
	good := append(ldapWord(2, ldapSearchEntry, ldapValues("certificateRevocationList;binary", list)), ldapWord(2, ldapSearchDone, ldapOutcome(0))...)
	f.Add(good)
	f.Add(good[:len(good)-1])
	f.Add(padded(good))
	f.Add(ldapWord(2, ldapSearchDone, ldapOutcome(32)))
	s := &Source{MaxSize: 32, ldap: &ldapTarget{attribute: "certificateRevocationList;binary"}}
	f.Fuzz(func(t *testing.T, answers []byte) {
		body, err := new(Living).searchResult(&berReader{from: bufio.NewReader(bytes.NewReader(answers))}, s)
		if body == nil {
			if err == nil {
				t.Error("neither a list nor an error")
			}
			return
		}
		defer body.discard()
		if got := body.memory; err == nil && (len(got) > 32 || !bytes.Contains(answers, got)) {
			t.Errorf("% x was not given", got)
		}
	})
}
