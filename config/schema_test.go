package config_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v4"

	"github.com/sidewarden/sidewarden/config"
)

func compiled(t *testing.T) *jsonschema.Schema {
	t.Helper()
	data, err := config.Schema()
	require.NoError(t, err)
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(string(data)))
	require.NoError(t, err)
	c := jsonschema.NewCompiler()
	require.NoError(t, c.AddResource("config.json", doc))
	s, err := c.Compile("config.json")
	require.NoError(t, err)
	return s
}

// toJSON returns a node as a JSON value. What JSON does not have (a repeated or
// non-string name, a merge key, a tag, an alias to itself) is an error.
func toJSON(n *yaml.Node, depth int) (any, error) {
	if depth > 40 {
		return nil, fmt.Errorf("too deep")
	}
	switch n.Kind {
	case yaml.AliasNode:
		return toJSON(n.Alias, depth+1)
	case yaml.SequenceNode:
		out := []any{}
		for _, e := range n.Content {
			v, err := toJSON(e, depth+1)
			if err != nil {
				return nil, err
			}
			out = append(out, v)
		}
		return out, nil
	case yaml.MappingNode:
		out := map[string]any{}
		for i := 0; i < len(n.Content); i += 2 {
			k := n.Content[i]
			if _, again := out[k.Value]; again || k.ShortTag() != "!!str" {
				return nil, fmt.Errorf("bad name %q", k.Value)
			}
			v, err := toJSON(n.Content[i+1], depth+1)
			if err != nil {
				return nil, err
			}
			out[k.Value] = v
		}
		return out, nil
	default:
	}
	switch n.ShortTag() {
	case "!!str", "!!timestamp":
		return n.Value, nil
	case "!!null":
		return nil, nil
	case "!!bool":
		return strings.ToLower(n.Value) == "true", nil
	case "!!int", "!!float":
		if _, err := json.Number(n.Value).Float64(); err != nil || n.Value == ".inf" {
			return nil, fmt.Errorf("no JSON number: %s", n.Value)
		}
		return json.Number(n.Value), nil
	default:
		return nil, fmt.Errorf("tag %s", n.Tag)
	}
}

// schemaAccepts is the verdict of the published schema on a YAML file.
func schemaAccepts(s *jsonschema.Schema, data []byte) error {
	var docs []yaml.Node
	if err := yaml.Load(data, &docs, yaml.WithAllDocuments()); err != nil {
		return err
	}
	if len(docs) != 1 || len(docs[0].Content) != 1 {
		return fmt.Errorf("not one document")
	}
	return schemaAcceptsTree(s, docs[0].Content[0])
}

func schemaAcceptsTree(s *jsonschema.Schema, root *yaml.Node) error {
	v, err := toJSON(root, 0)
	if err != nil {
		return err
	}
	return s.Validate(v)
}

// agree fails if parser and schema differ. What only the parser can refuse is in
// its semantic problems, which are left out here: references that do not
// resolve, zero where more than zero is needed, durations over ten years, and
// everything that validate.go, validate_rules.go and available.go compare.
func agree(t *testing.T, name string, parser config.Problems, schema error) {
	t.Helper()
	require.Equal(t, schema == nil, len(parser) == 0, "%s\nschema: %v\nparser: %v", name, schema, parser)
}

func TestSchemaAgreesWithTheParserOnEveryTestFile(t *testing.T) {
	s := compiled(t)
	files, err := filepath.Glob("testdata/*.yaml")
	require.NoError(t, err)
	for _, file := range files {
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		agree(t, file, config.Structural(data, world()), schemaAccepts(s, data))
	}
}

func TestTheFullFileHasEveryField(t *testing.T) {
	data := read(t, "full.structural.yaml")
	require.Empty(t, config.Structural(data, world()))
	var doc yaml.Node
	require.NoError(t, yaml.Load(data, &doc))
	have := map[string]bool{}
	paths(doc.Content[0], "", func(path string, _ *yaml.Node) { have[path] = true })
	for _, f := range fieldPaths(reflect.TypeFor[config.Config](), "") {
		assert.True(t, have[f], "%s is not in full.structural.yaml", f)
	}
}

