package frame

import (
	"bytes"

	"github.com/sidewarden/sidewarden/policy"
)

// scanBody looks at the bytes of a body, at least one, up to the end of the part of it
// that it is in.
func (s *Scanner) scanBody(b []byte) (int, Event) {
	switch s.state {
	case inLength, inChunk:
		return s.skip(b)
	case inChunkSize:
		return s.sizeByte(b[0])
	case inExtension:
		return s.extension(b)
	case inChunkLine:
		if b[0] != '\n' {
			return 0, s.bad(policy.FrameLineEnding, "CR in a chunk line")
		}
		if s.state = inChunk; s.left == 0 {
			s.state = inTrailer
		}
		return 1, More
	case behindChunk:
		return s.behind(b[0])
	case behindChunkLine:
		if b[0] != '\n' {
			return 0, s.bad(policy.FrameLineEnding, "CR without LF behind a chunk")
		}
		s.beginChunk()
		return 1, More
	case inTrailer:
		return s.trailerLine(b)
	case inHead, atEnd, failed:
	}
	return 0, Lost
}

// skip passes over content.
func (s *Scanner) skip(b []byte) (int, Event) {
	n := int(min(uint64(len(b)), s.left)) //nolint:gosec // at most len(b)
	if s.left -= uint64(n); s.left > 0 {  //nolint:gosec // n is not negative
		return n, More
	}
	if s.state == inLength {
		s.state = inHead
		return n, End
	}
	s.state = behindChunk
	return n, More
}

// beginChunk prepares for a chunk line.
func (s *Scanner) beginChunk() { s.state, s.left, s.digits, s.extended = inChunkSize, 0, 0, 0 }

// sizeByte takes one byte of the size of a chunk: 1*HEXDIG, then an extension or the end
// of the line (RFC 9112 section 7.1).
func (s *Scanner) sizeByte(c byte) (int, Event) {
	digit, isDigit := hexDigit(c)
	switch {
	case isDigit:
		if s.digits++; s.digits > chunkDigits {
			return 0, s.bad(policy.FrameChunk, "more than 16 digits")
		}
		if s.left = s.left<<4 | digit; s.left >= chunkLimit {
			return 0, s.bad(policy.FrameChunk, "size out of range")
		}
	case c == '\n':
		return 0, s.bad(policy.FrameLineEnding, "LF alone ends a chunk line")
	case s.digits == 0:
		return 0, s.bad(policy.FrameChunk, "no size in hexadecimal digits")
	case c == '\r':
		s.state = inChunkLine
	case c == ';':
		s.state = inExtension
	default:
		return 0, s.bad(policy.FrameChunk, "no size in hexadecimal digits")
	}
	return 1, More
}

func hexDigit(c byte) (uint64, bool) {
	switch {
	case c >= '0' && c <= '9':
		return uint64(c - '0'), true
	case c >= 'a' && c <= 'f':
		return uint64(c-'a') + 10, true
	case c >= 'A' && c <= 'F':
		return uint64(c-'A') + 10, true
	}
	return 0, false
}

// extension passes over extensions of a chunk, which nobody reads.
func (s *Scanner) extension(b []byte) (int, Event) {
	for n, c := range b {
		switch {
		case c == '\r':
			s.state = inChunkLine
			return n + 1, More
		case c == '\n':
			return n, s.bad(policy.FrameLineEnding, "LF alone ends a chunk line")
		case isControl(c):
			return n, s.bad(policy.FrameChunk, "control character in an extension")
		case s.extended == ExtensionBytes, s.allExtra == AllExtensionBytes:
			return n, s.bad(policy.FrameChunk, "extensions too long")
		}
		s.extended++
		s.allExtra++
	}
	return len(b), More
}

// behind takes the byte behind the content of a chunk.
func (s *Scanner) behind(c byte) (int, Event) {
	switch c {
	case '\r':
		s.state = behindChunkLine
		return 1, More
	case '\n':
		return 0, s.bad(policy.FrameLineEnding, "LF alone behind a chunk")
	}
	return 0, s.bad(policy.FrameChunk, "no line end behind a chunk")
}

// trailerLine takes a line of the trailer section, or a piece of one.
func (s *Scanner) trailerLine(b []byte) (int, Event) {
	n := bytes.IndexByte(b, '\n') + 1
	whole := n > 0
	if !whole {
		n = len(b)
	}
	if room := TrailerBytes - s.trailer; n > room {
		return room, s.bad(policy.FrameTrailer, "too long")
	}
	s.trailer += n
	line := b[:n]
	if !whole || len(s.part) > 0 {
		s.part = append(s.part, line...)
		line = s.part
	}
	if !whole {
		return n, More
	}
	defer s.forget()
	content, ok := trimLine(line)
	switch {
	case !ok:
		return n, s.bad(policy.FrameLineEnding, "in the trailer section")
	case len(content) == 0:
		s.state = inHead
		return n, End
	}
	if f, fault := readField(content); fault != "" {
		return n, s.bad(policy.FrameTrailer, "malformed field")
	} else if f.frames() || f.is("Host") {
		return n, s.bad(policy.FrameTrailer, "framing field")
	}
	return n, More
}
