package openapi_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/openapi"
)

// asked is an API that judges GET requests by their target and header.
type asked struct {
	matcher *openapi.Matcher
	judges  map[string]*openapi.Judge // by template
}

// parametersOf loads a contract of GET operations, each with its parameters.
func parametersOf(t testing.TB, version string, operations map[string]string, o openapi.Options) asked {
	t.Helper()
	var text strings.Builder
	text.WriteString("paths:\n")
	for template, parameters := range operations {
		fmt.Fprintf(&text, "  '%s': {get: {parameters: [%s], responses: {'200': {description: ok}}}}\n", template, parameters)
	}
	text.WriteString("components: {schemas: {Node: {type: object, properties: {n: {type: integer}, c: {$ref: '#/components/schemas/Node'}, l: {type: array, items: {type: string}}}}}}\n")
	a := asked{judges: map[string]*openapi.Judge{}}
	var all []*policy.Operation
	for _, op := range load(t, document(version, text.String()), o).Operations() {
		all = append(all, &policy.Operation{ID: op.ID, Method: op.Method, Template: op.Template})
		a.judges[op.Template] = op.Judge()
	}
	m, err := openapi.NewMatcher(all)
	require.NoError(t, err)
	a.matcher = m
	return a
}

// request is a request as the proxy makes it, but for the match.
func request(target string, header ...string) *policy.Request {
	path, query, _ := strings.Cut(target, "?")
	r := &policy.Request{Method: "GET", Path: path, RawQuery: query, Query: policy.ParseQuery(query), Header: http.Header{}}
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Add(name, value)
	}
	return r
}

// says is the verdict on a request in words.
func (a asked) says(target string, header ...string) string {
	return said(a.judge(request(target, header...)))
}

func (a asked) judge(r *policy.Request) policy.Verdict {
	if r.Match = a.matcher.Match(r); r.Match.Operation == nil {
		return policy.Denied(policy.RouteUnknown, "")
	}
	return a.judges[r.Match.Operation.Template].Judge(r, "", nothing, false)
}

