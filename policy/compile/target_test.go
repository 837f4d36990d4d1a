package compile_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
)

// served is a head that names the hosts.
var served = strings.Replace(head, `{address: "127.0.0.1:8080"}`, `{address: "127.0.0.1:8080", hosts: [api.example.net]}`, 1)

// pathVerdict is what in.path says of a GET of a target, matched or not.
func pathVerdict(t *testing.T, p *policy.Policy, target, host string) policy.Verdict {
	t.Helper()
	r := &policy.Request{Method: http.MethodGet, Target: target, Path: target, Host: host, Header: http.Header{}, Time: now()}
	r.Match = p.Matcher.Match(r)
	r.Auth = p.Authenticator.Authenticate(t.Context(), r)
	f, found := p.Evaluate(t.Context(), r, policy.HeadPhase).Find(policy.InPath)
	require.True(t, found)
	return f.Verdict
}

func TestTargetsAreJudgedByTheConfiguration(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, config, target, host, want string }{
		{"of an operation", "", "/accounts/a/ports", "h", ""},
		{"of none", "", "/admin", "h", ""},
		{"with a dot segment, of none", "", "/accounts/../ports", "h", "target-dot-segment"},
		{"with an encoded slash", "", "/accounts/a%2Fb/ports", "h", "target-encoded-slash"},
		{"with one that is allowed", "message: {allow_in_path: [encoded-slash]}\n", "/accounts/a%2Fb/ports", "h", ""},
		{"with a parameter", "message: {allow_in_path: [encoded-slash]}\n", "/accounts/a;b/ports", "h", "target-parameter"},
		{"with one that is allowed", "message: {allow_in_path: [parameter]}\n", "/accounts/a;b/ports", "h", ""},
		{"with an empty segment", "", "/accounts//ports", "h", "target-empty-segment"},
		{"with one that is allowed", "message: {allow_in_path: [empty-segment]}\n", "/accounts//ports", "h", ""},
		{"too long", "message: {max_target_bytes: 16B}\n", "/accounts/a/ports", "h", "target-too-long"},
		{"as long as it may be", "message: {max_target_bytes: 17B}\n", "/accounts/a/ports", "h", ""},
		{"for any host", "", "/sites", "elsewhere.example", ""},
		{"for another host", "HOSTS", "/sites", "elsewhere.example", "host-unknown"},
		{"for a host of ours", "HOSTS", "/sites", "API.example.net:8443", ""},
	} {
		text := head + c.config
		if c.config == "HOSTS" {
			text = served
		}
		assert.Equal(t, policy.Reason(c.want), pathVerdict(t, must(t, text).Policy, c.target, c.host).Reason, c.name)
	}
}

// An encoded slash that is allowed is part of a parameter; what an attacker makes of it
// is not, whatever the mode of in.path.
func TestAnAllowedSlashIsPartOfAParameter(t *testing.T) {
	t.Parallel()
	p := must(t, head+"message: {allow_in_path: [encoded-slash]}\ncontrols: {in.path: off}\n").Policy
	match := p.Matcher.Match(&policy.Request{Method: http.MethodGet, Path: "/accounts/a%2fb/ports"})
	require.NotNil(t, match.Operation)
	assert.Equal(t, []policy.Pair{{Name: "accountId", Value: "a/b"}}, match.Params)
	for _, path := range []string{
		"/accounts/a%2F..%2Fb/ports", "/accounts/%2Fa/ports", "/accounts/a%2F/ports", "/accounts/a%2F%2Fb/ports", "/accounts/a%2F%2e/ports",
		"/accounts/..%2fb/ports", "/accounts/a%5Cb/ports", "/accounts/a%2Fports",
	} {
		assert.Nil(t, p.Matcher.Match(&policy.Request{Method: http.MethodGet, Path: path}).Operation, path)
	}
	p = must(t, head).Policy
	assert.Nil(t, p.Matcher.Match(&policy.Request{Method: http.MethodGet, Path: "/accounts/a%2fb/ports"}).Operation, "unless it is allowed")
}

func TestDoubtsAboutTargets(t *testing.T) {
	t.Parallel()
	assert.NotContains(t, must(t, head).Warnings.Error(), "in.path")
	assert.NotContains(t, must(t, served).Warnings.Error(), "in.path")
	assert.Contains(t, must(t, served+"controls: {in.path: off}\n").Warnings.Error(), "listen.hosts: in.path, which judges them, is off")
	odd := "openapi: 3.0.3\ninfo: {title: T, version: '1'}\npaths:\n" +
		"  /a%2Fb: {get: {operationId: slashed, responses: {'200': {description: ok}}}}\n" +
		"  /a;b/{x}: {get: {operationId: parametered, parameters: [{name: x, in: path, required: true, schema: {type: string}}], responses: {'200': {description: ok}}}}\n" +
		"  /a/b c: {get: {operationId: spaced, responses: {'200': {description: ok}}}}\n" +
		"  /a/é/{x}/: {get: {operationId: plain, parameters: [{name: x, in: path, required: true, schema: {type: string}}], responses: {'200': {description: ok}}}}\n"
	const want = "by the contract, every request of slashed, parametered has in its path what in.path denies"
	assert.Contains(t, mustOf(t, odd, head).Warnings.Error(), want)
	allowed := mustOf(t, odd, head+"message: {allow_in_path: [encoded-slash, parameter]}\n").Warnings.Error()
	assert.NotContains(t, allowed, "what in.path denies")
	assert.NotContains(t, mustOf(t, odd, head+"controls: {in.path: off}\n").Warnings.Error(), "what in.path denies")
}
