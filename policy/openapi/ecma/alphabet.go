package ecma

import (
	"slices"
	"unicode"
	"unicode/utf8"
)

// maxClasses bounds the classes of code points that an expression tells apart.
const maxClasses = 250

// alphabet tells apart the code points that the sets of a program tell apart.
type alphabet struct {
	ascii [utf8.RuneSelf]uint8 // the class of each code point
	wide  []classRange         // those beyond, by where they begin
}

// classRange begins where another class of code points does.
type classRange struct {
	lo    rune
	class uint8
}

// beyond returns the class of the code point at the start of a text, which is not ASCII,
// and its length.
func (a *alphabet) beyond(text []byte) (class uint8, size int) {
	c, size := utf8.DecodeRune(text)
	low, high := 0, len(a.wide)
	for high-low > 1 {
		if mid := (low + high) / 2; a.wide[mid].lo <= c {
			low = mid
		} else {
			high = mid
		}
	}
	return a.wide[low].class, size
}

// letters are the classes of an alphabet as the sets of its program see them.
type letters struct {
	alphabet
	has  [][]bool // by class and set
	word []bool   // by class: \w has it; none if the program has no edges
}

// newLetters returns the letters of a program, or false if there are too many.
func newLetters(p *program, spent *cost) (*letters, bool) {
	sets := p.sets
	if p.edges {
		sets = append(slices.Clip(sets), wordSet())
	}
	bounds := []rune{0, utf8.RuneSelf, unicode.MaxRune + 1}
	for _, s := range sets {
		for _, r := range s {
			bounds = append(bounds, r.lo, r.hi+1)
		}
	}
	slices.Sort(bounds)
	bounds = slices.Compact(bounds)
	if len(bounds)*len(sets) > maxWork {
		return nil, false
	}
	spent.steps += len(bounds) * len(sets)
	l := &letters{}
	classes := map[string]uint8{}
	key := make([]byte, len(sets))
	for i, lo := range bounds[:len(bounds)-1] {
		for i, s := range sets {
			key[i] = '0'
			if s.has(lo) {
				key[i] = '1'
			}
		}
		class, known := classes[string(key)]
		if !known {
			if len(classes) == maxClasses {
				return nil, false
			}
			class = uint8(len(classes)) //nolint:gosec // below maxClasses
			classes[string(key)] = class
			has := make([]bool, len(sets))
			for i := range key {
				has[i] = key[i] == '1'
			}
			l.has = append(l.has, has)
			l.word = append(l.word, p.edges && has[len(sets)-1])
		}
		l.give(lo, bounds[i+1], class)
	}
	return l, true
}

// give gives the code points from lo on a class, up to the one before end.
func (l *letters) give(lo, end rune, class uint8) {
	for c := lo; c < min(end, utf8.RuneSelf); c++ {
		l.ascii[c] = class
	}
	if lo >= utf8.RuneSelf && (len(l.wide) == 0 || l.wide[len(l.wide)-1].class != class) {
		l.wide = append(l.wide, classRange{lo, class})
	}
}
