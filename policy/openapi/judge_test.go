package openapi_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/openapi"
)

// said is a verdict in a word or a line.
func said(v policy.Verdict) string {
	switch v.Effect {
	case policy.Permit:
		return "permit"
	case policy.Deny:
		return strings.TrimSpace(string(v.Reason) + " " + v.Detail)
	case policy.Indeterminate:
		return strings.TrimSpace("undecided " + string(v.Reason) + " " + string(v.Cause))
	case policy.NotApplicable:
	}
	return v.Effect.String()
}

// bodyJudge judges JSON bodies by one schema.
func bodyJudge(t testing.TB, version, schema, components string, o openapi.Options) *openapi.Judge {
	t.Helper()
	c := load(t, document(version, `
paths:
  /p:
    post:
      responses: {'200': {description: ok}}
      requestBody:
        content:
          application/json:
            schema: `+schema+"\n"+components), o)
	return c.Operations()[0].Judge()
}

func judgeBody(t testing.TB, j *openapi.Judge, body string) string {
	t.Helper()
	return said(j.Judge(&policy.Request{}, "application/json", tokens(t, body), true))
}

func TestBodyOfAContractInTwoFiles(t *testing.T) {
	judge := sessions(t, openapi.Options{})["createSession"].Judge()
	deny := sessions(t, openapi.Options{UndeclaredProperties: "deny"})["createSession"].Judge()
	const server = `"applicationServer":{"ipv4Address":"10.0.0.1"}`
	for _, row := range []struct{ name, body, want, denied string }{
		{"a good body", `{` + server + `,"duration":1}`, "permit", ""},
		{"a property of a closed branch", `{"applicationServer":{"ipv4Address":"x","secret":1},"duration":1}`, "schema-mismatch /applicationServer additionalProperties", ""},
		{"no branch", `{"applicationServer":{},"duration":1}`, "schema-mismatch /applicationServer oneOf", ""},
		{"a missing property of allOf", `{` + server + `}`, "schema-mismatch /duration required", ""},
		{"a type", `{` + server + `,"duration":"a"}`, "schema-mismatch /duration type", ""},
		{"a bound", `{` + server + `,"duration":0}`, "schema-mismatch /duration minimum", ""},
		{"int32", `{` + server + `,"duration":2147483648}`, "schema-mismatch /duration format", ""},
		{"an item has a star", `{` + server + `,"duration":1,"ports":[1,2,70000]}`, "schema-mismatch /ports/* maximum", ""},
		{"a schema in another file", `{` + server + `,"duration":1,"device":{"phoneNumber":"12"}}`, "schema-mismatch /device/phoneNumber pattern", ""},
		{"a format that the library does not know", `{` + server + `,"duration":1,"device":{"ipv4Address":"1.2.3"}}`, "schema-mismatch /device/ipv4Address format", ""},
		{"a name that the client chose is not told", `{` + server + `,"duration":1,"labels":{"secret":"123456789"}}`, "schema-mismatch /labels maxLength", ""},
		{"a property that no schema declares", `{` + server + `,"duration":1,"secret":1}`, "permit", "undeclared-property"},
		{"and one further down", `{` + server + `,"duration":1,"device":{"ipv4Address":"10.0.0.1","secret":1}}`, "permit", "undeclared-property /device"},
		{"a map is open", `{` + server + `,"duration":1,"labels":{"secret":"1"}}`, "permit", ""},
		{"null is no object", `null`, "schema-mismatch type", ""},
		{"an array is no object", `[]`, "schema-mismatch type", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			assert.Equal(t, row.want, judgeBody(t, judge, row.body))
			if row.denied == "" {
				row.denied = row.want
			}
			assert.Equal(t, row.denied, judgeBody(t, deny, row.body))
		})
	}
}

