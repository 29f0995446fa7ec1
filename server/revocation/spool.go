package revocation

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
)

// temp is a file of the state directory under a temporary name, until it gets one that counts.
type temp struct {
	*os.File // nil once it was flushed
	path     string
	failed   error // of the flush; what a disk refused once is not asked again, because it may have forgotten
}

func (s *store) newTemp() (*temp, error) {
	file, err := os.CreateTemp(s.dir, tempPrefix+"*")
	if err != nil {
		return nil, err
	}
	return &temp{File: file, path: file.Name()}, nil
}

// flush makes what was written durable, and closes the file.
func (t *temp) flush() error {
	if t.File != nil {
		t.failed = errors.Join(t.Sync(), t.Close())
		t.File = nil
	}
	return t.failed
}

func (t *temp) rename(path string) error {
	if err := os.Rename(t.path, path); err != nil {
		return err
	}
	t.path = path
	return nil
}

// discard removes the file, whatever its name is by now.
func (t *temp) discard() {
	if t == nil {
		return
	}
	if t.File != nil {
		t.Close()
	}
	os.Remove(t.path)
}

// spool takes up a list as it arrives: in a file of the state directory, or in memory where
// there is none or it failed. Whoever made it discards it.
type spool struct {
	file   *temp // nil: in memory
	memory []byte
	broken error // why the file was given up
	size   int64
	kept   bool // it is needed longer than by who made it
}

// newSpool makes a spool; s may be nil.
func newSpool(s *store) *spool {
	out := new(spool)
	if s.writable() {
		out.file, out.broken = s.newTemp()
	}
	return out
}

// spoolOf is the DER of a list that the state directory keeps.
func (s *store) spoolOf(key string, about *record) (*spool, error) {
	out := &spool{file: &temp{path: s.file(key, about.Generation, listSuffix)}, kept: true}
	info, err := os.Stat(out.file.path)
	if err != nil {
		return nil, err
	}
	out.size = info.Size()
	return out, nil
}

// Write never fails because of the disk: a spool whose file fails goes on in memory.
func (s *spool) Write(p []byte) (int, error) {
	if s.file != nil {
		n, err := s.file.WriteAt(p, s.size)
		if err == nil {
			s.size += int64(n)
			return n, nil
		}
		so := make([]byte, s.size)
		if _, readErr := s.file.ReadAt(so, 0); readErr != nil && s.size > 0 {
			return 0, fmt.Errorf("%w, and then %w", err, readErr)
		}
		s.discard()
		s.memory, s.broken = so, err
	}
	s.memory = append(s.memory, p...)
	s.size += int64(len(p))
	return len(p), nil
}

// open reads what was written, from its beginning, until the context ends.
func (s *spool) open(ctx context.Context) (*reading, error) {
	if s.file == nil {
		return &reading{ctx: ctx, from: io.NopCloser(bytes.NewReader(s.memory))}, nil
	}
	file, err := os.Open(s.file.path)
	if err != nil {
		return nil, err
	}
	return &reading{ctx: ctx, from: file}, nil
}

// discard removes the file, unless it is kept.
func (s *spool) discard() {
	if s.file != nil && !s.kept {
		s.file.discard()
		s.file = nil
	}
}

// reading ends with its context.
type reading struct {
	ctx    context.Context
	from   io.ReadCloser
	failed error // other than the end
}

// Read implements io.Reader.
func (r *reading) Read(p []byte) (n int, err error) {
	if err = r.ctx.Err(); err == nil {
		n, err = r.from.Read(p)
	}
	if err != nil && err != io.EOF {
		r.failed = err
	}
	return n, err
}

// Close implements io.Closer.
func (r *reading) Close() error { return r.from.Close() }
