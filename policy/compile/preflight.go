package compile

import (
	"context"
	"net/http"

	"github.com/sidewarden/sidewarden/policy"
)

// credentialed is a check that asks who the caller is. It does not apply to a
// CORS preflight (Fetch Standard, 4.9), which a browser sends without a
// credential and before the request that has one.
type credentialed struct{ check policy.Check }

// Check implements [policy.Check].
func (c credentialed) Check(ctx context.Context, r *policy.Request) policy.Verdict {
	if isPreflight(r) {
		return policy.Inapplicable()
	}
	return c.check.Check(ctx, r)
}

func isPreflight(r *policy.Request) bool {
	return r.Method == http.MethodOptions && len(r.Header["Origin"]) > 0 && len(r.Header["Access-Control-Request-Method"]) > 0
}
