package token

import (
	"context"
	"time"

	"github.com/sidewarden/sidewarden/policy"
)

// Time is the check of tok.time.
//
// Rule: at the time of the request, with a skew of Skew in the caller's favour,
// the token is not expired (exp is required and lies after the time), nbf has
// come and iat has come (RFC 7519 sections 4.1.4 to 4.1.6). It is denied with
// expiry-missing, token-expired, token-not-yet-valid or token-issued-in-future.
type Time struct {
	// Skew is how far the clocks of issuer and sidecar may differ.
	Skew time.Duration
}

// Check judges tok.time.
func (c Time) Check(_ context.Context, r *policy.Request) policy.Verdict {
	t, v := provenToken(r)
	if t == nil {
		return v
	}
	latest := r.Time.Add(c.Skew)
	switch {
	case t.Expires.IsZero():
		return policy.Denied(policy.ExpiryMissing, "")
	case !t.Expires.After(r.Time.Add(-c.Skew)):
		return policy.Denied(policy.TokenExpired, "")
	case t.NotBefore.After(latest):
		return policy.Denied(policy.TokenNotYetValid, "")
	case t.IssuedAt.After(latest):
		return policy.Denied(policy.TokenIssuedInFuture, "")
	}
	return policy.Permitted()
}

// provenToken returns the proven token, or nil and the verdict of a check that
// needs one.
func provenToken(r *policy.Request) (*policy.Token, policy.Verdict) {
	if v, missing := r.Auth.Missing(); missing {
		return nil, v
	}
	if r.Auth.Token == nil {
		// An identity without a token did not come from this package's stage.
		return nil, policy.UndecidedBy(policy.TokSig)
	}
	return r.Auth.Token, policy.Verdict{}
}
