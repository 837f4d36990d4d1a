package compile

import (
	"cmp"
	"net/http"
	"slices"
	"strings"

	"github.com/sidewarden/sidewarden/config"
	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/limit"
	"github.com/sidewarden/sidewarden/policy/token"
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
	uses := []string{config.ReplaySingleUse, config.ReplaySameSender}
	if operation == "" {
		return c.anyReplay(uses...)
	}
	return slices.Contains(uses, cmp.Or(c.cfg.Operations[operation].Replay, c.cfg.Token.Replay.Mode))
}

// anyReplay reports whether a token may be used in one of these ways by default, or
// for any operation.
func (c *compiler) anyReplay(uses ...string) bool {
	if slices.Contains(uses, c.cfg.Token.Replay.Mode) {
		return true
	}
	for _, op := range c.cfg.Operations {
		if slices.Contains(uses, op.Replay) {
			return true
		}
	}
	return false
}

// doubtSenders warns of senders that are told apart by nothing but the network that
// they connect from, where that is the gateway's.
func (c *compiler) doubtSenders(all []*planned) {
	if !c.cfg.Gateway.Present {
		return
	}
	found := those(all, func(p *planned) bool {
		return p.has(policy.TokReplay) && c.replayOf(p) == config.ReplaySameSender && !c.sendersProven(p)
	})
	if len(found) > 0 {
		c.warn("token.replay.mode", "same_sender compares for "+names(found)+
			" the network that a request connects from, which is the gateway's: it permits everybody behind one network of the gateway,"+
			" and may deny who comes through another",
			"have clients prove who sends a token, with a client certificate or DPoP that arrives here, and set sender_constraint: required for every issuer;"+
				" or judge same_sender only where no gateway is between")
	}
}

// sendersProven reports whether every token that is remembered for an operation is of a
// sender that is proven. That some may be is not enough: what is a bearer token is told
// apart by the network. A token that tok.bind objects to is not remembered.
func (c *compiler) sendersProven(p *planned) bool {
	return p.has(policy.TokBind) && !slices.ContainsFunc(c.cfg.Token.Issuers, func(i config.Issuer) bool {
		return senderConstraint(i.SenderConstraint) == token.ConstraintOptional
	})
}

// doubtRetries warns of single use behind a gateway whose retries nothing tells from
// replays.
func (c *compiler) doubtRetries(all []*planned) {
	if !c.cfg.Gateway.Present {
		return
	}
	found := those(all, func(p *planned) bool {
		return p.has(policy.TokReplay) && c.replayOf(p) == config.ReplaySingleUse &&
			(!p.has(policy.PathGateway) || c.cfg.Gateway.RequestIDHeader == "")
	})
	if len(found) > 0 {
		c.warn("token.replay.mode", "single_use denies for "+names(found)+" a request that the gateway sends again after it got no answer, as token-replayed:"+
			" nothing tells it from a replay",
			"add gateway.proof and gateway.request_id_header, with a number that the gateway makes, and keep path.gateway on; or have the gateway send nothing again")
	}
}

// doubtUses warns of uses that enforce beside objections that do not. What tok.* objects
// to is not remembered, and in shadow it passes: whoever makes it object uses a token as
// often as he likes.
func (c *compiler) doubtUses(all []*planned) {
	var weak []policy.Control
	found := those(all, func(p *planned) bool {
		before := len(weak)
		if p.modeOf(policy.TokReplay) == policy.Enforce {
			for _, rule := range p.operation.Rules {
				if rule.Mode == policy.Shadow && rule.Phase == policy.HeadPhase && familyOf(rule.Control) == familyOf(policy.TokReplay) {
					weak = append(weak, rule.Control)
				}
			}
		}
		return len(weak) > before
	})
	if len(found) == 0 {
		return
	}
	slices.SortFunc(weak, func(a, b policy.Control) int { return policy.Order(a) - policy.Order(b) })
	weak = slices.Compact(weak)
	c.warn("token.replay.mode", "tok.replay enforces for "+names(found)+", and not "+join(weak)+
		": a token to which they object is not used up, and passes any number of times",
		"add "+linesFor("", weak))
}

// comparesSenders reports whether the senders of tokens are compared anywhere.
func (c *compiler) comparesSenders() bool { return c.anyReplay(config.ReplaySameSender) }

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