func TestSchemaAgreesWithTheParserOnMutations(t *testing.T) {
	s := compiled(t)
	data := read(t, "full.structural.yaml")
	var doc yaml.Node
	require.NoError(t, yaml.Load(data, &doc))
	mutations, refused := 0, 0
	try := func(name string) {
		ps := config.StructuralOf(doc.Content[0], world())
		agree(t, name, ps, schemaAcceptsTree(s, doc.Content[0]))
		mutations++
		if len(ps) > 0 {
			refused++
		}
	}
	paths(doc.Content[0], "", func(path string, n *yaml.Node) {
		was := *n
		for _, wrong := range []yaml.Node{
			{Kind: yaml.ScalarNode, Tag: "!!str", Value: "wrong value"},
			{Kind: yaml.ScalarNode, Tag: "!!str", Value: ""},
			{Kind: yaml.ScalarNode, Tag: "!!int", Value: "7"},
			{Kind: yaml.ScalarNode, Tag: "!!int", Value: "-7"},
			{Kind: yaml.ScalarNode, Tag: "!!float", Value: "1.5"},
			{Kind: yaml.ScalarNode, Tag: "!!bool", Value: "true"},
			{Kind: yaml.ScalarNode, Tag: "!!null", Value: "null"},
			{Kind: yaml.SequenceNode},
			{Kind: yaml.MappingNode},
		} {
			*n = wrong
			try(path + " replaced by " + wrong.Tag + wrong.Value)
		}
		*n = was
		if n.Kind != yaml.MappingNode {
			return
		}
		n.Content = append(append([]*yaml.Node{}, was.Content...),
			&yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: "unknown_name"}, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: "x"})
		try(path + " with an unknown name")
		for i := 0; i < len(was.Content); i += 2 {
			n.Content = append(append([]*yaml.Node{}, was.Content[:i]...), was.Content[i+2:]...)
			try(path + " without " + was.Content[i].Value)
		}
		*n = was
	})
	assert.Greater(t, mutations, 1000)
	assert.Greater(t, refused, mutations/2, "mutations hardly break anything")
}

// paths calls do for every value, lists shown as [].
func paths(n *yaml.Node, path string, do func(string, *yaml.Node)) {
	do(path, n)
	for i, e := range n.Content {
		switch {
		case n.Kind == yaml.SequenceNode:
			paths(e, path+"[]", do)
		case i%2 == 1:
			paths(e, strings.TrimPrefix(path+"."+n.Content[i-1].Value, "."), do)
		}
	}
}

// fieldPaths returns the path of every field outside of maps.
func fieldPaths(t reflect.Type, path string) []string {
	var all []string
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		if t.Kind() == reflect.Slice {
			path += "[]"
		}
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return nil
	}
	for _, sf := range reflect.VisibleFields(t) {
		if name, _, _ := strings.Cut(sf.Tag.Get("yaml"), ","); name != "" {
			at := strings.TrimPrefix(path+"."+name, ".")
			all = append(append(all, at), fieldPaths(sf.Type, at)...)
		}
	}
	return all
}

func TestEveryFieldIsInTheReferenceWithASentence(t *testing.T) {
	ref := config.Reference()
	for _, f := range fieldPaths(reflect.TypeFor[config.Config](), "") {
		assert.Contains(t, ref, "| `"+f+"`", f)
	}
	assert.Contains(t, ref, "`operations.<name>.scopes`")
	assert.Contains(t, ref, "`evidence.dir`†")
	assert.Contains(t, ref, "`true` is not available in this version.")
	assert.Contains(t, ref, "| `payload.max_request_bytes` | size | `1MiB` |")
	var walk func(reflect.Type)
	walk = func(rt reflect.Type) {
		switch rt.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Map:
			walk(rt.Elem())
		case reflect.Struct:
			for sf := range rt.Fields() {
				if sf.Tag.Get("yaml") == "" {
					continue
				}
				doc := sf.Tag.Get("doc")
				assert.Regexp(t, `^[A-Z].*\.$`, doc, "%s.%s", rt, sf.Name)
				walk(sf.Type)
			}
		default:
		}
	}
	walk(reflect.TypeFor[config.Config]())
}
