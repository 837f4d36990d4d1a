package schema

import (
	"cmp"
	"slices"
)

// settle gives every activation of a value its last verdict, from the schemas that judge
// the same value. F is the value's frame; nil for a scalar.
func (r *Run) settle(first int, f *frame) {
	for i := first; i < len(r.acts) && !r.failed; i++ {
		if len(r.acts[i].node.subs) > 0 || f != nil && f.words > 0 {
			r.resolve(i, f)
		}
	}
}

// resolve settles one activation, after those that it depends on. The compiler has
// refused schemas that depend on themselves.
func (r *Run) resolve(i int, f *frame) {
	a := &r.acts[i]
	if a.settled || r.failed {
		return
	}
	a.settled = true
	n := a.node
	for k := range n.subs {
		if n.subs[k].role != roleMapped {
			r.resolve(int(r.links[int(a.links)+k]), f)
		}
	}
	if keyword := r.combined(a, f != nil && !f.array); keyword != "" {
		a.failed = true
		if keyword != inside && a.certain {
			r.fail(keyword, "")
		}
	}
	if f == nil || f.words == 0 || r.failed || a.failed {
		return
	}
	switch {
	case f.array && n.array != nil && n.array.rest != nil && r.unevaluated(i, f):
		r.deny(i, "unevaluatedItems")
	case !f.array && n.object != nil && n.object.rest != nil && r.unevaluated(i, f):
		r.deny(i, "unevaluatedProperties")
	}
}

// inside is no keyword: it says that a schema that must hold has failed, and noted why.
const inside = "inside"

// combined returns the keyword by which the schemas that judge the same value let an
// activation fail.
func (r *Run) combined(a *act, object bool) string {
	var alternatives, ones, anys, matched int
	condition := false
	branch, keyword := r.chosen(a, object)
	if keyword != "" {
		return keyword
	}
	for k := range a.node.subs {
		s := &a.node.subs[k]
		pass := !r.acts[r.links[int(a.links)+k]].failed
		switch s.role {
		case roleAll:
			if !pass {
				return inside
			}
		case roleAny:
			alternatives++
			if pass && a.node.counts(k, branch) {
				anys++
			}
		case roleOne:
			ones++
			if pass && a.node.counts(k, branch) {
				matched++
			}
		case roleNot:
			if pass {
				return "not"
			}
		case roleIf:
			condition = pass
		case roleThen:
			if condition && !pass {
				return "then"
			}
		case roleElse:
			if !condition && !pass {
				return "else"
			}
		case roleDependent:
			if !pass && object && r.has(a, a.node.object.properties[s.name]) {
				return "dependentSchemas"
			}
		case roleMapped, roleContains, roleRest:
		}
	}
	switch {
	case alternatives > 0 && anys == 0:
		return "anyOf"
	case ones > 0 && matched != 1:
		return "oneOf"
	}
	return ""
}

// chosen returns which branch of oneOf and anyOf counts, below 0 for each, or that the
// discriminator fails. It says nothing of what is no object.
func (r *Run) chosen(a *act, object bool) (branch int, keyword string) {
	if a.node.pick == nil || !object {
		return -1, ""
	}
	switch a.chosen {
	case chosenUnseen, chosenWrong:
		return -1, "discriminator"
	case chosenAny:
		return -1, ""
	}
	return int(a.chosen - chosenFirst), ""
}

// counts reports whether a sub may match although a discriminator chose a branch; below
// 0 it chose none.
func (n *node) counts(k, branch int) bool {
	return branch < 0 || branch == k || branch < len(n.subs) && n.subs[branch].role != n.subs[k].role
}

// deliver tells the parents of a value's activations what became of it, and forgets
// them.
func (r *Run) deliver(first int, to from, d digest) {
	n := len(r.frames)
	if n == 0 {
		r.forget(first, to)
		return
	}
	f := &r.frames[n-1]
	for i := first; i < len(r.acts); i++ {
		a := &r.acts[i]
		if a.parent < 0 {
			continue
		}
		r.tell(f, a.parent, a.role, a.failed)
		for next := a.more; next > 0; {
			e := &r.edges[next-1]
			r.tell(f, e.parent, e.role, a.failed)
			next = e.next
		}
	}
	r.forget(first, to)
	r.sum(f, d)
}

