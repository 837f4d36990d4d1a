package message_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/message"
	"github.com/sidewarden/sidewarden/policy/policytest"
)

func framed(head, body policy.Verdict) *policy.Request {
	return &policy.Request{Method: "POST", Path: "/", Frame: policy.Frame{Head: head, Body: body}}
}

func TestFrame(t *testing.T) {
	t.Parallel()
	bad := policy.Denied(policy.FrameLength, "repeated")
	broken := policy.Denied(policy.FrameChunk, "")
	blind := policy.Undecided(policy.FrameBlind, nil)
	requests := []*policy.Request{
		framed(policy.Permitted(), policy.Inapplicable()), framed(bad, policy.Inapplicable()),
		framed(policy.Permitted(), broken), framed(blind, policy.Inapplicable()),
		{},
	}
	policytest.Run(t, message.Frame{}, requests...)
	policytest.Run(t, message.FrameOfBody{}, requests...)
	for _, c := range []struct {
		name    string
		request *policy.Request
		head    policy.Verdict
		body    policy.Verdict
	}{
		{"unambiguous", requests[0], policy.Permitted(), policy.Inapplicable()},
		{"a head at fault", requests[1], bad, policy.Inapplicable()},
		{"a body at fault", requests[2], policy.Permitted(), broken},
		{"a connection that nobody could follow", requests[3], blind, policy.Inapplicable()},
		{"nobody looked", requests[4], blind, policy.Inapplicable()},
	} {
		assert.Equal(t, c.head, message.Frame{}.Check(t.Context(), c.request), c.name)
		assert.Equal(t, c.body, message.FrameOfBody{}.Check(t.Context(), c.request), c.name)
	}
}
