package schema

// excused reports whether a member that a schema requires may be missing, because it
// belongs to the other direction: readOnly ones are required of answers only, writeOnly
// ones of requests only (OpenAPI 3.0.4, 4.7.24.3). The schema that requires a member and
// the one that says where it belongs come together by allOf, in some schema that judges
// the same object; where another one judges, nothing is excused. F is the object's frame.
func (r *Run) excused(f *frame, a *act, name string) bool {
	if !r.schema.compiler.foreign {
		return false
	}
	says := func(k int32) bool {
		rules := r.acts[k].node.object
		if rules == nil {
			return false
		}
		p := rules.properties[name]
		return p != nil && p.node != nil && p.node.carries
	}
	some := false
	for k := f.first; k < f.last && !some; k++ {
		some = says(k)
	}
	if !some {
		return false
	}
	joins := r.joining(f, a)
	for k := range joins {
		if joins[k] && r.anyJoined(f, f.first+int32(k), make([]bool, f.last-f.first), says) {
			return true
		}
	}
	return false
}

// joining tells of each activation of an object whether the given one must hold with it.
// An activation can come before one that asked for it, so it looks until nothing changes.
func (r *Run) joining(f *frame, a *act) []bool {
	joins := make([]bool, f.last-f.first)
	for changed := true; changed; {
		changed = false
		for k := f.first; k < f.last; k++ {
			b := &r.acts[k]
			found := b.node == a.node
			for i := range b.node.subs {
				found = found || b.node.subs[i].role == roleAll && joins[r.links[int(b.links)+i]-f.first]
			}
			if found && !joins[k-f.first] {
				joins[k-f.first], changed = true, true
			}
		}
	}
	return joins
}

// anyJoined reports whether one of the activations that must hold with the given one says
// so.
func (r *Run) anyJoined(f *frame, k int32, seen []bool, says func(k int32) bool) bool {
	if seen[k-f.first] {
		return false
	}
	seen[k-f.first] = true
	if says(k) {
		return true
	}
	b := &r.acts[k]
	for i := range b.node.subs {
		if b.node.subs[i].role == roleAll && r.anyJoined(f, r.links[int(b.links)+i], seen, says) {
			return true
		}
	}
	return false
}
