package compile_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/sidewarden/sidewarden/policy"
)

// bodies has operations that declare no JSON body.
var bodies = strings.Replace(contract, "  /sites:", `  /accounts/{accountId}/move:
    parameters: [{name: accountId, in: path, required: true, schema: {type: string}}]
    post: {operationId: move, responses: {"200": {description: ok}}}
  /accounts/{accountId}/form:
    parameters: [{name: accountId, in: path, required: true, schema: {type: string}}]
    post:
      operationId: form
      requestBody: {content: {application/x-www-form-urlencoded: {schema: {type: object}}}}
      responses: {"200": {description: ok}}
  /sites:`, 1)

// everything are the modes in which az.account and what it needs enforce.
const everything = "controls: {tok: enforce, az: enforce, in: enforce}\n"

func TestThreatAccountInABodyThatIsNotDeclaredAsJSON(t *testing.T) {
	t.Parallel()
	p := mustOf(t, bodies, head+accounts+"controls: {tok.present: enforce, tok.sig: enforce, az: enforce, in: enforce}\n").Policy
	const json, form = "application/json", "application/x-www-form-urlencoded"
	byType := policy.UndecidedBy(policy.InCtype)
	for _, c := range []struct {
		name, method, path, sent, body string
		want                           policy.Verdict
		blocks                         policy.Control
	}{
		{"an undeclared JSON body", "POST", "/accounts/acct-1/move", json, `{"accountId":"acct-2"}`, byType, policy.InCtype},
		{"a JSON body of a GET", "GET", "/accounts/acct-1/ports", json, `{"accountId":"acct-2"}`, byType, policy.InCtype},
		{"a JSON body where a form is declared", "POST", "/accounts/acct-1/form", json, `{"accountId":"acct-2"}`, byType, policy.InCtype},
		{"a form, from which nobody reads accounts", "POST", "/accounts/acct-1/form", form, `accountId=acct-2`, policy.Undecided(policy.NotInspected, nil), policy.AzAccount},
		{"a declared JSON body", "POST", "/accounts/acct-1/ports", json, `{"accountId":"acct-2"}`, policy.Denied(policy.AccountNotInToken, "body./accountId"), policy.AzAccount},
		{"a stranger's path decides without the body", "POST", "/accounts/acct-2/move", json, `{"accountId":"acct-2"}`, policy.Denied(policy.AccountNotInToken, "path.accountId"), policy.InCtype},
		{"a stranger's path without a body", "GET", "/accounts/acct-2/ports", "", "", policy.Denied(policy.AccountNotInToken, "path.accountId"), policy.AzAccount},
		{"no body", "POST", "/accounts/acct-1/move", "", "", policy.Permitted(), ""},
		{"no body of a GET", "GET", "/accounts/acct-1/ports", "", "", policy.Permitted(), ""},
		{"no body where a form is declared", "POST", "/accounts/acct-1/form", "", "", policy.Permitted(), ""},
	} {
		r := &policy.Request{Method: c.method, Target: c.path, Path: c.path, Header: http.Header{}}
		if c.sent != "" {
			r.Header.Set("Content-Type", c.sent)
		}
		verdict, blocks := judge(t, p, r, c.body, policy.AzAccount)
		assert.Equal(t, c.want, verdict, c.name)
		assert.Equal(t, c.blocks, blocks, c.name)
	}
}

// Without in.wellformed and in.schema, az.account alone asks for an inspector.
func TestAccountsInBodiesNeedAnInspectorEverywhere(t *testing.T) {
	t.Parallel()
	p := mustOf(t, bodies, head+accounts+"controls: {in.wellformed: off, in.schema: off}\n").Policy
	for _, id := range []string{"move", "form", "listPorts", "createPort"} {
		assert.NotNil(t, operation(t, p, id).In, id)
		assert.False(t, operation(t, p, id).HoldIn, id)
	}
	assert.True(t, operation(t, mustOf(t, bodies, head+accounts+everything).Policy, "move").HoldIn)
}
