package openapi_test

import (
	"fmt"
	"iter"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/openapi"
)

// text are the tokens of a body that is one string, or bytes.
func text(s string) iter.Seq2[jsontext.Kind, []byte] {
	return func(yield func(jsontext.Kind, []byte) bool) { yield(jsontext.KindString, []byte(s)) }
}

// saidWhy is a verdict with its detail, also of one that is undecided.
func saidWhy(v policy.Verdict) string {
	if v.Effect == policy.Indeterminate {
		return strings.TrimSpace(said(v) + " " + v.Detail)
	}
	return said(v)
}

// bodyOf is a contract of one operation whose body has one media type.
func bodyOf(t testing.TB, version, media, schema string, o openapi.Options) *openapi.Contract {
	t.Helper()
	return load(t, document(version, fmt.Sprintf(`
paths:
  /p:
    post:
      requestBody: {content: {'%s': {schema: %s}}}
      responses: {'200': {description: ok}}
`, media, schema)), o)
}

func notesOf(c *openapi.Contract) []string {
	var all []string
	for _, n := range c.Notes() {
		all = append(all, n.String())
	}
	return all
}

// What nobody reads is permitted only where the schema says nothing of it, or its length
// alone; and where it is undecided, check says so before anything enforces.
func TestBodiesThatNobodyReads(t *testing.T) {
	t.Parallel()
	const undecided = "undecided schema-unsupported"
	for _, row := range []struct{ version, media, schema, body, want, engine string }{
		{"3.0.3", "image/png", "{}", "x", "permit", "size only"},
		{"3.1.0", "application/pdf", "true", "x", "permit", "size only"},
		{"3.1.0", "application/octet-stream", "{contentMediaType: application/octet-stream, contentEncoding: base64}", "x", "permit", "size only"},
		{"3.1.0", "application/vnd.x", "{type: [string, 'null'], title: x, description: y}", "x", "permit", "size only"},
		{"3.1.0", "application/vnd.x", "{anyOf: [{type: string, format: binary}, {type: 'null'}]}", "x", "permit", "size only"},
		{"3.1.0", "application/vnd.x", "{oneOf: [{type: object}, {allOf: [{type: string}, {maxLength: 1}]}], not: {type: integer}}", "xy", "schema-mismatch maxLength", "size only"},
		{"3.1.0", "application/vnd.x", "{anyOf: [{type: string}, {type: string, pattern: a}]}", "x", "permit", "size only"},
		{"3.1.0", "application/vnd.x", "{oneOf: [{type: string}, {type: string, pattern: a}]}", "x", undecided, "undecided"},
		{"3.1.0", "application/vnd.x", "{not: {type: string}}", "x", undecided, "undecided"},
		{"3.1.0", "application/vnd.x", "{type: string, if: {minLength: 1}, then: {pattern: a}}", "x", undecided, "undecided"},
		{"3.1.0", "application/vnd.x", "{type: [string, object], required: [a]}", "x", undecided, "undecided"},
		{"3.1.0", "application/vnd.x", "false", "x", undecided, "undecided"},
		{"3.0.3", "image/png", "{type: string, format: binary, maxLength: 5}", "12345", "permit", "size only"},
		{"3.0.3", "image/png", "{type: string, format: binary, maxLength: 5}", "éé\xff\xff", "schema-mismatch maxLength", "size only"},
		{"3.0.3", "image/png", "{allOf: [{type: string, minLength: 2}, {minLength: 1, maxLength: 9}]}", "1", "schema-mismatch minLength", "size only"},
		{"3.0.3", "application/jwt", "{type: string, pattern: '^a'}", "a", undecided, "undecided"},
		{"3.0.3", "application/jwt", "{type: string, enum: [a]}", "a", undecided, "undecided"},
		{"3.0.3", "application/x-ndjson", "{type: object}", "{}", undecided, "undecided"},
		{"3.0.3", "application/yaml", "{properties: {a: {}}}", "a", undecided, "undecided"},
		{"3.0.3", "text/csv", "{type: string, maxLength: 5}", "éé€€€", "permit", "stream"},
		{"3.0.3", "text/csv", "{type: string, maxLength: 5}", "abcdef", "schema-mismatch maxLength", "stream"},
		{"3.0.3", "text/csv", "{type: string, pattern: '^a'}", "b", "schema-mismatch pattern", "stream"},
		{"3.0.3", "text/csv", "{type: array, items: {type: string}}", "b", undecided, "undecided"},
		{"3.0.3", "text/plain", "{type: object}", "b", undecided, "undecided"},
		{"3.0.3", "text/yaml", "{properties: {a: {type: string}}}", "b", undecided, "undecided"},
		{"3.0.3", "text/csv", "{type: string}", "", "permit", "size only"},
		{"3.0.3", "text/xml", "{type: string}", "", "permit", "syntax only"},
		{"3.0.3", "text/xml", "{type: string, maxLength: 5}", "", undecided, "undecided"},
		{"3.0.3", "application/xml", "{type: object}", "", undecided, "undecided"},
		{"3.0.3", "application/soap+xml", "{}", "", "permit", "syntax only"},
		{"3.1.0", "multipart/mixed", "{}", "", "permit", "syntax only"},
		{"3.0.3", "multipart/mixed", "{type: object}", "", undecided, "stream"},
		{"3.0.3", "multipart/form-data", "{type: string, maxLength: 1}", "", undecided, "undecided"},
		{"3.0.3", "application/x-www-form-urlencoded", "{type: string}", "", "permit", "syntax only"},
	} {
		c := bodyOf(t, row.version, row.media, row.schema, openapi.Options{})
		op := c.Operations()[0]
		v := op.Judge().Judge(&policy.Request{}, row.media, text(row.body), true)
		if row.body == "" {
			v = op.Judge().Judge(&policy.Request{}, row.media, nothing, true)
		}
		want := row.want
		if want == undecided {
			want += " body " + row.media
		}
		about := row.media + " " + row.schema
		assert.Equal(t, want, saidWhy(v), about)
		assert.Equal(t, openapi.Engine(row.engine), op.Engines().Body[row.media], about)
		if row.engine == "undecided" {
			assert.Equal(t, []string{fmt.Sprintf(
				"contract.yaml: /paths/~1p/post/requestBody/content/%s/schema: bodies of type %q are not judged by their schema: in.schema is undecided there",
				strings.ReplaceAll(row.media, "/", "~1"), row.media)}, notesOf(c), about)
		} else {
			assert.Empty(t, notesOf(c), about)
		}
	}
}

