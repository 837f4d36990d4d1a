package schema

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
)

// pattern is a compiled regular expression of a contract (ECMA-262, with the u flag).
type pattern struct {
	tests []test // all must hold
}

// test is a matcher and what it has to say.
type test struct {
	matcher matcher
	want    bool
}

// matcher tells whether an expression matches some part of a text, in linear time.
type matcher interface{ match(text []byte) bool }

// compilePattern translates an expression of ECMA-262 so that it matches the same
// texts. The error says which part cannot be judged in linear time, such as a
// look-ahead or a back reference.
func compilePattern(expression string) (*pattern, error) {
	t, err := parseExpression(expression)
	if err != nil {
		return nil, err
	}
	conditions, err := t.conditions()
	if err != nil {
		return nil, err
	}
	p := &pattern{}
	for _, c := range conditions {
		m, err := newMatcher(&c.term)
		if err != nil {
			return nil, err
		}
		p.tests = append(p.tests, test{m, c.want})
	}
	return p, nil
}

// match reports whether the expression matches some part of the text, UTF-8.
func (p *pattern) match(text []byte) bool {
	for i := range p.tests {
		if p.tests[i].matcher.match(text) != p.tests[i].want {
			return false
		}
	}
	return true
}

// condition is a term without look-aheads, and whether it has to match.
type condition struct {
	term term
	want bool
}

// conditions returns what together means the same as the term. Look-aheads right
// behind the ^ that begins an expression are conditions of their own, for all begin at
// the same place; others are refused.
func (t *term) conditions() ([]condition, error) {
	if t.kind != termSequence || t.parts[0].kind != termStart {
		return []condition{{*t, true}}, t.plain()
	}
	var all []condition
	rest := t.parts[1:]
	for len(rest) > 0 && (rest[0].kind == termAhead || rest[0].kind == termNotAhead) {
		ahead := sequence([]term{{kind: termStart}, rest[0].parts[0]})
		all = append(all, condition{ahead, rest[0].kind == termAhead})
		rest = rest[1:]
	}
	all = append(all, condition{sequence(slices.Concat(t.parts[:1], rest)), true})
	for i := range all {
		if err := all[i].term.plain(); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// plain refuses look-aheads.
func (t *term) plain() error {
	if t.kind == termAhead || t.kind == termNotAhead {
		return fmt.Errorf("has a look-ahead at offset %d that cannot be judged in linear time: put it right behind the ^ that begins the expression, or into a pattern of its own in allOf or not", t.offset)
	}
	for i := range t.parts {
		if err := t.parts[i].plain(); err != nil {
			return err
		}
	}
	return nil
}

// maxGeneral bounds an expression that has no table: each code point of a text costs up
// to so many steps.
const maxGeneral = 1000

// newMatcher returns the fastest one that serves.
func newMatcher(t *term) (matcher, error) {
	if c, ok := newChain(t); ok {
		return c, nil
	}
	size := t.size()
	if size > maxPositions {
		return nil, errors.New("is too large with its repeats written out: bound the length with maxLength in place of counts")
	}
	if m, ok := newTable(newProgram(t)); ok {
		return m, nil
	}
	if size > maxGeneral {
		return nil, fmt.Errorf("needs more than %d steps for each character: use lower counts, or begin it with ^", maxGeneral)
	}
	return newGeneral(t)
}

// general is a matcher by the standard library.
type general struct{ re *regexp.Regexp }

func newGeneral(t *term) (matcher, error) {
	re, err := regexp.Compile(t.re2())
	if err != nil {
		return nil, errors.New("is too large: bound the length with maxLength in place of counts")
	}
	return general{re}, nil
}

func (g general) match(text []byte) bool { return g.re.Match(text) }
