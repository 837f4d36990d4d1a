package entitlement_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/entitlement"
	"github.com/sidewarden/sidewarden/policy/policytest"
)

func request(scopes ...string) *policy.Request {
	return &policy.Request{
		Match: policy.Match{Operation: &policy.Operation{ID: "createOrder"}},
		Auth:  policy.Authentication{Proof: policy.Permitted(), Identity: &policy.Identity{Client: "c", Scopes: scopes}},
	}
}

func TestScope(t *testing.T) {
	denied := policy.Denied(policy.ScopeMissing, "")
	write := [][]string{{"orders:write"}}
	both := [][]string{{"orders:read", "orders:write"}, {"admin"}}
	for _, c := range []struct {
		name  string
		anyOf [][]string
		r     *policy.Request
		want  policy.Verdict
	}{
		{"nothing is asked for", nil, request(), policy.Inapplicable()},
		{"the only scope", write, request("orders:write"), policy.Permitted()},
		{"the scope among others", write, request("a", "orders:write", "b"), policy.Permitted()},
		{"all scopes of an alternative", both, request("orders:write", "orders:read"), policy.Permitted()},
		{"the other alternative", both, request("admin"), policy.Permitted()},
		{"an alternative that asks for nothing", [][]string{{}}, request(), policy.Permitted()},
		{"no scope", write, request(), denied},
		{"one scope of two", both, request("orders:read"), denied},
		{"scopes do not add up across alternatives", [][]string{{"a", "b"}, {"c", "d"}}, request("a", "c"), denied},
		{"case counts", write, request("Orders:Write"), denied},
		{"a prefix is not enough", write, request("orders"), denied},
		{"a longer scope is not enough", write, request("orders:write:all"), denied},
		{"a wildcard is a scope like any other", write, request("*", "orders:*"), denied},
		{"scopes are not split again", write, request("a orders:write"), denied},
		{"no credential", write, &policy.Request{Match: request().Match, Auth: policy.Authentication{Proof: policy.UndecidedBy(policy.TokPresent)}}, policy.UndecidedBy(policy.TokPresent)},
		{"a bad signature", write, &policy.Request{Match: request().Match, Auth: policy.Authentication{Proof: policy.Denied(policy.TokenSignature, "")}}, policy.UndecidedBy(policy.TokSig)},
		{"claimed scopes do not count", write, &policy.Request{Match: request().Match, Auth: policy.Authentication{Token: &policy.Token{Claimed: policy.Identity{Scopes: []string{"orders:write"}}}}}, policy.UndecidedBy(policy.TokSig)},
		{"no operation", write, &policy.Request{Auth: request("orders:write").Auth}, policy.UndecidedBy(policy.InRoute)},
	} {
		t.Run(c.name, func(t *testing.T) {
			check := entitlement.Scope{AnyOf: c.anyOf}
			assert.Equal(t, c.want, check.Check(t.Context(), c.r))
			policytest.Run(t, check, c.r)
		})
	}
}

func TestDefaultDeniesEveryProvenCaller(t *testing.T) {
	denied := policy.Denied(policy.AuthorizationRuleMissing, "")
	for _, c := range []struct {
		name string
		r    *policy.Request
		want policy.Verdict
	}{
		{"a caller", request(), denied},
		{"a caller with every scope", request("admin", "orders:write"), denied},
		{"no credential", &policy.Request{Match: request().Match, Auth: policy.Authentication{Proof: policy.UndecidedBy(policy.TokPresent)}}, policy.UndecidedBy(policy.TokPresent)},
		{"a bad signature", &policy.Request{Match: request().Match, Auth: policy.Authentication{Proof: policy.Denied(policy.TokenSignature, "")}}, policy.UndecidedBy(policy.TokSig)},
		{"no operation", &policy.Request{Auth: request().Auth}, policy.UndecidedBy(policy.InRoute)},
	} {
		t.Run(c.name, func(t *testing.T) {
			assert.Equal(t, c.want, entitlement.Default{}.Check(t.Context(), c.r))
			policytest.Run(t, entitlement.Default{}, c.r)
		})
	}
}
