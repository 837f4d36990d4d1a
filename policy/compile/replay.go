package compile

import (
	"net/http"
	"strings"

	"github.com/sidewarden/sidewarden/config"
	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/limit"
	"github.com/sidewarden/sidewarden/ratelimit"
)

// replayKeys bounds the token ids that are remembered per mode and kind of use, about
// 65 MB when full. A full store leaves tok.replay undecided.
const replayKeys = 1 << 18

// replayKind is what tells uses of tokens apart: the mode in which tok.replay judges
// them, and how a token may be used. Each has a store, so that neither what is in
// shadow nor tokens of the other kind take the room of what enforces.
type replayKind struct {
	mode policy.Mode
	use  string // config.ReplaySingleUse or config.ReplaySameSender
}

// String names the kind in keys and among the parts.
func (k replayKind) String() string { return k.mode.String() + ":" + k.use }

// replays adds how tokens may be used.
func (c *compiler) replays(all []*planned, s *spending, o *limit.Options) {
	for _, mode := range []policy.Mode{policy.Enforce, policy.Shadow} {
		for _, use := range []string{config.ReplaySingleUse, config.ReplaySameSender} {
			kind := replayKind{mode, use}
			operations := c.operationsIn(all, policy.TokReplay, mode, func(p *planned) bool { return c.replayOf(p) == use })
			if len(operations) == 0 {
				continue
			}
			s.replay[kind] = len(o.Limits) + len(o.Replay)
			o.Replay = append(o.Replay, limit.TokenUse{
				Store: c.once(kind), Space: strings.Join([]string{"sidewarden", "replay", c.cfg.Product, kind.String()}, ":"),
				SameSender: use == config.ReplaySameSender, Skew: c.longestSkew(),
				// It tells retries only where path.gateway judges, and there is something to judge by.
				RequestID: http.CanonicalHeaderKey(c.cfg.Gateway.RequestIDHeader),
				Group:     int(mode), Operations: operations,
			})
		}
	}
}

// replayOf returns how a token may be used for an operation.
func (c *compiler) replayOf(p *planned) string {
	switch {
	case p.public || p.operation.ID == policy.UnmatchedID:
		return config.ReplayOff
	case p.settings.Replay != "":
		return p.settings.Replay
	}
	return c.cfg.Token.Replay.Mode
}

// asksReplay reports whether an operation, or any if that is "", says how a token may
// be used.
func (c *compiler) asksReplay(operation string) bool {
	asks := func(replay string) bool { return replay != "" && replay != config.ReplayOff }
	if operation != "" && c.cfg.Operations[operation].Replay != "" {
		return asks(c.cfg.Operations[operation].Replay)
	}
	if asks(c.cfg.Token.Replay.Mode) {
		return true
	}
	for _, op := range c.cfg.Operations {
		if operation == "" && asks(op.Replay) {
			return true
		}
	}
	return false
}

// doubtSenders warns of senders that are told apart by nothing but the network that
// they connect from, where that is the gateway's.
func (c *compiler) doubtSenders(all []*planned) {
	if !c.cfg.Gateway.Present || c.sendersProven() {
		return
	}
	found := those(all, func(p *planned) bool {
		return p.has(policy.TokReplay) && c.replayOf(p) == config.ReplaySameSender
	})
	if len(found) > 0 {
		c.warn("token.replay.mode", "same_sender compares for "+names(found)+
			" the network that a request connects from, which is the gateway's: it permits everybody behind one network of the gateway,"+
			" and may deny who comes through another",
			"let clients prove who sends a token, with a client certificate or DPoP that arrives here, or judge same_sender only where no gateway is between")
	}
}

// sendersProven reports whether anything that is configured proves, behind a gateway,
// who sends a token. The certificate of a connection that ends here does not: it is the
// gateway's.
func (c *compiler) sendersProven() bool {
	return c.cfg.Token.DPoP != nil || c.cfg.Gateway.ClientCertHeader != ""
}

// comparesSenders reports whether the senders of tokens are compared anywhere.
func (c *compiler) comparesSenders() bool {
	if c.cfg.Token.Replay.Mode == config.ReplaySameSender {
		return true
	}
	for _, op := range c.cfg.Operations {
		if op.Replay == config.ReplaySameSender {
			return true
		}
	}
	return false
}

// once returns the store of a kind of use, the one in force if there is one: a reload
// is no way to a second use.
func (c *compiler) once(kind replayKind) *ratelimit.Once {
	id := kind.String()
	o, ok := c.previous.replay[id]
	if !ok {
		o = ratelimit.NewOnce(replayKeys)
	}
	c.parts.replay[id] = o
	return o
}
