package compile

import (
	"fmt"
	"slices"

	"github.com/sidewarden/sidewarden/config"
	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/account"
	"github.com/sidewarden/sidewarden/policy/limit"
	"github.com/sidewarden/sidewarden/ratelimit"
)

// Limit is one limit that is in force for a control in a mode: a rate, which has a
// Limiter, or a quota, which has a Quota.
type Limit struct {
	// Config is the limit as it is configured: with a rate, a quota or both.
	Config  config.Limit
	Control policy.Control
	Mode    policy.Mode
	// Operations are the ids of the operations whose requests it counts; nil means
	// all, and requests that match none.
	Operations []string
	Limiter    *ratelimit.Limiter
	Quota      *ratelimit.Quota
}

// Limits returns the limits that are in force, by control, mode and then the order
// of the configuration.
func (p *Parts) Limits() []Limit { return slices.Clone(p.limits) }

// spending is the spending stage and where each operation finds its verdicts.
type spending struct {
	stage policy.Spender
	// limits are the slots of rate.* by control and mode, replay the slots of
	// tok.replay.
	limits map[policy.Control]map[policy.Mode][]int
	replay map[replayKind]int
}

// limitControls are the controls that judge limits.
func limitControls() []policy.Control {
	return []policy.Control{policy.RateApp, policy.RateCustomer, policy.RateQuota}
}

// controlsOf returns the controls that judge a limit: its rate by whose it is, and
// its quota.
func controlsOf(cfg config.Limit) []policy.Control {
	var all []policy.Control
	switch {
	case cfg.Rate.IsZero():
	case slices.Contains(cfg.Key, config.KeyAccount):
		all = append(all, policy.RateCustomer)
	default:
		all = append(all, policy.RateApp)
	}
	if !cfg.Quota.IsZero() {
		all = append(all, policy.RateQuota)
	}
	return all
}

// judges reports whether a control has a limit to judge.
func (c *compiler) judges(control policy.Control) bool {
	return slices.ContainsFunc(c.cfg.Limits, func(l config.Limit) bool { return slices.Contains(controlsOf(l), control) })
}

