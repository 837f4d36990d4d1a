package schema_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy/openapi/schema"
)

// differ is one generated document of schemas, with the validators that must agree on
// every value.
type differ struct {
	document object
	options  schema.Options
	ours     *schema.Schema
	theirs   oracle
	run      schema.Run
}

// newDiffer makes a document by the choices, and compiles it with both validators.
func newDiffer(t testing.TB, c *chooser) *differ {
	t.Helper()
	d := &differ{options: schema.Options{Modern: c.under(2) == 1, Answers: c.rarely(4)}}
	d.document = (&generator{chooser: c, modern: d.options.Modern}).document()
	d.ours = compiled(t, d.document, d.options)
	forThem := translated(t, d.document, d.options.Modern, d.options.Answers)
	if d.options.Modern {
		d.theirs = santhosh(t, forThem)
	} else {
		d.theirs = kin(t, forThem, d.options.Answers)
	}
	return d
}

// compiled is our schema of A. What the generator makes can be judged, always.
func compiled(t testing.TB, document object, o schema.Options) *schema.Schema {
	t.Helper()
	w := newWorld(o)
	w.documents.Add("document.json", tree(t, text(document, &chooser{})))
	at := schema.Place{Document: "document.json"}.Child("components", "schemas")
	for _, name := range components {
		w.problems = append(w.problems, w.documents.Scan(at.Child(name))...)
	}
	for _, name := range components { // a contract has them all: one may excuse what another requires
		w.compiler.Schema(at.Child(name))
	}
	s, problems, _ := w.compile(at.Child("A"))
	require.Empty(t, problems, "%s", text(document, &chooser{}))
	return s
}

// compare judges one value by both, and returns their difference, or "". A known one is
// theirs.
func (d *differ) compare(t testing.TB, value any, c *chooser) string {
	t.Helper()
	document := text(value, c)
	ours, theirs := satisfies(t, &d.run, d.ours, document), d.theirs(t, document)
	d.holds(t, document, ours)
	assert.Equal(t, ours, satisfies(t, &d.run, d.ours, text(value, &chooser{})), "the order of members counts: %s", document)
	if ours == theirs || d.known(t, value, theirs) {
		return ""
	}
	f, _ := d.run.Fault()
	return fmt.Sprintf("ours: %t (%s %s), theirs: %t, options %+v\nvalue:  %s\nschema: %s", ours, f.Pointer, f.Keyword, theirs, d.options, document, text(d.document["components"].(object)["schemas"], &chooser{})) //nolint:errcheck // the generator makes it
}

// holds checks what is promised of any verdict.
func (d *differ) holds(t testing.TB, document []byte, good bool) {
	t.Helper()
	f, failed := d.run.Fault()
	require.Equal(t, !good, failed)
	at, found := d.run.Stranger()
	for _, pointer := range []string{f.Pointer, at} {
		assert.NotContains(t, pointer, "stranger", "a place holds a name that no schema has: %s", document)
		assert.True(t, pointer == "" || strings.HasPrefix(pointer, "/"), "no RFC 6901 pointer: %q", pointer)
	}
	assert.Equal(t, failed, f.Keyword != "", "a fault has a keyword")
	assert.True(t, found || at == "")
}

// each makes values near the schemas.
func (d *differ) each(t testing.TB, c *chooser, try func(difference string)) {
	t.Helper()
	n := &nearer{generator: &generator{chooser: c, modern: d.options.Modern}, document: d.document}
	for range 16 {
		value := n.near([]any{object{"$ref": ref("A")}}, 4)
		try(d.compare(t, value, c))
	}
}

