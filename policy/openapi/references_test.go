package openapi_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/openapi"
)

// files writes the files of a contract, of which main.yaml is the first.
func files(t testing.TB, texts map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range texts {
		path := filepath.Join(dir, filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	return filepath.Join(dir, "main.yaml")
}

// taking31 is a contract of OpenAPI 3.1 whose operation takes a JSON body.
func taking31(schema, components string) string {
	return document("3.1.0", "paths: {/p: {post: {requestBody: {content: {application/json: {schema: "+schema+"}}}, responses: {'200': {description: ok}}}}}\n"+components)
}

// TestReferencesThatTheLoaderDoesNotFollow: the library knows files and pointers alone.
func TestReferencesThatTheLoaderDoesNotFollow(t *testing.T) {
	t.Parallel()
	const anchored = "components: {schemas: {Name: {$anchor: name, type: string}, Item: {$id: 'https://example.com/item', type: object, properties: {sub: {$ref: '#/$defs/sub'}}, $defs: {sub: {type: integer}}}}}\n"
	for _, row := range []struct {
		name       string
		texts      map[string]string
		good, bad  string
		wantOfThat string
	}{
		{"an anchor", map[string]string{"main.yaml": taking31("{$ref: '#name'}", anchored)}, `"a"`, `1`, "schema-mismatch type"},
		{"an anchor beside other keywords", map[string]string{"main.yaml": taking31("{$ref: '#name', maxLength: 1}", anchored)}, `"a"`, `"ab"`, "schema-mismatch maxLength"},
		{"an $id", map[string]string{"main.yaml": taking31("{$ref: 'https://example.com/item'}", anchored)}, `{"sub":1}`, `{"sub":"a"}`, "schema-mismatch /sub type"},
		{"a pointer from an $id", map[string]string{"main.yaml": taking31("{$ref: 'https://example.com/item#/$defs/sub'}", anchored)}, `1`, `"a"`, "schema-mismatch type"},
		{"an $id that is a URN", map[string]string{"main.yaml": taking31("{properties: {a: {$ref: 'urn:example:a'}}, $defs: {a: {$id: 'urn:example:a', type: string}}}", "")}, `{"a":"b"}`, `{"a":1}`, "schema-mismatch /a type"},
		{"a dynamic anchor", map[string]string{"main.yaml": taking31("{$ref: 'https://example.com/strict'}", `components:
  schemas:
    Tree: {$id: 'https://example.com/tree', $dynamicAnchor: node, type: object, properties: {data: true, children: {type: array, items: {$dynamicRef: '#node'}}}}
    Strict: {$id: 'https://example.com/strict', $dynamicAnchor: node, $ref: tree, unevaluatedProperties: false}
`)}, `{"children":[{"data":1}]}`, `{"children":[{"daat":1}]}`, "schema-mismatch /children/* unevaluatedProperties"},
		{"a file that is a schema and refers to itself", map[string]string{
			"main.yaml":         taking31("{$ref: schemas/node.yaml}", ""),
			"schemas/node.yaml": "type: object\nproperties: {next: {$ref: '#'}, size: {type: integer}}\n",
		}, `{"next":{"size":1}}`, `{"next":{"next":{"size":"a"}}}`, "schema-mismatch /next/next/size type"},
		{"an anchor of another file", map[string]string{
			"main.yaml":  taking31("{$ref: 'other.yaml#name'}", ""),
			"other.yaml": "type: object\n$defs: {a: {$anchor: name, type: string}}\n",
		}, `"a"`, `1`, "schema-mismatch type"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			c, err := openapi.Load(openapi.Options{File: files(t, row.texts), Answers: true})
			require.NoError(t, err)
			judge := c.Operations()[0].Judge()
			assert.Equal(t, "permit", judgeBody(t, judge, row.good))
			assert.Equal(t, row.wantOfThat, judgeBody(t, judge, row.bad))
		})
	}
}

func TestReferencesToNothingAreRefused(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, text, want string }{
		{"an anchor that nothing has", taking31("{$ref: '#nope'}", ""), "/paths/~1p/post/requestBody/content/application~1json/schema/$ref"},
		{"a URI that nothing has", taking31("{$ref: 'https://example.com/item'}", ""), "only files below the root folder are read"},
		{"a path item that is named by an anchor", document("3.1.0", "paths: {/p: {$ref: '#item'}, /q: {get: {responses: {'200': {description: ok}}}}}\n"), "/paths/~1p"},
		{"a schema that leads to itself alone", taking31("{$ref: '#/components/schemas/A'}", "components: {schemas: {A: {allOf: [{$ref: '#/components/schemas/B'}]}, B: {anyOf: [{$ref: '#/components/schemas/A'}, {}]}}}\n"), "leads back to itself"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			assert.Contains(t, problems(t, row.text, openapi.Options{}).Error(), row.want)
		})
	}
}

