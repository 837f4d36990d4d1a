package compile

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sidewarden/sidewarden/policy"
)

// healthChecks finds the health checks of the backend before any operation. What
// they match nobody judges, so they match one exact method and path as they were
// sent, and nothing that a backend may take for another request.
type healthChecks struct {
	plans []*policy.Operation
	next  policy.Matcher
}

// Match implements [policy.Matcher].
func (h healthChecks) Match(r *policy.Request) policy.Match {
	for _, plan := range h.plans {
		if plan.Template == r.Path && plan.Method == r.Method && isBare(r) {
			return policy.Match{Operation: plan}
		}
	}
	return h.next.Match(r)
}

// isBare reports whether a request is its method and path alone: no query, no body,
// nothing in its header that asks for more, and nothing in its framing by which another
// reader finds a body.
func isBare(r *policy.Request) bool {
	return r.RawQuery == "" && !r.HasBody() && !r.AsksMore() && r.Frame.Head.Effect != policy.Deny
}

// health puts the health checks before the operations. One that is also an
// operation that asks who the caller is would open it, so that is refused.
func (c *compiler) health(p *policy.Policy, all []*planned) {
	for i, check := range c.cfg.Health {
		method, path, _ := strings.Cut(check, " ")
		op := p.Matcher.Match(&policy.Request{Method: method, Path: path}).Operation
		at := slices.IndexFunc(all, func(p *planned) bool { return op != nil && p.operation.ID == op.ID })
		if at >= 0 && !all[at].public {
			found := all[at]
			c.problem(fmt.Sprintf("health[%d]", i), fmt.Sprintf("%s is operation %s (%s of specs[%d]), which is not public: no control would judge it",
				check, op.ID, found.contract.Place, found.spec), "take it out of health, or add "+settings([]*planned{found}, "public: true"))
			continue
		}
		p.Health = append(p.Health, &policy.Operation{ID: policy.HealthID, Method: method, Template: path})
	}
	if len(p.Health) > 0 {
		p.Matcher = healthChecks{plans: p.Health, next: p.Matcher}
	}
}
