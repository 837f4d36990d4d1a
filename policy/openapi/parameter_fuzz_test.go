package openapi_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/openapi"
)

// judgedGET is the request of BenchmarkParameters: a path with a UUID and a limit in the
// query.
func judgedGET(t testing.TB) (asked, *policy.Request) {
	t.Helper()
	a := parametersOf(t, "3.0.3", map[string]string{"/v1/orders/{id}": `
		{name: id, in: path, required: true, schema: {type: string, format: uuid}},
		{name: limit, in: query, schema: {type: integer, minimum: 1, maximum: 100}}`}, openapi.Options{})
	return a, request("/v1/orders/f47ac10b-58cc-4372-a567-0e02b2c3d479?limit=50")
}

func TestTwoParametersAreJudgedInLittleMemory(t *testing.T) {
	a, r := judgedGET(t)
	require.Equal(t, "permit", said(a.judge(r)))
	assert.LessOrEqual(t, testing.AllocsPerRun(200, func() { a.judge(r) }), 2.0+droppedRuns, "the parameters of the path, and the text of a token")
}

func BenchmarkParameters(b *testing.B) {
	a, r := judgedGET(b)
	b.ReportAllocs()
	for b.Loop() {
		if v := a.judge(r); v.Effect != policy.Permit {
			b.Fatal(v)
		}
	}
}

// FuzzParameters: no panic; a detail has nothing of the client; and what is permitted
// can be decoded by anybody, has declared names alone, and written again is judged
// alike.
func FuzzParameters(f *testing.F) {
	for _, seed := range [][3]string{
		{"1", "limit=5&ids=1&ids=2", "Secret: 1"},
		{";x=5", "deep[from]=1&deep[to]=x", "Cookie: sid=secret; sid=\"x\""},
		{"a", "csv=a,b&doc={\"n\":[1,{\"n\":2}]}&size=1", "X-Ids: 1,2,x"},
		{"%2e", "%zz=%31&limit=%&&=&+", "Cookie: ;;=;sid"},
		{"x", "pipe=1|2&f[1000000000]=x&either=5&limit=1;limit=2", "X-Ids: "},
	} {
		f.Add(seed[0], seed[1], seed[2])
	}
	a := parametersOf(f, "3.0.3", map[string]string{"/p/{id}": `
		{name: id, in: path, required: true, style: matrix, explode: true, schema: {oneOf: [{type: integer}, {type: array, items: {type: string}}]}},
		{name: limit, in: query, schema: {type: integer, maximum: 100}}, {name: ids, in: query, schema: {type: array, items: {type: integer}}},
		{name: csv, in: query, explode: false, schema: {type: array, items: {type: string, enum: [a, b]}}},
		{name: pipe, in: query, style: pipeDelimited, explode: false, schema: {type: array, items: {type: integer}}},
		{name: deep, in: query, style: deepObject, explode: true, schema: {type: object, properties: {from: {type: integer}}}},
		{name: page, in: query, schema: {type: object, properties: {size: {type: integer}}}},
		{name: doc, in: query, content: {application/json: {schema: {$ref: '#/components/schemas/Node'}}}},
		{name: either, in: query, schema: {oneOf: [{type: integer, minimum: 10}, {type: string, pattern: '^[0-9]$'}]}},
		{name: X-Ids, in: header, schema: {type: array, items: {type: integer}}}, {name: sid, in: cookie, schema: {type: string, format: uuid}}`}, openapi.Options{})
	words := map[string]bool{}
	for w := range strings.FieldsSeq("path.id query.limit query.ids query.csv query.pipe query.deep query.page query.doc query.either header.X-Ids cookie.sid query cookie " +
		"query.ids/* query.csv/* query.pipe/* query.deep/from query.page/size query.doc/n query.doc/l query.doc/l/* header.X-Ids/* " +
		"style repeated json encoding type oneOf enum format maximum pattern nullable") {
		words[w] = true
	}
	declared := []string{"limit", "ids", "csv", "pipe", "size", "doc", "either"}
	f.Fuzz(func(t *testing.T, id, query, header string) {
		if len(id)+len(query)+len(header) > 16<<10 || strings.ContainsAny(query, "#") {
			return
		}
		r := request("/p/x?"+query, header)
		r.Path = "/p/" + url.PathEscape(id)
		v := a.judge(r)
		require.NotEqual(t, policy.InternalError, v.Reason, "%v", v.Err)
		for word := range strings.FieldsSeq(v.Detail) {
			require.True(t, words[word] || strings.HasPrefix(word, "query.doc/"), "the detail %q", v.Detail)
		}
		if v.Effect != policy.Permit {
			return
		}
		again := make([]string, 0, len(r.Query))
		for _, pair := range r.Query {
			require.True(t, pair.Name == "deep[from]" || slices.Contains(declared, pair.Name), "%q", pair.Name)
			again = append(again, url.QueryEscape(pair.Name)+"="+url.QueryEscape(pair.Value))
		}
		for _, line := range r.Header["Cookie"] {
			if line = strings.TrimSuffix(strings.Trim(line, " \t"), ";"); line != "" {
				_, err := http.ParseCookie(line)
				require.NoError(t, err, "another server reads each cookie, too")
			}
		}
		if !strings.Contains(query, ";") { // which net/url refuses
			_, err := url.ParseQuery(query)
			require.NoError(t, err)
		}
		same := request(r.Path+"?"+strings.Join(again, "&"), header)
		require.Equal(t, len(r.Query), len(same.Query))
		for i := range r.Query {
			require.Equal(t, r.Query[i], same.Query[i])
		}
		require.Equal(t, "permit", said(a.judge(same)))
	})
}
