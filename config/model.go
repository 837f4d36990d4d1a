package config

import (
	"reflect"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// field is what the tags of one struct field say; see the package comment.
type field struct {
	index    []int // Of more than one step where a struct is embedded.
	name     string
	single   string // Other key that takes one element of the list.
	doc      string
	def      string // Default as YAML text.
	hasDef   bool
	required bool
	enum     []string
	keys     []string
	refused  []string
	why      string // Why the refused values are refused.
	min      *int64
	positive bool
	file     bool
}

// fieldsOf returns the fields of a struct type that have a key, in order; those of an
// embedded struct are its own.
func fieldsOf(t reflect.Type) []field {
	var fields []field
	for _, sf := range reflect.VisibleFields(t) {
		if !sf.IsExported() || sf.Anonymous {
			continue
		}
		name, option, _ := strings.Cut(sf.Tag.Get("yaml"), ",")
		f := field{
			index: sf.Index, name: name, single: strings.TrimPrefix(option, "single="),
			doc: sf.Tag.Get("doc"), required: sf.Tag.Get("required") == "true",
			enum: words(sf.Tag.Get("enum")), keys: words(sf.Tag.Get("keys")),
			positive: sf.Tag.Get("positive") == "true", file: sf.Tag.Get("file") == "true",
		}
		f.def, f.hasDef = sf.Tag.Lookup("default")
		if refused, why, ok := strings.Cut(sf.Tag.Get("refused"), ": "); ok {
			f.refused, f.why = words(refused), why
		}
		if least, err := strconv.ParseInt(sf.Tag.Get("min"), 10, 64); err == nil {
			f.min = &least
		}
		fields = append(fields, f)
	}
	return fields
}

// words splits the value of an enum, keys or refused tag.
func words(tag string) []string {
	switch tag {
	case "":
		return nil
	case "@controls":
		return ControlIDs()
	case "@families":
		return familiesAndControls()
	default:
		return strings.Split(tag, "|")
	}
}

// defaultNode returns the default of a field as the node that stands for it.
func (f field) defaultNode() *yaml.Node {
	var doc yaml.Node
	if err := yaml.Load([]byte(f.def), &doc); err != nil || len(doc.Content) != 1 {
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null"}
	}
	return doc.Content[0]
}

// asScalar returns the scalar that the value is, if it is one.
func asScalar(v reflect.Value) (scalar, bool) {
	s, ok := reflect.TypeAssert[scalar](v.Addr())
	return s, ok
}

// scalarOf returns an empty value of a scalar type, if it is one.
func scalarOf(t reflect.Type) (scalar, bool) {
	return asScalar(reflect.New(t).Elem())
}

// isScalarType reports whether values of the type are scalars of this package.
func isScalarType(t reflect.Type) bool {
	_, ok := scalarOf(t)
	return ok
}

// pathKey returns the path of the value under a key of a map.
func pathKey(path, key string) string {
	const longest = 60
	plain := key != "" && len(key) <= longest
	for _, r := range key {
		if r != '-' && r != '_' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') {
			plain = false
		}
	}
	if plain {
		return joinPath(path, key)
	}
	return path + "[" + quote(key) + "]"
}

// joinPath returns the path of a field.
func joinPath(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// anys returns the strings as a JSON array.
func anys(list []string) []any {
	out := make([]any, len(list))
	for i, s := range list {
		out[i] = s
	}
	return out
}
