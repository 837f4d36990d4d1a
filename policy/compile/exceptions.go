package compile

import (
	"fmt"

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

func served(e policy.Exception) string {
	if e.Operation == "" {
		return "any operation"
	}
	return e.Operation
}
