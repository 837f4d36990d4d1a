package schema

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// tree returns the raw tree of a JSON text.
func tree(t testing.TB, text string) any {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var value any
	require.NoError(t, decoder.Decode(&value), text)
	return value
}

// compiled returns the schema of a JSON text, which must be without problems.
func compiled(t testing.TB, o Options, text string) *Schema {
	t.Helper()
	d := NewDocuments()
	d.Add("test.json", tree(t, text))
	c := NewCompiler(d, o)
	s := c.Schema(Place{Document: "test.json"})
	problems, _ := c.End()
	require.Empty(t, problems)
	return s
}

// feed tells a run the tokens of a JSON text.
func feed(t testing.TB, r *Run, text string) {
	t.Helper()
	decoder := jsontext.NewDecoder(bytes.NewBufferString(text))
	for {
		kind := decoder.PeekKind()
		switch kind {
		case jsontext.KindInvalid:
			return
		case jsontext.KindString:
			raw, err := decoder.ReadValue()
			require.NoError(t, err)
			unescaped, err := jsontext.AppendUnquote(nil, raw)
			require.NoError(t, err)
			r.Visit(kind, unescaped)
		case jsontext.KindNumber:
			raw, err := decoder.ReadValue()
			require.NoError(t, err)
			r.Visit(kind, raw)
		case jsontext.KindNull, jsontext.KindFalse, jsontext.KindTrue, jsontext.KindBeginObject, jsontext.KindEndObject,
			jsontext.KindBeginArray, jsontext.KindEndArray:
			_, err := decoder.ReadToken()
			require.NoError(t, err)
			r.Visit(kind, nil)
		}
	}
}

func TestRunTellsPlaceAndKeyword(t *testing.T) {
	for _, c := range []struct{ schema, value, want string }{
		{`{"type":"object"}`, `[]`, " type"},
		{`{"properties":{"a":{"type":"string"}}}`, `{"a":1}`, "/a type"},
		{`{"properties":{"a":{"items":{"properties":{"b":{"maximum":3}}}}}}`, `{"a":[{"b":1},{"b":4}]}`, "/a/*/b maximum"},
		{`{"additionalProperties":{"properties":{"b":{"maximum":3}}}}`, `{"secret":{"b":4}}`, " maximum"},
		{`{"properties":{"a":{"required":["b"],"properties":{"b":{}}}}}`, `{"a":{}}`, "/a/b required"},
		{`{"properties":{"a":{"additionalProperties":false}}}`, `{"a":{"secret":1}}`, "/a additionalProperties"},
		{`{"properties":{"a":{"propertyNames":{"maxLength":2}}}}`, `{"a":{"secret":1}}`, "/a propertyNames"},
		{`{"properties":{"a":{"oneOf":[{"type":"string"},{"minLength":0}]}}}`, `{"a":"x"}`, "/a oneOf"},
		{`{"properties":{"a":{"anyOf":[{"type":"string"},{"type":"null"}]}}}`, `{"a":1}`, "/a anyOf"},
		{`{"properties":{"a/b":{"not":{"type":"string"}}}}`, `{"a/b":"x"}`, "/a~1b not"},
		{`{"allOf":[{"properties":{"a":{"const":null}}}]}`, `{"a":0}`, "/a const"},
		{`{"if":{"required":["a"]},"then":{"required":["b"]},"else":{"required":["c"]}}`, `{"a":1}`, " then"},
		{`{"if":{"required":["a"]},"then":{"required":["b"]},"else":{"required":["c"]}}`, `{}`, " else"},
		{`{"dependentRequired":{"a":["b"]}}`, `{"a":1}`, " dependentRequired"},
		{`{"dependentSchemas":{"a":{"required":["b"]}}}`, `{"a":1}`, " dependentSchemas"},
		{`{"properties":{"a":{}},"unevaluatedProperties":false}`, `{"a":1,"secret":1}`, " unevaluatedProperties"},
		{`{"prefixItems":[{}],"unevaluatedItems":false}`, `[1,2]`, " unevaluatedItems"},
		{`{"uniqueItems":true}`, `[{"a":1,"b":[2]},{"b":[2.0],"a":1e0}]`, " uniqueItems"},
		{`{"enum":[{"a":[1,null]}]}`, `{"a":[1,false]}`, " enum"},
		{`{"contains":{"type":"string"}}`, `[1,2]`, " contains"},
		{`{"contains":{"type":"string"},"maxContains":1}`, `["a","b"]`, " maxContains"},
		{`{"properties":{"a":{"readOnly":true}}}`, `{"a":[]}`, "/a readOnly"},
	} {
		var r Run
		r.Begin(compiled(t, Options{Modern: true}, c.schema))
		feed(t, &r, c.value)
		f, failed := r.Fault()
		require.True(t, failed, "%s %s", c.schema, c.value)
		assert.Equal(t, c.want, f.Pointer+" "+f.Keyword, "%s %s", c.schema, c.value)
	}
}

