package schema

// blame gives the fault of an object that fits no branch the keyword that says why: where
// every schema that lists properties allows no others, one that none of them lists is
// what is wrong, whatever else is. F is the object's frame.
func (r *Run) blame(f *frame) {
	if !f.strange || r.fault.Keyword != "oneOf" && r.fault.Keyword != "anyOf" {
		return
	}
	for i := f.first; i < f.last; i++ {
		a := &r.acts[i]
		if rules := a.node.object; a.known && rules != nil && rules.listed && (rules.additional == nil || !rules.additional.never) {
			return
		}
	}
	r.fault.Keyword = "additionalProperties"
}
