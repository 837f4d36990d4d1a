package schema

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func treeOf(t *testing.T, text string) any {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var tree any
	require.NoError(t, decoder.Decode(&tree), text)
	return tree
}

func documentsOf(t *testing.T, texts map[string]string) *Documents {
	t.Helper()
	d := NewDocuments()
	for key, text := range texts {
		d.Add(key, treeOf(t, text))
	}
	return d
}

func TestValuesAreFoundByPointers(t *testing.T) {
	t.Parallel()
	d := documentsOf(t, map[string]string{"a": `{"":{"":1},"a/b":2,"m~n":3,"~1":4,"%25":5,"list":[6,[7]],"no":null}`, "b": `[8]`})
	for pointer, want := range map[string]any{
		"/":         map[string]any{"": json.Number("1")},
		"//":        json.Number("1"),
		"/a~1b":     json.Number("2"),
		"/m~0n":     json.Number("3"),
		"/~01":      json.Number("4"),
		"/%25":      json.Number("5"),
		"/list/0":   json.Number("6"),
		"/list/1/0": json.Number("7"),
		"/no":       nil,
	} {
		got, ok := d.Value(Place{"a", pointer})
		assert.True(t, ok, pointer)
		assert.Equal(t, want, got, pointer)
	}
	whole, ok := d.Value(Place{Document: "b"})
	assert.True(t, ok)
	assert.Equal(t, []any{json.Number("8")}, whole)
	for _, pointer := range []string{"a", "/a", "/a/b", "/m~n", "/~2", "/m~0n~", "/list/2", "/list/-1", "/list/-", "/list/00", "/list/+0", "/list/x", "/no/x", "/list/0/x", "/%", "/list/99999999999999999999"} {
		_, ok := d.Value(Place{"a", pointer})
		assert.False(t, ok, pointer)
	}
	_, ok = d.Value(Place{Document: "c"})
	assert.False(t, ok)
}

func TestPointersEscape(t *testing.T) {
	t.Parallel()
	assert.Empty(t, Pointer())
	assert.Equal(t, "/", Pointer(""))
	assert.Equal(t, "/a~1b/m~0n/~01/%/ü", Pointer("a/b", "m~n", "~1", "%", "ü"))
	assert.Equal(t, Place{"d", "/a/~1"}, Place{"d", "/a"}.Child("/"))
}

func TestTheFirstTreeOfAKeyStays(t *testing.T) {
	t.Parallel()
	d := NewDocuments()
	d.Add("a", "first")
	d.Add("a", "second")
	value, _ := d.Value(Place{Document: "a"})
	assert.Equal(t, "first", value)
}

// reference is a row of the tables below: a reference from a place leads to another.
type reference struct{ from, ref, to string }

// placeOf reads a place that is written as document#pointer.
func placeOf(text string) Place {
	document, pointer, _ := strings.Cut(text, "#")
	return Place{document, pointer}
}

func assertLeads(t *testing.T, d *Documents, rows []reference) {
	t.Helper()
	for _, row := range rows {
		to, err := d.Resolve(placeOf(row.from), row.ref)
		if assert.NoError(t, err, "%s in %s", row.ref, row.from) {
			assert.Equal(t, placeOf(row.to), to, "%s in %s", row.ref, row.from)
		}
	}
}

