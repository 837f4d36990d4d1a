package schema

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Scan notes the $id, $anchor and $dynamicAnchor of the schema at a place and of the
// schemas in it (JSON Schema 2020-12, core, 8.2). Scanning twice changes nothing and tells the
// same problems. A schema is scanned before those in it, whose names it may own by its $id.
//
// What is in it is what keywords of 2020-12 lead to: not what is in an enum, a const or
// an example, nor in definitions and dependencies of older drafts. A whole file that is
// not a document of OpenAPI is scanned before the first of its schemas, and what is wrong
// in it is told with each of them.
func (d *Documents) Scan(at Place) []Problem {
	if d.omitIDs {
		return nil
	}
	if problems, ok := d.scanned[at]; ok {
		return problems
	}
	s := &scanner{documents: d, root: at}
	if at.Pointer != "" {
		s.problems = slices.Clone(d.scanFile(at.Document))
	}
	r, ok := d.resource(at)
	if !ok {
		return nil
	}
	if value, ok := d.Value(at); ok {
		s.schema(value, r)
	}
	d.scanned[at] = s.problems
	return s.problems
}

// scanFile scans a document that is not one of OpenAPI, as a schema: it may be one, and then
// its names must be known before any reference in it is resolved. A file that only holds
// schemas by their names has no keywords at its root, so nothing is mistaken.
func (d *Documents) scanFile(document string) []Problem {
	root, ok := d.trees[document].(map[string]any)
	if !ok {
		return nil
	}
	if _, ok := root["openapi"]; ok {
		return nil
	}
	return d.Scan(Place{Document: document})
}

// wrongNames is the first of the problems as an error.
func wrongNames(problems []Problem) error {
	if len(problems) == 0 {
		return nil
	}
	p := problems[0]
	return fmt.Errorf("it depends on the names in %q, where %s is wrong: %s", p.Place.Document, p.Place.Pointer, p.Cause)
}

// scanner walks the schemas in one schema.
type scanner struct {
	documents *Documents
	root      Place
	tokens    []string // from root; a pointer is made only where there is a name
	problems  []Problem
}

// shape is how a keyword holds schemas.
type shape uint8

const (
	shapeNone shape = iota
	shapeOne
	shapeList
	shapeMap
)

// shapeOf returns how a keyword of 2020-12 holds schemas.
func shapeOf(keyword string) shape {
	switch keyword {
	case "additionalProperties", "propertyNames", "items", "contains", "unevaluatedItems", "unevaluatedProperties",
		"not", "if", "then", "else", "contentSchema":
		return shapeOne
	case "prefixItems", "allOf", "anyOf", "oneOf":
		return shapeList
	case "properties", "patternProperties", "dependentSchemas", "$defs":
		return shapeMap
	}
	return shapeNone
}

// schema notes the names of a schema that is in a resource, or begins one.
func (s *scanner) schema(value any, r *resource) {
	object, ok := value.(map[string]any)
	if !ok {
		return
	}
	r = s.id(object, r)
	s.anchor(object, r, "$anchor")
	s.anchor(object, r, "$dynamicAnchor")
	for _, keyword := range slices.Sorted(maps.Keys(object)) {
		child := object[keyword]
		switch shapeOf(keyword) {
		case shapeNone:
		case shapeOne:
			s.child(child, r, keyword)
		case shapeList:
			list, _ := child.([]any) // what is no list has no items
			for i, item := range list {
				s.child(item, r, keyword, strconv.Itoa(i))
			}
		case shapeMap:
			members, _ := child.(map[string]any) // what is no object has no members
			for _, name := range slices.Sorted(maps.Keys(members)) {
				s.child(members[name], r, keyword, name)
			}
		}
	}
}

func (s *scanner) child(value any, r *resource, tokens ...string) {
	n := len(s.tokens)
	s.tokens = append(s.tokens, tokens...)
	s.schema(value, r)
	s.tokens = s.tokens[:n]
}

// id returns the resource that a schema begins by its $id, or the one it is in.
func (s *scanner) id(object map[string]any, outer *resource) *resource {
	value, ok := object["$id"]
	if !ok {
		return outer
	}
	at, d := s.at(), s.documents
	if r, ok := d.resources[at]; ok && (at.Pointer != "" || r.named) {
		return r // seen by an earlier scan
	}
	text, ok := value.(string)
	if !ok {
		s.report("$id", "is not a string", "write it as a URI")
		return outer
	}
	uri, fragment, _ := strings.Cut(text, "#")
	if fragment != "" {
		s.report("$id", fmt.Sprintf("%q has a fragment", text), "name the schema by $anchor")
		return outer
	}
	base, err := resolve(outer.base, uri)
	if err != nil {
		s.report("$id", fmt.Sprintf("%q is not a URI", text), "")
		return outer
	}
	r := d.resources[at]
	if r == nil {
		r = &resource{root: at}
		d.resources[at] = r
		d.embedded[at.Document]++
	}
	r.base, r.named = base, true
	if other := d.known[identity(base)]; other != nil && other != r {
		s.report("$id", fmt.Sprintf("%q is also that of %s%s", identity(base), other.root.Document, fragmentOf(other.root)), "give each schema its own $id")
		return r
	}
	d.known[identity(base)] = r
	return r
}

// anchor notes a name in a resource.
func (s *scanner) anchor(object map[string]any, r *resource, keyword string) {
	value, ok := object[keyword]
	if !ok {
		return
	}
	name, ok := value.(string)
	if !ok || !anchorName(name) {
		s.report(keyword, "is not a name", "use letters, digits, -, . and _, and begin with a letter or _")
		return
	}
	at := s.at()
	if other, taken := r.anchors[name]; taken && other != at {
		s.report(keyword, fmt.Sprintf("%q is also that of %s%s", name, other.Document, fragmentOf(other)), "give each schema its own name")
		return
	}
	r.name(name, at, keyword == "$dynamicAnchor")
}

func (r *resource) name(name string, at Place, dynamic bool) {
	if r.anchors == nil {
		r.anchors, r.dynamic = map[string]Place{}, map[string]Place{}
	}
	r.anchors[name] = at
	if dynamic {
		r.dynamic[name] = at
	}
}

// anchorName reports whether a name is one (JSON Schema 2020-12, core, 8.2.2).
func anchorName(name string) bool {
	for i := range len(name) {
		c := name[i]
		letter := 'a' <= c|0x20 && c|0x20 <= 'z' || c == '_'
		if !letter && (i == 0 || (c < '0' || c > '9') && c != '-' && c != '.') {
			return false
		}
	}
	return name != ""
}

func (s *scanner) at() Place { return s.root.Child(s.tokens...) }

func (s *scanner) report(keyword, cause, fix string) {
	s.problems = append(s.problems, Problem{Place: s.at().Child(keyword), Cause: keyword + " " + cause, Fix: fix})
}

// fragmentOf returns the pointer of a place as a fragment; that of a document is empty.
func fragmentOf(at Place) string {
	if at.Pointer == "" {
		return ""
	}
	return "#" + at.Pointer
}
