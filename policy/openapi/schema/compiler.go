package schema

// Options say how schemas are read.
type Options struct {
	// Modern reads JSON Schema 2020-12, as OpenAPI 3.1 does; else OpenAPI 3.0.
	Modern bool
	// Answers judges answers in place of requests: writeOnly may not be there, in place
	// of readOnly, and is not required.
	Answers bool
	// OmitPatterns leaves a pattern out that cannot be compiled, with a note; else it is a
	// problem.
	OmitPatterns bool
}

// Compiler compiles the schemas of one contract, for one direction.
type Compiler struct{}

// NewCompiler returns a compiler of schemas in the documents.
func NewCompiler(d *Documents, o Options) *Compiler { panic("not built") }

// Schema compiles the schema at a place, which may be a reference; the same place gives
// the same schema. What is wrong is told by End.
func (c *Compiler) Schema(at Place) *Schema { panic("not built") }

// End finishes every schema; none may be used before. Problems are why they cannot be
// used at all, notes what is in them and not judged, such as an unknown format.
func (c *Compiler) End() (problems, notes []Problem) { panic("not built") }
