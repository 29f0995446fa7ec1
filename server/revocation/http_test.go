package revocation

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func gzipped(t testing.TB, data []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	if _, err := z.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestCompressed: what comes by gzip is as what comes without, and what only says so changes nothing.
func TestCompressed(t *testing.T) {
	a := newAuthority(t)
	serials := make([]int64, 2000)
	for i := range serials {
		serials[i] = int64(i + 1)
	}
	der := a.list(t, listing{number: 2, serials: serials})
	small := gzipped(t, der)
	if len(small) > len(der)/2 {
		t.Fatalf("%d octets of %d: too little to see anything by", len(small), len(der))
	}
	changed := bytes.Clone(small)
	changed[len(changed)-6] ^= 1 // of CRC-32
	broken := bytes.Clone(small)
	copy(broken[40:60], bytes.Repeat([]byte{0xff}, 20))
	bomb := gzipped(t, make([]byte, 64<<20))
	as := func(coding string, body []byte) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, r *http.Request) {
			if got := r.Header.Get("Accept-Encoding"); got != "gzip" {
				t.Errorf("Accept-Encoding %q", got)
			}
			w.Header()["Content-Encoding"] = []string{coding}
			w.Write(body)
		}
	}
	for _, test := range []struct {
		name string
		page func(http.ResponseWriter, *http.Request)
		want Failure // "": taken in
	}{
		{"good_gzip", as("gzip", small), ""},
		{"good_x_gzip", as("X-GZIP", small), ""},
		{"good_identity", as("identity", der), ""},
		{"good_members", as("gzip", append(gzipped(t, der[:100]), gzipped(t, der[100:])...)), ""},
		{"bad_bomb", as("gzip", bomb), FetchTooLarge},
		{"bad_empty_members_without_end", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			none := bytes.Repeat(gzipped(t, nil), 1000)
			for range 100 { // more than the cap allows compressed
				if _, err := w.Write(none); err != nil {
					return
				}
			}
		}, FetchTooLarge},
		{"bad_cut_off", as("gzip", small[:len(small)/2]), FetchInterrupted},
		{"bad_cut_off_in_header", as("gzip", small[:5]), FetchInterrupted},
		{"bad_nothing", as("gzip", nil), FetchInterrupted},
		{"bad_without_trailer", as("gzip", small[:len(small)-8]), FetchInterrupted},
		{"bad_checksum", as("gzip", changed), FetchProtocol},
		{"bad_deflate", as("gzip", broken), FetchProtocol},
		{"bad_trailing_octets", as("gzip", append(bytes.Clone(small), "and more besides"...)), FetchProtocol},
		{"bad_not_gzip", as("gzip", der), FetchProtocol},
		{"bad_not_said", as("", small), "CRL_FORMAT_FAILURE"},
		{"bad_twice", as("gzip, gzip", gzipped(t, small)), FetchProtocol},
		{"bad_not_asked_for", as("br", der), FetchProtocol},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSite()
			s.page("/", test.page)
			l := start(t, Config{Anchors: setOf(t, a), Sources: []Source{{Name: "x", URL: serveOn(t, s) + "/", MaxSize: 256 << 10}}})
			err := l.Refresh(context.Background(), "x")
			if test.want == "" && err != nil || test.want != "" && !errors.Is(err, &Error{Failures: []Failure{test.want}}) {
				t.Errorf("error %v, want %s", err, test.want)
			}
			if got := sourceState(t, l, "x"); test.want == "" && got.Entries != len(serials) || test.want != "" && got.State != Missing {
				t.Errorf("%+v", got)
			}
		})
	}
}

// TestCapIsOnTheList: to the octet, and what is compressed may be larger than the list.
func TestCapIsOnTheList(t *testing.T) {
	a := newAuthority(t)
	der := a.list(t, listing{number: 2, serials: []int64{10}}) // too short to become smaller
	for _, coding := range []string{"", "gzip"} {
		for spare, want := range map[int64]bool{0: true, -1: false} {
			s := newSite()
			s.page("/", func(w http.ResponseWriter, r *http.Request) {
				body := der
				if coding != "" {
					body = gzipped(t, der)
				}
				w.Header()["Content-Encoding"] = []string{coding}
				w.Header().Set("Content-Length", strconv.Itoa(len(body)))
				w.Write(body)
			})
			l := start(t, Config{Anchors: setOf(t, a), HTTPClient: s.client(), Sources: []Source{{Name: "x", URL: "http://ca.example/", MaxSize: int64(len(der)) + spare}}})
			if err := l.Refresh(context.Background(), "x"); (err == nil) != want || err != nil && !errors.Is(err, &Error{Failures: []Failure{FetchTooLarge}}) {
				t.Errorf("%q with a cap of %+d: %v", coding, spare, err)
			}
		}
	}
}