func TestReferencesInOneSchema(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		schema string
		refs   []reference
	}{
		"pointers": {
			`{"properties":{"foo":{}},"prefixItems":[{},{}],"$defs":{"tilde~field":{},"slash/field":{},"percent%field":{},"foo\"bar":{},"b c":true,"":{"$defs":{"":{}}}}}`,
			[]reference{
				{"s#/properties/foo", "#", "s"},
				{"s#/properties/foo", "", "s"},
				{"s", "#/properties/foo", "s#/properties/foo"},
				{"s", "#/prefixItems/1", "s#/prefixItems/1"},
				{"s", "#/$defs/tilde~0field", "s#/$defs/tilde~0field"},
				{"s", "#/$defs/slash~1field", "s#/$defs/slash~1field"},
				{"s", "#/$defs/percent%25field", "s#/$defs/percent%field"},
				{"s", "#/$defs/foo%22bar", `s#/$defs/foo"bar`},
				{"s", "#/$defs/b%20c", "s#/$defs/b c"},
				{"s", "#/$defs/b c", "s#/$defs/b c"},
				{"s", "#%2F%24defs%2fb%20c", "s#/$defs/b c"},
				{"s", "#/$defs//$defs/", "s#/$defs//$defs/"},
			},
		},
		"a place that is no schema by any keyword": {
			`{"definitions":{"a":{"$id":"http://x/a","definitions":{"b":{"$anchor":"b"}}}}}`,
			[]reference{
				{"s", "#/definitions/a", "s#/definitions/a"},
				{"s#/definitions/a", "#/definitions/b", "s#/definitions/a/definitions/b"},
				{"s#/definitions/a", "#b", "s#/definitions/a/definitions/b"},
				{"s", "http://x/a#b", "s#/definitions/a/definitions/b"},
			},
		},
		"anchors": {
			`{"$defs":{"A":{"$anchor":"foo"},"B":{"$dynamicAnchor":"_b.2-x"}}}`,
			[]reference{
				{"s", "#foo", "s#/$defs/A"},
				{"s#/$defs/A", "#_b.2-x", "s#/$defs/B"},
				{"s", "#%66oo", "s#/$defs/A"},
			},
		},
		"an anchor by an absolute URI": {
			`{"$defs":{"A":{"$id":"http://localhost:1234/bar","$anchor":"foo"}}}`,
			[]reference{{"s", "http://localhost:1234/bar#foo", "s#/$defs/A"}},
		},
		"an anchor below another base": {
			`{"$id":"http://localhost:1234/root","$defs":{"A":{"$id":"nested.json","$defs":{"B":{"$anchor":"foo"}}}}}`,
			[]reference{
				{"s", "http://localhost:1234/nested.json#foo", "s#/$defs/A/$defs/B"},
				{"s", "nested.json#foo", "s#/$defs/A/$defs/B"},
				{"s#/$defs/A", "#foo", "s#/$defs/A/$defs/B"},
				{"s#/$defs/A/$defs/B", "root#/$defs/A/$defs/B", "s#/$defs/A/$defs/B"},
				{"s#/$defs/A/$defs/B", "#/$defs/B", "s#/$defs/A/$defs/B"},
			},
		},
		"the same anchor of different bases": {
			`{"$id":"http://localhost:1234/foobar","$defs":{"A":{"$id":"child1","allOf":[{"$id":"child2","$anchor":"my"},{"$anchor":"my"}]}}}`,
			[]reference{{"s", "child1#my", "s#/$defs/A/allOf/1"}, {"s", "child2#my", "s#/$defs/A/allOf/0"}},
		},
		"schemas refer to each other": {
			`{"$id":"http://localhost:1234/draft/tree","properties":{"nodes":{"items":{}}},"$defs":{"node":{"$id":"http://localhost:1234/draft/node","properties":{"subtree":{}}}}}`,
			[]reference{
				{"s#/properties/nodes/items", "node", "s#/$defs/node"},
				{"s#/$defs/node/properties/subtree", "tree", "s"},
			},
		},
		"the nearest parent with an $id, not the immediate one": {
			`{"$id":"http://example.com/a.json","$defs":{"x":{"$id":"http://example.com/b/c.json","not":{"$defs":{"y":{"$id":"d.json"}}}}}}`,
			[]reference{{"s", "http://example.com/b/d.json", "s#/$defs/x/not/$defs/y"}},
		},
		"an $id beside a $ref is its base": {
			`{"$id":"http://example.com/1.json","properties":{"foo":{"$id":"2.json","$defs":{"inner":{}},"$ref":"#/$defs/inner"}}}`,
			[]reference{
				{"s", "2.json", "s#/properties/foo"},
				{"s#/properties/foo", "#/$defs/inner", "s#/properties/foo/$defs/inner"},
			},
		},
		"an absolute path": {
			`{"$id":"https://example.com/d/base.json","$defs":{"bigint":{"$id":"int.json"},"smallint":{"$id":"/d-int.json"},"other":{"$id":"//example.org/d-int.json"}}}`,
			[]reference{
				{"s", "int.json", "s#/$defs/bigint"},
				{"s", "/d/int.json", "s#/$defs/bigint"},
				{"s", "../d-int.json", "s#/$defs/smallint"},
				{"s", "../../../d-int.json", "s#/$defs/smallint"},
				{"s", "/d/./../d-int.json", "s#/$defs/smallint"},
				{"s", "https://example.org/d-int.json", "s#/$defs/other"},
			},
		},
		"a folder as base": {
			`{"$id":"http://localhost:1234/defs.json","$defs":{"baz":{"$id":"folder/","$defs":{"bar":{"$id":"bar.json"}}}}}`,
			[]reference{
				{"s", "folder/", "s#/$defs/baz"},
				{"s", "folder/#/$defs/bar", "s#/$defs/baz/$defs/bar"},
				{"s", "folder/bar.json", "s#/$defs/baz/$defs/bar"},
			},
		},
		"URN": {
			`{"$id":"urn:example:weather?=op=map&lat=39.56&datetime=1969-07-21T02:56:15Z","$defs":{"bar":{"$anchor":"something"},"foo":{"$id":"urn:uuid:deadbeef-4321-ffff-ffff-1234feebdaed","$defs":{"bar":{}}}}}`,
			[]reference{
				{"s", "#/$defs/bar", "s#/$defs/bar"},
				{"s", "#something", "s#/$defs/bar"},
				{"s", "urn:example:weather?=op=map&lat=39.56&datetime=1969-07-21T02:56:15Z#something", "s#/$defs/bar"},
				{"s", "urn:uuid:deadbeef-4321-ffff-ffff-1234feebdaed", "s#/$defs/foo"},
				{"s", "URN:uuid:deadbeef-4321-ffff-ffff-1234feebdaed#/$defs/bar", "s#/$defs/foo/$defs/bar"},
				{"s#/$defs/foo", "#/$defs/bar", "s#/$defs/foo/$defs/bar"},
			},
		},
		"every keyword that leads to schemas": {
			`{"if":{"$anchor":"a"},"then":{"$anchor":"b"},"else":{"$anchor":"c"},"not":{"$anchor":"d"},"items":{"$anchor":"e"},
			"contains":{"$anchor":"f"},"additionalProperties":{"$anchor":"g"},"propertyNames":{"$anchor":"h"},"unevaluatedItems":{"$anchor":"i"},
			"unevaluatedProperties":{"$anchor":"j"},"contentSchema":{"$anchor":"k"},"allOf":[{"$anchor":"l"}],"anyOf":[true,{"$anchor":"m"}],
			"oneOf":[{"$anchor":"n"}],"prefixItems":[{"$anchor":"o"}],"properties":{"enum":{"$anchor":"p"}},"patternProperties":{"/":{"$anchor":"q"}},
			"dependentSchemas":{"x":{"$anchor":"r"}},"$defs":{"x":{"$anchor":"s"}}}`,
			[]reference{
				{"s", "#a", "s#/if"},
				{"s", "#b", "s#/then"},
				{"s", "#c", "s#/else"},
				{"s", "#d", "s#/not"},
				{"s", "#e", "s#/items"},
				{"s", "#f", "s#/contains"},
				{"s", "#g", "s#/additionalProperties"},
				{"s", "#h", "s#/propertyNames"},
				{"s", "#i", "s#/unevaluatedItems"},
				{"s", "#j", "s#/unevaluatedProperties"},
				{"s", "#k", "s#/contentSchema"},
				{"s", "#l", "s#/allOf/0"},
				{"s", "#m", "s#/anyOf/1"},
				{"s", "#n", "s#/oneOf/0"},
				{"s", "#o", "s#/prefixItems/0"},
				{"s", "#p", "s#/properties/enum"},
				{"s", "#q", "s#/patternProperties/~1"},
				{"s", "#r", "s#/dependentSchemas/x"},
				{"s", "#s", "s#/$defs/x"},
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := documentsOf(t, map[string]string{"s": row.schema})
			require.Empty(t, d.Scan(Place{Document: "s"}))
			assertLeads(t, d, row.refs)
		})
	}
}

