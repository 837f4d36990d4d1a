package compile

import (
	"fmt"
	"slices"

	"github.com/sidewarden/sidewarden/policy"
)

// exceptions returns the exceptions of the configuration, expired ones too: time
// decides about them request by request. It warns of those that cover nothing.
func (c *compiler) exceptions(all []*planned) []policy.Exception {
	exceptions := make([]policy.Exception, 0, len(c.cfg.Exceptions))
	for i, cfg := range c.cfg.Exceptions {
		field := fmt.Sprintf("exceptions[%d]", i)
		e := policy.Exception{
			ID: cfg.ID, Control: policy.Control(cfg.Control), Operation: cfg.Operation,
			Issuer: cfg.Issuer, Client: cfg.Client, Until: cfg.Expires.Until(),
		}
		if !available(cfg.Control) {
			c.problem(field+".control", cfg.Control+" is not available in this version", "remove the exception")
			continue
		}
		if cfg.Operation != "" && cfg.Operation != policy.UnmatchedID {
			id, ok := c.operationNamed(all, field+".operation", cfg.Operation)
			if !ok {
				continue
			}
			e.Operation = id
		}
		if !covers(e, all) {
			c.warn(field, "covers nothing: no rule of "+cfg.Control+" serves "+served(e), "remove it, or correct control and operation")
		}
		if left := c.dependents(e, all); len(left) > 0 {
			c.warn(field, "covers "+cfg.Control+" alone: "+join(left)+", which can not decide without it, block nevertheless",
				"except them too if that is meant, or let the caller meet "+cfg.Control)
		}
		c.doubtDeadline(field+".expires", cfg.Expires, "what it covered is a finding again")
		exceptions = append(exceptions, e)
	}
	return exceptions
}

// covers reports whether any rule can have a finding that the exception matches.
func covers(e policy.Exception, all []*planned) bool {
	for _, p := range all {
		if (e.Operation == "" || e.Operation == p.operation.ID) && p.has(e.Control) {
			return true
		}
	}
	return false
}

// dependents are the controls that enforce where the exception applies and that
// cannot decide when its control did not permit.
func (c *compiler) dependents(e policy.Exception, all []*planned) []policy.Control {
	var found []policy.Control
	for _, p := range all {
		if e.Operation != "" && e.Operation != p.operation.ID {
			continue
		}
		for _, rule := range p.operation.Rules {
			if rule.Mode == policy.Enforce && slices.Contains(needsOf(rule, c.proof()), e.Control) {
				found = append(found, rule.Control)
			}
		}
	}
	slices.SortFunc(found, func(a, b policy.Control) int { return policy.Order(a) - policy.Order(b) })
	return slices.Compact(found)
}

func served(e policy.Exception) string {
	if e.Operation == "" {
		return "any operation"
	}
	return e.Operation
}
