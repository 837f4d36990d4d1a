package compile_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/compile"
)

// formContract is the contract with an operation that takes forms.
func formContract() string {
	return strings.Replace(contract, "content: {application/json: {schema: {type: object, ", "content: {application/x-www-form-urlencoded: {}, application/json: {schema: {type: object, ", 1)
}

func rulesOf(op *policy.Operation, c policy.Control) []*policy.Rule {
	var all []*policy.Rule
	for _, r := range op.Rules {
		if r.Control == c {
			all = append(all, r)
		}
	}
	return all
}

func TestATokenInAFormIsJudgedWhereFormsAreDeclared(t *testing.T) {
	t.Parallel()
	p := mustOf(t, formContract(), head+"mode: shadow\n").Policy
	op := operation(t, p, "createPort")
	rules := rulesOf(op, policy.TokPresent)
	require.Len(t, rules, 2)
	assert.Equal(t, policy.HeadPhase, rules[0].Phase)
	assert.Equal(t, policy.BodyPhase, rules[1].Phase)
	assert.Len(t, rulesOf(operation(t, p, "listPorts"), policy.TokPresent), 1)
	assert.Len(t, rulesOf(operation(t, must(t, head+"mode: shadow\n").Policy, "createPort"), policy.TokPresent), 1)

	for body, want := range map[string]policy.Effect{"name=x": policy.NotApplicable, "name=x&access_token=y": policy.Deny, "name": policy.Indeterminate} {
		r := &policy.Request{
			Method: http.MethodPost, Path: "/accounts/acct-1/ports",
			Header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Authorization": {"Bearer x"}},
			Auth:   policy.Authentication{Proof: policy.Permitted()},
		}
		r.Match = p.Matcher.Match(r)
		r.Body = op.In.Inspect(r, []byte(body), int64(len(body)), true)
		assert.Equal(t, want, rules[1].Check.Check(t.Context(), r).Effect, body)
	}
}

func TestATokenInAFormNeedsNoOtherControlToBeRead(t *testing.T) {
	t.Parallel()
	p := mustOf(t, formContract(), head+"mode: shadow\ncontrols: {in: off, az: off}\n").Policy
	assert.NotNil(t, operation(t, p, "createPort").In)
	assert.Nil(t, operation(t, p, "listPorts").In)
	p = mustOf(t, formContract(), head+"mode: shadow\ncontrols: {tok: off, in: off, az: off}\n").Policy
	assert.Nil(t, operation(t, p, "createPort").In)
}

func TestATokenInAFormIsEnforcedWhereItsFormIs(t *testing.T) {
	t.Parallel()
	_, err := compile.Compile(compile.Input{Config: readIn(t, t.TempDir(), formContract(), head+"controls: {tok: enforce}\n"), Now: now})
	require.Error(t, err)
	assert.Contains(t, err.Error(), "tok.present enforces, but it needs in.ctype, in.size, in.wellformed to enforce too")
	text := head + "controls: {tok: enforce, in.route: enforce, in.method: enforce, in.ctype: enforce, in.size: enforce, in.wellformed: enforce}\n"
	assert.True(t, operation(t, mustOf(t, formContract(), text).Policy, "createPort").HoldIn)
}

// An operation with an optional credential spares a request without one, and a token in a
// form is one.
func TestATokenInAFormIsFoundWhereACredentialIsOptional(t *testing.T) {
	t.Parallel()
	spec := strings.Replace(formContract(), "[{oauth: [ports:write]}, {oauth: [admin]}]", "[{oauth: [ports:write]}, {}]", 1)
	rules := rulesOf(operation(t, mustOf(t, spec, head+"mode: shadow\n").Policy, "createPort"), policy.TokPresent)
	require.Len(t, rules, 2)
	r := &policy.Request{
		Auth: policy.Authentication{Proof: policy.Verdict{Effect: policy.Indeterminate, Reason: policy.CredentialMissing, Cause: policy.TokPresent}},
		Body: policy.Body{Size: 1, FormToken: policy.Denied(policy.CredentialDuplicate, "")},
	}
	assert.True(t, rules[0].Spared(r))
	assert.False(t, rules[1].Spared(r))
	assert.Equal(t, policy.Denied(policy.CredentialMissing, ""), rules[1].Check.Check(t.Context(), r))
}
