package compile_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
)

// Framing is judged whatever is asked for, head and body, and for no body does it ask
// the proxy to hold it.
func TestFramingIsJudgedForEveryRequest(t *testing.T) {
	t.Parallel()
	p := must(t, head+"mode: shadow\ncontrols: {in.frame: enforce}\n").Policy
	for _, op := range append(p.Operations, p.Unmatched) {
		rules := rulesOf(op, policy.InFrame)
		require.Len(t, rules, 2, op.ID)
		assert.Equal(t, policy.HeadPhase, rules[0].Phase, op.ID)
		assert.Equal(t, policy.BodyPhase, rules[1].Phase, op.ID)
		assert.Equal(t, op.Rules[0], rules[0], "%s: what is ambiguous is judged first", op.ID)
		assert.False(t, op.HoldIn, op.ID)
		for i, rule := range rules {
			assert.Equal(t, policy.Enforce, rule.Mode, op.ID)
			r := &policy.Request{Frame: policy.Frame{Head: policy.Denied(policy.FrameLength, ""), Body: policy.Denied(policy.FrameChunk, "")}}
			want := []policy.Reason{policy.FrameLength, policy.FrameChunk}[i]
			assert.Equal(t, want, rule.Check.Check(t.Context(), r).Reason, op.ID)
		}
	}
	assert.Empty(t, rulesOf(must(t, head+"mode: shadow\ncontrols: {in.frame: off}\n").Policy.Unmatched, policy.InFrame))
}

// It enforces by itself: no path walks around what judges every message.
func TestFramingNeedsNoRoute(t *testing.T) {
	t.Parallel()
	_, err := build(t, head+"mode: shadow\ncontrols: {in.frame: enforce}\n")
	require.NoError(t, err)
	_, err = build(t, head+"mode: shadow\ncontrols: {in.ctype: enforce}\n")
	require.ErrorContains(t, err, "in.route", "what judges an operation does")
}
