package openapi_test

import (
	"errors"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/openapi"
)

func TestChecks(t *testing.T) {
	found := policy.Match{Operation: &policy.Operation{}}
	method := policy.Match{Allow: []string{"GET"}}
	preflight := func(asked string, m policy.Match) policy.Request {
		return policy.Request{Method: "OPTIONS", Match: m, Header: http.Header{"Origin": {"https://a.example"}, "Access-Control-Request-Method": {asked}}}
	}
	for _, row := range []struct {
		name  string
		check policy.Check
		r     policy.Request
		want  policy.Verdict
	}{
		{"in.route of an operation", openapi.Route{}, policy.Request{Match: found}, policy.Permitted()},
		{"in.route of a path without the method", openapi.Route{}, policy.Request{Match: method}, policy.Permitted()},
		{"in.route of nothing", openapi.Route{}, policy.Request{}, policy.Denied(policy.RouteUnknown, "")},
		{"in.method of an operation", openapi.Method{}, policy.Request{Match: found}, policy.Permitted()},
		{"in.method of a path without the method", openapi.Method{}, policy.Request{Match: method}, policy.Denied(policy.MethodNotAllowed, "")},
		{"in.route of a preflight", openapi.Route{}, preflight("GET", method), policy.Permitted()},
		{"in.route of a preflight for nothing", openapi.Route{}, preflight("GET", policy.Match{}), policy.Denied(policy.RouteUnknown, "")},
		{"in.method of a preflight", openapi.Method{}, preflight("GET", method), policy.Inapplicable()},
		{"in.method of a preflight for another method", openapi.Method{}, preflight("PUT", method), policy.Denied(policy.MethodNotAllowed, "")},
		{"in.method of a preflight that the contract declares", openapi.Method{}, preflight("PUT", found), policy.Permitted()},
		{"in.method of a preflight for nothing", openapi.Method{}, preflight("GET", policy.Match{}), policy.UndecidedBy(policy.InRoute)},
		{"what needs an operation, of a preflight", openapi.Unmatched{}, preflight("GET", method), policy.Inapplicable()},
		{"what needs an operation, of a preflight for another method", openapi.Unmatched{}, preflight("PUT", method), policy.UndecidedBy(policy.InMethod)},
		{"in.method of nothing", openapi.Method{}, policy.Request{}, policy.UndecidedBy(policy.InRoute)},
		{"unmatched by method", openapi.Unmatched{}, policy.Request{Match: method}, policy.UndecidedBy(policy.InMethod)},
		{"unmatched by route", openapi.Unmatched{}, policy.Request{}, policy.UndecidedBy(policy.InRoute)},
		{"in.schema of nothing", openapi.Schema{}, policy.Request{}, policy.UndecidedBy(policy.InRoute)},
		{"in.schema is the inspector's verdict", openapi.Schema{}, policy.Request{Match: found, Body: policy.Body{Schema: policy.Denied(policy.SchemaMismatch, "/a type")}}, policy.Denied(policy.SchemaMismatch, "/a type")},
		{"in.schema of a broken body", openapi.Schema{}, policy.Request{Match: found, Body: policy.Body{WellFormed: policy.Denied(policy.JSONSyntax, "")}}, policy.UndecidedBy(policy.InWellformed)},
		{"in.schema of a body that in.size refused", openapi.Schema{}, policy.Request{Match: found, Body: policy.Body{WellFormed: policy.UndecidedBy(policy.InSize)}}, policy.UndecidedBy(policy.InSize)},
		{"in.schema without an inspector", openapi.Schema{}, policy.Request{Match: found}, policy.Undecided(policy.NotInspected, nil)},
	} {
		t.Run(row.name, func(t *testing.T) { assert.Equal(t, row.want, row.check.Check(t.Context(), &row.r)) })
	}
	v := openapi.Unmatched{}.Check(t.Context(), &policy.Request{Match: found})
	assert.Equal(t, policy.InternalError, v.Reason, "the plan of unmatched requests has no place here")
}

func TestRouteIsUndecidedWhenTheMatcherFailed(t *testing.T) {
	r := &policy.Request{Match: policy.Match{Err: errors.New("broken")}}
	v := openapi.Route{}.Check(t.Context(), r)
	assert.Equal(t, policy.Indeterminate, v.Effect)
	assert.Equal(t, policy.InternalError, v.Reason)
}
