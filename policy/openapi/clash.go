package openapi

import (
	"slices"
	"strings"

	"github.com/sidewarden/sidewarden/policy"
)

// Clash is a pair of operations of two contracts that are in each other's way.
type Clash struct {
	First, Second *policy.Operation // by the templates that clash
	// FirstOf and SecondOf are the contracts that have them, by their index.
	FirstOf, SecondOf int
	// Same reports that they match the same requests. Otherwise some requests match
	// both, and neither is the more exact one, so that a backend may choose another
	// one than the Matcher does.
	Same bool
}

// Clashes returns the clashes between the operations of several contracts. Where
// one template is the more exact one at every segment there is none: within a
// contract too, /orders/mine goes before /orders/{id}.
func Clashes(contracts ...[]*policy.Operation) []Clash {
	type kind struct {
		method string
		length int
	}
	before := map[kind][]contender{}
	var found []Clash
	for i, operations := range contracts {
		for _, c := range contenders(i, operations) {
			k := kind{c.operation.Method, len(c.segments)}
			for _, p := range before[k] {
				if p.contract == i || p.implied && c.implied { // those of GET clash, too
					continue
				}
				if same, clash := clashes(p.segments, c.segments); clash {
					found = append(found, Clash{First: p.operation, Second: c.operation, FirstOf: p.contract, SecondOf: i, Same: same})
				}
			}
			before[k] = append(before[k], c)
		}
	}
	return found
}

// contender is a method and a template of an operation.
type contender struct {
	contract  int
	operation *policy.Operation
	segments  []segment
	implied   bool // HEAD, of an operation of GET
}

// contenders returns the methods and templates of the operations of a contract.
func contenders(contract int, operations []*policy.Operation) []contender {
	var all []contender
	for _, op := range operations {
		for _, at := range op.Places() {
			segments, err := parseTemplate(at.Template)
			if err != nil {
				continue // NewMatcher says so
			}
			for _, method := range methods(at) {
				as := *at
				as.Method = method
				all = append(all, contender{contract, &as, segments, method != at.Method})
			}
		}
	}
	return all
}

// clashes compares two templates of as many segments.
func clashes(a, b []segment) (same, clash bool) {
	exact, coarse := true, true
	for i := range a {
		if !a[i].meets(&b[i]) {
			return false, false
		}
		exact, coarse = exact && a[i].within(&b[i]), coarse && b[i].within(&a[i])
	}
	return exact && coarse, exact == coarse
}

// meets reports whether a text can match both segments. It takes escaped slashes in
// parameters, which need not be allowed, and of two with parameters it looks at the ends
// only, and so at times says yes where there is none.
func (t *segment) meets(o *segment) bool {
	switch {
	case len(t.names) == 0 && len(o.names) == 0:
		return t.literals[0] == o.literals[0]
	case len(t.names) == 0:
		return o.capture(t.literals[0], true, nil)
	case len(o.names) == 0:
		return t.capture(o.literals[0], true, nil)
	}
	begin, other := t.literals[0], o.literals[0]
	end, otherEnd := t.literals[len(t.names)], o.literals[len(o.names)]
	return (strings.HasPrefix(begin, other) || strings.HasPrefix(other, begin)) &&
		(strings.HasSuffix(end, otherEnd) || strings.HasSuffix(otherEnd, end))
}

// within reports whether every text that matches t matches o too. Where o has
// several parameters it at times says no although it is so.
func (t *segment) within(o *segment) bool {
	switch {
	case len(o.names) == 0:
		return len(t.names) == 0 && t.literals[0] == o.literals[0]
	case len(t.names) == 0:
		return o.capture(t.literals[0], true, nil)
	case len(o.names) > 1:
		return slices.Equal(t.literals, o.literals)
	}
	return strings.HasPrefix(t.literals[0], o.literals[0]) && strings.HasSuffix(t.literals[len(t.names)], o.literals[1])
}
