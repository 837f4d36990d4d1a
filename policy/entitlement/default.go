package entitlement

import (
	"context"

	"github.com/sidewarden/sidewarden/policy"
)

// Default is the check of az.default for an operation that no other rule
// authorises: nothing asks for a scope, no account boundary can apply, and nobody
// said that it is public. Whatever the caller's token is for, it is not for this.
// An operation that has an authorisation rule has no rule of az.default.
type Default struct{}

var _ policy.Check = Default{}

// Check implements [policy.Check]. It denies every proven caller with
// authorization-rule-missing, and is undecided without an operation or an
// identity.
func (Default) Check(_ context.Context, r *policy.Request) policy.Verdict {
	if v, missing := r.Match.Missing(); missing {
		return v
	}
	if v, missing := r.Auth.Missing(); missing {
		return v
	}
	return policy.Denied(policy.AuthorizationRuleMissing, "")
}
