package openapi

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// validate reports what the specification of OpenAPI says is wrong with the
// document. Examples and defaults are not judged: they change nothing, and wild
// contracts are full of wrong ones.
//
// The library judges what a reference leads to again at every one of them, which costs
// the square of a contract. So it is shown the document without its schemas, and then
// each schema once.
func (l *linter) validate(doc *openapi3.T) {
	options := []openapi3.ValidationOption{
		openapi3.EnableMultiError(),
		openapi3.DisableExamplesValidation(),
		openapi3.DisableSchemaDefaultsValidation(),
		openapi3.DisableSchemaPatternValidation(),
	}
	d := newDetacher()
	defer d.join()
	if place, ok := d.document(doc); !ok {
		l.report(nil, place, "what references repeat is more than this reader takes", "write out less below what many references lead to")
		return
	}
	ctx := context.Background()
	l.invalid(nil, doc.Validate(ctx, options...))
	if doc.IsOpenAPI31OrLater() {
		options = append(options, openapi3.IsOpenAPI31OrLater())
	}
	for _, s := range d.schemas {
		l.invalid(s.place, s.schema.Validate(ctx, options...))
	}
}

// maxNesting bounds how deep errors within errors are followed.
const maxNesting = 100

// invalid reports a validation error: the place from its outer layers, the cause
// from its innermost one. An outer text repeats the inner ones, and that of a
// schema error prints whole schemas.
//
// The tokens are of the place that the error is within.
func (l *linter) invalid(within []string, err error) {
	if err == nil {
		return
	}
	if many, ok := err.(openapi3.MultiError); ok { //nolint:errorlint // layers are taken off one by one
		for _, e := range many {
			l.invalid(within, e)
		}
		return
	}
	var (
		tokens = slices.Clone(within)
		origin *openapi3.Origin
		whole  string
	)
	for range maxNesting {
		if o := originOf(err); o != nil {
			origin = o
		}
		place, exact := placeOf(err)
		tokens = append(tokens, place...)
		if exact != "" {
			whole = exact
		}
		inner := errors.Unwrap(err)
		if many, ok := inner.(openapi3.MultiError); ok && len(many) > 0 { //nolint:errorlint // as above
			inner = many[0]
		}
		if schema, ok := err.(*openapi3.SchemaError); ok || inner == nil { //nolint:errorlint // as above
			cause := "is not valid"
			if !ok {
				cause = err.Error()
			} else if schema.Reason != "" {
				cause = schema.Reason
			}
			if whole == "" {
				whole = pointer(tokens...)
			}
			l.report(origin, whole, cause, "")
			return
		}
		err = inner
	}
}

// placeOf returns the pointer tokens that one layer of a validation error adds,
// or the exact pointer where the layer has one.
func placeOf(err error) (tokens []string, exact string) {
	switch e := err.(type) { //nolint:errorlint // the caller takes the layers off
	case *openapi3.SectionValidationError:
		return []string{camel(e.Section)}, ""
	case *openapi3.PathValidationError:
		return []string{e.Path}, ""
	case *openapi3.OperationValidationError:
		return []string{strings.ToLower(e.Method)}, ""
	case *openapi3.ComponentValidationError:
		return []string{section(e.Section), e.Name}, ""
	case *openapi3.WebhookValidationError:
		return []string{e.Name}, ""
	case *openapi3.SecurityRequirementSchemeUndefinedError:
		return nil, e.JSONPointer
	}
	return nil, ""
}

// camel turns a spaced name of a section into the one that the document has.
func camel(s string) string {
	words := strings.Fields(s)
	for i, w := range words {
		if i > 0 {
			words[i] = strings.ToUpper(w[:1]) + w[1:]
		}
	}
	return strings.Join(words, "")
}

// section turns the singular of a kind of component into its section.
func section(kind string) string {
	kind = camel(kind)
	switch {
	case strings.HasSuffix(kind, "y"):
		return strings.TrimSuffix(kind, "y") + "ies"
	default:
		return kind + "s"
	}
}

// originOf returns the place that an error or its schema carries. The library has
// some forty error types with a field Origin and no interface over them.
func originOf(err error) *openapi3.Origin {
	v := reflect.ValueOf(err)
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	if v.Kind() != reflect.Struct {
		return nil
	}
	if f := v.FieldByName("Origin"); f.IsValid() && f.CanInterface() {
		if o, ok := reflect.TypeAssert[*openapi3.Origin](f); ok {
			return o
		}
	}
	return nil
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
