package token

import "strings"

// maxTarget bounds the claim htu in bytes.
const maxTarget = 4 << 10

// target is an http or https URL without query and fragment in its normal form (RFC
// 3986 sections 6.2.2 and 6.2.3): scheme and host in lower case, no port where it is
// the default one, no empty path, no unreserved character percent-encoded, escapes in
// upper case. Dot segments stay: they are not sent by a client that means well, and
// what they lead to is decided by the backend.
type target struct{ scheme, authority, path string }

// readTarget reads a URL. One with a user, with other characters than visible ones of
// ASCII, or with an escape that is none, is refused; query and fragment are dropped
// (RFC 9449 section 4.3, check 9).
func readTarget(url string) (t target, ok bool) {
	if len(url) > maxTarget {
		return target{}, false
	}
	for i := range len(url) {
		if url[i] <= ' ' || url[i] > '~' {
			return target{}, false
		}
	}
	scheme, rest, ok := strings.Cut(url, "://")
	if t.scheme = strings.ToLower(scheme); !ok || t.scheme != "http" && t.scheme != "https" {
		return target{}, false
	}
	if i := strings.IndexAny(rest, "?#"); i >= 0 {
		rest = rest[:i]
	}
	authority, path := rest, "/"
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		authority, path = rest[:i], rest[i:]
	}
	if t.authority, ok = readAuthority(authority, t.scheme); !ok {
		return target{}, false
	}
	t.path, ok = normalPath(path)
	return t, ok
}

// readAuthority returns host and port in lower case, without the default port.
func readAuthority(s, scheme string) (string, bool) {
	host, port := strings.ToLower(s), ""
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") { // not the last part of an IPv6 address
		host, port = host[:i], host[i+1:]
	}
	inside := host
	if strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]") {
		inside = strings.ReplaceAll(host[1:len(host)-1], ":", "")
	}
	for i := range len(inside) {
		if c := inside[i]; !isUnreserved(c) {
			return "", false // a user, an escape, or a delimiter
		}
	}
	for i := range len(port) {
		if port[i] < '0' || port[i] > '9' || port[0] == '0' {
			return "", false
		}
	}
	if inside == "" {
		return "", false
	}
	if port == "" || scheme == "https" && port == "443" || scheme == "http" && port == "80" {
		return host, true
	}
	return host + ":" + port, true
}

// normalPath decodes escapes of unreserved characters and writes all others in upper
// case.
func normalPath(path string) (string, bool) {
	if !strings.Contains(path, "%") {
		return path, true
	}
	var b strings.Builder
	b.Grow(len(path))
	for i := 0; i < len(path); i++ {
		if path[i] != '%' {
			b.WriteByte(path[i])
			continue
		}
		if i+2 >= len(path) {
			return "", false
		}
		high, low := hex(path[i+1]), hex(path[i+2])
		if high > 15 || low > 15 {
			return "", false
		}
		if c := high<<4 | low; isUnreserved(c) {
			b.WriteByte(c)
		} else {
			const digits = "0123456789ABCDEF"
			b.Write([]byte{'%', digits[high], digits[low]})
		}
		i += 2
	}
	return b.String(), true
}

// hex returns the value of a hexadecimal digit, and more than 15 for anything else.
func hex(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10
	}
	return 16
}

// isUnreserved is the rule unreserved of RFC 3986 section 2.3.
func isUnreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~", c) >= 0
}

// differs returns the part in which a URL is not that of a request for the path behind
// the public URL t, which ends without a slash; "" when there is none.
func (t target) differs(url, path string) string {
	of, ok := readTarget(url)
	if !ok {
		return "form"
	}
	asked, ok := normalPath(path)
	switch {
	case of.scheme != t.scheme:
		return "scheme"
	case of.authority != t.authority:
		return "host"
	case !ok || of.path != t.path+asked:
		return "path"
	}
	return ""
}
