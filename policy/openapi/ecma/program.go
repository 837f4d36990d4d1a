package ecma

// maxPositions bounds how many code points, edges and choices an expression has once
// its repeats are written out.
const maxPositions = 1 << 16

// size returns how many steps the program of the term has at most, up to maxPositions+1.
func (t *term) size() int {
	n := 1
	for i := range t.parts {
		n = min(n+t.parts[i].size(), maxPositions+1)
	}
	if t.kind == termRepeat {
		n = min(n*max(1, t.least, t.most), maxPositions+1)
	}
	return n
}

// step is one instruction of a program.
type step struct {
	kind stepKind
	set  int // of stepSet: index into program.sets
	out  int
	also int // of stepSplit: the other way
}

type stepKind uint8

const (
	stepMatch stepKind = iota
	stepSet
	stepSplit
	stepStart
	stepEnd
	stepEdge
	stepNoEdge
)

// program is an expression as a non-deterministic automaton (Thompson, Regular
// expression search algorithm, CACM 1968).
type program struct {
	steps []step
	sets  []runeSet
	known map[string]int // sets, by their class
	entry int
	edges bool // the program has \b or \B
}

// newProgram returns the program of a term without look-aheads.
func newProgram(t *term) *program {
	p := &program{known: map[string]int{}, steps: []step{{kind: stepMatch}}}
	p.number(t)
	p.entry = p.before(t, 0)
	return p
}

// number gives the sets of a term their numbers, before repeats are written out.
func (p *program) number(t *term) {
	if t.kind == termSet {
		key := t.set.class()
		i, known := p.known[key]
		if !known {
			i = len(p.sets)
			p.sets = append(p.sets, t.set)
			p.known[key] = i
		}
		t.number = i
	}
	for i := range t.parts {
		p.number(&t.parts[i])
	}
}

func (p *program) add(s step) int {
	p.steps = append(p.steps, s)
	return len(p.steps) - 1
}

// before returns the step that matches the term and goes on with the step next.
func (p *program) before(t *term, next int) int {
	switch t.kind {
	case termSet:
		return p.add(step{kind: stepSet, set: t.number, out: next})
	case termSequence:
		for i := len(t.parts) - 1; i >= 0; i-- {
			next = p.before(&t.parts[i], next)
		}
		return next
	case termChoice:
		way := p.before(&t.parts[len(t.parts)-1], next)
		for i := len(t.parts) - 2; i >= 0; i-- {
			way = p.add(step{kind: stepSplit, out: p.before(&t.parts[i], next), also: way})
		}
		return way
	case termRepeat:
		return p.repeat(t, next)
	case termStart:
		return p.add(step{kind: stepStart, out: next})
	case termEnd:
		return p.add(step{kind: stepEnd, out: next})
	case termEdge:
		p.edges = true
		return p.add(step{kind: stepEdge, out: next})
	case termNoEdge:
		p.edges = true
		return p.add(step{kind: stepNoEdge, out: next})
	case termEmpty, termAhead, termNotAhead, termBehind, termNotBehind: // what looks around is a condition of its own
	}
	return next
}

// repeat writes a repeat out. What may be there stands within what may be there
// before it, so that few steps are open at a time.
func (p *program) repeat(t *term, next int) int {
	entry, least := next, t.least
	if t.most < 0 {
		entry = p.add(step{kind: stepSplit, also: next})
		p.steps[entry].out = p.before(&t.parts[0], entry)
		if least > 0 {
			entry = p.steps[entry].out // the last time is the one to repeat
			least--
		}
	}
	for range t.most - t.least {
		entry = p.add(step{kind: stepSplit, out: p.before(&t.parts[0], entry), also: next})
	}
	for range least {
		entry = p.before(&t.parts[0], entry)
	}
	return entry
}

// closing follows what takes no text.
type closing struct {
	p    *program
	seen []int // by step: the round in which it was reached
	turn int
	todo []int
	work int
}

func newClosing(p *program) *closing { return &closing{p: p, seen: make([]int, len(p.steps))} }

// around says what is around a place of a text.
type around struct{ start, end, before, after bool }

// close returns the steps of sets that are reached from others without text, added
// to dst, and whether the match is.
func (c *closing) close(dst, from []int, at around) (sets []int, matched bool) {
	c.turn++
	c.todo = append(c.todo[:0], from...)
	for len(c.todo) > 0 {
		i := c.todo[len(c.todo)-1]
		c.todo = c.todo[:len(c.todo)-1]
		if c.seen[i] == c.turn {
			continue
		}
		c.seen[i] = c.turn
		c.work++
		s := &c.p.steps[i]
		pass := true
		switch s.kind {
		case stepMatch:
			return dst, true
		case stepSet:
			dst, pass = append(dst, i), false
		case stepSplit:
			c.todo = append(c.todo, s.also)
		case stepStart:
			pass = at.start
		case stepEnd:
			pass = at.end
		case stepEdge:
			pass = at.before != at.after
		case stepNoEdge:
			pass = at.before == at.after
		}
		if pass {
			c.todo = append(c.todo, s.out)
		}
	}
	return dst, false
}

// searches reports whether the program can match anywhere but at the start of a text.
func (p *program) searches() bool {
	const end, before, after, all = 1, 2, 4, 8
	c := newClosing(p)
	for i := range all {
		at := around{end: i&end != 0, before: i&before != 0, after: i&after != 0}
		if sets, matched := c.close(nil, []int{p.entry}, at); matched || len(sets) > 0 {
			return true
		}
	}
	return false
}