// TestEveryCellOfTheTableOfStyles has the examples of OpenAPI 3.0.4, 4.7.12.3, one row
// per cell, as they are sent. Each is permitted; with another last value it is denied
// where that value stands.
func TestEveryCellOfTheTableOfStyles(t *testing.T) {
	schemas := map[string]string{
		"empty":  "{type: string, maxLength: 0}",
		"string": "{type: string, enum: [blue, brown]}",
		"array":  "{type: array, minItems: 3, maxItems: 3, items: {type: string, enum: [blue, black, brown]}}",
		"object": "{type: object, additionalProperties: false, required: [R, G, B], properties: {R: {type: integer, enum: [100]}, G: {type: integer, enum: [200]}, B: {type: integer, enum: [150]}}}",
	}
	for _, row := range []struct {
		in, style string
		explode   bool
		of, sent  string
	}{
		{"path", "matrix", false, "empty", ";color"},
		{"path", "matrix", false, "empty", ";color="},
		{"path", "matrix", false, "string", ";color=brown"},
		{"path", "matrix", false, "array", ";color=blue,black,brown"},
		{"path", "matrix", false, "object", ";color=R,100,G,200,B,150"},
		{"path", "matrix", true, "empty", ";color"},
		{"path", "matrix", true, "string", ";color=brown"},
		{"path", "matrix", true, "array", ";color=blue;color=black;color=brown"},
		{"path", "matrix", true, "object", ";R=100;G=200;B=150"},
		{"path", "label", false, "string", ".brown"},
		{"path", "label", false, "array", ".blue,black,brown"},
		{"path", "label", false, "object", ".R,100,G,200,B,150"},
		{"path", "label", true, "string", ".brown"},
		{"path", "label", true, "array", ".blue.black.brown"},
		{"path", "label", true, "object", ".R=100.G=200.B=150"},
		{"path", "simple", false, "string", "brown"},
		{"path", "simple", false, "array", "blue,black,brown"},
		{"path", "simple", false, "array", "blue%2Cblack%2cbrown"},
		{"path", "simple", false, "object", "R,100,G,200,B,150"},
		{"path", "simple", true, "string", "brown"},
		{"path", "simple", true, "array", "blue,black,brown"},
		{"path", "simple", true, "object", "R=100,G=200,B=150"},
		{"header", "simple", false, "empty", ""},
		{"header", "simple", false, "string", "brown"},
		{"header", "simple", false, "array", "blue, black ,brown"},
		{"header", "simple", false, "object", "R,100, G,200, B,150"},
		{"header", "simple", true, "string", "brown"},
		{"header", "simple", true, "array", "blue,black,brown"},
		{"header", "simple", true, "object", "R=100, G=200 ,B = 150"},
		{"query", "form", false, "empty", "color="},
		{"query", "form", false, "empty", "color"},
		{"query", "form", false, "string", "color=brown"},
		{"query", "form", false, "array", "color=blue,black,brown"},
		{"query", "form", false, "object", "color=R,100,G,200,B,150"},
		{"query", "form", true, "empty", "color="},
		{"query", "form", true, "string", "color=brown"},
		{"query", "form", true, "array", "color=blue&color=black&color=brown"},
		{"query", "form", true, "object", "R=100&G=200&B=150"},
		{"query", "spaceDelimited", false, "array", "color=blue%20black+brown"},
		{"query", "spaceDelimited", false, "object", "color=R%20100%20G%20200%20B%20150"},
		{"query", "spaceDelimited", true, "array", "color=blue&color=black&color=brown"},
		{"query", "pipeDelimited", false, "array", "color=blue%7Cblack|brown"},
		{"query", "pipeDelimited", false, "object", "color=R%7C100%7CG%7C200%7CB%7C150"},
		{"query", "pipeDelimited", true, "array", "color=blue&color=black&color=brown"},
		{"query", "deepObject", true, "object", "color[R]=100&color%5BG%5D=200&color[B]=150"},
		{"cookie", "form", false, "empty", "color="},
		{"cookie", "form", false, "string", "color=brown"},
		{"cookie", "form", false, "array", "color=blue,black,brown"},
		{"cookie", "form", false, "object", "color=R,100,G,200,B,150"},
		{"cookie", "form", true, "string", "color=brown"},
	} {
		t.Run(fmt.Sprint(row.in, " ", row.style, " ", row.explode, " ", row.sent), func(t *testing.T) {
			template := "/p"
			if row.in == "path" {
				template = "/p/{color}"
			}
			a := parametersOf(t, "3.0.3", map[string]string{template: fmt.Sprintf(
				"{name: color, in: %s, style: %s, explode: %t, required: true, schema: %s}", row.in, row.style, row.explode, schemas[row.of])}, openapi.Options{})
			send := func(text string) string {
				switch row.in {
				case "path":
					return a.says("/p/" + text)
				case "query":
					return a.says("/p?" + text)
				case "cookie":
					return a.says("/p", "Cookie: other=1; "+text)
				}
				return a.says("/p", "Color: "+text)
			}
			assert.Equal(t, "permit", send(row.sent))
			want, bad := map[string][2]string{
				"empty":  {" maxLength", row.sent + "=x"},
				"string": {" enum", strings.Replace(row.sent, "brown", "secret", 1)},
				"array":  {"/* enum", strings.Replace(row.sent, "brown", "secret", 1)},
				"object": {"/B enum", strings.Replace(row.sent, "150", "151", 1)},
			}[row.of], ""
			if bad = want[1]; row.of == "empty" {
				bad = strings.Replace(bad, "==", "=", 1)
			}
			assert.Equal(t, "parameter-invalid "+row.in+".color"+want[0], send(bad))
		})
	}
}

