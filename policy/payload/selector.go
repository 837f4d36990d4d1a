package payload

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// selector is a parsed JSON pointer (RFC 6901).
type selector []string

// parseSelector returns the selector of a pointer. The error says what is wrong
// with it.
func parseSelector(pointer string) (selector, error) {
	if pointer == "" {
		return nil, nil
	}
	if !strings.HasPrefix(pointer, "/") {
		return nil, fmt.Errorf("JSON pointer %q does not begin with a slash; write /%s", pointer, pointer)
	}
	if regexp.MustCompile(`~([^01]|$)`).MatchString(pointer) {
		return nil, fmt.Errorf("JSON pointer %q has a ~ that is not part of ~0 or ~1; write ~0 for a tilde", pointer)
	}
	tokens := strings.Split(pointer[1:], "/")
	for i, t := range tokens {
		if t == "*" {
			return nil, fmt.Errorf("JSON pointer %q has a *, which is no wildcard here; point at the array, of which every element counts", pointer)
		}
		tokens[i] = strings.NewReplacer("~1", "/", "~0", "~").Replace(t)
	}
	return tokens, nil
}

// values returns what the selector finds in a tree: the value, or each element
// of an array. Null is no value: it names nothing.
func (s selector) values(tree any) []string {
	for _, token := range s {
		switch t := tree.(type) {
		case map[string]any:
			tree = t[token] // nil for no such member, as for null
		case []any:
			i, err := strconv.Atoi(token)
			if err != nil || i < 0 || i >= len(t) || strconv.Itoa(i) != token {
				return nil
			}
			tree = t[i]
		default:
			return nil
		}
	}
	elements, ok := tree.([]any)
	if !ok {
		elements = []any{tree}
	}
	var found []string
	for _, e := range elements {
		if e != nil {
			found = append(found, literal(e))
		}
	}
	return found
}

// literal returns a string as it is and everything else as JSON text: a number
// exactly as it was sent, and an object or array such that it equals no account.
func literal(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	}
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprintf("%T", v) // no tree of ReadJSON does that
	}
	return string(text)
}
