package openapi

import (
	"strconv"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/sidewarden/sidewarden/policy/openapi/schema"
)

// maxFollowed bounds how many references lead from one to the next.
const maxFollowed = 100

// places finds where in the files of a contract things are. The library resolves
// references and forgets where they led to; schemas are compiled from the files.
type places struct {
	documents *schema.Documents
	trees     map[string]any // of the documents
}

// scan makes the names known that schemas give themselves, wherever they are: one
// operation may refer to the anchor of a schema that is written in another.
func (p *places) scan() {
	for _, document := range sortedKeys(p.trees) {
		eachSchema(p.trees[document], schema.Place{Document: document}, func(at schema.Place) {
			p.documents.Scan(at) // the compiler reports what is wrong
		})
	}
}

// eachSchema visits the places of the schemas in a value of a document of OpenAPI, but
// not those of schemas in schemas.
func eachSchema(v any, at schema.Place, visit func(at schema.Place)) {
	switch v := v.(type) {
	case []any:
		for i, item := range v {
			eachSchema(item, at.Child(strconv.Itoa(i)), visit)
		}
	case map[string]any:
		for _, name := range sortedKeys(v) {
			switch name {
			case "example", "examples": // what only looks like a schema
			case "schema":
				visit(at.Child(name))
			case "schemas":
				members, _ := v[name].(map[string]any)
				for _, inner := range sortedKeys(members) {
					visit(at.Child(name, inner))
				}
			default:
				eachSchema(v[name], at.Child(name), visit)
			}
		}
	}
}

// step returns what the reference at a place leads to, if one is there.
func (p *places) step(at schema.Place) (schema.Place, bool) {
	value, _ := p.documents.Value(at)
	object, _ := value.(map[string]any)
	ref, ok := object["$ref"].(string)
	if !ok {
		return at, false
	}
	next, err := p.documents.Locate(at, ref)
	return next, err == nil
}

// child returns where a member of the object at a place really is: there, or where the
// reference leads to that is there.
func (p *places) child(at schema.Place, tokens ...string) (schema.Place, bool) {
	at = at.Child(tokens...)
	for range maxFollowed {
		if !p.has(at, "$ref") {
			_, found := p.documents.Value(at)
			return at, found
		}
		next, ok := p.step(at)
		if !ok {
			return at, false
		}
		at = next
	}
	return at, false
}

// has reports whether the object at a place has a member.
func (p *places) has(at schema.Place, name string) bool {
	value, _ := p.documents.Value(at)
	object, _ := value.(map[string]any)
	_, ok := object[name]
	return ok
}

// operation returns where an operation of a path is, and the path item that it is
// written in. What stands beside a reference wins over what it leads to.
func (p *places) operation(item schema.Place, method string) (schema.Place, bool) {
	for range maxFollowed {
		if p.has(item, method) {
			return item.Child(method), true
		}
		next, ok := p.step(item)
		if !ok {
			return item, false
		}
		item = next
	}
	return item, false
}

// parameter returns where the parameter of an operation is: in its own list or, if it
// is not there, in that of its path, which may be a reference itself.
func (p *places) parameter(item, operation schema.Place, of *openapi3.Parameter) (schema.Place, bool) {
	if at, ok := p.listed(operation, of); ok {
		return at, true
	}
	for range maxFollowed {
		if at, ok := p.listed(item, of); ok {
			return at, true
		}
		next, ok := p.step(item)
		if !ok {
			return item, false
		}
		item = next
	}
	return item, false
}

// listed returns where the parameter is that the object at a place lists.
func (p *places) listed(at schema.Place, of *openapi3.Parameter) (schema.Place, bool) {
	value, _ := p.documents.Value(at)
	object, _ := value.(map[string]any)
	list, _ := object["parameters"].([]any)
	for i := range list {
		found, ok := p.child(at, "parameters", strconv.Itoa(i))
		if !ok {
			continue
		}
		value, _ := p.documents.Value(found)
		object, _ := value.(map[string]any)
		if object["name"] == of.Name && object["in"] == of.In {
			return found, true
		}
	}
	return at, false
}
