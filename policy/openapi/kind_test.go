package openapi_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/sidewarden/sidewarden/policy/openapi"
)

// TestIntegersAreWrittenInDigits: what is an integer in JSON is not one to those who read
// integers from text.
func TestIntegersAreWrittenInDigits(t *testing.T) {
	a := parametersOf(t, "3.1.0", map[string]string{
		"/integer": "{name: n, in: query, schema: {type: integer, minimum: -10}}",
		"/number":  "{name: n, in: query, schema: {type: number, minimum: -10}}",
		"/both":    "{name: n, in: query, schema: {anyOf: [{type: number, maximum: 0}, {type: integer}]}}",
		"/text":    "{name: n, in: query, schema: {type: [integer, string], maxLength: 3}}",
		"/items":   "{name: n, in: query, explode: false, schema: {type: array, items: {type: integer}}}",
		"/deep":    "{name: n, in: query, style: deepObject, explode: true, schema: {type: object, properties: {a: {type: integer}}}}",
	}, openapi.Options{})
	for target, want := range map[string]string{
		"/integer?n=10": "permit", "/integer?n=-7": "permit", "/integer?n=0": "permit", "/integer?n=-0": "permit",
		"/integer?n=1e1": "type", "/integer?n=1E1": "type", "/integer?n=10.0": "type", "/integer?n=0.5e2": "type", "/integer?n=10e0": "type",
		"/integer?n=%2B1": "type", "/integer?n=01": "type", "/integer?n=-": "type", "/integer?n=-11": "minimum",
		"/number?n=1e1": "permit", "/number?n=10.0": "permit", "/number?n=10": "permit",
		"/both?n=1e1": "permit", "/text?n=1e1": "permit", "/text?n=1000": "permit", "/text?n=1e10": "maxLength",
	} {
		if want != "permit" {
			want = "parameter-invalid query.n " + want
		}
		assert.Equal(t, want, a.says(target), target)
	}
	assert.Equal(t, "parameter-invalid query.n/* type", a.says("/items?n=1,1e1"))
	assert.Equal(t, "parameter-invalid query.n/a type", a.says("/deep?n[a]=1e1"))
}
