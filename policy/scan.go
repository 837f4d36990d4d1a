package policy

import (
	"bytes"
	"encoding/json"
	"strings"
)

// maxNesting bounds how deep a scanned document nests, as encoding/json bounds it.
const maxNesting = 10000

// The functions below read JSON (RFC 8259) in place, for the few facts that ClassOf
// needs of an answer: a tree of it would cost more than the rest of the decision.
// They accept what encoding/json accepts. An index is -1 where it is not JSON.

// skipSpace returns the index of the first byte from i on that is no white space.
func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t') {
		i++
	}
	return i
}

// scanValue returns the index behind the value that begins at b[i], inside of depth
// objects and arrays.
func scanValue(b []byte, i, depth int) int {
	if i >= len(b) {
		return -1
	}
	switch b[i] {
	case '"':
		end, _ := scanString(b, i)
		return end
	case '{':
		m := membersOf(b, i, depth)
		for m.next() && m.value() != nil {
		}
		return m.at
	case '[':
		return scanArray(b, i, depth+1)
	case 't':
		return scanWord(b, i, "true")
	case 'f':
		return scanWord(b, i, "false")
	case 'n':
		return scanWord(b, i, "null")
	}
	return scanNumber(b, i)
}

func scanWord(b []byte, i int, word string) int {
	if end := i + len(word); end <= len(b) && string(b[i:end]) == word {
		return end
	}
	return -1
}

func scanArray(b []byte, i, depth int) int {
	if depth > maxNesting {
		return -1
	}
	if i = skipSpace(b, i+1); i < len(b) && b[i] == ']' {
		return i + 1
	}
	for {
		if i = scanValue(b, i, depth); i < 0 {
			return -1
		}
		i = skipSpace(b, i)
		switch {
		case i == len(b):
			return -1
		case b[i] == ']':
			return i + 1
		case b[i] != ',':
			return -1
		}
		i = skipSpace(b, i+1)
	}
}

// scanString returns the index behind a string, and whether the bytes between the
// quotes are its value: ASCII without an escape.
func scanString(b []byte, i int) (end int, plain bool) {
	if i >= len(b) || b[i] != '"' {
		return -1, false
	}
	plain = true
	for i++; i < len(b); i++ {
		switch c := b[i]; {
		case c == '"':
			return i + 1, plain
		case c < ' ':
			return -1, false
		case c == '\\':
			plain = false
			if i = scanEscape(b, i+1); i < 0 {
				return -1, false
			}
		case c >= 0x80:
			plain = false
		}
	}
	return -1, false
}

// scanEscape returns the index of the last byte of the escape whose letter is b[i].
func scanEscape(b []byte, i int) int {
	if i >= len(b) {
		return -1
	}
	switch b[i] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i
	case 'u':
		if i+4 >= len(b) {
			return -1
		}
		for _, c := range b[i+1 : i+5] {
			if (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'f') {
				return -1
			}
		}
		return i + 4
	}
	return -1
}

func scanNumber(b []byte, i int) int {
	if b[i] == '-' {
		i++
	}
	if i < len(b) && b[i] == '0' {
		i++
	} else if i = scanDigits(b, i); i < 0 {
		return -1
	}
	if i < len(b) && b[i] == '.' {
		if i = scanDigits(b, i+1); i < 0 {
			return -1
		}
	}
	if i < len(b) && b[i]|0x20 == 'e' {
		if i++; i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		i = scanDigits(b, i)
	}
	return i
}

// scanDigits returns the index behind one digit or more.
func scanDigits(b []byte, i int) int {
	start := i
	for i < len(b) && b[i] >= '0' && b[i] <= '9' {
		i++
	}
	if i == start {
		return -1
	}
	return i
}

// members goes through the members of an object: next reads a name, value what it
// names.
type members struct {
	b []byte
	// at is the index that is read next: behind the object at its end, -1 when it is
	// not JSON.
	at, depth int
	begun     bool
	name      []byte // with its quotes
	plain     bool   // scanString's word on the name
}

// membersOf reads the object that begins at b[i], inside of depth others.
func membersOf(b []byte, i, depth int) members {
	if depth >= maxNesting {
		return members{at: -1}
	}
	return members{b: b, at: i + 1, depth: depth + 1}
}

// next reads a name and stops before its value. It returns false behind the last
// member and where the object is not JSON.
func (m *members) next() bool {
	if m.at < 0 {
		return false
	}
	i := skipSpace(m.b, m.at)
	switch {
	case i == len(m.b):
		m.at = -1
		return false
	case m.b[i] == '}':
		m.at = i + 1
		return false
	case m.begun && m.b[i] != ',':
		m.at = -1
		return false
	case m.begun:
		i = skipSpace(m.b, i+1)
	}
	m.begun, m.at = true, -1
	end, plain := scanString(m.b, i)
	if end < 0 {
		return false
	}
	m.name, m.plain = m.b[i:end], plain
	if i = skipSpace(m.b, end); i == len(m.b) || m.b[i] != ':' {
		return false
	}
	if i = skipSpace(m.b, i+1); i == len(m.b) {
		return false
	}
	m.at = i
	return true
}

// value reads the value before which next stopped; nil when it is not JSON.
func (m *members) value() []byte {
	start := m.at
	if m.at = scanValue(m.b, start, m.depth); m.at < 0 {
		return nil
	}
	return m.b[start:m.at]
}

// key returns the decoded name.
func (m *members) key() []byte {
	if m.plain {
		return m.name[1 : len(m.name)-1]
	}
	return []byte(decodeString(m.name))
}

// final reports whether no later member can have this one's name, by a look that is
// cheaper than reading them: some names that occur once are not found final.
func (m *members) final() bool {
	rest := m.b[m.at:]
	return m.plain && bytes.IndexByte(rest, '\\') < 0 && !bytes.Contains(rest, m.name)
}

// decodeString returns the value of a JSON string.
func decodeString(literal []byte) string {
	var s string
	if json.Unmarshal(literal, &s) != nil {
		return "" // scanString accepts nothing that cannot be decoded
	}
	return s
}

// at resolves an RFC 6901 pointer over the objects of a document that scanValue
// accepted; arrays hold no envelopes. Of members with one name the last counts.
func at(document []byte, pointer string) ([]byte, bool) {
	if pointer == "" {
		return document, true
	}
	for token := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		if document[0] != '{' {
			return nil, false
		}
		if strings.Contains(token, "~") {
			token = strings.NewReplacer("~1", "/", "~0", "~").Replace(token)
		}
		var found []byte
		for m := membersOf(document, 0, 0); m.next(); {
			named := string(m.key()) == token
			if value := m.value(); named {
				found = value
			}
		}
		if found == nil {
			return nil, false
		}
		document = found
	}
	return document, true
}
