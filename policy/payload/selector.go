package payload

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// selector is a parsed JSON pointer (RFC 6901).
type selector []step

// step is one reference token: the name of a member, or the index of an element, which
// is -1 where the name is none.
type step struct {
	name  string
	index int
}

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
	var s selector
	for t := range strings.SplitSeq(pointer[1:], "/") {
		if t == "*" {
			return nil, fmt.Errorf("JSON pointer %q has a *, which is no wildcard here; point at the array, of which every element counts", pointer)
		}
		i, err := strconv.Atoi(t)
		if err != nil || i < 0 || strconv.Itoa(i) != t {
			i = -1
		}
		s = append(s, step{strings.NewReplacer("~1", "/", "~0", "~").Replace(t), i})
	}
	return s, nil
}

// selection is the search of one selector in one document, while it is read. What it
// finds is the value, or each element of an array. Null is no value: it names nothing.
// A path leads at most once to its end, because names are unique in a document.
type selection struct {
	selector selector
	found    []string
	done     bool

	on    int  // how many of the arrays and objects that are open lie on the path
	array bool // the innermost of them is an array
	named bool // the last name in it is the one that leads on
	index int  // of the next element in it

	selected jsontext.Kind // what the path leads to is open: an object or an array
	from     int           // where the object or array begins that is copied
}

// visit takes the last token of the reader.
func (s *selection) visit(r *jsonReader) {
	switch {
	case s.done:
	case s.selected != 0:
		s.collect(r)
	case r.name:
		s.named = s.on == r.depth && string(r.text) == s.selector[r.depth-1].name
	case closes(r.kind):
		s.done = s.on > r.depth // the path led into it, and not further
	case s.on == r.depth && s.leads(r.depth):
		s.follow(r)
	}
}

// leads reports whether the value that comes, at a depth, lies on the path, given that
// the array or object around it does.
func (s *selection) leads(depth int) bool {
	switch {
	case depth == 0:
		return true
	case s.array:
		s.index++
		return s.index-1 == s.selector[depth-1].index
	}
	return s.named
}

// follow goes into a value on the path, or takes it at the end.
func (s *selection) follow(r *jsonReader) {
	switch {
	case r.depth < len(s.selector) && opens(r.kind):
		s.on, s.array, s.named, s.index = r.depth+1, r.kind == jsontext.KindBeginArray, false, 0
	case r.depth < len(s.selector):
		s.done = true // a scalar, and the path goes on
	case opens(r.kind):
		s.selected, s.from = r.kind, r.start
	default:
		s.take(r)
		s.done = true
	}
}

// collect takes a selected object, or what lies in a selected array.
func (s *selection) collect(r *jsonReader) {
	at := len(s.selector) // of what is copied
	if s.selected == jsontext.KindBeginArray {
		at++
	}
	switch {
	case r.depth == at && opens(r.kind):
		s.from = r.start
	case r.depth == at && closes(r.kind):
		s.found = append(s.found, string(r.document[s.from:r.end]))
	case r.depth == at:
		s.take(r)
	}
	s.done = closes(r.kind) && r.depth == len(s.selector)
}

// take adds a scalar: a string as it is and everything else as its JSON text, a number
// exactly as it was sent. An object or array is its text too, which equals no account.
func (s *selection) take(r *jsonReader) {
	if r.kind == jsontext.KindNull {
		return
	}
	text := r.document[r.start:r.end]
	if r.kind == jsontext.KindString {
		text = r.text
	}
	s.found = append(s.found, string(text))
}
