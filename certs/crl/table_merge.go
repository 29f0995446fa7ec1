package crl

import "math/bits"

// merger merges runs by a tree of losers: of what each run has next, the least has won all its matches, and every other stays
// where it lost. To take the least and put its successor in its place takes one match on each level.
type merger struct {
	storage Storage
	buffer  []byte
	sources []*source
	losers  []contender // [1:], the children of i are 2i and 2i+1, and from len(losers) on the sources
	// What a contender has of a number is the part of number-least from the bit shift on; below that are the bits of the source.
	least             number
	shift, sourceBits uint
}

// source is a run, in part in memory.
type source struct {
	blocks  []block // not yet read
	entries []record
	next    int
	kept    bool // wholly in memory, and of serial numbers of one length
}

// bounds are the first number of those of a length that a source has, and one that none is above; false if it has none. Shorter ones
// were taken out before.
func (s *source) bounds(length int) (first, last number, ok bool) {
	if s.kept {
		first, last = s.entries[0].number, s.entries[len(s.entries)-1].number
		return first, last, first.length() == length
	}
	if len(s.blocks) == 0 || s.blocks[0].base.length() != length {
		return first, last, false
	}
	for i := range s.blocks {
		b := &s.blocks[i]
		if b.base.length() != length {
			break
		}
		last = b.base.add(number{lo: uint64(b.buckets)}.shl(uint(b.k)))
	}
	return s.blocks[0].base, last, true
}

// contender is the next entry of a source: the beginning of its number, then the source. So most matches are two numbers compared, without a
// branch that the processor would have to guess.
type contender uint64

const nobody = ^contender(0) // a source has nothing left

// merge visits the entries with serial numbers of one length. Shorter ones have been visited.
func (m *merger) merge(sources []source, length int, visit func([]record) error) error {
	m.sources = m.sources[:0]
	var most number
	for i := range sources {
		s := &sources[i]
		first, last, ok := s.bounds(length)
		if !ok {
			continue
		}
		if len(m.sources) == 0 || first.less(m.least) {
			m.least = first
		}
		if most.less(last) {
			most = last
		}
		m.sources = append(m.sources, s)
	}
	if len(m.sources) == 0 {
		return nil
	}
	m.sourceBits = uint(bits.Len(uint(len(m.sources)))) // none has all of them set
	m.shift = uint(max(0, most.sub(m.least).bits()-64+int(m.sourceBits)))
	m.losers = make([]contender, len(m.sources))
	batch := make([]record, 0, batchEntries)
	winner, err := m.build(1)
	for err == nil && winner != nobody {
		source := int(winner & (1<<m.sourceBits - 1))
		s := m.sources[source]
		batch = append(batch, s.entries[s.next])
		s.next++
		if len(batch) == cap(batch) {
			if err := visit(batch); err != nil {
				return err
			}
			batch = batch[:0]
		}
		winner, err = m.replay(source)
	}
	if err != nil {
		return err
	}
	return visit(batch)
}

// build plays the matches below a node, and returns the winner.
func (m *merger) build(node int) (contender, error) {
	if node >= len(m.losers) {
		return m.contender(node - len(m.losers))
	}
	a, err := m.build(2 * node)
	if err != nil {
		return a, err
	}
	b, err := m.build(2*node + 1)
	if err != nil {
		return b, err
	}
	a, m.losers[node] = m.match(a, b)
	return a, nil
}

// replay plays the matches of the next entry of a source, and returns the winner.
func (m *merger) replay(source int) (contender, error) {
	c, err := m.contender(source)
	if err != nil {
		return c, err
	}
	for node := (len(m.losers) + source) / 2; node > 0; node /= 2 {
		c, m.losers[node] = m.match(c, m.losers[node])
	}
	return c, nil
}

func (m *merger) match(a, b contender) (winner, loser contender) {
	if (a^b)>>m.sourceBits == 0 {
		return m.decide(a, b)
	}
	return min(a, b), max(a, b)
}

// decide is a match of two whose numbers begin alike. Entries of one serial number come in the order of their runs.
func (m *merger) decide(a, b contender) (winner, loser contender) {
	a, b = min(a, b), max(a, b)
	if b == nobody {
		return a, b
	}
	x, y := m.sources[a&(1<<m.sourceBits-1)], m.sources[b&(1<<m.sourceBits-1)]
	if y.entries[y.next].less(x.entries[x.next].number) {
		return b, a
	}
	return a, b
}

func (m *merger) contender(i int) (contender, error) {
	s := m.sources[i]
	if s.next == len(s.entries) {
		if len(s.blocks) == 0 || s.blocks[0].base.length() != m.least.length() {
			if !s.kept {
				s.entries, s.next = s.entries[:0], 0
			}
			return nobody, nil
		}
		b := &s.blocks[0]
		var err error
		if s.entries, err = readBlock(m.storage, b, []byte{0, 0, byte(b.n >> 8), byte(b.n)}, &m.buffer, s.entries[:0]); err != nil {
			return nobody, err
		}
		s.blocks, s.next = s.blocks[1:], 0
	}
	return contender(s.entries[s.next].sub(m.least).shr(m.shift).lo<<m.sourceBits) | contender(i), nil
}