// TestValidators: what the next request asks with.
func TestValidators(t *testing.T) {
	a := newAuthority(t)
	der := a.list(t, listing{number: 2})
	const noon, second, long = "Mon, 23 Nov 2026 12:00:00 GMT", "Mon, 23 Nov 2026 12:00:01 GMT", "\"" + "0123456789abcdef"
	for _, test := range []struct {
		name, etag, modified, date string
		wantETag, wantModified     string
	}{
		{"strong", `"abc"`, noon, second, `"abc"`, ""},
		{"weak", `W/"abc"`, "", second, `W/"abc"`, ""},
		{"time", "", noon, second, "", noon},
		{"time of the same second", "", noon, noon, "", ""},
		{"time to come", "", second, noon, "", ""},
		{"no time", "", "yesterday", second, "", ""},
		{"no date", "", noon, "", "", ""},
		{"nothing", "", "", "", "", ""},
		{"long", long + strings.Repeat("0", 1<<10) + `"`, "", second, "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSite()
			s.page("/", func(w http.ResponseWriter, r *http.Request) {
				for name, value := range map[string]string{"ETag": test.etag, "Last-Modified": test.modified, "Date": test.date} {
					if value != "" {
						w.Header().Set(name, value)
					}
				}
				w.Write(der)
			})
			l := start(t, Config{Anchors: setOf(t, a), HTTPClient: s.client(), Sources: []Source{{Name: "x", URL: "http://ca.example/"}}})
			refresh(t, l)
			refresh(t, l)
			h := s.requests[1].Header
			if h.Get("If-None-Match") != test.wantETag || h.Get("If-Modified-Since") != test.wantModified {
				t.Errorf("asks with %q and %q", h.Get("If-None-Match"), h.Get("If-Modified-Since"))
			}
		})
	}
}

// slow is a body that gives so many octets each second, up to its size.
type slow struct {
	ctx        context.Context
	rate, left int
}

func (b *slow) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, io.EOF
	}
	time.Sleep(time.Second)
	if err := b.ctx.Err(); err != nil {
		return 0, err
	}
	n := min(b.rate, b.left, len(p))
	b.left -= n
	return n, nil
}

func (*slow) Close() error { return nil }

// TestStall: what arrives too slowly ends long before the timeout, and what only takes its time does not.
func TestStall(t *testing.T) {
	a := newAuthority(t)
	for _, test := range []struct {
		name       string
		rate, size int
		want       Failure
		ends       time.Duration
	}{
		{"nothing", 0, 1, FetchTimeout, 20 * time.Second},
		{"an octet a second", 1, 1 << 20, FetchTimeout, 20 * time.Second},
		{"a little too slow", slowest - 1, 1 << 20, FetchTimeout, 20 * time.Second},
		{"just fast enough", slowest + slowest/8, slowest * 30, "CRL_FORMAT_FAILURE", 30 * time.Second},
		{"fast, but not to an end", slowest * 2, 1 << 30, FetchTimeout, time.Minute},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client := &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
					return &http.Response{StatusCode: 200, ContentLength: -1, Header: http.Header{}, Request: r, Body: &slow{r.Context(), test.rate, test.size}}, nil
				})}
				l := start(t, Config{Anchors: setOf(t, a), HTTPClient: client, Clock: time.Now,
					Sources: []Source{{Name: "x", URL: "http://ca.example/", Stall: 20 * time.Second, Timeout: time.Minute}}})
				began := time.Now()
				if err := l.Refresh(context.Background(), "x"); !errors.Is(err, &Error{Failures: []Failure{test.want}}) {
					t.Errorf("error %v, want %s", err, test.want)
				}
				if took := time.Since(began); took < test.ends-5*time.Second || took > test.ends+2*time.Second {
					t.Errorf("ended after %v", took)
				}
			})
		})
	}
}
