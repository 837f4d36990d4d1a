package openapi_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/openapi"
	"github.com/sidewarden/sidewarden/policy/openapi/schema"
)

// standing is what becomes of a keyword in one version of OpenAPI.
type standing string

const (
	// asserted: a value that breaks it is denied.
	asserted standing = "asserted"
	// requests: a value that breaks it is denied in a request; answers the same.
	requests standing = "asserted in requests"
	answers  standing = "asserted in answers"
	// leads: it says which schema counts, which is then asserted.
	leads standing = "leads to schemas"
	// annotation: it says nothing that a value could break.
	annotation standing = "annotation"
	// refused: a contract that has it is not loaded.
	refused standing = "refused at load"
)

// keyword is one keyword of a schema, with a proof of each standing.
type keyword struct {
	name        string
	old, modern standing // in OpenAPI 3.0 and 3.1
	note        string
	schema      string // YAML that has the keyword
	oldSchema   string // where 3.0 writes it otherwise
	good, bad   string // JSON; an annotation permits both
	detail      string // the end of the detail, where that is not the keyword
}

// same is a keyword that both versions assert alike.
func same(name, schema, good, bad string) keyword {
	return keyword{name: name, old: asserted, modern: asserted, schema: schema, good: good, bad: bad}
}

// later is a keyword that OpenAPI 3.0 does not have.
func later(name string, modern standing, schema, good, bad string) keyword {
	return keyword{name: name, old: refused, modern: modern, schema: schema, good: good, bad: bad}
}

// note is an annotation of both versions.
func note(name, schema string) keyword {
	return keyword{name: name, old: annotation, modern: annotation, schema: schema, good: `"a"`, bad: `1`}
}

func (k keyword) says(text string) keyword {
	k.note = text
	return k
}

func (k keyword) fails(detail string) keyword {
	k.detail = detail
	return k
}

func keywords() []keyword {
	all := valueKeywords()
	all = append(all, nestedKeywords()...)
	all = append(all, branchKeywords()...)
	return append(all, otherKeywords()...)
}

// valueKeywords are those of a value by itself.
func valueKeywords() []keyword {
	bound := func(name, schema, oldSchema, good, bad string) keyword {
		k := same(name, schema, good, bad)
		k.oldSchema = oldSchema
		return k.says("a number in 3.1; in 3.0 true or false beside the other bound")
	}
	nullable := keyword{
		name: "nullable", old: asserted, modern: annotation, schema: "{nullable: false}", oldSchema: "{type: string, nullable: false}", good: `"a"`, bad: `null`, detail: "type",
		note: "in 3.0 it adds null to `type` and to nothing else, with a warning where that lets no null pass; in 3.1 write `type: [string, 'null']`",
	}
	return []keyword{
		same("type", "{type: integer}", `1.0`, `1.5`).says("a list of types in 3.1 alone; 1.0 is an integer"),
		nullable,
		same("enum", "{enum: [a, 1, {b: [2.0]}]}", `{"b":[2]}`, `{"b":[3]}`).says("numbers are compared by value, members in any order"),
		later("const", asserted, "{const: {b: [2.0]}}", `{"b":[2]}`, `{"b":[3]}`),
		same("multipleOf", "{multipleOf: 0.01}", `1558.81`, `0.015`).says("exact, in decimal notation"),
		same("maximum", "{maximum: 9007199254740993}", `9007199254740993`, `9007199254740994`).says("exact, as are all bounds"),
		bound("exclusiveMaximum", "{exclusiveMaximum: 3}", "{maximum: 3, exclusiveMaximum: true}", `2.999`, `3.0`),
		same("minimum", "{minimum: 3}", `3`, `2`),
		bound("exclusiveMinimum", "{exclusiveMinimum: 3}", "{minimum: 3, exclusiveMinimum: true}", `3.001`, `3.0`),
		same("maxLength", "{maxLength: 2}", `"𝄞𝄞"`, `"abc"`).says("in code points"),
		same("minLength", "{minLength: 2}", `"ab"`, `"𝄞"`),
		same("pattern", "{pattern: '^\\p{L}+$'}", `"ä"`, `"1"`).says("ECMA-262 with the u flag, in linear time; what that cannot do is refused at load or, by `schema.unsupported_patterns`, left out with a warning. A text over 64 KiB meets no pattern unless `maxLength` is there; it is denied"),
		same("format", "{format: uuid}", `"f47ac10b-58cc-4372-a567-0e02b2c3d479"`, `"f47ac10b"`).says("uuid, email, ipv4, ipv6, uri, hostname, date, date-time, byte, int32, int64; any other is an annotation, with a warning"),
	}
}

