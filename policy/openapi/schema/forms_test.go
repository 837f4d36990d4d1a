package schema_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy/openapi/schema"
)

// formsOf compiles a schema of OpenAPI 3.1, whose references are to $defs.
func formsOf(t *testing.T, text string) schema.Forms {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var tree any
	require.NoError(t, decoder.Decode(&tree))
	d := schema.NewDocuments()
	d.Add("contract.json", tree)
	c := schema.NewCompiler(d, schema.Options{Modern: true})
	s := c.Schema(schema.Place{Document: "contract.json"})
	problems, _ := c.End()
	require.Empty(t, problems)
	return s.Forms()
}

func TestFormsSayHowAPropertyIsKnown(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, schema, property string
		want                   schema.Standing
	}{
		{"listed", `{"properties":{"a":{}}}`, "a", schema.Declared},
		{"not listed", `{"properties":{"a":{}}}`, "b", schema.Undeclared},
		{"required alone is no declaration", `{"properties":{"a":{}},"required":["b"]}`, "b", schema.Undeclared},
		{"nothing is listed", `{"type":"object"}`, "b", schema.Openly},
		{"listed by a branch", `{"properties":{"a":{}},"oneOf":[{"properties":{"b":{}}},{}]}`, "b", schema.Declared},
		{"listed under a condition", `{"if":{"properties":{"a":{}}},"then":{"properties":{"b":{}}}}`, "b", schema.Declared},
		{"listed for the sake of another", `{"properties":{"a":{}},"dependentSchemas":{"a":{"properties":{"b":{}}}}}`, "b", schema.Declared},
		{"listed by what must not hold", `{"properties":{"a":{}},"not":{"properties":{"b":{}}}}`, "b", schema.Undeclared},
		{"by a pattern", `{"properties":{"a":{}},"patternProperties":{"^b":{}}}`, "bc", schema.Openly},
		{"not by a pattern", `{"patternProperties":{"^b":{}}}`, "c", schema.Undeclared},
		{"open", `{"properties":{"a":{}},"additionalProperties":true}`, "b", schema.Openly},
		{"closed", `{"properties":{"a":{}},"additionalProperties":false}`, "b", schema.Undeclared},
		{"open for what no other evaluates", `{"properties":{"a":{}},"unevaluatedProperties":{"type":"string"}}`, "b", schema.Openly},
		{"behind a reference to itself", `{"$ref":"#/$defs/n","$defs":{"n":{"properties":{"n":{"$ref":"#/$defs/n"}}}}}`, "n", schema.Declared},
	} {
		_, got := formsOf(t, row.schema).Property(row.property)
		assert.Equal(t, row.want, got, row.name)
	}
}

func TestFormsNameTypesTogether(t *testing.T) {
	t.Parallel()
	of := func(text string) schema.Types { return formsOf(t, text).Types() }
	assert.Equal(t, schema.Types{Any: true}, of(`{"not":{"type":"string"}}`))
	assert.Equal(t, schema.Types{String: true, Integer: true, Null: true}, of(`{"type":["string","null"],"anyOf":[{"type":"integer"}]}`))
	assert.Equal(t, schema.Types{Array: true, Number: true}, of(`{"oneOf":[{"type":"array"},{"$ref":"#/$defs/n"}],"$defs":{"n":{"type":"number"}}}`))
	assert.Equal(t, schema.Types{Any: true}, schema.Forms{}.Types())
}

func TestFormsOfItems(t *testing.T) {
	t.Parallel()
	const list = `{"prefixItems":[{"type":"string"},{"type":"boolean"}],"items":{"type":"integer"},"contains":{"type":"null"}}`
	f := formsOf(t, list)
	assert.Equal(t, schema.Types{String: true, Null: true}, f.Item(0).Types())
	assert.Equal(t, schema.Types{Boolean: true, Null: true}, f.Item(1).Types())
	assert.Equal(t, schema.Types{Integer: true, Null: true}, f.Item(2).Types())
	assert.Equal(t, schema.Types{String: true, Boolean: true, Integer: true, Null: true}, f.Item(-1).Types())
	assert.Equal(t, schema.Types{Any: true}, formsOf(t, `{}`).Item(0).Types())
}

func TestFormsDeclarePlacesByName(t *testing.T) {
	t.Parallel()
	f := formsOf(t, `{"properties":{"a":{"properties":{"b":{}}},"l":{"items":{"properties":{"c":{}}}},"0":{}},"additionalProperties":true}`)
	assert.Equal(t, []string{"0", "a", "l"}, f.Names())
	for place, want := range map[string]bool{"a": true, "a b": true, "a c": false, "l * c": true, "l 7 c": true, "l - c": true, "l x c": false, "0": true, "x": false, "a 0": false, "": false} {
		assert.Equal(t, want, f.Declares(strings.Fields(place)), place)
	}
}

