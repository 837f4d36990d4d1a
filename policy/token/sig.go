package token

import (
	"context"

	"github.com/sidewarden/sidewarden/policy"
)

// Sig is the check of tok.sig.
//
// Rule: the token is a strict compact JWS that a key of its issuer signed with the
// algorithm pinned to that key and allowed for that issuer. It is denied with
// token-oversize above 8 KiB, token-malformed when a segment or a claim cannot be
// read (the detail names it), token-header when alg, kid or typ is no string,
// token-header-crit, token-header-unencoded, token-header-key, token-header-jwe or
// token-header-nested for a member that changes how the token is read or verified,
// token-alg, key-unknown, key-retired when a key that has left the set signed it, or
// token-signature. It is undecided with key-set-unavailable while there are no keys,
// and by tok.present or tok.iss when there is no token or no issuer whose keys could
// be asked.
//
// Of a token that is opaque to everybody but its issuer, it is the issuer that says
// that the token is active (RFC 7662). It is denied with token-oversize above 4 KiB,
// token-malformed when it has characters that no bearer token has, token-inactive,
// or introspection-issuer when the issuer speaks of another issuer's token. It is
// undecided with introspection-unavailable or introspection-busy when the issuer did
// not tell. One that was active here and is not any more stays proven: tok.revoked
// denies it.
type Sig struct{}

// Check judges tok.sig.
func (Sig) Check(_ context.Context, r *policy.Request) policy.Verdict {
	if r.Auth.Proof.Cause != "" {
		return policy.UndecidedBy(r.Auth.Proof.Cause)
	}
	return r.Auth.Proof
}