func TestReferencesBetweenDocuments(t *testing.T) {
	t.Parallel()
	d := documentsOf(t, map[string]string{
		"api/openapi.yaml":        `{"openapi":"3.1.0","components":{"schemas":{"A":{"$anchor":"a"},"B":{"$id":"https://example.com/schemas/b","properties":{"c":{}}}}}}`,
		"api/common/a b%.yaml":    `{"Pet":{"properties":{"x":{}}},"properties":{"type":"object"}}`,
		"shared.json":             `{"$anchor":"root","$defs":{"x":{"$anchor":"x"}}}`,
		"../above.json":           `{}`,
		"/abs/one.json":           `{}`,
		"/abs/two.json":           `{}`,
		"api/q?.json":             `{}`,
		"api/10:30.json":          `{}`,
		"published.json":          `{"$id":"https://example.com/schemas/published","$defs":{"a":{"$anchor":"a"}}}`,
		"http://h:1/r/id.json":    `{"$id":"http://h:1/real.json","$defs":{"bar":{"properties":{"x":{}}}}}`,
		"http://h:1/r/urn.json":   `{"$id":"urn:uuid:1","$defs":{"bar":{}}}`,
		"http://h:1/r/int.json":   `{"$defs":{"s":{"$anchor":"foo"}}}`,
		"http://h:1/r/a%20b.json": `{}`,
		"http://h:1":              `{}`,
		"urn:x:defs":              `{"$defs":{"s":{"$anchor":"foo"}}}`,
	})
	require.Empty(t, d.Scan(Place{"api/openapi.yaml", "/components/schemas/A"}))
	require.Empty(t, d.Scan(Place{"api/openapi.yaml", "/components/schemas/B"}))
	const a, b = "api/openapi.yaml#/components/schemas/A", "api/openapi.yaml#/components/schemas/B"
	assertLeads(t, d, []reference{
		{a, "openapi.yaml#/components/schemas/B", b},
		{a, "./openapi.yaml#a", a},
		{a, "../api/openapi.yaml#/components", "api/openapi.yaml#/components"},
		{a, "common/a%20b%25.yaml#/Pet", "api/common/a b%.yaml#/Pet"},
		{a, "common/a b%25.yaml#/Pet", "api/common/a b%.yaml#/Pet"},
		{"api/common/a b%.yaml#/Pet", "#/Pet/properties/x", "api/common/a b%.yaml#/Pet/properties/x"},
		{"api/common/a b%.yaml#/Pet", "../../shared.json", "shared.json"},
		{"api/common/a b%.yaml#/Pet", "../openapi.yaml#/components/schemas/A", a},
		{a, "../shared.json#", "shared.json"},
		{a, "../shared.json#x", "shared.json#/$defs/x"},
		{a, "../shared.json#root", "shared.json"},
		{"shared.json#/$defs/x", "#x", "shared.json#/$defs/x"},
		{a, "../../above.json", "../above.json"},
		{"../above.json", "above.json", "../above.json"},
		{a, "/abs/one.json", "/abs/one.json"},
		{"/abs/one.json", "two.json", "/abs/two.json"},
		{"/abs/one.json", "../../abs/two.json", "/abs/two.json"},
		{a, "q%3F.json", "api/q?.json"},
		{a, "./10:30.json", "api/10:30.json"},
		{b, "published", "published.json"},
		{b, "https://EXAMPLE.com/schemas/%70ublished#a", "published.json#/$defs/a"},
		{a, "../published.json#/$defs/a", "published.json#/$defs/a"},
		{"published.json", "b#/properties/c", b + "/properties/c"},
		{a, "http://h:1/r/int.json#/$defs/s", "http://h:1/r/int.json#/$defs/s"},
		{a, "http://h:1/r/int.json#foo", "http://h:1/r/int.json#/$defs/s"},
		{"http://h:1/r/int.json", "id.json#/$defs/bar", "http://h:1/r/id.json#/$defs/bar"},
		{"http://h:1/r/int.json", "urn.json#/$defs/bar", "http://h:1/r/urn.json#/$defs/bar"},
		{"http://h:1/r/int.json", "a b.json", "http://h:1/r/a%20b.json"},
		{"http://h:1/r/int.json", "/", "http://h:1"},
		{"http://h:1/r/id.json#/$defs/bar", "#/$defs/bar/properties/x", "http://h:1/r/id.json#/$defs/bar/properties/x"},
		{"http://h:1/r/id.json#/$defs/bar", "r/int.json", "http://h:1/r/int.json"},
		{a, "urn:x:defs#foo", "urn:x:defs#/$defs/s"},
		{a, "urn:uuid:1#/$defs/bar", "http://h:1/r/urn.json#/$defs/bar"},
	})
}

