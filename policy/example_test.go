package policy_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"github.com/sidewarden/sidewarden/policy"
)

// scope is a check that wants one scope of the caller.
type scope string

func (s scope) Check(_ context.Context, r *policy.Request) policy.Verdict {
	if v, missing := r.Auth.Missing(); missing {
		return v
	}
	if !slices.Contains(r.Auth.Identity.Scopes, string(s)) {
		return policy.Denied(policy.ScopeMissing, "")
	}
	return policy.Permitted()
}

// A check gives the same verdict in both modes; only Blocking reads the mode.
func ExamplePolicy_Evaluate() {
	for _, mode := range []policy.Mode{policy.Shadow, policy.Enforce} {
		op := &policy.Operation{ID: "getPort", Rules: []*policy.Rule{
			{Control: policy.AzScope, Phase: policy.HeadPhase, Mode: mode, Check: scope("ports:read")},
		}}
		p := &policy.Policy{Operations: []*policy.Operation{op}}
		r := &policy.Request{
			Match: policy.Match{Operation: op},
			Auth: policy.Authentication{
				Proof:    policy.Permitted(),
				Identity: &policy.Identity{Client: "shop", Scopes: []string{"orders:read"}},
			},
		}

		d := p.Evaluate(context.Background(), r, policy.HeadPhase)
		f := d.Findings[0]
		_, blocked := d.Blocking()
		fmt.Println(mode, f.Rule.Control, f.Verdict.Effect, f.Verdict.Reason, blocked, d.Disposition())
	}
	// Output:
	// shadow az.scope deny scope-missing false would-block
	// enforce az.scope deny scope-missing true blocked
}

// A control that could not decide gives way to the control that caused it, so
// that the client is told what is wrong.
func ExampleDecision_Blocking() {
	enforced := func(c policy.Control, v policy.Verdict) policy.Finding {
		return policy.Finding{Rule: &policy.Rule{Control: c, Mode: policy.Enforce}, Verdict: v}
	}
	d := policy.Decision{Findings: []policy.Finding{
		enforced(policy.TokPresent, policy.Permitted()),
		enforced(policy.TokSig, policy.UndecidedBy(policy.TokIss)),
		enforced(policy.TokIss, policy.Denied(policy.IssuerUnknown, "")),
	}}

	f, _ := d.Blocking()
	fmt.Println(f.Rule.Control, f.Verdict.Reason)
	// Output: tok.iss issuer-unknown
}

// An expired token arrived, so the gateway let it through, and the backend
// served it: nobody enforces the control.
func ExampleClassify() {
	r := &policy.Request{Method: http.MethodGet, Response: &policy.Response{Status: http.StatusOK}}
	d := policy.Decision{Findings: []policy.Finding{{
		Rule:    &policy.Rule{Control: policy.TokTime, Mode: policy.Shadow},
		Verdict: policy.Denied(policy.TokenExpired, ""),
	}}}

	o := policy.Outcome{Disposition: d.Disposition(), Class: policy.ClassOf(r, policy.Hints{})}
	for _, seen := range policy.Classify(d, o) {
		fmt.Println(seen.Position, seen.Control, seen.Signal, "isolated:", seen.Isolated)
	}
	// Output:
	// gateway tok.time leaked isolated: true
	// backend tok.time leaked isolated: true
}
