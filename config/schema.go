package config

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
)

// Schema returns the JSON Schema (draft 2020-12) of the file, for editors. It
// accepts exactly what the decoder accepts before values are compared with each
// other and references are resolved; those rules it can not state.
func Schema() ([]byte, error) {
	root := schemaOf(reflect.TypeFor[Config](), field{})
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["title"] = "sidewarden configuration, version 1"
	out, err := json.MarshalIndent(root, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("the schema can not be printed: %w", err)
	}
	return append(out, '\n'), nil
}

func schemaOf(t reflect.Type, f field) map[string]any {
	if s, ok := scalarOf(t); ok {
		return s.describe().schema
	}
	switch t.Kind() {
	case reflect.Pointer:
		return schemaOf(t.Elem(), f)
	case reflect.Struct:
		return schemaOfStruct(t)
	case reflect.Map:
		names := map[string]any{"minLength": 1}
		if f.keys != nil {
			names = map[string]any{"enum": anys(f.keys)}
		}
		return map[string]any{"type": "object", "propertyNames": names, "additionalProperties": schemaOf(t.Elem(), field{enum: f.enum})}
	case reflect.Slice:
		elem := f
		elem.required = t.Elem().Kind() == reflect.String
		out := map[string]any{"type": "array", "items": schemaOf(t.Elem(), elem)}
		if f.required {
			out["minItems"] = 1
		}
		return out
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.Int:
		out := map[string]any{"type": "integer", "maximum": math.MaxInt32, "minimum": math.MinInt32}
		if f.min != nil {
			out["minimum"] = *f.min
		}
		return out
	default:
		out := map[string]any{"type": "string"}
		if f.enum != nil {
			out["enum"] = anys(f.enum)
		} else if f.required {
			out["minLength"] = 1
		}
		return out
	}
}

func schemaOfStruct(t reflect.Type) map[string]any {
	properties := map[string]any{}
	out := map[string]any{"type": "object", "properties": properties, "additionalProperties": false}
	var required []any
	for _, f := range fieldsOf(t) {
		ft := t.FieldByIndex(f.index).Type
		p := schemaOf(ft, f)
		p["description"] = f.doc
		if f.hasDef {
			var def any
			if err := f.defaultNode().Decode(&def); err == nil {
				p["default"] = def
			}
		}
		properties[f.name] = p
		if f.required {
			required = append(required, f.name)
		}
		if f.single != "" {
			one := schemaOf(ft.Elem(), field{})
			one["description"] = "A single element of " + f.name + "."
			properties[f.single] = one
			out["not"] = map[string]any{"required": []any{f.name, f.single}}
		}
	}
	if required != nil {
		out["required"] = required
	}
	return out
}