// TestBodyInBothVersions has what 3.0 and 3.1 must judge alike although they write
// it in other words.
func TestBodyInBothVersions(t *testing.T) {
	const components = `
components:
  schemas:
    Order:
      type: object
      required: [id, item]
      properties:
        id: {type: string, readOnly: true}
        item: {$ref: '#/components/schemas/Item'}
        count: {type: integer, format: int64}
        code: {type: string, enum: [a, b]}
        when: {type: string, format: date-time}
        parent: {$ref: '#/components/schemas/Order'}
    Item:
      allOf:
        - {type: object, properties: {name: {type: string, maxLength: 3, default: abc}}}
        - {type: object, properties: {size: {type: number, multipleOf: 0.5, exclusiveMinimum: EXCLUSIVE}}}
`
	for version, exclusive := range map[string]string{"3.0.3": "true, minimum: 0", "3.1.0": "0"} {
		judge := bodyJudge(t, version, "{$ref: '#/components/schemas/Order'}", strings.ReplaceAll(components, "EXCLUSIVE", exclusive), openapi.Options{})
		for _, row := range []struct{ name, body, want string }{
			{"readOnly is not required of a request", `{"item":{}}`, "permit"},
			{"readOnly is refused in a request", `{"item":{},"id":"x"}`, "schema-mismatch /id readOnly"},
			{"at any depth", `{"item":{},"parent":{"item":{},"id":"x"}}`, "schema-mismatch /parent/id readOnly"},
			{"int64 is exact", `{"item":{},"count":9223372036854775808}`, "schema-mismatch /count format"},
			{"the last int64", `{"item":{},"count":9223372036854775807}`, "permit"},
			{"an exponent beyond int64", `{"item":{},"count":1e300}`, "schema-mismatch /count format"},
			{"an exponent within it", `{"item":{},"count":1e3}`, "permit"},
			{"a fraction is no integer", `{"item":{},"count":1.5}`, "schema-mismatch /count type"},
			{"a number that would take ages", `{"item":{},"count":1e999999}`, "schema-mismatch /count format"},
			{"a long number", `{"item":{},"count":` + strings.Repeat("1", 41) + `}`, "schema-mismatch /count format"},
			{"a long number is exact", `{"item":{"size":` + strings.Repeat("1", 400) + `.5}}`, "permit"},
			{"and not a multiple", `{"item":{"size":` + strings.Repeat("1", 400) + `.7}}`, "schema-mismatch /item/size multipleOf"},
			{"an enum", `{"item":{},"code":"c"}`, "schema-mismatch /code enum"},
			{"a date-time", `{"item":{},"when":"2026-02-30T00:00:00Z"}`, "schema-mismatch /when format"},
			{"a bound in allOf", `{"item":{"name":"abcd"}}`, "schema-mismatch /item/name maxLength"},
			{"a multiple", `{"item":{"size":0.7}}`, "schema-mismatch /item/size multipleOf"},
			{"an exclusive bound", `{"item":{"size":0}}`, "schema-mismatch /item/size exclusiveMinimum"},
		} {
			t.Run(version+" "+row.name, func(t *testing.T) { assert.Equal(t, row.want, judgeBody(t, judge, row.body)) })
		}
	}
}

func TestBodyByKeywordsOf31(t *testing.T) {
	const components = `
components:
  schemas:
    Name: {type: [string, 'null'], const: x}
`
	judge := bodyJudge(t, "3.1.0", `
                type: object
                properties:
                  name: {$ref: '#/components/schemas/Name'}
                  kind: {const: car}
                  tags: {type: array, prefixItems: [{type: string}, {type: integer}], items: false}
                  left: {type: [integer, 'null']}
                patternProperties: {'^x-': {type: string}}
                additionalProperties: false
                dependentRequired: {kind: [left]}
`, components, openapi.Options{})
	for _, row := range []struct{ name, body, want string }{
		{"a good body", `{"name":"x","kind":"car","left":null,"tags":["a",1],"x-a":"b"}`, "permit"},
		{"const", `{"kind":"bus","left":1}`, "schema-mismatch /kind const"},
		{"a keyword behind a reference", `{"name":"y"}`, "schema-mismatch /name const"},
		{"prefixItems", `{"tags":[1]}`, "schema-mismatch /tags/* type"},
		{"dependentRequired", `{"kind":"car"}`, "schema-mismatch dependentRequired"},
		{"patternProperties", `{"x-secret":1}`, "schema-mismatch type"},
		{"additionalProperties", `{"secret":1}`, "schema-mismatch additionalProperties"},
	} {
		t.Run(row.name, func(t *testing.T) { assert.Equal(t, row.want, judgeBody(t, judge, row.body)) })
	}
}

// TestReferencesOf31AreNotMixedUp: the text of a reference means different things in
// different files.
func TestReferencesOf31AreNotMixedUp(t *testing.T) {
	c, err := openapi.Load(openapi.Options{File: "testdata/names/main.yaml"})
	require.NoError(t, err)
	judge := c.Operations()[0].Judge()
	assert.Equal(t, "permit", judgeBody(t, judge, `{"here":"main","there":"other","pick":{"kind":"a","a":1}}`))
	assert.Equal(t, "schema-mismatch /here const", judgeBody(t, judge, `{"here":"other"}`))
	assert.Equal(t, "schema-mismatch /there const", judgeBody(t, judge, `{"there":"main"}`))
}

