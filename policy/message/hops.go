package message

import (
	"net/http"
	"net/netip"
	"net/textproto"
	"slices"
	"strings"
)

// Hops are the networks of the proxies in front of the sidecar whose word about the
// client counts: what they say in forwarding header fields is true of the request that
// they took. The zero value trusts nobody.
type Hops struct {
	networks []netip.Prefix
	forwarded
}

// forwarded is how the hops say from whom they took a request.
type forwarded struct {
	field string                          // canonical; empty says nothing
	cut   func(list string) (int, string) // the last element of a list and where it begins
	read  func(element string) (netip.Addr, bool)
}

// The fields in which hops say from whom they took a request.
const (
	// XForwardedFor is a list of addresses, the latest last.
	XForwardedFor = "X-Forwarded-For"
	// Forwarded is the list of RFC 7239, the latest element last.
	Forwarded = "Forwarded"
)

const (
	// maxHops bounds the elements that are read of a list, empty ones included. No honest
	// chain is that long.
	maxHops = 64
	// maxElement bounds one element in bytes. A longer one cannot be read.
	maxElement = 1 << 10
)

// NewHops returns the hops of the networks. An IPv4 address that is mapped into IPv6
// counts as the IPv4 address.
func NewHops(networks []netip.Prefix) Hops { return Hops{networks: slices.Clone(networks)} }

// Naming returns the hops that say in the field, XForwardedFor or Forwarded, from whom
// they took a request. Of any other field nothing is read.
func (h Hops) Naming(field string) Hops {
	switch field {
	case XForwardedFor:
		h.forwarded = forwarded{field, cutPlain, addressOf}
	case Forwarded:
		h.forwarded = forwarded{field, cutQuoted, forOf}
	}
	return h
}

// Trusts reports whether an address is one of the hops.
func (h Hops) Trusts(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	return slices.ContainsFunc(h.networks, func(p netip.Prefix) bool { return p.Contains(a) })
}

// Source returns the address of the client of a request that came from peer: the first
// address, walking from the peer through the field of the hops from its end, that is not
// one of the hops. What stands left of it may be anybody's text and is never read. When
// everybody is one of the hops, it is the address that the walk ended with.
//
// All lines of the field are one list (RFC 9110 section 5.3), and empty elements of it are
// passed over (section 5.6.1.2). An element that cannot be read in one way ends the walk
// with the hop that wrote it: who is behind that hop is not known, and is not guessed. No
// element can be read that is "unknown" or obfuscated (RFC 7239 section 6.3), has a zone,
// is longer than 1 KiB or is more than 64 elements from the end.
//
// An address that is mapped into IPv6 is returned as the IPv4 address.
func (h Hops) Source(peer netip.Addr, header http.Header) netip.Addr {
	source := peer.Unmap()
	if h.field == "" || !h.Trusts(source) {
		return source
	}
	left := maxHops
	for _, line := range slices.Backward(header[h.field]) {
		for rest, more := line, true; more; left-- {
			from, element := h.cut(rest)
			if left == 0 || len(element) > maxElement {
				return source
			}
			if more = from > 0; more {
				rest = rest[:from-1]
			}
			if element = textproto.TrimString(element); element == "" {
				continue
			}
			a, ok := h.read(element)
			if !ok {
				return source
			}
			if source = a; !h.Trusts(source) {
				return source
			}
		}
	}
	return source
}

// cutPlain returns the last element of a list without quoted strings.
func cutPlain(list string) (from int, element string) {
	from = strings.LastIndexByte(list, ',') + 1
	return from, list[from:]
}

// cutQuoted returns the last element of a list whose commas may stand in quoted strings
// (RFC 9110 section 5.6.4). It is found from the end: where the list is read from its
// beginning, a client that opens a quote and leaves it open hides what its hop adds.
func cutQuoted(list string) (from int, element string) {
	quoted := false
	for i := len(list) - 1; i >= 0 && len(list)-i <= maxElement+1; i-- {
		switch c := list[i]; {
		case c == '"':
			quoted = !quoted || isEscaped(list, i)
		case c == ',' && !quoted:
			return i + 1, list[i+1:]
		}
	}
	return 0, list
}

// isEscaped reports whether the byte at i of a quoted string is the second one of a
// quoted pair.
func isEscaped(s string, i int) bool {
	n := 0
	for n < i && s[i-1-n] == '\\' {
		n++
	}
	return n%2 == 1
}