// nestedKeywords are those of arrays and objects.
func nestedKeywords() []keyword {
	return []keyword{
		same("items", "{items: {type: string}}", `["a"]`, `[1]`).fails("/* type").says("those after `prefixItems` in 3.1"),
		later("prefixItems", asserted, "{prefixItems: [{type: string}]}", `["a",1]`, `[1]`).fails("/* type"),
		same("maxItems", "{items: {}, maxItems: 1}", `[1]`, `[1,2]`),
		same("minItems", "{items: {}, minItems: 1}", `[1]`, `[]`),
		same("uniqueItems", "{items: {}, uniqueItems: true}", `[1,"1"]`, `[1,1.0]`).says("items are compared as by enum"),
		later("contains", asserted, "{contains: {type: string}}", `[1,"a"]`, `[1]`),
		later("minContains", asserted, "{contains: {type: string}, minContains: 2}", `["a","b"]`, `["a"]`),
		later("maxContains", asserted, "{contains: {type: string}, maxContains: 1}", `["a",1]`, `["a","b"]`),
		later("unevaluatedItems", asserted, "{anyOf: [{prefixItems: [{type: string}]}], unevaluatedItems: false}", `["a"]`, `["a",1]`),
		same("properties", "{properties: {a: {type: string}}}", `{"a":"x"}`, `{"a":1}`).fails("/a type"),
		same("additionalProperties", "{properties: {a: {}}, additionalProperties: false}", `{"a":1}`, `{"b":1}`),
		later("patternProperties", asserted, "{patternProperties: {'^x-': {type: string}}}", `{"x-a":"b"}`, `{"x-a":1}`).fails("type"),
		later("propertyNames", asserted, "{propertyNames: {maxLength: 1}}", `{"a":1}`, `{"ab":1}`),
		later("unevaluatedProperties", asserted, "{anyOf: [{properties: {a: {}}}], unevaluatedProperties: false}", `{"a":1}`, `{"b":1}`),
		same("required", "{required: [a]}", `{"a":null}`, `{}`),
		later("dependentRequired", asserted, "{dependentRequired: {a: [b]}}", `{"b":1}`, `{"a":1}`),
		later("dependentSchemas", asserted, "{dependentSchemas: {a: {maxProperties: 1}}}", `{"b":1,"c":1}`, `{"a":1,"b":1}`),
		same("maxProperties", "{maxProperties: 1}", `{"a":1}`, `{"a":1,"b":1}`),
		same("minProperties", "{minProperties: 1}", `{"a":1}`, `{}`),
		{
			name: "readOnly", old: requests, modern: requests, schema: `{"properties":{"a":{"readOnly":true}},"required":["a"]}`, good: `{}`, bad: `{"a":1}`,
			note: "it may not be there, as null neither, and `required` does not ask for it",
		},
		{
			name: "writeOnly", old: answers, modern: answers, schema: `{"properties":{"a":{"writeOnly":true}},"required":["a"]}`, good: `{}`, bad: `{"a":1}`,
			note: "the same in answers",
		},
	}
}

// branchKeywords are those of schemas that judge the same value.
func branchKeywords() []keyword {
	return []keyword{
		same("allOf", "{allOf: [{minimum: 1}, {maximum: 2}]}", `1`, `3`).fails("maximum"),
		same("anyOf", "{anyOf: [{maximum: 1}, {minimum: 3}]}", `3`, `2`),
		same("oneOf", "{oneOf: [{maximum: 3}, {minimum: 3}]}", `2`, `3`),
		same("not", "{not: {maximum: 3}}", `4`, `3`),
		later("if", leads, "{if: {maximum: 3}, then: {multipleOf: 2}}", `2`, `3`).fails("then"),
		later("then", asserted, "{if: {maximum: 3}, then: {multipleOf: 2}}", `2`, `3`),
		later("else", asserted, "{if: {maximum: 3}, else: {multipleOf: 2}}", `4`, `5`),
		same("discriminator", "{oneOf: [{$ref: '#/components/schemas/Cat'}, {$ref: '#/components/schemas/Dog'}], discriminator: {propertyName: kind, mapping: {cat: '#/components/schemas/Cat', dog: Dog}}}",
			`{"kind":"cat"}`, `{"kind":"cow"}`).says("the value of the property chooses the branch of `oneOf` or `anyOf`; where there is neither it chooses nothing, with a warning"),
		{
			name: "$ref", old: leads, modern: leads, schema: "{$ref: '#/components/schemas/Short'}", good: `"a"`, bad: `"ab"`, detail: "maxLength",
			note: "with recursion; to other files below `root`, never over the network. What stands beside it counts in 3.1 alone; in 3.0 there is a warning",
		},
		later("$dynamicRef", leads, "{$id: 'https://example.net/dynamic', $defs: {a: {$dynamicAnchor: short, maxLength: 1}}, $dynamicRef: '#short'}", `"a"`, `"ab"`).fails("maxLength"),
		later("$dynamicAnchor", leads, "{$dynamicAnchor: here, items: {$dynamicRef: '#here'}, maxItems: 1}", `[[]]`, `[[1,1]]`).fails("/* maxItems"),
		later("$anchor", leads, "{$anchor: here, items: {$ref: '#here'}, maxItems: 1}", `[[]]`, `[[1,1]]`).fails("/* maxItems"),
		later("$id", leads, "{$id: 'https://example.net/short', $defs: {a: {maxLength: 1}}, $ref: '#/$defs/a'}", `"a"`, `"ab"`).fails("maxLength"),
		later("$defs", leads, "{$id: 'https://example.net/defs', $defs: {a: {maxLength: 1}}, $ref: '#/$defs/a'}", `"a"`, `"ab"`).fails("maxLength"),
	}
}

