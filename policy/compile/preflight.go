package compile

import (
	"context"
	"net/http"

	"github.com/sidewarden/sidewarden/policy"
)

// unless is a check that does not apply to some requests.
type unless struct {
	spared func(*policy.Request) bool
	check  policy.Check
}

// Check implements [policy.Check].
func (u *unless) Check(ctx context.Context, r *policy.Request) policy.Verdict {
	if u.spared(r) {
		return policy.Inapplicable()
	}
	return u.check.Check(ctx, r)
}

// isPreflight reports whether r is a CORS preflight (Fetch Standard, 4.9), which a
// browser sends without a credential and before the request that has one. Nobody
// asks who its caller is.
func isPreflight(r *policy.Request) bool {
	return r.Method == http.MethodOptions && len(r.Header["Origin"]) > 0 && len(r.Header["Access-Control-Request-Method"]) > 0
}
