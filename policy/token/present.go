package token

import (
	"context"

	"github.com/sidewarden/sidewarden/policy"
)

// Present is the check of tok.present.
//
// Rule: the request carries exactly one credential, in the configured header and
// with the configured scheme. It is denied with credential-missing without the
// header, with credential-scheme when the scheme is another one or no token
// follows it, and with credential-duplicate when the header occurs twice or the
// query has an access_token too (RFC 6750 section 2).
type Present struct{}

// Check judges tok.present.
func (Present) Check(_ context.Context, r *policy.Request) policy.Verdict {
	if r.Auth.Proof.Cause == policy.TokPresent {
		return policy.Denied(r.Auth.Proof.Reason, "")
	}
	if r.Auth.Proof.Reason == policy.InternalError {
		return r.Auth.Proof // nobody looked
	}
	return policy.Permitted()
}
