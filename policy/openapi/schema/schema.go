package schema

// Schema judges values, by a [Run]. It is immutable and safe for concurrent use.
type Schema struct {
	root     *node
	hasher   *hasher
	compiler *Compiler
}

// nodes returns how many nodes the compiler of the schema made.
func (s *Schema) nodes() int { return len(s.compiler.nodes) }

// foreignKeyword is the keyword by which a property belongs to the other direction.
func (s *Schema) foreignKeyword() string {
	if s.compiler.options.Answers {
		return "writeOnly"
	}
	return "readOnly"
}
