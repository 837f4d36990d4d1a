package schema

// Place is where a value of a document is.
type Place struct {
	// Document is the URI or path by which the document was added.
	Document string
	// Pointer is an RFC 6901 pointer; "" is the whole document.
	Pointer string
}

// Child returns the place of a member or, by its index, of an item.
func (p Place) Child(tokens ...string) Place {
	p.Pointer += Pointer(tokens...)
	return p
}

// Problem is one thing that is wrong with a schema or, as a note, one thing in it
// that nobody judges.
type Problem struct {
	Place Place
	Cause string // What is wrong; it may quote the contract.
	Fix   string // What to do; may be empty.
}
