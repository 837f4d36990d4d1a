package ecma

// Pattern is a compiled regular expression of a contract (ECMA-262, with the u flag).
type Pattern struct {
	tests []test // all must hold
}

// test is a matcher and what it has to say.
type test struct {
	matcher matcher
	want    bool
}

// matcher tells whether an expression matches some part of a text, in linear time.
type matcher interface{ match(text []byte) bool }

// Error is why an expression cannot be compiled, without the expression. Both
// parts are short.
type Error struct {
	Cause string // what is wrong, and at which offset in bytes
	Fix   string // what to write in its place
}

func (e *Error) Error() string { return e.Cause + ": " + e.Fix }

// Compile translates an expression of ECMA-262 so that it matches the same
// texts. The error, a *Error, says which part cannot be judged in linear time,
// such as a back reference, or is not ECMA-262.
func Compile(expression string) (*Pattern, error) {
	return compile(expression, &cost{})
}

func compile(expression string, spent *cost) (*Pattern, error) {
	t, err := parseExpression(expression, spent)
	if err != nil {
		return nil, err
	}
	conditions, err := t.conditions()
	if err != nil {
		return nil, err
	}
	p := &Pattern{}
	for _, c := range conditions {
		m, err := newMatcher(&c.term, spent)
		if err != nil {
			return nil, err
		}
		p.tests = append(p.tests, test{m, c.want})
	}
	return p, nil
}

// Match reports whether the expression matches some part of the text, UTF-8.
func (p *Pattern) Match(text []byte) bool {
	for i := range p.tests {
		if p.tests[i].matcher.match(text) != p.tests[i].want {
			return false
		}
	}
	return true
}

// newMatcher returns the fastest one that serves.
func newMatcher(t *term, spent *cost) (matcher, error) {
	if c, ok := newChain(t); ok {
		spent.bytes += c.size()
		return c, nil
	}
	if t.size() > maxPositions {
		return nil, &Error{"is too large with its repeats written out", "bound the length with maxLength in place of counts"}
	}
	p := newProgram(t)
	spent.steps += len(p.steps)
	l, ok := newLetters(p, spent)
	if !ok {
		return nil, &Error{"tells too many classes of characters apart", "use fewer and smaller ones"}
	}
	if m, ok := newTable(p, l, spent); ok {
		spent.bytes += m.size()
		return m, nil
	}
	if m, ok := newSwarm(p, l, spent); ok {
		spent.bytes += m.size()
		return m, nil
	}
	return nil, &Error{"can be at too many places of a text at once", "begin it with ^, use lower counts, or bound the length with maxLength"}
}
