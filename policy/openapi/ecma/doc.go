// Package ecma matches regular expressions of ECMA-262, which the contracts of OpenAPI
// have (JSON Schema 2020-12, core, 6.4), in linear time and without allocation.
//
// RE2, the engine of the standard library, gives other meanings to what the two spell
// alike, such as \s, the dot and (?i), and costs by the size of the expression for each
// byte of the text. Here an expression is translated into the fastest automaton that
// serves it: a chain of character classes, a table of states, or a swarm of places.
// Each is held to the standard library by a fuzz test, by a translation that only
// tests have. What no automaton matches exactly, such as a back reference, is an
// [Error] that says where it is and what to write in its place.
package ecma
