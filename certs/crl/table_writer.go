package crl

import (
	"cmp"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"unsafe"
)

// tableWriter makes a table of entries in any order, in memory that does not grow with them but for the directory. Entries in order go
// straight to the output. Others are collected into runs, which are put in order, the first of them in memory and the others in the scratch as
// blocks; the runs are then merged into the output. Sorting, and making blocks, go on beside the reading where the caller offers it.
type tableWriter struct {
	out     *blockWriter
	scratch func() (Storage, error)
	runs    *runs
	runSize int // runEntries, but that tests make it less
	keep    int // keepEntries, likewise

	// large is told of much memory before it is first written; nil: nobody is.
	large func([]byte)

	collected []record
	sorting   task
	spare     []record // what is collected into while the run before is sorted
	last      number
	ordered   bool // whatever was added is
	begun     bool // with the output
}

// task is at most one thing going on beside. The zero value does it at once.
type task struct {
	beside func(func()) (wait func())
	wait   func() // nil: nothing is going on
	err    error  // of what was done
}

// do waits for the task before, and begins another unless that one failed.
func (t *task) do(what func() error) error {
	if err := t.settle(); err != nil {
		return err
	}
	if t.beside == nil {
		t.err = what()
		return t.err
	}
	t.wait = t.beside(func() { t.err = what() })
	return nil
}

// settle waits until nothing goes on.
func (t *task) settle() error {
	if t.wait != nil {
		t.wait()
		t.wait = nil
	}
	return t.err
}

const (
	blockEntries    = 32768
	runBlockEntries = 1024 // so that one block of each run fits the memory that a run had
	runEntries      = 1 << runBits
	runBits         = 18
	// orderedEntries is how many entries in order are taken for a list in order. If they are not, what is in the output by then is a run.
	orderedEntries = 1 << 14
	// keepEntries is how many entries stay in memory when they were put in order, where serial numbers are long: a few million of
	// these are a whole list, and the scratch would cost as much as the order. Of short ones there may be a hundred million, to be had in 64 MB.
	keepEntries = 2 << 20
	shortSerial = 8
	// outputSize is how much is written at once, at a multiple of it: a file system that has large pages then keeps the file in such, and a
	// look-up in the mapped file need not ask where a small one is.
	outputSize = 2 << 20
)

// What add refuses. Build has refused it before.
var (
	errSerialSize = errors.New("crl: no serial number, or too long a one")
	errEntry      = errors.New("crl: no such reason, or a time outside of the years 0 to 9999")
	errReadBack   = errors.New("crl: the storage does not hold what was written")
)

// newTableWriter makes a writer to an output, from offset 0. The scratch is made if there are too many entries in disorder. Whoever gives
// beside, which may be nil, settles the writer before leaving it.
func newTableWriter(out Storage, scratch func() (Storage, error), beside func(func()) (wait func())) *tableWriter {
	return &tableWriter{scratch: scratch, runSize: runEntries, keep: keepEntries, ordered: true,
		out: newBlockWriter(out, beside), sorting: task{beside: beside}}
}

// settle waits until nothing goes on beside.
func (w *tableWriter) settle() {
	_ = w.sorting.settle() // the error was told, or will never be asked for
	_ = w.out.encoding.settle()
}

// add takes an entry. Of several with one serial number the graver stays: RFC 5280 does not say what a serial number
// means that is listed twice; it must not be less than either says.
func (w *tableWriter) add(serial []byte, unix int64, why Reason) error {
	if len(serial) == 0 || len(serial) > maxSerial {
		return errSerialSize
	}
	if why > 15 || validReasons>>why&1 == 0 || unix < minUnix || unix > maxUnix {
		return errEntry
	}
	if len(w.collected) == cap(w.collected) {
		if err := w.grow(); err != nil {
			return err
		}
	}
	x := numberOf(serial)
	w.ordered = w.ordered && w.last.less(x)
	w.last = x
	w.collected = append(w.collected, record{x, uint64(unix-minUnix)<<8 | uint64(why)})
	return nil
}

