package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/tashika-jp/tashika/certs/anchors"
	"github.com/tashika-jp/tashika/certs/crl"
	"github.com/tashika-jp/tashika/certs/pkix"
	"github.com/tashika-jp/tashika/certs/profile"
	"github.com/tashika-jp/tashika/certs/sandbox"
	"github.com/tashika-jp/tashika/certs/signature"
	"github.com/tashika-jp/tashika/server/revocation"
)

// task is what a process of its own is to do.
type task struct {
	Anchor string     `json:"anchor"` // the authority's certificate
	Drop   string     `json:"drop"`   // the drop directory with the lists
	State  string     `json:"state"`  // the state directory
	Lists  []*listing `json:"lists"`
	Probes int        `json:"probes"` // of each kind
}

// fileOf is the name of a partition's list in the drop directory.
func (l *listing) file() string { return fmt.Sprintf("partition%d.crl", l.Partition) }

// anchorsOf is the set of the one authority.
func (t *task) anchors() (*anchors.Set, error) {
	der, err := os.ReadFile(t.Anchor)
	if err != nil {
		return nil, err
	}
	return anchors.New(anchors.Config{
		Set: "bench", Sources: []anchors.Source{{DER: der, CA: anchors.Auth}},
		Policies: map[profile.Kind][]pkix.OID{
			profile.MobileAuth: {pkix.MustOID(sandbox.PolicyMobileAuth)},
			profile.MobileSign: {pkix.MustOID(sandbox.PolicyMobileSign)},
		},
	})
}

const sourceName = "bench"

// room is the server's own keeper of lists, configured as tashikad configures it.
func (t *task) room() (*revocation.Living, *anchors.Anchor, error) {
	set, err := t.anchors()
	if err != nil {
		return nil, nil, err
	}
	living, err := revocation.New(revocation.Config{
		Anchors: set, Allow: signature.AllowList{signature.PKCS1SHA256}, StateDir: t.State,
		Sources: []revocation.Source{{Name: sourceName, Directory: t.Drop, MaxSize: maxListSize, MaxLists: max(len(t.Lists), 1), Required: true}},
		Logger:  slog.New(slog.DiscardHandler), // what goes wrong is in the errors
	})
	return living, set.All()[0], err
}

// indexes are those that serve for the lists, asked for as a request does, each answering for an entry of its list; nil as long as
// one is missing.
func (t *task) indexes(living *revocation.Living, anchor *anchors.Anchor) ([]*crl.Index, error) {
	out := make([]*crl.Index, len(t.Lists))
	for i, l := range t.Lists {
		point := pkix.GeneralName{Kind: pkix.DirectoryName, Value: partitionName(l.Partition)}
		c := &pkix.Certificate{Version: 3, Issuer: anchor.Certificate.Subject}
		c.AuthorityKeyID = anchor.Certificate.SubjectKeyID
		c.DistributionPoints = []pkix.DistributionPoint{{FullName: []pkix.GeneralName{point}}}
		if out[i], _ = living.List(anchor, c); out[i] == nil || out[i].Entries() != l.Entries {
			return nil, nil
		}
		key := l.First
		for !l.lists(key) {
			key++
		}
		if e, found, err := out[i].Lookup(l.serial(nil, key)); err != nil || !found || !same(e, l.statement(key)) {
			return nil, fmt.Errorf("the first entry of a list is not found as it is: %w", err)
		}
	}
	return out, nil
}

func same(a, b crl.Entry) bool {
	return a.Reason == b.Reason && a.RevocationTime.Equal(b.RevocationTime)
}

// loaded is what came of taking the lists in.
type loaded struct {
	Seconds float64 `json:"seconds"`
	Before  int64   `json:"before"` // anonymous memory
}

// load starts a server's room and takes the lists into service, until each has answered: those of the drop directory, or those whose DER the
// state directory has and whose indexes it lacks.
func load(ctx context.Context) error {
	var t task
	if err := given(&t); err != nil {
		return err
	}
	var out loaded
	var err error
	if out.Before, err = memory("self", "RssAnon"); err != nil {
		return err
	}
	began := time.Now()
	living, anchor, err := t.room()
	if err != nil {
		return err
	}
	defer living.Close()
	if err := living.Refresh(ctx, sourceName); err != nil {
		return err
	}
	all, err := t.indexes(living, anchor)
	out.Seconds = time.Since(began).Seconds()
	if err == nil && all == nil {
		err = errors.New("a list is not in service")
	}
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(out)
}

