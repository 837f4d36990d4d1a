package ecma

import (
	"encoding/binary"
	"slices"
	"unicode/utf8"
)

// What bounds a table: its entries, and the work to make it.
const (
	maxEntries = 1 << 15
	maxWork    = 1 << 20
)

// table is a deterministic automaton over classes of code points: one look-up for
// each code point of a text, whatever the expression is. It is immutable.
type table struct {
	alphabet
	// next has a row for each state: the state behind a code point of each class, and
	// in the last column what the end of the text gives. States are told by where
	// their row begins.
	next  []uint32
	end   uint32 // the column of the end
	start uint32
}

// The states without a row.
const (
	stateNever uint32 = iota // no text that goes on matches
	stateMatch               // every text that goes on matches
)

func (m *table) match(text []byte) bool {
	state := m.start
	for i := 0; i < len(text) && state > stateMatch; {
		c := text[i]
		if c < utf8.RuneSelf {
			state = m.next[state+uint32(m.ascii[c])]
			i++
			continue
		}
		class, size := m.beyond(text[i:])
		state = m.next[state+uint32(class)]
		i += size
	}
	if state > stateMatch {
		state = m.next[state+m.end]
	}
	return state == stateMatch
}

// newTable returns the table of a program, or false if it would be too large.
func newTable(p *program, l *letters, spent *cost) (*table, bool) {
	b := &tableBuilder{
		table:    &table{alphabet: l.alphabet, end: uint32(len(l.has))}, //nolint:gosec // at most maxClasses
		letters:  l,
		closing:  newClosing(p),
		searches: p.searches(),
		known:    map[string]uint32{},
	}
	defer func() { spent.steps += len(b.next) + b.work + b.closing.work }()
	b.next = make([]uint32, 2*(len(l.has)+1)) // so that no row is at stateNever or stateMatch
	b.start = b.state([]int{p.entry}, around{start: true})
	for i := 0; i < len(b.states); i++ {
		if !b.row(b.states[i]) {
			return nil, false
		}
	}
	b.next = slices.Clip(b.next)
	return b.table, true
}

type tableBuilder struct {
	*table
	letters  *letters
	closing  *closing
	searches bool // the expression may also match later in a text
	known    map[string]uint32
	states   []state
	work     int
}

// state is one of the deterministic automaton: the steps that are open.
type state struct {
	row  uint32
	open []int
	at   around // start and before
}

// state returns where the row of a state is, which is made later if it is new.
func (b *tableBuilder) state(open []int, at around) uint32 {
	slices.Sort(open)
	open = slices.Compact(open)
	if len(open) == 0 {
		return stateNever
	}
	key := make([]byte, 1, 1+4*len(open))
	if at.start {
		key[0] |= 1
	}
	if at.before {
		key[0] |= 2
	}
	for _, i := range open {
		key = binary.LittleEndian.AppendUint32(key, uint32(i)) //nolint:gosec // at most maxPositions and a few
	}
	b.work += len(open)
	row, known := b.known[string(key)]
	if !known {
		row = uint32(len(b.next)) //nolint:gosec // at most maxEntries and some rows
		b.next = append(b.next, make([]uint32, b.end+1)...)
		b.known[string(key)] = row
		b.states = append(b.states, state{row, slices.Clone(open), at})
	}
	return row
}

// row makes the row of a state; false if there is too much to do.
func (b *tableBuilder) row(s state) bool {
	at := s.at
	at.end = true
	if _, matched := b.closing.close(nil, s.open, at); matched {
		b.next[s.row+b.end] = stateMatch
	}
	at.end = false
	var sets [2][]int // by whether \w has what is behind
	var matched [2]bool
	sets[0], matched[0] = b.closing.close(nil, s.open, at)
	if b.closing.p.edges {
		at.after = true
		sets[1], matched[1] = b.closing.close(nil, s.open, at)
	}
	var open []int
	for class, word := range b.letters.word {
		side := 0
		if word {
			side = 1
		}
		to := stateMatch
		if !matched[side] {
			open = b.behind(open[:0], sets[side], class)
			to = b.state(open, around{before: word})
		}
		b.next[s.row+uint32(class)] = to //nolint:gosec // at most maxClasses
		if len(b.next) > maxEntries || b.work+b.closing.work > maxWork {
			return false
		}
	}
	return true
}

// behind appends the steps that are open behind a code point of a class.
func (b *tableBuilder) behind(open, sets []int, class int) []int {
	if b.searches {
		open = append(open, b.closing.p.entry)
	}
	for _, i := range sets {
		if s := &b.closing.p.steps[i]; b.letters.has[class][s.set] {
			open = append(open, s.out)
		}
	}
	b.work += len(sets)
	return open
}
