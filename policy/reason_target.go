package policy

// Reasons of in.path.
const (
	// TargetTooLong: answered with 414.
	TargetTooLong Reason = "target-too-long"
	// TargetForm: none of the forms of RFC 9112 section 3.2 that its method may have, or
	// one that would be forwarded as another text.
	TargetForm Reason = "target-form"
	// TargetControl: a byte that no URI has (RFC 3986 section 2), or the escape of a
	// control byte.
	TargetControl Reason = "target-control"
	// TargetFragment: a client keeps the fragment to itself (RFC 9110 section 4.2.5).
	TargetFragment Reason = "target-fragment"
	// TargetEscape: a percent sign that escapes nothing, or escapes that decoders read
	// differently.
	TargetEscape       Reason = "target-escape"
	TargetBackslash    Reason = "target-backslash"
	TargetEncodedSlash Reason = "target-encoded-slash"
	TargetDotSegment   Reason = "target-dot-segment"
	TargetEmptySegment Reason = "target-empty-segment"
	// TargetParameter: a semicolon in the path, behind which some servers see none of it.
	TargetParameter Reason = "target-parameter"
	HostMalformed   Reason = "host-malformed"
	// HostUnknown: answered with 421.
	HostUnknown Reason = "host-unknown"
)
