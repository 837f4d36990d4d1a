package frame

import (
	"bytes"

	"github.com/sidewarden/sidewarden/policy"
)

// field is one line of a header or trailer section.
type field struct {
	name, value []byte
	fault       string // structural, when there is one
}

// readField reads a line without its end (RFC 9112 section 5): a token, a colon right
// behind it, and a value without control characters. The reason is empty if it is that.
func readField(line []byte) (field, policy.Reason) {
	if isSpace(line[0]) {
		return field{}, policy.FrameFold
	}
	if hasControl(line) {
		return field{fault: "in a field"}, policy.FrameControl
	}
	name, value, found := bytes.Cut(line, []byte{':'})
	switch {
	case !found:
		return field{fault: "no colon"}, policy.FrameFieldName
	case len(name) == 0:
		return field{fault: "empty"}, policy.FrameFieldName
	case isSpace(name[len(name)-1]):
		return field{fault: "space before the colon"}, policy.FrameFieldName
	case !policy.IsToken(name):
		return field{fault: "not a token"}, policy.FrameFieldName
	}
	return field{name: name, value: trimSpace(value)}, ""
}

// is reports whether the field has a name; letter case does not count.
func (f *field) is(name string) bool { return equalFold(f.name, name) }

// frames reports whether the field says how a message is framed, or is taken for one
// that does by what passes fields on as variables (RFC 3875 section 4.1.18).
func (f *field) frames() bool {
	switch len(f.name) {
	case len("Content-Length"):
		return policy.SameVariable(string(f.name), "Content-Length")
	case len("Transfer-Encoding"):
		return policy.SameVariable(string(f.name), "Transfer-Encoding")
	case len("Trailer"):
		return f.is("Trailer")
	}
	return false
}

// announcesFraming reports whether a list of names has that of a framing field.
func announcesFraming(list []byte) bool {
	for name := range bytes.SplitSeq(list, []byte{','}) {
		f := field{name: trimSpace(name)}
		if f.frames() {
			return true
		}
	}
	return false
}

// isHost reports whether the value is what RFC 3986 section 3.2.2 has for a host and a
// port, byte by byte. It may be empty (RFC 9110 section 7.2).
func isHost(value []byte) bool {
	for _, c := range value {
		switch {
		case isLetter(c), c >= '0' && c <= '9':
		case bytes.IndexByte([]byte("-._~%!$&'()*+,;=:[]"), c) >= 0:
		default:
			return false
		}
	}
	return true
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

func isSpace(c byte) bool { return c == ' ' || c == '\t' }

// isControl reports whether c is a control character that no field may have; a tab may
// be in a value.
func isControl(c byte) bool { return c < ' ' && c != '\t' || c == 0x7f }

func hasControl(b []byte) bool {
	for _, c := range b {
		if isControl(c) && c != '\r' {
			return true
		}
	}
	return false
}

func trimSpace(b []byte) []byte {
	for len(b) > 0 && isSpace(b[0]) {
		b = b[1:]
	}
	for len(b) > 0 && isSpace(b[len(b)-1]) {
		b = b[:len(b)-1]
	}
	return b
}

// equalFold compares with a name in ASCII; letter case does not count.
func equalFold(b []byte, name string) bool {
	if len(b) != len(name) {
		return false
	}
	for i, c := range b {
		if c != name[i] && (!isLetter(c) || c|0x20 != name[i]|0x20) {
			return false
		}
	}
	return true
}