func TestReferencesToNothingSayWhatIsMissing(t *testing.T) {
	t.Parallel()
	d := documentsOf(t, map[string]string{
		"openapi.yaml": `{"openapi":"3.1.0","components":{"schemas":{"A":{"enum":[{"$anchor":"no","$id":"http://no"}],"const":{"$anchor":"no"},
			"examples":[{"$anchor":"no"}],"default":{"$anchor":"no"},"example":{"$id":"http://no"},"x-no":{"$anchor":"no"},"definitions":{"x":{"$anchor":"no"}},
			"dependencies":{"x":{"$anchor":"no"}},"required":["$anchor"],"items":[{"$anchor":"no"}],"properties":{"a":"$anchor"}}}}}`,
		"b.yaml": `{"$defs":{"x":[{}]}}`,
	})
	at := Place{"openapi.yaml", "/components/schemas/A"}
	require.Empty(t, d.Scan(at))
	for ref, want := range map[string]string{
		"#no":                      `"openapi.yaml" has no $anchor "no"`,
		"#/components/schemas/B":   `"openapi.yaml" has no /components/schemas/B`,
		"#/components/schemas/B/x": `"openapi.yaml" has no /components/schemas/B`,
		"b.yaml#/$defs/x/1":        `"b.yaml" has no /$defs/x/1`,
		"b.yaml#/$defs/x/00":       `"b.yaml" has no /$defs/x/00`,
		"b.yaml#x":                 `"b.yaml" has no $anchor "x"`,
		"http://no":                `nothing in the contract is "http://no/"`,
		"c.yaml":                   `nothing in the contract is "c.yaml"`,
		"../b.yaml":                `nothing in the contract is "../b.yaml"`,
		"/b.yaml":                  `nothing in the contract is "/b.yaml"`,
		"b.yaml/":                  `nothing in the contract is "b.yaml/"`,
		"b.yaml?x=1":               `nothing in the contract is "b.yaml?x=1"`,
		"//host/b.yaml":            `nothing in the contract is "//host/b.yaml"`,
		"B":                        `nothing in the contract is "B"`,
		"#/%zz":                    `the fragment has a wrong escape`,
		"#/components/~x":          `neither ~0 nor ~1`,
		"100%.yaml":                `this is no URI`,
		"http://[":                 `this is no URI`,
	} {
		_, err := d.Resolve(at, ref)
		assert.ErrorContains(t, err, want, ref)
	}
	_, err := d.Resolve(Place{Document: "c.yaml"}, "#")
	assert.ErrorContains(t, err, `there is no document "c.yaml"`)
}

