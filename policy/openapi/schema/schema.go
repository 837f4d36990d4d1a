package schema

// Schema judges values, by a [Run]. It is immutable and safe for concurrent use.
type Schema struct{ root *node }
