package ratelimit

import (
	"bytes"
	"crypto/sha256"
	"net/netip"
	"strings"
)

const (
	maxKeyBytes  = 256
	hashedPrefix = "sha256:"
)

// AppendPeer appends the key of a peer address: an IPv4 address itself, also
// when it is written as IPv4-mapped IPv6 (RFC 4291 section 2.5.5.2), and of any
// other IPv6 address its /64 prefix, since a single host commonly has the
// whole of it (RFC 6177). Nothing is appended for an invalid address, so that
// all of them share one key.
func AppendPeer(key []byte, addr netip.Addr) []byte {
	addr = addr.Unmap()
	if !addr.Is6() {
		return addr.AppendTo(key)
	}
	return netip.PrefixFrom(addr, 64).Masked().AppendTo(key)
}

// boundKey returns the key, or its hash if it is too long. Keys that look like
// a hash are hashed too, so that no short key equals the hash of a long one.
func boundKey(key []byte) []byte {
	if len(key) <= maxKeyBytes && !bytes.HasPrefix(key, []byte(hashedPrefix)) {
		return key
	}
	sum := sha256.Sum256(key)
	return append([]byte(hashedPrefix), sum[:]...)
}

// boundText is boundKey of a string.
func boundText(key string) string {
	if len(key) <= maxKeyBytes && !strings.HasPrefix(key, hashedPrefix) {
		return key
	}
	return string(boundKey([]byte(key)))
}
