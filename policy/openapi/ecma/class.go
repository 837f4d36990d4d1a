package ecma

import (
	"strconv"
	"strings"
	"unicode"
)

// class reads a character class behind its [.
func (p *parser) class(from int) (runeSet, error) {
	negated := p.take("^")
	if p.take("]") {
		p.hollow = p.at
	} else {
		set, err := p.members(from)
		if err != nil {
			return nil, err
		}
		p.ranges += len(set)
		if negated {
			return p.folded(set).negate(), nil
		}
		return set, nil
	}
	if negated {
		return runeSet(nil).negate(), nil
	}
	return nil, nil
}

// members reads what a class has, up to its ].
func (p *parser) members(from int) (runeSet, error) {
	var all runeSet
	for p.more() {
		if p.take("]") {
			return setOf(all...), nil
		}
		at := p.at
		low, single, err := p.member()
		if err != nil {
			return nil, err
		}
		if all = append(all, low...); len(all) > maxRanges {
			return nil, p.wrong(from, "too many characters in its classes", "use fewer and smaller ones")
		}
		// A - that stands last, or beside a class, is a character (Annex B).
		if !strings.HasPrefix(p.text[p.at:], "-") || strings.HasPrefix(p.text[p.at:], "-]") {
			continue
		}
		p.at++
		high, also, err := p.member()
		if err != nil {
			return nil, err
		}
		all = append(all, high...)
		if !single || !also {
			all = append(all, runeRange{'-', '-'})
			continue
		}
		if low[0].lo > high[0].lo {
			return nil, p.wrong(at, "the range "+p.quoted(at)+", whose end is before its start,", `turn it, or write \- for the character`)
		}
		all = append(all, runeRange{low[0].lo, high[0].lo})
	}
	return nil, p.wrong(from, "a [ that nothing closes", `write \[ for the character`)
}

// member reads a code point or a class of them; single tells a code point, which may
// be a surrogate. The ranges are as written.
func (p *parser) member() (set []runeRange, single bool, err error) {
	if !p.more() {
		return nil, false, nil
	}
	from := p.at
	switch c := p.next(); {
	case c == '[' && p.more() && p.text[p.at] == ':' && strings.Contains(p.text[p.at:], ":]"):
		return nil, false, p.wrong(from, "a POSIX class, which ECMA-262 reads as characters,", `write the ranges, such as A-Za-z for [:alpha:]`)
	case c == '&' && strings.HasPrefix(p.text[p.at:], "&["):
		return nil, false, p.wrong(from, "an intersection of classes, which ECMA-262 reads as characters,", "write the ranges")
	case c != '\\':
		return []runeRange{{c, c}}, true, nil
	}
	switch {
	case p.take("b"):
		return []runeRange{{'\b', '\b'}}, true, nil
	case p.take("B"):
		return nil, false, p.wrong(from, `\B in a class`, "take it out")
	}
	if set, found, err := p.classEscape(from); found || err != nil {
		return set, false, err
	}
	c, err := p.characterEscape(from)
	return []runeRange{{c, c}}, true, err
}

// classEscape reads \d and the like behind the backslash, if one is there.
func (p *parser) classEscape(from int) (runeSet, bool, error) {
	for _, e := range [...]struct {
		letter string
		set    func() runeSet
	}{{"d", digitSet}, {"w", p.wordSet}, {"s", spaceSet}} {
		switch {
		case p.take(e.letter):
			return e.set(), true, nil
		case p.take(strings.ToUpper(e.letter)):
			return e.set().negate(), true, nil
		}
	}
	negated := strings.HasPrefix(p.text[p.at:], "P")
	if !negated && !strings.HasPrefix(p.text[p.at:], "p") {
		return nil, false, nil
	}
	p.at++
	name, _, closed := strings.Cut(p.text[p.at:], "}")
	if !strings.HasPrefix(name, "{") || !closed {
		return nil, false, p.wrong(from, p.quoted(from)+" without a property in braces", `write \p{L}`)
	}
	p.at += len(name) + 1
	set, known := propertySet(name[1:])
	if !known {
		return nil, false, p.wrong(from, "the unknown property "+p.quoted(from), `use a category such as \p{L}, or \p{Script=Greek}`)
	}
	if negated {
		set = set.negate()
	}
	return set, true, nil
}

