package compile

import (
	"net/netip"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/message"
)

// hops returns the proxies whose word about the client counts; the zero value trusts nobody.
func (c *compiler) hops() message.Hops {
	cfg := c.cfg.Gateway.Forwarded
	if cfg == nil {
		return message.Hops{}
	}
	networks := make([]netip.Prefix, 0, len(cfg.Peers))
	for _, text := range cfg.Peers {
		p, err := netip.ParsePrefix(text)
		if err != nil { // config has parsed it before
			c.problem("gateway.forwarded.peers", "has a network that can not be read", "write for example 10.0.0.0/8")
			continue
		}
		networks = append(networks, p)
	}
	return message.NewHops(networks).Naming(cfg.Header)
}

// sourcer returns what tells the address of a client; nil where only the peer is known.
func (c *compiler) sourcer() policy.Sourcer {
	if c.cfg.Gateway.Forwarded == nil {
		return nil
	}
	return c.hops()
}
