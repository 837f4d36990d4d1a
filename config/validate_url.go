package config

import (
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// fault is one thing that is wrong with a value, and how to correct it.
type fault struct{ cause, fix string }

// urlRule says what a URL may be. Whatever it says, a URL is http or https, of
// printable ASCII, to a host that is a name or an address, on a port that exists, and
// without user and fragment.
type urlRule struct {
	what, example string // for example "an https URL", and one
	// danger is what http would allow. "" takes http to every host, else it is for
	// loopback alone.
	danger string
	// query takes a query.
	query bool
	// path tells what is wrong with the path; nil takes every path.
	path func(*url.URL) []fault
}

// url reports everything that is wrong with a URL.
func (v *validator) url(path, s string, rule urlRule) {
	v.addAll(path, rule.faults(v.named(path, withoutUser(s)), s))
}

// faults returns everything that is wrong with a URL, for messages that call it name.
func (rule urlRule) faults(name, s string) []fault {
	malformed := fault{name + " is not " + rule.what, "write for example " + rule.example}
	u, err := url.Parse(s)
	if err != nil || u.Host == "" {
		return []fault{malformed} // whatever it has besides, it would have as something else
	}
	var all []fault
	if u.Scheme != "http" && u.Scheme != "https" || !isHostname(u.Hostname()) || !isPrintable(s) {
		all = append(all, malformed)
	}
	all = append(all, portFaults(u)...)
	if u.User != nil {
		all = append(all, fault{"has a user or password in it", "remove everything up to the @"})
	}
	if !rule.query && (u.RawQuery != "" || u.ForceQuery) {
		all = append(all, fault{"has a query", "end it before the ?"})
	}
	if strings.Contains(s, "#") {
		all = append(all, fault{"has a fragment", "end it before the #"})
	}
	if rule.danger != "" && u.Scheme == "http" && !isLoopback(u.Hostname()) {
		all = append(all, fault{"is http: " + rule.danger, "write https"})
	}
	if rule.path != nil {
		all = append(all, rule.path(u)...)
	}
	return all
}

// portFaults tells when nothing can listen on the port of a URL.
func portFaults(u *url.URL) []fault {
	port := u.Port()
	if port == "" && !strings.HasSuffix(u.Host, ":") {
		return nil
	}
	if n, err := strconv.ParseUint(port, 10, 16); err == nil && n > 0 && port == strconv.FormatUint(n, 10) {
		return nil
	}
	return []fault{{"has a port that does not exist", "write a number from 1 to 65535 behind the colon, or leave out both"}}
}

// isHostname reports whether s is an IP address, or a name in ASCII that a host can
// have: letters, digits, dashes and, inside of clusters, underscores.
func isHostname(s string) bool {
	if _, err := netip.ParseAddr(s); err == nil {
		return true
	}
	const longest, longestLabel = 253, 63
	for label := range strings.SplitSeq(strings.TrimSuffix(s, "."), ".") {
		if label == "" || len(label) > longestLabel || strings.ContainsFunc(label, func(r rune) bool {
			return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && r != '-' && r != '_'
		}) {
			return false
		}
	}
	return len(s) <= longest
}

// isPrintable reports whether s is visible characters of ASCII alone.
func isPrintable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

// isPlain reports whether a URL is asked without TLS.
func isPlain(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Scheme == "http"
}

// withoutUser returns a URL, or what was meant to be one, without what may be a
// password.
func withoutUser(s string) string {
	if at := strings.LastIndexByte(s, '@'); at >= 0 {
		return "..." + s[at:]
	}
	return s
}
