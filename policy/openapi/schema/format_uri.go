package schema

import (
	"bytes"
	"strings"
)

// isURI accepts an absolute URI of RFC 3986: with a scheme, ASCII only.
func isURI(s []byte) bool {
	scheme := bytes.IndexByte(s, ':')
	if scheme < 1 || !isLetter(s[0]) {
		return false
	}
	for _, c := range s[:scheme] {
		if !isLetter(c) && !isDigit(c) && c != '+' && c != '-' && c != '.' {
			return false
		}
	}
	rest, fragment, found := bytes.Cut(s[scheme+1:], []byte("#"))
	if found && !isURIText(fragment, "/?:@") {
		return false
	}
	rest, query, _ := bytes.Cut(rest, []byte("?"))
	if !isURIText(query, "/?:@") {
		return false
	}
	if bytes.HasPrefix(rest, []byte("//")) {
		rest = rest[2:]
		end := bytes.IndexByte(rest, '/')
		if end < 0 {
			end = len(rest)
		}
		if !isAuthority(rest[:end]) {
			return false
		}
		rest = rest[end:]
	}
	return isURIText(rest, "/:@")
}

// isAuthority accepts the authority of RFC 3986, section 3.2.
func isAuthority(s []byte) bool {
	if at := bytes.IndexByte(s, '@'); at >= 0 {
		if !isURIText(s[:at], ":") {
			return false
		}
		s = s[at+1:]
	}
	if len(s) > 0 && s[0] == '[' {
		end := bytes.IndexByte(s, ']')
		if end < 0 || !isIPLiteral(s[1:end]) {
			return false
		}
		s = s[end+1:]
		return len(s) == 0 || s[0] == ':' && isPort(s[1:])
	}
	host, port, _ := bytes.Cut(s, []byte(":"))
	return isURIText(host, "") && isPort(port)
}

// isIPLiteral accepts what stands in brackets: an IPv6 address without a zone or
// IPvFuture (section 3.2.2).
func isIPLiteral(s []byte) bool {
	if len(s) == 0 || s[0]|0x20 != 'v' {
		return isIPv6(s)
	}
	version, address, _ := bytes.Cut(s[1:], []byte("."))
	for _, c := range version {
		if !isHex(c) {
			return false
		}
	}
	return len(version) > 0 && len(address) > 0 && bytes.IndexByte(address, '%') < 0 && isURIText(address, ":")
}

func isPort(s []byte) bool {
	for _, c := range s {
		if !isDigit(c) {
			return false
		}
	}
	return true
}

// isURIText accepts unreserved characters, sub-delims, escapes and the characters of also
// (section 2).
func isURIText(s []byte, also string) bool {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case isLetter(c), isDigit(c):
		case c == '%':
			if i+2 >= len(s) || !isHex(s[i+1]) || !isHex(s[i+2]) {
				return false
			}
			i += 2
		case isMark(c):
		case strings.IndexByte(also, c) < 0:
			return false
		}
	}
	return true
}

// isMark reports whether a character is a sub-delim, or unreserved and neither letter nor
// digit.
func isMark(c byte) bool {
	switch c {
	case '-', '.', '_', '~', '!', '$', '&', '\'', '(', ')', '*', '+', ',', ';', '=':
		return true
	}
	return false
}