// TestWhatIsWrittenByAStyleIsReadByIt writes generated values by every style and lets
// a contract say which they must be.
func TestWhatIsWrittenByAStyleIsReadByIt(t *testing.T) {
	for seed := range 20 {
		word := rapid.StringMatching(`[a-zA-Z_][a-zA-Z0-9_é]{0,5}`)
		items := rapid.SliceOfN(word, 1, 4).Example(seed)
		names := rapid.SliceOfNDistinct(word, 1, 4, rapid.ID).Example(seed)
		var list, object []string
		for i, name := range names {
			object = append(object, fmt.Sprintf("%q: %q", name, items[i%len(items)]))
		}
		for _, item := range items {
			list = append(list, fmt.Sprintf("%q", item))
		}
		constants := map[string]string{"array": "[" + strings.Join(list, ", ") + "]", "object": "{" + strings.Join(object, ", ") + "}"}
		operations, sent := map[string]string{}, map[string]string{}
		for style, write := range styles() {
			for _, kind := range []string{"array", "object"} {
				if style.in == "query" && style.style == "deepObject" && kind == "array" {
					continue
				}
				base := fmt.Sprintf("/%s/%s/%t/%s", style.in, style.style, style.explode, kind)
				template, target := base, base+"?"
				if style.in == "path" {
					template, target = base+"/{x}", base+"/"
				}
				declared := "properties: {}, additionalProperties: {type: string}"
				operations[template] = fmt.Sprintf("{name: x, in: %s, style: %s, explode: %t, required: true, schema: {type: %s, items: {type: string}, %s, const: %s}}",
					style.in, style.style, style.explode, kind, declared, constants[kind])
				sent[base] = target + write(kind, names, items)
			}
		}
		a := parametersOf(t, "3.1.0", operations, openapi.Options{})
		for base, target := range sent {
			require.Equal(t, "permit", a.says(target), "%s %s", base, target)
			require.NotEqual(t, "permit", a.says(target+"q"), "%s %s", base, target)
		}
	}
}

type written struct {
	in, style string
	explode   bool
}

// styles writes an array of the items, or an object of the names with the items in
// turn, by each style.
func styles() map[written]func(kind string, names, items []string) string {
	escaped := func(all []string) []string {
		var out []string
		for _, s := range all {
			out = append(out, url.PathEscape(s))
		}
		return out
	}
	flat := func(lead, between string) func(string, []string, []string) string {
		return func(kind string, names, items []string) string {
			parts := escaped(items)
			if kind == "object" {
				parts = nil
				for i, name := range names {
					parts = append(parts, url.PathEscape(name), url.PathEscape(items[i%len(items)]))
				}
			}
			return lead + strings.Join(parts, between)
		}
	}
	exploded := func(lead, between, item string, member func(name string) string) func(string, []string, []string) string {
		return func(kind string, names, items []string) string {
			var parts []string
			for _, s := range escaped(items) {
				parts = append(parts, item+s)
			}
			if kind == "object" {
				parts = nil
				for i, name := range names {
					parts = append(parts, member(url.PathEscape(name))+"="+url.PathEscape(items[i%len(items)]))
				}
			}
			return lead + strings.Join(parts, between)
		}
	}
	plain := func(name string) string { return name }
	return map[written]func(kind string, names, items []string) string{
		{"path", "simple", false}:          flat("", ","),
		{"path", "simple", true}:           exploded("", ",", "", plain),
		{"path", "label", false}:           flat(".", ","),
		{"path", "label", true}:            exploded(".", ".", "", plain),
		{"path", "matrix", false}:          flat(";x=", ","),
		{"path", "matrix", true}:           exploded(";", ";", "x=", plain),
		{"query", "form", false}:           flat("x=", ","),
		{"query", "form", true}:            exploded("", "&", "x=", plain),
		{"query", "spaceDelimited", false}: flat("x=", "%20"),
		{"query", "pipeDelimited", false}:  flat("x=", "|"),
		{"query", "deepObject", true}:      exploded("", "&", "x=", func(name string) string { return "x[" + name + "]" }),
	}
}

