package compile

import "github.com/sidewarden/sidewarden/policy"

// isPreflight reports whether r is a CORS preflight. Nobody asks who its caller is.
func isPreflight(r *policy.Request) bool {
	_, is := r.Preflight()
	return is
}
