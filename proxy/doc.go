// Package proxy is the HTTP edge of sidewarden: it fills a policy.Request from
// left to right, asks the policy, forwards or answers, watches what the backend
// does, and tells the observer what became of each request. It is the only
// package that writes HTTP answers.
//
// # What is promised
//
// Without an enforcing rule the backend sees what a bare
// httputil.ReverseProxy with Host and forwarded headers preserved would send:
// same method, raw target, Host, end-to-end header values and body bytes. A body
// streams through while a bounded copy is taken; it is judged once the head of
// the answer is there, beside the answer and never before it. Where a Body rule
// enforces, the body is held up to its limit, judged, and the same bytes are
// forwarded. The target that was judged is, byte for byte, the target at the
// backend, behind the path prefix if there is one, and so are the header fields: what a client keeps from the backend by
// naming it in Connection, no check sees. Where in.hdr enforces, the fields that Operation.Strip names are taken away, and
// the fields of a Policy.Introducer are set in place of whatever came under their names:
// nothing else is changed. A chunked request counts as one with a
// body even if no byte follows: only waiting could tell.
//
// Every request that the handler sees is observed exactly once, also after a
// panic and after a client that went away; a tunnel (101) is observed when it
// ends, which Wait waits for. A panic in a stage leaves its facts undecided, which
// blocks where they are enforced and nowhere else. What a client did, such as
// going away or breaking its body, is never put down to the backend.
//
// An answer streams through in the same way, and the copy is judged once the client
// has it. Where a Response rule enforces, what the head of the answer tells is
// judged before any of it is forwarded, and an answer of which that leaves the rule
// undecided is held up to the limit, judged, and the same bytes are forwarded. A
// withheld answer leaves nothing behind.
//
// # Memory
//
// The bytes of bodies that are held or copied at one time have one bound for
// the process. When it is reached, a body that only shadow rules want is not
// copied (counted as a partial inspection), and one that an enforcing rule needs
// is undecided, which answers 503. The bytes are given back as soon as they are
// judged and sent, however long the answer lasts, and a body that does not keep its
// pace gives them up.
//
// # Turns
//
// The requests of HTTP/2 take turns, in every mode: of those that a connection asks beside
// another one, no more are worked on at once than keep the processors busy, and the
// connections are served one after the other. One that lasts counts no more. Nobody is
// refused; a request waits before anything is kept for it, and its wait is overhead. A
// request of HTTP/1 does not wait: its connection has no other.
//
// # Framing
//
// A [Listener] follows the bytes of each connection of HTTP/1 by a second parser, package
// frame, and tells the handler what of a request is ambiguous, for in.frame to judge. It
// changes no byte. Behind a message at fault that passed, as in shadow, nobody knows
// where requests begin, and the rest of the connection is blind, which is counted. What
// net/http refuses by itself has a record, too; where in.frame enforces, it has our
// answer.
//
// # What is left to others
//
// The verdicts are policy's, records audit's. What is ambiguous in a target or a field is
// forwarded as a bare proxy would, unless in.path or in.hdr enforces. What net/http
// refuses of HTTP/2 is seen by nobody here.
package proxy
