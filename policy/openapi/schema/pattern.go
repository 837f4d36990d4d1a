package schema

// pattern is a compiled regular expression of a contract (ECMA-262, with the u flag).
type pattern struct{}

// compilePattern translates an expression of ECMA-262 so that it matches the same
// texts. The error says which part cannot be judged in linear time, such as a
// look-ahead or a back reference.
func compilePattern(expression string) (*pattern, error) { panic("not built") }

// match reports whether the expression matches some part of the text, UTF-8.
func (p *pattern) match(text []byte) bool { panic("not built") }
