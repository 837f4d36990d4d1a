package schema

import (
	"bytes"
	"strings"
)

// isEmail accepts a mailbox of RFC 5321, section 4.1.2, which is ASCII.
func isEmail(s []byte) bool {
	const longestLocal, longestDomain = 64, 255 // section 4.5.3.1
	at := bytes.LastIndexByte(s, '@')
	if at < 1 || at > longestLocal || len(s)-at-1 > longestDomain {
		return false
	}
	local, domain := s[:at], s[at+1:]
	if local[0] == '"' && !isQuoted(local) || local[0] != '"' && !isDotted(local) {
		return false
	}
	if literal, ok := bytes.CutPrefix(domain, []byte("[")); ok {
		return isAddressLiteral(literal)
	}
	return isHostname(domain)
}

// isDotted accepts the atoms of a local part, with a dot between them.
func isDotted(s []byte) bool {
	before := byte('.')
	for _, c := range s {
		switch {
		case c == '.':
			if before == '.' {
				return false
			}
		case !isLetter(c) && !isDigit(c) && strings.IndexByte("!#$%&'*+-/=?^_`{|}~", c) < 0:
			return false
		}
		before = c
	}
	return before != '.'
}

// isQuoted accepts a local part in quotes.
func isQuoted(s []byte) bool {
	if len(s) < 2 || s[len(s)-1] != '"' {
		return false
	}
	inner := s[1 : len(s)-1]
	for i := 0; i < len(inner); i++ {
		switch inner[i] {
		case '\\':
			i++ // what is escaped may be a quote
		case '"':
			return false
		}
		if i == len(inner) || inner[i] < ' ' || inner[i] > '~' {
			return false
		}
	}
	return true
}

// isAddressLiteral accepts the address in place of a domain behind its bracket: IPv4
// or IPv6 (section 4.1.3). No other kind is registered.
func isAddressLiteral(s []byte) bool {
	address, ok := bytes.CutSuffix(s, []byte("]"))
	if !ok {
		return false
	}
	const tag = len("IPv6:")
	if len(address) > tag && bytes.EqualFold(address[:tag], []byte("IPv6:")) {
		return isIPv6(address[tag:])
	}
	return isIPv4(address)
}