// spending makes the spending stage. What enforces and what is in shadow are
// different limits with buckets of their own, taken in different steps: shadow
// state never steers enforced state.
func (c *compiler) spending(all []*planned) *spending {
	s := &spending{limits: map[policy.Control]map[policy.Mode][]int{}, replay: map[replayKind]int{}}
	o := limit.Options{Boundaries: map[string]limit.Boundary{}}
	c.strangersOfLimits(all)
	for _, control := range limitControls() {
		s.limits[control] = map[policy.Mode][]int{}
		for _, mode := range []policy.Mode{policy.Enforce, policy.Shadow} {
			c.limitsOf(all, control, mode, s, &o)
		}
	}
	c.replays(all, s, &o)
	for _, p := range all {
		if b, ok := c.boundaryOf(p); ok {
			o.Boundaries[p.operation.ID] = b
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

// limitsOf adds the limits that a control judges in a mode.
func (c *compiler) limitsOf(all []*planned, control policy.Control, mode policy.Mode, s *spending, o *limit.Options) {
	operations := c.operationsIn(all, control, mode, func(*planned) bool { return true })
	if len(operations) == 0 {
		return
	}
	if len(operations) == len(all) {
		operations = nil
	}
	for _, cfg := range c.cfg.Limits {
		if !slices.Contains(controlsOf(cfg), control) {
			continue
		}
		counted := operations
		if cfg.Operations != nil {
			counted = c.operationsIn(all, control, mode, func(p *planned) bool { return p.named(cfg.Operations) })
		}
		if counted != nil && len(counted) == 0 {
			continue // all of them have another mode
		}
		l := limit.Limit{Name: cfg.Name, Key: keysOf(cfg), Group: int(mode), Operations: counted}
		if control == policy.RateQuota {
			l.Quota = c.quota(cfg, mode)
		} else {
			l.Limiter = c.limiter(cfg, mode)
		}
		s.limits[control][mode] = append(s.limits[control][mode], len(o.Limits))
		o.Limits = append(o.Limits, l)
		c.parts.limits = append(c.parts.limits, Limit{
			Config: cfg, Control: control, Mode: mode, Operations: counted, Limiter: l.Limiter, Quota: l.Quota,
		})
	}
}

// named reports whether a list of operations names this one, by id or by method and
// path.
func (p *planned) named(operations []string) bool {
	return slices.Contains(operations, p.operation.ID) || slices.Contains(operations, p.contract.Method+" "+p.contract.Template)
}

// strangersOfLimits reports operations of limits that the contract does not have.
func (c *compiler) strangersOfLimits(all []*planned) {
	var ids []string
	for _, p := range all {
		ids = append(ids, p.operation.ID)
	}
	for i, l := range c.cfg.Limits {
		for j, name := range l.Operations {
			if !slices.ContainsFunc(all, func(p *planned) bool { return p.named([]string{name}) }) {
				c.problem(fmt.Sprintf("limits[%d].operations[%d]", i, j), "the contract has no such operation", config.DidYouMean(name, ids))
			}
		}
	}
}

// boundaryOf tells whose data an operation's requests name; false if az.account
// does not judge it.
func (c *compiler) boundaryOf(p *planned) (limit.Boundary, bool) {
	if !c.judgesAccounts(p) {
		return limit.Boundary{}, false
	}
	head := p.account
	head.Body, head.Required = nil, false
	check := account.New(head)
	b := limit.Boundary{Named: check}
	if len(p.account.Body) > 0 {
		b.Pending = []policy.Check{check}
	}
	return b, true
}

// judgesAccounts reports whether az.account has a rule for an operation.
func (c *compiler) judgesAccounts(p *planned) bool {
	return p.operation.ID != policy.UnmatchedID && !p.public && len(c.cfg.Account.Rules) > 0 &&
		p.settings.Account != config.AccountNone && c.modeOf(p.key, policy.AzAccount) != policy.Off
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

// check returns the check of a control of the limit phase; nil if there is
// nothing to spend.
func (s *spending) check(control policy.Control, kind replayKind) policy.Check {
	switch control {
	case policy.RateApp, policy.RateCustomer, policy.RateQuota:
		if slots := s.limits[control][kind.mode]; len(slots) > 0 {
			return limit.Limits{Slots: slots}
		}
	case policy.TokReplay:
		if slot, ok := s.replay[kind]; ok {
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

// limiter returns the buckets of a rate, those in force if it is the same rate.
func (c *compiler) limiter(cfg config.Limit, mode policy.Mode) *ratelimit.Limiter {
	id := stableID(mode.String(), cfg.Name, keysOf(cfg), cfg.Rate, cfg.Burst, cfg.MaxKeys)
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

// quota returns the tallies of a quota, those in force if it is the same quota:
// neither a reload nor another rate of the limit gives a used-up one back.
func (c *compiler) quota(cfg config.Limit, mode policy.Mode) *ratelimit.Quota {
	id := stableID(mode.String(), cfg.Name, keysOf(cfg), cfg.Quota, cfg.MaxKeys)
	if q, ok := c.previous.quotas[id]; ok {
		c.parts.quotas[id] = q
		return q
	}
	period := map[string]ratelimit.Period{
		config.WindowHour: ratelimit.Hour, config.WindowDay: ratelimit.Day, config.WindowMonth: ratelimit.Month,
	}[cfg.Quota.Window]
	q, err := ratelimit.NewQuota(ratelimit.Allowance{
		Name: cfg.Name, Count: cfg.Quota.Count, Period: period, MaxKeys: cfg.MaxKeys,
	})
	if err != nil {
		c.problem("limits", err.Error(), "correct the quota")
		return nil
	}
	c.parts.quotas[id] = q
	return q
}
