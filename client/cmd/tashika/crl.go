package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/tashika-jp/tashika/certs/crl"
	"github.com/tashika-jp/tashika/certs/reason"
)

// listFile is a revocation list that was read from a file, with an index of it in a temporary one: lists have gigabytes, and
// whoever looks at one must not need as much memory. Nothing of it may be used after close.
type listFile struct {
	name      string
	list      *crl.List
	image     *crl.Image
	size      int64  // of the DER
	sum       string // SHA-256 of the DER
	indexSize int64
	temporary []*os.File
	unmap     func()
}

// openList reads a list, DER or the first of a PEM file. The error is crl.ErrFormat where the list is at fault.
func (i *invocation) openList(name string) (*listFile, error) {
	in, total := i.stdin, int64(0)
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		if info, err := f.Stat(); err == nil {
			total = info.Size()
		}
		in = f
	}
	seen := &progress{ctx: i.ctx, in: in, name: name, total: total, began: time.Now()}
	if terminal(i.stderr) {
		seen.out = i.stderr
	}
	defer seen.end()
	l := &listFile{name: name, unmap: func() {}}
	if err := l.read(seen); err != nil {
		l.close()
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return l, nil
}

// read makes the index of what is read.
func (l *listFile) read(from io.Reader) error {
	index, err := l.temp()
	if err != nil {
		return err
	}
	sum := sha256.New()
	der := &counter{in: io.TeeReader(derOf(bufio.NewReaderSize(from, 1<<18)), sum)}
	options := crl.BuildOptions{Output: index, Scratch: func() (crl.Storage, error) {
		f, err := l.temp()
		if err != nil {
			return nil, err // and no Storage that is a nil file
		}
		return f, nil
	}}
	if l.list, l.indexSize, err = crl.Build(der, options); err != nil {
		return err
	}
	l.size, l.sum = der.n, hex.EncodeToString(sum.Sum(nil))
	data, unmap, err := mapFile(index, int(l.indexSize))
	if err != nil {
		return err
	}
	l.unmap = unmap
	l.image, err = crl.OpenImage(data)
	return err
}

// temp makes a temporary file, which has no name from the beginning where the system lets it be so.
func (l *listFile) temp() (*os.File, error) {
	f, err := os.CreateTemp("", "tashika-crl-*")
	if err == nil {
		_ = os.Remove(f.Name()) // else close does it
		l.temporary = append(l.temporary, f)
	}
	return f, err
}

func (l *listFile) close() {
	l.unmap()
	for _, f := range l.temporary {
		f.Close()
		_ = os.Remove(f.Name()) // gone already, but where temp could not
	}
}

// derOf is the DER of a list: what begins as a SEQUENCE is that, and anything else the first list of a PEM file.
func derOf(r *bufio.Reader) io.Reader {
	if first, err := r.Peek(1); err != nil || first[0] == 0x30 {
		return r
	}
	const begin = "-----BEGIN X509 CRL-----"
	for range 1 << 16 { // lines of text before it
		line, err := r.ReadSlice('\n')
		if string(bytes.TrimSpace(line)) == begin {
			return unarmoured{base64.NewDecoder(base64.StdEncoding, &armour{in: r})}
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			break
		}
	}
	return failing{fmt.Errorf("%w: neither DER nor a PEM file with an X509 CRL", crl.ErrFormat)}
}

type failing struct{ error }

func (f failing) Read([]byte) (int, error) { return 0, f.error }

// armour is the base64 of a PEM file, up to the line that ends it.
type armour struct {
	in    io.Reader
	ended bool
}

func (a *armour) Read(p []byte) (int, error) {
	if a.ended {
		return 0, io.EOF
	}
	n, err := a.in.Read(p)
	if end := bytes.IndexByte(p[:n], '-'); end >= 0 {
		a.ended = true
		return end, nil
	}
	return n, err
}

// unarmoured is what is in it: where that is no base64, the list is at fault and not the reading.
type unarmoured struct{ in io.Reader }

func (u unarmoured) Read(p []byte) (int, error) {
	n, err := u.in.Read(p)
	if wrong := base64.CorruptInputError(0); errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &wrong) {
		err = fmt.Errorf("%w: %w", crl.ErrFormat, err)
	}
	return n, err
}

type counter struct {
	in io.Reader
	n  int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.in.Read(p)
	c.n += int64(n)
	return n, err
}

// progress reads on until the invocation ends, and says on a terminal how far it has come where that takes long.
type progress struct {
	ctx     context.Context
	in      io.Reader
	out     io.Writer // nil: nobody looks
	name    string
	total   int64 // 0: not known
	n       int64
	began   time.Time
	said    time.Time
	written bool
}

func (p *progress) Read(b []byte) (int, error) {
	if err := p.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := p.in.Read(b)
	p.n += int64(n)
	if p.out != nil {
		if now := time.Now(); now.Sub(p.began) > 2*time.Second && now.Sub(p.said) > time.Second/2 {
			p.said, p.written = now, true
			of := ""
			if p.total > 0 {
				of = fmt.Sprintf(" of %d (%d %%)", p.total>>20, 100*p.n/p.total)
			}
			fmt.Fprintf(p.out, "\r\x1b[K%s: %d%s MiB", clean(p.name), p.n>>20, of)
		}
	}
	return n, err
}

// end takes the line off the terminal again.
func (p *progress) end() {
	if p.written {
		fmt.Fprint(p.out, "\r\x1b[K")
	}
}

// finding is a reason as the API tells it.
type finding struct {
	ID   reason.ID `json:"id"`
	Text struct {
		JA string `json:"ja"`
		EN string `json:"en"`
	} `json:"text"`
	SpecReference string `json:"specReference"`
}

func findings(ids []reason.ID) []finding {
	out := make([]finding, len(ids))
	for n, id := range ids {
		r := reason.Get(id)
		out[n].ID, out[n].SpecReference = id, r.Spec
		out[n].Text.JA, out[n].Text.EN = r.JA, r.EN
	}
	return out
}

func (p printer) findings(label string, all []finding) {
	for _, f := range all {
		p.field(label, string(f.ID), f.Text.JA, f.Text.EN, f.SpecReference)
	}
}
