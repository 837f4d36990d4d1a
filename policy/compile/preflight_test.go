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

// A browser asks before it sends the request. What it gets for OPTIONS is for the
// backend to say, where the contract has what it asks about.
func TestAPreflightIsNoMethodOfItsOwn(t *testing.T) {
	t.Parallel()
	p := must(t, head+everything).Policy
	preflight := func(asked string) http.Header {
		return http.Header{"Origin": {"https://app.example"}, "Access-Control-Request-Method": {asked}}
	}
	for _, c := range []struct {
		name, path string
		header     http.Header
		size       int64
		blocks     policy.Control
	}{
		{"of a path and method that the contract has", "/sites", preflight("GET"), 0, ""},
		{"of a path with parameters", "/accounts/acct-1/ports", preflight("POST"), 0, ""},
		{"of a method that the contract does not have there", "/sites", preflight("DELETE"), 0, policy.InMethod},
		{"of a path that the contract does not have", "/admin", preflight("GET"), 0, policy.InRoute},
		{"with a body", "/sites", preflight("GET"), 5, policy.InMethod},
		{"without what makes it one", "/sites", nil, 0, policy.InMethod},
	} {
		r := &policy.Request{Method: "OPTIONS", Path: c.path, Header: c.header, Body: policy.Body{Size: c.size}}
		r.Match = p.Matcher.Match(r)
		r.Auth = p.Authenticator.Authenticate(t.Context(), r)
		d := p.Evaluate(t.Context(), r, policy.HeadPhase).With(p.Evaluate(t.Context(), r, policy.BodyPhase))
		f, blocks := d.Blocking()
		if c.blocks == "" {
			assert.False(t, blocks, "%s: %+v", c.name, f)
			continue
		}
		if assert.True(t, blocks, c.name) {
			assert.Equal(t, c.blocks, f.Rule.Control, c.name)
		}
	}
}