func TestRunJudges(t *testing.T) {
	for _, c := range []struct {
		schema, value string
		modern, valid bool
	}{
		{`{"type":"integer","format":"int32"}`, `2147483648`, true, false},
		{`{"type":"integer","format":"int64"}`, `9223372036854775807`, false, true},
		{`{"type":"integer","format":"int64"}`, `9223372036854775808`, false, false},
		{`{"type":"string","nullable":true}`, `null`, false, true},
		{`{"type":"string"}`, `null`, false, false},
		{`{"minimum":3,"exclusiveMinimum":true}`, `3`, false, false},
		{`{"exclusiveMinimum":3}`, `3.0000000000000000001`, true, true},
		{`{"enum":[{"a":[1,{"b":"c"}]}]}`, `{"a":[1.0,{"b":"c"}]}`, false, true},
		{`{"anyOf":[{"required":["a"]},{"required":["b"]}],"oneOf":[{"required":["a"]},{"required":["b"]}]}`, `{"a":1,"b":1}`, false, false},
		{`{"not":{"not":{"not":{"type":"string"}}}}`, `"x"`, false, false},
		// Two schemas ask for the same one, of which one must hold.
		{`{"properties":{"a":{"allOf":[{"$ref":"#/x"},{"not":{"$ref":"#/x"}}]}},"x":{"type":"string"}}`, `{"a":"x"}`, true, false},
		{`{"properties":{"next":{"$ref":"#"},"v":{"type":"integer"}},"required":["v"]}`, `{"v":1,"next":{"v":1,"next":{"v":"x"}}}`, false, false},
		{`{"oneOf":[{"$ref":"#/a"},{"$ref":"#/b"}],"discriminator":{"propertyName":"k","mapping":{"a":"#/a","b":"#/b"}},
			"a":{"properties":{"n":{"type":"string"}}},"b":{"properties":{"n":{"type":"string"}}}}`, `{"k":"a","n":"x"}`, true, true},
		{`{"oneOf":[{"$ref":"#/a"},{"$ref":"#/b"}],"discriminator":{"propertyName":"k","mapping":{"a":"#/a","b":"#/b"}},
			"a":{"properties":{"n":{"type":"string"}}},"b":{"properties":{"n":{"type":"integer"}}}}`, `{"n":1,"k":"a"}`, true, false},
		{`{"oneOf":[{"$ref":"#/a"},{"$ref":"#/b"}],"discriminator":{"propertyName":"k","mapping":{"a":"#/a","b":"#/b"}},
			"a":{"properties":{"n":{"type":"string"}}},"b":{"properties":{"n":{"type":"integer"}}}}`, `{"k":{},"n":1}`, true, false},
	} {
		var r Run
		r.Begin(compiled(t, Options{Modern: c.modern}, c.schema))
		feed(t, &r, c.value)
		_, failed := r.Fault()
		assert.Equal(t, c.valid, !failed, "%s %s", c.schema, c.value)
	}
}

// A schema that requires what is readOnly is excused by one that joins the two, and only
// where that one judges.
func TestRequiredIsExcusedWhereItIsJoined(t *testing.T) {
	const schema = `{"properties":{"made":{"allOf":[{"$ref":"#/needs"},{"properties":{"id":{"readOnly":true}}}]},"sent":{"$ref":"#/needs"}},
		"needs":{"required":["id"]}}`
	for _, c := range []struct {
		value string
		valid bool
	}{{`{"made":{}}`, true}, {`{"sent":{}}`, false}, {`{"sent":{"id":1}}`, true}, {`{"made":{"id":1}}`, false}, {`{"made":{"id":null}}`, false}} {
		var r Run
		r.Begin(compiled(t, Options{Modern: true}, schema))
		feed(t, &r, c.value)
		assert.Equal(t, c.valid, !r.Failed(), c.value)
	}
}

