package schema

import "github.com/go-json-experiment/json/jsontext"

// Run judges one value after another, each by the schema it was begun with. It is not
// safe for concurrent use; it keeps its memory.
type Run struct{}

// Begin forgets the last value; the tokens that follow are those of the next.
func (r *Run) Begin(s *Schema) { panic("not built") }

// Visit takes the next token. Text is that of a string or member name, unescaped and
// valid UTF-8 (jsontext.KindString), or the literal of a number; else it is ignored. It is not kept.
func (r *Run) Visit(kind jsontext.Kind, text []byte) { panic("not built") }

// Fault returns the first certain fault so far. After the last token, there is none exactly if
// the value satisfies the schema. Once there is one, further tokens change nothing.
func (r *Run) Fault() (Fault, bool) { panic("not built") }

// Stranger returns the place of the first object that has a property which no schema
// declares ([Undeclared]).
func (r *Run) Stranger() (pointer string, found bool) { panic("not built") }

// Fault is where and by what keyword a value fails.
type Fault struct {
	// Pointer is the RFC 6901 pointer of the place up to the last declared name, with
	// "*" for the index of an array.
	Pointer string
	Keyword string
}
