package ecma

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// What bounds an expression, so that neither compiling nor judging costs much.
const (
	maxExpression = 8 << 10 // bytes
	maxGroups     = 100     // within each other
	maxRanges     = 1 << 18 // of code points, in all its classes
	rangeSteps    = 32      // what a range costs, as steps of a program
)

// termKind says what a term matches.
type termKind uint8

const (
	termEmpty     termKind = iota // the empty text
	termSet                       // one code point of set
	termSequence                  // its parts, one after another
	termChoice                    // any of its parts
	termRepeat                    // its part, from least to most times
	termStart                     // ^
	termEnd                       // $
	termEdge                      // \b
	termNoEdge                    // \B
	termAhead                     // (?=part)
	termNotAhead                  // (?!part)
	termBehind                    // (?<=part)
	termNotBehind                 // (?<!part)
)

// term is one piece of a parsed expression. Which text a group holds and which way
// is tried first do not matter for whether a text matches, so terms say neither.
type term struct {
	kind        termKind
	set         runeSet
	number      int // of set, in the program
	parts       []term
	least, most int // most below 0: without end
	offset      int // in the expression, of what looks around
}

// parser reads an expression of ECMA-262, 22.2.1, with the u flag. Where contracts
// commonly do without the flag, it reads what Annex B reads, as long as no other
// dialect means something else by it.
type parser struct {
	text   string
	at     int
	groups int     // within each other
	fold   bool    // case is ignored (i)
	dotAll bool    // a dot matches line terminators, too (s)
	hollow int     // behind the last [] or [^], else 0
	ranges int     // so far
	cased  runeSet // made when it is needed
}

// parseExpression returns the term that an expression stands for.
func parseExpression(text string, spent *cost) (term, error) {
	if len(text) > maxExpression {
		return term{}, &Error{fmt.Sprintf("is longer than %d bytes", maxExpression), "use several patterns in allOf"}
	}
	if !utf8.ValidString(text) {
		return term{}, &Error{"is not valid UTF-8", "correct it"}
	}
	p := &parser{text: text}
	t, err := p.choice()
	spent.steps += len(text) + rangeSteps*p.ranges
	if err != nil {
		return term{}, err
	}
	return t, p.finished()
}

func (p *parser) finished() error {
	if p.at < len(p.text) {
		return p.wrong(p.at, "a ) that closes nothing", `write \)`)
	}
	return nil
}

// wrong returns the error for a construct at an offset in bytes.
func (p *parser) wrong(offset int, what, fix string) error {
	return &Error{fmt.Sprintf("has %s at offset %d", what, offset), fix}
}

// quoted returns what stands from an offset to where the parser is, bounded.
func (p *parser) quoted(from int) string {
	const limit = 24
	to := min(p.at, len(p.text))
	text := p.text[from:to]
	if len(text) > limit {
		for text = text[:limit]; !utf8.ValidString(text); {
			text = text[:len(text)-1]
		}
		text += "..."
	}
	return text
}

func (p *parser) more() bool { return p.at < len(p.text) }

// take goes past the next text if it is there.
func (p *parser) take(next string) bool {
	if strings.HasPrefix(p.text[p.at:], next) {
		p.at += len(next)
		return true
	}
	return false
}

// next goes past one code point.
func (p *parser) next() rune {
	c, size := utf8.DecodeRuneInString(p.text[p.at:])
	p.at += size
	return c
}

// choice reads a disjunction, up to a ) or the end.
func (p *parser) choice() (term, error) {
	var ways []term
	for {
		way, err := p.alternative()
		if err != nil {
			return term{}, err
		}
		ways = append(ways, way)
		if !p.take("|") {
			return either(ways), nil
		}
	}
}

func (p *parser) alternative() (term, error) {
	var parts []term
	for p.more() && p.text[p.at] != '|' && p.text[p.at] != ')' {
		from := p.at
		t, repeats, err := p.term()
		if err != nil {
			return term{}, err
		}
		if p.ranges > maxRanges {
			return term{}, p.wrong(from, "too many characters in its classes", "use fewer and smaller ones")
		}
		least, most, found, err := p.quantifier()
		if err != nil {
			return term{}, err
		}
		if found {
			if !repeats {
				return term{}, p.wrong(from, "a repeat of "+p.quoted(from), "repeat something that has a length")
			}
			t = term{kind: termRepeat, parts: []term{t}, least: least, most: most}
		}
		parts = append(parts, t)
	}
	return sequence(parts), nil
}

// sequence returns the term of terms one after another.
func sequence(parts []term) term {
	var flat []term
	for _, t := range parts {
		if t.kind == termSequence || t.kind == termEmpty {
			flat = append(flat, t.parts...)
		} else {
			flat = append(flat, t)
		}
	}
	switch len(flat) {
	case 0:
		return term{kind: termEmpty}
	case 1:
		return flat[0]
	}
	return term{kind: termSequence, parts: flat}
}

// either returns the term of alternatives.
func either(ways []term) term {
	if len(ways) == 1 {
		return ways[0]
	}
	if slices.ContainsFunc(ways, func(t term) bool { return t.kind != termSet }) {
		return term{kind: termChoice, parts: ways}
	}
	var all []runeRange
	for _, t := range ways {
		all = append(all, t.set...)
	}
	return term{kind: termSet, set: setOf(all...)}
}

// term reads an assertion or an atom, and says whether it may be repeated.
func (p *parser) term() (t term, repeats bool, err error) {
	from := p.at
	switch c := p.next(); c {
	case '^', '$':
		if c == '^' {
			return term{kind: termStart}, false, nil
		}
		return term{kind: termEnd}, false, nil
	case '(':
		return p.group(from)
	case '[':
		set, err := p.class(from)
		return p.one(set), true, err
	case '.':
		if p.dotAll {
			return term{kind: termSet, set: runeSet(nil).negate()}, true, nil
		}
		return term{kind: termSet, set: lineSet().negate()}, true, nil
	case '*', '+', '?':
		return term{}, false, p.wrong(from, "a "+string(c)+" that repeats nothing", `write \`+string(c)+" for the character")
	case ']':
		if p.hollow > 0 {
			return term{}, false, p.wrong(from, "a ] that [] or [^] before it has closed already", `write \] for the character`)
		}
		return p.one(setOf(runeRange{c, c})), true, nil
	case '{':
		p.at = from
		_, _, found, err := p.quantifier()
		if err == nil && found {
			err = p.wrong(from, p.quoted(from)+" that repeats nothing", `write \{ for the character`)
		}
		p.at = from + 1
		return p.one(setOf(runeRange{c, c})), true, err
	case '\\':
		return p.atomEscape(from)
	default:
		return p.one(setOf(runeRange{c, c})), true, nil
	}
}

// one returns the term of one code point.
func (p *parser) one(set runeSet) term {
	set = p.folded(set)
	p.ranges += len(set)
	return term{kind: termSet, set: set}
}

// folded adds the other cases to a set, where case is ignored.
func (p *parser) folded(set runeSet) runeSet {
	if !p.fold {
		return set
	}
	if p.cased == nil {
		p.cased = cased()
	}
	folded := set.fold(p.cased)
	if len(set) > 0 && !set.ascii() {
		p.ranges += len(p.cased)
	}
	return folded
}
