package openapi_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy/openapi"
)

// TestMembersThatNobodyDeclares: the members of an object are judged like the names of the
// query, wherever the object is; those of a document, like those of a body.
func TestMembersThatNobodyDeclares(t *testing.T) {
	const object = "schema: {type: object, properties: {a: {type: integer}}}"
	operations := map[string]string{
		"/deep":       "{name: f, in: query, style: deepObject, explode: true, " + object + "}, {name: n, in: query, schema: {type: integer}}",
		"/flat":       "{name: f, in: query, explode: false, " + object + "}",
		"/spread":     "{name: f, in: query, " + object + "}",
		"/simple/{f}": "{name: f, in: path, required: true, " + object + "}",
		"/label/{f}":  "{name: f, in: path, required: true, style: label, explode: true, " + object + "}",
		"/matrix/{f}": "{name: f, in: path, required: true, style: matrix, explode: true, " + object + "}",
		"/header":     "{name: X-F, in: header, " + object + "}",
		"/cookie":     "{name: f, in: cookie, explode: false, " + object + "}",
		"/open":       "{name: f, in: query, style: deepObject, explode: true, schema: {type: object, properties: {a: {type: integer}}, additionalProperties: true}}",
		"/free":       "{name: f, in: query, style: deepObject, explode: true, schema: {type: object}}",
		"/document":   "{name: d, in: query, content: {application/json: {" + object + "}}}",
	}
	a := parametersOf(t, "3.0.3", operations, openapi.Options{})
	for _, row := range []struct{ target, header, want string }{
		{"/deep?f[a]=1", "", "permit"},
		{"/deep?f[evil]=1", "", "parameter-undeclared query.f"},
		{"/deep?f[a]=2&f[evil]=1", "", "parameter-undeclared query.f"},
		{"/deep?f[__proto__]=1", "", "parameter-undeclared query.f"},
		{"/deep?f[]=1", "", "parameter-undeclared query.f"},
		{"/deep?f[A]=1", "", "parameter-undeclared query.f"},
		{"/deep?f[evil]=1&n=x", "", "parameter-invalid query.n type"}, // which a report must not hide
		{"/deep?f[evil]=1&f[a]=x", "", "parameter-invalid query.f/a type"},
		{"/deep?f[evil]=1&x=1", "", "parameter-undeclared query"},
		{"/flat?f=a,1", "", "permit"},
		{"/flat?f=a,1,evil,2", "", "parameter-undeclared query.f"},
		{"/spread?a=1&evil=2", "", "parameter-undeclared query"},
		{"/simple/a,1", "", "permit"},
		{"/simple/a,1,evil,2", "", "parameter-undeclared path.f"},
		{"/label/.a=1.evil=2", "", "parameter-undeclared path.f"},
		{"/matrix/;a=1;evil=2", "", "parameter-undeclared path.f"},
		{"/header", "X-F: a,1", "permit"},
		{"/header", "X-F: a,1,evil,2", "parameter-undeclared header.X-F"},
		{"/cookie", "Cookie: f=a,1", "permit"},
		{"/cookie", "Cookie: f=a,1,evil,2", "parameter-undeclared cookie.f"},
		{"/open?f[evil]=1", "", "permit"},
		{"/free?f[evil]=1", "", "permit"},
		{`/document?d={"a":1,"evil":2}`, "", "permit"},
	} {
		assert.Equal(t, row.want, a.sent(row.target, row.header), "%s %s", row.target, row.header)
	}
	a = parametersOf(t, "3.0.3", operations, openapi.Options{UndeclaredProperties: "deny"})
	assert.Equal(t, "undeclared-property query.d", a.says(`/document?d={"a":1,"evil":2}`))
	assert.Equal(t, "permit", a.says(`/document?d={"a":1}`))
}

// sent is the verdict on a request with one line of a header, or none.
func (a asked) sent(target, header string) string {
	if header == "" {
		return a.says(target)
	}
	return a.says(target, header)
}