// room is memory for so many entries.
func (w *tableWriter) room(n int) []record {
	entries := make([]record, 0, n)
	if size := n * int(unsafe.Sizeof(record{})); w.large != nil && size >= largeMemory {
		w.large(unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(entries))), size))
	}
	return entries
}

// largeMemory is how many octets are much.
const largeMemory = 4 << 20

// grow makes place for another entry.
func (w *tableWriter) grow() error {
	n := cap(w.collected)
	if n == w.runSize || w.ordered && (w.begun || n >= orderedEntries) {
		return w.flush()
	}
	w.collected = append(w.room(min(max(4*n, 64), w.runSize)), w.collected...)
	return nil
}

// flush writes what was collected to where it has to go.
func (w *tableWriter) flush() error {
	var err error
	switch {
	case w.ordered:
		err = w.out.push(w.collected)
		// There is no need to collect many any more, and few stay in the processor's cache.
		w.begun = true
		w.collected = w.collected[:0:min(cap(w.collected), batchEntries)]
		return err
	case w.runs == nil:
		err = w.disorder()
	}
	if err != nil {
		return err
	}
	run := w.collected
	if err := w.sorting.do(func() error { return w.runs.write(run) }); err != nil {
		return err
	}
	if w.sorting.wait == nil {
		w.collected = run[:0]
		return nil
	}
	if w.spare == nil {
		w.spare = w.room(cap(run))
	}
	w.collected, w.spare = w.spare[:0], run
	return nil
}

// disorder begins with runs. What is in the output already is the first.
func (w *tableWriter) disorder() error {
	s, err := w.scratch()
	if err != nil {
		return err
	}
	w.runs = &runs{storage: s, keep: w.keep, room: w.room}
	if err := w.out.flush(); err != nil {
		return err
	}
	if err := w.runs.take(w.out); err != nil {
		return err
	}
	size := w.out.blockSize
	w.out = newBlockWriter(w.out.to, w.sorting.beside)
	w.out.blockSize = size
	return nil
}

// finish writes the rest, with octets of the caller, and last of all the header: without it nobody takes for a table what is half of one.
func (w *tableWriter) finish(meta []byte) (size int64, err error) {
	switch {
	case w.runs == nil && !w.ordered && !w.begun:
		var s sorter
		err = s.sorted(w.collected, w.out.push)
	default:
		err = w.flush()
	}
	if err == nil {
		err = w.sorting.settle()
	}
	if err == nil && w.runs != nil {
		w.collected, w.spare = nil, nil
		err = w.runs.merge(w.out.push)
	}
	if err != nil {
		return 0, err
	}
	return w.out.finish(meta)
}

// blockWriter cuts entries in order into blocks and writes these one behind the other.
type blockWriter struct {
	to        Storage
	at        int64  // where the buffer goes
	buffer    []byte // whole blocks
	blockSize int
	buckets   int      // of a block, at most
	pending   []record // of the next block
	encoding  task     // of the block before; all that follows is its own
	spare     []record // which is encoded
	blocks    []block
	counts    []byte // of all blocks
	entries   int
}

func newBlockWriter(to Storage, beside func(func()) (wait func())) *blockWriter {
	return &blockWriter{to: to, buffer: make([]byte, headerSize), blockSize: blockEntries, buckets: blockEntries, encoding: task{beside: beside}}
}

// push takes the next entries. Of two with the same serial number the graver stays.
func (w *blockWriter) push(entries []record) error {
	for i := range entries {
		r := &entries[i]
		if n := len(w.pending); n > 0 {
			last := &w.pending[n-1]
			if last.number == r.number {
				if graver(r.entry(), last.entry()) {
					last.what = r.what
				}
				continue
			}
			if n == w.blockSize || last.length() != r.length() {
				if err := w.cut(); err != nil {
					return err
				}
			}
		}
		if n := len(w.pending); n == cap(w.pending) { // by more than append does: what is outgrown was written for nothing
			w.pending = append(make([]record, 0, max(4*n, 64)), w.pending...)
		}
		w.pending = append(w.pending, *r)
	}
	return nil
}

