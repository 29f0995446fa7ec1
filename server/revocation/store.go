package revocation

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tashika-jp/tashika/certs/crl"
)

// A state directory holds
//
//	lock                      locked by the process that owns the directory; its number is inside
//	<key>.<generation>.crl    the DER of a list, octet for octet as it came: `openssl crl -inform DER -in` reads it
//	<key>.<generation>.index  its index (crl.Build), mapped into memory and answered from
//	<key>.record              which generation serves for the key (issuer, key, scope; its hash), and where it came from
//	tmp-*                     what is on its way; removed at the start
//	aside/                    what was found and not believed at a start, left service, or was refused (see aside.go), for an
//	                          operator to look at
//
// There is one record for a key, so there is one list, whatever else lies about. A generation is given out
// once in the life of a process and above all that the directory has; its files never change, and no record names them before they are durable:
//
//  1. DER and index are flushed under temporary names
//  2. both get their names, and the directory is flushed
//  3. the new record is flushed under a temporary name
//  4. it gets the name of the old one, which is the moment the new list counts, and the directory is flushed
//  5. the list is swapped into service
//  6. the files of the generation before are removed; who still answers from them has them mapped
//
// A process that dies between any two octets of this leaves the old list or the new one, whole, and files without a
// record, which are removed at the start. The DER is the truth: an index that is missing, of another version or damaged is built from
// it again, and takes the name of the one before.
//
// A delta has files like a list, under its complete list's key and what marks it (see delta.go).
//
// A record is a line of JSON and, on the next, the SHA-256 of that line in hexadecimal.
const (
	maxRecord    = 64 << 10
	listSuffix   = ".crl"
	indexSuffix  = ".index"
	recordSuffix = ".record"
	formerSuffix = ".list" // list, record and checksum in one: what came before this layout
	tempPrefix   = "tmp-"
	asideDir     = "aside"
	lockName     = "lock"
)

// record is what the state directory says about a list. Generation and Digest bind it to its files; Source, Location
// and File lead back to the source, ETag and LastModified, FileSize and FileTime tell whether that has anything new; the rest is for people
// and believed by nobody.
type record struct {
	Generation   uint64    `json:"generation"`
	Digest       string    `json:"digest"` // of tbsCertList (crl.List.Digest), hexadecimal
	Source       string    `json:"source"`
	Location     string    `json:"location"`
	Fetched      time.Time `json:"fetched"`
	ETag         string    `json:"etag,omitempty"`
	LastModified string    `json:"last_modified,omitempty"`
	File         string    `json:"file,omitempty"` // in a drop directory
	FileSize     int64     `json:"file_size,omitempty"`
	FileTime     time.Time `json:"file_time,omitzero"`
	Issuer       string    `json:"issuer"`
	IssuerKeyID  string    `json:"issuer_key_id"`
	Partition    string    `json:"partition,omitempty"`
	Number       string    `json:"number"`
	DeltaBase    string    `json:"delta_base,omitempty"` // of a delta
	Admitted     []string  `json:"admitted,omitempty"`   // digests that were let into service against the gate once, and are not again
}

var (
	errLocked  = errors.New("locked by another process")
	errCorrupt = errors.New("not a complete record")
	errNotOurs = errors.New("the state directory could not be locked, so it is only read")
)

// store is a state directory. seal and replaceIndex may run at any time, place and what takes files away
// under Living.commit.
type store struct {
	dir  string
	lock *os.File // nil where it could not be written: then nothing here is, lest two processes do

	generation atomic.Uint64     // the last one given out
	counts     map[string]uint64 // by key: the generation that the record names. Guarded by Living.commit
	step       func(name string) // told before each step that changes the directory; for tests, nil otherwise

	// use is held for reading where files get their names, so that none does after close.
	use    sync.RWMutex
	closed bool // guarded by use
}

// openStore makes and locks the directory. One that cannot be written is opened all the
// same, because what is in it can be read; err says so, with a store that is not nil.
func openStore(dir string) (*store, error) {
	s := &store{dir: dir, counts: make(map[string]uint64)}
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
	return s, err
}

