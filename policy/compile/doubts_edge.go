package compile

import (
	"slices"

	"github.com/sidewarden/sidewarden/config"
	"github.com/sidewarden/sidewarden/policy"
)

// doubtHops warns where in.hdr enforces and takes no field of a proxy away, because
// nobody said which peers are proxies: unless path.gateway blocks everybody else.
func (c *compiler) doubtHops(all []*planned) {
	gateway := &c.cfg.Gateway
	open := func(p *planned) bool {
		return p.modeOf(policy.InHdr) == policy.Enforce && p.modeOf(policy.PathGateway) != policy.Enforce
	}
	if !gateway.Present || gateway.Forwarded != nil || !slices.ContainsFunc(all, open) {
		return
	}
	c.warn("gateway.forwarded", "in.hdr enforces, and nobody said whose word about the client counts: X-Forwarded-For and its like reach the backend as everybody who connects writes them",
		"add to gateway: forwarded: {peers: [NETWORK]}, with the networks of the proxies that write them")
}

// doubtSwitching warns of operations that answer 101 by their contract, while in.hdr
// objects to every request that asks for it. Who says upgrade: [] means that.
func (c *compiler) doubtSwitching(all []*planned) {
	found := those(all, func(p *planned) bool {
		return p.contract.Switches && p.operation.Method == "GET" && p.settings.Upgrade == nil && p.modeOf(policy.InHdr) != policy.Off
	})
	if len(found) == 0 || c.cfg.Backend.HTTP == config.HTTPTwoClear { // over which no connection becomes another
		return
	}
	c.warn(fileOf(found[0].spec), "the contract declares an answer 101 for "+names(found)+" and the configuration no upgrade: in.hdr finds header-upgrade in every request for a WebSocket,"+
		" and where it enforces the backend gets an ordinary request",
		"add "+settings(found, "upgrade: [websocket]")+"; or, where no connection becomes a WebSocket, add "+settings(found, "upgrade: []"))
}
