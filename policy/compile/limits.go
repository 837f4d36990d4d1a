package compile

import (
	"slices"

	"github.com/sidewarden/sidewarden/config"
	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/limit"
	"github.com/sidewarden/sidewarden/ratelimit"
)

// replayKeys bounds the token ids that are remembered per mode, about 40 MB when
// full. A full store leaves tok.replay undecided.
const replayKeys = 1 << 18

// spending is the spending stage and where each operation finds its verdicts.
type spending struct {
	stage policy.Spender
	// rates are the slots of rate.app by mode, replay the slot of tok.replay.
	rates  map[policy.Mode][]int
	replay map[policy.Mode]int
}

// spending makes the spending stage. What enforces and what is in shadow are
// different limits with buckets of their own, taken in different steps: shadow
// state never steers enforced state.
func (c *compiler) spending(all []*planned) *spending {
	s := &spending{rates: map[policy.Mode][]int{}, replay: map[policy.Mode]int{}}
	var o limit.Options
	for _, mode := range []policy.Mode{policy.Enforce, policy.Shadow} {
		operations := c.operationsIn(all, policy.RateApp, mode, func(*planned) bool { return true })
		if len(operations) == 0 {
			continue
		}
		if len(operations) == len(all) {
			operations = nil
		}
		for _, cfg := range c.cfg.Limits {
			s.rates[mode] = append(s.rates[mode], len(o.Limits))
			o.Limits = append(o.Limits, limit.Limit{
				Name: cfg.Name, Key: keysOf(cfg), Limiter: c.limiter(cfg, mode), Group: int(mode), Operations: operations,
			})
		}
	}
	for _, mode := range []policy.Mode{policy.Enforce, policy.Shadow} {
		if operations := c.operationsIn(all, policy.TokReplay, mode, c.singleUse); len(operations) > 0 {
			s.replay[mode] = len(o.Limits) + len(o.Replay)
			o.Replay = append(o.Replay, limit.SingleUse{
				Store: c.once(mode), Skew: c.cfg.Token.ClockSkew.Std(), Group: int(mode), Operations: operations,
			})
		}
	}
	stage, err := limit.New(o)
	if err != nil {
		c.problem("limits", err.Error(), "correct the limit")
		return s
	}
	s.stage = stage
	return s
}

// operationsIn lists the ids of the operations for which a control has a mode.
func (c *compiler) operationsIn(all []*planned, control policy.Control, mode policy.Mode, concerns func(*planned) bool) []string {
	var ids []string
	for _, p := range all {
		if c.modeOf(p.key, control) == mode && concerns(p) {
			ids = append(ids, p.operation.ID)
		}
	}
	return ids
}

// singleUse reports whether the operation asks that a token id is used once.
func (c *compiler) singleUse(p *planned) bool {
	if p.public || p.operation.ID == policy.UnmatchedID {
		return false
	}
	if p.settings.Replay != "" {
		return p.settings.Replay == config.ReplaySingleUse
	}
	return c.cfg.Token.Replay.Mode == config.ReplaySingleUse
}

// check returns the check of a control of the limit phase; nil if there is
// nothing to spend.
func (s *spending) check(control policy.Control, mode policy.Mode, singleUse bool) policy.Check {
	switch control {
	case policy.RateApp:
		if slots := s.rates[mode]; len(slots) > 0 {
			return limit.Limits{Slots: slots}
		}
	case policy.TokReplay:
		if slot, ok := s.replay[mode]; ok && singleUse {
			return limit.Replay{Slot: slot}
		}
	}
	return nil
}

func keysOf(cfg config.Limit) []limit.Key {
	keys := make([]limit.Key, 0, len(cfg.Key))
	for _, k := range cfg.Key {
		keys = append(keys, limit.Key(k))
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// limiter returns the buckets of a limit, those in force if it is the same limit.
func (c *compiler) limiter(cfg config.Limit, mode policy.Mode) *ratelimit.Limiter {
	id := stableID(mode.String(), cfg)
	if l, ok := c.previous.limiters[id]; ok {
		c.parts.limiters[id] = l
		return l
	}
	l, err := ratelimit.New(ratelimit.Limit{
		Name: cfg.Name, Rate: cfg.Rate.PerSecond(), Burst: cfg.Burst, MaxKeys: cfg.MaxKeys,
	})
	if err != nil {
		c.problem("limits", err.Error(), "correct the limit")
		return nil
	}
	c.parts.limiters[id] = l
	return l
}

func (c *compiler) once(mode policy.Mode) *ratelimit.Once {
	id := mode.String()
	o, ok := c.previous.replay[id]
	if !ok {
		o = ratelimit.NewOnce(replayKeys)
	}
	c.parts.replay[id] = o
	return o
}
