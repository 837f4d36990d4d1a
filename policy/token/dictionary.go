package token

import "strings"

// This file reads dictionaries of structured fields (RFC 8941 section 3.2), strictly
// and in one pass, as far as signatures need them: values stay the text that they are
// written in. There is one text for every string, token and byte sequence that is taken
// here, so that text is also its canonical form (section 4.1); integers are looked at
// where they are read.

const (
	// maxDictionary bounds the bytes of all lines of a field together.
	maxDictionary = 8 << 10
	// maxMembers bounds the members of a dictionary, the items of a list in it, and the
	// parameters of each.
	maxMembers = 64
)

// labelled is the value of one key: an item, or an inner list of items.
type labelled struct {
	list   bool
	items  []bareItem // of an inner list
	value  string     // of an item
	params []param
}

// bareItem is one item of a list with its parameters.
type bareItem struct {
	value  string
	params []param
}

// param is one parameter. A value of "" stands for true, which is not written.
type param struct{ key, value string }

// dictionaryMember returns what a dictionary has under a key. It is not ok when the
// lines are no dictionary, or more than is read, or have the key twice: the last one
// counts by the standard, and the first one for whoever looks for a text.
func dictionaryMember(lines []string, key string) (found *labelled, ok bool) {
	total := 0
	for _, line := range lines {
		total += len(line) + len(", ")
	}
	if total > maxDictionary {
		return nil, false
	}
	s := &scanner{rest: strings.Trim(strings.Join(lines, ", "), " ")}
	if s.rest == "" {
		return nil, true
	}
	for range maxMembers {
		name, hasKey := s.key()
		m, hasValue := s.value()
		if !hasKey || !hasValue {
			return nil, false
		}
		if name == key {
			if found != nil {
				return nil, false
			}
			found = &m
		}
		s.skip(" \t")
		if s.rest == "" {
			return found, true
		}
		if !s.take(',') {
			return nil, false
		}
		s.skip(" \t")
	}
	return nil, false
}

// scanner takes what it reads off the front of rest.
type scanner struct{ rest string }

func (s *scanner) take(c byte) bool {
	if s.rest == "" || s.rest[0] != c {
		return false
	}
	s.rest = s.rest[1:]
	return true
}

func (s *scanner) skip(set string) { s.rest = strings.TrimLeft(s.rest, set) }

// while takes as many bytes as a rule allows.
func (s *scanner) while(rule func(c byte) bool) string {
	n := 0
	for n < len(s.rest) && rule(s.rest[n]) {
		n++
	}
	taken := s.rest[:n]
	s.rest = s.rest[n:]
	return taken
}

// key reads a key (section 4.2.3.3).
func (s *scanner) key() (string, bool) {
	if s.rest == "" || !isLower(s.rest[0]) && s.rest[0] != '*' {
		return "", false
	}
	return s.while(func(c byte) bool { return isLower(c) || isDigit(c) || strings.IndexByte("_-.*", c) >= 0 }), true
}

// value reads what follows a key of a dictionary (section 4.2.2).
func (s *scanner) value() (m labelled, ok bool) {
	switch {
	case !s.take('='): // a key alone is true
	case s.take('('):
		if m.list = true; !s.innerList(&m) {
			return m, false
		}
	default:
		if m.value, ok = s.bare(); !ok {
			return m, false
		}
	}
	m.params, ok = s.parameters()
	return m, ok
}

// innerList reads the items behind the bracket (section 4.2.1.2).
func (s *scanner) innerList(m *labelled) bool {
	for range maxMembers {
		s.skip(" ")
		if s.take(')') {
			return true
		}
		var i bareItem
		var ok bool
		if i.value, ok = s.bare(); !ok {
			return false
		}
		if i.params, ok = s.parameters(); !ok {
			return false
		}
		m.items = append(m.items, i)
		if s.rest == "" || s.rest[0] != ' ' && s.rest[0] != ')' {
			return false
		}
	}
	return false
}

// parameters reads parameters (section 4.2.3.2). None is there twice: which one counts
// would depend on who reads.
func (s *scanner) parameters() ([]param, bool) {
	var all []param
	for s.take(';') {
		s.skip(" ")
		var p param
		var ok bool
		if p.key, ok = s.key(); !ok {
			return nil, false
		}
		if s.take('=') {
			if p.value, ok = s.bare(); !ok {
				return nil, false
			}
		}
		for _, before := range all {
			if before.key == p.key {
				return nil, false
			}
		}
		if all = append(all, p); len(all) > maxMembers {
			return nil, false
		}
	}
	return all, true
}

// bare reads one value of any type (section 4.2.3.1) and returns its text.
func (s *scanner) bare() (text string, ok bool) {
	whole := s.rest
	if whole == "" {
		return "", false
	}
	switch c := whole[0]; {
	case c == '-' || isDigit(c):
		ok = s.number()
	case c == '"':
		ok = s.quoted()
	case c == '*' || isLetter(c):
		s.while(isTokenByte)
		ok = true
	case c == ':':
		s.take(':')
		s.while(isBase64)
		ok = s.take(':')
	case c == '?':
		s.take('?')
		ok = s.take('0') || s.take('1')
	}
	return whole[:len(whole)-len(s.rest)], ok
}

// number reads an integer of at most 15 digits, or a decimal of at most 12 digits and 3
// behind the point.
func (s *scanner) number() bool {
	const most, mostBefore, mostBehind = 15, 12, 3
	s.take('-')
	n := len(s.while(isDigit))
	if !s.take('.') {
		return n >= 1 && n <= most
	}
	behind := len(s.while(isDigit))
	return n >= 1 && n <= mostBefore && behind >= 1 && behind <= mostBehind
}

// quoted reads a string: only quote and backslash are escaped.
func (s *scanner) quoted() bool {
	if !s.take('"') {
		return false
	}
	for {
		s.while(func(c byte) bool { return isVisible(c) && c != '"' && c != '\\' })
		switch {
		case s.take('"'):
			return true
		case !s.take('\\') || !s.take('"') && !s.take('\\'):
			return false
		}
	}
}

func isDigit(c byte) bool   { return c >= '0' && c <= '9' }
func isLower(c byte) bool   { return c >= 'a' && c <= 'z' }
func isLetter(c byte) bool  { return isLower(c) || c >= 'A' && c <= 'Z' }
func isVisible(c byte) bool { return c >= ' ' && c <= '~' }

func isBase64(c byte) bool {
	return isLetter(c) || isDigit(c) || c == '+' || c == '/' || c == '='
}

func isTokenByte(c byte) bool {
	return isLetter(c) || isDigit(c) || strings.IndexByte("!#$%&'*+-.^_`|~:/", c) >= 0
}
