package openapi

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	yaml "github.com/oasdiff/yaml3"
)

// Line returns the line, from 1, where the member or item of an RFC 6901 pointer begins
// in the text of a file; 0 if there is none, or the text cannot be read.
func Line(data []byte, pointer string) int { return linesOf(data)(pointer) }

// maxLineText bounds what is read of JSON for the lines of one file.
const maxLineText = 1 << 30

// linesOf returns what [Line] returns for one file. It parses YAML once; JSON it reads up to
// the place, until it has read so much that further lines are not worth it, and are 0.
func linesOf(data []byte) func(pointer string) int {
	if json.Valid(data) {
		left := int64(maxLineText)
		return func(pointer string) int {
			tokens, ok := tokensOf(pointer)
			if !ok || left <= 0 {
				return 0
			}
			line, read := lineInJSON(data, tokens)
			left -= read
			return line
		}
	}
	root, _ := parseYAML(data)
	return func(pointer string) int {
		tokens, ok := tokensOf(pointer)
		if !ok || root == nil {
			return 0
		}
		return lineInYAML(root, tokens)
	}
}

func tokensOf(pointer string) ([]string, bool) {
	if pointer == "" {
		return nil, true
	}
	if pointer[0] != '/' {
		return nil, false
	}
	tokens := strings.Split(pointer[1:], "/")
	for i, t := range tokens {
		tokens[i] = strings.ReplaceAll(strings.ReplaceAll(t, "~1", "/"), "~0", "~")
	}
	return tokens, true
}

// lineInJSON returns the line of a place, and how far the text was read.
func lineInJSON(data []byte, tokens []string) (line int, read int64) {
	decoder := newJSONDecoder(data)
	offset := startOfValue(data, 0)
	for _, token := range tokens {
		var found bool
		if offset, found = descend(decoder, data, token); !found {
			return 0, decoder.InputOffset()
		}
	}
	lines := lineCounter{data: data}
	return lines.at(offset), decoder.InputOffset()
}

// descend reads up to the value of a member or item, and returns the offset of where that
// begins: of a member, at its name.
func descend(decoder *jsontext.Decoder, data []byte, token string) (offset int64, found bool) {
	open, err := decoder.ReadToken()
	if err != nil {
		return 0, false
	}
	switch open.Kind() {
	case '{':
		for decoder.PeekKind() != '}' {
			name, err := decoder.ReadToken()
			if err != nil {
				return 0, false
			}
			if name.String() == token {
				return decoder.InputOffset(), true // a name has one line
			}
			if decoder.SkipValue() != nil {
				return 0, false
			}
		}
	case '[':
		for i := 0; decoder.PeekKind() != ']'; i++ {
			if strconv.Itoa(i) == token {
				return startOfValue(data, decoder.InputOffset()), true
			}
			if decoder.SkipValue() != nil {
				return 0, false
			}
		}
	}
	return 0, false
}

// startOfValue skips what is before a value that is no member.
func startOfValue(data []byte, offset int64) int64 {
	for offset < int64(len(data)) && strings.IndexByte(" \t\r\n,", data[offset]) >= 0 {
		offset++
	}
	return offset
}

func lineInYAML(n *yaml.Node, tokens []string) int {
	line := n.Line
	for _, token := range tokens {
		if n.Kind == yaml.AliasNode {
			n = n.Alias
		}
		var next *yaml.Node
		switch n.Kind {
		case yaml.MappingNode:
			// Only the names are asked of the reader; what it reports was told before.
			f := finder{reader: &yamlReader{inside: map[*yaml.Node]bool{}}, name: token, text: keysAreText(n)}
			line, next = f.member(n)
		case yaml.SequenceNode:
			if i, err := strconv.Atoi(token); err == nil && strconv.Itoa(i) == token && 0 <= i && i < len(n.Content) {
				next = n.Content[i]
				line = next.Line
			}
		}
		if next == nil {
			return 0
		}
		n = next
	}
	return line
}

// finder looks for a member of an object, and of what is merged into it.
type finder struct {
	reader *yamlReader
	name   string
	text   bool
}

func (f *finder) member(n *yaml.Node) (line int, value *yaml.Node) {
	var merged []*yaml.Node
	for i := 0; i+1 < len(n.Content) && !f.reader.over; i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		f.reader.count(key)
		switch {
		case isMerge(key) && value.Kind == yaml.SequenceNode:
			merged = value.Content
		case isMerge(key):
			merged = []*yaml.Node{value}
		default:
			if name, ok := f.reader.name(key, f.text); ok && name == f.name {
				return key.Line, value
			}
		}
	}
	for _, source := range merged {
		switch source.Kind {
		case yaml.MappingNode:
			line, value = f.member(source)
		case yaml.AliasNode:
			f.reader.enter(source, func(target *yaml.Node) { line, value = f.member(target) })
		}
		if value != nil {
			return line, value
		}
	}
	return 0, nil
}