// TestAnotherSpellingIsNoMember: an open object takes no name that some server reads as one
// that is declared, with other bounds.
func TestAnotherSpellingIsNoMember(t *testing.T) {
	a := parametersOf(t, "3.1.0", map[string]string{
		"/p": `{name: limit, in: query, schema: {type: integer, maximum: 10}}, {name: page_size, in: query, schema: {type: integer}},
			{name: 'ids[]', in: query, schema: {type: array, items: {type: integer}}},
			{name: deep, in: query, style: deepObject, explode: true, schema: {type: object, properties: {a: {type: integer}}}},
			{name: range, in: query, schema: {type: object, properties: {from: {type: integer}}}},
			{name: any, in: query, schema: {type: object, properties: {own: {type: string}}, additionalProperties: {type: string}}}`,
		"/patterned": `{name: limit, in: query, schema: {type: integer, maximum: 10}},
			{name: any, in: query, schema: {type: object, patternProperties: {'^[lLx]': {type: string}}, additionalProperties: false}}`,
	}, openapi.Options{QueryParameters: []string{"access_token"}})
	for _, name := range []string{
		"limit[]", "limit[x]", "limit[", "LIMIT", "Limit", "%20limit", "limit%20", "limit%09", "limit%00", "limit%00x", "lim%C4%B1t[]", "LIMIT%20[0]",
		"page.size", "page%20size", "page+size", "PAGE_SIZE", "ids", "IDS[]", "ids[0]", "Deep", "Deep[a]", "From", "from[]", "OWN", "own[]", "Access_Token",
		"%E2%84%AAey",
	} {
		want := "parameter-undeclared query"
		switch name {
		case "lim%C4%B1t[]", "%E2%84%AAey": // a dotless i is another letter; no key is declared
			want = "permit"
		}
		assert.Equal(t, want, a.says("/p?limit=5&"+name+"=99"), name)
	}
	for _, query := range []string{"limit=5&page_size=7&ids[]=1&ids[]=2&deep[a]=1&from=1&own=x&other=y&Other[]=z&access_token=t", "any=1", "limits=1", "page-size=3"} {
		assert.Equal(t, "permit", a.says("/p?"+query), query)
	}
	for query, want := range map[string]string{
		"limit=5&xy=1": "permit", "limit=5&limits=1": "permit", "limit=5&y=1": "parameter-undeclared query", "limit=5&Limit=99": "parameter-undeclared query",
	} {
		assert.Equal(t, want, a.says("/patterned?"+query), query)
	}
}

func TestQueryIsBoundedBeforeItCosts(t *testing.T) {
	operations := map[string]string{"/p": "{name: id, in: query, required: true, schema: {type: array, items: {type: integer}}}", "/none": ""}
	a := parametersOf(t, "3.0.3", operations, openapi.Options{MaxQueryParameters: 3})
	assert.Equal(t, "permit", a.says("/p?id=1&id=2&&id=3"))
	assert.Equal(t, "parameter-too-many query limit 3", a.says("/p?id=1&id=2&id=3&id=4"))
	assert.Equal(t, "parameter-too-many query limit 3", a.says("/p?a&b&c&d"), "before what is missing")
	assert.Equal(t, "parameter-too-many query limit 3", a.says("/none?a=1&b=1&c=1&%zz=1"))
	a = parametersOf(t, "3.0.3", operations, openapi.Options{})
	assert.Equal(t, "permit", a.says("/p?"+strings.Repeat("id=1&", 1000)))
	assert.Equal(t, "parameter-too-many query limit 1000", a.says("/p?"+strings.Repeat("id=1&", 1001)))
}

// TestWhatIsNotListedIsLearnedOnce: what a name that no schema lists may be is not found
// again for each that is sent, however many schemas there are.
func TestWhatIsNotListedIsLearnedOnce(t *testing.T) {
	branches := func(n int, of string) string {
		var all []string
		for i := range n {
			all = append(all, fmt.Sprintf(of, i))
		}
		return "{anyOf: [" + strings.Join(all, ", ") + "]}"
	}
	open := branches(50, "{type: object, properties: {p%[1]d: {type: string}}, additionalProperties: {type: string, maxLength: %[1]d0}}")
	patterned := branches(50, "{type: object, patternProperties: {'^[0-9]': {type: string, maxLength: %[1]d0}}}")
	a := parametersOf(t, "3.1.0", map[string]string{
		"/open":      "{name: any, in: query, schema: " + open + "}",
		"/patterned": "{name: any, in: query, schema: " + patterned + "}",
		"/deep":      "{name: f, in: query, style: deepObject, explode: true, schema: " + open + "}",
	}, openapi.Options{})
	names := func(format string, n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
	for _, target := range []string{
		"/open?" + names("%d=&", 1000), "/patterned?" + names("%d=&", 1000), "/deep?" + names("f[%d]=&", 1000),
	} {
		path, _, _ := strings.Cut(target, "?")
		r := request(target)
		took := time.Hour
		for range 5 {
			start := time.Now() //nolint:forbidigo // what it takes is the question
			require.Equal(t, "permit", said(a.judge(r)), path)
			took = min(took, time.Since(start)) //nolint:forbidigo // as above
		}
		assert.Less(t, testing.AllocsPerRun(3, func() { a.judge(r) }), 4000.0, path)
		assert.Less(t, took, slowness*20*time.Millisecond, path)
	}
}
