package ecma

import (
	"fmt"
	"slices"
)

// maxConditions bounds how often an expression looks around, and its rest.
const maxConditions = 20

// condition is a term that looks at nothing around, and whether it has to match.
type condition struct {
	term term
	want bool
}

// conditions returns what together means the same as the term. To look around from
// a place that is the same in every match is a condition of its own: a look-ahead from a
// place that a fixed number of characters behind ^ gives, and a look-behind from $. What
// looks from other places is refused.
func (t *term) conditions() ([]condition, error) {
	parts := []term{*t}
	if t.kind == termSequence {
		parts = t.parts
	}
	var all []condition
	parts, all = looksBehind(parts, all)
	if parts[0].kind == termStart {
		parts, all = looksAhead(parts, all)
	}
	all = append(all, condition{sequence(parts), true})
	if len(all) > maxConditions {
		return nil, &Error{fmt.Sprintf("looks around more than %d times", maxConditions-1), "use several patterns in allOf"}
	}
	for i := range all {
		if err := all[i].term.plain(); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// looksAhead takes the look-aheads out of what begins with ^, as far as what stands
// before them has a fixed length.
func looksAhead(parts []term, all []condition) ([]term, []condition) {
	var rest []term
	before, fixed := 0, true
	for i := range parts {
		p := &parts[i]
		if !fixed || p.kind != termAhead && p.kind != termNotAhead {
			rest = append(rest, *p)
			width, ok := p.width()
			fixed = fixed && ok && before+width <= maxCount
			before += width
			continue
		}
		skip := term{kind: termRepeat, least: before, most: before, parts: []term{{kind: termSet, set: runeSet(nil).negate()}}}
		ahead := []term{{kind: termStart}, skip, p.parts[0]}
		if before == 0 {
			ahead = slices.Delete(ahead, 1, 2)
		}
		all = append(all, condition{sequence(ahead), p.kind == termAhead})
	}
	return rest, all
}

// looksBehind takes out the look-behinds beside the $ that ends parts.
func looksBehind(parts []term, all []condition) ([]term, []condition) {
	at := len(parts)
	for at > 0 && slices.Contains([]termKind{termEnd, termBehind, termNotBehind}, parts[at-1].kind) {
		at--
	}
	tail := parts[at:]
	if !slices.ContainsFunc(tail, func(t term) bool { return t.kind == termEnd }) {
		return parts, all
	}
	for i := range tail {
		if t := &tail[i]; t.kind != termEnd {
			all = append(all, condition{sequence([]term{t.parts[0], {kind: termEnd}}), t.kind == termBehind})
		}
	}
	return append(slices.Clone(parts[:at]), term{kind: termEnd}), all
}

// width returns how many code points the term matches, if it is always as many.
func (t *term) width() (int, bool) {
	switch t.kind {
	case termSet:
		return 1, true
	case termRepeat:
		width, ok := t.parts[0].width()
		return min(width*t.least, maxCount+1), ok && t.least == t.most
	case termChoice:
		width, ok := t.parts[0].width()
		for i := range t.parts[1:] {
			other, fixed := t.parts[1+i].width()
			ok = ok && fixed && other == width
		}
		return width, ok
	case termSequence:
		sum, ok := 0, true
		for i := range t.parts {
			width, fixed := t.parts[i].width()
			sum, ok = min(sum+width, maxCount+1), ok && fixed
		}
		return sum, ok
	case termEmpty, termStart, termEnd, termEdge, termNoEdge, termAhead, termNotAhead, termBehind, termNotBehind:
	}
	return 0, true
}

// plain refuses what looks around.
func (t *term) plain() error {
	if t.kind == termAhead || t.kind == termNotAhead {
		return &Error{
			fmt.Sprintf("has a look-ahead at offset %d, from a place that is not the same in every match", t.offset),
			"put it right behind the ^ that begins the expression, or into a pattern of its own, in allOf or not",
		}
	}
	if t.kind == termBehind || t.kind == termNotBehind {
		return &Error{
			fmt.Sprintf("has a look-behind at offset %d, from a place that is not the end", t.offset),
			"put it right before the $ that ends the expression, or into a pattern of its own, in allOf or not",
		}
	}
	for i := range t.parts {
		if err := t.parts[i].plain(); err != nil {
			return err
		}
	}
	return nil
}
