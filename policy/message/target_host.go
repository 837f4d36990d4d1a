package message

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/sidewarden/sidewarden/policy"
)

// Hosts are the names that requests may be for. The port of a request does not count,
// nor does letter case; a dot at the end of a name does. The zero value knows every host
// whose name has the form of one.
type Hosts struct {
	names   map[string]bool
	parents map[string]bool // of names with one label in front of them
}

// NewHosts returns the hosts of the names: DNS names, addresses (of IPv6 with or without
// brackets), or "*." before a name, for any one label in its place. It refuses what is
// none of these, such as a name with a port.
func NewHosts(names []string) (Hosts, error) {
	if len(names) == 0 {
		return Hosts{}, nil
	}
	h := Hosts{names: map[string]bool{}, parents: map[string]bool{}}
	for _, name := range names {
		parent, wild := strings.CutPrefix(name, "*.")
		if addr, err := netip.ParseAddr(parent); err == nil && addr.Is6() {
			parent = "[" + parent + "]"
		}
		host, port, ok := hostOf(parent)
		if !ok || port || wild && (host[0] == '[' || isAddress(host)) {
			return Hosts{}, fmt.Errorf("%q is not the name of a host", name)
		}
		if wild {
			h.parents[host] = true
		} else {
			h.names[host] = true
		}
	}
	return h, nil
}

// judge finds what is wrong with the host of a request. One without a host is for the
// host that answers (RFC 9112 section 3.2), whose name nobody knows.
func (h Hosts) judge(host string) policy.Reason {
	name, _, ok := hostOf(host)
	if host != "" && !ok {
		return policy.HostMalformed
	}
	if h.names == nil || h.names[name] {
		return ""
	}
	if _, parent, found := strings.Cut(name, "."); found && h.parents[parent] && !isAddress(name) {
		return ""
	}
	return policy.HostUnknown
}

func isAddress(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil
}

// maxHost is the longest name (RFC 1035 section 2.3.4), with its dots and one at the end.
const maxHost = 254

// hostOf returns the name of a host in one spelling, and whether a port is behind it. It
// reports false for what is no host and port (RFC 9110 section 4.2.1): a user before it,
// a port that is no number, brackets without an address in them, an empty label, and all
// letters that DNS names, in which underscores count, do not have. A colon without a
// port is one (RFC 3986 section 3.2.3).
func hostOf(host string) (name string, ported, ok bool) {
	if rest, bracketed := strings.CutPrefix(host, "["); bracketed {
		inner, after, closed := strings.Cut(rest, "]")
		addr, err := netip.ParseAddr(inner)
		ported, ok = portOf(after)
		if !closed || err != nil || !addr.Is6() || addr.Zone() != "" || !ok {
			return "", false, false
		}
		return "[" + addr.String() + "]", ported, true
	}
	name, _, _ = strings.Cut(host, ":")
	if ported, ok = portOf(host[len(name):]); !ok || !isName(name) {
		return "", false, false
	}
	return strings.ToLower(name), ported, true
}

// portOf reports whether s is what may stand behind a host, and whether that is a colon.
func portOf(s string) (ported, ok bool) {
	port, ported := strings.CutPrefix(s, ":")
	if !ported || port == "" {
		return ported, s == "" || ported
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return true, err == nil && n > 0
}

// isName reports whether s is made of the labels of DNS names.
func isName(s string) bool {
	if s == "" || len(s) > maxHost {
		return false
	}
	for label := range strings.SplitSeq(strings.TrimSuffix(s, "."), ".") {
		if label == "" || len(label) > 63 {
			return false
		}
	}
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '-' && c != '_' && c != '.' {
			return false
		}
	}
	return true
}
