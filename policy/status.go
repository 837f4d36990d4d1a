package policy

import "net/http"

// Status returns the HTTP status of an answer that blocks for this reason, where it is
// another one than that of the control; 0 where it is not.
func (r Reason) Status() int {
	switch r { //nolint:exhaustive // every other reason has the status of its control
	case HeaderTooLarge, HeaderTooManyFields:
		return http.StatusRequestHeaderFieldsTooLarge // RFC 6585 section 5
	}
	return 0
}