func TestLocateDoesNotTakeThePlaceForASchema(t *testing.T) {
	t.Parallel()
	d := documentsOf(t, map[string]string{"openapi.yaml": `{"openapi":"3.1.0","x":{"$anchor":"a"}}`})
	to, err := d.Locate(Place{Document: "openapi.yaml"}, "#/x")
	require.NoError(t, err)
	assert.Equal(t, Place{"openapi.yaml", "/x"}, to)
	_, err = d.Locate(to, "#a")
	assert.ErrorContains(t, err, "has no $anchor")
	_, err = d.Resolve(Place{Document: "openapi.yaml"}, "#/x")
	require.NoError(t, err)
	to, err = d.Locate(to, "#a")
	require.NoError(t, err)
	assert.Equal(t, Place{"openapi.yaml", "/x"}, to)
}

func TestResourcesAreTheNearestIDs(t *testing.T) {
	t.Parallel()
	d := documentsOf(t, map[string]string{
		"s": `{"$id":"http://x/s","$dynamicAnchor":"items","properties":{"a":{"$dynamicAnchor":"other"},"b":{"$id":"b","$dynamicAnchor":"items","$anchor":"plain","items":{"not":{}}}}}`,
		"t": `{"items":{}}`,
	})
	require.Empty(t, d.Scan(Place{Document: "s"}))
	for at, want := range map[string]string{
		"s":                          "s",
		"s#/properties/a":            "s",
		"s#/properties/b":            "s#/properties/b",
		"s#/properties/b/items":      "s#/properties/b",
		"s#/properties/b/items/not":  "s#/properties/b",
		"s#/properties/bb":           "s",
		"t#/items":                   "t",
		"not a document#/properties": "not a document",
	} {
		assert.Equal(t, placeOf(want), d.rootOf(placeOf(at)), at)
	}
	assert.Equal(t, []string{"items", "other"}, d.dynamicAnchors(Place{Document: "s"}))
	assert.Equal(t, []string{"items"}, d.dynamicAnchors(placeOf("s#/properties/b")), "a plain anchor is not dynamic")
	assert.Empty(t, d.dynamicAnchors(Place{Document: "t"}))
	assert.Empty(t, d.dynamicAnchors(placeOf("s#/properties/a")), "it is no resource")
	at, ok := d.dynamicAnchor(placeOf("s#/properties/b"), "items")
	assert.True(t, ok)
	assert.Equal(t, placeOf("s#/properties/b"), at)
	for _, no := range []string{"plain", "other"} {
		_, ok = d.dynamicAnchor(placeOf("s#/properties/b"), no)
		assert.False(t, ok, no)
	}
	_, ok = d.dynamicAnchor(placeOf("s#/properties/a"), "other")
	assert.False(t, ok, "it is no resource")
}

