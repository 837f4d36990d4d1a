package openapi

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/sidewarden/sidewarden/policy"
)

// segment is one part of a path template between slashes: a literal, or
// parameters with literals around them, such as "{id}", "{id}:cancel" or
// "{from}..{to}".
type segment struct {
	// literals has one more entry than names: what stands before, between and
	// after the parameters, in the normal form of normal.
	literals []string
	names    []string
}

// parseTemplate splits a path template. Two parameters side by side and a
// repeated name are refused, because they say nothing about what is which.
func parseTemplate(template string) ([]segment, error) {
	if !strings.HasPrefix(template, "/") {
		return nil, errors.New("does not begin with a slash")
	}
	var segments []segment
	seen := map[string]bool{}
	for part := range strings.SplitSeq(template[1:], "/") {
		s, err := parseSegment(part)
		if err != nil {
			return nil, err
		}
		for _, name := range s.names {
			if seen[name] {
				return nil, fmt.Errorf("names the parameter %q twice", bounded(name))
			}
			seen[name] = true
		}
		segments = append(segments, s)
	}
	return segments, nil
}

func parseSegment(part string) (segment, error) {
	var s segment
	for {
		before, rest, found := strings.Cut(part, "{")
		if strings.Contains(before, "}") {
			return segment{}, errors.New("has a closing brace without an opening one")
		}
		literal, err := literalOf(before)
		if err != nil {
			return segment{}, err
		}
		if found && literal == "" && len(s.names) > 0 {
			return segment{}, errors.New("has two parameters side by side")
		}
		s.literals = append(s.literals, literal)
		if !found {
			break
		}
		name, after, closed := strings.Cut(rest, "}")
		if !closed || name == "" || strings.Contains(name, "{") {
			return segment{}, errors.New("has a brace without a parameter name")
		}
		s.names = append(s.names, name)
		part = after
	}
	if len(s.names) == 0 && dots(s.literals[0]) {
		return segment{}, errors.New("has a dot segment")
	}
	return s, nil
}

// literalOf returns the normal form of a literal of a template: what a client
// sends for it.
func literalOf(text string) (string, error) {
	decoded, err := url.PathUnescape(text)
	if err != nil {
		return "", errors.New("has a percent sign that escapes nothing")
	}
	var b strings.Builder
	for i := range len(decoded) {
		if c := decoded[i]; unreserved(c) || subDelim(c) {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String(), nil
}

// unreserved reports whether an escape of c may be undone (RFC 3986, 2.3).
func unreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		c == '-' || c == '.' || c == '_' || c == '~'
}

// subDelim reports whether c may stand in a path segment plainly or escaped, and
// servers decode both to the same.
func subDelim(c byte) bool { return strings.IndexByte("!$&'()*+,;=:@", c) >= 0 }

// normal returns the normal form of a segment of a request's path: no needless
// escape, other escapes in upper case (RFC 3986, 6.2.2). It reports false for a
// broken escape. It allocates only if something changes.
func normal(s string) (string, bool) {
	if plainEnd(s) == len(s) {
		return s, true
	}
	b := make([]byte, 0, len(s)+8)
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '%' {
			if i+2 >= len(s) {
				return "", false
			}
			hi, lo := policy.Unhex(s[i+1]), policy.Unhex(s[i+2])
			if hi < 0 || lo < 0 {
				return "", false
			}
			c, i = byte(hi<<4|lo), i+2
		}
		if unreserved(c) || subDelim(c) {
			b = append(b, c)
		} else {
			const digits = "0123456789ABCDEF"
			b = append(b, '%', digits[c>>4], digits[c&15])
		}
	}
	return string(b), true
}

// The bytes that stand for themselves in a segment, unreserved and sub-delims, as bits:
// those below 64, and those from there on.
const (
	plainLow = 1<<'!' | 1<<'$' | 1<<'&' | 1<<'\'' | 1<<'(' | 1<<')' | 1<<'*' | 1<<'+' | 1<<',' | 1<<'-' | 1<<'.' |
		(1<<10-1)<<'0' | 1<<':' | 1<<';' | 1<<'='
	plainHigh = 1<<('@'-64) | (1<<26-1)<<('A'-64) | 1<<('_'-64) | (1<<26-1)<<('a'-64) | 1<<('~'-64)
)