// graver: a revocation is graver than a hold, which may be released, and a hold than its release; else the
// earlier is.
func graver(a, b Entry) bool {
	if c := cmp.Compare(a.Reason.gravity(), b.Reason.gravity()); c != 0 {
		return c > 0
	}
	return a.RevocationTime.Before(b.RevocationTime)
}

// cut makes a block of what is pending.
func (w *blockWriter) cut() error {
	if len(w.pending) == 0 {
		return nil
	}
	if err := w.encoding.settle(); err != nil {
		return err
	}
	w.pending, w.spare = w.spare[:0], w.pending
	return w.encoding.do(w.encode)
}

// encode makes a block of what was pending, and writes it.
func (w *blockWriter) encode() error {
	if len(w.spare) == blockEntries && cap(w.buffer) < outputSize { // there will be more such
		w.buffer = append(make([]byte, 0, outputSize+blockEntries*int(unsafe.Sizeof(record{}))), w.buffer...)
	}
	start, counts := len(w.buffer), len(w.counts)
	var b block
	w.counts, w.buffer, b = encode(w.counts, w.buffer, w.spare, w.buckets)
	b.offset = w.at + int64(start)
	b.checksum = sum(w.counts[counts:], w.buffer[start:])
	w.blocks = append(w.blocks, b)
	w.entries += len(w.spare)
	return w.write(outputSize)
}

// write writes the buffer, as far as it is a multiple of so many octets.
func (w *blockWriter) write(unit int) error {
	n := len(w.buffer) / unit * unit
	if n == 0 {
		return nil
	}
	_, err := w.to.WriteAt(w.buffer[:n], w.at)
	w.at += int64(n)
	w.buffer = w.buffer[:copy(w.buffer, w.buffer[n:])]
	return err
}

// flush writes all that was pushed.
func (w *blockWriter) flush() error {
	if err := w.cutLast(); err != nil {
		return err
	}
	return w.write(1)
}

// cutLast makes a block of what is pending, and waits for it.
func (w *blockWriter) cutLast() error {
	if err := w.cut(); err != nil {
		return err
	}
	return w.encoding.settle()
}

// finish writes the rest of a table whose blocks are written.
func (w *blockWriter) finish(meta []byte) (int64, error) {
	if err := w.cutLast(); err != nil {
		return 0, err
	}
	directory := make([]byte, 0, len(w.blocks)*directorySize)
	for i := range w.blocks {
		directory = w.blocks[i].append(directory)
	}
	at := w.at + int64(len(w.buffer)+len(w.counts))
	size := at + int64(len(directory)+len(meta))
	for _, part := range [][]byte{w.counts, directory, meta} {
		w.buffer = append(w.buffer, part...)
		if err := w.write(outputSize); err != nil {
			return 0, err
		}
	}
	if err := w.write(1); err != nil {
		return 0, err
	}
	h := make([]byte, 0, headerSize)
	h = append(h, tableMagic...)
	h = binary.BigEndian.AppendUint32(h, tableVersion)
	h = binary.BigEndian.AppendUint32(h, crc32.Checksum(directory, castagnoli))
	h = binary.BigEndian.AppendUint64(h, uint64(size))
	h = binary.BigEndian.AppendUint64(h, uint64(w.entries))
	h = binary.BigEndian.AppendUint64(h, uint64(at))
	h = binary.BigEndian.AppendUint64(h, uint64(len(w.blocks)))
	h = binary.BigEndian.AppendUint64(h, uint64(len(meta)))
	h = binary.BigEndian.AppendUint32(h, crc32.Checksum(meta, castagnoli))
	h = binary.BigEndian.AppendUint32(h, crc32.Checksum(h, castagnoli))
	_, err := w.to.WriteAt(h, 0)
	return size, err
}
