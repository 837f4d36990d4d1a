package openapi

import (
	"errors"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// engine judges a JSON value by a schema. It is the only place where the library
// does so.
type engine struct {
	modern  bool // OpenAPI 3.1
	options []openapi3.SchemaValidationOption
	formats map[string]openapi3.StringFormatValidator
	costly  map[*openapi3.Schema]bool
}

// newEngine returns the engine of one document. Formats are handed to each call:
// the library's own are in maps of the process.
func newEngine(modern bool) *engine {
	e := &engine{modern: modern, formats: formats()}
	e.options = []openapi3.SchemaValidationOption{openapi3.WithStringFormatValidators(e.formats)}
	if modern {
		e.options = append(e.options, openapi3.EnableJSONSchema2020())
	}
	return e
}

// asserts reports whether values are judged by the format.
func (e *engine) asserts(format string) bool {
	_, text := e.formats[format]
	return text || slices.Contains([]string{"int32", "int64", "float", "double", "binary", "password"}, format)
}

// fault is where and by which keyword a value fails. The tokens are those of the
// value, so they may hold names that the client chose.
type fault struct {
	tokens  []string
	keyword string
}

// judge returns the fault of the value, if it has one. It does not change the
// value.
func (e *engine) judge(s *openapi3.Schema, value any) (fault, bool) {
	err := s.VisitJSON(value, e.options...)
	if err == nil {
		return fault{}, false
	}
	return faultOf(err, 0), true
}

// compiles reports whether the engine of 3.1 judges by the schema. If it cannot
// compile one it falls back, without a word, on one that does not know the
// keywords of 3.1; the fallback lets the probe pass, which no value can satisfy.
func (e *engine) compiles(s *openapi3.Schema) bool {
	if !e.modern {
		return true
	}
	always := true
	probe := &openapi3.Schema{
		Const: "probe",
		AnyOf: openapi3.SchemaRefs{{Value: s}, {Value: &openapi3.Schema{Always: &always}}},
	}
	err := probe.VisitJSON("value", e.options...)
	failed, ok := errors.AsType[*openapi3.SchemaError](err)
	return ok && failed.SchemaField == "const"
}

// maxNesting bounds how deep errors within errors are followed.
const maxNesting = 100

// faultOf finds the innermost fault that an error names for certain. It does not
// render an error: its text prints schemas and values, many times over.
func faultOf(err error, depth int) fault {
	if many, ok := err.(openapi3.MultiError); ok { //nolint:errorlint // layers are taken off one by one
		return least(many, depth)
	}
	failed, ok := err.(*openapi3.SchemaError) //nolint:errorlint // as above
	if !ok {
		return fault{keyword: "type"} // a number that is not one
	}
	switch failed.SchemaField {
	case "", "$ref", "allOf": // these only say that something inside fails
		if many, ok := inside(failed); ok && depth < maxNesting {
			return least(many, depth+1)
		}
	}
	return fault{tokens: failed.JSONPointer(), keyword: keyword(failed.SchemaField)}
}

// inside returns the errors that an error wraps.
func inside(failed *openapi3.SchemaError) (openapi3.MultiError, bool) {
	for err := failed.Origin; err != nil; err = errors.Unwrap(err) {
		if many, ok := err.(openapi3.MultiError); ok { //nolint:errorlint // the loop takes the layers off
			return many, len(many) > 0
		}
	}
	return nil, false
}

// least returns the first fault by place and keyword, so that equal values have
// equal details: the engine visits some maps in random order.
func least(many openapi3.MultiError, depth int) fault {
	var found fault
	for i, err := range many {
		f := faultOf(err, depth)
		if i == 0 || compareFaults(f, found) < 0 {
			found = f
		}
	}
	return found
}

func compareFaults(a, b fault) int {
	if d := slices.Compare(a.tokens, b.tokens); d != 0 {
		return d
	}
	return strings.Compare(a.keyword, b.keyword)
}

// keyword is the schema's keyword for the library's name of it. The set is closed,
// so that nothing else gets into a detail.
func keyword(field string) string {
	switch field {
	case "":
		return "schema"
	case "properties": // what it says of a property that additionalProperties forbids
		return "additionalProperties"
	case "additionalProperties", "allOf", "anyOf", "boolean", "const", "contains", "discriminator", "enum",
		"exclusiveMaximum", "exclusiveMinimum", "format", "maxContains", "maxItems", "maxLength", "maxProperties",
		"maximum", "minContains", "minItems", "minLength", "minProperties", "minimum", "multipleOf", "not",
		"nullable", "oneOf", "pattern", "propertyNames", "required", "type", "uniqueItems":
		return field
	}
	return "dependentRequired" // of which the library names the property
}