// TestValidatorsAgree compares some twenty thousand values with kin-openapi on 3.0 and
// with santhosh-tekuri/jsonschema on 3.1. It shows the smallest difference.
func TestValidatorsAgree(t *testing.T) {
	smallest, differences, compared, satisfied := "", 0, 0, 0
	for seed := uint64(0); compared < 20_000; seed++ {
		c := choices(seed)
		d := newDiffer(t, c)
		d.each(t, c, func(difference string) {
			compared++
			if _, failed := d.run.Fault(); !failed {
				satisfied++
			}
			if difference == "" {
				return
			}
			if differences++; smallest == "" || len(difference) < len(smallest) {
				smallest = difference
			}
		})
		require.False(t, t.Failed())
	}
	assert.Empty(t, smallest, "the smallest of %d differences in %d values", differences, compared)
	assert.Greater(t, satisfied, compared/5, "values are near their schemas")
	assert.Less(t, satisfied, 4*compared/5, "and some are not")
}

// FuzzValidator looks for values on which the validators differ. Its inputs are numbers
// that decide schemas and values: where the schemas differ in one byte of an input, they
// have nothing else in common.
func FuzzValidator(f *testing.F) {
	f.Add(uint64(1), uint64(1))
	f.Fuzz(func(t *testing.T, schemas, values uint64) {
		d := newDiffer(t, choices(schemas))
		d.each(t, choices(values), func(difference string) { assert.Empty(t, difference) })
	})
}

// FuzzCompile takes any JSON for a schema: it is refused with a place, or it judges any
// value, and all in a time that its size bounds.
func FuzzCompile(f *testing.F) {
	for _, text := range []string{
		`true`, `{}`, `[]`, `{"$ref":"#"}`, `{"allOf":[{"$ref":"#"}]}`, `{"$ref":"#/$defs/a","$defs":{"a":{"$ref":"#/$defs/a"}}}`,
		`{"not":{"$ref":"#"}}`, `{"oneOf":[{"$ref":"#"},{"type":"string"}],"discriminator":{"propertyName":"a","mapping":{"b":"#"}}}`,
		`{"type":"object","properties":{"a":{"$ref":"#"}},"unevaluatedProperties":false,"required":["a","a"]}`,
		`{"$dynamicRef":"#x","$defs":{"a":{"$dynamicAnchor":"x","items":{"$dynamicRef":"#x"}}}}`, `{"$id":"http://a/","$anchor":"b","$ref":"#b"}`,
		`{"pattern":"(?=a)","enum":[],"multipleOf":0,"maxLength":-1,"minItems":1.5,"type":"nothing","required":"a"}`,
		`{"contains":{},"minContains":0,"maxContains":1e300,"uniqueItems":true,"prefixItems":[{}],"items":false,"unevaluatedItems":false}`,
		`{"if":{"$ref":"#/else"},"else":{"if":{"$ref":"#"}}}`, `{"dependentSchemas":{"a":{"$ref":"#"}},"dependentRequired":{"a":["b"]},"propertyNames":{"$ref":"#"}}`,
	} {
		f.Add([]byte(text), []byte(`{"a":{"a":[1,"b",null]},"b":1e2}`))
	}
	f.Fuzz(func(t *testing.T, text, value []byte) {
		if !isDocument(text, 1<<12) || !isDocument(value, 1<<12) {
			return
		}
		before := processor(t)
		for _, o := range []schema.Options{{}, {Modern: true}, {Answers: true, OmitPatterns: true}, {Modern: true, OmitPatterns: true}} {
			w := newWorld(o)
			s, problems, notes := w.compile(w.add("document.json", tree(t, text)))
			for _, p := range append(problems, notes...) {
				assert.NotEmpty(t, p.Cause)
				assert.True(t, p.Place.Pointer == "" || strings.HasPrefix(p.Place.Pointer, "/"), "%+v", p)
			}
			if len(problems) > 0 {
				continue
			}
			var r schema.Run
			assert.Equal(t, satisfies(t, &r, s, value), satisfies(t, &r, s, value), "a run remembers the last value")
			satisfies(t, &r, s, text)
			forms := s.Forms()
			forms.Types()
			for _, name := range forms.Names() {
				_, standing := forms.Property(name)
				assert.Equal(t, schema.Declared, standing, name)
			}
			forms.Item(0).Item(-1).Property("a")
		}
		assert.Less(t, processor(t)-before, 20*time.Second)
	})
}
