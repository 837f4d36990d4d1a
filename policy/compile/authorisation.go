package compile

import (
	"slices"
	"strings"

	"github.com/sidewarden/sidewarden/config"
	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/account"
)

// authorises reports whether anything decides who may call the operation: a scope
// that is asked for, or an account rule that can apply. A control that is off
// decides nothing.
func (c *compiler) authorises(p *planned) bool {
	if c.modeOf(p.key, policy.AzScope) != policy.Off && len(p.scopes()) > 0 {
		return true
	}
	return c.modeOf(p.key, policy.AzAccount) != policy.Off && c.bounded(p) && !p.account.Unbound
}

// bounded reports whether the account boundary is judged at the operation.
func (c *compiler) bounded(p *planned) bool {
	return len(c.cfg.Account.Rules) > 0 && p.settings.Account != config.AccountNone
}

// accountCheck returns the check of az.account or az.delegate for one operation,
// and its phase; nil where the control has nothing to say. Where az.delegate is
// off, or there is no partner, az.account judges everybody.
func (c *compiler) accountCheck(p *planned, control policy.Control, phase policy.Phase) (policy.Check, policy.Phase) {
	if !c.bounded(p) || control == policy.AzDelegate && p.account.Partners == nil {
		return nil, phase
	}
	if len(p.account.Body) > 0 {
		phase = policy.BodyPhase
	}
	if control == policy.AzDelegate {
		return account.NewDelegate(p.account), phase
	}
	return account.New(p.account), phase
}

// accountOf returns how az.account and az.delegate judge the operation. Selectors of query,
// header and body judge what is present, declared or not, because the backend
// may read it: so a body selector judges every operation. The operation is bound
// when it declares one of them.
func (c *compiler) accountOf(p *planned) account.Options {
	o := account.Options{Unbound: true}
	for _, rule := range c.cfg.Account.Rules {
		bound := false
		switch rule.In {
		case config.InPath:
			if bound = slices.Contains(p.contract.PathParams, rule.Name); bound {
				o.Path = append(o.Path, rule.Name)
			}
		case config.InQuery:
			o.Query = append(o.Query, rule.Name)
			bound = slices.Contains(p.contract.QueryParams, rule.Name)
		case config.InHeader:
			o.Header = append(o.Header, rule.Name)
			bound = slices.ContainsFunc(p.contract.HeaderParams, func(n string) bool { return strings.EqualFold(n, rule.Name) })
		case config.InBody:
			o.Body = append(o.Body, rule.Pointer)
			bound = p.contract.DeclaresBodyPointer(rule.Pointer)
		}
		if bound {
			o.Unbound = false
			o.Required = o.Required || rule.Required
		}
	}
	return o
}
