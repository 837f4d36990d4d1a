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
