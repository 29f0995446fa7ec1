package revocation

import (
	"bytes"
	"context"
	"crypto"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"math"
	"os"
	"runtime"

	"github.com/tashika-jp/tashika/certs/crl"
	"golang.org/x/sync/semaphore"
)

// largeList is from what size in bytes a list is large: one is built at a time, because each takes memory of its own and
// all the processors that it can get.
const largeList = 32 << 20

// anySize is above that of any list.
const anySize = math.MaxInt64

// builds bound the builds under way.
type builds struct{ all, large *semaphore.Weighted }

func newBuilds() *builds {
	return &builds{semaphore.NewWeighted(int64(runtime.GOMAXPROCS(0))), semaphore.NewWeighted(1)}
}

// acquire waits for a place; release gives it back. A large list waits first for its like, so that it keeps no small one waiting.
func (b *builds) acquire(ctx context.Context, size int64) (release func(), err error) {
	large := size >= largeList
	if large {
		if err := b.large.Acquire(ctx, 1); err != nil {
			return nil, err
		}
	}
	err = b.all.Acquire(ctx, 1)
	release = func() {
		if err == nil {
			b.all.Release(1)
		}
		if large {
			b.large.Release(1)
		}
	}
	if err != nil {
		release()
		return nil, err
	}
	return release, nil
}

// draft is a list with the index that was built from it, on its way into service.
type draft struct {
	body   *spool     // the DER
	image  *crl.Image // nobody's word yet
	file   *temp      // the index, in the state directory; nil: in memory
	memory crl.Memory // or else here
	broken error      // why the state directory could not take it
}

// discard drops the index's file, unless it has come into its place.
func (d *draft) discard() {
	d.file.discard()
	d.file = nil
}

// read reads the index that was built.
func (d *draft) read() (io.ReadCloser, error) {
	if d.file == nil {
		return io.NopCloser(bytes.NewReader(d.memory.Bytes())), nil
	}
	return os.Open(d.file.path)
}

// keep leaves list and index where they are.
func (d *draft) keep() { d.body.kept, d.file = true, nil }

// errUnreadable: a list cannot be read from where it was written.
var errUnreadable = errors.New("the list cannot be read back")

// atFault says whether an error is about what the state directory has, and not about what we lack just now.
func atFault(err error) bool {
	for _, fault := range []error{crl.ErrFormat, crl.ErrDamaged, errCorrupt, errDiffers, errUnreadable, os.ErrNotExist} {
		if errors.Is(err, fault) {
			return !errors.Is(err, errNoRoom)
		}
	}
	return false
}

// errNoRoom: the state directory cannot take an index, and in memory it is too large.
var errNoRoom = errors.New("no room to build an index")

// build makes the index of a spooled list: in the state directory, or, where there is none or it fails, in memory if the list is below a
// size in bytes. An error that is crl.ErrFormat is about the list; any other is about us.
func (l *Living) build(ctx context.Context, body *spool, most int64) (*draft, error) {
	release, err := l.builds.acquire(ctx, body.size)
	if err != nil {
		return nil, err
	}
	defer release()
	d := &draft{body: body}
	if l.store.writable() && body.broken == nil {
		err := d.toFile(ctx, l.store)
		if err == nil {
			return d, nil
		}
		d.discard()
		if errors.Is(err, crl.ErrFormat) || errors.Is(err, errUnreadable) || ctx.Err() != nil {
			return nil, err
		}
		d.broken = err
	}
	if body.size >= most {
		return nil, errors.Join(errNoRoom, d.broken)
	}
	size, err := d.write(ctx, &d.memory, nil)
	if err != nil {
		return nil, err
	}
	d.image, err = crl.OpenImage(d.memory.Bytes()[:size])
	return d, err
}

// toFile builds in the state directory and maps what was built.
func (d *draft) toFile(ctx context.Context, s *store) error {
	s.before("build")
	var err error
	if d.file, err = s.newTemp(); err != nil {
		return err
	}
	var scratch []*temp
	defer func() {
		for _, t := range scratch {
			t.discard()
		}
	}()
	size, err := d.write(ctx, early{d.file.File}, func() (crl.Storage, error) {
		t, err := s.newTemp()
		if err != nil {
			return nil, err
		}
		scratch = append(scratch, t)
		if os.Remove(t.path) == nil { // where a file can go that is open: nothing is left behind then
			t.path = ""
		}
		return t, nil
	})
	if err != nil {
		return err
	}
	s.before("built")
	if err := d.file.Truncate(size); err != nil {
		return err
	}
	d.image, err = openImage(d.file.File, size)
	return err
}

// write builds the index and returns its size.
func (d *draft) write(ctx context.Context, output crl.Storage, scratch func() (crl.Storage, error)) (int64, error) {
	src, err := d.body.open(ctx)
	if err != nil {
		return 0, err
	}
	defer src.Close()
	o := crl.BuildOptions{Output: output, Scratch: scratch, Large: largePages}
	if d.body.size > besideRing*besideChunk && runtime.GOMAXPROCS(0) > 1 {
		var hashes []*beside
		defer func() {
			for _, b := range hashes {
				b.stop()
			}
		}()
		o.NewHash = func(h crypto.Hash) hash.Hash {
			b := newBeside(h.New())
			hashes = append(hashes, b)
			return b
		}
		o.Beside = humbly
	}
	var size int64
	humbly(func() { _, size, err = crl.Build(src, o) })()
	if src.failed != nil {
		err = errors.Join(errUnreadable, src.failed)
	}
	return size, err
}

// early is a file whose octets are on their way to the disk as soon as they are written.
type early struct{ *os.File }

func (e early) WriteAt(p []byte, at int64) (int, error) {
	n, err := e.File.WriteAt(p, at)
	const worthIt = 1 << 20
	if n >= worthIt {
		startWriting(e.File, at, int64(n))
	}
	return n, err
}

// openImage opens the index in a file, which may be closed then. It is unmapped when nobody can reach the image any more.
func openImage(f *os.File, size int64) (*crl.Image, error) {
	data, unmap, err := mapFile(f, size)
	if err != nil {
		return nil, err
	}
	image, err := crl.OpenImage(data)
	if err != nil {
		unmap(data)
		return nil, err
	}
	runtime.AddCleanup(image, unmap, data)
	return image, nil
}

// digestOf names the list that an image was built from. It is empty where the signature's algorithm is not known, as that
// of no list is that serves.
func digestOf(image *crl.Image) string { return hex.EncodeToString(image.List().Digest()) }
