// Package demo is the world of `sidewarden demo`: everything around a sidecar,
// with gaps whose truth is known.
//
//	client ─► weak gateway ─► sidewarden ─► balancer ─► legacy backend, two instances
//	   └────► token issuer ◄──────┘ (key set)
//
// [Build] starts a token issuer, a gateway that checks less than it should, and
// two instances of a network-as-a-service backend from another decade behind a
// round-robin balancer; it writes the contract and the configuration of the
// sidecar into a folder. [World.Traffic] then plays two customers, a partner who
// may act for one of them and tries the other one too, and a script that both
// customers run and that does everything wrong. [World.Check] compares what the
// sidecar found out with [Key].
//
// With [StripsToken] the gateway consumes the token and asserts the caller in
// headers, with a proof of itself: what concerns tokens cannot be seen then, and a
// cell that claims to have seen it is wrong.
//
// # Guarantees
//
// The sidecar gets its YAML, and what the YAML names: nothing else of this
// package reaches it. Check reads the sidecar's admin listener, nothing else. A
// gap that is not there counts as much against the score as one that is missed.
//
// The seed decides who the customers are, their accounts and ports, what they
// ask for and in which order. Keys, secrets and ports are new in every run.
//
// Every violating request violates exactly one control, so that each of them is
// evidence. The gateway stops some of them, as gateways do; those must leave no
// trace in the cells. Clean requests are clean by the contract, and there are
// enough of them, by several clients, for a refusal to mean something.
//
// Limits are violated by many requests at once, each of which may be right: what
// goes over them, and what keeps to them, is sent beside the script, in bursts of
// both customers. Which requests of a burst are over a limit depends on when they
// arrive; how many are at least is arithmetic, and an enforcing sidecar owes those.
//
// Everything listens on loopback only. [World.Close] ends all of it and waits.
//
// # What it leaves to others
//
// It does not start the sidecar, prints no cells, and is no example of how to
// write a gateway: this one is wrong on purpose, and says where.
package demo