// TestPartsAreFoundAcrossFiles: every part of an operation may be in another file, whose
// own references are relative to it.
func TestPartsAreFoundAcrossFiles(t *testing.T) {
	t.Parallel()
	file := files(t, map[string]string{
		"main.yaml": document("3.0.3", "paths: {'/p/{id}': {$ref: 'paths/p.yaml#/item', get: {responses: {'200': {description: ok}}}}}\n"),
		"paths/p.yaml": `item:
  parameters: [{$ref: '../parts.yaml#/components/parameters/id'}]
  post:
    parameters: [{$ref: '../parts.yaml#/components/parameters/limit'}]
    requestBody: {$ref: '../parts.yaml#/components/requestBodies/order'}
    responses: {'200': {$ref: '../parts.yaml#/components/responses/order'}}
`,
		"parts.yaml": `components:
  parameters:
    id: {name: id, in: path, required: true, schema: {$ref: 'schemas.yaml#/id'}}
    limit: {$ref: '#/components/parameters/real'}
    real: {name: limit, in: query, schema: {type: integer}}
  requestBodies:
    order: {required: true, content: {application/json: {schema: {$ref: 'schemas.yaml#/order'}}}}
  responses:
    order: {description: ok, content: {application/json: {schema: {$ref: 'schemas.yaml#/order'}}}}
`,
		"schemas.yaml": "id: {type: string, pattern: '^[a-z]$'}\norder: {type: object, required: [id, at], properties: {id: {$ref: '#/id'}, at: {type: string, readOnly: true}}}\n",
	})
	c, err := openapi.Load(openapi.Options{File: file, Answers: true})
	require.NoError(t, err)
	operations := c.Operations()
	require.Len(t, operations, 2)
	get, post := operations[0], operations[1]
	require.Equal(t, "POST", post.Method)
	with := func(id, query string) *policy.Request {
		return &policy.Request{RawQuery: query, Query: policy.ParseQuery(query), Match: policy.Match{Params: []policy.Pair{{Name: "id", Value: id}}}}
	}
	body := func(r *policy.Request, text string) string {
		return said(post.Judge().Judge(r, "application/json", tokens(t, text), true))
	}
	assert.Equal(t, "permit", body(with("a", "limit=1"), `{"id":"b"}`))
	assert.Equal(t, "parameter-invalid path.id pattern", body(with("1", ""), `{"id":"b"}`))
	assert.Equal(t, "parameter-invalid path.id pattern", said(get.Judge().Judge(with("1", ""), "", nothing, false)), "a parameter of the path that is referred to")
	assert.Equal(t, "parameter-invalid query.limit type", body(with("a", "limit=x"), `{"id":"b"}`))
	assert.Equal(t, "schema-mismatch /id pattern", body(with("a", ""), `{"id":"1"}`))
	assert.Equal(t, "schema-mismatch /at required", said(post.Answers().Document(200, "application/json", tokens(t, `{"id":"b"}`))))
	assert.Len(t, c.Files(), 4)
}

