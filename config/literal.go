package config

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// jsonNumber is the number form of RFC 8259 section 6.
var jsonNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)

// Literal is one JSON scalar as JSON text: true, null, 1.50, "refused". A number
// keeps the text it was written with. The zero value is no literal.
type Literal string

// String returns the JSON text.
func (l Literal) String() string { return string(l) }

// IsZero reports whether there is no literal.
func (l Literal) IsZero() bool { return l == "" }

// MarshalYAML returns a node that reads back as the same JSON text.
func (l Literal) MarshalYAML() (any, error) {
	var text string
	if err := json.Unmarshal([]byte(l), &text); err == nil && strings.HasPrefix(string(l), `"`) {
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text}, nil
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Value: string(l)}, nil
}

// UnmarshalYAML reads any scalar that JSON has too.
func (l *Literal) UnmarshalYAML(n *yaml.Node) error {
	switch n.ShortTag() {
	case "!!null":
		*l = "null"
	case "!!bool":
		*l = Literal(strings.ToLower(n.Value))
	case "!!int", "!!float":
		if !jsonNumber.MatchString(n.Value) {
			return badValue{quote(n.Value) + " is not a JSON number", "write it as JSON does, for example 10 or 1.5"}
		}
		*l = Literal(n.Value)
	case "!!str":
		text, err := json.Marshal(n.Value)
		if err != nil {
			return badValue{"the string has no JSON form", "write another string"}
		}
		*l = Literal(text)
	default:
		return badValue{"a JSON scalar is expected, not " + kindOf(n), "write true, false, null, a number or a string"}
	}
	return nil
}

func (l *Literal) describe() scalarType {
	return scalarType{"JSON scalar", map[string]any{"type": []any{"boolean", "null", "number", "string"}}}
}

// kindOf names what a node is, for messages.
func kindOf(n *yaml.Node) string {
	if n.Kind == yaml.MappingNode {
		return "a mapping"
	}
	if n.Kind == yaml.SequenceNode {
		return "a list"
	}
	switch n.ShortTag() {
	case "!!int", "!!float":
		return "the number " + quote(n.Value)
	case "!!bool":
		return "the boolean " + strconv.Quote(n.Value)
	case "!!null":
		return "an empty value"
	case "!!str", "!!timestamp":
		return "the string " + quote(n.Value)
	default:
		return "a value with tag " + quote(n.Tag)
	}
}