func TestRunFindsStrangers(t *testing.T) {
	for _, c := range []struct{ schema, value, want string }{
		{`{"properties":{"a":{}}}`, `{"a":1}`, "none"},
		{`{"properties":{"a":{}}}`, `{"a":1,"b":2}`, ""},
		{`{"properties":{"a":{"properties":{"b":{}}}}}`, `{"a":{"b":1,"c":2}}`, "/a"},
		{`{"allOf":[{"properties":{"a":{}}},{"properties":{"b":{}}}]}`, `{"a":1,"b":2}`, "none"},
		{`{"oneOf":[{"properties":{"a":{}},"required":["a"]},{"properties":{"b":{}},"required":["b"]}]}`, `{"b":2}`, "none"},
		{`{"not":{"properties":{"a":{"type":"string"}},"required":["a"]},"properties":{"b":{}}}`, `{"a":2}`, ""},
		{`{"properties":{"a":{}},"additionalProperties":true}`, `{"b":2}`, "none"},
		{`{"type":"object"}`, `{"b":{"c":1}}`, "none"},
		{`{"discriminator":{"propertyName":"k","mapping":{"x":"#/x"}},"properties":{"k":{}},
			"x":{"allOf":[{"$ref":"#"},{"properties":{"b":{}}}]}}`, `{"k":"x","b":1}`, "none"},
	} {
		r := Run{Strangers: true}
		r.Begin(compiled(t, Options{Modern: true}, c.schema))
		feed(t, &r, c.value)
		f, failed := r.Fault()
		require.False(t, failed, "%s %s: %v", c.schema, c.value, f)
		place, found := r.Stranger()
		if !found {
			place = "none"
		}
		assert.Equal(t, c.want, place, "%s %s", c.schema, c.value)
	}
}

// The cost is the tokens times the schemas: branches of a recursive schema do not
// multiply by the depth.
func TestRunVisitsEachSchemaOncePerValue(t *testing.T) {
	s := compiled(t, Options{Modern: true}, `{"anyOf":[{"properties":{"n":{"$ref":"#"}},"required":["n"]},
		{"properties":{"n":{"$ref":"#"}},"maxProperties":1},{"type":"integer"}]}`)
	const depth = 60 // 2^60 visits, were each branch to begin anew
	var r Run
	r.Begin(s)
	feed(t, &r, strings.Repeat(`{"n":`, depth)+"1"+strings.Repeat("}", depth))
	_, failed := r.Fault()
	assert.False(t, failed)
	assert.LessOrEqual(t, cap(r.acts), 16*depth)
}

func TestRunForgetsTheLastValue(t *testing.T) {
	s := compiled(t, Options{Modern: true}, `{"properties":{"a":{"uniqueItems":true}},"required":["a"],"unevaluatedProperties":false}`)
	var r Run
	for i := range 3 {
		for _, c := range []struct {
			value string
			valid bool
		}{{`{"a":[1,1]}`, false}, {`{"a":[1,2]}`, true}, {`{"a":[`, true}, {`{}`, false}, {`{"a":1,"b":2}`, false}} {
			r.Begin(s)
			feed(t, &r, c.value)
			_, failed := r.Fault()
			assert.Equal(t, c.valid, !failed, "%d %s", i, c.value)
		}
	}
}

func TestRunDoesNotAllocate(t *testing.T) {
	s := compiled(t, Options{Modern: true}, `{"type":"object","required":["a","b"],"properties":{"a":{"type":"array","items":{"type":"integer"},"uniqueItems":true},
		"b":{"anyOf":[{"type":"string"},{"type":"null"}]}},"unevaluatedProperties":false}`)
	var r Run
	a, b, one, two := []byte("a"), []byte("b"), []byte("1"), []byte("2")
	value := func() {
		r.Begin(s)
		r.Visit('{', nil)
		r.Visit('"', a)
		r.Visit('[', nil)
		r.Visit('0', one)
		r.Visit('0', two)
		r.Visit(']', nil)
		r.Visit('"', b)
		r.Visit('n', nil)
		r.Visit('}', nil)
	}
	value()
	_, failed := r.Fault()
	require.False(t, failed)
	assert.Zero(t, testing.AllocsPerRun(100, value))
}

