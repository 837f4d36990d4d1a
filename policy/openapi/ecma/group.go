package ecma

import (
	"strconv"
	"strings"
	"unicode"
)

// maxCount bounds the counts of repeats.
const maxCount = 1 << 20

// quantifier reads a repeat, if one is there.
func (p *parser) quantifier() (least, most int, found bool, err error) {
	from := p.at
	switch {
	case p.take("*"):
		least, most = 0, -1
	case p.take("+"):
		least, most = 1, -1
	case p.take("?"):
		least, most = 0, 1
	case p.take("{"):
		if least, most, found, err = p.counts(from); !found || err != nil {
			p.at = from
			return 0, 0, false, err
		}
	default:
		return 0, 0, false, nil
	}
	p.take("?") // which way is tried first does not matter
	return least, most, true, nil
}

// counts reads a repeat in braces behind its {; without one, the { is a character
// (Annex B).
func (p *parser) counts(from int) (least, most int, found bool, err error) {
	least, low := p.number()
	if !low {
		if !p.take(",") {
			return 0, 0, false, nil
		}
		if _, high := p.number(); high && p.take("}") {
			return 0, 0, false, p.wrong(from, "a repeat without a lower count", "write {0,N}")
		}
		return 0, 0, false, nil
	}
	most = least
	if p.take(",") {
		var high bool
		if most, high = p.number(); !high {
			most = -1
		}
	}
	if !p.take("}") {
		return 0, 0, false, nil
	}
	if max(least, most) > maxCount {
		return 0, 0, false, p.wrong(from, "a repeat of more than "+strconv.Itoa(maxCount)+" times", "bound the length with maxLength")
	}
	if most >= 0 && most < least {
		return 0, 0, false, p.wrong(from, "a repeat from more to fewer times", "put the lower count first")
	}
	return least, most, true, nil
}

// number reads digits. A number above maxCount is maxCount+1.
func (p *parser) number() (int, bool) {
	from := p.at
	for p.more() && '0' <= p.text[p.at] && p.text[p.at] <= '9' {
		p.at++
	}
	if from == p.at {
		return 0, false
	}
	n, err := strconv.Atoi(p.text[from:p.at])
	if err != nil || n > maxCount {
		n = maxCount + 1
	}
	return n, true
}

// group reads what is in parentheses, behind the first one.
func (p *parser) group(from int) (t term, repeats bool, err error) {
	if p.groups == maxGroups {
		return term{}, false, p.wrong(from, "more than "+strconv.Itoa(maxGroups)+" groups within each other", "take groups out")
	}
	kind, fold, dotAll := termSequence, p.fold, p.dotAll
	switch {
	case p.take("?:"):
	case p.take("?="):
		kind = termAhead
	case p.take("?!"):
		kind = termNotAhead
	case p.take("?<="):
		kind = termBehind
	case p.take("?<!"):
		kind = termNotBehind
	case p.take("?<"), p.take("?P<"):
		if err := p.name(from); err != nil {
			return term{}, false, err
		}
	case p.take("?"):
		closed, err := p.flags(from)
		if closed || err != nil {
			return term{kind: termEmpty}, false, err
		}
	}
	p.groups++
	t, err = p.choice()
	p.groups--
	p.fold, p.dotAll = fold, dotAll
	if err != nil {
		return term{}, false, err
	}
	if !p.take(")") {
		return term{}, false, p.wrong(from, "a ( that nothing closes", `write \( for the character`)
	}
	if kind != termSequence {
		return term{kind: kind, parts: []term{t}, offset: from}, false, nil
	}
	return t, true, nil
}

// name reads the name of a group and its >. A name only serves back references,
// which are refused.
func (p *parser) name(from int) error {
	name, _, found := strings.Cut(p.text[p.at:], ">")
	if !found || name == "" || strings.ContainsFunc(name, func(c rune) bool {
		return c != '_' && c != '$' && !unicode.IsLetter(c) && !unicode.IsDigit(c)
	}) {
		return p.wrong(from, "a group without a valid name", "write (?<name>...)")
	}
	p.at += len(name) + 1
	return nil
}

// flags reads modifiers behind (?, up to a colon, or for the rest of the expression
// up to a ), which is then closed. The second is not ECMA-262; but where it
// stands first, every dialect that has it means the same by it.
func (p *parser) flags(from int) (closed bool, err error) {
	on := true
	for p.more() {
		switch c := p.next(); c {
		case 'i':
			p.fold = on
		case 's':
			p.dotAll = on
		case '-':
			if !on {
				return false, p.wrong(from, "the group "+p.quoted(from), "write (?:...)")
			}
			on = false
		case ':':
			return false, nil
		case ')':
			if from == 0 || from == 1 && p.text[0] == '^' {
				return true, nil
			}
			return false, p.wrong(from, "modifiers that are not first: "+p.quoted(from), "put them first, or write (?i:...)")
		default:
			return false, p.wrong(from, "the group "+p.quoted(from), "write (?:...)")
		}
	}
	return false, p.wrong(from, "a ( that nothing closes", `write \( for the character`)
}
