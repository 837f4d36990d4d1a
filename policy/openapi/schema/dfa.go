package schema

import (
	"encoding/binary"
	"slices"
	"unicode"
	"unicode/utf8"
)

// What bounds a table: its entries, the classes of code points that it tells apart,
// and the work to make it.
const (
	maxEntries = 1 << 15
	maxClasses = 250
	maxWork    = 2 << 20
)

// table is a deterministic automaton over classes of code points: one look-up for
// each code point of a text, whatever the expression is. It is immutable.
type table struct {
	ascii [utf8.RuneSelf]uint8 // the class of each code point
	wide  []classRange         // those beyond, by their start
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

// classRange begins where another class of code points does.
type classRange struct {
	lo    rune
	class uint8
}

func (m *table) match(text []byte) bool {
	state := m.start
	for i := 0; i < len(text) && state > stateMatch; {
		c := text[i]
		if c < utf8.RuneSelf {
			state = m.next[state+uint32(m.ascii[c])]
			i++
			continue
		}
		wide, size := utf8.DecodeRune(text[i:])
		state = m.next[state+uint32(m.classOf(wide))]
		i += size
	}
	if state > stateMatch {
		state = m.next[state+m.end]
	}
	return state == stateMatch
}

// classOf returns the class of a code point beyond ASCII.
func (m *table) classOf(c rune) uint8 {
	low, high := 0, len(m.wide)
	for high-low > 1 {
		if mid := int(uint(low+high) >> 1); m.wide[mid].lo <= c { //nolint:gosec // never negative
			low = mid
		} else {
			high = mid
		}
	}
	return m.wide[low].class
}

// newTable returns the table of a program, or false if it would be too large.
func newTable(p *program) (*table, bool) {
	b := &tableBuilder{
		table:   &table{},
		closing: closing{p: p, seen: make([]int, len(p.steps))},
		known:   map[string]uint32{},
	}
	if !b.classes() {
		return nil, false
	}
	b.table.end = uint32(len(b.sample)) //nolint:gosec // at most maxClasses
	b.searches = b.search()
	b.table.next = make([]uint32, 2*(len(b.sample)+1)) // no state is told by stateNever or stateMatch
	b.table.start = b.state([]int{p.entry}, around{start: true})
	for i := 0; i < len(b.states); i++ {
		if !b.row(i) {
			return nil, false
		}
	}
	b.table.next = slices.Clip(b.table.next)
	return b.table, true
}

type tableBuilder struct {
	*table
	closing
	sample   []rune   // of each class
	member   [][]bool // by class: whether the set has it
	word     []bool   // by class: whether \w has it
	searches bool     // the expression may also match later in a text
	known    map[string]uint32
	states   []state
	sets     []int
}

// state is one of the deterministic automaton: the steps that are open.
type state struct {
	row  uint32
	open []int
	at   around // start, and before
}

// classes tells apart what the sets of the program tell apart.
func (b *tableBuilder) classes() bool {
	sets := b.p.sets
	if b.p.edges {
		sets = append(slices.Clip(sets), wordSet())
	}
	bounds := []rune{0, utf8.RuneSelf}
	for _, s := range sets {
		for _, r := range s {
			bounds = append(bounds, r.lo, r.hi+1)
		}
	}
	slices.Sort(bounds)
	classes := map[string]uint8{}
	key := make([]byte, len(sets))
	for _, lo := range slices.Compact(bounds) {
		if lo > unicode.MaxRune {
			break
		}
		b.work += len(sets)
		for i, s := range sets {
			key[i] = 0
			if s.has(lo) {
				key[i] = 1
			}
		}
		class, known := classes[string(key)]
		if !known {
			if len(classes) == maxClasses || b.work > maxWork {
				return false
			}
			class = uint8(len(classes)) //nolint:gosec // at most maxClasses
			classes[string(key)] = class
			b.sample = append(b.sample, lo)
			members := make([]bool, len(sets))
			for i := range key {
				members[i] = key[i] == 1
			}
			b.member = append(b.member, members)
			b.word = append(b.word, b.p.edges && members[len(sets)-1])
		}
		b.extend(lo, class)
	}
	return true
}

// extend gives the code points from lo on a class, up to the next one that is told.
func (b *tableBuilder) extend(lo rune, class uint8) {
	for c := lo; c < utf8.RuneSelf; c++ {
		b.ascii[c] = class
	}
	if lo >= utf8.RuneSelf && (len(b.wide) == 0 || b.wide[len(b.wide)-1].class != class) {
		b.wide = append(b.wide, classRange{lo, class})
	}
}

// search reports whether the expression can match anywhere but at the start.
func (b *tableBuilder) search() bool {
	const end, before, after, all = 1, 2, 4, 8
	for i := range all {
		at := around{end: i&end != 0, before: i&before != 0, after: i&after != 0}
		if sets, matched := b.close(nil, []int{b.p.entry}, at); matched || len(sets) > 0 {
			return true
		}
	}
	return false
}

// state returns where the row of a state is, which is made later if it is new.
func (b *tableBuilder) state(open []int, at around) uint32 {
	slices.Sort(open)
	open = slices.Compact(open)
	if len(open) == 0 {
		return stateNever
	}
	key := make([]byte, 0, 1+4*len(open))
	key = append(key, byte(0))
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
		row = uint32(len(b.next)) //nolint:gosec // at most maxEntries and a row
		b.next = append(b.next, make([]uint32, len(b.sample)+1)...)
		b.known[string(key)] = row
		b.states = append(b.states, state{row, slices.Clone(open), at})
	}
	return row
}

// row makes the row of a state.
func (b *tableBuilder) row(i int) bool {
	s := b.states[i]
	at := s.at
	at.end = true
	if _, matched := b.close(nil, s.open, at); matched {
		b.next[s.row+b.end] = stateMatch
	}
	at.end = false
	var sets [2][]int
	var matched [2]bool
	for w := range sets {
		at.after = w == 1
		sets[w], matched[w] = b.close(nil, s.open, at)
		if !b.p.edges {
			sets[1], matched[1] = sets[0], matched[0]
			break
		}
	}
	var open []int
	for class := range b.sample {
		w := 0
		if b.word[class] {
			w = 1
		}
		if matched[w] {
			b.next[s.row+uint32(class)] = stateMatch //nolint:gosec // at most maxClasses
			continue
		}
		open = open[:0]
		if b.searches {
			open = append(open, b.p.entry)
		}
		for _, j := range sets[w] {
			if b.member[class][b.p.steps[j].set] {
				open = append(open, b.p.steps[j].out)
			}
		}
		b.work += len(sets[w])
		to := b.state(open, around{before: b.word[class]})
		b.next[s.row+uint32(class)] = to //nolint:gosec // at most maxClasses
		if len(b.next) > maxEntries || b.work > maxWork {
			return false
		}
	}
	return true
}
