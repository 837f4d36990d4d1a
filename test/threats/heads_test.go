package threats_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
)

// lenient declares one operation that takes any parameter.
const lenient = `openapi: 3.0.3
info: {title: t, version: "1"}
paths:
  /things:
    get:
      parameters: [{name: all, in: query, style: form, explode: true, schema: {type: object, additionalProperties: {type: string}}}]
      responses: {"200": {description: ok}}
`

// A head of 16 KiB, of 100 fields, or with more parameters than backends read to the end, is
// found in both modes and reaches the backend in shadow alone (CVE-2025-61726,
// CVE-2026-39825: what a proxy forwards beyond what it parses nobody has judged).
func TestThreatOversizedHead(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, settings, target string
		header                 []string
		control                policy.Control
		reason                 policy.Reason
		statuses               []int
	}{
		{"bytes", "", "/things", []string{"X-A: " + strings.Repeat("x", 16<<10)}, policy.InSize, policy.HeaderTooLarge, []int{431}},
		{"bytes in many fields", "", "/things", strings.Split(strings.Repeat("X-A: "+strings.Repeat("x", 200)+"\n", 90), "\n")[:90], policy.InSize, policy.HeaderTooLarge, []int{431}},
		{"fields", "", "/things", strings.Split(strings.Repeat("X-A: 1\n", 100), "\n")[:100], policy.InSize, policy.HeaderTooManyFields, []int{431}},
		{
			"parameters", "message: {max_header_bytes: 128KiB}\n", "/things?" + strings.Repeat("a=1&", 10_000) + "hidden=y", nil,
			policy.InSchema, policy.ParameterTooMany,
			[]int{400, 414}, // 414 where the target is judged before
		},
	} {
		for _, mode := range modes() {
			w := newWorld(t, plan{contract: lenient, settings: c.settings, mode: mode})
			answer := w.client(t).send(t, message{name: c.name, method: http.MethodGet, target: c.target, header: c.header}, whole)
			got, seen := w.take(t, 1)
			if mode == policy.Enforce {
				assert.Contains(t, c.statuses, answer.status, c.name)
				assert.Empty(t, got, "%s: what the backend got", c.name)
				assert.Equal(t, policy.Blocked, seen[0].outcome.Disposition, c.name)
				continue
			}
			assert.Equal(t, http.StatusOK, answer.status, c.name)
			require.Len(t, got, 1, c.name)
			assert.Equal(t, c.target, got[0].target, c.name)
			assert.Empty(t, got[0].body, c.name)
			f, _ := seen[0].decision.Find(c.control)
			assert.Equal(t, policy.Deny, f.Verdict.Effect, c.name)
			assert.Equal(t, c.reason, f.Verdict.Reason, c.name)
		}
	}
}
