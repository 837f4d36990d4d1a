package schema_test

import (
	"encoding/json"
	"maps"
	"math"
	"slices"
	"testing"
)

// What the other validators are known to judge differently is not left out. It is put
// into the schemas that they get, in words that they understand, so that they must come
// to the same verdict. Only what kin does to numbers cannot be said in a schema.

// known reports whether a difference is one of theirs that is known.
func (d *differ) known(t testing.TB, value any, theirs bool) bool {
	t.Helper()
	if d.options.Modern {
		return false
	}
	again := func(document object, value any) bool {
		return satisfies(t, &d.run, compiled(t, document, d.options), text(value, &chooser{})) == theirs
	}
	// Kin holds all numbers as float64: ours judges as they do once the numbers of
	// schema and value are such numbers.
	document, value := rounded(d.document).(object), rounded(value) //nolint:errcheck // an object stays one
	if again(document, value) {
		return true
	}
	// Kin takes a number for a multiple that is one but for 2^-51 of the number, and the
	// large ones always are.
	return large(value) && again(without(document, "multipleOf").(object), value) //nolint:errcheck // an object stays one
}

// large reports whether there is a number in the value that float64 does not tell from
// its neighbours.
func large(value any) bool {
	switch v := value.(type) {
	case json.Number:
		f, err := v.Float64()
		return err == nil && math.Abs(f) >= 1<<52
	case []any:
		return slices.ContainsFunc(v, large)
	case object:
		return slices.ContainsFunc(slices.Collect(maps.Values(v)), large)
	}
	return false
}

// without returns a copy of a value, with no member of that name.
func without(value any, name string) any {
	switch v := value.(type) {
	case []any:
		all := make([]any, len(v))
		for i, item := range v {
			all[i] = without(item, name)
		}
		return all
	case object:
		all := object{}
		for key, member := range v {
			if key != name {
				all[key] = without(member, name)
			}
		}
		return all
	}
	return value
}

// translator says in a copy of a document what the other validator would not know.
type translator struct {
	document object // the copy
	foreign  string // readOnly or writeOnly, by direction
}

// translated returns a copy of a document for the other validator.
func translated(t testing.TB, document object, modern, answers bool) object {
	t.Helper()
	tr := translator{document: tree(t, text(document, &chooser{})).(object), foreign: "readOnly"} //nolint:errcheck // an object stays one
	if answers {
		tr.foreign = "writeOnly"
	}
	if !modern {
		tr.forbid(tr.schemas(), modern)
		tr.nulls(tr.schemas())
		return tr.document
	}
	for _, s := range tr.schemas() {
		tr.inline(s)
	}
	all := tr.schemas()
	tr.excuse(all)
	tr.forbid(all, modern)
	return tr.document
}

// schemas returns all schemas of the document that are objects.
func (tr *translator) schemas() []object {
	var all []object
	var visit func(s any)
	visit = func(s any) {
		o, plain := s.(object)
		if !plain {
			return
		}
		all = append(all, o)
		for _, keyword := range keys(o) {
			switch keyword {
			case "allOf", "anyOf", "oneOf", "prefixItems":
				for _, inner := range o[keyword].([]any) { //nolint:errcheck // the generator makes no other
					visit(inner)
				}
			case "properties", "patternProperties", "dependentSchemas":
				group := o[keyword].(object) //nolint:errcheck // the generator makes no other
				for _, name := range keys(group) {
					visit(group[name])
				}
			case "not", "if", "then", "else", "items", "contains", "additionalProperties", "propertyNames", "unevaluatedItems", "unevaluatedProperties":
				visit(o[keyword])
			}
		}
	}
	for _, name := range components {
		visit(resolved(tr.document, ref(name)))
	}
	return all
}

// target returns the schema that a schema stands for, if it is a reference.
func (tr *translator) target(s any) any {
	for {
		o, _ := s.(object)
		to, isRef := o["$ref"].(string)
		if !isRef || len(o) > 1 {
			return s
		}
		s = resolved(tr.document, to)
	}
}

// joined returns a schema and those that must hold with it.
func (tr *translator) joined(s any) []object {
	o, plain := tr.target(s).(object)
	if !plain {
		return nil
	}
	all := []object{o}
	if to, ok := o["$ref"].(string); ok {
		all = append(all, tr.joined(resolved(tr.document, to))...)
	}
	branches, _ := o["allOf"].([]any)
	for _, b := range branches {
		all = append(all, tr.joined(b)...)
	}
	return all
}

