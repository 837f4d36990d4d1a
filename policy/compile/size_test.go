package compile_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
)

// One control judges head and body, of every operation and of none, and gives one verdict.
func TestTheSizeOfHeadAndBodyIsOneVerdict(t *testing.T) {
	t.Parallel()
	p := must(t, head+"mode: shadow\nmessage: {max_header_bytes: 200, max_header_fields: 5}\npayload: {max_request_bytes: 4}\n").Policy
	large, many := http.Header{"X-A": {strings.Repeat("x", 200)}}, http.Header{"X-A": make([]string, 6)}
	for _, op := range []*policy.Operation{operation(t, p, "createPort"), operation(t, p, "listSites"), p.Unmatched} {
		rules := rulesOf(op, policy.InSize)
		require.Len(t, rules, 1, op.ID)
		for _, c := range []struct {
			name   string
			header http.Header
			size   int64
			want   policy.Verdict
		}{
			{"nothing is over", nil, 4, policy.Permitted()},
			{"there is no body", nil, 0, policy.Inapplicable()},
			{"a body", nil, 5, policy.Denied(policy.BodyTooLarge, "limit 4")},
			{"a head without a body", large, 0, policy.Denied(policy.HeaderTooLarge, "limit 200")},
			{"a head and a body", large, 5, policy.Denied(policy.HeaderTooLarge, "limit 200")},
			{"fields", many, 4, policy.Denied(policy.HeaderTooManyFields, "limit 5")},
		} {
			r := &policy.Request{Method: "POST", Target: "/", Header: c.header, Body: policy.Body{Size: c.size, Whole: true}}
			assert.Equal(t, c.want, rules[0].Check.Check(t.Context(), r), "%s: %s", op.ID, c.name)
		}
	}
}
