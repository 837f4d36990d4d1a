package compile_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/sidewarden/sidewarden/policy"
)

func TestPreflightNeedsNoCredential(t *testing.T) {
	t.Parallel()
	p := must(t, head+accounts).Policy
	origin, method := "https://app.example", "POST"
	for _, c := range []struct {
		name, method string
		header       http.Header
		asks         bool
	}{
		{"a preflight", "OPTIONS", http.Header{"Origin": {origin}, "Access-Control-Request-Method": {method}}, false},
		{"no origin", "OPTIONS", http.Header{"Access-Control-Request-Method": {method}}, true},
		{"no requested method", "OPTIONS", http.Header{"Origin": {origin}}, true},
		{"another method", "GET", http.Header{"Origin": {origin}, "Access-Control-Request-Method": {method}}, true},
	} {
		r := &policy.Request{Method: c.method, Path: "/sites", Header: c.header}
		r.Match = p.Matcher.Match(r)
		r.Auth = p.Authenticator.Authenticate(t.Context(), r)
		for _, f := range p.Evaluate(t.Context(), r, policy.HeadPhase).Findings {
			if id := string(f.Rule.Control); strings.HasPrefix(id, "tok.") || strings.HasPrefix(id, "az.") {
				assert.Equal(t, c.asks, f.Verdict.Effect != policy.NotApplicable, "%s: %s", c.name, id)
			}
		}
	}
}
