// Package openapi is the contract: it loads an OpenAPI 3.0 or 3.1 document,
// finds the operation of a request, and judges parameters and bodies against
// their schemas.
//
// # Loading
//
// [Load] reads the file and what its references name, all below one folder and
// never over the network, and returns a [Contract] or every problem with its
// place ([Problems]). kin-openapi, which only this package imports, resolves the
// document and validates it. Schemas are compiled by [schema] from the raw trees
// of the files, because the structures of the library have lost
// some of what a schema says. What cannot be judged is refused when it would be
// skipped in silence: a pattern that cannot be judged in linear time, a reference
// to nothing, a schema that leads back to itself. What is only not judged, such as
// a format that nobody asserts or a body that is not JSON, is listed by
// [Contract.Notes], and what judges each part of an operation by
// [Operation.Engines]. Callbacks and webhooks describe requests that the backend
// sends; they are no operations here.
//
// The library follows references to files and pointers alone. It is shown the
// files without the others, which are those to an $anchor or an $id: it has to know
// what operations there are, and judges nothing.
//
// # Matching
//
// An operation is served under the path of each of its servers, with every value of
// their variables; the first is its template, the others its aliases. Contracts may
// stand beside each other in one matcher where [Clashes] finds nothing.
//
// [Matcher] is a trie over the segments of the escaped path, so that what is
// matched is what is forwarded. What some backends would read as another path
// matches no parameter: dot segments, plain, escaped or with matrix parameters,
// and escaped slashes and backslashes. [Route], [Method], [Unmatched] and [Schema] are
// the checks; they judge facts that a stage has put into the request.
//
// # Judging
//
// [Judge] decides, for one operation, whether parameters and body are what the
// contract says, and [Answers] does the same for answers, by status and media
// type. Both read the tokens of a document once, while somebody else reads it, and
// keep nothing of it. Each direction has its own schemas: what is readOnly is
// required of answers alone, and what is writeOnly of requests. Details are
// structural: names that the contract declares, "*" for any array index, and the
// keyword that failed. They never hold what a client sent.
//
// # Cost
//
// Everything is compiled by [Load]; of a request the library sees nothing. A match
// visits no node of the trie twice, and where literal segments tell operations apart
// it costs the same among ten of them and among a thousand. A body costs no more than
// its tokens times the schemas that judge each, whatever recursion and branches say;
// package schema tells why. A pattern costs a bounded step for each code point of a
// text, and a text over 64 KiB meets one only if maxLength bounds it. A judge makes no
// tree, and takes its working memory from a pool of the contract. BenchmarkContract
// measures all this beside the library.
//
// # What it leaves to others
//
// Strict decoding of bodies, and the bounds of their size, depth and numbers, belong
// to payload; scopes to entitlement; which operation has which mode to compile.
package openapi
