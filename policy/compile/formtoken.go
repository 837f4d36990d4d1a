package compile

import (
	"github.com/sidewarden/sidewarden/config"
	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/token"
)

// takesForms reports whether an operation declares forms, in which a client may send
// a token (RFC 6750 section 2.2), where a token is what tells the caller.
func (c *compiler) takesForms(p *planned) bool {
	switch c.cfg.Credential.Kind {
	case config.KindClientToken, config.KindGatewayToken:
		return p.declared.TakesForm()
	}
	return false
}

// formRule returns the rule by which tok.present judges a form, when the body is there,
// beside the one that judges the head. What spares a request without a credential
// from the other does not spare it from this one, which finds the credential.
func (p *planned) formRule(head *policy.Rule) *policy.Rule {
	rule := *head
	rule.Phase, rule.Check, rule.Spared = policy.BodyPhase, token.PresentInForm{Optional: p.optional}, isPreflight
	return &rule
}
