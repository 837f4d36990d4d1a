package config

import "go.yaml.in/yaml/v4"

// Structural returns the problems that the JSON Schema must find too.
func Structural(data []byte, env Env) Problems {
	d := newDecoder("test.yaml", "", env)
	d.decode(data)
	return d.structural
}

// StructuralOf is Structural for a file that is a tree already.
func StructuralOf(root *yaml.Node, env Env) Problems {
	d := newDecoder("test.yaml", "", env)
	d.tree(root)
	return d.structural
}

// Pattern returns the pattern of a scalar's schema, "" if it has none.
func Pattern(of any) string {
	s, ok := of.(scalar)
	if !ok {
		return ""
	}
	schema := s.describe().schema
	if options, ok := schema["oneOf"].([]any); ok {
		schema, _ = options[1].(map[string]any)
	}
	pattern, _ := schema["pattern"].(string)
	return pattern
}

// RestartLists returns what the lists of fields that take a restart name.
func RestartLists() []string { return append(openedOnce(), judgedAnew()...) }
