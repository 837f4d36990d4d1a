package policy_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/sidewarden/sidewarden/policy"
)

// phased is a rule of any phase with a verdict.
func phased(c policy.Control, ph policy.Phase, v policy.Verdict) *policy.Rule {
	return &policy.Rule{Control: c, Phase: ph, Mode: policy.Enforce, Check: always(v)}
}

// copied is a decision that shares nothing with d.
func copied(d policy.Decision) policy.Decision {
	return policy.Decision{Findings: slices.Clone(d.Findings)}
}

func TestExtendSaysWhatEvaluateAndWithSay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		verdicts := rapid.SliceOfN(anyVerdict(), 0, 20).Draw(t, "verdicts")
		rules := make([]*policy.Rule, len(verdicts))
		for i, v := range verdicts {
			c := rapid.SampledFrom(policy.Catalogue()).Draw(t, "control").ID
			rules[i] = phased(c, rapid.SampledFrom(phases()).Draw(t, "phase"), v)
		}
		p, r := plan(rules...)
		p = p.WithExceptions([]policy.Exception{{ID: "EX-1", Control: policy.AzScope, Until: noon.Add(time.Hour)}})
		var apart, together policy.Decision
		for _, ph := range phases() {
			before, seen := copied(together), together
			apart = apart.With(p.Evaluate(t.Context(), r, ph))
			together = p.Extend(t.Context(), r, together, ph)
			assert.Equal(t, before.Findings, seen.Findings, "the earlier decision changed")
		}
		assert.Equal(t, apart.Findings, together.Findings)
		assert.Len(t, together.Findings, len(rules))
	})
}

func TestADecisionNeverChangesWhenALaterPhaseIsAdded(t *testing.T) {
	turn := 0
	verdicts := []policy.Verdict{no, ok, maybe, na}
	counting := &policy.Rule{Control: policy.InSize, Phase: policy.BodyPhase, Check: checkFunc(func(context.Context, *policy.Request) policy.Verdict {
		turn++
		return verdicts[turn-1]
	})}
	p, r := plan(rule(policy.TokSig, policy.Shadow, ok), rule(policy.RateApp, policy.Shadow, ok), counting)
	head := p.Evaluate(t.Context(), r, policy.HeadPhase)
	limit := p.Extend(t.Context(), r, head, policy.LimitPhase)
	var all, snapshots []policy.Decision
	for range verdicts {
		d := p.Extend(t.Context(), r, limit, policy.BodyPhase)
		all, snapshots = append(all, d), append(snapshots, copied(d))
	}
	for i, d := range all {
		require.Len(t, d.Findings, 3)
		assert.Equal(t, snapshots[i].Findings, d.Findings, "decision %d changed", i)
		assert.Equal(t, verdicts[i], d.Findings[2].Verdict)
	}
	assert.Len(t, head.Findings, 1)
	assert.Len(t, limit.Findings, 2)

	mine := append(limit.Findings, finding(policy.InSchema, policy.Shadow, no)) //nolint:gocritic // that it is a copy is the point
	assert.Equal(t, policy.InSchema, mine[2].Rule.Control)
	assert.Equal(t, policy.InSize, all[0].Findings[2].Rule.Control, "a reader's append reached the room of the list")
}

func TestOnlyAListOfExtendIsExtendedInPlace(t *testing.T) {
	p, r := plan(rule(policy.TokSig, policy.Shadow, ok), rule(policy.RateApp, policy.Shadow, ok), rule(policy.InSize, policy.Shadow, ok))
	foreign := make([]policy.Finding, 1, 8)
	foreign[0] = finding(policy.TokSig, policy.Shadow, ok)
	d := p.Extend(t.Context(), r, policy.Decision{Findings: foreign}, policy.LimitPhase)
	assert.Len(t, d.Findings, 2)
	assert.Nil(t, foreign[:2][1].Rule, "the room of a caller's own slice is not ours")

	changed := p.Evaluate(t.Context(), r, policy.HeadPhase)
	changed.Findings = []policy.Finding{denies(policy.TokSig)}
	d = p.Extend(t.Context(), r, changed, policy.LimitPhase)
	assert.Equal(t, []policy.Effect{policy.Deny, policy.Permit}, []policy.Effect{d.Findings[0].Verdict.Effect, d.Findings[1].Verdict.Effect})
}

