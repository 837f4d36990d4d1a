package policy_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
)

func controls(d policy.Decision) []policy.Control {
	var all []policy.Control
	for _, f := range d.Findings {
		all = append(all, f.Rule.Control)
	}
	return all
}

func TestEvaluateDoesNotStopAtADenial(t *testing.T) {
	p, r := plan(
		rule(policy.TokPresent, policy.Enforce, no),
		rule(policy.TokSig, policy.Enforce, maybe),
		rule(policy.AzScope, policy.Enforce, ok),
	)
	d := p.Evaluate(t.Context(), r, policy.HeadPhase)
	assert.Equal(t, []policy.Control{policy.TokPresent, policy.TokSig, policy.AzScope}, controls(d), "in the plan's order")
	for i, v := range []policy.Verdict{no, maybe, ok} {
		assert.Equal(t, v, d.Findings[i].Verdict)
		assert.Same(t, r.Match.Operation.Rules[i], d.Findings[i].Rule)
	}
}

func TestEvaluateRunsOnlyTheRulesOfThePhase(t *testing.T) {
	late := rule(policy.AzAccount, policy.Shadow, ok)
	late.Phase = policy.BodyPhase
	p, r := plan(
		rule(policy.TokSig, policy.Shadow, ok), late, rule(policy.RateApp, policy.Shadow, ok),
		rule(policy.TokReplay, policy.Shadow, ok), rule(policy.InSchema, policy.Shadow, ok),
	)
	want := map[policy.Phase][]policy.Control{
		policy.HeadPhase:     {policy.TokSig},
		policy.LimitPhase:    {policy.RateApp, policy.TokReplay},
		policy.BodyPhase:     {policy.AzAccount, policy.InSchema},
		policy.ResponsePhase: nil,
	}
	for _, ph := range phases() {
		assert.Equal(t, want[ph], controls(p.Evaluate(t.Context(), r, ph)), ph)
	}
	assert.Equal(t, policy.Decision{}, p.Evaluate(t.Context(), r, policy.ResponsePhase))
}

func TestAnUnmatchedRequestHasThePlanForIt(t *testing.T) {
	p, r := plan(rule(policy.TokSig, policy.Shadow, ok))
	p.Unmatched.Rules = []*policy.Rule{rule(policy.InRoute, policy.Enforce, policy.Denied(policy.RouteUnknown, ""))}
	assert.Same(t, r.Match.Operation, p.Plan(r))

	r.Match = policy.Match{}
	assert.Same(t, p.Unmatched, p.Plan(r))
	assert.Equal(t, []policy.Control{policy.InRoute}, controls(p.Evaluate(t.Context(), r, policy.HeadPhase)))
}

func TestACheckGetsTheRequestAndTheContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var got *policy.Request
	var done error
	p, r := plan(&policy.Rule{Control: policy.TokSig, Check: checkFunc(func(ctx context.Context, r *policy.Request) policy.Verdict {
		got, done = r, ctx.Err()
		return ok
	})})
	p.Evaluate(ctx, r, policy.HeadPhase)
	assert.Same(t, r, got)
	assert.ErrorIs(t, done, context.Canceled)
}

func TestAPanicOfACheckIsAnUndecidedVerdict(t *testing.T) {
	panics := func(value any) *policy.Rule {
		return &policy.Rule{Control: policy.TokSig, Mode: policy.Enforce, Check: checkFunc(func(context.Context, *policy.Request) policy.Verdict {
			panic(value)
		})}
	}
	for name, broken := range map[string]*policy.Rule{
		"a text":   panics("token eyJhbGciOi was odd"),
		"an error": panics(context.Canceled),
		"nil":      panics(nil),
		"no check": {Control: policy.TokSig, Mode: policy.Enforce},
	} {
		t.Run(name, func(t *testing.T) {
			p, r := plan(broken, rule(policy.TokAud, policy.Enforce, ok))
			d := p.Evaluate(t.Context(), r, policy.HeadPhase)
			require.Len(t, d.Findings, 2, "the next rule is evaluated")
			v := d.Findings[0].Verdict
			assert.Equal(t, policy.Indeterminate, v.Effect)
			assert.Equal(t, policy.InternalError, v.Reason)
			assert.Empty(t, v.Cause)
			require.Error(t, v.Err)
			assert.NotContains(t, v.Err.Error(), "eyJhbGciOi", "the value may be the client's")
			_, blocks := d.Blocking()
			assert.True(t, blocks)
		})
	}
}

