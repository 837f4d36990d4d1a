package policy

import "net/http"

// Status returns the HTTP status of an answer that blocks for this reason, where it is
// another one than that of the control; 0 where it is not.
func (r Reason) Status() int {
	switch r { //nolint:exhaustive // the others have the status of their control
	case FrameExpectation:
		return http.StatusExpectationFailed
	}
	return 0
}
