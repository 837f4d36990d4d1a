package compile

import (
	"context"
	"slices"

	"github.com/sidewarden/sidewarden/config"
	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/token"
)

// asserted reports whether the gateway asserts the caller in headers.
func (c *compiler) asserted() bool { return c.cfg.Credential.Kind == config.KindIdentityHeaders }

// headers returns the stage that reads the identity that the gateway asserted.
func (c *compiler) headers() policy.Authenticator {
	cfg := c.cfg.Credential.Headers
	h, err := token.NewHeaders(token.HeaderOptions{
		Gateway: c.gateway, Issuer: cfg.Asserter(),
		Client: cfg.Client, Principal: cfg.Principal, Accounts: cfg.Accounts, Scopes: cfg.Scopes,
	})
	if err != nil {
		c.problem("credential.headers", err.Error(), "correct credential.headers and gateway.proof")
		return nobody{}
	}
	return h
}

// checkAsserted refuses identities that nobody asks a proof of: where a control
// judges what the gateway asserted, path.gateway has to be on. That it enforces
// where such a control does is among the needs.
func (c *compiler) checkAsserted(plans *plans) {
	if !c.asserted() {
		return
	}
	places := map[string]bool{}
	for _, p := range plans.all {
		if p.has(policy.PathGateway) || !slices.ContainsFunc(p.operation.Rules, func(r *policy.Rule) bool { return asksIdentity(r.Control) }) {
			continue
		}
		place := ""
		if c.setFor(p.key, policy.PathGateway) {
			place = p.key
		}
		if places[place] {
			continue
		}
		places[place] = true
		line := "add to controls: {path.gateway: shadow}"
		if place != "" {
			line = "add " + settings([]*planned{p}, "controls: {path.gateway: shadow}")
		}
		c.problem(c.cfg.ModeField(place, string(policy.PathGateway)),
			"path.gateway is off, and it is what proves the identities of credential.kind "+config.KindIdentityHeaders, line)
	}
}

// tokenless is the check of a control of tok.* where no token arrives. It is there
// so that the control has a cell, which says that it cannot be tested from here.
type tokenless struct{}

// Check implements [policy.Check].
func (tokenless) Check(context.Context, *policy.Request) policy.Verdict { return policy.Inapplicable() }

func isTokenless(check policy.Check) bool {
	_, is := check.(tokenless)
	return is
}

// Untestable reports whether a rule judges tokens where none arrives: it says
// nothing of any request, and nobody should be told to let it enforce.
func Untestable(rule *policy.Rule) bool { return isTokenless(rule.Check) }
