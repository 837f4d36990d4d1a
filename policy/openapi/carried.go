package openapi

import (
	"fmt"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/openapi/schema"
)

// list visits a member that can be an array: the first of the pairs and all others of its
// name. One text alone is a scalar, if the member can be that one.
func (rd *reading) list(forms schema.Forms, scalar kinds, pairs []policy.Pair) {
	first := pairs[0]
	again := slices.ContainsFunc(pairs[1:], func(other policy.Pair) bool { return other.Name == first.Name })
	if kind := scalar.meaning(first.Value); !again && scalar != 0 && (kind != jsontext.KindString || scalar&kindString != 0) {
		rd.visit(kind, first.Value)
		return
	}
	rd.mark(jsontext.KindBeginArray)
	items := 0
	for _, other := range pairs {
		if other.Name == first.Name {
			rd.visit(kindsOf(forms.Item(items).Types()).meaning(other.Value), other.Value)
			items++
		}
	}
	rd.mark(jsontext.KindEndArray)
}

// uncarried returns what the schema of the parameter describes and no text of its style
// can be, so that it is denied whenever it is sent.
func (p *parameter) uncarried() []string {
	var all []string
	if slices.Contains(p.items, 0) {
		all = append(all, fmt.Sprintf("items of parameter %q can never be valid: no style carries an array or an object in an array", bounded(p.name)))
	}
	for _, name := range sortedKeys(p.members) {
		list, ok := p.lists[name]
		if p.members[name] == 0 && (!ok || kindsOf(list.Item(0).Types()) == 0) {
			all = append(all, fmt.Sprintf("member %q of parameter %q can never be valid: its style carries no array or object there", bounded(name), bounded(p.name)))
		}
	}
	return all
}

// carriedFix is what to do about that.
const carriedFix = "declare it flat, or give the parameter content of type application/json"
