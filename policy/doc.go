// Package policy is the vocabulary and the engine of sidewarden: what a
// request is, what a control says of it, and what the backend's answer says
// about the control.
//
// # Direction
//
// Data goes left to right and is never handed back. Four stages add facts to a
// [Request] and give no policy verdict: a [Matcher] finds the operation, an
// [Authenticator] turns the credential into an identity, a [Spender] takes from
// limits, an [Inspector] reads a body. Every control is a [Check] that judges
// those facts. [Policy.Evaluate] runs the rules of one phase and returns a
// [Decision], whose methods alone read a [Mode]: [Decision.Blocking] picks the
// finding that stops a request, [Decision.Disposition] names what was done. [ClassOf] and [Classify] turn the backend's answer into
// observations.
//
// # Guarantees
//
// The package is pure: no I/O, no clock, no goroutine, no HTTP writer. Time is
// Request.Time. Every function is a function of its arguments, so shadow and
// enforce cannot differ in what they find. No rule is skipped because another
// one denied: each control has its own verdict. A panic in a check becomes an
// undecided verdict with reason internal-error.
//
// The zero [Effect] is Indeterminate and the zero [Mode] is Off: a verdict that
// nobody made is "could not decide", which blocks where the control enforces.
//
// # What it leaves to others
//
// Building a policy from a file belongs to policy/compile, HTTP answers and
// forwarding to proxy, records to audit, counting to assess/evidence.
package policy