func TestExceptions(t *testing.T) {
	proven := &policy.Identity{Issuer: "https://idp.example", Client: "shop"}
	until := noon.Add(time.Hour)
	tests := []struct {
		rule     string
		e        policy.Exception
		identity *policy.Identity
		covers   bool
	}{
		{"no selector matches everything", policy.Exception{Control: policy.AzScope, Until: until}, nil, true},
		{"another control does not match", policy.Exception{Control: policy.AzAccount, Until: until}, proven, false},
		{"the last moment before the end counts", policy.Exception{Control: policy.AzScope, Until: noon.Add(1)}, nil, true},
		{"the end itself does not count", policy.Exception{Control: policy.AzScope, Until: noon}, nil, false},
		{"a past exception is over", policy.Exception{Control: policy.AzScope, Until: noon.Add(-time.Second)}, nil, false},
		{"an exception without an end is none", policy.Exception{Control: policy.AzScope}, nil, false},
		{"the operation matches", policy.Exception{Control: policy.AzScope, Until: until, Operation: "getPort"}, nil, true},
		{"another operation does not match", policy.Exception{Control: policy.AzScope, Until: until, Operation: "getPorts"}, nil, false},
		{"the issuer matches", policy.Exception{Control: policy.AzScope, Until: until, Issuer: "https://idp.example"}, proven, true},
		{"another issuer does not match", policy.Exception{Control: policy.AzScope, Until: until, Issuer: "https://idp.example/"}, proven, false},
		{"the client matches", policy.Exception{Control: policy.AzScope, Until: until, Client: "shop"}, proven, true},
		{"another client does not match", policy.Exception{Control: policy.AzScope, Until: until, Client: "Shop"}, proven, false},
		{"issuer and client match together", policy.Exception{Control: policy.AzScope, Until: until, Issuer: "https://idp.example", Client: "shop"}, proven, true},
		{"the same client of another issuer does not match", policy.Exception{Control: policy.AzScope, Until: until, Issuer: "https://other.example", Client: "shop"}, proven, false},
		{"another client of the issuer does not match", policy.Exception{Control: policy.AzScope, Until: until, Issuer: "https://idp.example", Client: "crm"}, proven, false},
		{"an unproven issuer does not match", policy.Exception{Control: policy.AzScope, Until: until, Issuer: "https://idp.example"}, nil, false},
		{"an unproven client does not match", policy.Exception{Control: policy.AzScope, Until: until, Client: "shop"}, nil, false},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			p, r := plan(rule(policy.AzScope, policy.Enforce, no))
			r.Auth = policy.Authentication{Token: &policy.Token{Claimed: *proven}, Identity: tt.identity}
			tt.e.ID = "EX-7"
			d := p.WithExceptions([]policy.Exception{tt.e}).Evaluate(t.Context(), r, policy.HeadPhase)
			want := policy.Blocked
			if tt.covers {
				want = policy.Excepted
			}
			assert.Equal(t, want, d.Disposition())
			assert.Equal(t, tt.covers, d.Findings[0].Exception == "EX-7")
		})
	}
}

func TestAnExceptionCoversOnlyVerdictsThatDoNotPass(t *testing.T) {
	exceptions := []policy.Exception{{ID: "EX-1", Control: policy.TokSig, Until: noon.Add(time.Hour)}}
	for _, v := range []policy.Verdict{ok, na} {
		p, r := plan(rule(policy.TokSig, policy.Enforce, v))
		assert.Empty(t, p.WithExceptions(exceptions).Evaluate(t.Context(), r, policy.HeadPhase).Findings[0].Exception)
	}
	for _, v := range []policy.Verdict{no, maybe} {
		p, r := plan(rule(policy.TokSig, policy.Enforce, v))
		assert.Equal(t, "EX-1", p.WithExceptions(exceptions).Evaluate(t.Context(), r, policy.HeadPhase).Findings[0].Exception)
	}
}

func TestTheFirstExceptionThatMatchesCovers(t *testing.T) {
	p, r := plan(rule(policy.TokSig, policy.Enforce, no))
	d := p.WithExceptions([]policy.Exception{
		{ID: "EX-1", Control: policy.TokSig, Until: noon},
		{ID: "EX-2", Control: policy.TokSig, Until: noon.Add(1)},
		{ID: "EX-3", Control: policy.TokSig, Until: noon.Add(2)},
	}).Evaluate(t.Context(), r, policy.HeadPhase)
	assert.Equal(t, "EX-2", d.Findings[0].Exception)
}

func TestAnExceptionMayNameTheUnmatchedPlan(t *testing.T) {
	p, r := plan()
	r.Match = policy.Match{}
	p.Unmatched.Rules = []*policy.Rule{rule(policy.InRoute, policy.Enforce, no)}
	p = p.WithExceptions([]policy.Exception{{ID: "EX-1", Control: policy.InRoute, Operation: policy.UnmatchedID, Until: noon.Add(1)}})
	assert.Equal(t, policy.Excepted, p.Evaluate(t.Context(), r, policy.HeadPhase).Disposition())
}

func TestWithExceptionsChangesNeitherThePolicyNorTheArgument(t *testing.T) {
	p, r := plan(rule(policy.TokSig, policy.Enforce, no))
	mine := []policy.Exception{{ID: "EX-1", Control: policy.TokSig, Until: noon.Add(1)}}
	next := p.WithExceptions(mine)
	mine[0].ID = "changed"

	assert.Empty(t, p.Evaluate(t.Context(), r, policy.HeadPhase).Findings[0].Exception, "the policy got the exceptions of its copy")
	assert.Equal(t, "EX-1", next.Evaluate(t.Context(), r, policy.HeadPhase).Findings[0].Exception, "the copy shares the caller's slice")
	assert.Empty(t, next.WithExceptions(nil).Evaluate(t.Context(), r, policy.HeadPhase).Findings[0].Exception, "these, and no others, apply")
	assert.True(t, slices.Equal(p.Operations, next.Operations))
}
