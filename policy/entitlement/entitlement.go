// Package entitlement judges az.scope: whether the caller's token was given what
// the operation asks for; and az.default: whether anything is asked for at all.
//
// An operation asks for alternatives, each a set of scopes, as the security
// requirements of an OpenAPI contract do. The identity must hold every scope of
// at least one alternative.
//
// # Guarantees
//
// Scopes are compared as exact, case-sensitive strings (RFC 6749 section 3.3).
// There is no hierarchy and no wildcard: "orders" does not include
// "orders:read", and "*" is a scope named "*". Only scopes of an identity that
// proved itself count. A denial does not say which scope is missing, neither to
// the client nor to the record, because the contract says it.
//
// # What it leaves to others
//
// Where the scopes of an operation come from belongs to policy/compile, and
// where those of a token are, to policy/token.
package entitlement

import (
	"context"
	"slices"

	"github.com/sidewarden/sidewarden/policy"
)

// Scope is the check of az.scope for one operation.
type Scope struct {
	// AnyOf are the alternatives. Without any, the control does not apply; an
	// alternative without scopes is held by every identity.
	AnyOf [][]string
}

var _ policy.Check = Scope{}

// Check implements [policy.Check]. It denies with scope-missing, and is undecided
// without an operation or an identity.
func (c Scope) Check(_ context.Context, r *policy.Request) policy.Verdict {
	if v, missing := r.Match.Missing(); missing {
		return v
	}
	if len(c.AnyOf) == 0 {
		return policy.Inapplicable()
	}
	if v, missing := r.Auth.Missing(); missing {
		return v
	}
	for _, scopes := range c.AnyOf {
		if holds(r.Auth.Identity, scopes) {
			return policy.Permitted()
		}
	}
	return policy.Denied(policy.ScopeMissing, "")
}

func holds(i *policy.Identity, scopes []string) bool {
	for _, scope := range scopes {
		if !slices.Contains(i.Scopes, scope) {
			return false
		}
	}
	return true
}
