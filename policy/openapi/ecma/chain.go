package ecma

import "unicode/utf8"

// What bounds a chain.
const (
	maxLinks = 64
	maxBits  = 8 // other sets
)

// chain is an expression such as ^[A-Z]{2}-[0-9]+$: sets, one after another, where a
// code point that may go on with a repeat never begins what follows. So taking
// as much as possible is right, and no way is tried twice.
type chain struct {
	has   [256]uint8 // by ASCII byte: the bits of the sets that have it
	links []link
}

type link struct {
	bit         uint8
	least, most int // most below 0: without end
	wide        runeSet
}

func (c *chain) match(text []byte) bool {
	at := 0
	for i := range c.links {
		l := &c.links[i]
		rest := text[at:]
		if l.wide != nil {
			n, size := c.beyond(l, rest)
			if n < l.least {
				return false
			}
			at += size
			continue
		}
		if l.most >= 0 && l.most < len(rest) {
			rest = rest[:l.most]
		}
		n := 0
		for n < len(rest) && c.has[rest[n]]&l.bit != 0 {
			n++
		}
		if n < l.least {
			return false
		}
		at += n
	}
	return at == len(text)
}

// beyond returns how many code points, and bytes, a link takes whose set has others
// than ASCII.
func (c *chain) beyond(l *link, text []byte) (n, size int) {
	for size < len(text) && n != l.most {
		if b := text[size]; b < utf8.RuneSelf {
			if c.has[b]&l.bit == 0 {
				break
			}
			size++
		} else {
			r, width := utf8.DecodeRune(text[size:])
			if !l.wide.has(r) {
				break
			}
			size += width
		}
		n++
	}
	return n, size
}

// newChain returns the chain of a term, if it is one.
func newChain(t *term) (*chain, bool) {
	last := len(t.parts) - 1
	if t.kind != termSequence || t.parts[0].kind != termStart || t.parts[last].kind != termEnd || last-1 > maxLinks {
		return nil, false
	}
	parts := t.parts[1:last]
	c := &chain{}
	bits := map[string]uint8{}
	for i := range parts {
		set, least, most, ok := parts[i].run()
		if !ok || least != most && !set.disjoint(behind(parts[i+1:])) {
			return nil, false
		}
		bit, known := bits[set.class()]
		if !known {
			if len(bits) == maxBits {
				return nil, false
			}
			bit = 1 << len(bits)
			bits[set.class()] = bit
		}
		for _, r := range set {
			for b := r.lo; b <= min(r.hi, maxASCII); b++ {
				c.has[b] |= bit
			}
		}
		l := link{bit: bit, least: least, most: most}
		if !set.ascii() {
			l.wide = set
		}
		c.links = append(c.links, l)
	}
	return c, true
}

// behind returns what the first code point of the terms, all of them runs, can be.
func behind(parts []term) runeSet {
	var all runeSet
	for i := range parts {
		set, least, _, ok := parts[i].run()
		if !ok {
			break // the chain is refused for it
		}
		all = all.union(set)
		if least > 0 {
			break
		}
	}
	return all
}

// run returns the term as a repeat of a set, if it is one.
func (t *term) run() (set runeSet, least, most int, ok bool) {
	least, most = 1, 1
	if t.kind == termRepeat {
		least, most = t.least, t.most
		t = &t.parts[0]
	}
	return t.set, least, most, t.kind == termSet
}
