package token

import (
	"context"
	"time"

	"github.com/sidewarden/sidewarden/policy"
)

// Time is the check of tok.time.
//
// Rule: at the time of the request, with the skew of the token's issuer in the caller's
// favour, the token is not expired (exp is required and lies after the time), nbf has
// come and iat has come (RFC 7519 sections 4.1.4 to 4.1.6). It is denied with
// expiry-missing, token-expired, token-not-yet-valid or token-issued-in-future.
type Time struct {
	skews map[string]time.Duration
}

// NewTime returns the check for the clock skews of these issuers.
func NewTime(issuers []Issuer) *Time {
	c := &Time{skews: make(map[string]time.Duration, len(issuers))}
	for _, i := range issuers {
		c.skews[i.Issuer] = i.Skew
	}
	return c
}

// Check judges tok.time.
func (c *Time) Check(_ context.Context, r *policy.Request) policy.Verdict {
	t, v := provenToken(r)
	if t == nil {
		return v
	}
	skew := c.skews[t.Claimed.Issuer]
	latest := r.Time.Add(skew)
	switch {
	case t.Expires.IsZero():
		return policy.Denied(policy.ExpiryMissing, "")
	case !t.Expires.After(r.Time.Add(-skew)):
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
