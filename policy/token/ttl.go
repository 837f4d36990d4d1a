package token

import (
	"context"
	"time"

	"github.com/sidewarden/sidewarden/policy"
)

// TTL is the check of tok.ttl.
//
// Rule: the lifetime of the token, exp - iat, is at most that of its issuer. It is
// denied with token-issued-at-missing without iat, with token-lifetime-negative when it ends
// before it was issued, and with token-lifetime when it is too long. Without exp
// it is undecided by tok.time, which denies such a token.
type TTL struct {
	longest map[string]time.Duration
}

// NewTTL returns the check for the longest lifetimes of these issuers.
func NewTTL(issuers []Issuer) *TTL {
	c := &TTL{longest: make(map[string]time.Duration, len(issuers))}
	for _, i := range issuers {
		c.longest[i.Issuer] = i.MaxLifetime
	}
	return c
}

// Check judges tok.ttl.
func (c *TTL) Check(_ context.Context, r *policy.Request) policy.Verdict {
	t, v := provenToken(r)
	if t == nil {
		return v
	}
	switch lifetime := t.Expires.Sub(t.IssuedAt); {
	case t.Expires.IsZero():
		return policy.UndecidedBy(policy.TokTime)
	case t.IssuedAt.IsZero():
		return policy.Denied(policy.TokenIssuedAtMissing, "")
	case lifetime < 0:
		return policy.Denied(policy.TokenLifetimeNegative, "")
	case lifetime > c.longest[t.Claimed.Issuer]:
		return policy.Denied(policy.TokenLifetime, "")
	}
	return policy.Permitted()
}