func TestUndeclaredProperties(t *testing.T) {
	const components = `
components:
  schemas:
    Tree: {type: object, properties: {next: {$ref: '#/components/schemas/Tree'}, leaf: {type: string}}}
    Credential:
      properties: {kind: {type: string}}
      discriminator: {propertyName: kind, mapping: {plain: '#/components/schemas/Plain'}}
    Plain: {allOf: [{$ref: '#/components/schemas/Credential'}, {properties: {identifier: {type: string}}}]}
`
	for _, row := range []struct{ name, schema, body, want string }{
		{"a union over allOf", `{allOf: [{properties: {a: {}}}, {properties: {b: {}}}]}`, `{"a":1,"b":2}`, "permit"},
		{"a union over oneOf", `{oneOf: [{required: [a], properties: {a: {}}}, {required: [c], properties: {b: {}}}]}`, `{"a":1,"b":2}`, "permit"},
		{"a union over anyOf", `{anyOf: [{properties: {a: {}}}, {properties: {b: {}}}]}`, `{"c":2}`, "undeclared-property"},
		{"properties of one name in two branches", `{allOf: [{properties: {a: {properties: {x: {}}}}}, {properties: {a: {properties: {y: {}}}}}]}`, `{"a":{"x":1,"y":1}}`, "permit"},
		{"and what neither has", `{allOf: [{properties: {a: {properties: {x: {}}}}}, {properties: {a: {properties: {y: {}}}}}]}`, `{"a":{"z":1}}`, "undeclared-property /a"},
		{"through references and recursion", `{$ref: '#/components/schemas/Tree'}`, `{"next":{"next":{"leaf":"x","more":1}}}`, "undeclared-property /next/next"},
		{"what a discriminator maps to", `{properties: {c: {$ref: '#/components/schemas/Credential'}}}`, `{"c":{"kind":"plain","identifier":"a"}}`, "permit"},
		{"and what it does not", `{properties: {c: {$ref: '#/components/schemas/Credential'}}}`, `{"c":{"kind":"plain","more":1}}`, "undeclared-property /c"},
		{"in items", `{type: array, items: {properties: {a: {}}}}`, `[{"a":1},{"b":1}]`, "undeclared-property /*"},
		{"below a map, at the map", `{properties: {m: {additionalProperties: {properties: {a: {}}}}}}`, `{"m":{"secret":{"b":1}}}`, "undeclared-property /m"},
		{"additionalProperties: true is a declaration", `{properties: {a: {}}, additionalProperties: true}`, `{"b":1}`, "permit"},
		{"so is a schema", `{properties: {a: {}}, additionalProperties: {}}`, `{"b":1}`, "permit"},
		{"an object without properties is free", `{type: object}`, `{"b":{"c":1}}`, "permit"},
		{"so is what no schema describes", `{}`, `{"b":1}`, "permit"},
		{"a schema fault comes first", `{properties: {a: {type: string}}}`, `{"a":1,"b":1}`, "schema-mismatch /a type"},
	} {
		t.Run(row.name, func(t *testing.T) {
			assert.Equal(t, row.want, judgeBody(t, bodyJudge(t, "3.0.3", row.schema, components, openapi.Options{UndeclaredProperties: "deny"}), row.body))
		})
	}
}

func TestDeclaresBodyPointer(t *testing.T) {
	op := sessions(t, openapi.Options{})["createSession"]
	for ptr, want := range map[string]bool{
		"/device": true, "/device/ipv4Address": true, "/applicationServer/ipAddresses/0": true, "/applicationServer/ipv6Address": true,
		"/ports/*": true, "/ports/-": true, "": false, "device": false, "/nope": false, "/device/nope": false, "/labels/x": false, "/ports/x": false, "/device/0": false,
	} {
		assert.Equal(t, want, op.DeclaresBodyPointer(ptr), ptr)
	}
	assert.False(t, sessions(t, openapi.Options{})["getSession"].DeclaresBodyPointer("/device"))
}