func TestWrongNamesAreProblems(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct{ schema, pointer, cause string }{
		"an $id twice":                  {`{"$defs":{"a":{"$id":"http://x/a"},"b":{"$id":"HTTP://X/%61"}}}`, "/$defs/b/$id", `$id "http://x/a" is also that of s#/$defs/a`},
		"an $id that is a file":         {`{"$defs":{"a":{"$id":"other"}}}`, "/$defs/a/$id", `$id "other" is also that of other`},
		"an $id without a name":         {`{"$defs":{"a":{"$id":"#"}}}`, "/$defs/a/$id", `$id "s" is also that of s`},
		"an $id with a fragment":        {`{"$id":"http://x/a#b"}`, "/$id", `$id "http://x/a#b" has a fragment`},
		"an $id that is no text":        {`{"$id":1}`, "/$id", "$id is not a string"},
		"an $id that is no URI":         {`{"$id":"http://["}`, "/$id", `$id "http://[" is not a URI`},
		"an anchor twice":               {`{"$defs":{"a":{"$anchor":"x"},"b":{"$anchor":"x"}}}`, "/$defs/b/$anchor", `$anchor "x" is also that of s#/$defs/a`},
		"an anchor of two kinds":        {`{"$anchor":"x","$defs":{"b":{"$dynamicAnchor":"x"}}}`, "/$defs/b/$dynamicAnchor", `$dynamicAnchor "x" is also that of s`},
		"an anchor that is no name":     {`{"$anchor":"1a"}`, "/$anchor", "$anchor is not a name"},
		"an anchor of nothing":          {`{"$anchor":""}`, "/$anchor", "$anchor is not a name"},
		"an anchor with another letter": {`{"$dynamicAnchor":"a/b"}`, "/$dynamicAnchor", "$dynamicAnchor is not a name"},
		"an anchor that is no text":     {`{"$anchor":null}`, "/$anchor", "$anchor is not a name"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := documentsOf(t, map[string]string{"s": row.schema, "other": `{}`})
			problems := d.Scan(Place{Document: "s"})
			require.Len(t, problems, 1)
			assert.Equal(t, Place{"s", row.pointer}, problems[0].Place)
			assert.Equal(t, row.cause, problems[0].Cause)
			assert.Equal(t, problems, d.Scan(Place{Document: "s"}), "the second scan tells the same")
			_, err := d.Resolve(Place{Document: "other"}, "s")
			assert.ErrorContains(t, err, row.cause, "who asks for it first by a reference is told, too")
			assert.ErrorContains(t, err, row.pointer)
		})
	}
}

