package compile_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/compile"
)

// What InMode makes of a policy is what the configuration makes in that mode.
func TestInModeIsThePolicyOfThatMode(t *testing.T) {
	compiled := map[policy.Mode]*policy.Policy{
		policy.Shadow:  must(t, head+accounts+"mode: shadow\n").Policy,
		policy.Enforce: must(t, head+accounts+"mode: enforce\n").Policy,
	}
	for from, p := range compiled {
		for mode, want := range compiled {
			got := compile.InMode(p, mode)
			require.Len(t, got.Operations, len(want.Operations))
			for i, op := range append(got.Operations, got.Unmatched) {
				other := append(want.Operations, want.Unmatched)[i]
				assert.Equal(t, bare(other), bare(op))
				require.Len(t, op.Rules, len(other.Rules))
				for j, rule := range op.Rules {
					assert.Equal(t, other.Rules[j].Control, rule.Control)
					assert.Equal(t, mode, rule.Mode, rule.Control)
				}
			}
			r := &policy.Request{Method: "GET", Path: "/accounts/acct-1/ports"}
			assert.Same(t, operation(t, got, "listPorts"), got.Matcher.Match(r).Operation, "the matcher finds the twin")
			assert.Nil(t, got.Matcher.Match(&policy.Request{Method: "GET", Path: "/nowhere"}).Operation)
			assert.Equal(t, from, p.Operations[0].Rules[0].Mode, "the policy itself is as it was")
		}
	}
}

// bare is an operation without its rules and what reads for them.
func bare(op *policy.Operation) policy.Operation {
	all := *op
	all.Rules, all.In, all.Out = nil, nil, nil
	return all
}

// An operation that is served under several paths has one mode under each of them.
func TestInModeReachesEveryPlaceOfAnOperation(t *testing.T) {
	t.Parallel()
	p := mustOf(t, "servers: [{url: /v1}, {url: /v2}]\n"+contract, head+"mode: shadow\n").Policy
	for _, path := range []string{"/v1/sites", "/v2/sites"} {
		found := compile.InMode(p, policy.Enforce).Matcher.Match(&policy.Request{Method: "GET", Path: path}).Operation
		require.NotNil(t, found, path)
		assert.Equal(t, path, found.Template)
		require.NotEmpty(t, found.Rules)
		for _, rule := range found.Rules {
			assert.Equal(t, policy.Enforce, rule.Mode, "%s: %s", path, rule.Control)
		}
	}
}