func TestParametersOfOtherShapes(t *testing.T) {
	a := parametersOf(t, "3.0.3", map[string]string{
		"/reserved":  "{name: at, in: query, allowReserved: true, schema: {type: string, format: uri}}, {name: n, in: query, schema: {type: integer}}",
		"/either":    "{name: e, in: query, explode: false, schema: {oneOf: [{type: string, enum: [all]}, {type: array, items: {type: integer}}, {type: object, additionalProperties: false, properties: {a: {type: integer}}}]}}",
		"/open":      "{name: filter, in: query, schema: {type: object, additionalProperties: {type: integer}}}, {name: limit, in: query, schema: {type: string}}",
		"/tuple":     "{name: c, in: cookie, explode: false, schema: {type: string}}, {name: c, in: query, explode: false, schema: {type: array, items: {type: integer}, minItems: 1}}",
		"/null":      "{name: n, in: query, schema: {type: integer, nullable: true}}",
		"/plain":     "{name: q, in: query, schema: {type: string, maxLength: 3}}, {name: X-Q, in: header, schema: {type: string}}, {name: sid, in: cookie, schema: {type: string, pattern: '^[a-z]+$'}}",
		"/document":  "{name: d, in: query, content: {application/json: {schema: {type: object, properties: {n: {type: number}, s: {type: string, maxLength: 1}, l: {type: array, items: {type: boolean}}}}}}}, {name: bare, in: query, content: {application/json: {}}}",
		"/p/{id}/ok": "{name: id, in: path, required: true, schema: {type: integer}}",
		"/deep":      "{name: f, in: query, style: deepObject, explode: true, schema: {type: object, properties: {a: {type: integer}}}}, {name: g, in: query, style: deepObject, explode: true, required: true, schema: {type: object}}",
	}, openapi.Options{})
	for _, row := range []struct{ name, target, header, want string }{
		{"reserved characters stand for themselves", "/reserved?at=https://a.example/b?c=d:@!$'()*,;/", "", "permit"},
		{"and cut nothing off", "/reserved?at=https://a/b&n=x", "", "parameter-invalid query.n type"},
		{"a word in place of a list", "/either?e=all", "", "permit"},
		{"or the list", "/either?e=1,2,3", "", "permit"},
		{"or the object", "/either?e=a,1", "", "permit"},
		{"or nothing of it", "/either?e=none", "", "parameter-invalid query.e style"},
		{"a member of an open object is judged", "/open?a=1&b=x", "", "parameter-invalid query.filter type"},
		{"what is declared is no member of it", "/open?limit=ten&a=1", "", "permit"},
		{"an empty list has no item", "/tuple?c=", "", "parameter-invalid query.c minItems"},
		{"names of two places do not meet", "/tuple?c=1", "Cookie: c=x", "permit"},
		{"no text is null where null may be", "/null?n=", "", "permit"},
		{"text that is no UTF-8 cannot be judged", "/plain?q=%ff", "", "parameter-invalid query.q encoding"},
		{"nor in a header", "/plain", "X-Q: \xff", "parameter-invalid header.X-Q encoding"},
		{"a maximum of length counts characters", "/plain?q=%C3%A9%C3%A9%C3%A9", "", "permit"},
		{"a cookie in quotes", "/plain", `Cookie: sid="abc"`, "permit"},
		{"a cookie that some servers leave out", "/plain", `Cookie: sid=a"b`, "parameter-invalid cookie encoding"},
		{"a cookie of another case is another one", "/plain", "Cookie: SID=1", "permit"},
		{"a cookie behind an empty one", "/plain", "Cookie: ; =; x; sid=1", "parameter-invalid cookie encoding"},
		{"a cookie without a sign", "/plain", "Cookie: sid", "parameter-invalid cookie encoding"},
		{"a document", "/document?d=%7B%22n%22:1.5e3,%22s%22:%22%5Cu00e9%22,%22l%22:[true,false]%7D", "", "permit"},
		{"a place in a document", `/document?d={"l":[true,null]}`, "", "parameter-invalid query.d/l/* type"},
		{"a member twice, by an escape", `/document?d={"s":"a","\u0073":"b"}`, "", "parameter-invalid query.d json"},
		{"a number that is too long", `/document?d={"n":` + strings.Repeat("1", 41) + `}`, "", "parameter-invalid query.d json"},
		{"a number that is infinite to others", `/document?d={"n":9e308}`, "", "parameter-invalid query.d json"},
		{"a number that takes ages", `/document?d={"n":1e999999}`, "", "parameter-invalid query.d json"},
		{"a lone surrogate", `/document?d={"s":"\ud800"}`, "", "parameter-invalid query.d json"},
		{"bytes that are no text", `/document?d={"s":"%ff"}`, "", "parameter-invalid query.d json"},
		{"a cut document", `/document?d={"s":`, "", "parameter-invalid query.d json"},
		{"no document", "/document?d=", "", "parameter-invalid query.d json"},
		{"a document twice", "/document?d={}&d={}", "", "parameter-invalid query.d repeated"},
		{"content without a schema", "/document?bare=%7B%22a%22:[1,null]%7D", "", "permit"},
		{"content without a schema that is no document", "/document?bare=%7B", "", "parameter-invalid query.bare json"},
		{"content without a schema that two read differently", `/document?bare={"a":1,"\u0061":2}`, "", "parameter-invalid query.bare json"},
		{"content without a schema, and without a document", "/document?bare=", "", "parameter-invalid query.bare json"},
		{"content without a schema, twice", "/document?bare=1&bare=2", "", "parameter-invalid query.bare repeated"},
		{"a path of another type", "/p/x/ok", "", "parameter-invalid path.id type"},
		{"a path of the type", "/p/12/ok", "", "permit"},
		{"a deepObject that is required", "/deep?f[a]=1", "", "parameter-missing query.g"},
		{"one without brackets", "/deep?g=1", "", "parameter-invalid query.g style"},
		{"with and without brackets", "/deep?g[x]=1&g=1", "", "parameter-invalid query.g style"},
		{"an index", "/deep?g[x]=1&f[1000000000]=x", "", "parameter-undeclared query.f"},
		{"two levels", "/deep?g[x]=1&f[a][b]=1", "", "parameter-invalid query.f style"},
		{"brackets around nothing", "/deep?g[]=1", "", "permit"},
	} {
		t.Run(row.name, func(t *testing.T) {
			if row.header == "" {
				assert.Equal(t, row.want, a.says(row.target))
				return
			}
			assert.Equal(t, row.want, a.says(row.target, row.header))
		})
	}
}

