package policy

import (
	"context"
	"net/http"
	"net/netip"
)

// Matcher finds the operation of a request by its Method and Path.
type Matcher interface {
	Match(r *Request) Match
}

// Authenticator turns the credential of a request into facts. It gives no policy
// verdict: an expired token of a known key still has an identity.
type Authenticator interface {
	Authenticate(ctx context.Context, r *Request) Authentication
}

// Spender takes what the request costs from all limits: one atomic take per mode
// group, either everything or nothing. Head is the decision of the head phase,
// of which only verdicts may be used, never modes.
type Spender interface {
	Spend(ctx context.Context, r *Request, head Decision) []Verdict
}

// Inspector reads a body in one pass. B is the inspected copy, size the declared
// or counted length (-1 when unknown) and whole reports that b is all of it. It
// must not keep b after the request.
type Inspector interface {
	Inspect(r *Request, b []byte, size int64, whole bool) Body
}

// Check judges one control for one request by the facts in r. It does no I/O,
// changes nothing and never learns the mode.
type Check interface {
	Check(ctx context.Context, r *Request) Verdict
}

// Observer learns from outcomes, for later requests only. It is called exactly
// once per request that was spent, also after a panic.
type Observer interface {
	Observe(r *Request, d Decision, o Outcome)
}

// Stripper names the header fields of a request that the backend must not see, as they
// are keyed in its Header: what in.hdr finds and does not block for. Of what is for the
// sidecar alone it names Upgrade for an upgrade, and Trailer for the fields behind the
// body. It judges facts and changes nothing.
type Stripper interface {
	Strip(r *Request) []string
}

// Sourcer tells the address of the client of a request from that of the peer and from
// what trusted hops put into the header. Of a peer that it does not trust it returns the
// address.
type Sourcer interface {
	Source(peer netip.Addr, h http.Header) netip.Addr
}

// Introducer tells the backend who the caller is, in header fields of its own.
type Introducer interface {
	// Owns reports whether a name is that of such a field, in any spelling that a backend
	// may take for it. What a client sent under it never reaches the backend, nor does it
	// where nobody is introduced.
	Owns(name string) bool
	// Introduce returns the fields of a request that was decided so: canonical names, each
	// once, with values that are safe in a header. There are none unless the caller is
	// proven and nothing objects to the proof, whatever let the request pass.
	Introduce(r *Request, d Decision) []Pair
}