// lookUp opens the state directory of a server that ended, as a start does, and asks.
func lookUp(ctx context.Context) error {
	var t task
	if err := given(&t); err != nil {
		return err
	}
	began := time.Now()
	living, anchor, err := t.room()
	if err != nil {
		return err
	}
	defer living.Close()
	all, err := t.indexes(living, anchor)
	opened := time.Since(began)
	if err == nil && all == nil {
		err = errors.New("a list did not survive the restart")
	}
	if err != nil {
		return err
	}
	out, err := probe(ctx, t.Lists, all, t.Probes)
	if err != nil {
		return err
	}
	out.Open = opened.Seconds()
	return json.NewEncoder(os.Stdout).Encode(out)
}

// parts are the steps of taking lists in, without the server around them.
type parts struct {
	Build        float64 `json:"build"` // read, hash, index, write
	Sync         float64 `json:"sync"`
	Open         float64 `json:"open"`
	Authenticate float64 `json:"authenticate"`
	IndexSize    int64   `json:"index_size"`
}

// takeApart does the steps with the engine alone.
func takeApart(ctx context.Context) error {
	var t task
	if err := given(&t); err != nil {
		return err
	}
	set, err := t.anchors()
	if err != nil {
		return err
	}
	var out parts
	for _, l := range t.Lists {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := out.add(&t, l, set.All()[0]); err != nil {
			return err
		}
	}
	return json.NewEncoder(os.Stdout).Encode(out)
}

func (p *parts) add(t *task, l *listing, anchor *anchors.Anchor) error {
	source, err := os.Open(filepath.Join(t.Drop, l.file()))
	if err != nil {
		return err
	}
	defer source.Close()
	output, err := scratch(t.State)
	if err != nil {
		return err
	}
	defer output.Close()
	lap := stopwatch()
	_, size, err := crl.Build(source, crl.BuildOptions{Output: output, Scratch: func() (crl.Storage, error) { return scratch(t.State) }})
	if err != nil {
		return err
	}
	p.IndexSize += size
	p.Build += lap()
	if err := output.Sync(); err != nil {
		return err
	}
	p.Sync += lap()
	data, err := mapped(output, size)
	if err != nil {
		return err
	}
	image, err := crl.OpenImage(data)
	if err != nil {
		return err
	}
	p.Open += lap()
	index, found := image.Authenticate(anchor.Certificate, anchor.Key, signature.AllowList{signature.PKCS1SHA256})
	p.Authenticate += lap()
	if index == nil || index.Entries() != l.Entries {
		return fmt.Errorf("the list is refused: %v", found)
	}
	return nil
}

// scratch is a file without a name.
func scratch(dir string) (*os.File, error) {
	f, err := os.CreateTemp(dir, "scratch")
	if err != nil {
		return nil, err
	}
	return f, os.Remove(f.Name())
}

// stopwatch tells the seconds since it was last asked.
func stopwatch() func() float64 {
	last := time.Now()
	return func() float64 {
		began := last
		last = time.Now()
		return last.Sub(began).Seconds()
	}
}

// floor is what anybody has to do: read the files and hash them, in pieces of a mebibyte.
func floor(paths []string) (seconds float64, octets int64, err error) {
	began := time.Now()
	buffer := make([]byte, 1<<20)
	sum := sha256.New()
	for _, path := range paths {
		n, err := hashFile(sum, path, buffer)
		if err != nil {
			return 0, 0, err
		}
		octets += n
	}
	return time.Since(began).Seconds(), octets, nil
}

func hashFile(sum hash.Hash, path string, buffer []byte) (int64, error) {
	file, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	sum.Reset()
	// Without its own WriterTo, which would choose another size.
	n, err := io.CopyBuffer(sum, struct{ io.Reader }{file}, buffer)
	sum.Sum(nil)
	return n, err
}