// A member of deepObject that is declared as an array is one, however often it is sent:
// two names or one, as common clients write it.
func TestAMemberThatRepeatsIsAnArray(t *testing.T) {
	a := parametersOf(t, "3.1.0", map[string]string{
		"/p": `{name: f, in: query, style: deepObject, explode: true, schema: {type: object, properties: {
			ids: {type: array, items: {type: integer}, maxItems: 3}, pair: {type: array, prefixItems: [{type: integer}, {type: string}], items: false},
			none: {type: [array, 'null'], items: {type: string}}, either: {oneOf: [{type: integer}, {type: array, items: {type: string}}]}, n: {type: integer}}, required: [ids]}}`,
		"/q": "{name: f, in: query, schema: {type: object, properties: {ids: {type: array, items: {type: integer}}}}}",
	}, openapi.Options{})
	for _, row := range []struct{ target, want string }{
		{"/p?f[ids]=3", "permit"},
		{"/p?f[ids]=1&f[n]=1&f[ids]=2", "permit"},
		{"/p?f[ids]=1&f[ids]=x", "parameter-invalid query.f/ids/* type"},
		{"/p?f[ids]=x", "parameter-invalid query.f/ids/* type"},
		{"/p?f[ids]=1&f[ids]=2&f[ids]=3&f[ids]=4", "parameter-invalid query.f/ids maxItems"},
		{"/p?f[n]=1&f[ids]=1&f[n]=2", "parameter-invalid query.f repeated"},
		{"/p?f[n]=1", "parameter-invalid query.f/ids required"},
		{"/p?f[ids]=1&f[pair]=1&f[pair]=2", "permit"},
		{"/p?f[ids]=1&f[pair]=a&f[pair]=b", "parameter-invalid query.f/pair/* type"},
		{"/p?f[ids]=1&f[none]=", "permit"},
		{"/p?f[ids]=1&f[none]=a", "permit"},
		{"/p?f[ids]=1&f[either]=1", "permit"},
		{"/p?f[ids]=1&f[either]=a", "permit"},
		{"/p?f[ids]=1&f[either]=1&f[either]=2", "permit"},
		{"/p?f[ids][]=1", "parameter-invalid query.f style"},
		{"/p?f[ids][0]=1", "parameter-invalid query.f style"},
		{"/q?ids=1&ids=2", "parameter-invalid query.f repeated"},
	} {
		assert.Equal(t, row.want, a.says(row.target), row.target)
	}
}

