package revocation

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// A state directory holds
//
//	lock          locked by the process that owns the directory; its number is inside
//	<key>.list    the list that serves for a key (issuer, key, scope), by the key's hash
//	tmp-*         a list on its way; removed at the start
//	aside/        what was found and not believed at a start, for an operator to look at
//
// A .list file is, from its beginning,
//
//	the DER of the list, as fetched (so `openssl crl -inform DER -in` reads the file)
//	a record about it, JSON
//	"TASHIKA-CRL1", the length of the JSON (4 octets, big-endian)
//	SHA-256 of everything before
//
// One file, because then list and record cannot disagree; the record last, because the DER
// is streamed to disk before anything is known about it.
const (
	magic      = "TASHIKA-CRL1"
	footerSize = len(magic) + 4 + sha256.Size
	maxRecord  = 64 << 10
	listSuffix = ".list"
	tempPrefix = "tmp-"
	asideDir   = "aside"
	lockName   = "lock"
)

// record is what a state file says about its list. Source, Location and File lead back to
// the source, ETag and LastModified make the next fetch conditional; the rest is for people
// and believed by nobody.
type record struct {
	Source       string    `json:"source"`
	Location     string    `json:"location"`
	File         string    `json:"file,omitempty"` // in a drop directory
	Fetched      time.Time `json:"fetched"`
	ETag         string    `json:"etag,omitempty"`
	LastModified string    `json:"last_modified,omitempty"`
	Issuer       string    `json:"issuer"`
	IssuerKeyID  string    `json:"issuer_key_id"`
	Partition    string    `json:"partition,omitempty"`
	Number       string    `json:"number"`
	SHA256       string    `json:"sha256"` // of the DER
}

var (
	errLocked  = errors.New("locked by another process")
	errCorrupt = errors.New("not a complete state file")
	errNotOurs = errors.New("the state directory could not be locked, so it is only read")
)

// store is a state directory. It has no lock of its own: seal may run at any time, place
// runs under Living.commit.
type store struct {
	dir  string
	lock *os.File // nil where it could not be written: then nothing here is, lest two processes do
}

