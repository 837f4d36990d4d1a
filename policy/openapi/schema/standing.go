package schema

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