// TestWhatNoStyleCarriesIsNoted: it is denied whenever it is sent, and nobody can find
// that out from the contract.
func TestWhatNoStyleCarriesIsNoted(t *testing.T) {
	c := load(t, document("3.0.3", `
paths:
  /p:
    get:
      parameters:
        - {name: f, in: query, style: deepObject, explode: true, schema: {type: object, properties: {n: {type: integer}, any: {}, l: {type: array, items: {type: string}}, ll: {type: array, items: {type: object}}, o: {type: object}}}}
        - {name: g, in: query, schema: {type: object, properties: {l: {type: array, items: {type: string}}}}}
        - {name: h, in: query, schema: {type: array, items: {type: object}}}
        - {name: ok, in: query, schema: {type: array, items: {type: string}}}
        - {name: d, in: query, content: {application/json: {schema: {type: object, properties: {o: {type: object}}}}}}
      responses: {'200': {description: ok}}
`), openapi.Options{})
	var lines []string
	for _, n := range c.Notes() {
		lines = append(lines, n.String())
	}
	const fix = "; declare it flat, or give the parameter content of type application/json"
	assert.Equal(t, []string{
		`contract.yaml: /paths/~1p/get/parameters/0/schema: member "ll" of parameter "f" can never be valid: its style carries no array or object there` + fix,
		`contract.yaml: /paths/~1p/get/parameters/0/schema: member "o" of parameter "f" can never be valid: its style carries no array or object there` + fix,
		`contract.yaml: /paths/~1p/get/parameters/1/schema: member "l" of parameter "g" can never be valid: its style carries no array or object there` + fix,
		`contract.yaml: /paths/~1p/get/parameters/2/schema: items of parameter "h" can never be valid: no style carries an array or an object in an array` + fix,
	}, lines)
}

// TestThreatHostileParameters has what has brought validators down (threats: validator
// crash, parameter pollution). What is sent is as long as a head may be.
func TestThreatHostileParameters(t *testing.T) {
	const length = 8 << 10
	a := parametersOf(t, "3.0.3", map[string]string{
		"/p": `{name: f, in: query, style: deepObject, explode: true, schema: {type: object, additionalProperties: {type: integer}}},
			{name: c, in: query, content: {application/json: {}}}, {name: t, in: query, content: {text/csv: {}}},
			{name: d, in: query, content: {application/json: {schema: {$ref: '#/components/schemas/Node'}}}},
			{name: n, in: query, schema: {type: number, multipleOf: 0.01}}, {name: s, in: query, schema: {type: string, pattern: '^(a+)+$'}},
			{name: l, in: query, schema: {type: array, uniqueItems: true, items: {type: string}}},
			{name: X-L, in: header, schema: {type: array, items: {type: integer}}}, {name: k, in: cookie, schema: {type: string}}`,
		"/open": "{name: o, in: query, schema: {type: object, additionalProperties: {type: integer}}}",
	}, openapi.Options{})
	for _, row := range []struct{ name, target, header, want string }{
		{"an index bomb", "/p?f[1000000000]=x", "", "parameter-invalid query.f type"},
		{"many indexes", "/p?" + strings.Repeat("f[1]=1&", 1000), "", "parameter-invalid query.f repeated"},
		{"deep brackets", "/p?f" + strings.Repeat("[a]", length/3) + "=1", "", "parameter-invalid query.f style"},
		{"content without a schema", "/p?c=1&t=%00", "", "permit"},
		{"content without a schema, deep", "/p?c=" + strings.Repeat("[", length), "", "parameter-invalid query.c json"},
		{"a deep document", "/p?d=" + strings.Repeat("[", length), "", "parameter-invalid query.d json"},
		{"a deep document of objects", "/p?d=" + strings.Repeat(`{"c":`, length/5), "", "parameter-invalid query.d json"},
		{"a document of many members", "/p?d={" + members(length/8) + "}", "", "permit"},
		{"a number that is infinite to others", "/p?n=9e308", "", "parameter-invalid query.n type"},
		{"a number bomb", "/p?n=1e999999999", "", "parameter-invalid query.n type"},
		{"a long number", "/p?n=" + strings.Repeat("1", length), "", "parameter-invalid query.n type"},
		{"an adversarial pattern", "/p?s=" + strings.Repeat("a", length) + "!", "", "parameter-invalid query.s pattern"},
		{"a scalar many times", "/p?" + strings.Repeat("s=a&", 1000), "", "parameter-invalid query.s repeated"},
		{"items many times", "/p?" + strings.Repeat("l=a&", 1000), "", "parameter-invalid query.l uniqueItems"},
		{"many items of a header", "/p", "X-L: " + strings.Repeat("1,", length/2) + "x", "parameter-invalid header.X-L/* type"},
		{"many cookies", "/p", "Cookie: " + strings.Repeat("k=1;", length/4), "parameter-invalid cookie.k repeated"},
		{"many parameters of nobody", "/p?" + strings.Repeat("x=1&", 1000), "", "parameter-undeclared query"},
		{"many members of an open object", "/open?" + manyNames(1000), "", "permit"},
		{"more than are judged", "/open?" + manyNames(length), "", "parameter-too-many query limit 1000"},
	} {
		t.Run(row.name, func(t *testing.T) {
			var header []string
			if row.header != "" {
				header = append(header, row.header)
			}
			took := time.Hour
			for range 5 { // the shortest of some tells the cost from the load of the machine
				start := time.Now() //nolint:forbidigo // what it takes is the question
				v := a.judge(request(row.target, header...))
				took = min(took, time.Since(start)) //nolint:forbidigo // as above
				require.Equal(t, row.want, said(v))
				require.Less(t, len(v.Detail), 100)
			}
			assert.Less(t, took, 20*time.Millisecond)
		})
	}
}

