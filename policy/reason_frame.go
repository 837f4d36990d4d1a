package policy

// Reasons of in.frame. The detail says which form of the fault it is.
const (
	// FrameLength: Content-Length is not one number in digits.
	FrameLength Reason = "frame-length"
	// FrameCoding: Transfer-Encoding is not "chunked" alone, in HTTP/1.1.
	FrameCoding Reason = "frame-coding"
	// FrameLengthAndCoding: both of them say where the body ends.
	FrameLengthAndCoding Reason = "frame-length-and-coding"
	// FrameLineEnding: a line ends with LF alone, or has a CR inside.
	FrameLineEnding Reason = "frame-line-ending"
	// FrameFold: a field goes on in the next line (obs-fold).
	FrameFold Reason = "frame-fold"
	// FrameControl: a control character, such as NUL, is in the head.
	FrameControl Reason = "frame-control"
	// FrameFieldName: the name of a field is no token, or stands for a framing field.
	FrameFieldName Reason = "frame-field-name"
	// FrameRequestLine: the request line is not a method, a target and HTTP/1.0 or HTTP/1.1.
	FrameRequestLine Reason = "frame-request-line"
	// FrameHost: Host is missing, repeated or no host.
	FrameHost Reason = "frame-host"
	// FrameExpectation: Expect is something else than 100-continue.
	FrameExpectation Reason = "frame-expectation"
	// FrameChunk: a chunk is not its size, its bytes and a line end.
	FrameChunk Reason = "frame-chunk"
	// FrameTrailer: the trailer section is malformed, too long, or has a framing field.
	FrameTrailer Reason = "frame-trailer"
	// FrameRefused: the server refused the head for something that is not one of these.
	FrameRefused Reason = "frame-refused"
	// FrameBlind: nobody could follow the connection to this request.
	FrameBlind Reason = "frame-blind"
)
