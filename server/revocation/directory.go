package revocation

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/tashika-jp/tashika/certs/reason"
	"golang.org/x/sync/errgroup"
)

// visit of a file: how it was found and what came of it.
type visit struct {
	info     fs.FileInfo // nil: found so before the start
	size     int64
	modified time.Time
	held     *held // the list in it, nil if it was refused
}

// same says whether a file is as it was: the very file, of the same size and time.
func (v *visit) same(info fs.FileInfo) bool {
	return v != nil && (v.info == nil || os.SameFile(v.info, info)) && v.size == info.Size() && v.modified.Equal(info.ModTime())
}

// visitDirectory looks at each list in a drop directory. A file that is as it was is not read
// again: a list that was refused is said once, not once a minute.
func (l *Living) visitDirectory(ctx context.Context, c *conf, f *feed) error {
	names, full, err := listsIn(f.source.Directory, f.source.MaxLists)
	if err != nil {
		c.log(slog.LevelError, "the drop directory cannot be read", "source", f.source.Name, "failure", DirectoryUnreadable, "error", err)
		return l.settle(c, f, &f.status, []Failure{DirectoryUnreadable})
	}
	var failures []Failure
	if full {
		c.log(slog.LevelError, "the drop directory has more lists than are looked at", "source", f.source.Name, "failure", DirectoryTooFull, "lists", f.source.MaxLists)
		failures = append(failures, DirectoryTooFull)
	}
	found := make([][]Failure, len(names))
	var files errgroup.Group
	files.SetLimit(c.MaxConcurrent)
	for i, name := range names {
		files.Go(func() (err error) {
			if err = ctx.Err(); err == nil {
				found[i], err = l.visitFile(ctx, c, f, name)
			}
			return err
		})
	}
	if err := files.Wait(); err != nil {
		return err
	}
	l.book(func() {
		for name, v := range f.seen {
			if _, found := slices.BinarySearch(names, name); found {
				continue
			}
			delete(f.seen, name)
			if v.held != nil && v.held.file == name {
				v.held.file = ""
			}
		}
		for name := range f.refused {
			if _, found := slices.BinarySearch(names, name); !found {
				delete(f.refused, name)
			}
		}
		for _, h := range f.held { // from the state directory, of a file that is gone
			if _, found := slices.BinarySearch(names, h.file); !found {
				h.file = ""
			}
		}
	})
	for _, failure := range slices.Concat(append(found, l.secure(ctx, c, f, l.heldBy(f)))...) {
		if !slices.Contains(failures, failure) {
			failures = append(failures, failure)
		}
	}
	return l.settle(c, f, &f.status, failures)
}

// visitFile reads one list, if it is not as it was.
func (l *Living) visitFile(ctx context.Context, c *conf, f *feed, name string) ([]Failure, error) {
	l.mu.Lock()
	seen := f.seen[name]
	l.mu.Unlock()
	body, info, failure, err := l.readList(filepath.Join(f.source.Directory, name), seen, f.source.MaxSize)
	if err != nil {
		c.log(slog.LevelError, "a file of the drop directory cannot be read", "source", f.source.Name, "failure", failure, "error", err)
	}
	var h *held
	var failures []Failure
	switch {
	case failure != "":
		failures = []Failure{failure}
	case body == nil: // as it was
		if seen.held != nil {
			l.book(func() { seen.held.status.succeed(c.Clock()) })
		}
		return nil, nil
	default:
		defer body.discard()
		about := record{File: name, FileSize: info.Size(), FileTime: info.ModTime()}
		if h, failures, err = l.offer(ctx, c, f, body, about); err != nil {
			return nil, err
		}
	}
	l.book(func() {
		// What is only too early is asked again, as is a delta without its complete list, and what could not be read.
		if info != nil && failure != DirectoryUnreadable && !slices.ContainsFunc(failures, passing) {
			f.seen[name] = &visit{info, info.Size(), info.ModTime(), h}
		}
		if h != nil {
			h.status.succeed(c.Clock())
			return
		}
		for _, other := range f.held { // the list that this file gave before
			if other.file == name && len(failures) > 0 {
				other.status.fail(c.Clock(), failures[0])
			}
		}
	})
	return failures, nil
}

// passing are failures that time may heal.
func passing(f Failure) bool {
	return f == Failure(reason.CRLNotYetValid) || f == Failure(reason.CRLBaseMismatch)
}

// readList spools a file that is not as it was seen; without an error or failure, body is nil if it is.
func (l *Living) readList(path string, seen *visit, most int64) (body *spool, info fs.FileInfo, failure Failure, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, nil, DirectoryUnreadable, err
	}
	defer file.Close()
	info, err = file.Stat()
	switch {
	case err != nil:
		return nil, nil, DirectoryUnreadable, err
	case seen.same(info):
		return nil, info, "", nil
	case info.Size() > most:
		return nil, info, FetchTooLarge, errTooLarge
	}
	body, err = l.take(file, most)
	switch {
	case errors.Is(err, errTooLarge):
		return nil, info, FetchTooLarge, err
	case err != nil:
		return nil, info, DirectoryUnreadable, err
	}
	return body, info, "", nil
}

// listsIn returns the names of the lists in a directory in order, at most so many, and
// whether there are more. What is no regular file, followed through links, is none: a FIFO would hang us.
func listsIn(dir string, most int) (names []string, full bool, err error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, false, err
	}
	defer d.Close()
	for {
		entries, err := d.ReadDir(256)
		for _, e := range entries {
			if !strings.HasSuffix(e.Name(), ".crl") {
				continue
			}
			if info, err := os.Stat(filepath.Join(dir, e.Name())); err != nil || !info.Mode().IsRegular() {
				continue
			}
			if len(names) == most {
				full = true
				break
			}
			names = append(names, e.Name())
		}
		switch {
		case errors.Is(err, io.EOF) || full:
			slices.Sort(names)
			return names, full, nil
		case err != nil:
			return nil, false, err
		}
	}
}
