package message

import (
	"strings"
	"unicode/utf8"

	"github.com/sidewarden/sidewarden/policy"
)

// path finds what makes servers see another path. Its bytes are none that illegal
// refuses. It reads the path at most three times, whatever is in it.
func (a Allowance) path(path string) policy.Reason {
	if isPlain(path) {
		return ""
	}
	decoded, reason := a.segments(path)
	switch {
	case reason != "":
		return reason
	case !utf8.Valid(decoded):
		return policy.TargetEscape
	case decodesAgain(decoded):
		return policy.TargetEscape
	}
	return ""
}

// isPlain reports whether a path is one that nobody reads differently, at a glance: what
// it does not know it leaves to segments.
func isPlain(path string) bool {
	for i := range len(path) {
		switch path[i] {
		case '%', ';', '\\':
			return false
		case '/':
			if i+1 < len(path) && (path[i+1] == '/' || path[i+1] == '.') {
				return false
			}
		}
	}
	return true
}

// segments decodes the path once, and finds what may not be in it.
func (a Allowance) segments(path string) ([]byte, policy.Reason) {
	decoded := make([]byte, 0, len(path))
	begin := 1 // of the segment in decoded, behind its slash
	for i := 0; i < len(path); i++ {
		c, escaped := path[i], false
		if c == '%' {
			var ok bool
			if c, ok = unescape(path[i:]); !ok {
				return nil, policy.TargetEscape
			}
			i, escaped = i+2, true
		}
		reason := a.octet(c, escaped)
		if c == '/' && i > 0 && reason == "" {
			reason = a.segment(decoded[begin:], begin == 1, true)
			begin = len(decoded) + 1
		}
		if reason != "" {
			return nil, reason
		}
		decoded = append(decoded, c)
	}
	// Behind a slash at the end there is nothing. An encoded slash is none at the end.
	return decoded, a.segment(decoded[begin:], begin == 1, !strings.HasSuffix(path, "/"))
}

// octet finds what a byte of the decoded path may not be.
func (a Allowance) octet(c byte, escaped bool) policy.Reason {
	switch {
	case c < ' ' || c == 0x7f:
		return policy.TargetControl
	case c == '\\':
		return policy.TargetBackslash
	case c == '/' && escaped && !a.EncodedSlash:
		return policy.TargetEncodedSlash
	case c == ';' && !a.Parameter:
		return policy.TargetParameter
	}
	return ""
}

// segment finds what a decoded segment may not be, its parameters apart. A first one is
// never empty: some read an authority behind two slashes (RFC 3986 section 3.3).
func (a Allowance) segment(segment []byte, first, full bool) policy.Reason {
	name, _, parametered := strings.Cut(string(segment), ";")
	switch {
	case name == "." || name == "..":
		return policy.TargetDotSegment
	case name == "" && (full || parametered) && (first || !a.EmptySegment):
		return policy.TargetEmptySegment
	}
	return ""
}

// decodesAgain reports whether a server that decodes a decoded path once more reads
// another path, or something that could be decoded a third time. What has no meaning in
// a path, such as a space, is the same path to both.
func decodesAgain(decoded []byte) bool {
	again := make([]byte, 0, len(decoded))
	for i := 0; i < len(decoded); i++ {
		c := decoded[i]
		if c == '%' {
			rest := string(decoded[i:min(len(decoded), i+6)])
			if isWide(rest) {
				return true
			}
			if escaped, ok := unescape(rest); ok {
				if c = escaped; c < ' ' || c == 0x7f || strings.IndexByte(`%/\.;?#`, c) >= 0 {
					return true
				}
				i += 2
			}
		}
		again = append(again, c)
	}
	return !utf8.Valid(again) || hasEscape(again)
}

// hasEscape reports whether there is an escape in s: a percent sign that begins none may
// begin one with the digits that were decoded behind it.
func hasEscape(s []byte) bool {
	for i, c := range s {
		if c != '%' {
			continue
		}
		rest := string(s[i:min(len(s), i+6)])
		if _, ok := unescape(rest); ok || isWide(rest) {
			return true
		}
	}
	return false
}

// isWide reports whether s begins with an escape of the form %uXXXX, which some servers
// read and no standard has.
func isWide(s string) bool {
	if len(s) < 6 || s[1] != 'u' && s[1] != 'U' {
		return false
	}
	for i := 2; i < 6; i++ {
		if policy.Unhex(s[i]) < 0 {
			return false
		}
	}
	return true
}

// unescape returns the byte of the escape that s begins with.
func unescape(s string) (byte, bool) {
	if len(s) < 3 {
		return 0, false
	}
	high, low := policy.Unhex(s[1]), policy.Unhex(s[2])
	return byte(high<<4 | low), high >= 0 && low >= 0
}