// wordSet is \w; where case is ignored, it has what folds to its letters
// (ECMA-262, WordCharacters).
func (p *parser) wordSet() runeSet {
	return p.folded(wordSet())
}

// atomEscape reads what a backslash begins outside of classes.
func (p *parser) atomEscape(from int) (t term, repeats bool, err error) {
	if !p.more() {
		return term{}, false, p.wrong(from, `a \ at its end`, `write \\`)
	}
	switch c := p.text[p.at]; {
	case c == 'b' || c == 'B':
		p.at++
		if p.fold {
			return term{}, false, p.wrong(from, p.quoted(from)+" where case is ignored", "write the classes of both cases in place of (?i)")
		}
		if c == 'b' {
			return term{kind: termEdge}, false, nil
		}
		return term{kind: termNoEdge}, false, nil
	case c == 'k' || '1' <= c && c <= '9':
		p.at++
		return term{}, false, p.wrong(from, "the back reference "+p.quoted(from), "say it without, or list the texts in an enum")
	}
	set, found, err := p.classEscape(from)
	if err != nil {
		return term{}, false, err
	}
	if !found {
		c, err := p.characterEscape(from)
		if err != nil {
			return term{}, false, err
		}
		set = setOf(runeRange{c, c})
	}
	return p.one(set), true, nil
}

// characterEscape reads the escape of one code point behind the backslash.
func (p *parser) characterEscape(from int) (rune, error) {
	if !p.more() {
		return 0, p.wrong(from, `a \ at its end`, `write \\`)
	}
	c := p.next()
	if i := strings.IndexRune("tnvfr", c); i >= 0 {
		return rune("\t\n\v\f\r"[i]), nil
	}
	switch {
	case c == '0' && (!p.more() || p.text[p.at] < '0' || p.text[p.at] > '9'):
		return 0, nil
	case c == 'c' && p.more() && 'a' <= p.text[p.at]|0x20 && p.text[p.at]|0x20 <= 'z':
		return p.next() & 0x1F, nil
	case c == 'x':
		if code, ok := p.hex(2); ok {
			return code, nil
		}
		return 0, p.wrong(from, `\x without two hex digits`, `write \xHH or \u{H...}`)
	case c == 'u':
		return p.unicode(from)
	case ' ' <= c && c < maxASCII && strings.Trim(string(c), "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") != "":
		return c, nil // Annex B: IdentityEscape
	}
	fix, known := map[rune]string{'A': "write ^", 'Z': "write $", 'z': "write $", 'a': `write \x07`, 'e': `write \x1B`, 'h': `write [ \t]`}[c]
	if !known {
		fix = "take the backslash out, or write what is meant"
	}
	return 0, p.wrong(from, "the escape "+p.quoted(from)+", which ECMA-262 does not know,", fix)
}

// hex reads so many hex digits.
func (p *parser) hex(digits int) (rune, bool) {
	if len(p.text)-p.at < digits {
		return 0, false
	}
	code, err := strconv.ParseUint(p.text[p.at:p.at+digits], 16, 16)
	if err != nil {
		return 0, false
	}
	p.at += digits
	return rune(code), true
}

// unicode reads behind \u: four digits, with those of the low surrogate behind a high
// one, or any number of digits in braces.
func (p *parser) unicode(from int) (rune, error) {
	const fix = `write \uHHHH, or \u{H...} up to 10FFFF`
	if p.take("{") {
		digits, _, closed := strings.Cut(p.text[p.at:], "}")
		code, err := strconv.ParseUint(digits, 16, 32)
		if closed && err == nil && code <= unicode.MaxRune {
			p.at += len(digits) + 1
			return rune(code), nil
		}
		return 0, p.wrong(from, `\u{ without a code point`, fix)
	}
	high, ok := p.hex(4)
	if !ok {
		return 0, p.wrong(from, `\u without four hex digits`, fix)
	}
	if high < surrogateMin || high >= 0xDC00 || !p.take(`\u`) {
		return high, nil
	}
	behind := p.at
	if low, ok := p.hex(4); ok && low >= 0xDC00 && low <= surrogateMax {
		return 0x10000 + (high-surrogateMin)<<10 + (low - 0xDC00), nil
	}
	p.at = behind - len(`\u`)
	return high, nil
}
