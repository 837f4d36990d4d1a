package compile_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
)

// Answers are held where a rule about them enforces, read where out.schema is not
// off, and bounded where either judges.
func TestAnswersAreHeldWhereARuleEnforces(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, text, operation string
		hold, read            bool
		limit                 int64
	}{
		{"shadow", "", "listPorts", false, true, 8 << 20},
		{"off", "controls: {out: off}", "listPorts", false, false, 0},
		{"enforce", "controls: {out: enforce}", "listPorts", true, true, 8 << 20},
		{"the size alone", "controls: {out.size: enforce, out.schema: off}", "listPorts", true, false, 8 << 20},
		{"one operation", "operations: {listPorts: {controls: {out.schema: enforce}}}", "listPorts", true, true, 8 << 20},
		{"not another one", "operations: {listPorts: {controls: {out.schema: enforce}}}", "listSites", false, true, 8 << 20},
		{"off but for one operation", "controls: {out: off}\noperations: {listPorts: {controls: {out.schema: shadow}}}", "listPorts", false, true, 8 << 20},
		{"another bound", "payload: {max_response_bytes: 1KiB}", "listPorts", false, true, 1 << 10},
		{"unmatched", "controls: {out: enforce}", "unmatched", true, false, 8 << 20},
	} {
		op := operation(t, must(t, head+c.text+"\n").Policy, c.operation)
		assert.Equal(t, c.hold, op.HoldOut, c.name)
		assert.Equal(t, c.read, op.Out != nil, c.name)
		assert.Equal(t, c.limit, op.MaxOut, c.name)
	}
}

func TestAnswersAreJudgedByTheContract(t *testing.T) {
	t.Parallel()
	op := operation(t, must(t, head).Policy, "listPorts")
	r := &policy.Request{
		Method: "GET", Match: policy.Match{Operation: op},
		Response: &policy.Response{Status: 200, Header: map[string][]string{"Content-Type": {"application/json"}}},
	}
	for body, want := range map[string]policy.Reason{"[{}]": "", "[1]": policy.SchemaMismatch, "{": policy.JSONSyntax} {
		r.Response.Body = op.Out.Inspect(r, []byte(body), -1, true)
		assert.Equal(t, want, find(op, policy.OutSchema).Check.Check(t.Context(), r).Reason, body)
		assert.Equal(t, policy.Permit, find(op, policy.OutSize).Check.Check(t.Context(), r).Effect, body)
	}
	unmatched := must(t, head+"controls: {out: enforce}\n").Policy.Unmatched
	v := find(unmatched, policy.OutSchema).Check.Check(t.Context(), &policy.Request{Response: &policy.Response{Status: 200}})
	require.Equal(t, policy.InRoute, v.Cause, "nothing is declared for a request that matches no operation")
}
