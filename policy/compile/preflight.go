package compile

import (
	"net/http"

	"github.com/sidewarden/sidewarden/policy"
)

// isPreflight reports whether r is a CORS preflight (Fetch Standard, 4.9), which a
// browser sends without a credential and before the request that has one. Nobody
// asks who its caller is.
func isPreflight(r *policy.Request) bool {
	return r.Method == http.MethodOptions && len(r.Header["Origin"]) > 0 && len(r.Header["Access-Control-Request-Method"]) > 0
}
