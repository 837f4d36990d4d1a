package policy

// Frame is what the connection of a request tells of its framing (RFC 9112 section 6).
// The zero value is undecided: nobody looked.
type Frame struct {
	// Head permits when the head can be read in one way only, denies with a reason of
	// in.frame when it cannot, and is undecided where nobody could follow the connection.
	// A request of HTTP/2 has no such ambiguity: its frames are lengths (RFC 9113 section 4).
	Head Verdict
	// Body denies when the body broke its framing, such as with a bad chunk. It does not
	// apply until then.
	Body Verdict
	// Host is the client's, the value of the Host field of HTTP/1, where the target has an
	// authority of its own that net/http takes in its place; empty where nobody looked. It
	// is for in.path to compare the two (RFC 9112 section 3.2).
	Host string
}
