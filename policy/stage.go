package policy

import "context"

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