func TestBodyByMediaType(t *testing.T) {
	judge := func(required string) *openapi.Judge {
		return load(t, document("3.0.3", `
paths:
  /p:
    post:
      requestBody:
        required: `+required+`
        content:
          application/json: {schema: {type: object}}
          Application/Merge-Patch+JSON; charset=utf-8: {schema: {type: array, items: {}}}
          application/xml: {schema: {type: object}}
          text/*: {schema: {type: string}}
          image/png: {}
      responses: {'200': {description: ok}}
`), openapi.Options{}).Operations()[0].Judge()
	}
	for _, row := range []struct {
		name, media string
		value       string // JSON, or "" of a body that is not
		present     bool
		want        string
	}{
		{"no body", "", "", false, "permit"},
		{"JSON", "application/json", `{}`, true, "permit"},
		{"parameters and case do not count", "APPLICATION/JSON; charset=utf-8", `[]`, true, "schema-mismatch type"},
		{"another JSON", "application/merge-patch+json", `[]`, true, "permit"},
		{"XML is not judged", "application/xml", "", true, "undecided schema-unsupported"},
		{"text is a string", "text/plain", `"x"`, true, "permit"},
		{"of text that is not UTF-8 the schema says nothing", "text/plain", "", true, "permit"},
		{"text of another type is not read", "text/csv", "", true, "permit"},
		{"no schema", "image/png", "", true, "permit"},
		{"what is not declared is for in.ctype", "image/gif", "", true, "undecided prerequisite-failed in.ctype"},
		{"so is no type at all", "", "", true, "undecided prerequisite-failed in.ctype"},
	} {
		t.Run(row.name, func(t *testing.T) {
			assert.Equal(t, row.want, said(judge("false").Judge(&policy.Request{}, row.media, tokens(t, row.value), row.present)))
		})
	}
	assert.Equal(t, "body-required", said(judge("true").Judge(&policy.Request{}, "", nothing, false)))
	get := sessions(t, openapi.Options{})["DELETE /quality/vwip/sessions/{sessionId}"]
	r := &policy.Request{Match: policy.Match{Params: []policy.Pair{{Name: "sessionId", Value: "f47ac10b-58cc-4372-a567-0e02b2c3d479"}}}}
	assert.Equal(t, "permit", said(get.Judge().Judge(r, "", nothing, false)))
	assert.Equal(t, "undecided prerequisite-failed in.ctype", said(get.Judge().Judge(r, "application/json", nothing, true)), "an undeclared body is for in.ctype")
}

// TestHostileValuesEndSoon: each of these takes a naive validator seconds, or all
// memory.
func TestHostileValuesEndSoon(t *testing.T) {
	const components = `
components:
  schemas:
    Any:
      anyOf: [{type: object, properties: {a: {$ref: '#/components/schemas/Any'}}}, {type: array, items: {$ref: '#/components/schemas/Any'}}, {type: string}]
    One:
      oneOf:
        - {type: object, properties: {a: {$ref: '#/components/schemas/One'}}, required: [a]}
        - {type: object, properties: {a: {$ref: '#/components/schemas/One'}}, required: [b]}
        - {type: string}
    Closed: {type: object, properties: {a: {type: string}}, additionalProperties: false}
    List: {type: array, uniqueItems: true, items: {}}
    Matched: {type: string, pattern: '^(a+)+$'}
`
	unknown := map[string]any{}
	for i := range 20_000 {
		unknown[fmt.Sprintf("secret%d", i)] = "x"
	}
	nested := func(n int) any {
		var v any = "leaf"
		for range n {
			v = map[string]any{"a": v}
		}
		return v
	}
	deep := func(n int) any {
		var v any = []any{}
		for range n {
			v = []any{v}
		}
		return v
	}
	unique := make([]any, 20_000)
	for i := range unique {
		unique[i] = json.Number(fmt.Sprint(i))
	}
	for _, version := range []string{"3.0.3", "3.1.0"} {
		for _, row := range []struct {
			name, schema string
			value        any
			want         string
		}{
			{"a recursive anyOf", "Any", nested(2_000), "permit"},
			{"a recursive oneOf", "One", nested(2_000), "permit"},
			{"a recursive anyOf of use", "Any", nested(8), "permit"},
			{"twenty thousand unknown properties", "Closed", unknown, "schema-mismatch additionalProperties"},
			{"brackets nested deep", "Closed", deep(200), "schema-mismatch type"},
			{"and deeper", "List", deep(9_000), "permit"},
			{"many unique items", "List", unique, "permit"},
			{"an adversarial pattern", "Matched", strings.Repeat("a", 100_000) + "!", "schema-mismatch pattern"},
		} {
			t.Run(version+" "+row.name, func(t *testing.T) {
				judge := bodyJudge(t, version, "{$ref: '#/components/schemas/"+row.schema+"'}", components, openapi.Options{})
				ends(t, func() {
					v := judge.Judge(&policy.Request{}, "application/json", tokensOf(t, row.value), true)
					assert.Equal(t, row.want, said(v))
					assert.Less(t, len(v.Detail), 100)
				})
			})
		}
	}
}

