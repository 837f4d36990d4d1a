package policy

import "net/http"

// Status returns the HTTP status of an answer that blocks for this reason, where it is
// another one than that of the control; 0 where it is not.
func (r Reason) Status() int {
	switch r { //nolint:exhaustive // the others have the status of their control
	case FrameExpectation:
		return http.StatusExpectationFailed
	case TargetTooLong:
		return http.StatusRequestURITooLong // RFC 9110 section 15.5.15
	case HostUnknown:
		return http.StatusMisdirectedRequest // RFC 9110 section 15.5.20
	case HeaderTooLarge, HeaderTooManyFields:
		return http.StatusRequestHeaderFieldsTooLarge // RFC 6585 section 5
	}
	return 0
}