// plainEnd returns where the first byte stands that does not stand for itself in a
// segment, such as a slash or a percent sign.
func plainEnd(s string) int {
	for i := range len(s) {
		c := s[i]
		if c < 64 && uint64(plainLow)>>c&1 == 0 || c >= 64 && (c >= 128 || uint64(plainHigh)>>(c-64)&1 == 0) {
			return i
		}
	}
	return len(s)
}

// dots reports whether a segment in normal form is a dot segment, also one with
// matrix parameters, such as "..;x". Backends remove those, so that one never is
// the value of a parameter.
func dots(s string) bool {
	if s == "" || s[0] != '.' {
		return false
	}
	s, _, _ = strings.Cut(s, ";")
	return s == "." || s == ".."
}

// parted reports whether a value in normal form holds an escaped slash or
// backslash. To a backend that decodes before it splits, or takes a backslash for
// a slash, it is several segments, and the path another one. Where values take
// slashes, none of these segments may be empty or a dot segment.
func parted(s string, slashes bool) bool {
	switch {
	case strings.IndexByte(s, '%') < 0:
		return false
	case strings.Contains(s, "%5C"):
		return true
	case !slashes:
		return strings.Contains(s, "%2F")
	}
	for part := range strings.SplitSeq(s, "%2F") {
		if part == "" || dots(part) {
			return true
		}
	}
	return false
}

// whole reports whether the segment is one parameter and nothing else.
func (t *segment) whole() bool {
	return len(t.names) == 1 && t.literals[0] == "" && t.literals[1] == ""
}

// capture reports whether s, a segment in normal form that is not empty, matches.
// It puts the values of the parameters into values, if there is room: each takes
// as little as it can, at least one byte; the last takes the rest. Slashes reports that
// values take escaped slashes.
func (t *segment) capture(s string, slashes bool, values []policy.Pair) bool {
	if t.whole() {
		if dots(s) || parted(s, slashes) {
			return false
		}
		if len(values) > 0 {
			values[0].Value = decode(s)
		}
		return true
	}
	if dots(s) || !strings.HasPrefix(s, t.literals[0]) {
		return false
	}
	s = s[len(t.literals[0]):]
	last := len(t.names) - 1
	for i, literal := range t.literals[1:] {
		end := len(s) - len(literal)
		switch {
		case s == "":
			return false
		case i < last:
			end = index(s, literal)
		case end > 0 && (!strings.HasSuffix(s, literal) || splitsEscape(s, end)):
			return false
		}
		if end <= 0 || dots(s[:end]) || parted(s[:end], slashes) {
			return false
		}
		if i < len(values) {
			values[i].Value = decode(s[:end])
		}
		s = s[end+len(literal):]
	}
	return true
}

// decode undoes the escapes of a segment in normal form.
func decode(s string) string {
	if decoded, err := url.PathUnescape(s); err == nil {
		return decoded
	}
	return s
}

// index returns where the literal first stands in s after at least one byte and
// outside of escapes, or -1.
func index(s, literal string) int {
	for i := 1; ; i++ {
		j := strings.Index(s[i:], literal)
		if j < 0 {
			return -1
		}
		if i += j; !splitsEscape(s, i) {
			return i
		}
	}
}

// splitsEscape reports whether a cut of s at i would part an escape.
func splitsEscape(s string, i int) bool {
	return s[i-1] == '%' || i > 1 && s[i-2] == '%'
}

// shape is the segment without its names: two segments of one shape match the
// same.
func (t *segment) shape() string { return strings.Join(t.literals, "{}") }

// weight orders the parameter segments of one place: more literal text first.
func (t *segment) weight() int {
	n := 0
	for _, l := range t.literals {
		n += len(l)
	}
	return n
}