func TestParameters(t *testing.T) {
	judge := load(t, document("3.0.3", `
paths:
  /p/{id}:
    get:
      parameters:
        - {name: id, in: path, required: true, schema: {type: string, pattern: '^[a-z]+$'}}
        - {name: limit, in: query, schema: {type: integer, minimum: 1, maximum: 100}}
        - {name: need, in: query, required: true, schema: {type: string}}
        - {name: on, in: query, schema: {type: boolean}}
        - {name: ratio, in: query, schema: {type: number}}
        - {name: ids, in: query, schema: {type: array, maxItems: 3, items: {type: integer}}}
        - {name: csv, in: query, explode: false, schema: {type: array, items: {type: string, enum: [a, b]}}}
        - {name: pipe, in: query, style: pipeDelimited, explode: false, schema: {type: array, items: {type: integer}}}
        - {name: deep, in: query, style: deepObject, explode: true, schema: {type: object, additionalProperties: false, properties: {from: {type: integer}, to: {type: integer}}}}
        - {name: list, in: query, style: deepObject, explode: true, schema: {type: object, properties: {x: {type: array, items: {type: string}}}}}
        - {name: page, in: query, schema: {type: object, properties: {size: {type: integer}, after: {type: string}}}}
        - {name: doc, in: query, content: {application/json: {schema: {type: object, properties: {n: {type: integer, maximum: 5}}}}}}
        - {name: csvdoc, in: query, content: {text/csv: {schema: {type: object}}}}
        - {name: untyped, in: query, schema: {enum: [x, 1]}}
        - {name: either, in: query, schema: {oneOf: [{type: integer, minimum: 10}, {type: string, pattern: '^[0-9]$'}]}}
        - {name: empty, in: query, allowEmptyValue: true, schema: {type: string, minLength: 2}}
        - {name: X-Ids, in: header, schema: {type: array, items: {type: integer}}}
        - {name: x-one, in: header, schema: {type: string, maxLength: 2}}
        - {name: Authorization, in: header, required: true, schema: {type: string}}
        - {name: sid, in: cookie, schema: {type: string, format: uuid}}
      responses: {'200': {description: ok}}
`), openapi.Options{}).Operations()[0].Judge()
	for _, row := range []struct{ name, id, query, header, want string }{
		{"a good request", "abc", "need=", "", "permit"},
		{"a missing parameter", "abc", "", "", "parameter-missing query.need"},
		{"the path is judged decoded", "a1", "need=", "", "parameter-invalid path.id pattern"},
		{"a bound", "abc", "need=&limit=101", "", "parameter-invalid query.limit maximum"},
		{"a type", "abc", "need=&limit=ten", "", "parameter-invalid query.limit type"},
		{"an empty integer", "abc", "need=&limit=", "", "parameter-invalid query.limit type"},
		{"a scalar twice", "abc", "need=&limit=1&limit=1000", "", "parameter-invalid query.limit repeated"},
		{"T is no boolean", "abc", "need=&on=T", "", "parameter-invalid query.on type"},
		{"a boolean", "abc", "need=&on=false", "", "permit"},
		{"NaN is no number", "abc", "need=&ratio=NaN", "", "parameter-invalid query.ratio type"},
		{"nor is infinity", "abc", "need=&ratio=Inf", "", "parameter-invalid query.ratio type"},
		{"nor hexadecimal", "abc", "need=&ratio=0x1p4", "", "parameter-invalid query.ratio type"},
		{"nor what takes ages", "abc", "need=&ratio=1e999999", "", "parameter-invalid query.ratio type"},
		{"a leading plus is a space", "abc", "need=&ratio=+1", "", "parameter-invalid query.ratio type"},
		{"a number", "abc", "need=&ratio=-1.5e3", "", "permit"},
		{"an exploded array", "abc", "need=&ids=1&ids=2", "", "permit"},
		{"its items are judged", "abc", "need=&ids=1&ids=x", "", "parameter-invalid query.ids/* type"},
		{"its bounds too", "abc", "need=&ids=1&ids=2&ids=3&ids=4", "", "parameter-invalid query.ids maxItems"},
		{"a delimited array", "abc", "need=&csv=a,b", "", "permit"},
		{"with a bad item", "abc", "need=&csv=a,secret", "", "parameter-invalid query.csv/* enum"},
		{"twice", "abc", "need=&csv=a&csv=secret", "", "parameter-invalid query.csv repeated"},
		{"pipes", "abc", "need=&pipe=1|2", "", "permit"},
		{"a bad item between pipes", "abc", "need=&pipe=1|x", "", "parameter-invalid query.pipe/* type"},
		{"deepObject", "abc", "need=&deep[from]=1&deep[to]=2", "", "permit"},
		{"deepObject's members are judged", "abc", "need=&deep[from]=x", "", "parameter-invalid query.deep/from type"},
		{"an unknown member of a closed one", "abc", "need=&deep[secret]=1", "", "parameter-invalid query.deep additionalProperties"},
		{"a member twice", "abc", "need=&deep[from]=1&deep[from]=2", "", "parameter-invalid query.deep repeated"},
		{"an index bomb", "abc", "need=&list[x][1000000000]=1", "", "parameter-invalid query.list style"},
		{"a bracket that stays open", "abc", "need=&deep[from=1", "", "parameter-invalid query.deep style"},
		{"an exploded object", "abc", "need=&size=5&after=x", "", "permit"},
		{"its members are judged", "abc", "need=&size=x", "", "parameter-invalid query.page/size type"},
		{"a JSON document", "abc", "need=&doc={\"n\":5}", "", "permit"},
		{"its schema", "abc", "need=&doc={\"n\":6}", "", "parameter-invalid query.doc/n maximum"},
		{"a duplicate member", "abc", "need=&doc={\"n\":6,\"n\":5}", "", "parameter-invalid query.doc json"},
		{"a second value", "abc", "need=&doc={}{}", "", "parameter-invalid query.doc json"},
		{"nested deep", "abc", "need=&doc=" + strings.Repeat("[", 5000), "", "parameter-invalid query.doc json"},
		{"another media type", "abc", "need=&csvdoc=a", "", "undecided schema-unsupported"},
		{"a schema without a type", "abc", "need=&untyped=x", "", "permit"},
		{"which may be a number", "abc", "need=&untyped=1", "", "permit"},
		{"or nothing of it", "abc", "need=&untyped=2", "", "parameter-invalid query.untyped enum"},
		{"one of two types", "abc", "need=&either=12", "", "permit"},
		{"or the other", "abc", "need=&either=5", "", "permit"},
		{"or none", "abc", "need=&either=ab", "", "parameter-invalid query.either oneOf"},
		{"an allowed empty value", "abc", "need=&empty=", "", "permit"},
		{"which else is judged", "abc", "need=&empty=a", "", "parameter-invalid query.empty minLength"},
		{"an unknown parameter", "abc", "need=&secret=1", "", "parameter-undeclared query"},
		{"a semicolon parts nothing", "abc", "need=1;limit=1000", "", "permit"},
		{"a header in two lines", "abc", "need=", "X-Ids: 1, 2\nX-Ids: 3", "permit"},
		{"with a bad item", "abc", "need=", "X-Ids: 1\nX-Ids: x", "parameter-invalid header.X-Ids/* type"},
		{"a scalar header twice", "abc", "need=", "X-One: a\nX-One: secret", "parameter-invalid header.x-one repeated"},
		{"a header", "abc", "need=", "X-One: abc", "parameter-invalid header.x-one maxLength"},
		{"a cookie", "abc", "need=", "Cookie: a=b; sid=secret", "parameter-invalid cookie.sid format"},
		{"a cookie twice", "abc", "need=", "Cookie: sid=f47ac10b-58cc-4372-a567-0e02b2c3d479; sid=secret", "parameter-invalid cookie.sid repeated"},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := &policy.Request{
				Query: policy.ParseQuery(row.query), Header: http.Header{},
				Match: policy.Match{Params: []policy.Pair{{Name: "id", Value: row.id}}},
			}
			for line := range strings.Lines(row.header) {
				name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
				r.Header.Add(name, value)
			}
			ends(t, func() { assert.Equal(t, row.want, said(judge.Judge(r, "", nothing, false))) })
		})
	}
}