// inline gives a schema copies of those that must hold with it, where it says of one
// that it requires what belongs to the other direction: for others the same schema may
// still require it.
func (tr *translator) inline(s object) {
	group := tr.joined(s)
	if !slices.ContainsFunc(group, func(m object) bool {
		required, _ := m["required"].([]any)
		return slices.ContainsFunc(required, func(name any) bool { return tr.excused(group, name) })
	}) {
		return
	}
	tr.own(s)
}

// copied returns a deep copy.
func copied(value any) any {
	switch v := value.(type) {
	case []any:
		all := slices.Clone(v)
		for i := range all {
			all[i] = copied(all[i])
		}
		return all
	case object:
		all := maps.Clone(v)
		for name := range all {
			all[name] = copied(all[name])
		}
		return all
	}
	return value
}

// own gives a schema copies of those that must hold with it.
func (tr *translator) own(s object) {
	branches, _ := s["allOf"].([]any)
	branches = slices.Clone(branches)
	if to, ok := s["$ref"].(string); ok && len(s) > 1 {
		branches = append(branches, object{"$ref": to})
		delete(s, "$ref")
	}
	for i, b := range branches {
		if o, plain := tr.target(b).(object); plain {
			o, _ = copied(o).(object)
			tr.own(o)
			branches[i] = o
		}
	}
	if len(branches) > 0 {
		s["allOf"] = branches
	}
}

// excused reports whether a schema of the group says that a member belongs to the other
// direction.
func (tr *translator) excused(group []object, name any) bool {
	return slices.ContainsFunc(group, func(o object) bool {
		properties, _ := o["properties"].(object)
		p, declared := properties[name.(string)] //nolint:errcheck // names are strings
		return declared && slices.ContainsFunc(tr.joined(p), func(o object) bool { return o[tr.foreign] == true })
	})
}

// excuse takes the properties of the other direction off the lists of required ones,
// wherever some schema joins list and property. JSON Schema knows no directions.
func (tr *translator) excuse(all []object) {
	for _, s := range all {
		group := tr.joined(s)
		for _, m := range group {
			required, listed := m["required"].([]any)
			if !listed {
				continue
			}
			m["required"] = slices.DeleteFunc(slices.Clone(required), func(name any) bool { return tr.excused(group, name) })
			if required, _ := m["required"].([]any); len(required) == 0 {
				delete(m, "required")
			}
		}
	}
}

// forbid lets nothing be what belongs to the other direction; kin lets null be.
func (tr *translator) forbid(all []object, modern bool) {
	for _, s := range all {
		if s[tr.foreign] != true {
			continue
		}
		branches, _ := s["allOf"].([]any)
		nothing := any(false)
		if !modern {
			nothing = object{"not": object{"nullable": true}}
		}
		s["allOf"] = append(branches, nothing)
	}
}

// nulls says of each schema whether null satisfies it. By OpenAPI 3.0.3, 4.7.24.1,
// nullable adds null to the type, so that it says nothing without a type, and enum and
// allOf still count. For kin nullable lets null pass whatever else there is, and without
// it null satisfies no schema but by allOf, anyOf or oneOf, which then win over the type.
func (tr *translator) nulls(all []object) {
	accepts := make([]bool, len(all))
	for i, s := range all {
		accepts[i] = tr.acceptsNull(s)
	}
	for i, s := range all {
		if _, isRef := s["$ref"]; isRef {
			continue
		}
		delete(s, "nullable")
		switch {
		case accepts[i]:
			s["nullable"] = true
		case s["allOf"] != nil || s["anyOf"] != nil || s["oneOf"] != nil:
			onlyNull := object{"nullable": true, "enum": []any{"what no document has"}}
			if not, ok := s["not"]; ok {
				onlyNull = object{"anyOf": []any{not, onlyNull}}
			}
			s["not"] = onlyNull
		}
	}
}

func (tr *translator) acceptsNull(schema any) bool {
	s, plain := tr.target(schema).(object)
	if !plain {
		return schema != false
	}
	count := func(keyword string) (n, of int) {
		branches, _ := s[keyword].([]any)
		for _, b := range branches {
			if tr.acceptsNull(b) {
				n++
			}
		}
		return n, len(branches)
	}
	if _, typed := s["type"]; typed && s["nullable"] != true {
		return false
	}
	if values, ok := s["enum"].([]any); ok && !slices.Contains(values, any(nil)) {
		return false
	}
	if not, ok := s["not"]; ok && tr.acceptsNull(not) {
		return false
	}
	every, of := count("allOf")
	anys, ofAny := count("anyOf")
	ones, ofOne := count("oneOf")
	return every == of && (ofAny == 0 || anys > 0) && (ofOne == 0 || ones == 1)
}
