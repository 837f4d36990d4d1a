package compile_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
)

// volunteers has one operation whose credential is optional, and one that is public.
var volunteers = strings.NewReplacer(
	"{operationId: listSites,", "{operationId: listSites, security: [{oauth: [ports:read]}, {}],",
	"{security: [],", "{operationId: status, security: [],",
).Replace(contract)

func TestPublicIsWhatTheConfigurationSaysElseTheContract(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, operation, setting string
		rules                    bool
	}{
		{"a protected operation", "listPorts", "", true},
		{"a protected operation that is made public", "listPorts", "public: true", false},
		{"a protected operation that is not", "listPorts", "public: false", true},
		{"an optional credential", "listSites", "", true},
		{"an optional credential that is made public", "listSites", "public: true", false},
		{"an optional credential that is made required", "listSites", "public: false", true},
		{"a public operation", "status", "", false},
		{"a public operation that is made public", "status", "public: true", false},
		{"a public operation that is not", "status", "public: false", true},
	} {
		text := head
		if c.setting != "" {
			text += "operations: {" + c.operation + ": {" + c.setting + "}}\n"
		}
		op := operation(t, mustOf(t, volunteers, text).Policy, c.operation)
		assert.Equal(t, c.rules, find(op, policy.TokSig) != nil, c.name)
	}
}

func TestAnOptionalCredentialIsJudgedWhenItIsThere(t *testing.T) {
	t.Parallel()
	const bad = "Bearer eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCIsImtpZCI6ImsifQ.eyJpc3MiOiJodHRwczovL2kuZXhhbXBsZSJ9.AAAA"
	for _, c := range []struct {
		name, header, query, setting string
		applies, blocks              bool
	}{
		{"no credential", "", "", "", false, false},
		{"a bad token", bad, "", "", true, true},
		{"another scheme", "Basic eDp5", "", "", true, true},
		{"a token in the query, where a backend may look", "", "access_token=x", "", true, true},
		{"no credential where it is made required", "", "", "operations: {listSites: {public: false}}\n", true, true},
	} {
		p := mustOf(t, volunteers, head+accounts+everything+c.setting).Policy
		target := "/sites"
		if c.query != "" {
			target += "?" + c.query
		}
		r := &policy.Request{Method: "GET", Target: target, Path: "/sites", RawQuery: c.query, Query: policy.ParseQuery(c.query), Header: http.Header{}, Time: now()}
		if c.header != "" {
			r.Header.Set("Authorization", c.header)
		}
		r.Match = p.Matcher.Match(r)
		r.Auth = p.Authenticator.Authenticate(t.Context(), r)
		r.Frame = unambiguous()
		d := p.Evaluate(t.Context(), r, policy.HeadPhase)
		r.Body = p.Plan(r).In.Inspect(r, nil, 0, true)
		d = p.Extend(t.Context(), r, d, policy.BodyPhase)
		judged := 0
		for _, f := range d.Findings {
			if id := string(f.Rule.Control); strings.HasPrefix(id, "tok.") || strings.HasPrefix(id, "az.") {
				judged++
				assert.Equal(t, c.applies, f.Verdict.Effect != policy.NotApplicable, "%s: %s", c.name, id)
			}
		}
		require.Equal(t, 10, judged, c.name)
		_, blocks := d.Blocking()
		assert.Equal(t, c.blocks, blocks, c.name)
	}
}

func TestWhatTheContractMakesPublicIsNamed(t *testing.T) {
	t.Parallel()
	rest := "account: {rules: []}\noperations: {status: {max_request_bytes: 1KiB}}\n"
	warning := warningOf(mustOf(t, volunteers, head+everything+rest), "public")
	assert.Contains(t, warning, "the contract makes status public: tok.* and az.* do not judge it; set public: false to judge it")
	assert.Contains(t, warning, `add to operations: {"status": {public: false}}`)
	for name, text := range map[string]string{
		"nothing enforces":             "",
		"only others enforce":          "controls: {in: enforce}\n",
		"the configuration says so":    everything + "operations: {status: {public: true}}\n",
		"the configuration says other": everything + "operations: {status: {public: false}}\n",
	} {
		assert.Empty(t, warningOf(mustOf(t, volunteers, head+text), "public"), name)
	}
}