func TestNamesMayBeSaidTwiceOfOneSchema(t *testing.T) {
	t.Parallel()
	d := documentsOf(t, map[string]string{"http://x/s": `{"$id":"http://x/s#","$anchor":"a","$dynamicAnchor":"a","$defs":{"b":{"$id":"b","$anchor":"a"}}}`})
	assert.Empty(t, d.Scan(Place{Document: "http://x/s"}))
	assert.Empty(t, d.Scan(Place{"http://x/s", "/$defs/b"}), "seen from another schema")
	assertLeads(t, d, []reference{{"http://x/s", "#a", "http://x/s"}, {"http://x/s", "b#a", "http://x/s#/$defs/b"}})
}

func TestSchemasOfOldContractsHaveNoNames(t *testing.T) {
	t.Parallel()
	d := documentsOf(t, map[string]string{"s": `{"$id":"http://x/s","$anchor":"a","items":{"$id":1}}`, "t": `{}`})
	d.OmitIDs()
	assert.Empty(t, d.Scan(Place{Document: "s"}))
	assertLeads(t, d, []reference{{"s#/items", "t", "t"}, {"s#/items", "#/items", "s#/items"}, {"t", "s#/items", "s#/items"}})
	_, err := d.Resolve(Place{Document: "s"}, "#a")
	assert.ErrorContains(t, err, "has no $anchor")
}

// FuzzResolve: a reference leads to a place that has a value, and resolving it again to
// the same one; the pointer of that place is the only one it has.
func FuzzResolve(f *testing.F) {
	for _, ref := range []string{"#", "#/$defs/a~1b", "#%2F", "b.json#x", "../s", "urn:x", "http://x/%7e", "//", "?", "#/$defs/c%20d/0", "./b.json#/$defs/x"} {
		f.Add(ref)
	}
	f.Fuzz(func(t *testing.T, ref string) {
		if len(ref) > 1000 {
			return
		}
		d := documentsOf(t, map[string]string{
			"s":      `{"$id":"http://x/~","$defs":{"a/b":{"$id":"urn:x"},"c d":[{}],"":{}}}`,
			"b.json": `{"$defs":{"x":{"$anchor":"x"}}}`,
		})
		for _, from := range []Place{{Document: "s"}, {"s", "/$defs/a~1b"}, {Document: "b.json"}} {
			to, err := d.Resolve(from, ref)
			if err != nil {
				continue
			}
			_, ok := d.Value(to)
			require.True(t, ok, to)
			tokens, err := pointerTokens(to.Pointer)
			require.NoError(t, err)
			require.Equal(t, to.Pointer, Pointer(tokens...))
			again, err := d.Resolve(from, ref)
			require.NoError(t, err)
			require.Equal(t, to, again)
		}
	})
}