// otherKeywords are those that say nothing of a value.
func otherKeywords() []keyword {
	all := []keyword{
		note("title", "{title: T}"), note("description", "{description: D}"), note("default", "{default: a}").says("never written into a request"),
		note("deprecated", "{deprecated: true}"), note("example", "{example: a}"), note("xml", "{xml: {name: a}}"),
		note("externalDocs", "{externalDocs: {url: 'https://example.net/'}}"),
	}
	for _, k := range [][2]string{
		{"examples", "{examples: [a]}"},
		{"$comment", "{$comment: c}"},
		{"$schema", "{$schema: 'https://json-schema.org/draft/2020-12/schema'}"},
		{"contentEncoding", "{contentEncoding: base64}"},
		{"contentMediaType", "{contentMediaType: application/json}"},
		{"contentSchema", "{contentMediaType: application/json, contentSchema: {type: object}}"},
	} {
		all = append(all, later(k[0], annotation, k[1], `"a"`, `1`))
	}
	for _, k := range [][2]string{
		{"$vocabulary", "{$vocabulary: {'https://example.net/v': true}}"},
		{"$recursiveRef", "{$recursiveRef: '#'}"},
		{"$recursiveAnchor", "{$recursiveAnchor: true}"},
		{"dependencies", "{dependencies: {a: [b]}}"},
		{"definitions", "{definitions: {a: {}}}"},
		{"additionalItems", "{additionalItems: false}"},
		{"id", "{id: a}"},
		{"any other", "{minimumish: 1}"},
	} {
		all = append(all, keyword{name: k[0], old: refused, modern: refused, schema: k[1]})
	}
	return all
}

// contract is one whose only body has the keyword.
func (k keyword) contract(version string) string {
	s := k.schema
	if k.oldSchema != "" && version < "3.1" {
		s = k.oldSchema
	}
	return document(version, `
paths:
  /p:
    post:
      requestBody: {content: {application/json: {schema: `+s+`}}}
      responses: {'200': {description: ok}}
components:
  schemas:
    Short: {maxLength: 1}
    Cat: {required: [kind]}
    Dog: {required: [kind, barks]}
`)
}

// proves fails the test if the keyword does not have the standing in a version.
func (k keyword) proves(t *testing.T, version string, as standing) {
	t.Helper()
	if as == refused {
		assert.NotEmpty(t, problems(t, k.contract(version), openapi.Options{}))
		return
	}
	s := serve(t, k.contract(version))
	judge := func(body string) string {
		var r policy.Request
		return said(s.judge(&r, &call{method: "POST", path: "/p", header: map[string][]string{"Content-Type": {"application/json"}}, body: []byte(body)}).Schema)
	}
	if as != answers {
		assert.Equal(t, "permit", judge(k.good))
	}
	switch as {
	case asserted, leads, requests:
		want := k.name
		if k.detail != "" {
			want = k.detail
		}
		assert.Regexp(t, "^schema-mismatch .*"+regexp.QuoteMeta(want)+"$", judge(k.bad))
	case annotation:
		assert.Equal(t, "permit", judge(k.bad))
	case answers:
		assert.Equal(t, "permit", judge(k.bad), "a request may have it")
		assert.Equal(t, "schema-mismatch /a required", judge(k.good), "and must where it is required")
		assert.False(t, satisfies(t, k.schema, version, true, k.bad))
		assert.True(t, satisfies(t, k.schema, version, true, k.good))
	case refused:
	}
	if as == requests {
		assert.True(t, satisfies(t, k.schema, version, true, `{"a":1}`), "an answer may have it")
		assert.False(t, satisfies(t, k.schema, version, true, `{}`), "and must where it is required")
	}
}