func members(n int) string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf("%q:%d", fmt.Sprint("m", i), i%10))
	}
	return strings.Join(all, ",")
}

func manyNames(n int) string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf("m%d=%d", i, i%10))
	}
	return strings.Join(all, "&")
}

func TestUndeclaredParametersAndEscapes(t *testing.T) {
	a := parametersOf(t, "3.0.3", map[string]string{
		"/p":    "{name: id, in: query, schema: {type: string}}, {name: deep, in: query, style: deepObject, explode: true, schema: {type: object}}, {name: page, in: query, schema: {type: object, properties: {size: {type: string}}}}",
		"/none": "",
	}, openapi.Options{QueryParameters: []string{"access_token"}})
	for _, row := range []struct{ name, target, want string }{
		{"declared names", "/p?id=1&deep[a]=1&size=2", "permit"},
		{"no query", "/none", "permit"},
		{"an empty one", "/none?", "permit"},
		{"a name of nobody", "/p?id=1&x=secret", "parameter-undeclared query"},
		{"where nothing is declared", "/none?x=secret", "parameter-undeclared query"},
		{"a name that the configuration speaks of", "/none?access_token=x", "permit"},
		{"another case", "/p?ID=1", "parameter-undeclared query"},
		{"an index behind the name", "/p?id[]=1", "parameter-undeclared query"},
		{"a space before the name", "/p?+id=1", "parameter-undeclared query"},
		{"no name", "/p?=1", "parameter-undeclared query"},
		{"the object of the members", "/p?page=1", "parameter-undeclared query"},
		{"an escaped name", "/p?%69d=1", "permit"},
		{"an escape that is none", "/p?id=%zz", "parameter-escape query"},
		{"one that is cut off", "/p?id=%4", "parameter-escape query"},
		{"in a name", "/p?i%=1", "parameter-escape query"},
		{"of an escape", "/p?id=%2541", "permit"},
		{"of two forms", "/p?id=%u0041", "parameter-escape query"},
		{"what is wrong beside it comes first", "/p?id=1&id=2&x=1", "parameter-invalid query.id repeated"},
	} {
		t.Run(row.name, func(t *testing.T) { assert.Equal(t, row.want, a.says(row.target)) })
	}
	keyed := load(t, document("3.0.3", `
paths: {/p: {get: {security: [{k: []}], responses: {'200': {description: ok}}}}}
components: {securitySchemes: {k: {type: apiKey, in: query, name: api_key}, h: {type: apiKey, in: header, name: X-Key}}}
`), openapi.Options{}).Operations()[0].Judge()
	assert.Equal(t, "permit", said(keyed.Judge(request("/p?api_key=x"), "", nothing, false)), "the query parameter of a security scheme is declared")
	assert.Equal(t, "parameter-undeclared query", said(keyed.Judge(request("/p?X-Key=x"), "", nothing, false)))
}
