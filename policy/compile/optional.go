package compile

import "github.com/sidewarden/sidewarden/policy"

// isAnonymous reports whether nothing looks like a credential: not the header, and
// not the query, where a backend may look too (RFC 6750 section 2.3). An operation
// whose contract makes the credential optional, by an empty security requirement
// among the alternatives (OpenAPI 3.0, 4.8.30), does not ask such a request who
// the caller is. A credential that is sent must be as good as any other, for the
// backend may act on it.
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

// asksNobody reports whether an operation with an optional credential does not ask
// who the caller is.
func asksNobody(r *policy.Request) bool { return isPreflight(r) || isAnonymous(r) }
