package schema_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"math/big"
	"strconv"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy/openapi/schema"
)

// oracle is another validator. It reports whether a JSON text satisfies the schema A of
// a document.
type oracle func(t testing.TB, text []byte) bool

// errFormat is what the formats say of a text; which text, they need not say.
var errFormat = errors.New("does not have the format")

// kin returns the validator of kin-openapi, which judges by OpenAPI 3.0. It asserts the
// same formats.
func kin(t testing.TB, document object, answers bool) oracle {
	t.Helper()
	whole := object{"openapi": "3.0.3", "info": object{"title": "t", "version": "1"}, "paths": object{}, "components": document["components"]}
	loaded, err := openapi3.NewLoader().LoadFromData(text(whole, &chooser{}))
	require.NoError(t, err)
	validators := map[string]openapi3.StringFormatValidator{}
	for _, name := range formats {
		if good := schema.StringFormat(name); good != nil {
			validators[name] = openapi3.NewCallbackValidator(func(s string) error {
				if good([]byte(s)) {
					return nil
				}
				return errFormat
			})
		}
	}
	direction := openapi3.VisitAsRequest()
	if answers {
		direction = openapi3.VisitAsResponse()
	}
	options := []openapi3.SchemaValidationOption{openapi3.FailFast(), direction, openapi3.WithStringFormatValidators(validators)}
	return func(t testing.TB, text []byte) bool {
		var value any
		require.NoError(t, json.Unmarshal(text, &value))
		return loaded.Components.Schemas["A"].Value.VisitJSON(value, options...) == nil
	}
}

// santhosh returns the validator of santhosh-tekuri/jsonschema, which judges by JSON
// Schema 2020-12, with the formats that are asserted here.
func santhosh(t testing.TB, document object) oracle {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	for _, name := range formats {
		c.RegisterFormat(&jsonschema.Format{Name: name, Validate: func(v any) error {
			good := schema.StringFormat(name)
			if s, ok := v.(string); ok && good != nil && !good([]byte(s)) {
				return errFormat
			}
			return nil
		}})
	}
	for bits, name := range map[uint]string{32: "int32", 64: "int64"} {
		c.RegisterFormat(&jsonschema.Format{Name: name, Validate: func(v any) error {
			if n, ok := v.(json.Number); ok && !fits(n, bits) {
				return errFormat
			}
			return nil
		}})
	}
	require.NoError(t, c.AddResource("document.json", tree(t, text(document, &chooser{}))))
	compiled, err := c.Compile("document.json#/components/schemas/A")
	require.NoError(t, err)
	return func(t testing.TB, text []byte) bool {
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		require.NoError(t, err)
		return compiled.Validate(value) == nil
	}
}

// fits reports whether a number is no integer, or one of so many bits.
func fits(n json.Number, bits uint) bool {
	r, ok := new(big.Rat).SetString(string(n))
	if !ok || !r.IsInt() {
		return ok
	}
	limit := new(big.Int).Lsh(big.NewInt(1), bits-1)
	return r.Num().Cmp(limit) < 0 && r.Num().Cmp(new(big.Int).Neg(limit)) >= 0
}

// rounded returns the value with every number as float64 holds it. Of 2^63, it has the
// largest int64, for which kin takes it.
func rounded(value any) any {
	switch v := value.(type) {
	case json.Number:
		f, err := v.Float64()
		if err != nil {
			return v
		}
		if f == 1<<63 {
			return json.Number("9223372036854775807")
		}
		return json.Number(strconv.FormatFloat(f, 'g', -1, 64))
	case []any:
		all := make([]any, len(v))
		for i, item := range v {
			all[i] = rounded(item)
		}
		return all
	case object:
		all := object{}
		for name, member := range v {
			all[name] = rounded(member)
		}
		return all
	}
	return value
}
