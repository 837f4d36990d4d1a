package compile

import (
	"slices"

	"github.com/sidewarden/sidewarden/config"
	"github.com/sidewarden/sidewarden/policy"
)

// refusePlanned refuses a mode for a control that has no check in this version, or
// for a family without any: the file would look as if it were in force.
func (c *compiler) refusePlanned() {
	c.eachMode(func(field, _, name string, mode config.Mode) {
		if mode != config.Off && !available(name) {
			c.problem(config.Key(field, name), "not available in this version", "remove it")
		}
	})
}

// available reports whether the control, or any of the family, has a check.
func available(name string) bool {
	return slices.ContainsFunc(policy.Catalogue(), func(e policy.Entry) bool {
		return e.Implemented && (string(e.ID) == name || familyOf(e.ID) == name)
	})
}

// refuseIdle refuses a control that enforces by its name and has nothing to judge
// by. A family of several or the default mode may name one in passing.
func (c *compiler) refuseIdle() {
	c.eachMode(func(field, operation, name string, mode config.Mode) {
		if mode != config.Enforce {
			return
		}
		if fix, idle := c.idle(operation, named(name)); idle {
			c.problem(config.Key(field, name), "enforces, and nothing configures it", fix)
		}
	})
}

// named returns the control that a name of the configuration stands for: also that of
// a family in which no other control has a check.
func named(name string) policy.Control {
	var only policy.Control
	for _, entry := range policy.Catalogue() {
		switch {
		case !entry.Implemented || familyOf(entry.ID) != name:
		case only != "":
			return policy.Control(name)
		default:
			only = entry.ID
		}
	}
	if only != "" {
		return only
	}
	return policy.Control(name)
}

// idle reports whether the configuration gives a control nothing to judge by for
// an operation, or for any if that is "", and what to add.
func (c *compiler) idle(operation string, control policy.Control) (fix string, idle bool) {
	switch control {
	case policy.PathGateway:
		return "add gateway.proof", !c.cfg.Gateway.Proof.Configured()
	case policy.MTLSClient:
		return "add to listen.tls: {client_auth: request, client_ca_file: clients.pem}", !c.mutual()
	case policy.TokSig, policy.TokIss, policy.TokTyp, policy.TokAud, policy.TokTime, policy.TokTTL, policy.TokBind:
		return "remove it: no token arrives with credential.kind " + c.cfg.Credential.Kind, c.tokenless()
	case policy.TokRevoked:
		return "add token.issuers[].introspection", !c.asks()
	case policy.KeyValid:
		return "add credential: {kind: api_key, api_key: {file: api-keys.json}}", !c.keyed()
	case policy.RateApp:
		return "add a limit with a rate, and without account in its key", !c.judges(control)
	case policy.RateCustomer:
		return "add a limit with a rate, and with account in its key", !c.judges(control)
	case policy.RateQuota:
		return "add a limit with a quota", !c.judges(control)
	case policy.TokReplay:
		return "add token.replay.mode or operations.*.replay: single_use or same_sender", !c.asksReplay(operation)
	case policy.AzAccount:
		return "add account.rules", len(c.cfg.Account.Rules) == 0
	case policy.AzDelegate:
		return "add account.delegation", len(c.cfg.Account.Delegation) == 0
	}
	return "", false
}

// eachMode visits every mode that is given by the name of a control or a family,
// with the field that holds it and the operation that it is for, "" for none.
func (c *compiler) eachMode(visit func(field, operation, name string, mode config.Mode)) {
	for name, mode := range c.cfg.Controls {
		visit("controls", "", name, mode)
	}
	for key, op := range c.cfg.Operations {
		for name, mode := range op.Controls {
			visit(config.Key("operations", key)+".controls", key, name, mode)
		}
	}
}
