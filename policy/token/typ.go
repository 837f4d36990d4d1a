package token

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/sidewarden/sidewarden/policy"
)

// Typ is the check of tok.typ.
//
// Rule: the token is an access token by the profile of its issuer. Its header member
// typ is one of the issuer's types (RFC 8725 section 3.11, RFC 9068 section 4), without
// regard to letter case and to the prefix "application/"; any other type, or none, is
// denied with token-type. By [ProfileRFC9068] it has sub, client_id and jti (RFC 9068
// section 2.2), else it is denied with token-claim-missing; the detail points to the
// first that is missing. The other required claims have controls of their own: iss
// tok.iss, aud tok.aud, exp tok.time and iat tok.ttl. By [ProfileJWT] it may have no
// typ, and is denied with token-purpose when a claim marks it as made for something
// else; the detail points to that claim.
//
// Of a token whose issuer is asked for its facts the type is token_type (RFC 6749
// section 7.1), without regard to letter case. One without is denied, unless none is
// among the types.
type Typ struct {
	issuers map[string]profile
}

type profile struct {
	Profile
	types, introspected []string
}

// NewTyp returns the check for the types and profiles of these issuers. An issuer
// without types is denied every token that has one.
func NewTyp(issuers []Issuer) *Typ {
	c := &Typ{issuers: make(map[string]profile, len(issuers))}
	for _, i := range issuers {
		p := profile{Profile: i.Profile}
		for _, t := range i.Types {
			p.types = append(p.types, mediaType(t))
		}
		if i.Introspection != nil {
			p.introspected = slices.Clone(i.Introspection.Types)
		}
		c.issuers[i.Issuer] = p
	}
	return c
}

// Check judges tok.typ.
func (c *Typ) Check(_ context.Context, r *policy.Request) policy.Verdict {
	t, v := provenToken(r)
	if t == nil {
		return v
	}
	p, missing := c.issuers[t.Claimed.Issuer], slices.IndexFunc(t.Missing, ofProfile)
	switch {
	case t.Introspected && p.allowsAnswer(t.TokenType):
		return policy.Permitted()
	case t.Introspected, !p.allows(t.Type):
		return policy.Denied(policy.TokenType, "")
	case p.Profile == ProfileJWT && t.Purpose != "":
		return policy.Denied(policy.TokenPurpose, "/"+t.Purpose)
	case p.Profile == ProfileRFC9068 && missing >= 0:
		return policy.Denied(policy.TokenClaimMissing, "/"+t.Missing[missing])
	}
	return policy.Permitted()
}

// ofProfile reports whether a claim is asked for by tok.typ and by no other control.
func ofProfile(claim string) bool {
	return claim == "sub" || claim == "client_id" || claim == "jti"
}

func (p profile) allows(typ string) bool {
	if typ == "" {
		return p.Profile == ProfileJWT
	}
	for _, allowed := range p.types {
		if allowed != "" && strings.EqualFold(mediaType(typ), allowed) {
			return true
		}
	}
	return false
}

// allowsAnswer judges what an issuer said that a token is, "" if it said nothing.
func (p profile) allowsAnswer(tokenType string) bool {
	said := cmp.Or(tokenType, "none")
	return slices.ContainsFunc(p.introspected, func(allowed string) bool { return strings.EqualFold(said, allowed) })
}

// mediaType drops the prefix that RFC 7515 section 4.1.9 lets a sender omit.
func mediaType(typ string) string {
	const prefix = "application/"
	if len(typ) > len(prefix) && strings.EqualFold(typ[:len(prefix)], prefix) {
		return typ[len(prefix):]
	}
	return typ
}
