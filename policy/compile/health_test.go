package compile_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
)

// What is a health check nobody judges, so nothing else may look like one.
func TestThreatARequestThatLooksLikeAHealthCheck(t *testing.T) {
	t.Parallel()
	p := must(t, head+"health: [GET /health, GET /a%2Fb]\n").Policy
	header := func(name string) http.Header { return http.Header{name: {"/admin"}} }
	for _, c := range []struct {
		name string
		r    policy.Request
		is   bool
	}{
		{"as it is named", policy.Request{Method: "GET", Path: "/health"}, true},
		{"with headers of a probe", policy.Request{Method: "GET", Path: "/health", Header: http.Header{"User-Agent": {"kube-probe"}, "X-Forwarded-For": {"192.0.2.1"}}}, true},
		{"with an escape that is named", policy.Request{Method: "GET", Path: "/a%2Fb"}, true},
		{"another method", policy.Request{Method: "POST", Path: "/health"}, false},
		{"a method in small letters", policy.Request{Method: "get", Path: "/health"}, false},
		{"HEAD is not GET", policy.Request{Method: "HEAD", Path: "/health"}, false},
		{"a query", policy.Request{Method: "GET", Path: "/health", RawQuery: "next=/admin"}, false},
		{"a trailing slash", policy.Request{Method: "GET", Path: "/health/"}, false},
		{"a path below", policy.Request{Method: "GET", Path: "/health/../admin"}, false},
		{"a path parameter", policy.Request{Method: "GET", Path: "/health;x=1"}, false},
		{"an escape", policy.Request{Method: "GET", Path: "/%68ealth"}, false},
		{"another escape than the named one", policy.Request{Method: "GET", Path: "/a%2fb"}, false},
		{"another case", policy.Request{Method: "GET", Path: "/Health"}, false},
		{"a doubled slash", policy.Request{Method: "GET", Path: "//health"}, false},
		{"a body", policy.Request{Method: "GET", Path: "/health", Body: policy.Body{Size: 1}}, false},
		{"a body of unknown length", policy.Request{Method: "GET", Path: "/health", Body: policy.Body{Size: -1}}, false},
		{"a framing by which another reader finds a body", policy.Request{Method: "GET", Path: "/health", Frame: policy.Frame{Head: policy.Denied(policy.FrameCoding, "")}}, false},
		{"an upgrade", policy.Request{Method: "GET", Path: "/health", Header: header("Upgrade")}, false},
		{"another path in a header", policy.Request{Method: "GET", Path: "/health", Header: header("X-Original-Url")}, false},
		{"another path in another header", policy.Request{Method: "GET", Path: "/health", Header: header("X-Rewrite-Url")}, false},
		{"another method in a header", policy.Request{Method: "GET", Path: "/health", Header: header("X-Http-Method-Override")}, false},
		{"another path in a header as CGI spells it", policy.Request{Method: "GET", Path: "/health", Header: header("X_original_url")}, false},
		{"another method in a header as CGI spells it", policy.Request{Method: "GET", Path: "/health", Header: header("X_http-Method_override")}, false},
		{"a header of another name", policy.Request{Method: "GET", Path: "/health", Header: header("X-Original-Urn")}, true},
	} {
		op := p.Matcher.Match(&c.r).Operation
		assert.Equal(t, c.is, op != nil && op.ID == policy.HealthID && len(op.Rules) == 0, c.name)
	}
	assert.Len(t, p.Health, 2)
}

func TestHealthChecksCostOtherRequestsNoMemory(t *testing.T) {
	p := must(t, head+"health: [GET /health, GET /ready]\n").Policy
	for _, path := range []string{"/sites", "/health"} {
		r := &policy.Request{Method: "GET", Path: path}
		assert.Zero(t, testing.AllocsPerRun(100, func() { p.Matcher.Match(r) }), path)
	}
}

func TestAHealthCheckOpensNoOperation(t *testing.T) {
	t.Parallel()
	_, err := build(t, head+"health: [GET /up, GET /sites]\n")
	require.ErrorContains(t, err, "health[1]: GET /sites is operation listSites (openapi.yaml/paths/~1sites/get of specs[0]), which is not public")
	require.ErrorContains(t, err, `add to operations: {"listSites": {public: true}}`)
	_, err = build(t, head+"health: [GET /accounts/health/ports]\n")
	require.ErrorContains(t, err, "is operation listPorts", "a parameter takes the path of the health check too")
	for name, text := range map[string]string{
		"public by the contract":        "health: [GET /status]\n",
		"public by the configuration":   "health: [GET /sites]\noperations: {listSites: {public: true}}\n",
		"the path with another method":  "health: [HEAD /sites]\n",
		"an operation that has no path": "health: [GET /up]\n",
	} {
		_, err := build(t, head+text)
		require.NoError(t, err, name)
	}
	assert.Empty(t, must(t, head).Policy.Health)
}
