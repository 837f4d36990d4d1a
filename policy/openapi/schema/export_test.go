package schema

// StringFormat lets the tests hand the same formats to another validator.
func StringFormat(name string) func(text []byte) bool { return stringFormat(name) }
