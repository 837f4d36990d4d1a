// Package explain tells an operator what the policy says of one request, control
// by control, and why.
//
// # A request
//
// [Request] sends a request from a file through the handler that serve uses, over
// a connection in memory, to a backend that is not there. So the order of the
// stages, the verdicts and the answer are those of the product, and nothing of it
// is written a second time. The request is sent three times, by the policy as
// configured and as it is with every rule in shadow and in enforce: shadow alone
// reaches every control. The credential is judged once, limits are taken once, from
// unused ones, and the memory of used token ids and DPoP proofs is empty; each request
// gets the same facts and verdicts from them.
//
// # A record
//
// [Record] finds a decision in an audit file and tells what was recorded of it.
//
// # What is shown
//
// Values that a request or a token brings, such as accounts, clients and unmatched
// parts of a path, are masked down to their last two characters unless the
// operator asks for them. What the configuration or the contract says itself is
// shown. The credential never is.
package explain