func TestStylesOfPathParameters(t *testing.T) {
	for _, row := range []struct{ name, style, schema, value, want string }{
		{"simple array", "simple", "array", "1,2", "permit"},
		{"label", "label", "integer", ".5", "permit"},
		{"label without its dot", "label", "integer", "5", "parameter-invalid path.x style"},
		{"label array", "label", "array", ".1,2", "permit"},
		{"exploded label array", "label, explode: true", "array", ".1.2", "permit"},
		{"matrix", "matrix", "integer", ";x=5", "permit"},
		{"matrix of another name", "matrix", "integer", ";y=5", "parameter-invalid path.x style"},
		{"matrix array", "matrix", "array", ";x=1,2", "permit"},
		{"exploded matrix array", "matrix, explode: true", "array", ";x=1;x=2", "permit"},
		{"simple object", "simple", "object", "a,1,b,2", "permit"},
		{"simple object with a bad member", "simple", "object", "a,1,b,x", "parameter-invalid path.x/b type"},
		{"simple object without a value", "simple", "object", "a,1,b", "parameter-invalid path.x style"},
		{"exploded simple object", "simple, explode: true", "object", "a=1,b=2", "permit"},
		{"matrix object", "matrix", "object", ";x=a,1,b,2", "permit"},
		{"exploded matrix object", "matrix, explode: true", "object", ";a=1;b=2", "permit"},
		{"exploded label object", "label, explode: true", "object", ".a=1.b=2", "permit"},
		{"without an equals sign", "label, explode: true", "object", ".a", "parameter-invalid path.x style"},
	} {
		t.Run(row.name, func(t *testing.T) {
			schema := map[string]string{"integer": "{type: integer}", "array": "{type: array, items: {type: integer}}", "object": "{type: object, properties: {a: {type: integer}, b: {type: integer}}}"}[row.schema]
			judge := load(t, document("3.0.3", "paths: {'/p/{x}': {get: {parameters: [{name: x, in: path, required: true, style: "+row.style+", schema: "+schema+"}], responses: {'200': {description: ok}}}}}\n"), openapi.Options{}).Operations()[0].Judge()
			r := &policy.Request{Match: policy.Match{Params: []policy.Pair{{Name: "x", Value: row.value}}}}
			assert.Equal(t, row.want, said(judge.Judge(r, "", nothing, false)))
		})
	}
}

