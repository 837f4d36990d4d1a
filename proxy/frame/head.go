package frame

import (
	"bytes"
	"math"
	"net/url"

	"github.com/sidewarden/sidewarden/policy"
)

// head is what one head says of its message.
type head struct {
	reason policy.Reason // of its first fault; empty for none
	detail string
	lost   bool // it is at fault in what tells where the message ends, or who reads it

	post, bodiless bool
	old            bool // HTTP/1.0
	chunked        bool
	lengths, hosts int
	length         uint64
	named          bool   // the target has an authority of its own
	host           string // the Host field beside it
}

func (h *head) verdict() policy.Verdict {
	if h.reason != "" {
		return policy.Denied(h.reason, h.detail)
	}
	return policy.Permitted()
}

// fail notes the first fault.
func (h *head) fail(reason policy.Reason, detail string) {
	h.note(reason, detail)
	h.lost = true
}

// note notes the first fault, of a head that all servers read alike in spite of it: the
// fault is what others may make of it behind them.
func (h *head) note(reason policy.Reason, detail string) {
	if h.reason == "" {
		h.reason, h.detail = reason, detail
	}
}

// readHead reads the whole lines of b, the first being the request line. It stops where
// it is lost. What a head lacks is a fault only where b has its end.
func readHead(b []byte) head {
	var h head
	for first := true; !h.lost; first = false {
		end := bytes.IndexByte(b, '\n')
		if end < 0 {
			return h
		}
		line, ok := trimLine(b[:end+1])
		b = b[end+1:]
		switch {
		case first:
			h.requestLine(line, ok)
		case !ok:
			h.fail(policy.FrameLineEnding, "in the head")
		case len(line) == 0:
			h.complete()
			return h
		default:
			h.field(line)
		}
	}
	return h
}

// trimLine returns a line without the CRLF that ends it, and whether it ends so and has
// no other CR (RFC 9112 section 2.2). Without a CR, it is the line without its LF.
func trimLine(line []byte) ([]byte, bool) {
	line = line[:len(line)-1]
	at := bytes.IndexByte(line, '\r')
	if at < 0 {
		return line, false
	}
	return line[:at], at == len(line)-1
}

// requestLine reads method SP target SP version (RFC 9112 section 3).
func (h *head) requestLine(line []byte, ended bool) {
	method, rest, _ := bytes.Cut(line, []byte{' '})
	target, version, found := bytes.Cut(rest, []byte{' '})
	h.post, h.bodiless = string(method) == "POST", string(method) == "HEAD"
	h.old = string(version) == "HTTP/1.0"
	h.named = len(target) > 0 && target[0] != '/' && target[0] != '*'
	switch {
	case len(line) == 0:
		h.fail(policy.FrameRequestLine, "empty line")
	case hasControl(line):
		h.fail(policy.FrameControl, "in the request line")
	case !ended:
		h.fail(policy.FrameLineEnding, "in the request line")
	case !policy.IsToken(method) || !found:
		h.fail(policy.FrameRequestLine, "not a method, a target and a version")
	case !h.old && string(version) != "HTTP/1.1":
		h.fail(policy.FrameRequestLine, "not HTTP/1.0 or HTTP/1.1")
	case !isTarget(method, target):
		h.fail(policy.FrameRequestLine, "malformed target")
	}
}

// isTarget reports whether the target can be read at all; whether it can be in one way
// only is for in.path. Most targets need no parser to tell.
func isTarget(method, target []byte) bool {
	if len(target) == 0 || bytes.IndexByte(target, '\t') >= 0 {
		return false
	}
	origin := target[0] == '/'
	if origin && bytes.IndexByte(target, '%') < 0 {
		return true // net/url objects to bad escapes alone
	}
	text := string(target)
	if !origin && string(method) == "CONNECT" {
		text = "http://" + text // the authority alone (RFC 9112 section 3.2.3)
	}
	_, err := url.ParseRequestURI(text)
	return err == nil
}

// field reads a line of the header section.
func (h *head) field(line []byte) {
	f, fault := readField(line)
	switch {
	case fault != "":
		h.fail(fault, f.fault)
	case f.is("Content-Length"):
		h.contentLength(f.value)
	case f.is("Transfer-Encoding"):
		h.coding(f.value)
	case f.is("Host"):
		if h.hosts++; h.hosts > 1 {
			h.fail(policy.FrameHost, "repeated")
		} else if !isHost(f.value) {
			h.fail(policy.FrameHost, "malformed")
		} else if h.named {
			h.host = string(f.value)
		}
	case f.is("Expect"):
		if len(f.value) > 0 && !equalFold(f.value, "100-continue") {
			h.fail(policy.FrameExpectation, "")
		}
	case f.is("Trailer"):
		if announcesFraming(f.value) {
			h.fail(policy.FrameTrailer, "framing field announced")
		}
	case f.frames():
		h.note(policy.FrameFieldName, "underscore in a framing field")
	}
}

// contentLength reads 1*DIGIT (RFC 9110 section 8.6).
func (h *head) contentLength(value []byte) {
	const digits = 19 // of the largest number of 63 bits
	h.lengths++
	switch {
	case h.chunked:
		h.fail(policy.FrameLengthAndCoding, "")
	case h.lengths > 1:
		h.fail(policy.FrameLength, "repeated")
	case len(value) == 0:
		h.fail(policy.FrameLength, "empty")
	case len(value) > digits:
		h.fail(policy.FrameLength, "out of range")
	}
	for _, c := range value {
		if c < '0' || c > '9' {
			h.fail(policy.FrameLength, "not in digits")
		}
		h.length = h.length*10 + uint64(c-'0')
	}
	if h.length > math.MaxInt64 {
		h.fail(policy.FrameLength, "out of range")
	}
}

// coding reads the transfer coding, of which there is one (RFC 9112 section 6.1).
func (h *head) coding(value []byte) {
	switch {
	case h.lengths > 0:
		h.fail(policy.FrameLengthAndCoding, "")
	case h.old:
		h.fail(policy.FrameCoding, "in HTTP/1.0")
	case h.chunked:
		h.fail(policy.FrameCoding, "repeated")
	case !equalFold(value, "chunked"):
		h.fail(policy.FrameCoding, "not chunked alone")
	}
	h.chunked = true
}

// complete judges what the whole head lacks.
func (h *head) complete() {
	if h.hosts == 0 && !h.old {
		h.fail(policy.FrameHost, "missing")
	}
}
