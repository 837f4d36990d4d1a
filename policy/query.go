package policy

import (
	"net/url"
	"strings"
)

// ParseQuery splits a raw query into pairs at "&", in order, duplicates kept,
// each part percent-decoded with "+" as a space (WHATWG URL, section 5.1). A
// part that cannot be decoded is kept as it was sent: nothing that the backend
// will see is hidden from a check. The work is bounded by the length of raw.
func ParseQuery(raw string) []Pair {
	if raw == "" {
		return nil
	}
	pairs := make([]Pair, 0, strings.Count(raw, "&")+1)
	for part := range strings.SplitSeq(raw, "&") {
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		pairs = append(pairs, Pair{Name: unescape(name), Value: unescape(value)})
	}
	return pairs
}

func unescape(s string) string {
	if strings.IndexByte(s, '%') < 0 && strings.IndexByte(s, '+') < 0 {
		return s
	}
	if decoded, err := url.QueryUnescape(s); err == nil {
		return decoded
	}
	return s
}

// Unhex returns the value of a hexadecimal digit, as an escape has two of (RFC 3986, section
// 2.1); -1 of any other byte.
func Unhex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