func TestRangesOfBodiesThatNobodyReads(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ media, schema, sent, body, want, note string }{
		{"*/*", "{}", "image/png", "x", "permit", ""},
		{"*/*", "{}", "application/xml", "", "permit", ""},
		{"*/*", "{}", "multipart/mixed", "", "permit", ""},
		{"*/*", "{type: string, maxLength: 2}", "image/png", "xyz", "schema-mismatch maxLength", `"*/*" are not judged by their schema where they are of such a type as application/xml, multipart/form-data, text/xml: in`},
		{"*/*", "{type: string, maxLength: 2}", "text/csv", "xyz", "schema-mismatch maxLength", `"*/*" are not`},
		{"*/*", "{type: string, pattern: '^a'}", "text/csv", "x", "schema-mismatch pattern", `"*/*" are not judged by their schema where they are of such a type as application/octet-stream, application/xml, image/png, multipart/form-data, text/xml: in`},
		{"*/*", "{type: string, pattern: '^a'}", "image/png", "a", "undecided schema-unsupported body */*", `"*/*" are not judged by their schema where they are of such a type as application/octet-stream, application/xml, image/png, multipart/form-data, text/xml: in`},
		{"image/*", "{type: string, pattern: '^a'}", "image/png", "a", "undecided schema-unsupported body image/*", `"image/*" are not judged by their schema where they are of such a type as image/png: in.schema is undecided there`},
	} {
		c := bodyOf(t, "3.1.0", row.media, row.schema, openapi.Options{})
		tokens := text(row.body)
		if row.body == "" {
			tokens = nothing
		}
		assert.Equal(t, row.want, saidWhy(c.Operations()[0].Judge().Judge(&policy.Request{}, row.sent, tokens, true)), "%s %s", row.schema, row.sent)
		if row.note == "" {
			assert.Empty(t, notesOf(c), row.schema)
		} else if assert.Len(t, notesOf(c), 1, row.schema) {
			assert.Contains(t, notesOf(c)[0], "bodies of type "+row.note)
		}
	}
}

func TestEnginesAreTheWeakest(t *testing.T) {
	t.Parallel()
	c := load(t, document("3.0.3", `
paths:
  /p:
    get:
      parameters:
        - {name: q, in: query, content: {text/plain: {schema: {maxLength: 2}}}}
        - {name: s, in: query, content: {text/plain: {schema: {type: string}}}}
        - {name: z, in: query, schema: {type: integer}}
      responses:
        '200': {description: ok, content: {application/xml: {schema: {required: [b]}}, text/plain: {schema: {maxLength: 2}}, text/html: {schema: {type: string}}, image/png: {}}}
    delete: {responses: {'204': {description: done}}}
    put: {parameters: [{name: z, in: query, schema: {type: integer}}], responses: {'200': {description: ok}}}
`), openapi.Options{Answers: true})
	engines := map[string]openapi.Engines{}
	judges := map[string]*openapi.Judge{}
	for _, op := range c.Operations() {
		engines[op.Method], judges[op.Method] = op.Engines(), op.Judge()
	}
	assert.Equal(t, openapi.EngineUndecided, engines["GET"].Parameters)
	assert.Equal(t, openapi.EngineStream, engines["PUT"].Parameters)
	assert.Equal(t, map[string]openapi.Engine{"": openapi.EngineType}, engines["DELETE"].Answers, "status-undeclared is judged")
	assert.Equal(t, []string{
		`contract.yaml: /paths/~1p/get/parameters: parameter "q" is not JSON and is not judged: in.schema is undecided there`,
		`contract.yaml: /paths/~1p/get/responses/200/content/application~1xml/schema: answers of type "application/xml" are not judged by their schema`,
		`contract.yaml: /paths/~1p/get/responses/200/content/text~1plain/schema: answers of type "text/plain" are not judged by their schema`,
	}, notesOf(c))
	with := func(query string) string {
		return saidWhy(judges["GET"].Judge(&policy.Request{RawQuery: query, Query: policy.ParseQuery(query)}, "", nothing, false))
	}
	assert.Equal(t, "permit", with("s=toolong&z=1"), "a text of which the schema says nothing")
	assert.Equal(t, "undecided schema-unsupported query.q", with("q=toolong&z=1"))
}

