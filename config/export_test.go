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

// JSONSchema returns the schema of a scalar.
func JSONSchema(s any) map[string]any { return s.(scalar).describe().schema }
