package crl

import (
	"math/bits"
	"slices"
	"sort"
)

// sorter puts a run in order. It sorts words that begin with the bits in which the numbers differ and end with where the entry is: a
// word is moved in less time than an entry, and of most entries the first bits tell.
type sorter struct {
	words, other []uint64
	ends         []int32 // of buckets
	batch        []record
}

// batchEntries is how many entries are handed over at once. They are gathered from all over the run, and the processor waits for
// several at a time if it has nothing else to do in between.
const batchEntries = 256

const (
	keyBits   = 64 - runBits
	indexMask = 1<<runBits - 1
	digitBits = 11
)

// sorted visits at most runEntries entries in order, those of one serial number in the order they were added.
func (s *sorter) sorted(entries []record, visit func([]record) error) error {
	if len(s.words) < len(entries) {
		s.words, s.other = make([]uint64, len(entries)), make([]uint64, len(entries))
		s.ends = make([]int32, (64/digitBits+1)<<digitBits) // 64 bits are that many digits
	}
	var ends [maxSerial + 2]int
	for i := range entries {
		ends[entries[i].length()+1]++
	}
	for i := 1; i < len(ends); i++ {
		ends[i] += ends[i-1]
	}
	// ends[n] is where those of length n begin, and then, where they end.
	for i := range entries {
		n := entries[i].length()
		s.words[ends[n]] = uint64(i)
		ends[n]++
	}
	start := 0
	for _, end := range ends[:maxSerial+1] {
		if end > start {
			s.sort(entries, s.words[start:end], s.other[start:end])
		}
		start = max(start, end)
	}
	for words := range slices.Chunk(s.words[:len(entries)], batchEntries) {
		s.batch = s.batch[:0]
		for _, word := range words {
			s.batch = append(s.batch, entries[word&indexMask])
		}
		if err := visit(s.batch); err != nil {
			return err
		}
	}
	return nil
}

// sort sorts words by the entries that they end with. The words are in the order of their ends.
func (s *sorter) sort(entries []record, words, other []uint64) {
	first := entries[words[0]&indexMask].number
	var differ number
	for _, word := range words {
		x := &entries[word&indexMask]
		differ.hi |= x.hi ^ first.hi
		differ.mid |= x.mid ^ first.mid
		differ.lo |= x.lo ^ first.lo
	}
	span := differ.bits()
	shift := uint(max(0, span-keyBits))
	for i, word := range words {
		at := word & indexMask
		words[i] = entries[at].shr(shift).lo<<runBits | at
	}
	if span == 0 {
		return
	}
	sortWords(words, other, s.ends, uint(min(span, keyBits))+runBits)
	if shift == 0 {
		return
	}
	for i := 0; i < len(words); {
		j := i + 1
		for j < len(words) && words[j]>>runBits == words[i]>>runBits {
			j++
		}
		if j-i > 1 {
			s.sort(entries, words[i:j], other[i:j])
		}
		i = j
	}
}

// sortWords sorts words whose bits from the given one up are alike: by their highest bits into buckets, and each bucket in the same way.
func sortWords(words, other []uint64, ends []int32, top uint) {
	if len(words) <= 24 {
		for i := 1; i < len(words); i++ {
			word, j := words[i], i
			for ; j > 0 && words[j-1] > word; j-- {
				words[j] = words[j-1]
			}
			words[j] = word
		}
		return
	}
	digit := min(uint(bits.Len(uint(len(words))))-3, digitBits, top)
	shift := top - digit
	mask := uint64(1)<<digit - 1
	ends, deeper := ends[:mask+1], ends[mask+1:]
	clear(ends)
	for _, word := range words {
		ends[word>>shift&mask]++
	}
	sum := int32(0)
	for i, n := range ends {
		ends[i] = sum
		sum += n
	}
	for _, word := range words {
		at := &ends[word>>shift&mask]
		other[*at] = word
		*at++
	}
	copy(words, other)
	if shift == 0 {
		return
	}
	start := int32(0)
	for _, end := range ends {
		if end-start > 1 {
			sortWords(words[start:end], other[start:end], deeper, shift)
		}
		start = end
	}
}

// runs are entries in order, several times over, in memory or in the scratch.
type runs struct {
	storage Storage
	keep    int // how many entries more may stay in memory
	room    func(entries int) []record
	at      int64
	all     []source
	sorter  sorter
	buffer  []byte // of reading
	written []byte
	counts  []byte
}

// take makes a run of what is in an output.
func (s *runs) take(from *blockWriter) error {
	w := s.begin()
	var entries []record
	for i := range from.blocks {
		b := &from.blocks[i]
		counts := from.counts[:b.countsSize()]
		from.counts = from.counts[len(counts):]
		var err error
		if entries, err = readBlock(from.to, b, counts, &s.buffer, entries[:0]); err != nil {
			return err
		}
		if err := w.push(entries); err != nil {
			return err
		}
	}
	return s.end(w)
}

// write makes a run of entries.
func (s *runs) write(entries []record) error {
	if len(entries) > 0 && len(entries) <= s.keep && entries[0].length() > shortSerial {
		s.keep -= len(entries)
		return s.stay(entries)
	}
	s.keep = 0 // what came first has to be merged first
	w := s.begin()
	if err := s.sorter.sorted(entries, w.push); err != nil {
		return err
	}
	return s.end(w)
}

// stay makes a run in memory: a source for each length of serial numbers.
func (s *runs) stay(entries []record) error {
	run := s.room(len(entries))
	err := s.sorter.sorted(entries, func(batch []record) error {
		run = append(run, batch...)
		return nil
	})
	for start := 0; start < len(run); {
		end := start + sort.Search(len(run)-start, func(i int) bool { return run[start+i].length() > run[start].length() })
		s.all = append(s.all, source{entries: run[start:end:end], kept: true})
		start = end
	}
	return err
}

// begin begins a run. Its blocks have one bucket each, because nobody looks anything up there.
func (s *runs) begin() *blockWriter {
	return &blockWriter{to: s.storage, at: s.at, buffer: s.written[:0], blockSize: runBlockEntries, buckets: 1, counts: s.counts[:0]}
}

func (s *runs) end(w *blockWriter) error {
	err := w.flush()
	s.at, s.written, s.counts = w.at, w.buffer, w.counts
	if len(w.blocks) > 0 {
		s.all = append(s.all, source{blocks: w.blocks})
	}
	return err
}

// readBlock reads what a blockWriter wrote.
func readBlock(from Storage, b *block, counts []byte, buffer *[]byte, entries []record) ([]record, error) {
	size := int(b.size())
	*buffer = slices.Grow((*buffer)[:0], size)
	octets := (*buffer)[:size]
	if n, err := from.ReadAt(octets, b.offset); n < size && err != nil {
		return nil, err
	}
	if sum(counts, octets) == b.checksum {
		if entries, ok := b.decode(counts, octets, entries); ok {
			return entries, nil
		}
	}
	return nil, errReadBack
}

// merge visits the entries of all runs in order, those of one serial number in the order they were added.
func (s *runs) merge(visit func([]record) error) error {
	s.sorter = sorter{}
	m := merger{storage: s.storage, buffer: s.buffer}
	for length := 1; length <= maxSerial; length++ {
		if err := m.merge(s.all, length, visit); err != nil {
			return err
		}
	}
	return nil
}
