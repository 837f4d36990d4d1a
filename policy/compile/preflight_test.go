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
	with := func(name, value string) http.Header {
		return http.Header{"Origin": {origin}, "Access-Control-Request-Method": {method}, name: {value}}
	}
	for _, c := range []struct {
		name, method string
		header       http.Header
		asks         bool
	}{
		{"an upgrade to what nobody looks into", "OPTIONS", with("Upgrade", "h2c"), true},
		{"another method in a header", "OPTIONS", with("X-Http-Method-Override", "DELETE"), true},
		{"another method in a header as CGI spells it", "OPTIONS", with("X_http_method_override", "DELETE"), true},
		{"another path in a header", "OPTIONS", with("X-Original-Url", "/accounts/acct-1/ports"), true},
		{"a preflight", "OPTIONS", http.Header{"Origin": {origin}, "Access-Control-Request-Method": {method}}, false},
		{"no origin", "OPTIONS", http.Header{"Access-Control-Request-Method": {method}}, true},
		{"no requested method", "OPTIONS", http.Header{"Origin": {origin}}, true},
		{"another method", "GET", http.Header{"Origin": {origin}, "Access-Control-Request-Method": {method}}, true},
	} {
		r := &policy.Request{Method: c.method, Path: "/sites", Header: c.header}
		r.Match = p.Matcher.Match(r)
		r.Auth = p.Authenticator.Authenticate(t.Context(), r)
		r.Frame = unambiguous()
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
	upgrading := preflight("GET")
	upgrading["Upgrade"] = []string{"h2c"}
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
		{"with an upgrade", "/sites", upgrading, 0, policy.InMethod},
		{"without what makes it one", "/sites", nil, 0, policy.InMethod},
	} {
		r := &policy.Request{Method: "OPTIONS", Target: c.path, Path: c.path, Header: c.header, Body: policy.Body{Size: c.size}}
		r.Match = p.Matcher.Match(r)
		r.Auth = p.Authenticator.Authenticate(t.Context(), r)
		r.Frame = unambiguous()
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

// An operation that the contract declares for OPTIONS takes a body like any other. With
// one, a request is no preflight, and its caller is asked for.
func TestThreatAPreflightWithABody(t *testing.T) {
	t.Parallel()
	spec := strings.Replace(contract, "  /sites:\n", "  /sites:\n    options: {operationId: siteOptions, responses: {\"200\": {description: ok}}}\n", 1)
	p := mustOf(t, spec, head+"mode: enforce\n").Policy
	header := http.Header{"Origin": {"https://app.example"}, "Access-Control-Request-Method": {"GET"}}
	for size, asks := range map[int64]bool{0: false, 5: true, -1: true} {
		r := &policy.Request{Method: "OPTIONS", Target: "/sites", Path: "/sites", Header: header, Body: policy.Body{Size: size}}
		r.Match = p.Matcher.Match(r)
		r.Auth = p.Authenticator.Authenticate(t.Context(), r)
		r.Frame = unambiguous()
		d := p.Evaluate(t.Context(), r, policy.HeadPhase)
		f, found := d.Find(policy.TokPresent)
		if assert.True(t, found) {
			assert.Equal(t, asks, f.Verdict.Effect == policy.Deny, "%d bytes: %v", size, f.Verdict.Effect)
		}
	}
}
