package token

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// maxDepth bounds the nesting of a header and of claims.
const maxDepth = 32

// member is one member of an object: its decoded name and its raw value. Both
// may share memory with the text that they were read from.
type member struct {
	name  []byte
	value jsontext.Value
}

// readObject returns the members of text, which must be one JSON object and
// nothing else. Duplicate names and invalid UTF-8 are errors at every depth.
func readObject(text []byte) ([]member, error) {
	if !withinDepth(text, maxDepth) {
		return nil, fmt.Errorf("nested deeper than %d", maxDepth)
	}
	d := jsontext.NewDecoder(bytes.NewBuffer(text))
	if d.PeekKind() != '{' {
		return nil, errors.New("not a JSON object")
	}
	if _, err := d.ReadToken(); err != nil {
		return nil, err
	}
	members := make([]member, 0, 16)
	for d.PeekKind() != '}' {
		name, err := next(d, text)
		if err != nil {
			return nil, err
		}
		value, err := next(d, text)
		if err != nil {
			return nil, err
		}
		members = append(members, member{name: nameOf(name), value: value})
	}
	if _, err := d.ReadToken(); err != nil {
		return nil, err
	}
	if _, err := d.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, errors.New("bytes after the object")
	}
	return members, nil
}

// nameOf returns the text of a member name.
func nameOf(v jsontext.Value) []byte {
	if bytes.IndexByte(v, '\\') < 0 {
		return v[1 : len(v)-1]
	}
	return []byte(unquote(v))
}

// next returns the next value as a part of text: what the decoder returns is
// valid only until its next call.
func next(d *jsontext.Decoder, text []byte) (jsontext.Value, error) {
	value, err := d.ReadValue()
	if err != nil {
		return nil, err
	}
	end := int(d.InputOffset())
	return jsontext.Value(text[end-len(value) : end]), nil
}

// find returns the value of a member, and nil when there is none.
func find(members []member, name string) jsontext.Value {
	for i := range members {
		if string(members[i].name) == name {
			return members[i].value
		}
	}
	return nil
}

// unquote returns the text of a JSON string that the decoder has accepted.
func unquote(v jsontext.Value) string {
	if bytes.IndexByte(v, '\\') < 0 {
		return string(v[1 : len(v)-1])
	}
	text, err := jsontext.AppendUnquote(nil, v)
	if err != nil {
		return ""
	}
	return string(text)
}

// withinDepth reports whether no array or object of text is nested deeper than
// limit. It looks at brackets outside strings alone; the decoder judges the rest.
func withinDepth(text []byte, limit int) bool {
	depth, inString := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case inString:
			if c == '\\' {
				i++
			}
			inString = c != '"'
		case c == '"':
			inString = true
		case c == '{', c == '[':
			if depth++; depth > limit {
				return false
			}
		case c == '}', c == ']':
			depth--
		}
	}
	return true
}

// elements returns the values of a JSON array that the decoder has accepted.
func elements(array jsontext.Value, options ...jsontext.Options) ([]jsontext.Value, error) {
	d := jsontext.NewDecoder(bytes.NewReader(array), options...)
	if _, err := d.ReadToken(); err != nil {
		return nil, err
	}
	var values []jsontext.Value
	for d.PeekKind() != ']' {
		value, err := next(d, array)
		if err != nil {
			return nil, err
		}
		values = append(values, value)
	}
	return values, nil
}

// pointer is a parsed JSON pointer; nil points to nothing.
type pointer []string

func parsePointer(s string) (pointer, error) {
	if s == "" {
		return nil, nil
	}
	if s[0] != '/' {
		return nil, errors.New("a JSON pointer begins with a slash, such as /client_id")
	}
	tokens := strings.Split(s[1:], "/")
	for i, t := range tokens {
		for j := 0; j < len(t); j++ {
			if t[j] == '~' && (j+1 == len(t) || t[j+1] != '0' && t[j+1] != '1') {
				return nil, errors.New("in a JSON pointer ~ is written ~0 and / is written ~1")
			}
		}
		tokens[i] = strings.NewReplacer("~1", "/", "~0", "~").Replace(t)
	}
	return tokens, nil
}

// in returns what the pointer points to in an object, and nil when that is
// nothing. It goes through objects only: a place in a list names nobody.
func (p pointer) in(members []member) jsontext.Value {
	if len(p) == 0 {
		return nil
	}
	value := find(members, p[0])
	if len(p) == 1 || value.Kind() != '{' {
		if len(p) > 1 {
			return nil
		}
		return value
	}
	inner, err := readObject(value)
	if err != nil {
		return nil
	}
	return p[1:].in(inner)
}

func (p pointer) String() string {
	escape := strings.NewReplacer("~", "~0", "/", "~1")
	var b strings.Builder
	for _, t := range p {
		b.WriteByte('/')
		b.WriteString(escape.Replace(t))
	}
	return b.String()
}
