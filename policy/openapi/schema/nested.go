package schema

import (
	"github.com/go-json-experiment/json/jsontext"
)

// open begins to judge an array or object.
func (r *Run) open(kind jsontext.Kind) {
	if len(r.picks) > 0 {
		r.choose(kind, nil)
	}
	r.activate()
	hashed := false
	if n := len(r.frames); n > 0 {
		hashed = r.frames[n-1].hashed || r.frames[n-1].unique
	}
	r.frames = append(r.frames, frame{
		first: int32(r.base), last: int32(len(r.acts)), array: kind == jsontext.KindBeginArray, from: r.from,
		sums: int32(len(r.sums)), records: int32(len(r.records)), hashed: hashed,
	})
	f := &r.frames[len(r.frames)-1]
	types := typeObject
	if f.array {
		types = typeArray
	}
	for i := r.base; i < len(r.acts); i++ {
		n := r.acts[i].node
		if keyword := r.refused(n, types); keyword != "" {
			r.deny(i, keyword)
			if r.failed {
				return
			}
		}
		f.hashed = f.hashed || n.enum != nil && len(n.enum.nested) > 0 || n.con != nil && len(n.con.nested) > 0
		switch {
		case f.array && n.array != nil:
			f.unique = f.unique || n.array.unique
			if n.array.rest != nil {
				f.words = 2 * ((f.last - f.first + 63) / 64)
			}
		case !f.array && n.object != nil:
			f.listed = f.listed || n.object.listed && r.acts[i].known
			f.named = f.named || n.object.names != nil
			if n.object.rest != nil {
				f.words = 2 * ((f.last - f.first + 63) / 64)
			}
		}
	}
	if f.last-f.first == 1 && !f.array && !f.hashed {
		n := r.acts[f.first].node
		f.simple = n.object != nil && n.object.simple && n.pick == nil
	}
}

// refused returns the keyword by which a node refuses every value of a nested type.
func (r *Run) refused(n *node, types typeSet) string {
	switch {
	case n.types != 0 && n.types&types == 0:
		return "type"
	case !n.narrow:
		return ""
	case n.never:
		return "boolean"
	case n.foreign:
		return r.schema.compiler.options.foreign()
	case n.enum != nil && len(n.enum.nested) == 0:
		return "enum"
	case n.con != nil && len(n.con.nested) == 0:
		return "const"
	}
	return ""
}

// item makes room for the value that begins in the array or object f, if it is in one.
func (r *Run) item(f *frame) {
	switch {
	case f == nil:
	case f.array:
		r.nextItem(f)
	default:
		f.due = false
	}
}

// nextItem makes the activations of the next item.
func (r *Run) nextItem(f *frame) {
	i := int(f.count)
	f.count++
	f.token, f.shown = "*", true
	r.start()
	r.record(f)
	for k := f.first; k < f.last; k++ {
		a := &r.acts[k]
		rules := a.node.array
		if rules == nil || r.lost(a) {
			continue
		}
		known := a.known
		inner := rules.items
		if i < len(rules.prefix) {
			inner = rules.prefix[i]
		}
		if inner != nil {
			r.evaluates(f, k)
			r.ask(inner, k, roleAll)
		}
		if rules.contains != nil {
			r.need(rules.contains, k, roleContains, false, known)
		}
		if rules.rest != nil {
			r.ask(rules.rest, k, roleRest)
		}
	}
}

// ask lets a node judge the value that begins, unless every value satisfies it. While
// it is the only one, and asks no other of the same value, it needs no activation: most
// values are text or numbers that one schema judges.
func (r *Run) ask(n *node, parent int32, why role) {
	switch {
	case n.trivial:
	case r.lone.node == nil && len(r.acts) == r.base && len(n.subs) == 0:
		r.lone = ask{n, parent, why}
	default:
		p := &r.acts[parent]
		r.need(n, parent, why, why == roleAll && p.certain, p.known)
	}
}

// name makes the activations of a member by its name.
func (r *Run) name(f *frame, text []byte) {
	f.count++
	f.due = true
	if f.simple && r.simpleMember(f, text) {
		return
	}
	f.token, f.shown = "", false
	if f.hashed {
		f.name = r.schema.hasher.bytes(hashName, text)
	}
	if f.named {
		if r.names(f, text); r.failed {
			return
		}
	}
	r.start()
	r.record(f)
	standing := Undeclared
	for k := f.first; k < f.last; k++ {
		if rules := r.acts[k].node.object; rules != nil {
			standing = max(standing, r.member(f, k, rules, text))
		}
		if p := r.acts[k].node.pick; p != nil && p.property == string(text) {
			r.picks = append(r.picks, k)
		}
	}
	if standing != Declared && f.listed && !r.odd && r.isOdd(f, text) {
		r.odd = true
		r.oddity, _ = r.outer()
	}
	if standing != Undeclared || !f.listed {
		return
	}
	f.strange = true
	if !r.strange {
		r.strange = true
		f.token = ""
		r.stranger, _ = r.outer()
	}
}

