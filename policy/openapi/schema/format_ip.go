package schema

import "bytes"

// isIPv4 accepts dotted decimals without leading zeroes, which some read as octal
// (RFC 2673, section 3.2; RFC 6943, section 3.1.1).
func isIPv4(s []byte) bool {
	for part := range 4 {
		n, digits := 0, 0
		for digits < len(s) && isDigit(s[digits]) {
			if digits == 3 {
				return false
			}
			n = 10*n + int(s[digits]-'0')
			digits++
		}
		if digits == 0 || n > 255 || digits > 1 && s[0] == '0' {
			return false
		}
		s = s[digits:]
		if part == 3 {
			break
		}
		if len(s) == 0 || s[0] != '.' {
			return false
		}
		s = s[1:]
	}
	return len(s) == 0
}

// isIPv6 accepts the text forms of RFC 4291, section 2.2, without a zone.
func isIPv6(s []byte) bool {
	const all, ofIPv4 = 8, 2
	groups, gap := 0, false
	if rest, ok := bytes.CutPrefix(s, []byte("::")); ok {
		if s, gap = rest, true; len(s) == 0 {
			return true
		}
	}
	for {
		n := 0
		for n < len(s) && isHex(s[n]) {
			n++
		}
		if n < len(s) && s[n] == '.' {
			groups += ofIPv4
			return isIPv4(s) && (groups == all || gap && groups < all)
		}
		if groups++; n < 1 || n > 4 {
			return false
		}
		if s = s[n:]; len(s) == 0 {
			return groups == all || gap && groups < all
		}
		if s[0] != ':' || groups >= all {
			return false
		}
		if s = s[1:]; len(s) > 0 && s[0] == ':' {
			if gap {
				return false
			}
			if s, gap = s[1:], true; len(s) == 0 {
				return groups < all
			}
		}
	}
}
