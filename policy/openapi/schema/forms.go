package schema

import (
	"maps"
	"slices"
)

// Forms are all schemas that may describe one value: those that judge it, by
// whatever keyword but not, and those that a discriminator maps to. The zero value
// has none and says nothing of the value. Forms are immutable.
type Forms struct{ all []form }

// form is one schema that may describe a value. It is certain if the value must
// satisfy it: reached by roleAll alone.
type form struct {
	node    *node
	certain bool
}

// Types are the JSON types that some schema of a value names.
type Types struct {
	Null, Boolean, Object, Array, Number, Integer, String bool
	// Any reports that none names any: every type will do.
	Any bool
}

// Standing says how schemas know a property.
type Standing uint8

const (
	// Undeclared says that no schema speaks of it, while some list properties.
	Undeclared Standing = iota
	// Openly is by a pattern, by additionalProperties, or in a free-form object.
	Openly
	// Declared is by name.
	Declared
)

// Forms returns the forms of the value that the schema judges.
func (s *Schema) Forms() Forms { return Forms{s.root.closure()} }

// closure returns the forms of the value that a node judges. It is made when it is
// first asked for: few nodes are ever asked, and those of all nodes together may be
// as many as the square of their number.
func (n *node) closure() []form {
	if known := n.closed.Load(); known != nil {
		return *known
	}
	all := []form{{n, true}}
	if len(n.subs) > 0 {
		all = reach(all)
	}
	n.closed.Store(&all) // another goroutine may have stored an equal one
	return all
}

// reach returns the forms and those that they lead to, each once, and certain if it is so
// on one way.
func reach(from []form) []form {
	var all []form
	index := make(map[*node]int, len(from))
	queue := slices.Clone(from)
	// A form that is found to be certain after it was followed is followed again: at
	// most twice for each node.
	for i := 0; i < len(queue); i++ {
		at := queue[i]
		known, seen := index[at.node]
		switch {
		case !seen:
			index[at.node] = len(all)
			all = append(all, at)
		case at.certain && !all[known].certain:
			all[known].certain = true
		default:
			continue
		}
		for _, sub := range at.node.subs {
			switch sub.role {
			case roleNot, roleContains, roleRest: // not of this value, or only of what it must not be
			case roleAll:
				queue = append(queue, form{sub.node, at.certain})
			case roleAny, roleOne, roleIf, roleThen, roleElse, roleDependent, roleMapped:
				queue = append(queue, form{sub.node, false})
			}
		}
	}
	return all
}

// join returns everything that the found nodes say of one value.
func join(found []form) Forms {
	switch {
	case len(found) == 0:
		return Forms{}
	case len(found) == 1 && found[0].certain:
		return Forms{found[0].node.closure()}
	}
	return Forms{reach(found)}
}

// Types returns the types that the forms name together.
func (f Forms) Types() Types {
	var named typeSet
	for _, at := range f.all {
		named |= at.node.types
	}
	return named.types()
}

func (named typeSet) types() Types {
	return Types{
		Null:    named&typeNull != 0,
		Boolean: named&typeBoolean != 0,
		Object:  named&typeObject != 0,
		Array:   named&typeArray != 0,
		Number:  named&typeNumber != 0,
		Integer: named&typeInteger != 0,
		String:  named&typeString != 0,
		Any:     named == 0,
	}
}

// Bytes reports whether some form says that the texts of the value are bytes as they are.
func (f Forms) Bytes() bool { return f.stands(contentBytes) }

func (f Forms) stands(c content) bool {
	return slices.ContainsFunc(f.all, func(at form) bool { return at.node.content == c })
}

// File reports whether a file may be the value: some form says that its texts stand for
// bytes, or none says a type, nor what a text has to be.
func (f Forms) File() bool {
	if f.stands(contentBytes) || f.stands(contentEncoded) {
		return true
	}
	return !slices.ContainsFunc(f.all, func(at form) bool {
		n := at.node
		return n.types != 0 || n.enum != nil || n.con != nil || n.text != nil || n.number != nil
	})
}

