package policy_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/sidewarden/sidewarden/policy"
)

func TestSwitchedIsAnUpgradeThatTheOperationAllows(t *testing.T) {
	asks := func(status int, allows ...string) *policy.Request {
		r := &policy.Request{Method: "GET", Hop: policy.Hop{Upgrade: []string{"websocket"}}}
		r.Match.Operation = &policy.Operation{Upgrade: allows}
		if status != 0 {
			r.Response = &policy.Response{Status: status}
		}
		return r
	}
	assert.True(t, asks(101, "websocket").Switched())
	assert.False(t, asks(101).Switched(), "nobody allows it")
	assert.False(t, asks(200, "websocket").Switched(), "the backend declined")
	assert.False(t, asks(0, "websocket").Switched(), "not forwarded")
	plain := asks(101, "websocket")
	plain.Hop.Upgrade = nil
	assert.False(t, plain.Switched(), "nobody asked")
}

func TestWhatOverridesAsksMore(t *testing.T) {
	for _, name := range append(policy.Overriding(), "Upgrade", "X_original_url") {
		assert.True(t, (&policy.Request{Header: map[string][]string{name: {"a"}}}).AsksMore(), name)
	}
	assert.False(t, (&policy.Request{Header: map[string][]string{"X-Original": {"a"}}}).AsksMore())
}

// Of fields that were taken away the backend saw nothing, so that its answer says nothing
// about them. What else was found it did see.
func TestAnAnswerSaysNothingAboutFieldsThatWereTakenAway(t *testing.T) {
	positions := func(c policy.Control, stripped int) []policy.Position {
		var all []policy.Position
		for _, o := range policy.Classify(decision(denies(c)), policy.Outcome{Class: policy.ClassOK, BackendStatus: 200, Stripped: stripped}) {
			all = append(all, o.Position)
		}
		return all
	}
	both := []policy.Position{policy.AtGateway, policy.AtBackend}
	assert.Equal(t, both, positions(policy.InHdr, 0))
	assert.Equal(t, []policy.Position{policy.AtGateway}, positions(policy.InHdr, 1), "the gateway let it arrive")
	assert.Equal(t, both, positions(policy.AzScope, 1))
}
