package openapi_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
)

// hostileBytes is how large a hostile body is, if nothing else is said.
const hostileBytes = 64 << 10

// hostileBody is a body that costs a naive validator seconds, or all memory.
type hostileBody struct{ name, schema, body, wellFormed, judged string }

// request is the request to the operation of the hostile body i.
func (h *hostileBody) request(i int) call {
	return call{method: "POST", path: fmt.Sprintf("/hostile/%d", i), header: map[string][]string{"Content-Type": {"application/json"}}, body: []byte(h.body)}
}

// parts joins as many parts as fit into a hostile body.
func parts(open, shut string, part func(i int) string) string {
	var b strings.Builder
	b.WriteString(open)
	for i := 0; ; i++ {
		p := part(i)
		if b.Len()+len(p)+2 > hostileBytes {
			return b.String() + shut
		}
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(p)
	}
}

func hostileBodies() []hostileBody {
	deep := func(open, leaf, shut string, n int) string {
		return strings.Repeat(open, n) + leaf + strings.Repeat(shut, n)
	}
	long := func(part, end string) string {
		return `"` + strings.Repeat(part, (hostileBytes-8)/len(part)) + end + `"`
	}
	unknown := make([]string, 20_000)
	for i := range unknown {
		unknown[i] = fmt.Sprintf(`"secret%d":%d`, i, i)
	}
	const permit, mismatch, dependent = "permit", "schema-mismatch ", "undecided prerequisite-failed in.wellformed"
	return []hostileBody{
		{"a depth bomb", "{}", deep("[", "", "]", hostileBytes/2), "json-too-deep limit 64", dependent},
		{"a number bomb", "{}", parts("[", "]", func(int) string { return "1e999999" }), "json-number exponent, limit 308", dependent},
		{"numbers at their bounds", "{type: array, items: {type: number, multipleOf: 0.01}}", parts("[", "]", func(int) string { return "1.23456789012345678901234567890123e308" }), permit, permit},
		{"small numbers at their bounds", "{type: array, items: {type: number, maximum: 1, not: {multipleOf: 0.01}}}", parts("[", "]", func(int) string { return "1.23456789012345678901234567890e-308" }), permit, permit},
		{"20 000 unknown properties", "{type: object, properties: {a: {type: string}}, additionalProperties: false}", "{" + strings.Join(unknown, ",") + "}", permit, mismatch + "additionalProperties"},
		{"20 000 free properties", "{type: object, additionalProperties: {type: integer}}", "{" + strings.Join(unknown, ",") + "}", permit, permit},
		{"a pattern of nested repetition", "{type: string, maxLength: 100000, pattern: '^(a+)+$'}", long("a", "!"), permit, mismatch + "pattern"},
		{"a pattern of alternatives", "{type: string, maxLength: 100000, pattern: '^(a|aa|aaa)+$'}", long("a", "!"), permit, mismatch + "pattern"},
		{"a pattern that looks everywhere", "{type: string, maxLength: 100000, pattern: 'x.*y.*z.*='}", long("xyz", "!"), permit, mismatch + "pattern"},
		{"a pattern of a wide window", "{type: string, maxLength: 100000, pattern: '(a|b)*a(a|b){12}c'}", long("ab", "!"), permit, mismatch + "pattern"},
		{"a long text", "{type: string, maxLength: 100000}", long("ä", ""), permit, permit},
		{"a long text of escapes", "{type: string, maxLength: 100000, format: uri}", long(`\u0061`, ""), permit, mismatch + "format"},
		{"unique numbers", "{type: array, uniqueItems: true, items: {type: integer}}", parts("[", "]", func(i int) string { return fmt.Sprint(i) }), permit, permit},
		{"unique objects", "{type: array, uniqueItems: true, items: {type: object}}", parts("[", "]", func(i int) string { return fmt.Sprintf(`{"a":%d}`, i) }), permit, permit},
		{"a recursive anyOf", "{$ref: '#/components/schemas/Any'}", deep(`{"a":`, `"x"`, "}", 60), permit, permit},
		{"a recursive oneOf", "{$ref: '#/components/schemas/One'}", deep(`{"a":`, `"x"`, "}", 60), permit, mismatch + "oneOf"},
		{"32 recursive branches, deep", "{$ref: '#/components/schemas/Wide'}", deep("[", `"x"`, "]", 60), permit, mismatch + "oneOf"},
		{"32 recursive branches, wide", "{$ref: '#/components/schemas/Wide'}", parts("[", "]", func(int) string { return `"xxxxxxxxxx"` }), permit, mismatch + "oneOf"},
		{"a recursive tree", "{$ref: '#/components/schemas/Tree'}", parts("[", "]", func(int) string { return "[[],[]]" }), permit, permit},
	}
}

// hostileContract has an operation for each hostile body.
func hostileContract(version string) string {
	var b strings.Builder
	b.WriteString("paths:\n")
	for i, h := range hostileBodies() {
		fmt.Fprintf(&b, "  /hostile/%d:\n    post:\n      requestBody: {content: {application/json: {schema: %s}}}\n      responses: {'200': {description: ok}}\n", i, h.schema)
	}
	b.WriteString(`components:
  schemas:
    Any:
      anyOf: [{type: object, properties: {a: {$ref: '#/components/schemas/Any'}}}, {type: array, items: {$ref: '#/components/schemas/Any'}}, {type: string}]
    One:
      oneOf:
        - {type: object, properties: {a: {$ref: '#/components/schemas/One'}}, required: [a]}
        - {type: object, properties: {a: {$ref: '#/components/schemas/One'}}, required: [a], minProperties: 1}
        - {type: string}
    Tree: {type: array, items: {$ref: '#/components/schemas/Tree'}}
    Wide:
      oneOf:
        - {type: string}
`)
	for range 31 {
		b.WriteString("        - {type: array, items: {$ref: '#/components/schemas/Wide'}}\n")
	}
	return document(version, b.String())
}

// TestThreatHostileBodies: each has its verdict, in a text that no body makes long.
// BenchmarkContract shows what it costs.
func TestThreatHostileBodies(t *testing.T) {
	for _, version := range []string{"3.0.3", "3.1.0"} {
		s := serve(t, hostileContract(version))
		for i, h := range hostileBodies() {
			t.Run(version+" "+h.name, func(t *testing.T) {
				in := h.request(i)
				ends(t, func() {
					var r policy.Request
					body := s.judge(&r, &in)
					require.NotNil(t, r.Match.Operation)
					assert.Equal(t, h.wellFormed, said(body.WellFormed))
					assert.Equal(t, h.judged, said(body.Schema))
					for _, v := range []policy.Verdict{body.WellFormed, body.Schema} {
						assert.Less(t, len(v.Detail)+len(fmt.Sprint(v.Err)), 4<<10)
					}
				})
			})
		}
	}
}
