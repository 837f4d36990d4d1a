// Package schema judges JSON values by the schemas of OpenAPI 3.0 and 3.1 while
// they are read: one pass over the tokens, no tree, no second visit.
//
// # Compiling
//
// [Documents] hold the raw trees of a contract's files. A [Compiler] turns the schemas
// at given places into [Schema] values, with every keyword of OpenAPI 3.0 or of JSON
// Schema 2020-12 that says something of a value. What it cannot compile is a
// [Problem] with its place, never a keyword that is skipped in silence.
//
// # Judging
//
// A [Run] is told the tokens of one value in order. At each value it holds the set of
// schemas that judge that value, each once, however many others refer to it: the same
// schema gives the same verdict on the same value. So the cost is bounded by the
// number of tokens times the number of schemas, whatever oneOf and recursion say
// (Pezoa et al., Foundations of JSON Schema, WWW 2016, proposition 1).
//
// Details are structural: the place up to the last name that a schema declares, "*"
// for any index, and the keyword that failed.
//
// # What it leaves to others
//
// That tokens are those of one well-formed document with unique member names, and the
// bounds of its depth, size and numbers, is up to the caller. So is what operation has
// which schema.
package schema
