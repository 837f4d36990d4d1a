package schema

// Documents are the raw trees of all files and resources of a contract: nil, bool,
// json.Number, string, []any and map[string]any.
type Documents struct{}

// NewDocuments returns an empty set.
func NewDocuments() *Documents { panic("not built") }

// Add adds a document under its URI or path. The tree is the Documents' own after that.
func (d *Documents) Add(uri string, tree any) { panic("not built") }

// Value returns what is at a place.
func (d *Documents) Value(at Place) (any, bool) { panic("not built") }

// Scan notes the $id, $anchor and $dynamicAnchor of the schema at a place and of the
// schemas in it (JSON Schema 2020-12, core, 8.2). Scanning twice changes nothing.
func (d *Documents) Scan(at Place) []Problem { panic("not built") }

// Resolve returns the place of the schema that a $ref or the initial target of a $dynamicRef
// leads to from the schema at a place. References to references are not followed.
func (d *Documents) Resolve(at Place, ref string) (Place, error) { panic("not built") }

// Resource returns the root of the schema resource that a place is in: the nearest
// schema around it with an $id, or the document.
func (d *Documents) Resource(at Place) Place { panic("not built") }

// DynamicAnchor returns the schema that a resource, by its root, names by a $dynamicAnchor.
func (d *Documents) DynamicAnchor(resource Place, name string) (Place, bool) { panic("not built") }

// DynamicAnchors returns the names of the $dynamicAnchors of a resource, sorted.
func (d *Documents) DynamicAnchors(resource Place) []string { panic("not built") }

// Pointer returns the RFC 6901 pointer of the tokens.
func Pointer(tokens ...string) string { panic("not built") }
