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
//
// Where the gateway asserts the caller in headers, those are the credential. It is
// denied with credential-missing without any of them, with credential-duplicate
// when one occurs twice or in two spellings, and with credential-malformed when one
// cannot be read as [Headers] says or the client is missing; the detail names the
// part. It is undecided by path.gateway for a request that did not prove to have
// come through the gateway: what it carries is nobody's.
type Present struct{}

// Check judges tok.present.
func (Present) Check(_ context.Context, r *policy.Request) policy.Verdict {
	switch proof := r.Auth.Proof; proof.Cause {
	case policy.TokPresent:
		return policy.Denied(proof.Reason, proof.Detail)
	case policy.PathGateway:
		return policy.UndecidedBy(policy.PathGateway)
	}
	if r.Auth.Proof.Reason == policy.InternalError {
		return r.Auth.Proof // nobody looked
	}
	return policy.Permitted()
}
