package compile_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/sidewarden/sidewarden/policy"
)

// graphQL is a contract with an operation of many actions.
const graphQL = contract + `  /graphql:
    post:
      operationId: query
      requestBody: {content: {application/json: {schema: {type: object, required: [query], properties: {query: {type: string}, accountId: {type: string}}}}}}
      responses: {"200": {description: ok}}
`

func TestAnOperationOfManyActionsIsNotPermitted(t *testing.T) {
	t.Parallel()
	undecided, permitted := policy.Undecided(policy.ActionInBody, nil), policy.Permitted()
	for _, c := range []struct {
		name, text, body string
		control          policy.Control
		want             policy.Verdict
	}{
		{"scopes that are held say nothing of the action", "", `{"query":"mutation{x}"}`, policy.AzScope, undecided},
		{"scopes that are not held are held by no action", "operations: {query: {scopes: [[admin]]}}\n", `{"query":"{x}"}`, policy.AzScope, policy.Denied(policy.ScopeMissing, "")},
		{"a schema says nothing of the action", "", `{"query":"{x}"}`, policy.InSchema, undecided},
		{"what breaks the schema is denied", "", `{}`, policy.InSchema, policy.Denied(policy.SchemaMismatch, "/query required")},
		{"the account is the same for each action", "", `{"query":"{x}","accountId":"acct-1"}`, policy.AzAccount, permitted},
		{"actions: one judges it as a whole", "operations: {query: {actions: one}}\n", `{"query":"{x}"}`, policy.AzScope, permitted},
		{"actions: one judges its body as a whole", "operations: {query: {actions: one}}\n", `{"query":"{x}"}`, policy.InSchema, permitted},
	} {
		r := &policy.Request{Method: "POST", Path: "/graphql", Header: map[string][]string{"Content-Type": {"application/json"}}}
		got, _ := judge(t, mustOf(t, graphQL, head+accounts+c.text).Policy, r, c.body, c.control)
		assert.Equal(t, c.want, got, c.name)
	}
	r := &policy.Request{Method: "POST", Path: "/accounts/acct-1/ports", Header: map[string][]string{"Content-Type": {"application/json"}}}
	got, _ := judge(t, mustOf(t, graphQL, head+accounts+"operations: {createPort: {actions: many}}\n").Policy, r, `{}`, policy.AzScope)
	assert.Equal(t, undecided, got, "actions: many says what the contract does not show")
}

func TestOperationsOfManyActionsAreNamed(t *testing.T) {
	t.Parallel()
	warning := warningOf(mustOf(t, graphQL, head+accounts+"operations: {listSites: {actions: one}}\n"), "many actions")
	assert.Contains(t, warning, "the body says which of many actions is asked for at query (GraphQL): az.* and limits judge the operation as a whole")
	assert.Contains(t, warning, `add to operations: {"query": {actions: one}}`)
	assert.Empty(t, warningOf(mustOf(t, graphQL, head+accounts+"operations: {query: {actions: one}}\n"), "many actions"))
	assert.Empty(t, warningOf(must(t, head+accounts+"operations: {createPort: {actions: many}}\n"), "many actions"), "who says it knows it")
}
