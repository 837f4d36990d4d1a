package config

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"

	"go.yaml.in/yaml/v4"
)

// Effective returns the configuration as YAML with every default written out. A
// [Secret] is printed as "[secret]", and a string that came through a reference
// as the reference. Without secrets, Parse reads the result back, and Effective
// then gives the same bytes.
func (c *Config) Effective() ([]byte, error) {
	shown := *c
	shown.Specs = slices.Clone(c.Specs)
	for i := range shown.Specs {
		s := &shown.Specs[i]
		if _, hidden := c.refs[fmt.Sprintf("specs[%d].file", i)]; hidden && s.Root == filepath.Dir(s.File) {
			s.Root = "" // It would tell the folder of what the reference hides.
		}
	}
	n, err := printer{c.refs}.structure("", reflect.ValueOf(&shown).Elem())
	if err != nil {
		return nil, fmt.Errorf("the configuration can not be printed: %w", err)
	}
	return yaml.Dump(n)
}

// Fingerprint returns a digest of every value that is in force: a string that came
// through a reference counts by what it stands for, a [Secret] not at all. Two
// configurations with one fingerprint judge alike.
func (c *Config) Fingerprint() ([sha256.Size]byte, error) {
	n, err := printer{}.structure("", reflect.ValueOf(c).Elem())
	if err != nil {
		return [sha256.Size]byte{}, fmt.Errorf("the configuration can not be printed: %w", err)
	}
	text, err := yaml.Dump(n)
	if err != nil {
		return [sha256.Size]byte{}, fmt.Errorf("the configuration can not be printed: %w", err)
	}
	return sha256.Sum256(text), nil
}

type printer struct{ refs map[string]string }

// structure prints the fields of a struct. One that is empty and has no default
// is left out, for it reads back as empty.
func (p printer) structure(path string, v reflect.Value) (*yaml.Node, error) {
	out := &yaml.Node{Kind: yaml.MappingNode}
	for _, f := range fieldsOf(v.Type()) {
		field := v.FieldByIndex(f.index)
		if field.IsZero() && !f.hasDef && (field.Kind() != reflect.Struct || isScalarType(field.Type())) {
			continue
		}
		n, err := p.value(joinPath(path, f.name), field)
		if err != nil {
			return nil, err
		}
		if n.Kind == yaml.MappingNode && len(n.Content) == 0 && field.Kind() == reflect.Struct {
			continue
		}
		out.Content = append(out.Content, str(f.name), n)
	}
	return out, nil
}

func (p printer) value(path string, v reflect.Value) (*yaml.Node, error) {
	if s, ok := reflect.TypeAssert[yaml.Marshaler](v); ok {
		return scalarNode(s)
	}
	switch v.Kind() {
	case reflect.Pointer:
		return p.value(path, v.Elem())
	case reflect.Struct:
		return p.structure(path, v)
	case reflect.Slice:
		return p.list(path, v)
	case reflect.Map:
		return p.mapping(path, v)
	case reflect.String:
		if ref, ok := p.refs[path]; ok {
			return str(ref), nil
		}
		return str(v.String()), nil
	case reflect.Bool:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: strconv.FormatBool(v.Bool())}, nil
	case reflect.Int:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!int", Value: strconv.FormatInt(v.Int(), 10)}, nil
	default:
		return nil, errors.New(path + " has a type without form")
	}
}

func (p printer) list(path string, v reflect.Value) (*yaml.Node, error) {
	out := &yaml.Node{Kind: yaml.SequenceNode}
	if k := v.Type().Elem().Kind(); k == reflect.String || k == reflect.Slice {
		out.Style = yaml.FlowStyle
	}
	for i := range v.Len() {
		n, err := p.value(fmt.Sprintf("%s[%d]", path, i), v.Index(i))
		if err != nil {
			return nil, err
		}
		out.Content = append(out.Content, n)
	}
	return out, nil
}

func (p printer) mapping(path string, v reflect.Value) (*yaml.Node, error) {
	out := &yaml.Node{Kind: yaml.MappingNode}
	var keys []string
	for _, k := range v.MapKeys() {
		keys = append(keys, k.String())
	}
	slices.Sort(keys)
	for _, k := range keys {
		n, err := p.value(pathKey(path, k), v.MapIndex(reflect.ValueOf(k)))
		if err != nil {
			return nil, err
		}
		out.Content = append(out.Content, str(k), n)
	}
	return out, nil
}

// scalarNode prints a scalar of this package.
func scalarNode(m yaml.Marshaler) (*yaml.Node, error) {
	out, err := m.MarshalYAML()
	if err != nil {
		return nil, err
	}
	switch out := out.(type) {
	case *yaml.Node:
		return out, nil
	case string:
		return str(out), nil
	default:
		return nil, errors.New("a scalar is neither a node nor a string")
	}
}

// str returns a string node; the writer quotes it where it must.
func str(s string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s}
	for _, r := range s {
		if r < ' ' || r > '~' {
			n.Style = yaml.DoubleQuotedStyle // Other styles fold line breaks.
		}
	}
	return n
}
