package openapi_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/openapi"
)

// takingBody is a contract of POST /p with a body of the given content.
func takingBody(version, content string) string {
	return document(version, `
paths:
  /p:
    post:
      requestBody: {required: true, content: `+content+`}
      responses: {'200': {description: ok}}
`)
}

// sentAs is what in.wellformed or, if that passes, in.schema says of a body.
func sentAs(s served, contentType, body string) string {
	var r policy.Request
	got := s.judge(&r, &call{method: "POST", path: "/p", header: map[string][]string{"Content-Type": {contentType}}, body: []byte(body)})
	if got.WellFormed.Effect == policy.Deny {
		return said(got.WellFormed)
	}
	return said(got.Schema)
}

func TestRangesOfMediaTypesWithASuffix(t *testing.T) {
	t.Parallel()
	s := serve(t, takingBody("3.0.3", `{'application/*+json': {schema: {type: object, properties: {a: {type: integer}}}},
        'application/*': {schema: {type: object, properties: {a: {type: boolean}}}},
        application/problem+json: {schema: {type: object, properties: {a: {type: string}}}}}`))
	for _, c := range []struct{ contentType, body, want string }{
		{"application/merge-patch+json", `{"a":1}`, "permit"},
		{"application/merge-patch+json; charset=utf-8", `{"a":true}`, "schema-mismatch /a type"},
		{"application/problem+json", `{"a":"x"}`, "permit"},
		{"application/problem+json", `{"a":1}`, "schema-mismatch /a type"},
		{"application/json", `{"a":true}`, "permit"},
		{"application/json", `{"a":1}`, "schema-mismatch /a type"},
	} {
		assert.Equal(t, c.want, sentAs(s, c.contentType, c.body), "%s %s", c.contentType, c.body)
	}
	a := answersOf(t, answering("3.0.3", `{"200": {description: d, content: {'application/*+json': {schema: {type: object}}}}}`, user), openapi.Options{})
	_, more := a.Head(200, "application/hal+json", true)
	assert.True(t, more, "an answer of the range is judged")
	v, _ := a.Head(200, "application/json", true)
	assert.Equal(t, policy.ContentTypeUndeclared, v.Reason)
}

// A schema that names no type and speaks of members is about objects, which a backend may
// parse from whatever type of body.
func TestTextIsNoWayAroundAnObject(t *testing.T) {
	t.Parallel()
	for schema, want := range map[string]string{
		`{required: [a], properties: {a: {type: integer}}}`: "undecided schema-unsupported",
		`{allOf: [{required: [a]}]}`:                        "undecided schema-unsupported",
		`{items: {type: integer}}`:                          "undecided schema-unsupported",
		`{maxLength: 3}`:                                    "schema-mismatch maxLength",
		`{}`:                                                "permit",
		`{oneOf: [{type: string, maxLength: 9}, {type: object, required: [a]}]}`: "permit",
	} {
		s := serve(t, takingBody("3.0.3", `{'*/*': {schema: `+schema+`}}`))
		assert.Equal(t, want, sentAs(s, "text/plain", `{"b":1}`), schema)
	}
	s := serve(t, takingBody("3.0.3", `{'*/*': {schema: {required: [a], properties: {a: {type: integer}}}}}`))
	assert.Equal(t, "schema-mismatch /a required", sentAs(s, "application/json", `{"b":1}`))
}

func TestMediaTypesThatDifferInParameters(t *testing.T) {
	t.Parallel()
	one, two := `{schema: {type: object}}`, `{schema: {type: object, required: [a]}}`
	const cause = `media types "application/json; v=1" and "application/json; v=2"` +
		` are the same but for parameters, which are not compared, and differ in schema`
	ps := problems(t, takingBody("3.0.3", `{'application/json; v=1': `+one+`, 'application/json; v=2': `+two+`}`), openapi.Options{})
	require.Len(t, ps, 1)
	assert.Equal(t, cause, ps[0].Cause)
	assert.Equal(t, "/paths/~1p/post/requestBody/content/application~1json; v=2", ps[0].Pointer)
	form := `{schema: {type: object, properties: {a: {type: array, items: {type: string}}}}`
	ps = problems(t, takingBody("3.0.3", `{multipart/form-data: `+form+`}, 'multipart/form-data; x=1': `+form+`, encoding: {a: {style: form}}}}`), openapi.Options{})
	require.Len(t, ps, 1)
	assert.Contains(t, ps[0].Cause, "differ in encoding")
	answers := openapi.Options{Answers: true}
	ps = problems(t, answering("3.0.3", `{"200": {description: d, content: {text/json: `+one+`, 'text/json;v=2': `+two+`}}}`, user), answers)
	require.Len(t, ps, 1)
	assert.Contains(t, ps[0].Cause, `"text/json" and "text/json;v=2"`)

	same := load(t, takingBody("3.0.3", `{'application/json; v=1': `+two+`, 'application/json;charset=utf-8': `+two+`, application/json: `+two+`}`), openapi.Options{})
	assert.Equal(t, []string{"application/json"}, same.Operations()[0].RequestMediaTypes)
	bare := load(t, takingBody("3.0.3", `{'application/json; v=1': {}, application/json: {}}`), openapi.Options{})
	assert.Equal(t, []string{"application/json"}, bare.Operations()[0].RequestMediaTypes)
}

// Whoever ignores the type of a part, or keeps parts with a filename apart from the
// fields, reads something else than was judged, or nothing.
func TestPartsThatPretendToBeSomethingElse(t *testing.T) {
	t.Parallel()
	s := serve(t, takingBody("3.0.3", `{multipart/form-data: {schema: {type: object, required: [role], additionalProperties: false,
        properties: {role: {type: string, pattern: '^[a-z]+$', maxLength: 5}, scan: {type: string, format: binary}, order: {type: object}}}}}`))
	field := func(disposition, contentType, body string) string {
		return "--b\r\nContent-Disposition: form-data; " + disposition + "\r\n" + contentType + "\r\n" + body + "\r\n"
	}
	const json = "Content-Type: application/json\r\n"
	role := field("name=role", "", "abc")
	for _, c := range []struct{ name, body, want string }{
		{"a field", role, "permit"},
		{"a text as JSON", field("name=role", json, `"abc"`), "schema-mismatch /role pattern"},
		{"an escaped one", field("name=role", json, `   "\u0061"`), "schema-mismatch /role maxLength"},
		{"a file", field(`name=role; filename="x"`, "", "abc"), "schema-mismatch /role filename"},
		{"a file without a name", field(`name=role; filename=""`, "", "abc"), "schema-mismatch /role filename"},
		{"a file of an extended name", field("name=role; filename*=UTF-8''x", "", "abc"), "schema-mismatch /role filename"},
		{"bytes that are a file", role + field("name=scan; filename=x", "", "\xff"), "permit"},
		{"JSON of an object that is a file", role + field("name=order; filename=blob", json, `{"a":1}`), "permit"},
		{"JSON of no object that is a file", role + field("name=order; filename=blob", json, `1`), "schema-mismatch /order filename"},
	} {
		assert.Equal(t, c.want, sentAs(s, "multipart/form-data; boundary=b", c.body+"--b--"), c.name)
	}
}
