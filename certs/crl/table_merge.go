package crl

// merger merges runs by a tree of losers: of what each run has next, the least has won all its matches, and every other stays
// where it lost. To take the least and put its successor in its place takes one match on each level.
type merger struct {
	storage Storage
	buffer  []byte
	sources []*source
	losers  []contender // [1:], the children of i are 2i and 2i+1, and from len(losers) on the sources
	// The first word that tells numbers apart is (number-least)>>shift.
	least number
	shift uint
}

// source is a run, in part in memory.
type source struct {
	blocks  []block // not yet read
	entries []record
	next    int
}

// contender is the next entry of a source, by its first word.
type contender struct {
	word   uint64
	source int // -1: there is none
}

// merge visits the entries with serial numbers of one length. Shorter ones have been visited.
func (m *merger) merge(sources []source, length int, visit func(*record) error) error {
	m.sources = m.sources[:0]
	var most number
	for i := range sources {
		s := &sources[i]
		if len(s.blocks) == 0 || s.blocks[0].base.length() != length {
			continue
		}
		if len(m.sources) == 0 || s.blocks[0].base.less(m.least) {
			m.least = s.blocks[0].base
		}
		for j := range s.blocks {
			b := &s.blocks[j]
			if b.base.length() != length {
				break
			}
			if end := b.base.add(number{lo: uint64(b.buckets)}.shl(uint(b.k))); most.less(end) {
				most = end
			}
		}
		m.sources = append(m.sources, s)
	}
	if len(m.sources) == 0 {
		return nil
	}
	m.shift = uint(max(0, most.sub(m.least).bits()-64))
	m.losers = make([]contender, len(m.sources))
	winner, err := m.build(1)
	for ; err == nil && winner.source >= 0; winner, err = m.replay(winner.source) {
		s := m.sources[winner.source]
		if err := visit(&s.entries[s.next]); err != nil {
			return err
		}
		s.next++
	}
	return err
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
	if m.before(b, a) {
		a, b = b, a
	}
	m.losers[node] = b
	return a, nil
}

// replay plays the matches of the next entry of a source, and returns the winner.
func (m *merger) replay(source int) (contender, error) {
	c, err := m.contender(source)
	if err != nil {
		return c, err
	}
	for node := (len(m.losers) + source) / 2; node > 0; node /= 2 {
		other := &m.losers[node]
		if other.word < c.word || other.word == c.word && m.before(*other, c) {
			c, *other = *other, c
		}
	}
	return c, nil
}

// before: entries of one serial number come in the order of their runs.
func (m *merger) before(a, b contender) bool {
	if a.source < 0 || b.source < 0 {
		return b.source < a.source
	}
	x, y := m.sources[a.source], m.sources[b.source]
	if p, q := x.entries[x.next].number, y.entries[y.next].number; p != q {
		return p.less(q)
	}
	return a.source < b.source
}

func (m *merger) contender(i int) (contender, error) {
	s := m.sources[i]
	if s.next == len(s.entries) {
		if len(s.blocks) == 0 || s.blocks[0].base.length() != m.least.length() {
			s.entries, s.next = s.entries[:0], 0
			return contender{^uint64(0), -1}, nil
		}
		b := &s.blocks[0]
		var err error
		if s.entries, err = readBlock(m.storage, b, []byte{0, 0, byte(b.n >> 8), byte(b.n)}, &m.buffer, s.entries[:0]); err != nil {
			return contender{}, err
		}
		s.blocks, s.next = s.blocks[1:], 0
	}
	return contender{s.entries[s.next].sub(m.least).shr(m.shift).lo, i}, nil
}
