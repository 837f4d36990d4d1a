package message_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/message"
	"github.com/sidewarden/sidewarden/policy/policytest"
)

// headed is a request whose head is "GET / HTTP/1.1" (16 bytes with what ends the line)
// and "Host: h" (9), and whose other fields are given.
func headed(fields http.Header) *policy.Request {
	return &policy.Request{Method: "GET", Target: "/", Proto: "HTTP/1.1", Host: "h", Header: fields}
}

func TestHeadSizeKeepsTheRulesOfChecks(t *testing.T) {
	t.Parallel()
	policytest.Run(t, message.HeadSize{MaxBytes: 100, MaxFields: 2},
		headed(nil), headed(http.Header{"X-A": {strings.Repeat("x", 100)}}), headed(http.Header{"X-A": {"", "", ""}}))
}

func TestHeadSize(t *testing.T) {
	t.Parallel()
	check := message.HeadSize{MaxBytes: 25 + 20, MaxFields: 3}
	large, many := policy.Denied(policy.HeaderTooLarge, "limit 45"), policy.Denied(policy.HeaderTooManyFields, "limit 3")
	for name, c := range map[string]struct {
		request *policy.Request
		want    policy.Verdict
	}{
		"as large as it may be":           {headed(http.Header{"X-A": {strings.Repeat("x", 13)}}), policy.Permitted()},
		"a byte more":                     {headed(http.Header{"X-A": {strings.Repeat("x", 14)}}), large},
		"a byte more in the name":         {headed(http.Header{"X-Ab": {strings.Repeat("x", 13)}}), large},
		"a byte more in the target":       {&policy.Request{Method: "GET", Target: "/" + strings.Repeat("x", 30), Proto: "HTTP/1.1"}, large},
		"as many as there may be":         {headed(http.Header{"A": {""}, "B": {""}}), policy.Permitted()},
		"one more":                        {headed(http.Header{"A": {""}, "B": {""}, "C": {""}}), many},
		"one more of a name":              {headed(http.Header{"A": {"", "", ""}}), many},
		"too large comes before too many": {headed(http.Header{"A": {"", "", "", strings.Repeat("x", 40)}}), large},
		"no Host, which is one of them":   {&policy.Request{Method: "GET", Target: "/", Proto: "HTTP/1.0", Header: http.Header{"A": {"", "", ""}}}, policy.Permitted()},
	} {
		assert.Equal(t, c.want, check.Check(t.Context(), c.request), name)
	}
	assert.Equal(t, policy.Deny, message.HeadSize{}.Check(t.Context(), headed(nil)).Effect)
}

// What is counted is what HTTP/1 would send, byte for byte.
func TestHeadOfIsTheSizeOnTheWire(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SliceOfDistinct(rapid.StringMatching(`[A-Z][a-z]{0,8}`), rapid.ID[string]).Draw(t, "names")
		names = slices.DeleteFunc(names, func(n string) bool { return n == "Host" })
		r, lines := headed(http.Header{}), 1
		wire := "GET / HTTP/1.1\r\nHost: h\r\n"
		for _, name := range names {
			for _, value := range rapid.SliceOfN(rapid.StringMatching(`[ -~]{0,20}`), 1, 3).Draw(t, "values") {
				r.Header[name] = append(r.Header[name], value)
				wire += name + ": " + value + "\r\n"
				lines++
			}
		}
		size, fields := message.HeadOf(r)
		assert.Equal(t, len(wire), size)
		assert.Equal(t, lines, fields)
	})
}
