package policy_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/sidewarden/sidewarden/policy"
)

// full is a policy in which every control with a check enforces and has the
// verdict, under an exception for another client.
func full(v policy.Verdict) (*policy.Policy, *policy.Request) {
	var rules []*policy.Rule
	for _, e := range policy.Catalogue() {
		if e.Implemented {
			rules = append(rules, rule(e.ID, policy.Enforce, v))
		}
	}
	p, r := plan(rules...)
	r.Auth.Identity = &policy.Identity{Issuer: "https://idp.example", Client: "shop"}
	return p.WithExceptions([]policy.Exception{
		{ID: "EX-1", Control: policy.AzScope, Client: "crm", Until: noon.Add(1)},
	}), r
}

func BenchmarkEvaluate(b *testing.B) {
	for _, bench := range []struct {
		name    string
		verdict policy.Verdict
		blocks  bool
	}{
		{"permit", ok, false},
		{"deny", no, true},
	} {
		b.Run(bench.name, func(b *testing.B) {
			p, r := full(bench.verdict)
			ctx := b.Context()
			b.ReportAllocs()
			for b.Loop() {
				if _, blocks := p.Evaluate(ctx, r, policy.HeadPhase).Blocking(); blocks != bench.blocks {
					b.Fatal("the wrong decision")
				}
			}
		})
	}
}

func TestEvaluateAllocatesOnlyItsFindings(t *testing.T) {
	for name, v := range map[string]policy.Verdict{"permit": ok, "deny": no} {
		p, r := full(v)
		ctx := t.Context()
		assert.InDelta(t, 1, testing.AllocsPerRun(100, func() { p.Evaluate(ctx, r, policy.HeadPhase) }), 0, name)
		assert.Zero(t, testing.AllocsPerRun(100, func() { p.Evaluate(ctx, r, policy.Phase(99)) }), "a phase without rules")
	}
}

func TestACleanDecisionIsClassifiedWithoutAllocating(t *testing.T) {
	p, r := full(ok)
	d := p.Evaluate(t.Context(), r, policy.HeadPhase)
	o := policy.Outcome{Class: policy.ClassOK}
	assert.Zero(t, testing.AllocsPerRun(100, func() { policy.Classify(d, o) }))
	assert.Zero(t, testing.AllocsPerRun(100, func() { d.Blocking() }))
	assert.Zero(t, testing.AllocsPerRun(100, func() { d.Disposition() }))
}
