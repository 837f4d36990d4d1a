package openapi

import (
	"regexp"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// form is one schema that may describe a value. It is certain if the value must
// satisfy it: reached by allOf and references alone.
type form struct {
	schema  *openapi3.Schema
	certain bool
}

// forms are all schemas that may describe one value: what the schema itself and
// its allOf, oneOf, anyOf, if, then, else and dependentSchemas say, together, and
// those that its discriminator maps to.
type forms []form

// family knows which schemas describe a value together. It is filled while
// loading and only read after that.
type family struct {
	closed   map[*openapi3.Schema]forms
	patterns map[string]*regexp.Regexp // of patternProperties
	named    openapi3.Schemas          // of the components
	answers  bool                      // values are those of answers, not of requests
}

// of returns the forms of a value that the schema s judges.
func (f *family) of(s *openapi3.Schema) forms {
	if known, ok := f.closed[s]; ok {
		return known
	}
	return f.closure(s)
}

// learn prepares the forms of every schema that the given ones lead to.
func (f *family) learn(roots []*openapi3.Schema) {
	f.closed = map[*openapi3.Schema]forms{}
	eachSchema(roots, func(s *openapi3.Schema) { f.closed[s] = f.closure(s) })
}

func (f *family) closure(s *openapi3.Schema) forms {
	var all forms
	add := func(ref *openapi3.SchemaRef, certain bool) {
		if ref != nil && ref.Value != nil {
			all = all.with(form{ref.Value, certain})
		}
	}
	all = all.with(form{s, true})
	// A form that becomes certain after its branches were followed moves to the
	// end, so that they are followed again: at most twice for each schema.
	for i := 0; i < len(all); i++ {
		at := all[i]
		if at.schema == nil {
			continue
		}
		for _, ref := range at.schema.AllOf {
			add(ref, at.certain)
		}
		for _, ref := range at.schema.OneOf {
			add(ref, false)
		}
		for _, ref := range at.schema.AnyOf {
			add(ref, false)
		}
		for _, ref := range []*openapi3.SchemaRef{at.schema.If, at.schema.Then, at.schema.Else} {
			add(ref, false)
		}
		for _, name := range sortedKeys(at.schema.DependentSchemas) {
			add(at.schema.DependentSchemas[name], false)
		}
		if d := at.schema.Discriminator; d != nil {
			for _, name := range sortedKeys(d.Mapping) {
				add(f.mapped(d.Mapping[name]), false)
			}
		}
	}
	kept := all[:0]
	for _, at := range all {
		if at.schema != nil {
			kept = append(kept, at)
		}
	}
	return kept
}

// mapped returns the schema that a discriminator maps to; nil if it is not known.
// The loader leaves names and references within the document as they are.
func (f *family) mapped(m openapi3.MappingRef) *openapi3.SchemaRef {
	if m.Value != nil {
		return &openapi3.SchemaRef{Value: m.Value}
	}
	return f.named[strings.TrimPrefix(m.Ref, "#/components/schemas/")]
}

// with adds a form that is not there yet, or not as certain.
func (fs forms) with(n form) forms {
	for i, at := range fs {
		if at.schema != n.schema {
			continue
		}
		if at.certain || !n.certain {
			return fs
		}
		fs[i].schema = nil
	}
	return append(fs, n)
}

// standing says how the contract knows a property.
type standing uint8

const (
	undeclared standing = iota // no schema speaks of it, while some list properties
	openly                     // by pattern, by additionalProperties, or in a free-form object
	declared                   // by name
)

// property returns the forms of the property name of an object, and how the
// contract knows it. A property is declared if any form lists it; it is open if
// any form says so explicitly, or if none lists properties at all.
func (f *family) property(fs forms, name string) (forms, standing) {
	var (
		found  []form
		state  = undeclared
		listed bool
	)
	take := func(ref *openapi3.SchemaRef, certain bool, s standing) {
		if ref != nil && ref.Value != nil {
			found = append(found, form{ref.Value, certain})
		}
		state = max(state, s)
	}
	for _, at := range fs {
		s := at.schema
		listed = listed || len(s.Properties) > 0 || len(s.PatternProperties) > 0
		mine := false
		if ref, ok := s.Properties[name]; ok {
			mine = true
			take(ref, at.certain, declared)
		}
		for pattern, ref := range s.PatternProperties {
			if re := f.patterns[pattern]; re != nil && re.MatchString(name) {
				mine = true
				take(ref, at.certain, openly)
			}
		}
		if mine {
			continue
		}
		for _, rest := range []openapi3.BoolSchema{s.AdditionalProperties, s.UnevaluatedProperties} {
			if rest.Schema != nil || (rest.Has != nil && *rest.Has) {
				take(rest.Schema, at.certain, openly)
			}
		}
	}
	if state == undeclared && !listed {
		state = openly
	}
	return f.join(found), state
}

// item returns the forms of the item i of an array; i below 0 is any item.
func (f *family) item(fs forms, i int) forms {
	var found []form
	for _, at := range fs {
		switch s := at.schema; {
		case i < 0:
			for _, ref := range s.PrefixItems {
				found = append(found, form{ref.Value, false})
			}
			if s.Items != nil {
				found = append(found, form{s.Items.Value, at.certain && len(s.PrefixItems) == 0})
			}
		case i < len(s.PrefixItems):
			found = append(found, form{s.PrefixItems[i].Value, at.certain})
		case s.Items != nil:
			found = append(found, form{s.Items.Value, at.certain})
		}
	}
	return f.join(found)
}

// join returns everything that the found schemas say of one value.
func (f *family) join(found []form) forms {
	switch {
	case len(found) == 0:
		return nil
	case len(found) == 1 && found[0].certain:
		return f.of(found[0].schema)
	}
	var all forms
	for _, at := range found {
		for _, inner := range f.of(at.schema) {
			all = all.with(form{inner.schema, inner.certain && at.certain})
		}
	}
	kept := all[:0]
	for _, at := range all {
		if at.schema != nil {
			kept = append(kept, at)
		}
	}
	return kept
}

// foreign reports whether a form that the value must satisfy says that the property
// belongs to the other direction: that it is readOnly, in a request, or writeOnly,
// in an answer.
func (f *family) foreign(fs forms, name string) bool {
	for _, at := range fs {
		if !at.certain {
			continue
		}
		if ref := at.schema.Properties[name]; ref != nil && ref.Value != nil {
			for _, inner := range f.of(ref.Value) {
				if inner.certain && (f.answers && inner.schema.WriteOnly || !f.answers && inner.schema.ReadOnly) {
					return true
				}
			}
		}
	}
	return false
}

// foreignKeyword is the keyword by which a property belongs to the other direction.
func (f *family) foreignKeyword() string {
	if f.answers {
		return "writeOnly"
	}
	return "readOnly"
}

// closes reports whether every form that lists properties also says that there
// are no others.
func (fs forms) closes() bool {
	found := false
	for _, at := range fs {
		if len(at.schema.Properties) == 0 {
			continue
		}
		if has := at.schema.AdditionalProperties.Has; has == nil || *has {
			return false
		}
		found = true
	}
	return found
}

// types returns the JSON types that a form names; none means that any will do.
func (fs forms) types() map[string]bool {
	named := map[string]bool{}
	for _, at := range fs {
		for _, t := range at.schema.Type.Slice() {
			named[t] = true
		}
	}
	return named
}