// close waits for what gets its name just now.
func (s *store) close() error {
	s.use.Lock()
	defer s.use.Unlock()
	s.closed = true
	if s.lock == nil {
		return nil
	}
	return s.lock.Close()
}

// writable says whether the directory is ours to write; s may be nil.
func (s *store) writable() bool { return s != nil && s.lock != nil }

// before tells a test which step comes next.
func (s *store) before(step string) {
	if s.step != nil {
		s.step(step)
	}
}

func (s *store) path(name string) string { return filepath.Join(s.dir, name) }

// file is where the DER or the index of a generation is.
func (s *store) file(key string, generation uint64, suffix string) string {
	return s.path(key + "." + strconv.FormatUint(generation, 10) + suffix)
}

// keys are those that have a record. former are lists in the layout that came before this one.
func (s *store) keys() (keys, former []string, err error) {
	entries, err := os.ReadDir(s.dir)
	for _, e := range entries {
		if !e.Type().IsRegular() {
			continue
		}
		if key, ok := strings.CutSuffix(e.Name(), recordSuffix); ok {
			keys = append(keys, key)
		} else if strings.HasSuffix(e.Name(), formerSuffix) {
			former = append(former, e.Name())
		}
	}
	return keys, former, err
}

// read returns a record that is whole.
func (s *store) read(key string) (record, error) {
	var about record
	file, err := os.Open(s.path(key + recordSuffix))
	if err != nil {
		return about, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxRecord+1))
	if err != nil {
		return about, err
	}
	line, sum, ok := bytes.Cut(text, []byte("\n"))
	if !ok || string(sum) != checksum(line) || json.Unmarshal(line, &about) != nil {
		return record{}, errCorrupt
	}
	return about, nil
}

func checksum(line []byte) string {
	sum := sha256.Sum256(line)
	return hex.EncodeToString(sum[:]) + "\n"
}

// tidy removes what a process that died has left behind, and learns which generations there were. It is for the start, when
// nothing is on its way.
func (s *store) tidy() error {
	entries, err := os.ReadDir(s.dir)
	for _, generation := range s.counts {
		s.generation.Store(max(s.generation.Load(), generation))
	}
	for _, e := range entries {
		name := e.Name()
		if !s.writable() || !e.Type().IsRegular() {
			continue
		}
		key, rest, _ := strings.Cut(name, ".")
		number, suffix, _ := strings.Cut(rest, ".")
		generation, numberErr := strconv.ParseUint(number, 10, 64)
		ours := numberErr == nil && ("."+suffix == listSuffix || "."+suffix == indexSuffix)
		if ours {
			s.generation.Store(max(s.generation.Load(), generation))
		}
		if strings.HasPrefix(name, tempPrefix) || ours && s.counts[key] != generation {
			s.before("remove what was left")
			err = errors.Join(err, os.Remove(s.path(name)))
		}
	}
	return err
}

// setAside takes a list out of the way without losing it: its DER and its record. Where no record says which, that is whatever
// the key has.
func (s *store) setAside(key string) error {
	if !s.writable() {
		return errNotOurs
	}
	generation := "*" // a key has no wildcard in it
	if n := s.counts[key]; n != 0 {
		generation = strconv.FormatUint(n, 10)
	}
	delete(s.counts, key)
	lists, _ := filepath.Glob(s.path(key + "." + generation + listSuffix))
	indexes, _ := filepath.Glob(s.path(key + "." + generation + indexSuffix))
	err := s.moveAside(append(lists, s.path(key+recordSuffix)))
	for _, name := range indexes {
		err = errors.Join(err, known(os.Remove(name)))
	}
	return errors.Join(err, syncDir(s.dir))
}

// remove forgets a list for good.
func (s *store) remove(key string) error {
	if !s.writable() {
		return errNotOurs
	}
	generation := s.counts[key]
	delete(s.counts, key)
	s.before("remove record")
	err := errors.Join(known(os.Remove(s.path(key+recordSuffix))), syncDir(s.dir))
	for _, suffix := range []string{listSuffix, indexSuffix} {
		s.before("remove " + suffix)
		err = errors.Join(err, known(os.Remove(s.file(key, generation, suffix))))
	}
	return err
}

