// Package openapi is the contract: it loads an OpenAPI 3.0 or 3.1 document,
// finds the operation of a request, and judges parameters and JSON bodies
// against their schemas.
//
// # Loading
//
// [Load] reads the file and what its references name, all below one folder and
// never over the network, and returns a [Contract] or every problem with its
// place ([Problems]). What cannot be judged is refused when it would be skipped
// in silence: a pattern that RE2 cannot compile, a 3.1 schema that the
// validator cannot compile. What is only not judged yet, such as a format that
// nobody asserts or a body that is not JSON, is listed by [Contract.Notes].
// Callbacks and webhooks describe requests that the backend sends; they are no
// operations here.
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
// contract says. It writes nothing: not the value, not the request, no default.
// [Answers] does the same for the answers of an operation, by status and media
// type. Details are structural: names that the contract declares, "*" for any array
// index, and the keyword that failed. They never hold what a client sent.
//
// The keywords are judged by kin-openapi, which only this package imports, and
// within it only through one function, so that another engine can take its
// place. Around it stand guards of our own, because it lacks them: depth and
// numbers are bounded before it runs, its error text is never rendered (it may
// be millions of times the size of the body), parameters are decoded here
// (it takes the first of a repeated parameter, and NaN for a number), readOnly
// is judged here (it forgets it on 3.1), and a recursive schema with branches
// is judged within a budget, because it visits a branch more than once per
// level. Integers are judged as float64, except for format int64, which is
// exact.
//
// # Cost
//
// A 3.0 body of 1 KB takes some 10 µs. On 3.1 kin-openapi compiles a schema
// anew for every validation that needs a keyword of JSON Schema 2020-12, which
// takes the better part of a millisecond; a contract that can be written in 3.0
// is faster in 3.0. Loading takes about a millisecond per path. It takes the
// loader quadratic time to follow a chain of a thousand references or nested
// schemas; the size bound is the only bound on that.
//
// # What it leaves to others
//
// Strict decoding of bodies, media types and sizes belong to payload; scopes to
// entitlement; which operation has which mode to compile.
package openapi