// A file is read once, however many references lead to it: the bound is one of files.
func TestAFileOfManyReferencesIsOneFile(t *testing.T) {
	t.Parallel()
	var paths strings.Builder
	for i := range 1_100 {
		fmt.Fprintf(&paths, "  /p%d: {get: {responses: {'200': {$ref: 'parts.yaml#/ok'}}}}\n", i)
	}
	file := files(t, map[string]string{"main.yaml": document("3.0.3", "paths:\n"+paths.String()), "parts.yaml": "ok: {description: ok}\n"})
	c, err := openapi.Load(openapi.Options{File: file})
	require.NoError(t, err)
	assert.Len(t, c.Operations(), 1_100)
}

func TestEnginesOfAnOperation(t *testing.T) {
	t.Parallel()
	c := load(t, document("3.0.3", `
paths:
  /p:
    get: {responses: {'200': {description: ok}}}
    post:
      parameters: [{name: q, in: query, schema: {type: string}}, {name: r, in: query, content: {text/csv: {schema: {type: string}}}}]
      requestBody:
        content:
          application/json: {schema: {type: object}}
          application/vnd.a+json: {}
          Application/XML; charset=utf-8: {schema: {type: object}}
          application/octet-stream: {}
      responses:
        '200': {description: ok, content: {application/json: {schema: {type: object}}, application/problem+json: {schema: {type: object}}, text/csv: {schema: {type: string}}}}
        default: {description: bad, content: {application/problem+json: {}}}
  /r:
    get:
      parameters: [{name: r, in: query, content: {text/csv: {schema: {type: string}}}}]
      responses: {'200': {description: ok}}
`), openapi.Options{Answers: true})
	ops := c.Operations()
	require.Len(t, ops, 3)
	assert.Equal(t, openapi.Engines{Parameters: openapi.EngineNone, Body: map[string]openapi.Engine{}, Answers: map[string]openapi.Engine{"": openapi.EngineType}}, ops[0].Engines())
	assert.Equal(t, openapi.Engines{
		Parameters: openapi.EnginePresence,
		Body: map[string]openapi.Engine{
			"application/json": openapi.EngineStream, "application/vnd.a+json": openapi.EngineSyntax,
			"application/xml": openapi.EngineUndecided, "application/octet-stream": openapi.EngineSize,
		},
		Answers: map[string]openapi.Engine{
			"application/json": openapi.EngineStream, "application/problem+json": openapi.EngineSyntax, "text/csv": openapi.EngineType,
		},
	}, ops[1].Engines())
	assert.Equal(t, openapi.EnginePresence, ops[2].Engines().Parameters)
}

func TestFormsAndTextAreJudgedByTheContract(t *testing.T) {
	t.Parallel()
	judge := load(t, document("3.0.3", `
paths:
  /p:
    post:
      requestBody:
        content:
          application/x-www-form-urlencoded: {schema: {type: object, additionalProperties: false, properties: {n: {type: integer}}}}
          text/plain: {schema: {type: string, maxLength: 2}}
          "*/*": {schema: {type: object}}
      responses: {'200': {description: ok}}
`), openapi.Options{}).Operations()[0].Judge()
	for _, row := range []struct{ media, body, want string }{
		{"application/x-www-form-urlencoded", `{"n":"1"}`, "permit"},
		{"application/x-www-form-urlencoded", `{"n":"x"}`, "schema-mismatch /n type"},
		{"application/x-www-form-urlencoded", `{"secret":"x"}`, "schema-mismatch additionalProperties"},
		{"text/plain", `"ab"`, "permit"},
		{"text/plain", `"abc"`, "schema-mismatch maxLength"},
		{"text/plain", ``, "undecided schema-unsupported"}, // in another charset than UTF-8
		{"image/png", ``, "undecided schema-unsupported"},
		{"application/json", `[]`, "schema-mismatch type"},
	} {
		assert.Equal(t, row.want, said(judge.Judge(&policy.Request{}, row.media, tokens(t, row.body), true)), "%s %s", row.media, row.body)
	}
}
