package ecma

import "unicode/utf8"

// What bounds an expression that has no table: its sets, and how many ways there are
// besides the next place. Each code point of a text costs a step for each way.
const (
	maxSwarm = 512
	maxWays  = 64
)

// crowd is a set of the places in an expression that the next code point may be at.
type crowd [maxSwarm / 64]uint64

func (c *crowd) add(i int) { c[i/64] |= 1 << (i % 64) }

func (c *crowd) has(i int) bool { return c[i/64]>>(i%64)&1 != 0 }

func (c *crowd) addAll(other *crowd) {
	for i := range c {
		c[i] |= other[i]
	}
}

func (c *crowd) meets(other *crowd) bool {
	var both uint64
	for i := range c {
		both |= c[i] & other[i]
	}
	return both != 0
}

func (c *crowd) both(other *crowd) crowd {
	var both crowd
	for i := range c {
		both[i] = c[i] & other[i]
	}
	return both
}

// addNext adds the place behind each of other.
func (c *crowd) addNext(other crowd) {
	var carry uint64
	for i, places := range other {
		c[i] |= places<<1 | carry
		carry = places >> 63
	}
}

// swarm is an automaton that is at many places at once (Glushkov, The abstract theory
// of automata, 1961), for expressions whose table would be too large.
type swarm struct {
	alphabet
	start, again crowd   // at the start of the text, and at any later place
	has          []crowd // by class: the places whose set has it
	// steady are the places that the one by the next number can follow; what else can
	// follow is told for all places together that share it.
	steady crowd
	ways   []way
	// matched are the places behind which every text matches, and last those behind
	// which the text may end.
	matched, last crowd
	any, none     bool // every text matches, and the empty text does
}

// way says what can follow some places.
type way struct{ from, to crowd }

func (m *swarm) match(text []byte) bool {
	if m.any || m.none && len(text) == 0 {
		return true
	}
	open, at := m.start, crowd{}
	for i := 0; i < len(text); {
		class, size := uint8(0), 1
		if c := text[i]; c < utf8.RuneSelf {
			class = m.ascii[c]
		} else {
			class, size = m.beyond(text[i:])
		}
		i += size
		at = open.both(&m.has[class])
		if at.meets(&m.matched) {
			return true
		}
		open = m.again
		open.addNext(at.both(&m.steady))
		for w := range m.ways {
			if at.meets(&m.ways[w].from) {
				open.addAll(&m.ways[w].to)
			}
		}
	}
	return at.meets(&m.last)
}

// newSwarm returns the swarm of a program without edges, or false if it is too large.
func newSwarm(p *program, l *letters, spent *cost) (*swarm, bool) {
	// What comes first in a text has the later steps.
	places := map[int]int{} // by step
	for i := len(p.steps) - 1; i >= 0; i-- {
		if p.steps[i].kind == stepSet {
			places[i] = len(places)
		}
	}
	if len(places) > maxSwarm || p.edges {
		return nil, false
	}
	m := &swarm{alphabet: l.alphabet, has: make([]crowd, len(l.has))}
	c := newClosing(p)
	defer func() { spent.steps += len(p.steps) + len(places)*len(l.has) + c.work }()
	after := func(step int, at around) (next crowd, matched bool) {
		sets, matched := c.close(nil, []int{step}, at)
		for _, i := range sets {
			next.add(places[i])
		}
		return next, matched
	}
	known := map[crowd]int{{}: -1}
	for i, place := range places {
		s := p.steps[i]
		for class := range l.has {
			if l.has[class][s.set] {
				m.has[class].add(place)
			}
		}
		next, matched := after(s.out, around{})
		if matched {
			m.matched.add(place)
		}
		if _, ends := after(s.out, around{end: true}); ends {
			m.last.add(place)
		}
		m.follow(place, next, known)
	}
	if len(m.ways) > maxWays {
		return nil, false
	}
	var always, ends bool
	m.start, m.any = after(p.entry, around{start: true})
	m.again, always = after(p.entry, around{})
	_, ends = after(p.entry, around{end: true}) // then every text matches at its end
	_, m.none = after(p.entry, around{start: true, end: true})
	m.any = m.any || always || ends
	return m, true
}

// follow notes what can follow a place; known are the ways by where they lead.
func (m *swarm) follow(place int, next crowd, known map[crowd]int) {
	if i := place + 1; i < maxSwarm && next.has(i) {
		m.steady.add(place)
		next[i/64] &^= 1 << (i % 64)
	}
	w, ok := known[next]
	if !ok {
		w = len(m.ways)
		known[next] = w
		m.ways = append(m.ways, way{to: next})
	}
	if w >= 0 {
		m.ways[w].from.add(place)
	}
}
