package schema

// Schema judges values, by a [Run]. It is immutable and safe for concurrent use.
type Schema struct{ root *node }

// Types are the JSON types that some schema of a value names.
type Types struct {
	Null, Boolean, Object, Array, Number, Integer, String bool
	// Any reports that none names any: every type will do.
	Any bool
}

// Forms are all schemas that may describe one value: those that judge it, by
// whatever keyword but not, and those that a discriminator maps to.
type Forms struct{}

// Forms returns the forms of the value that the schema judges.
func (s *Schema) Forms() Forms { panic("not built") }

// Types returns the types that the forms name together.
func (f Forms) Types() Types { panic("not built") }

// Property returns the forms of a property, and how the forms know its name.
func (f Forms) Property(name string) (Forms, Standing) { panic("not built") }

// Item returns the forms of the item i of an array; i below 0 is any item.
func (f Forms) Item(i int) Forms { panic("not built") }

// Names returns the properties that the forms declare by name, sorted.
func (f Forms) Names() []string { panic("not built") }

// Standing says how schemas know a property.
type Standing uint8

const (
	// Undeclared: no schema speaks of it, while some list properties.
	Undeclared Standing = iota
	// Openly: by a pattern, by additionalProperties, or in a free-form object.
	Openly
	// Declared: by name.
	Declared
)