func TestCompilerRefuses(t *testing.T) {
	for _, c := range []struct{ schema, want string }{
		{`{"$ref":"#"}`, "leads to itself"},
		{`{"allOf":[{"$ref":"#"}]}`, "without a step into the value"},
		{`{"properties":{"a":{"pattern":"(?=x)"}}}`, "cannot be compiled"},
		{`{"properties":{"a":3}}`, "a schema is an object"},
		{`{"minLength":-1}`, "whole number"},
		{`{"type":"strin"}`, "name of a type"},
		{`{"multipleOf":0}`, "above 0"},
		{`{"$ref":"#/nowhere"}`, ""},
	} {
		d := NewDocuments()
		d.Add("test.json", tree(t, c.schema))
		compiler := NewCompiler(d, Options{Modern: true})
		compiler.Schema(Place{Document: "test.json"})
		problems, _ := compiler.End()
		require.NotEmpty(t, problems, c.schema)
		assert.Contains(t, fmt.Sprint(problems), c.want)
	}
}

func TestCompilerNotesWhatSaysNothing(t *testing.T) {
	for _, c := range []struct {
		schema, want string
		modern       bool
	}{
		{`{"type":"string","nullable":true}`, "nullable says nothing", true},
		{`{"type":"string","nullable":true}`, "", false},
		{`{"properties":{"a":{"$ref":"#/x","maxLength":3,"description":"b"}},"x":{}}`, "maxLength says nothing beside $ref", false},
		{`{"properties":{"a":{"$ref":"#/x","maxLength":3}},"x":{}}`, "", true},
		{`{"format":"iban"}`, `format "iban" is not asserted`, true},
		{`{"nullable":true,"allOf":[{"$ref":"#/x"}],"x":{"type":"object"}}`, "nullable says nothing without type", false},
		{`{"nullable":false,"allOf":[{"$ref":"#/x"}],"x":{"type":"object"}}`, "", false},
		{`{"type":"string","nullable":true,"enum":["a"]}`, "nullable adds nothing: null is not in the enum", false},
		{`{"type":"string","nullable":true,"enum":["a",null]}`, "", false},
		{`{"type":["string","null"],"enum":["a"]}`, "enum does not have null, which type names", true},
		{`{"type":"object","nullable":true,"allOf":[{"$ref":"#/x"}],"x":{"type":"object"}}`, "null cannot be there although the type has it: /x does not allow it", false},
		{`{"type":"object","nullable":true,"allOf":[{"$ref":"#/x"}],"x":{"type":"object","nullable":true}}`, "", false},
		{`{"type":["object","null"],"allOf":[{"enum":[{}]}]}`, "/allOf/0 does not allow it", true},
		{`{"discriminator":{"propertyName":"k","mapping":{"a":"#/x"}},"x":{}}`, "discriminator chooses nothing here: there is no oneOf or anyOf", false},
		{`{"anyOf":[{"$ref":"#/x"}],"discriminator":{"propertyName":"k","mapping":{"a":"#/x"}},"x":{"required":["k"]}}`, "", false},
		{`{"minimum":5,"maximum":1}`, "minimum and maximum leave no value", false},
		{`{"minimum":1,"maximum":1.0}`, "", false},
		{`{"minimum":1,"maximum":1,"exclusiveMaximum":true}`, "minimum and maximum leave no value", false},
		{`{"minimum":1,"exclusiveMaximum":1}`, "minimum and exclusiveMaximum leave no value", true},
		{`{"exclusiveMinimum":1,"maximum":1}`, "exclusiveMinimum and maximum leave no value", true},
		{`{"exclusiveMinimum":0,"exclusiveMaximum":1}`, "", true},
		{`{"minLength":3,"maxLength":2}`, "minLength and maxLength leave no value", false},
		{`{"minLength":2,"maxLength":2}`, "", false},
		{`{"minItems":1,"maxItems":0}`, "minItems and maxItems leave no value", false},
		{`{"contains":{},"maxContains":0}`, "minContains and maxContains leave no value", true},
		{`{"minProperties":2,"maxProperties":1}`, "minProperties and maxProperties leave no value", false},
		{`{"type":"integer","enum":[1.0,"1"]}`, "the value is not of the type", false},
		{`{"type":"integer","enum":[1.5]}`, "the value is not of the type", false},
		{`{"type":"number","enum":[1,1.5]}`, "", false},
		{`{"type":"string","enum":[{"a":1}]}`, "the value is not of the type", false},
		{`{"type":"object","enum":[{"a":1}]}`, "", false},
		{`{"type":["array","boolean","null"],"enum":[[],true,null]}`, "", true},
		{`{"pattern":"/^abc$/i"}`, "pattern is written between slashes", false},
		{`{"pattern":"/[a-z]+/g"}`, "pattern is written between slashes", true},
		{`{"pattern":"/abc$/"}`, "pattern is written between slashes", true},
		{`{"pattern":"^/abc/$"}`, "", true},
		{`{"pattern":"/v1/"}`, "", true},
		{`{"pattern":"/v1/ids"}`, "", true},
		{`{"pattern":"/a\\$/"}`, "", true},
		{`{"pattern":"/"}`, "", true},
	} {
		d := NewDocuments()
		d.Add("test.json", tree(t, c.schema))
		compiler := NewCompiler(d, Options{Modern: c.modern})
		compiler.Schema(Place{Document: "test.json"})
		problems, notes := compiler.End()
		require.Empty(t, problems, c.schema)
		if c.want == "" {
			assert.Empty(t, notes, c.schema)
		} else if assert.Len(t, notes, 1, c.schema) {
			assert.Contains(t, notes[0].Cause, c.want)
		}
	}
}