// Structured reports whether some form says what an array or object has to be.
func (f Forms) Structured() bool {
	return slices.ContainsFunc(f.all, func(at form) bool { return at.node.array != nil || at.node.object != nil })
}

// Property returns the forms of a property, and how the forms know its name: it is
// declared if any of them lists it, and open if any says so explicitly, or if none
// lists properties at all.
func (f Forms) Property(name string) (Forms, Standing) {
	var found []form
	standing := f.eachOf(name, func(n *node, certain bool) { found = append(found, form{n, certain}) })
	return join(found), standing
}

// eachOf visits what judges a property, and returns how the forms know its name.
func (f Forms) eachOf(name string, visit func(n *node, certain bool)) Standing {
	state, listed := Undeclared, false
	var text []byte
	take := func(n *node, certain bool, s Standing) {
		visit(n, certain)
		state = max(state, s)
	}
	for _, at := range f.all {
		rules := at.node.object
		if rules == nil {
			continue
		}
		listed = listed || rules.listed
		mine := false
		if p := rules.properties[name]; p != nil && p.node != nil {
			mine = true
			take(p.node, at.certain, Declared)
		}
		if text == nil && len(rules.patterns) > 0 {
			text = []byte(name)
		}
		for _, p := range rules.patterns {
			if p.pattern.Match(text) {
				mine = true
				take(p.node, at.certain, Openly)
			}
		}
		if mine {
			continue
		}
		if rules.additional.opens() {
			take(rules.additional, at.certain, Openly)
		}
		if rules.rest.opens() { // another schema may evaluate the property
			take(rules.rest, false, Openly)
		}
	}
	if state == Undeclared && !listed {
		state = Openly
	}
	return state
}

// opens reports whether a schema of the properties that are not listed is there and
// not false.
func (n *node) opens() bool { return n != nil && !n.never }

// Item returns the forms of the item i of an array; i below 0 is any item.
func (f Forms) Item(i int) Forms {
	var found []form
	for _, at := range f.all {
		rules := at.node.array
		if rules == nil {
			continue
		}
		switch {
		case i < 0:
			for _, n := range rules.prefix {
				found = append(found, form{n, false})
			}
			if rules.items != nil {
				found = append(found, form{rules.items, at.certain && len(rules.prefix) == 0})
			}
		case i < len(rules.prefix):
			found = append(found, form{rules.prefix[i], at.certain})
		case rules.items != nil:
			found = append(found, form{rules.items, at.certain})
		}
		for _, n := range []*node{rules.contains, rules.rest} {
			if n != nil { // one item may be what they are about, or none
				found = append(found, form{n, false})
			}
		}
	}
	return join(found)
}

// Names returns the properties that the forms declare by name, sorted.
func (f Forms) Names() []string {
	names := map[string]struct{}{}
	for _, at := range f.all {
		if at.node.object == nil {
			continue
		}
		for name, p := range at.node.object.properties {
			if p.node != nil {
				names[name] = struct{}{}
			}
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// Declares reports whether the RFC 6901 pointer leads, by declared names alone, to a
// place of the value. A token of digits, "-" or "*" stands for an item of an array where
// no property has that name. The whole value is no such place.
func (f Forms) Declares(tokens []string) bool {
	for _, token := range tokens {
		inner, state := f.Property(token)
		if state != Declared {
			if !indexLike(token) {
				return false
			}
			if inner = f.Item(-1); len(inner.all) == 0 {
				return false
			}
		}
		f = inner
	}
	return len(tokens) > 0
}

// indexLike reports whether a token may stand for an item of an array.
func indexLike(token string) bool {
	if token == "-" || token == "*" {
		return true
	}
	for i := range len(token) {
		if token[i] < '0' || token[i] > '9' {
			return false
		}
	}
	return token != ""
}