// simpleMember makes the activation of a member that a simple object lists. It reports false
// if it does not.
func (r *Run) simpleMember(f *frame, text []byte) bool {
	a := &r.acts[f.first]
	p := a.node.object.property(text)
	if p == nil || p.node == nil {
		return false
	}
	if p.bit >= 0 {
		r.bits[int(a.bits)+p.bit/64] |= 1 << (p.bit % 64)
	}
	f.token, f.shown = p.name, true
	if r.start(); !r.lost(a) {
		r.ask(p.node, f.first, roleAll)
	}
	return true
}

// outer returns the place of the innermost open array or object.
func (r *Run) outer() (pointer string, whole bool) {
	f := r.frames[len(r.frames)-1]
	r.frames = r.frames[:len(r.frames)-1]
	pointer, whole = r.place()
	r.frames = append(r.frames, f)
	return pointer, whole
}

// member makes the activations that one schema of the object asks for, and returns how
// it knows the name.
func (r *Run) member(f *frame, k int32, rules *objectRules, text []byte) Standing {
	a := &r.acts[k]
	known, lost := a.known, r.lost(a)
	standing, mine := Undeclared, false
	if p := rules.property(text); p != nil {
		if p.bit >= 0 {
			r.bits[int(a.bits)+p.bit/64] |= 1 << (p.bit % 64)
		}
		if p.node != nil {
			standing, mine = Declared, true
			f.token, f.shown = p.name, true
			if !lost {
				r.ask(p.node, k, roleAll)
			}
		}
	}
	if lost { // what it would say of the value changes nothing
		return standingOf(known, max(standing, rules.open()))
	}
	for i := range rules.patterns {
		if p := &rules.patterns[i]; p.pattern.Match(text) {
			standing, mine = max(standing, Openly), true
			r.ask(p.node, k, roleAll)
		}
	}
	if !mine && rules.additional != nil {
		mine = true
		if rules.additional.never {
			r.acts[k].failed = true
			if r.acts[k].certain {
				r.failOuter("additionalProperties")
			}
		} else {
			standing = Openly
			r.ask(rules.additional, k, roleAll)
		}
	}
	if mine {
		r.evaluates(f, k)
	}
	if rules.rest != nil {
		if !mine && rules.rest.opens() {
			standing = Openly
		}
		r.ask(rules.rest, k, roleRest)
	}
	return standingOf(known, standing)
}

// lost reports whether an activation has failed and its failure is not the value's: what
// it would still ask for is of use only to whoever wants to know which names are declared.
func (r *Run) lost(a *act) bool { return a.failed && !a.certain && !r.Strangers }

// standingOf returns how a schema knows a name, which counts only where it is not below
// not.
func standingOf(known bool, s Standing) Standing {
	if !known {
		return Undeclared
	}
	return s
}

// open returns how a schema may know a name that it does not list.
func (o *objectRules) open() Standing {
	if len(o.patterns) > 0 || o.additional.opens() || o.rest.opens() {
		return Openly
	}
	return Undeclared
}

// failOuter notes a fault of the object whose member is read.
func (r *Run) failOuter(keyword string) {
	if !r.failed {
		place, _ := r.outer()
		r.failed, r.fault = true, Fault{Pointer: place, Keyword: keyword}
	}
}

// names judges the name of a member as a string, for propertyNames.
func (r *Run) names(f *frame, text []byte) {
	for k := f.first; k < f.last; k++ {
		rules := r.acts[k].node.object
		if rules == nil || rules.names == nil || rules.names.trivial {
			continue
		}
		r.start()
		r.need(rules.names, -1, roleAll, false, false)
		r.parsed = false
		for i := r.base; i < len(r.acts); i++ {
			if keyword := r.judge(r.acts[i].node, jsontext.KindString, typeString, text); keyword != "" {
				r.acts[i].failed = true
			}
		}
		if r.failed {
			return
		}
		r.settle(r.base, nil)
		failed := r.acts[r.base].failed
		r.forget(r.base, r.from)
		if failed {
			r.acts[k].failed = true
			if r.acts[k].certain {
				r.failOuter("propertyNames")
				return
			}
		}
	}
}
