// Package payload judges what a body is, apart from its contract: its
// size, its content type and coding, and whether it is well-formed JSON, XML, a form or
// multipart.
//
// An [Inspector] reads a body once and returns facts: whether it is
// well-formed, what a [Judge] says of it by the contract, and the values that
// account rules select. JSON is read in one pass over its tokens, each of which the
// judge and the selectors are told when the bounds have let it pass; there is no tree.
// A scanner of our own says yes or no; what it does not take is read once more, by
// jsontext, which says why.
// [Ctype], [Size] and [WellFormed] are the checks. An
// [AnswerInspector] does so for answers, of which [AnswerSize] judges the size.
//
// # Guarantees
//
// JSON is read strictly (RFC 8259 within I-JSON, RFC 7493): one value, UTF-8
// without byte order mark, no lone surrogate, no duplicate member by its
// unescaped name, nothing after the value, bounded depth, bounded members,
// bounded numbers. What is accepted here, two parsers cannot read differently.
// XML is refused when it could make a parser fetch, expand or guess: document
// type, entity, processing instruction, XInclude, another encoding than UTF-8. Forms
// and multipart bodies are refused where parsers are known to differ: over separators,
// escapes, delimiters, names, codings and charsets. Their fields are handed to the judge as the
// tokens of one object.
//
// A content coding is taken off only where that is configured, for inspection alone, and
// within the bounds of in.size.
//
// A body that was not read whole has no verdict but "undecided". Work and memory
// are bounded by the size of the body, and no verdict's detail holds anything
// that was sent, neither a value nor a name nor the content type.
//
// # What it leaves to others
//
// Reading the bytes from the connection belongs to proxy, the contract's schema
// to policy/openapi. Bodies of other types are not parsed here; in.wellformed does not
// apply to them.
package payload
