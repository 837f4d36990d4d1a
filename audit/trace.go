package audit

const (
	traceparentLen = 55
	zeroTrace      = "00000000000000000000000000000000"
	zeroSpan       = "0000000000000000"
)

// ParseTraceparent returns the trace id and the parent id of a traceparent header
// value, and false if it is not valid (W3C Trace Context, section 3.2). Of a
// version after 00 the first 55 bytes are read and anything more must follow a
// hyphen, as section 4.3 demands.
func ParseTraceparent(s string) (traceID, parentID string, ok bool) {
	if len(s) < traceparentLen || s[2] != '-' || s[35] != '-' || s[52] != '-' {
		return "", "", false
	}
	version, trace, parent, flags := s[:2], s[3:35], s[36:52], s[53:55]
	if !lowerHex(version) || !lowerHex(trace) || !lowerHex(parent) || !lowerHex(flags) {
		return "", "", false
	}
	if version == "ff" || trace == zeroTrace || parent == zeroSpan {
		return "", "", false
	}
	if len(s) > traceparentLen && (version == "00" || s[traceparentLen] != '-') {
		return "", "", false
	}
	return trace, parent, true
}

func lowerHex(s string) bool {
	all := hexadecimal
	for i := range len(s) {
		all &= signsOf[s[i]]
	}
	return all != 0
}
