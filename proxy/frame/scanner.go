package frame

import (
	"bytes"

	"github.com/sidewarden/sidewarden/policy"
)

// Event says why a scan stopped.
type Event uint8

// The events.
const (
	// More: every byte was taken, and the message goes on.
	More Event = iota
	// Head: the head ends here and can be read in one way only.
	Head
	// End: the message ends here. What follows begins the next one.
	End
	// BadHead: the head ends here as a lenient reader takes it, and is at fault. The
	// message can be followed further where all servers find its end in the same place.
	BadHead
	// BadBody: the next byte, or the line that ends here, breaks the framing of the body.
	BadBody
	// Lost: the head is longer than it may be.
	Lost
)

// The bounds of what a message may have beside its content. Each is smaller than what
// net/http takes, so that nothing passes here and fails there.
const (
	// ExtensionBytes bounds the extensions of one chunk, AllExtensionBytes those of all
	// chunks of a message: they are read by nobody.
	ExtensionBytes    = 256
	AllExtensionBytes = 8 << 10
	// TrailerBytes bounds the trailer section with the empty line that ends it.
	TrailerBytes = 3 << 10
	// chunkDigits and chunkLimit bound the size of a chunk, leading zeros included.
	chunkDigits = 16
	chunkLimit  = 1 << 60
)

// keptBytes is the memory for heads that arrive in pieces that is kept from one
// message to the next.
const keptBytes = 4 << 10

// state is where in a message the scanner is.
type state uint8

const (
	inHead state = iota
	inLength
	inChunkSize
	inExtension
	inChunkLine // behind the CR of a chunk line
	inChunk
	behindChunk     // at the CR behind the bytes of a chunk
	behindChunkLine // behind that CR
	inTrailer
	atEnd
	failed
)

// Scanner follows the messages of one connection. It holds at most one head, or one
// trailer section, of bounded length, and only if that arrives in pieces. Its answers
// do not depend on how the bytes are cut into pieces. It is for one goroutine; the
// zero value takes no head, Reset makes it ready.
type Scanner struct {
	most  int
	state state
	// part is what came of a head or trailer section before the bytes at hand.
	part []byte

	fault policy.Verdict
	// post reports that the message before was a POST, bodiless that an answer to the
	// message at hand has no body.
	post, bodiless bool
	host           string // of the message at hand

	left     uint64 // of a body with a length, or of a chunk
	digits   int
	extended int // bytes of extensions in this line
	allExtra int // and in this message
	trailer  int // bytes of the trailer section
}

// Reset makes the scanner ready for a connection whose heads have at most headBytes
// bytes. A longer one is none of its business: it is Lost.
func (s *Scanner) Reset(headBytes int) { *s = Scanner{most: headBytes} }

// Scan looks at the next bytes of the connection and returns how many of them belong to
// what the event ends. It is to be called again with the rest, also with an empty one,
// until it says More. After BadBody and Lost, and where Following says no after BadHead, it
// takes nothing.
func (s *Scanner) Scan(b []byte) (n int, e Event) {
	switch s.state {
	case inHead:
		return s.scanHead(b)
	case atEnd:
		s.state, s.fault = inHead, policy.Verdict{}
		return 0, End
	case failed:
		return 0, Lost
	case inLength, inChunkSize, inExtension, inChunkLine, inChunk, behindChunk, behindChunkLine, inTrailer:
	}
	for n < len(b) {
		k, e := s.scanBody(b[n:])
		if n += k; e != More {
			return n, e
		}
	}
	return n, More
}

// Fault returns the first fault: a denial with a reason of in.frame. It permits as long
// as there is none.
func (s *Scanner) Fault() policy.Verdict {
	if s.fault.Effect == policy.Deny {
		return s.fault
	}
	return policy.Permitted()
}

// Partial returns the fault of what came of a head that is not complete; it permits if
// the whole lines of it have none.
func (s *Scanner) Partial() policy.Verdict {
	if s.fault.Effect == policy.Deny || s.state != inHead {
		return s.Fault()
	}
	h := readHead(s.part[s.blank(s.part):])
	return h.verdict()
}

// Pending reports whether a head has begun that is not complete.
func (s *Scanner) Pending() bool { return s.state == inHead && len(s.part) > 0 }

// Bodiless reports whether an answer to the message of the last head has no body, being
// one to HEAD.
func (s *Scanner) Bodiless() bool { return s.bodiless }

// Host returns the value of the Host field of the last head, if its target has an
// authority of its own; empty if it has none.
func (s *Scanner) Host() string { return s.host }

// scanHead looks for the end of the head and reads it when it is there.
func (s *Scanner) scanHead(b []byte) (int, Event) {
	if len(b) == 0 {
		return 0, More
	}
	known := len(s.part)
	if known == 0 && len(b) <= s.most {
		if end := s.headEnd(b, 0); end >= 0 {
			return end, s.head(b[:end])
		}
	}
	taken := min(len(b), s.most-known)
	s.part = append(s.part, b[:taken]...)
	if end := s.headEnd(s.part, known); end >= 0 {
		e := s.head(s.part[:end])
		s.forget()
		return end - known, e
	}
	if len(s.part) == s.most {
		s.state = failed
		s.part = nil
		return taken, Lost
	}
	return taken, More
}

// forget drops the pieces of a head, and their memory if it is more than usual.
func (s *Scanner) forget() {
	if s.part = s.part[:0]; cap(s.part) > keptBytes {
		s.part = nil
	}
}

// headEnd returns the end of the head in b, of which the first seen bytes have been
// looked at; -1 if it is not there. A head ends with its first empty line, whatever
// ends its lines: that is where a lenient reader takes it to end.
func (s *Scanner) headEnd(b []byte, seen int) int {
	from := s.blank(b)
	switch {
	case len(b) == from, len(b) == from+1 && b[from] == '\r':
		return -1 // it may begin with an empty line, which ends it
	case b[from] == '\n':
		return from + 1
	case b[from] == '\r' && b[from+1] == '\n':
		return from + 2
	}
	for at := max(seen-2, from); ; {
		next := bytes.IndexByte(b[at:], '\n')
		if next < 0 {
			return -1
		}
		switch at += next + 1; {
		case at < len(b) && b[at] == '\n':
			return at + 1
		case at+1 < len(b) && b[at] == '\r' && b[at+1] == '\n':
			return at + 2
		}
	}
}

// blank returns the length of the one empty line that may stand before the request
// line: behind a POST, whose length old clients forget to count it in (RFC 9112 section
// 2.2).
func (s *Scanner) blank(b []byte) int {
	if s.post && len(b) >= 2 && b[0] == '\r' && b[1] == '\n' {
		return 2
	}
	return 0
}

// head reads a whole head and prepares for its body.
func (s *Scanner) head(b []byte) Event {
	h := readHead(b[s.blank(b):])
	s.post, s.bodiless, s.host = h.post, h.bodiless, h.host
	s.fault = h.verdict()
	if h.lost {
		s.state = failed
		return BadHead
	}
	switch {
	case h.chunked:
		s.allExtra, s.trailer = 0, 0
		s.beginChunk()
	case h.length > 0:
		s.left, s.state = h.length, inLength
	default:
		s.state = atEnd
	}
	if s.fault.Effect == policy.Deny {
		return BadHead
	}
	return Head
}

// Following reports whether the scanner knows where in a message it is.
func (s *Scanner) Following() bool { return s.state != failed }

// bad notes a fault of the body.
func (s *Scanner) bad(reason policy.Reason, detail string) Event {
	s.fault, s.state = policy.Denied(reason, detail), failed
	return BadBody
}