// addressOf reads an address as proxies write it into X-Forwarded-For: bare, an IPv6
// address also in brackets, and either with a port.
func addressOf(s string) (netip.Addr, bool) {
	if a, err := netip.ParseAddr(s); err == nil {
		return told(a)
	}
	if inner, ok := strings.CutPrefix(s, "["); ok && strings.HasSuffix(s, "]") {
		return inBrackets(strings.TrimSuffix(inner, "]"))
	}
	ap, err := netip.ParseAddrPort(s)
	if err != nil || ap.Addr().Is6() != strings.HasPrefix(s, "[") {
		return netip.Addr{}, false
	}
	return told(ap.Addr())
}

// nodeOf reads a node identifier (RFC 7239 section 6): an IPv6 address is in brackets.
func nodeOf(s string) (netip.Addr, bool) {
	host, port := s, ""
	if i := strings.LastIndexByte(s, ':'); i > strings.LastIndexByte(s, ']') {
		host, port = s[:i], s[i+1:]
		if !isNodePort(port) {
			return netip.Addr{}, false
		}
	}
	if inner, ok := strings.CutPrefix(host, "["); ok && strings.HasSuffix(host, "]") {
		return inBrackets(strings.TrimSuffix(inner, "]"))
	}
	a, err := netip.ParseAddr(host)
	if err != nil || !a.Is4() {
		return netip.Addr{}, false
	}
	return a, true
}

// isNodePort reports whether s is a port of RFC 7239 section 6.2: up to five digits, or
// an obfuscated one.
func isNodePort(s string) bool {
	if hidden, ok := strings.CutPrefix(s, "_"); ok {
		return hidden != "" && !strings.ContainsFunc(hidden, func(r rune) bool { return !isForwardedAlnum(r) && !strings.ContainsRune("._-", r) })
	}
	return s != "" && len(s) <= 5 && !strings.ContainsFunc(s, func(r rune) bool { return r < '0' || r > '9' })
}

func inBrackets(s string) (netip.Addr, bool) {
	a, err := netip.ParseAddr(s)
	if err != nil || !a.Is6() {
		return netip.Addr{}, false
	}
	return told(a)
}

// told returns an address that somebody else wrote down. A zone means something to that
// host alone (RFC 4007 section 11).
func told(a netip.Addr) (netip.Addr, bool) { return a.Unmap(), a.Zone() == "" }

// forOf reads who is named by "for" in an element of Forwarded (RFC 7239 section 4): pairs
// of a name and a token or a quoted string, with semicolons between them, no name twice.
func forOf(element string) (netip.Addr, bool) {
	var node string
	var names []string
	for rest := element; ; {
		var name, value string
		var ok bool
		if rest != "" && rest[0] != ';' {
			if name, value, rest, ok = pairOf(rest); !ok || slices.Contains(names, name) {
				return netip.Addr{}, false
			}
			names = append(names, name)
			if name == "for" {
				node = value
			}
		}
		if rest == "" {
			return nodeOf(node)
		}
		rest = rest[1:]
	}
}

// pairOf reads a pair up to a semicolon or the end. The name is in lower case.
func pairOf(s string) (name, value, rest string, ok bool) {
	name, s, ok = strings.Cut(s, "=")
	if !ok || !isForwardedToken(name) {
		return "", "", "", false
	}
	if strings.HasPrefix(s, `"`) {
		value, rest, ok = quotedOf(s)
	} else {
		end := strings.IndexByte(s, ';')
		if end < 0 {
			end = len(s)
		}
		value, rest = s[:end], s[end:]
		ok = isForwardedToken(value)
	}
	return strings.ToLower(name), value, rest, ok && (rest == "" || rest[0] == ';')
}

// quotedOf reads the quoted string that s begins with (RFC 9110 section 5.6.4).
func quotedOf(s string) (value, rest string, ok bool) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			return b.String(), s[i+1:], true
		case c == '\\' && i+1 < len(s):
			i++
			b.WriteByte(s[i])
		default:
			b.WriteByte(c)
		}
	}
	return "", "", false
}

// isForwardedToken reports whether s is a token of RFC 9110 section 5.6.2.
func isForwardedToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return !isForwardedAlnum(r) && !strings.ContainsRune("!#$%&'*+-.^_`|~", r) })
}

func isForwardedAlnum(r rune) bool {
	return r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z'
}
