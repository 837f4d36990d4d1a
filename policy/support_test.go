package policy_test

import (
	"context"
	"time"

	"github.com/sidewarden/sidewarden/policy"
)

// noon is the time of every request in these tests.
var noon = time.Date(2026, time.March, 2, 12, 0, 0, 0, time.UTC)

// checkFunc is a check that is only a function.
type checkFunc func(context.Context, *policy.Request) policy.Verdict

func (f checkFunc) Check(ctx context.Context, r *policy.Request) policy.Verdict { return f(ctx, r) }

// always is a check with one verdict for every request.
func always(v policy.Verdict) policy.Check {
	return checkFunc(func(context.Context, *policy.Request) policy.Verdict { return v })
}

// rule is a rule of the control in its catalogue phase whose check always has
// the verdict.
func rule(c policy.Control, m policy.Mode, v policy.Verdict) *policy.Rule {
	return &policy.Rule{Control: c, Phase: phaseOf(c), Mode: m, Check: always(v)}
}

// phaseOf is the catalogue's phase of a control; HeadPhase for an unknown one.
func phaseOf(c policy.Control) policy.Phase {
	entry, _ := policy.Lookup(c)
	for _, p := range phases() {
		if p.String() == entry.Phase {
			return p
		}
	}
	return policy.HeadPhase
}

func phases() []policy.Phase {
	return []policy.Phase{policy.HeadPhase, policy.LimitPhase, policy.BodyPhase, policy.ResponsePhase}
}

func effects() []policy.Effect {
	return []policy.Effect{policy.Indeterminate, policy.Permit, policy.Deny, policy.NotApplicable}
}

func families() []policy.Family {
	return []policy.Family{
		policy.AuthN, policy.AuthZOp, policy.AuthZObj, policy.AuthZField, policy.Input, policy.Output,
		policy.Rate, policy.WAF, policy.Abuse, policy.Path, policy.Transport, policy.Log,
	}
}

// finding is a finding of a control with a mode and a verdict.
func finding(c policy.Control, m policy.Mode, v policy.Verdict) policy.Finding {
	return policy.Finding{Rule: rule(c, m, v), Verdict: v}
}

func decision(f ...policy.Finding) policy.Decision { return policy.Decision{Findings: f} }

// denies, undecided, permits and caused are shadow findings for tests that are
// not about modes.
func denies(c policy.Control) policy.Finding {
	return finding(c, policy.Shadow, policy.Denied(policy.TokenExpired, ""))
}

func undecided(c policy.Control) policy.Finding {
	return finding(c, policy.Shadow, policy.Undecided(policy.NotInspected, nil))
}

func permits(c policy.Control) policy.Finding {
	return finding(c, policy.Shadow, policy.Permitted())
}

func caused(c, cause policy.Control) policy.Finding {
	return finding(c, policy.Shadow, policy.UndecidedBy(cause))
}

// plan is a policy whose only operation has the rules, and a request of it.
func plan(rules ...*policy.Rule) (*policy.Policy, *policy.Request) {
	op := &policy.Operation{ID: "getPort", Method: "GET", Template: "/ports/{id}", Rules: rules}
	p := &policy.Policy{
		Operations: []*policy.Operation{op},
		Unmatched:  &policy.Operation{ID: policy.UnmatchedID},
	}
	return p, &policy.Request{Time: noon, Method: "GET", Match: policy.Match{Operation: op}}
}