func TestEveryPanicIsOneFindingAndNothingIsLeftOut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		panics := rapid.SliceOfN(rapid.Bool(), 1, 20).Draw(t, "panics")
		calls := make([]int, len(panics))
		rules := make([]*policy.Rule, len(panics))
		for i, broken := range panics {
			rules[i] = &policy.Rule{
				Control: policy.Catalogue()[i].ID, Phase: rapid.SampledFrom(phases()).Draw(t, "phase"), Mode: policy.Enforce,
				Check: checkFunc(func(context.Context, *policy.Request) policy.Verdict {
					calls[i]++
					if broken {
						panic("broken")
					}
					return ok
				}),
			}
		}
		p, r := plan(rules...)
		p = p.WithExceptions([]policy.Exception{{ID: "EX-1", Control: rules[0].Control, Until: noon.Add(time.Hour)}})
		var d policy.Decision
		for _, ph := range phases() {
			d = p.Extend(t.Context(), r, d, ph)
		}
		require.Len(t, d.Findings, len(rules))
		for i, rule := range rules {
			assert.Equal(t, 1, calls[i], "every check is called once")
			f, found := d.Find(rule.Control)
			require.True(t, found)
			if !panics[i] {
				assert.Equal(t, ok, f.Verdict)
				continue
			}
			assert.Equal(t, policy.Indeterminate, f.Verdict.Effect)
			assert.Equal(t, policy.InternalError, f.Verdict.Reason)
			assert.Equal(t, i == 0, f.Exception == "EX-1", "an exception covers a panic as it covers any undecided verdict")
		}
	})
}

func TestThePhasesOfARequestAllocateOneList(t *testing.T) {
	for name, v := range map[string]policy.Verdict{"permit": ok, "deny": no} {
		p, r := full(v)
		ctx := t.Context()
		assert.InDelta(t, 1, testing.AllocsPerRun(100, func() {
			var d policy.Decision
			for _, ph := range []policy.Phase{policy.HeadPhase, policy.LimitPhase, policy.BodyPhase, policy.ResponsePhase} {
				d = p.Extend(ctx, r, d, ph)
			}
			d.Blocking()
			d.Disposition()
			d.Clean()
		}), 0, name)
	}
}

func TestASparedRequestIsNotChecked(t *testing.T) {
	asked := rule(policy.TokSig, policy.Enforce, no)
	asked.Spared = func(r *policy.Request) bool { return r.Method == "OPTIONS" }
	p, r := plan(asked)
	assert.Equal(t, no, p.Evaluate(t.Context(), r, policy.HeadPhase).Findings[0].Verdict)
	r.Method = "OPTIONS"
	assert.Equal(t, policy.Inapplicable(), p.Evaluate(t.Context(), r, policy.HeadPhase).Findings[0].Verdict)

	asked.Spared = func(*policy.Request) bool { panic("broken") }
	assert.Equal(t, policy.InternalError, p.Evaluate(t.Context(), r, policy.HeadPhase).Findings[0].Verdict.Reason, "nobody is spared by a fault")
}

func TestAPhaseMayBeAddedTwice(t *testing.T) {
	p, r := plan(rule(policy.TokSig, policy.Shadow, ok), rule(policy.TokAud, policy.Shadow, no))
	once := p.Evaluate(t.Context(), r, policy.HeadPhase)
	twice := p.Extend(t.Context(), r, once, policy.HeadPhase)
	assert.Len(t, once.Findings, 2)
	assert.Equal(t, append(slices.Clone(once.Findings), once.Findings...), twice.Findings)
}
