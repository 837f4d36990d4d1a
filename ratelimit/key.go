package ratelimit

import (
	"crypto/sha256"
	"net/netip"
	"strings"
)

const (
	maxKeyBytes  = 256
	hashedPrefix = "sha256:"
)

// PeerKey returns the key of a peer address: an IPv4 address itself, also when
// it is written as IPv4-mapped IPv6 (RFC 4291 section 2.5.5.2), and of any
// other IPv6 address its /64 prefix, since a single host commonly has the
// whole of it (RFC 6177). All invalid addresses share one key.
func PeerKey(addr netip.Addr) string {
	addr = addr.Unmap()
	if !addr.Is6() {
		return addr.String()
	}
	return netip.PrefixFrom(addr, 64).Masked().String()
}

// boundKey returns the key, or its hash if it is too long. Keys that look like
// a hash are hashed too, so that no short key equals the hash of a long one.
func boundKey(key string) string {
	if len(key) <= maxKeyBytes && !strings.HasPrefix(key, hashedPrefix) {
		return key
	}
	sum := sha256.Sum256([]byte(key))
	return hashedPrefix + string(sum[:])
}
