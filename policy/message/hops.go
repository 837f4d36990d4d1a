package message

import (
	"net/netip"
	"slices"
)

// Hops are the networks of the proxies in front of the sidecar whose word about the
// client counts: what they say in forwarding header fields is true of the request that
// they took. The zero value trusts nobody.
type Hops struct {
	networks []netip.Prefix
}

// NewHops returns the hops of the networks. An IPv4 address that is mapped into IPv6
// counts as the IPv4 address.
func NewHops(networks []netip.Prefix) Hops { return Hops{networks: slices.Clone(networks)} }

// Trusts reports whether an address is one of the hops.
func (h Hops) Trusts(a netip.Addr) bool {
	a = a.Unmap()
	return slices.ContainsFunc(h.networks, func(p netip.Prefix) bool { return p.Contains(a) })
}
