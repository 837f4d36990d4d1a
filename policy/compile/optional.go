package compile

import (
	"context"

	"github.com/sidewarden/sidewarden/policy"
)

// volunteered is a check that asks who the caller is, of an operation whose
// contract makes the credential optional: an empty security requirement among the
// alternatives (OpenAPI 3.0, 4.8.30). It does not apply to a request without a
// credential. One that is sent must be as good as any other, for the backend may
// act on it.
type volunteered struct{ check policy.Check }

// Check implements [policy.Check].
func (v volunteered) Check(ctx context.Context, r *policy.Request) policy.Verdict {
	if isAnonymous(r) {
		return policy.Inapplicable()
	}
	return v.check.Check(ctx, r)
}

// isAnonymous reports whether nothing looks like a credential: not the header, and
// not the query, where a backend may look too (RFC 6750 section 2.3).
func isAnonymous(r *policy.Request) bool {
	if p := r.Auth.Proof; p.Cause != policy.TokPresent || p.Reason != policy.CredentialMissing {
		return false
	}
	for _, pair := range r.Query {
		if pair.Name == "access_token" {
			return false
		}
	}
	return true
}
