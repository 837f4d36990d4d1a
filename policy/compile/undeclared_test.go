package compile_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
)

// sitesWith is a request of listSites, which declares no parameter.
func sitesWith(query string) *policy.Request {
	return &policy.Request{Method: "GET", Path: "/sites", RawQuery: query, Query: policy.ParseQuery(query)}
}

func TestAnUndeclaredParameterIsDeniedOrReported(t *testing.T) {
	t.Parallel()
	undeclared := policy.Denied(policy.ParameterUndeclared, "query")
	escape := policy.Denied(policy.ParameterEscape, "query")
	const enforced = "controls: {in.schema: enforce, in.size: enforce, in.ctype: enforce, in.wellformed: enforce, in.route: enforce, in.method: enforce}\n"
	for _, c := range []struct {
		name, text, query string
		want              policy.Verdict
		stops             bool
	}{
		{"denied if nothing is said", enforced, "x=1", undeclared, true},
		{"denied if it is said", enforced + "schema: {undeclared_parameters: deny}\n", "x=1", undeclared, true},
		{"reported", enforced + "schema: {undeclared_parameters: report}\n", "x=1", undeclared, false},
		{"an escape, too", enforced, "account=%zz", escape, true},
		{"reported as well", enforced + "schema: {undeclared_parameters: report}\n", "account=%zz", escape, false},
		{"accounts are known", accounts + enforced, "account=acct-1", policy.Permitted(), false},
		{"without a rule they are not", enforced, "account=acct-1", undeclared, true},
		{"a token in the query is for tok.present", enforced, "access_token=x", policy.Permitted(), false},
	} {
		p := must(t, head+c.text).Policy
		r := sitesWith(c.query)
		got, stops := judge(t, p, r, "", policy.InSchema)
		assert.Equal(t, c.want, got, c.name)
		assert.Equal(t, c.stops, stops == policy.InSchema, c.name)
	}
}

// A report must not open what an operation of many actions keeps closed.
func TestAReportDoesNotHideTheActionInTheBody(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]policy.Verdict{
		"schema: {undeclared_parameters: report}\n": policy.Undecided(policy.ActionInBody, nil),
		"schema: {undeclared_parameters: deny}\n":   policy.Denied(policy.ParameterUndeclared, "query"),
	} {
		r := &policy.Request{
			Method: "POST", Path: "/graphql", RawQuery: "x=1", Query: policy.ParseQuery("x=1"),
			Header: map[string][]string{"Content-Type": {"application/json"}},
		}
		got, _ := judge(t, mustOf(t, graphQL, head+accounts+text).Policy, r, `{"query":"{x}"}`, policy.InSchema)
		assert.Equal(t, want, got, text)
	}
}

func TestHeadIsWhatTheContractSaysOrGet(t *testing.T) {
	t.Parallel()
	spec := contract + "  /h: {get: {operationId: getH, responses: {\"200\": {description: ok}}}, head: {operationId: headH, responses: {\"200\": {description: ok}}}}\n"
	for text, want := range map[string]map[string]string{
		"": {"/sites": "", "/h": "headH"},
		"spec: {file: openapi.yaml, head: declared}\n": {"/sites": "", "/h": "headH"},
		"spec: {file: openapi.yaml, head: get}\n":      {"/sites": "listSites", "/h": "headH", "/accounts/a/ports": "listPorts"},
	} {
		of := head
		if text != "" {
			of = twoHead + text
		}
		p := mustOf(t, spec, of).Policy
		for path, id := range want {
			m := p.Matcher.Match(&policy.Request{Method: "HEAD", Path: path})
			if id == "" {
				assert.Nil(t, m.Operation, path)
				assert.Equal(t, []string{"GET"}, m.Allow)
				continue
			}
			require.NotNil(t, m.Operation, path)
			assert.Equal(t, id, m.Operation.ID)
		}
	}
}
