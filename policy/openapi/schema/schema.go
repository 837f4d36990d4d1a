package schema

// Schema judges values, by a [Run]. It is immutable and safe for concurrent use.
type Schema struct {
	root     *node
	hasher   *hasher
	compiler *Compiler
}

// nodes returns how many nodes the compiler of the schema made.
func (s *Schema) nodes() int { return len(s.compiler.nodes) }
