package openapi_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/openapi"
	"github.com/sidewarden/sidewarden/policy/policytest"
)

// answering is a contract of one operation with the given responses and schemas.
func answering(version, responses, schemas string) string {
	return "openapi: " + version + `
info: {title: t, version: "1"}
components: {schemas: {` + schemas + `}}
paths:
  /a:
    post:
      requestBody: {content: {application/json: {schema: {$ref: '#/components/schemas/User'}}}}
      responses: ` + responses + "\n"
}

const user = `User: {type: object, required: [id, password, name], properties: {` +
	`id: {type: string, readOnly: true}, password: {type: string, writeOnly: true}, name: {type: string}}}`

func answersOf(t testing.TB, text string, o openapi.Options) *openapi.Answers {
	t.Helper()
	o.Answers = true
	operations := load(t, text, o).Operations()
	require.Len(t, operations, 1)
	return operations[0].Answers()
}

func TestHeadOfAnswers(t *testing.T) {
	a := answersOf(t, answering("3.0.3", `{"200": {description: d, content: {application/json: {}, text/csv: {}, "image/*": {}}},
        "201": {description: d}, "2XX": {description: d, content: {application/problem+json: {}}}, "5XX": {description: d, content: {"*/*": {}}}}`, user), openapi.Options{})
	for _, c := range []struct {
		name      string
		status    int
		mediaType string
		body      bool
		want      policy.Reason
		more      bool
	}{
		{"the declared JSON", 200, "application/json", true, "", true},
		{"the declared other type", 200, "text/csv", true, "", false},
		{"a type of a declared range", 200, "image/png", true, "", false},
		{"an undeclared type", 200, "text/html", true, policy.ContentTypeUndeclared, false},
		{"a type of another status", 200, "application/problem+json", true, policy.ContentTypeUndeclared, false},
		{"no type", 200, "", true, policy.ContentTypeMissing, false},
		{"no body has no type", 200, "", false, "", false},
		{"a type without a body", 200, "text/html", false, "", false},
		{"no content is declared", 201, "text/html", true, "", false},
		{"the exact status wins over the range", 201, "application/problem+json", true, "", false},
		{"a status of the range", 299, "application/problem+json", true, "", true},
		{"a type that the range does not declare", 204, "text/csv", true, policy.ContentTypeUndeclared, false},
		{"any type, JSON", 503, "application/json", true, "", true},
		{"any type, none", 503, "", true, "", false},
		{"a status of no range", 404, "application/json", true, policy.StatusUndeclared, false},
		{"a status without body", 302, "", false, policy.StatusUndeclared, false},
		{"beyond all ranges", 999, "", false, policy.StatusUndeclared, false},
	} {
		v, more := a.Head(c.status, c.mediaType, c.body)
		assert.Equal(t, c.want, v.Reason, c.name)
		assert.Equal(t, c.more, more, c.name)
		assert.Equal(t, c.want == "" && !more, v.Effect == policy.Permit, c.name)
	}
	fallback := answersOf(t, answering("3.0.3", `{"200": {description: d}, default: {description: d, content: {application/json: {}}}}`, user), openapi.Options{})
	v, _ := fallback.Head(999, "text/html", true)
	assert.Equal(t, policy.ContentTypeUndeclared, v.Reason, "default covers every status")
	v, _ = fallback.Head(101, "", false)
	assert.Equal(t, policy.StatusUndeclared, v.Reason, "default does not cover an upgrade")
	for _, status := range []string{"101", "1XX"} {
		v, _ = answersOf(t, answering("3.0.3", `{"`+status+`": {description: d}}`, user), openapi.Options{}).Head(101, "", false)
		assert.Equal(t, policy.Permit, v.Effect, status)
	}
}