// satisfies judges a value by a schema in one direction.
func satisfies(t *testing.T, text, version string, answers bool, value string) bool {
	t.Helper()
	d, at := schema.NewDocuments(), schema.Place{Document: "schema.json"}
	d.Add(at.Document, treeOf(t, text))
	c := schema.NewCompiler(d, schema.Options{Modern: version >= "3.1", Answers: answers})
	s := c.Schema(at)
	wrong, _ := c.End()
	require.Empty(t, wrong)
	var r schema.Run
	r.Begin(s)
	decoder := jsontext.NewDecoder(strings.NewReader(value))
	for {
		token, err := decoder.ReadToken()
		if errors.Is(err, io.EOF) {
			_, failed := r.Fault()
			return !failed
		}
		require.NoError(t, err)
		text := ""
		if kind := token.Kind(); kind == jsontext.KindString || kind == jsontext.KindNumber {
			text = token.String()
		}
		r.Visit(token.Kind(), []byte(text))
	}
}

func TestKeywordsAreWhatTheTableSays(t *testing.T) {
	for _, k := range keywords() {
		t.Run(k.name+" in 3.0", func(t *testing.T) { k.proves(t, "3.0.3", k.old) })
		t.Run(k.name+" in 3.1", func(t *testing.T) { k.proves(t, "3.1.0", k.modern) })
	}
}

// TestKeywordsAreAll: the table has every keyword of the two versions.
func TestKeywordsAreAll(t *testing.T) {
	listed := map[string]keyword{}
	for _, k := range keywords() {
		_, twice := listed[k.name]
		assert.False(t, twice, "%s is there twice", k.name)
		listed[k.name] = k
	}
	// OpenAPI 3.0.4, 4.7.24.1 and 4.7.24.2.
	for name := range strings.FieldsSeq(`title multipleOf maximum exclusiveMaximum minimum exclusiveMinimum maxLength minLength pattern maxItems minItems
		uniqueItems maxProperties minProperties required enum type allOf oneOf anyOf not items properties additionalProperties description format default
		nullable discriminator readOnly writeOnly xml externalDocs example deprecated $ref`) {
		assert.NotContains(t, []standing{"", refused}, listed[name].old, "%s of 3.0", name)
	}
	// JSON Schema 2020-12: core, applicator, unevaluated, validation, meta-data, format,
	// content; and OpenAPI 3.1.1, 4.8.24.
	for name := range strings.FieldsSeq(`$id $schema $ref $anchor $dynamicRef $dynamicAnchor $vocabulary $comment $defs
		prefixItems items contains additionalProperties properties patternProperties dependentSchemas propertyNames if then else allOf anyOf oneOf not
		unevaluatedItems unevaluatedProperties
		type const enum multipleOf maximum exclusiveMaximum minimum exclusiveMinimum maxLength minLength pattern maxItems minItems uniqueItems
		maxContains minContains maxProperties minProperties required dependentRequired
		title description default deprecated readOnly writeOnly examples format contentEncoding contentMediaType contentSchema
		discriminator xml externalDocs example`) {
		assert.Contains(t, listed, name, "of 3.1")
	}
}

func TestDocsShowTheKeywords(t *testing.T) {
	var b strings.Builder
	b.WriteString("| keyword | OpenAPI 3.0 | OpenAPI 3.1 | |\n|---|---|---|---|\n")
	for _, k := range keywords() {
		name := "`" + k.name + "`"
		if strings.Contains(k.name, " ") {
			name = k.name
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", name, k.old, k.modern, strings.ReplaceAll(k.note, "|", "\\|"))
	}
	const page, begin, end = "../../docs/schema-keywords.md", "<!-- generated: keywords -->\n", "<!-- end -->"
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	before, rest, found := strings.Cut(string(text), begin)
	require.True(t, found, "%s has no line %q", page, begin)
	shown, after, found := strings.Cut(rest, end)
	require.True(t, found, "%s: the part keywords does not end; add the line %s", page, end)
	if *update {
		require.NoError(t, os.WriteFile(page, []byte(before+begin+b.String()+end+after), 0o644))
		return
	}
	assert.Equal(t, b.String(), shown, "%s differs from the table of keywords; run make docs", page)
}

// treeOf reads a JSON text as documents hold it.
func treeOf(t *testing.T, text string) any {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var value any
	require.NoError(t, decoder.Decode(&value))
	return value
}