func (s *store) moveAside(files []string) error {
	if !s.writable() {
		return errNotOurs
	}
	err := os.MkdirAll(s.path(asideDir), 0o700)
	for _, name := range files {
		s.before("set aside")
		err = errors.Join(err, known(os.Rename(name, filepath.Join(s.path(asideDir), filepath.Base(name)))))
	}
	return err
}

// known takes it for no error that a file is gone already.
func known(err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// seal makes a list durable, steps 1 to 3, and returns its record, which counts for nothing until it is placed. The files of the
// draft have their names then. about gets its generation.
func (s *store) seal(d *draft, key string, about *record) (*temp, error) {
	if s.lock == nil {
		return nil, errNotOurs
	}
	s.use.RLock()
	defer s.use.RUnlock()
	switch {
	case s.closed:
		return nil, ErrClosed
	case d.body.broken != nil:
		return nil, d.body.broken
	case d.broken != nil:
		return nil, d.broken
	}
	about.Generation = s.generation.Add(1)
	for _, part := range []struct {
		file   *temp
		suffix string
	}{{d.body.file, listSuffix}, {d.file, indexSuffix}} {
		s.before("flush " + part.suffix)
		if err := part.file.flush(); err != nil {
			return nil, err
		}
		s.before("name " + part.suffix)
		if err := part.file.rename(s.file(key, about.Generation, part.suffix)); err != nil {
			return nil, err
		}
	}
	s.before("flush names")
	if err := syncDir(s.dir); err != nil {
		return nil, err
	}
	line, err := json.Marshal(about)
	if err != nil {
		return nil, err
	}
	if len(line) > maxRecord-2*sha256.Size-2 {
		return nil, errTooLarge
	}
	s.before("write record")
	file, err := s.newTemp()
	if err != nil {
		return nil, err
	}
	_, err = io.WriteString(file, string(line)+"\n"+checksum(line))
	s.before("flush record")
	if err = errors.Join(err, file.flush()); err != nil {
		file.discard()
		return nil, err
	}
	return file, nil
}

// place makes a sealed list the one that counts, step 4.
func (s *store) place(sealed *temp, key string) error {
	s.before("name record")
	if err := sealed.rename(s.path(key + recordSuffix)); err != nil {
		return err
	}
	s.before("flush record's name")
	return syncDir(s.dir)
}

// count enters the generation that counts for a key from now on, and removes the files of the one before, step 6.
func (s *store) count(key string, generation uint64) error {
	last := s.counts[key]
	s.counts[key] = generation
	if last == 0 || last == generation {
		return nil
	}
	var err error
	for _, suffix := range []string{listSuffix, indexSuffix} {
		s.before("remove the last " + suffix)
		err = errors.Join(err, known(os.Remove(s.file(key, last, suffix))))
	}
	return err
}

// openIndex opens the index of a generation. What is not whole, or not of the list that the record names, is crl.ErrDamaged.
func (s *store) openIndex(key string, about *record) (*crl.Image, error) {
	file, err := os.Open(s.file(key, about.Generation, indexSuffix))
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	image, err := openImage(file, info.Size())
	if err == nil && digestOf(image) != about.Digest {
		return nil, crl.ErrDamaged
	}
	return image, err
}

// replaceIndex puts an index that was built from a kept list in the place of the one that it has.
func (s *store) replaceIndex(d *draft, key string, about *record) error {
	s.use.RLock()
	defer s.use.RUnlock()
	switch {
	case !s.writable():
		return errNotOurs
	case s.closed:
		return ErrClosed
	case d.file == nil:
		return d.broken
	}
	s.before("flush rebuilt index")
	if err := d.file.flush(); err != nil {
		return err
	}
	s.before("name rebuilt index")
	if err := d.file.rename(s.file(key, about.Generation, indexSuffix)); err != nil {
		return err
	}
	d.file = nil // it has its own name now
	return syncDir(s.dir)
}
