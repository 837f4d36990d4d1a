package token

import (
	"context"
	"slices"

	"github.com/sidewarden/sidewarden/policy"
)

// Aud is the check of tok.aud.
//
// Rule: the claim aud has one of the audiences of this API, or all of them where
// the issuer's configuration says so, compared as exact strings (RFC 7519 section
// 4.1.3). It is denied with audience-missing without a value and with
// token-audience otherwise.
type Aud struct {
	wanted map[string]audiences
}

type audiences struct {
	names []string
	all   bool
}

// NewAud returns the check for the audiences of these issuers. An issuer without
// audiences is denied every token.
func NewAud(issuers []Issuer) *Aud {
	c := &Aud{wanted: make(map[string]audiences, len(issuers))}
	for _, i := range issuers {
		c.wanted[i.Issuer] = audiences{names: slices.Clone(i.Audiences), all: i.AllAudiences}
	}
	return c
}

// Check judges tok.aud.
func (c *Aud) Check(_ context.Context, r *policy.Request) policy.Verdict {
	t, v := provenToken(r)
	if t == nil {
		return v
	}
	if len(t.Audience) == 0 {
		return policy.Denied(policy.AudienceMissing, "")
	}
	wanted := c.wanted[t.Claimed.Issuer]
	found := 0
	for _, name := range wanted.names {
		if slices.Contains(t.Audience, name) {
			found++
		}
	}
	if found == 0 || wanted.all && found < len(wanted.names) {
		return policy.Denied(policy.TokenAudience, "")
	}
	return policy.Permitted()
}