// A property has a form for every schema that speaks of it, and what must hold of it is
// told from what may.
func TestFormsOfAPropertyAreThoseOfEverySchema(t *testing.T) {
	t.Parallel()
	f := formsOf(t, `{"allOf":[{"properties":{"a":{"properties":{"x":{}}}}},{"properties":{"a":{"oneOf":[{"properties":{"y":{}}}]}}}],"anyOf":[{"properties":{"a":{"properties":{"z":{}}}}}]}`)
	inner, standing := f.Property("a")
	assert.Equal(t, schema.Declared, standing)
	assert.Equal(t, []string{"x", "y", "z"}, inner.Names())
}

func TestFormsOfWhatTextsStandFor(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		schema                  string
		bytes, file, structured bool
	}{
		{`{}`, false, true, false},
		{`{"type":"string"}`, false, false, false},
		{`{"enum":["a"]}`, false, false, false},
		{`{"const":1}`, false, false, false},
		{`{"minLength":1}`, false, false, false},
		{`{"minimum":1}`, false, false, false},
		{`{"type":"string","format":"binary"}`, true, true, false},
		{`{"type":"string","format":"byte"}`, false, true, false},
		{`{"contentMediaType":"image/png"}`, true, true, false},
		{`{"contentMediaType":"image/png","contentEncoding":"base64"}`, false, true, false},
		{`{"allOf":[{"type":"string"},{"format":"binary"}]}`, true, true, false},
		{`{"not":{"format":"binary"},"type":"string"}`, false, false, false},
		{`{"required":["a"]}`, false, true, true},
		{`{"anyOf":[{"items":{"type":"string"}}]}`, false, true, true},
	} {
		f := formsOf(t, c.schema)
		assert.Equal(t, c.bytes, f.Bytes(), c.schema)
		assert.Equal(t, c.file, f.File(), c.schema)
		assert.Equal(t, c.structured, f.Structured(), c.schema)
	}
}

// TestFormsOfAMemberAtOnce: the short ways say what the long ones do.
func TestFormsOfAMemberAtOnce(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		schema string
		same   bool
	}{
		{`{"properties":{"a":{"type":"integer"},"-":{"type":"string"}}}`, true},
		{`{"type":"object"}`, true},
		{`{"properties":{"a":{}},"additionalProperties":{"anyOf":[{"type":"string"},{"allOf":[{"type":"null"}]}]}}`, true},
		{`{"properties":{"a":{"type":"integer"}},"anyOf":[{"additionalProperties":false},{"additionalProperties":{"type":"boolean"}}]}`, true},
		{`{"required":["---"],"unevaluatedProperties":{"$ref":"#/$defs/n"},"$defs":{"n":{"type":["string","object"],"properties":{"n":{"$ref":"#/$defs/n"}}}}}`, true},
		{`{"patternProperties":{"^b":{"type":"string"}},"additionalProperties":{"type":"number"}}`, false},
		{`{"allOf":[{"properties":{"a":{}}},{"patternProperties":{"c$":{"type":"string"}}}]}`, false},
	} {
		f := formsOf(t, row.schema)
		unlisted, state, same := f.Unlisted()
		assert.Equal(t, row.same, same, row.schema)
		for _, name := range []string{"", "a", "-", "--", "---", "bc", "n", "zz"} {
			long, standing := f.Property(name)
			types, short := f.Member(name)
			assert.Equal(t, standing, short, "%s of %s", name, row.schema)
			assert.Equal(t, long.Types(), types, "%s of %s", name, row.schema)
			if same && standing != schema.Declared {
				assert.Equal(t, standing, state, "%s of %s", name, row.schema)
				assert.Equal(t, types, unlisted, "%s of %s", name, row.schema)
			}
		}
	}
	list := formsOf(t, `{"prefixItems":[{},{"type":"null"}],"items":{"type":"string"},"anyOf":[{"prefixItems":[{},{},{"type":"integer"}]},{}]}`)
	require.Equal(t, 3, list.Prefix())
	assert.Equal(t, list.Item(3).Types(), list.Item(1000).Types())
	assert.NotEqual(t, list.Item(2).Types(), list.Item(3).Types())
	assert.Zero(t, formsOf(t, `{"type":"array"}`).Prefix())
}
