// Package config turns one YAML file into plain structs, and tells everything
// that is wrong with the file at once.
//
// It guarantees that a [Config] returned without an error
//
//   - names only fields that exist: an unknown or repeated key, a second
//     document, a merge key or an empty value is a problem, never ignored;
//   - carries its defaults: every default is stated once, in the `default` tag
//     of its field, and that tag is also what [Schema] and [Reference] print;
//   - holds resolved references: a string that is `${env:NAME}` or
//     `${file:/path}` is replaced after the YAML was parsed, so the content of
//     a variable or file can never change the structure of the configuration;
//   - uses nothing that this version does not have (available.go).
//
// Every [Problem] tells file, line, field path, cause and fix. Problems that
// only follow from another one are left out. A setting that is allowed but
// dangerous is a warning, see [Config.Warnings].
//
// Secrets are of type [Secret], which prints as "[secret]" wherever it goes.
// A value that came through a reference is never quoted in a problem and never
// printed by [Config.Effective], whatever its type.
//
// One description serves all: the struct tags of the fields drive the decoder,
// the defaults, the printer, the JSON Schema and the manual. The tags are
//
//	yaml:"name"        the key; yaml:"name,single=key" also takes one element under key
//	doc:"text"         the manual
//	default:"yaml"     the value when the key is absent, as YAML
//	required:"true"    the key must be there
//	enum:"a|b"         the closed set of a string, or of the strings of a list;
//	                   @controls and @families name sets that are data
//	keys:"@families"   the closed set of the keys of a map
//	refused:"a|b: why" values that are refused with a reason of their own
//	min:"1"            the smallest value of an integer
//	positive:"true"    a size or duration must be more than zero
//	file:"true"        a path, relative to the folder of the configuration file
//
// The package leaves to others whatever needs more than this one file: whether
// an operation exists in the contract, whether a control can enforce where its
// needs do not, whether a key set can be read. It reads no file but the
// configuration and the files named by references, keeps no state and starts
// nothing.
package config
