package ratelimit_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/sidewarden/sidewarden/ratelimit"
)

func TestAppendPeer(t *testing.T) {
	for _, c := range []struct {
		rule, addr, want string
	}{
		{"IPv4 is keyed by address", "10.0.0.1", "10.0.0.1"},
		{"IPv4-mapped IPv6 is the same peer", "::ffff:10.0.0.1", "10.0.0.1"},
		{"IPv4-mapped in hexadecimal is the same peer", "::ffff:a00:1", "10.0.0.1"},
		{"IPv6 is keyed by its /64", "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"},
		{"the lowest address of a /64", "2001:db8:1:2::", "2001:db8:1:2::/64"},
		{"the highest address of a /64", "2001:db8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2::/64"},
		{"the next /64 is another peer", "2001:db8:1:3::", "2001:db8:1:3::/64"},
		{"a zone does not make another peer", "fe80::1%eth0", "fe80::/64"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			assert.Equal(t, c.want, string(ratelimit.AppendPeer(nil, netip.MustParseAddr(c.addr))))
		})
	}
	assert.Empty(t, ratelimit.AppendPeer(nil, netip.Addr{}))
}