// A parameter and a field of which the contract says nothing may come several times; one
// whose text is bounded may not, because its bound would say nothing of an array.
func TestRepeatedValuesOfAnOpenSchema(t *testing.T) {
	t.Parallel()
	c := load(t, document("3.1.0", `
paths:
  /p:
    post:
      parameters: [{name: a, in: query, schema: {}}, {name: b, in: query, schema: {maxLength: 2}}, {name: c, in: query, schema: {items: {type: integer}}}, {name: h, in: query, style: form, explode: false, schema: {}}]
      requestBody: {content: {application/x-www-form-urlencoded: {schema: {properties: {a: {}, b: {maxLength: 2}, c: {items: {type: integer}}}}}}}
      responses: {'200': {description: ok}}
`), openapi.Options{})
	judge := c.Operations()[0].Judge()
	for query, want := range map[string]string{
		"a=1&a=2": "permit", "a=1": "permit", "b=1&b=2": "parameter-invalid query.b repeated", "b=abc": "parameter-invalid query.b maxLength",
		"c=1&c=2": "permit", "c=1&c=x": "parameter-invalid query.c/* type", "h=1&h=2": "parameter-invalid query.h repeated",
	} {
		assert.Equal(t, want, said(judge.Judge(&policy.Request{RawQuery: query, Query: policy.ParseQuery(query)}, "", nothing, false)), query)
	}
	form := func(names ...string) string {
		return said(judge.Judge(&policy.Request{}, "application/x-www-form-urlencoded", func(yield func(jsontext.Kind, []byte) bool) {
			if !yield(jsontext.KindBeginObject, nil) {
				return
			}
			for _, token := range names {
				if !yield(jsontext.KindString, []byte(token)) {
					return
				}
			}
			yield(jsontext.KindEndObject, nil)
		}, true))
	}
	assert.Equal(t, "permit", form("a", "1", "a", "2"))
	assert.Equal(t, "schema-mismatch /b repeated", form("b", "1", "b", "2"))
	assert.Equal(t, "permit", form("c", "1", "c", "2"))
}

func TestFreeFormObjectsAreNotedUnderDeny(t *testing.T) {
	t.Parallel()
	const schema = `{type: object, properties: {
		meta: {type: object}, any: {description: x}, l: {type: array, items: {type: object}}, open: {type: object, properties: {a: {type: string}}, additionalProperties: true},
		named: {type: object, properties: {a: {type: string}}}, map: {type: object, additionalProperties: {type: string}}, none: {type: object, additionalProperties: false},
		joined: {allOf: [{type: object}, {properties: {a: {type: string}}}]}, e: {enum: [a]}, id: {type: object, readOnly: true}, text: {type: string}}}`
	want := func(place string) string {
		return "contract.yaml: /paths/~1p/post/requestBody/content/application~1json/schema" + place +
			": an object may have any member here, also under undeclared_properties: deny; list its properties, or name another type"
	}
	deny := openapi.Options{UndeclaredProperties: "deny"}
	assert.Equal(t, []string{
		want("/properties/any"), want("/properties/l/items"), want("/properties/meta"), want("/properties/open"),
	}, notesOf(bodyOf(t, "3.0.3", "application/json", schema, deny)))
	assert.Equal(t, []string{want("")}, notesOf(bodyOf(t, "3.0.3", "application/json", "{type: object}", deny)))
	assert.Empty(t, notesOf(bodyOf(t, "3.0.3", "application/json", schema, openapi.Options{})))

	var many strings.Builder
	for i := range 30 {
		fmt.Fprintf(&many, "p%d: {type: object}, ", i)
	}
	notes := notesOf(bodyOf(t, "3.0.3", "application/json", "{type: object, properties: {"+many.String()+"}}", deny))
	require.Len(t, notes, 21)
	assert.Contains(t, strings.Join(notes, "\n"), "more objects may have any member")
	endless := bodyOf(t, "3.1.0", "application/json", "{$id: 'https://x.example/a', type: object, properties: {a: {$ref: '#'}, b: {type: object}}}", deny)
	assert.Len(t, notesOf(endless), 1)
}
