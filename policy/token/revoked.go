package token

import (
	"context"

	"github.com/sidewarden/sidewarden/policy"
)

// Revoked is the check of tok.revoked.
//
// Rule: the issuer of a proven token, where it is asked (RFC 7662), says that the
// token is active. It is denied with token-revoked when the issuer says that it is
// not; an opaque token, which only its issuer proves, then proves nobody any more. It is undecided with introspection-unavailable or introspection-busy when the
// issuer did not tell, and with introspection-issuer when it spoke of another
// issuer's token, and by tok.time for a token that has expired. It does not apply to a
// token about which nobody is asked.
type Revoked struct{}

// Check judges tok.revoked.
func (Revoked) Check(_ context.Context, r *policy.Request) policy.Verdict {
	t, v := provenToken(r)
	switch {
	case r.Auth.Proof.Cause == policy.TokRevoked:
		return policy.Denied(r.Auth.Proof.Reason, "")
	case t == nil:
		return v
	case t.Revoked:
		return policy.Denied(policy.TokenRevoked, "")
	case r.Auth.Active == nil:
		return policy.Inapplicable() // nobody was asked
	}
	return *r.Auth.Active
}