func TestFormats(t *testing.T) {
	for format, rows := range map[string]struct{ good, bad []string }{
		"uuid":      {[]string{"F47AC10B-58cc-4372-a567-0e02b2c3d479"}, []string{"", "f47ac10b58cc4372a5670e02b2c3d479", "g47ac10b-58cc-4372-a567-0e02b2c3d479", "f47ac10b-58cc-4372-a567-0e02b2c3d479\n"}},
		"email":     {[]string{"a.b+c@example.com"}, []string{"a", "a@", "@b", "A <a@b.c>", "a@b.c, d@e.f", "a b@c.d"}},
		"ipv4":      {[]string{"1.2.3.4"}, []string{"1.2.3", "01.2.3.4", "::1", "1.2.3.4/8", "0x1.2.3.4"}},
		"ipv6":      {[]string{"::1", "2001:db8::1", "::ffff:1.2.3.4"}, []string{"1.2.3.4", "::1%eth0", "[::1]", ":::"}},
		"uri":       {[]string{"https://a.example/b?c=%20#d", "urn:isbn:1", "mailto:a@b.c"}, []string{"", "/a", "//a.example", "https://a b", "https://a/ü", "https://a/%zz", "https://a/?%z", "a\\b:c"}},
		"hostname":  {[]string{"a", "a-b.example.com", "1.example"}, []string{"", ".", "a..b", "-a", "a-", "a_b", "ü.example", strings.Repeat("a", 64)}},
		"date":      {[]string{"2024-02-29"}, []string{"2023-02-29", "2023-2-1", "2023-01-01T00:00:00Z", "20230101", "+023-01-01"}},
		"date-time": {[]string{"2026-01-02T03:04:05Z", "2026-01-02t03:04:05.123456+02:00", "1990-12-31T23:59:60z"}, []string{"2026-01-02", "2026-01-02T03:04:05", "2026-01-02 03:04:05Z", "2026-13-02T03:04:05Z", "2026-01-02T24:00:00Z", "2026-01-02T03:04:61Z", "2026-01-02T03:04:05.Z", "2026-01-02T03:04:05,1Z", "2026-01-02T03:04:05+25:00", "2026-01-02T03:04:05+0200", "2026-01-02T3:04:05Z"}},
		"byte":      {[]string{"", "YQ==", "YWJj"}, []string{"YQ", "YQ==\n", "Y-Q=", "===="}},
	} {
		for _, version := range []string{"3.0.3", "3.1.0"} {
			judge := bodyJudge(t, version, "{type: string, format: "+format+"}", "", openapi.Options{})
			for _, s := range rows.good {
				assert.Equal(t, "permit", said(judge.Judge(&policy.Request{}, "application/json", tokensOf(t, s), true)), "%s %s %q", version, format, s)
			}
			for _, s := range rows.bad {
				assert.Equal(t, "schema-mismatch format", said(judge.Judge(&policy.Request{}, "application/json", tokensOf(t, s), true)), "%s %s %q", version, format, s)
			}
		}
	}
}