// sum adds the digest of a member or item to what the frame knows of its value.
func (r *Run) sum(f *frame, d digest) {
	if f.hashed {
		if f.array {
			f.sum = r.schema.hasher.pair('[', f.sum, d)
		} else {
			f.sum = f.sum.plus(r.schema.hasher.pair(hashMember, f.name, d))
		}
	}
	if f.unique {
		r.sums = append(r.sums, d)
	}
}

func (r *Run) tell(f *frame, parent int32, why role, failed bool) {
	p := &r.acts[parent]
	switch why {
	case roleContains:
		if !failed {
			p.hits++
			r.evaluates(f, parent)
		}
	case roleRest:
		if failed {
			r.set(f, f.words/2, parent)
		}
	case roleAll, roleAny, roleOne, roleNot, roleIf, roleThen, roleElse, roleDependent, roleMapped:
		p.failed = p.failed || failed
	}
}

// record makes room for what is known of the next member or item: which activations
// evaluate it, and of which the unevaluated schema refuses it.
func (r *Run) record(f *frame) {
	for range f.words {
		r.records = append(r.records, 0)
	}
}

// evaluates notes that an activation evaluates the member or item at hand (JSON Schema
// 2020-12, core, 11).
func (r *Run) evaluates(f *frame, k int32) {
	if f.words > 0 {
		r.set(f, 0, k)
	}
}

// set sets a bit of the record at hand, which is the frame's last.
func (r *Run) set(f *frame, offset, k int32) {
	at := int(f.records) + int(f.count-1)*int(f.words) + int(offset)
	r.records[at+int(k-f.first)/64] |= 1 << ((k - f.first) % 64)
}

// unevaluated reports whether the unevaluated schema of an activation refuses a member
// or item that no schema evaluates which judges the same value and holds.
func (r *Run) unevaluated(i int, f *frame) bool {
	words := int(f.words / 2)
	r.visited = append(r.visited[:0], make([]uint64, words)...)
	if r.reach(i, i, f) {
		return false
	}
	local := i - int(f.first)
	for m := range int(f.count) {
		at := int(f.records) + m*int(f.words)
		if r.records[at+words+local/64]&(1<<(local%64)) == 0 {
			continue
		}
		seen := false
		for w := range words {
			seen = seen || r.records[at+w]&r.visited[w] != 0
		}
		if !seen {
			return true
		}
	}
	return false
}

// reach marks the activations whose annotations the activation from sees, and reports
// whether one of them evaluates everything.
func (r *Run) reach(i, from int, f *frame) bool {
	local := i - int(f.first)
	if r.visited[local/64]&(1<<(local%64)) != 0 {
		return false
	}
	r.visited[local/64] |= 1 << (local % 64)
	a := &r.acts[i]
	if i != from && a.node.rests(f.array) {
		return true
	}
	condition := true
	for k := range a.node.subs {
		s := &a.node.subs[k]
		j := int(r.links[int(a.links)+k])
		pass := !r.acts[j].failed
		follow := pass
		switch s.role {
		case roleNot, roleMapped:
			follow = false
		case roleIf:
			condition = pass
		case roleThen:
			follow = pass && condition
		case roleElse:
			follow = pass && !condition
		case roleDependent:
			follow = pass && !f.array && r.has(a, a.node.object.properties[s.name])
		case roleAll, roleAny, roleOne, roleContains, roleRest:
		}
		if follow && r.reach(j, from, f) {
			return true
		}
	}
	return false
}

// rests reports whether the node has an unevaluated schema, which evaluates what is
// left.
func (n *node) rests(array bool) bool {
	if array {
		return n.array != nil && n.array.rest != nil
	}
	return n.object != nil && n.object.rest != nil
}

// repeated reports whether two digests are equal. It sorts them.
func repeated(sums []digest) bool {
	slices.SortFunc(sums, func(a, b digest) int { return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1])) })
	for i := 1; i < len(sums); i++ {
		if sums[i] == sums[i-1] {
			return true
		}
	}
	return false
}
