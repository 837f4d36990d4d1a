package openapi

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/sidewarden/sidewarden/policy"
)

// Matcher finds the operation of a request by its method and escaped path. It
// is immutable and safe for concurrent use.
//
// The path is split at its slashes as it was sent, so an escaped slash is part
// of a segment. Segments are compared in the normal form of RFC 3986, 6.2.2:
// "%61" is "a", "%3A" is ":", "%2f" is "%2F"; case counts. A literal segment
// wins over one with a parameter; where it leads nowhere, or to a path without
// the method, the parameter is tried, since a backend's router does the same. A
// parameter never matches an empty segment, a dot segment, or text with an
// escaped slash or backslash in it: a backend that decodes them serves another
// path; only the slash can be allowed (TakingSlashes). What a parameter may be by its schema does not count: to OpenAPI, paths that differ
// in the names and types of their parameters alone are the same path. A trailing
// slash is another path. HEAD and OPTIONS are methods like any other: they exist where the
// contract declares them, and HEAD also where an operation says so (Head).
type Matcher struct {
	root    *node
	slashes bool
}

// TakingSlashes returns a matcher of the same operations whose parameters match escaped
// slashes, unless what is between them is empty or a dot segment. It is for backends
// that do not part the path there.
func (m *Matcher) TakingSlashes() *Matcher { return &Matcher{root: m.root, slashes: true} }

// node is one place of the trie. Every path leads to a node at most once, so a
// match visits no node twice.
type node struct {
	literals map[string]*node
	branches []branch // by falling weight
	leaves   []leaf   // by method
	allow    []string // methods of leaves
}

type branch struct {
	segment segment
	node    *node
}

type leaf struct {
	method    string
	operation *policy.Operation
	names     []string
}

var _ policy.Matcher = (*Matcher)(nil)

// NewMatcher returns a matcher of operations by their Method and Template, and by
// their Aliases: what matches one of those has it as its template. It refuses a
// template that is broken and two operations that match the same requests.
func NewMatcher(operations []*policy.Operation) (*Matcher, error) {
	m := &Matcher{root: &node{}}
	for _, op := range operations {
		for _, place := range op.Places() {
			for _, method := range methods(place) {
				if err := m.add(place, method); err != nil {
					return nil, err
				}
			}
		}
	}
	return m, nil
}

// methods are those of the requests that are judged as the operation.
func methods(op *policy.Operation) []string {
	if op.Head {
		return []string{op.Method, http.MethodHead}
	}
	return []string{op.Method}
}

func (m *Matcher) add(op *policy.Operation, method string) error {
	segments, err := parseTemplate(op.Template)
	if err != nil {
		return fmt.Errorf("operation %s: the path %q %w", op.ID, op.Template, err)
	}
	n := m.root
	var names []string
	for _, s := range segments {
		n = n.child(s)
		names = append(names, s.names...)
	}
	i, found := slices.BinarySearchFunc(n.leaves, method, func(l leaf, method string) int {
		return strings.Compare(l.method, method)
	})
	if found {
		return fmt.Errorf("operations %s and %s match the same requests: %s %s and %s",
			n.leaves[i].operation.ID, op.ID, method, n.leaves[i].operation.Template, op.Template)
	}
	n.leaves = slices.Insert(n.leaves, i, leaf{method: method, operation: op, names: names})
	n.allow = slices.Insert(n.allow, i, method)
	return nil
}

func (n *node) child(s segment) *node {
	if len(s.names) == 0 {
		if n.literals == nil {
			n.literals = map[string]*node{}
		}
		next, ok := n.literals[s.literals[0]]
		if !ok {
			next = &node{}
			n.literals[s.literals[0]] = next
		}
		return next
	}
	for _, b := range n.branches {
		if b.segment.shape() == s.shape() {
			return b.node
		}
	}
	next := &node{}
	n.branches = append(n.branches, branch{segment: s, node: next})
	slices.SortStableFunc(n.branches, func(a, b branch) int {
		if d := b.segment.weight() - a.segment.weight(); d != 0 {
			return d
		}
		return strings.Compare(a.segment.shape(), b.segment.shape())
	})
	return next
}

// search is the state of one match.
type search struct {
	method  string
	slashes bool
	found   *leaf
	params  []policy.Pair // of the found leaf; filled on the way back
	allow   []string
}

// Match returns the operation with its path parameters, percent-decoded and in
// the order of the template, or the sorted methods that the path has.
func (m *Matcher) Match(r *policy.Request) policy.Match {
	path, ok := strings.CutPrefix(r.Path, "/")
	if !ok {
		return policy.Match{}
	}
	s := search{method: r.Method, slashes: m.slashes}
	if !s.descend(m.root, path, 0) {
		return policy.Match{Allow: s.allow}
	}
	return policy.Match{Operation: s.found.operation, Params: s.params}
}

// descend looks for the rest of the path below n, which has so many parameters
// before it, and reports whether it found the operation.
func (s *search) descend(n *node, rest string, before int) bool {
	end := plainEnd(rest)
	escaped := end < len(rest) && rest[end] != '/'
	if escaped {
		if i := strings.IndexByte(rest[end:], '/'); i >= 0 {
			end += i
		} else {
			end = len(rest)
		}
	}
	part, more := rest[:end], end < len(rest)
	if more {
		rest = rest[end+1:]
	}
	if escaped {
		var ok bool
		if part, ok = normal(part); !ok {
			return false
		}
	}
	if next, ok := n.literals[part]; ok && s.enter(next, rest, more, before) {
		return true
	}
	if part == "" {
		return false
	}
	for i := range n.branches {
		b := &n.branches[i]
		if !b.segment.capture(part, s.slashes, nil) || !s.enter(b.node, rest, more, before+len(b.segment.names)) {
			continue
		}
		if b.segment.whole() && !escaped {
			s.params[before].Value = part
		} else {
			b.segment.capture(part, s.slashes, s.params[before:])
		}
		return true
	}
	return false
}

func (s *search) enter(n *node, rest string, more bool, before int) bool {
	if more {
		return s.descend(n, rest, before)
	}
	for i := range n.leaves {
		l := &n.leaves[i]
		if l.method != s.method {
			continue
		}
		if s.found = l; len(l.names) > 0 {
			s.params = make([]policy.Pair, len(l.names))
			for j, name := range l.names {
				s.params[j].Name = name
			}
		}
		return true
	}
	s.allow = union(s.allow, n.allow)
	return false
}

// union returns the sorted union of two sorted lists without changing either.
func union(a, b []string) []string {
	switch {
	case len(a) == 0:
		return b
	case len(b) == 0:
		return a
	}
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}
