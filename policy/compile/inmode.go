package compile

import (
	"slices"

	"github.com/sidewarden/sidewarden/policy"
)

// InMode returns a policy as it is with every rule in one mode: what shadow would
// let through and what enforce would answer, whatever the configuration says.
// Stages, limits and exceptions are those of p. It is for telling what would
// happen, not for serving: nothing checks that an enforcing rule has what it needs.
func InMode(p *policy.Policy, mode policy.Mode) *policy.Policy {
	twins := make(map[string]*policy.Operation, len(p.Operations))
	twin := func(op *policy.Operation) *policy.Operation {
		next := *op
		next.HoldIn, next.HoldOut, next.Paced, next.Strip = false, false, false, nil
		next.Rules = make([]*policy.Rule, len(op.Rules))
		for i, rule := range op.Rules {
			other := *rule
			other.Mode = mode
			next.Rules[i] = &other
			hold(&next, &other)
		}
		twins[op.ID] = &next
		return &next
	}
	next := *p
	next.Operations = slices.Clone(p.Operations)
	for i, op := range p.Operations {
		next.Operations[i] = twin(op)
	}
	next.Unmatched = twin(p.Unmatched)
	next.Matcher = twinMatcher{p.Matcher, twins}
	return &next
}

// twinMatcher finds the operations of another policy and returns their twins, by
// the ids, which the places of an operation share.
type twinMatcher struct {
	found policy.Matcher
	twins map[string]*policy.Operation
}

// Match implements [policy.Matcher].
func (m twinMatcher) Match(r *policy.Request) policy.Match {
	match := m.found.Match(r)
	if match.Operation == nil {
		return match
	}
	twin, ok := m.twins[match.Operation.ID]
	switch {
	case !ok: // a health check has no rule that could have a mode
	case twin.Template == match.Operation.Template:
		match.Operation = twin
	default:
		place := *twin
		place.Template, place.Aliases = match.Operation.Template, nil
		match.Operation = &place
	}
	return match
}
