package openapi_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy/openapi"
)

// taking returns a contract with one operation and the schema of its JSON body.
func taking(schema string) string {
	return document("3.0.3", fmt.Sprintf(`paths:
  /a:
    post:
      requestBody: {content: {application/json: {schema: %s}}}
      responses: {"200": {description: d}}
components:
  schemas:
    Node: {type: object, properties: {next: {$ref: '#/components/schemas/Node'}}}
    Base: {type: object, properties: {accountId: {type: string, maxLength: 4}}}
`, schema))
}

func TestBodySize(t *testing.T) {
	t.Parallel()
	const none = -1
	for _, row := range []struct {
		name, schema string
		want         int64
	}{
		{"a string of four runes", `{type: string, maxLength: 4}`, 18},
		{"a string without a bound", `{type: string}`, none},
		{"an enumeration", `{type: string, enum: [port, cable]}`, 7*4 + 2},
		{"a format of known length", `{type: string, format: date}`, 42},
		{"a number", `{type: integer}`, 24},
		{"a boolean", `{type: boolean}`, 5},
		{"an array", `{type: array, maxItems: 3, items: {type: boolean}}`, 3*6 + 2},
		{"an array without a bound", `{type: array, items: {type: boolean}}`, none},
		{"an array of anything", `{type: array, maxItems: 3, items: {}}`, none},
		{"an array beyond counting", `{type: array, maxItems: 9007199254740991, items: {type: boolean}}`, none},
		{"an object", `{type: object, properties: {a: {type: boolean}}}`, 2 + 3 + 5 + 2},
		{"an object with any others", `{type: object, additionalProperties: true, properties: {a: {type: boolean}}}`, none},
		{"a free object", `{type: object}`, none},
		{"an empty object", `{type: object, additionalProperties: false}`, 2},
		{"a property without a bound", `{type: object, properties: {a: {type: string}}}`, none},
		{"parts together", `{allOf: [{$ref: '#/components/schemas/Base'}, {type: object, properties: {b: {type: boolean}}}]}`, 2 + (11 + 18 + 2) + (3 + 5 + 2)},
		{"the longest alternative", `{oneOf: [{type: string, maxLength: 1}, {type: string, maxLength: 2}]}`, 10},
		{"an alternative without a bound", `{oneOf: [{type: string, maxLength: 1}, {type: string}]}`, none},
		{"a bound of the whole", `{maxLength: 1, oneOf: [{type: string}, {type: string, maxLength: 9}]}`, 6},
		{"a schema that leads to itself", `{$ref: '#/components/schemas/Node'}`, none},
		{"no type", `{}`, none},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			op := load(t, taking(row.schema), openapi.Options{}).Operations()[0]
			got, ok := op.BodySize()
			if row.want == none {
				assert.False(t, ok, "%d", got)
				return
			}
			require.True(t, ok)
			assert.Equal(t, row.want, got)
		})
	}
}

func TestBodySizeOfOtherBodies(t *testing.T) {
	t.Parallel()
	of := func(body string) (int64, bool) {
		text := document("3.0.3", "paths: {/a: {post: {"+body+"responses: {'200': {description: d}}}}}\n")
		return load(t, text, openapi.Options{}).Operations()[0].BodySize()
	}
	n, ok := of("")
	assert.True(t, ok, "no body is a body of no bytes")
	assert.Zero(t, n)
	_, ok = of("requestBody: {content: {application/xml: {schema: {type: string, maxLength: 4}}}}, ")
	assert.False(t, ok, "XML")
	_, ok = of("requestBody: {content: {application/json: {}}}, ")
	assert.False(t, ok, "a body without a schema")
}

func TestBodyPropertiesAreThoseOfEveryPart(t *testing.T) {
	t.Parallel()
	op := load(t, taking(`{allOf: [{$ref: '#/components/schemas/Base'}, {oneOf: [{properties: {b: {}}}, {properties: {a: {properties: {inner: {}}}}}]}]}`), openapi.Options{}).Operations()[0]
	assert.Equal(t, []string{"a", "accountId", "b"}, op.BodyProperties())
}
