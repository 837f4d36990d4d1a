package message

import (
	"context"

	"github.com/sidewarden/sidewarden/policy"
)

// Frame is the check of in.frame of a head: where the message begins and ends can be
// read in one way only. It is for the Head phase.
type Frame struct{}

// Check implements [policy.Check]. A head that nobody looked at is undecided.
func (Frame) Check(_ context.Context, r *policy.Request) policy.Verdict {
	if v := r.Frame.Head; v.Effect != policy.Indeterminate || v.Reason != "" {
		return v
	}
	return policy.Undecided(policy.FrameBlind, nil)
}

// FrameOfBody is the check of in.frame of a body: its chunks and trailer keep to their
// grammar as far as they came. It is for the Body phase.
type FrameOfBody struct{}

// Check implements [policy.Check]. It does not apply until a body breaks its framing:
// whether somebody looked is for [Frame] to say.
func (FrameOfBody) Check(_ context.Context, r *policy.Request) policy.Verdict {
	if r.Frame.Body.Effect == policy.Deny {
		return r.Frame.Body
	}
	return policy.Inapplicable()
}