// FuzzJudge: no panic, and nothing of the client in a detail.
func FuzzJudge(f *testing.F) {
	const schema = `
              type: object
              required: [id]
              properties:
                id: {type: string, readOnly: true}
                name: {type: string, default: nobody, maxLength: 4, pattern: '^[a-z]*$'}
                size: {type: number, default: 1, maximum: 10}
                kind: {oneOf: [{type: string, enum: [q]}, {type: object, additionalProperties: false, properties: {z: {type: integer, default: 3}}}]}
                list: {type: array, uniqueItems: true, items: {type: object, properties: {when: {type: string, format: date}}}}
                map: {type: object, additionalProperties: {type: integer}}
                child: {$ref: '#/components/schemas/Node'}
`
	const components = `
components: {schemas: {Node: {anyOf: [{type: object, properties: {child: {$ref: '#/components/schemas/Node'}}}, {type: string, maxLength: 2}]}}}
`
	var judges []*openapi.Judge
	for _, version := range []string{"3.0.3", "3.1.0"} {
		for _, undeclared := range []string{"contract", "deny"} {
			judges = append(judges, bodyJudge(f, version, schema, components, openapi.Options{UndeclaredProperties: undeclared}))
		}
	}
	for _, body := range []string{
		`{}`, `null`, `[1]`, `{"name":"SECRET"}`, `{"kind":{"z":1,"SECRET":2}}`, `{"list":[{"when":"SECRET"}]}`, `{"map":{"SECRET":"x"}}`,
		`{"child":{"child":{"child":"SECRET"}}}`, `{"size":1e999}`, `{"SECRET":[[[[[]]]]]}`, `{"id":"x"}`, `{"list":[1,1]}`,
	} {
		f.Add(body)
	}
	contract := strings.NewReplacer("id", "", "name", "", "size", "", "kind", "", "list", "", "map", "", "child", "", "when", "", "z", "")
	f.Fuzz(func(t *testing.T, body string) {
		if len(body) > 16<<10 {
			return
		}
		if !jsontext.Value(body).IsValid() {
			return
		}
		for _, judge := range judges {
			v := judge.Judge(&policy.Request{}, "application/json", tokens(t, body), true)
			require.NotEqual(t, policy.InternalError, v.Reason, "%v", v.Err)
			place, word, ok := strings.Cut(" "+v.Detail, " ")
			require.True(t, ok)
			if i := strings.LastIndexByte(word, ' '); i >= 0 {
				place, word = word[:i], word[i+1:]
			} else if strings.HasPrefix(word, "/") {
				place, word = word, ""
			}
			require.Empty(t, strings.Trim(contract.Replace(place), "/*"), "the detail %q has a name that no schema declares", v.Detail)
			require.NotContains(t, word, "/")
			require.Less(t, len(v.Detail), 4096)
		}
	})
}

func BenchmarkJudge(b *testing.B) {
	const schema = `
              type: object
              required: [id, lines]
              properties:
                id: {type: string, format: uuid}
                state: {type: string, enum: [open, closed]}
                email: {type: string, format: email}
                lines: {type: array, maxItems: 100, items: {type: object, required: [sku], properties: {sku: {type: string, pattern: '^[A-Z]{2}-[0-9]+$'}, count: {type: integer, minimum: 1}}}}
`
	const body = `{"id":"f47ac10b-58cc-4372-a567-0e02b2c3d479","state":"open","email":"a@example.com","lines":[{"sku":"AB-1","count":1},{"sku":"AB-2","count":2},{"sku":"AB-3","count":3}]}`
	type token struct {
		kind jsontext.Kind
		text []byte
	}
	var read []token
	for kind, text := range tokens(b, body) {
		read = append(read, token{kind, text})
	}
	all := func(yield func(jsontext.Kind, []byte) bool) {
		for _, t := range read {
			if !yield(t.kind, t.text) {
				return
			}
		}
	}
	for _, version := range []string{"3.0.3", "3.1.0"} {
		judge := bodyJudge(b, version, schema, "", openapi.Options{UndeclaredProperties: "deny"})
		b.Run(version, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if v := judge.Judge(&policy.Request{}, "application/json", all, true); v.Effect != policy.Permit {
					b.Fatal(v)
				}
			}
		})
	}
}

func TestAMemberInAnotherCaseIsNoMember(t *testing.T) {
	t.Parallel()
	for _, deny := range []string{"contract", "deny"} {
		judge := load(t, document("3.0.3", `
paths:
  /p:
    post:
      requestBody:
        content:
          application/json: {schema: {type: object, properties: {amount: {type: integer, maximum: 10}}}}
      responses: {'200': {description: ok}}
`), openapi.Options{UndeclaredProperties: deny}).Operations()[0].Judge()
		assert.Equal(t, "undeclared-property", said(judge.Judge(&policy.Request{}, "application/json", tokens(t, `{"amount":1,"Amount":99}`), true)))
		assert.Equal(t, "permit", said(judge.Judge(&policy.Request{}, "application/json", tokens(t, `{"amount":1}`), true)))
	}
}
