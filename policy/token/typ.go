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
// Rule: the header member typ is one of the types of the token's issuer (RFC 8725
// section 3.11, RFC 9068 section 4), without regard to letter case and to the
// prefix "application/". Any other type, or none, is denied with token-type.
//
// Of a token whose issuer is asked for its facts the type is token_type (RFC 6749
// section 7.1), without regard to letter case. One without is denied, unless none is
// among the types.
type Typ struct {
	types, introspected map[string][]string
}

// NewTyp returns the check for the types of these issuers. An issuer without
// types is denied every token.
func NewTyp(issuers []Issuer) *Typ {
	c := &Typ{types: make(map[string][]string, len(issuers)), introspected: make(map[string][]string)}
	for _, i := range issuers {
		for _, t := range i.Types {
			c.types[i.Issuer] = append(c.types[i.Issuer], mediaType(t))
		}
		if i.Introspection != nil {
			c.introspected[i.Issuer] = slices.Clone(i.Introspection.Types)
		}
	}
	return c
}

// Check judges tok.typ.
func (c *Typ) Check(_ context.Context, r *policy.Request) policy.Verdict {
	t, v := provenToken(r)
	if t == nil {
		return v
	}
	if t.Introspected {
		return c.introspectedType(t)
	}
	for _, allowed := range c.types[t.Claimed.Issuer] {
		if allowed != "" && strings.EqualFold(mediaType(t.Type), allowed) {
			return policy.Permitted()
		}
	}
	return policy.Denied(policy.TokenType, "")
}

func (c *Typ) introspectedType(t *policy.Token) policy.Verdict {
	said := cmp.Or(t.TokenType, "none")
	for _, allowed := range c.introspected[t.Claimed.Issuer] {
		if strings.EqualFold(said, allowed) {
			return policy.Permitted()
		}
	}
	return policy.Denied(policy.TokenType, "")
}

// mediaType drops the prefix that RFC 7515 section 4.1.9 lets a sender omit.
func mediaType(typ string) string {
	const prefix = "application/"
	if len(typ) > len(prefix) && strings.EqualFold(typ[:len(prefix)], prefix) {
		return typ[len(prefix):]
	}
	return typ
}