func TestDocumentsOfAnswers(t *testing.T) {
	const one = `{"200": {description: d, content: {application/json: {schema: {$ref: '#/components/schemas/User'}}, "text/*": {schema: {type: string}}}}}`
	for _, version := range []string{"3.0.3", "3.1.0"} {
		a := answersOf(t, answering(version, one, user), openapi.Options{})
		strict := answersOf(t, answering(version, one, user), openapi.Options{UndeclaredProperties: "deny"})
		for _, c := range []struct{ name, body, want, denied string }{
			{"what may be shown", `{"id":"1","name":"n"}`, "permit", "permit"},
			{"writeOnly is not shown", `{"id":"1","name":"n","password":"p"}`, "schema-mismatch /password writeOnly", "schema-mismatch /password writeOnly"},
			{"readOnly is required", `{"name":"n"}`, "schema-mismatch /id required", "schema-mismatch /id required"},
			{"an undeclared property", `{"id":"1","name":"n","secret":1}`, "permit", "undeclared-property"},
			{"another type", `[]`, "schema-mismatch type", "schema-mismatch type"},
		} {
			assert.Equal(t, c.want, said(a.Document(200, "application/json", tokens(t, c.body))), "%s: %s", version, c.name)
			assert.Equal(t, c.denied, said(strict.Document(200, "application/json", tokens(t, c.body))), "%s, strict: %s", version, c.name)
		}
	}
}

// What is made for answers leaves what is made for requests alone: each direction
// has its own required and forbidden properties.
func TestAnswersLeaveRequestsAlone(t *testing.T) {
	text := answering("3.0.3", `{"200": {description: d, content: {application/json: {schema: {$ref: '#/components/schemas/User'}}}}}`, user)
	j := load(t, text, openapi.Options{Answers: true}).Operations()[0].Judge()
	for body, want := range map[string]string{
		`{"name":"n","password":"p"}`:          "permit",
		`{"name":"n"}`:                         "schema-mismatch /password required",
		`{"name":"n","password":"p","id":"1"}`: "schema-mismatch /id readOnly",
	} {
		assert.Equal(t, want, judgeBody(t, j, body), body)
	}
	assert.Nil(t, load(t, text, openapi.Options{}).Operations()[0].Answers(), "nobody asked for them")
}

func TestProblemsOfAnswersAreReported(t *testing.T) {
	text := answering("3.1.0", `{"200": {description: d, content: {application/json: {schema: {type: object, $dynamicRef: '#x'}}}}}`, user)
	load(t, text, openapi.Options{})
	ps := problems(t, text, openapi.Options{Answers: true})
	require.NotEmpty(t, ps)
	assert.Contains(t, ps[0].String(), "/paths/~1a/post/responses/200/content/application~1json/schema")
}

func TestAnswerSchemaCheck(t *testing.T) {
	op := &policy.Operation{ID: "a"}
	with := func(status int, v policy.Verdict) *policy.Request {
		return &policy.Request{Match: policy.Match{Operation: op}, Response: &policy.Response{Status: status, Body: policy.Body{Schema: v}}}
	}
	denied := policy.Denied(policy.SchemaMismatch, "type")
	unmatched := with(200, denied)
	unmatched.Match = policy.Match{}
	for _, c := range []struct {
		name string
		r    *policy.Request
		want policy.Verdict
	}{
		{"no answer", &policy.Request{Match: policy.Match{Operation: op}}, policy.Inapplicable()},
		{"no answer came", with(0, policy.Verdict{}), policy.Inapplicable()},
		{"an informational one", with(103, policy.Verdict{}), policy.Inapplicable()},
		{"an upgrade that is not declared", with(101, policy.Denied(policy.StatusUndeclared, "")), policy.Denied(policy.StatusUndeclared, "")},
		{"the inspector's verdict", with(200, denied), denied},
		{"nothing was inspected", with(200, policy.Verdict{}), policy.Undecided(policy.NotInspected, nil)},
		{"unmatched", unmatched, policy.UndecidedBy(policy.InRoute)},
	} {
		assert.Equal(t, c.want, openapi.AnswerSchema{}.Check(t.Context(), c.r), c.name)
		policytest.Run(t, openapi.AnswerSchema{}, c.r)
	}
}
