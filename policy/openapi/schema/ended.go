package schema

import "slices"

// close ends the judgement of an array or object.
func (r *Run) close(f *frame) {
	r.frames = r.frames[:len(r.frames)-1] // f stays what it is until the next one opens
	r.base = int(f.first)
	var d digest
	if f.hashed {
		kind := byte('}')
		if f.array {
			kind = ']'
		}
		d = r.schema.hasher.pair(kind, f.sum, digest{})
	}
	twice := f.unique && repeated(r.sums[f.sums:])
	for k := int(f.first); k < int(f.last); k++ {
		if keyword, name := r.ended(f, &r.acts[k], twice, d); keyword != "" {
			r.acts[k].failed = true
			if r.acts[k].certain {
				r.fail(keyword, name)
			}
		}
		if r.failed {
			return
		}
	}
	r.settle(int(f.first), f)
	if r.failed {
		r.blame(f)
		return
	}
	r.sums, r.records = r.sums[:f.sums], r.records[:f.records]
	r.deliver(int(f.first), f.from, d)
}

// ended returns the keyword by which an array or object that was read fails, and the
// member that it is about.
func (r *Run) ended(f *frame, a *act, twice bool, d digest) (keyword, name string) {
	n := a.node
	switch {
	case n.enum != nil && !holds(n.enum, d):
		return "enum", ""
	case n.con != nil && !holds(n.con, d):
		return "const", ""
	case f.array && n.array != nil:
		return n.array.ended(int(f.count), int(a.hits), twice), ""
	case !f.array && n.object != nil:
		return r.objectEnded(f, n.object, a)
	}
	return "", ""
}

func holds(set *values, d digest) bool { return slices.Contains(set.nested, d) }

func (rules *arrayRules) ended(count, hits int, twice bool) string {
	switch {
	case count < rules.minItems:
		return "minItems"
	case rules.maxItems >= 0 && count > rules.maxItems:
		return "maxItems"
	case rules.unique && twice:
		return "uniqueItems"
	case rules.contains == nil:
		return ""
	case hits < rules.minContains && rules.minContains == 1:
		return "contains"
	case hits < rules.minContains:
		return "minContains"
	case rules.maxContains >= 0 && hits > rules.maxContains:
		return "maxContains"
	}
	return ""
}

func (r *Run) objectEnded(f *frame, rules *objectRules, a *act) (keyword, name string) {
	count := int(f.count)
	switch {
	case count < rules.minProperties:
		return "minProperties", ""
	case rules.maxProperties >= 0 && count > rules.maxProperties:
		return "maxProperties", ""
	}
	for _, p := range rules.missing(r.bits[a.bits:]) {
		if !r.has(a, p) && !r.excused(f, a, p.name) {
			return "required", p.name
		}
	}
	for i := range rules.dependent {
		d := &rules.dependent[i]
		if !r.has(a, d.trigger) {
			continue
		}
		for _, p := range d.needs {
			if !r.has(a, p) {
				return "dependentRequired", ""
			}
		}
	}
	return "", ""
}

// missing returns the required properties, if one of them may not be there. The bits are
// those of the object, and of others behind it.
func (o *objectRules) missing(bits []uint64) []*property {
	if len(o.required) == 0 || o.tracked <= 64 && bits[0]&o.needed == o.needed {
		return nil
	}
	return o.required
}

// has reports whether the object has a tracked property.
func (r *Run) has(a *act, p *property) bool {
	return r.bits[int(a.bits)+p.bit/64]&(1<<(p.bit%64)) != 0
}
