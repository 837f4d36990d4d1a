package token

import (
	"context"

	"github.com/sidewarden/sidewarden/policy"
)

// Iss is the check of tok.iss.
//
// Rule: the claim iss is one of the configured issuers, compared as an exact
// string (RFC 7519 section 4.1.1). It is denied with issuer-missing without the
// claim and with issuer-unknown for any other value. The token of a configured issuer
// is one that the issuer proved and in which it asserts no account outside its
// namespace; one that does is denied with account-namespace.
//
// An opaque token names its issuer by the prefix that is configured for it. It is
// denied with issuer-unknown when it begins with none of them, and permits when the
// issuer itself proved it.
type Iss struct{}

// Check judges tok.iss.
func (Iss) Check(_ context.Context, r *policy.Request) policy.Verdict {
	if r.Auth.Proof.Cause == policy.TokIss {
		return policy.Denied(r.Auth.Proof.Reason, "")
	}
	if v, missing := r.Auth.Missing(); missing {
		return v
	}
	if t := r.Auth.Token; t != nil && t.Foreign {
		return policy.Denied(policy.AccountNamespace, "")
	}
	return policy.Permitted()
}