func TestRunFindsNamesInAnotherCase(t *testing.T) {
	for _, c := range []struct{ schema, value, want string }{
		{`{"properties":{"amount":{"maximum":10}}}`, `{"amount":1,"Amount":99}`, ""},
		{`{"properties":{"a":{"properties":{"kind":{}}}}}`, `{"a":{"\u212Aind":1}}`, "/a"},
		{`{"properties":{"id":{},"ID":{}}}`, `{"id":1,"ID":2}`, "none"},
		{`{"allOf":[{"properties":{"id":{}}},{"properties":{"ID":{}}}]}`, `{"id":1,"ID":2}`, "none"},
		{`{"properties":{"a":{"properties":{"id":{}}},"b":{}}}`, `{"b":{"ID":1}}`, "none"},
		{`{"additionalProperties":{"type":"integer"}}`, `{"Amount":1,"amount":2}`, "none"},
	} {
		var r Run
		r.Begin(compiled(t, Options{Modern: true}, c.schema))
		feed(t, &r, c.value)
		require.False(t, r.Failed(), c.schema)
		place, found := r.Oddity()
		if !found {
			place = "none"
		}
		assert.Equal(t, c.want, place, "%s %s", c.schema, c.value)
	}
}

// A circle is told with every step of it.
func TestALoopIsTold(t *testing.T) {
	for _, c := range []struct{ schema, cause, fix string }{
		{
			`{"Pet":{"type":"object","oneOf":[{"type":"object"},{"$ref":"#/Cat"}]},"Cat":{"allOf":[{"$ref":"#/Pet"},{"type":"object"}]},"allOf":[{"$ref":"#/Pet"}]}`,
			"/Pet/oneOf/1 leads to /Cat/allOf/0 leads to /Pet", "where the branches of a oneOf or anyOf extend",
		},
		{`{"not":{"$ref":"#"}}`, "/not leads to test.json", "break the circle"},
		{`{"if":{"then":{}},"then":{"$ref":"#/x"},"x":{"title":"x","minimum":1,"$ref":"#"}}`, "/then leads to /x/$ref leads to test.json", "break the circle"},
		{`{"dependentSchemas":{"a":{"else":{"$ref":"#"},"if":{}}}}`, "/dependentSchemas/a leads to /dependentSchemas/a/else leads to test.json", "break the circle"},
	} {
		d := NewDocuments()
		d.Add("test.json", tree(t, c.schema))
		compiler := NewCompiler(d, Options{Modern: true})
		compiler.Schema(Place{Document: "test.json"})
		problems, _ := compiler.End()
		if assert.Len(t, problems, 1, c.schema) {
			assert.Equal(t, "the schema leads back to itself without a step into the value: "+c.cause, problems[0].Cause)
			assert.Contains(t, problems[0].Fix, c.fix)
		}
	}
}