// openStore makes and locks the directory. One that cannot be written is opened all the
// same, because what is in it can be read; err says so, with a store that is not nil.
func openStore(dir string) (*store, error) {
	s := &store{dir: dir}
	err := os.MkdirAll(dir, 0o700)
	if err == nil {
		s.lock, err = os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	}
	if err != nil {
		if _, readErr := os.ReadDir(dir); readErr != nil {
			return nil, err // neither written nor read: a mistake of the operator's
		}
		return s, err
	}
	if err := lockFile(s.lock); err != nil {
		owner, _ := io.ReadAll(io.LimitReader(s.lock, 32))
		s.lock.Close()
		if errors.Is(err, errLocked) {
			return nil, fmt.Errorf("the state directory %s belongs to another process (%s)", dir, strings.TrimSpace(string(owner)))
		}
		return nil, fmt.Errorf("cannot lock the state directory %s: %w", dir, err)
	}
	err = s.lock.Truncate(0)
	if err == nil {
		_, err = s.lock.WriteAt([]byte("pid "+strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	left, globErr := filepath.Glob(filepath.Join(dir, tempPrefix+"*"))
	for _, name := range left {
		err = errors.Join(err, os.Remove(name))
	}
	return s, errors.Join(err, globErr)
}

func (s *store) close() error {
	if s.lock == nil {
		return nil
	}
	return s.lock.Close()
}

// names are the state files.
func (s *store) names() ([]string, error) {
	entries, err := os.ReadDir(s.dir)
	var out []string
	for _, e := range entries {
		if e.Type().IsRegular() && strings.HasSuffix(e.Name(), listSuffix) {
			out = append(out, e.Name())
		}
	}
	return out, err
}

// read returns the list and the record of a state file that is whole.
func (s *store) read(name string) ([]byte, record, error) {
	var about record
	all, err := os.ReadFile(filepath.Join(s.dir, name))
	if err != nil {
		return nil, about, err
	}
	body, footer := all[:max(len(all)-footerSize, 0)], all[max(len(all)-footerSize, 0):]
	if len(footer) != footerSize || string(footer[:len(magic)]) != magic {
		return nil, about, errCorrupt
	}
	if sum := sha256.Sum256(all[:len(all)-sha256.Size]); !bytes.Equal(sum[:], all[len(all)-sha256.Size:]) {
		return nil, about, errCorrupt
	}
	n := binary.BigEndian.Uint32(footer[len(magic):])
	if n > maxRecord || int(n) > len(body) {
		return nil, about, errCorrupt
	}
	der := body[: len(body)-int(n) : len(body)-int(n)]
	if err := json.Unmarshal(body[len(der):], &about); err != nil {
		return nil, about, errCorrupt
	}
	return der, about, nil
}

// setAside takes a file out of the way without losing it.
func (s *store) setAside(name string) error {
	if s.lock == nil {
		return errNotOurs
	}
	if err := os.MkdirAll(filepath.Join(s.dir, asideDir), 0o700); err != nil {
		return err
	}
	return os.Rename(filepath.Join(s.dir, name), filepath.Join(s.dir, asideDir, name))
}

// remove forgets a list for good.
func (s *store) remove(name string) error {
	if s.lock == nil {
		return errNotOurs
	}
	if err := os.Remove(filepath.Join(s.dir, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return syncDir(s.dir)
}

// seal completes a spooled list with its record and makes it durable under its temporary
// name, which it returns. The spool is used up.
func (s *store) seal(from *spool, about record) (string, error) {
	if s.lock == nil {
		return "", errNotOurs
	}
	if from.broken != nil {
		return "", from.broken
	}
	f := from.file
	if f == nil { // it came from memory
		var err error
		if f, err = os.CreateTemp(s.dir, tempPrefix+"*"); err != nil {
			return "", err
		}
		from.file = f
		if _, err := f.Write(from.memory); err != nil {
			return "", err
		}
	}
	text, err := json.Marshal(about)
	if err == nil && len(text) > maxRecord {
		err = errTooLarge
	}
	if err != nil {
		return "", err
	}
	tail := binary.BigEndian.AppendUint32(append(text, magic...), uint32(len(text)))
	from.sum.Write(tail)
	if _, err := f.Write(from.sum.Sum(tail)); err != nil {
		return "", err
	}
	if err := f.Sync(); err != nil {
		return "", err
	}
	return f.Name(), f.Close()
}

// place puts a sealed list where the next start finds it.
func (s *store) place(temp, name string) error {
	if err := os.Rename(temp, filepath.Join(s.dir, name)); err != nil {
		return err
	}
	return syncDir(s.dir)
}

// spool takes up a list as it arrives: in a file of the state directory, or in memory where
// there is none or it failed. Whoever made it discards it.
type spool struct {
	file   *os.File // nil: in memory
	memory []byte
	broken error // why the file was given up
	size   int64
	sum    hash.Hash // SHA-256 of all that was written
}

// newSpool makes a spool; s may be nil.
func newSpool(s *store) *spool {
	out := &spool{sum: sha256.New()}
	if s != nil && s.lock != nil {
		out.file, out.broken = os.CreateTemp(s.dir, tempPrefix+"*")
	}
	return out
}

// spoolOf is the spool of a list that is in memory already.
func spoolOf(der []byte) *spool {
	s := &spool{memory: der, size: int64(len(der)), sum: sha256.New()}
	s.sum.Write(der)
	return s
}

// Write never fails because of the disk: a spool whose file fails goes on in memory.
func (s *spool) Write(p []byte) (int, error) {
	s.sum.Write(p)
	if s.file != nil {
		n, err := s.file.WriteAt(p, s.size)
		if err == nil {
			s.size += int64(n)
			return n, nil
		}
		so := make([]byte, s.size)
		if _, readErr := s.file.ReadAt(so, 0); readErr != nil {
			return 0, fmt.Errorf("%w, and then %w", err, readErr)
		}
		s.discard()
		s.memory, s.broken = so, err
	}
	s.memory = append(s.memory, p...)
	s.size += int64(len(p))
	return len(p), nil
}

// digest is the SHA-256 of what was written.
func (s *spool) digest() string { return hex.EncodeToString(s.sum.Sum(nil)) }

// bytes returns what was written.
func (s *spool) bytes() ([]byte, error) {
	if s.file == nil {
		return s.memory, nil
	}
	out := make([]byte, s.size)
	if _, err := s.file.ReadAt(out, 0); err != nil && s.size > 0 {
		return nil, err
	}
	// What seal adds goes behind the list.
	_, err := s.file.Seek(s.size, io.SeekStart)
	return out, err
}

// discard removes the file, if it still has its temporary name.
func (s *spool) discard() {
	if s.file != nil {
		s.file.Close()
		os.Remove(s.file.Name()) // gone already where it was placed
		s.file = nil
	}
}
