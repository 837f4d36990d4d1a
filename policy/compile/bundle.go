package compile

import (
	"context"
	"slices"

	"github.com/sidewarden/sidewarden/config"
	"github.com/sidewarden/sidewarden/policy"
)

// bundles names what carries many actions over the operation, as the configuration
// says it, else as the contract looks; "" if it has one action.
func (p *planned) bundles() string {
	switch {
	case p.settings.Actions == config.ActionsOne:
		return ""
	case p.settings.Actions == config.ActionsMany && p.contract.Protocol == "":
		return "actions: many"
	}
	return p.contract.Protocol
}

// judgesAction reports whether a control judges what a request asks for, so that it
// has to know which of many actions that is. The account boundary does not: the
// account is the same for each of them.
func judgesAction(control policy.Control) bool {
	return control == policy.AzScope || control == "az.default" || control == policy.InSchema
}

// whole is a check that judges an operation of many actions as a whole. What it
// denies is denied for each of them. What passes says nothing of the action that
// the body asks for; what is only reported passes.
type whole struct {
	check   policy.Check
	reports []policy.Reason
}

// Check implements [policy.Check].
func (w whole) Check(ctx context.Context, r *policy.Request) policy.Verdict {
	v := w.check.Check(ctx, r)
	if reported := v.Effect == policy.Deny && slices.Contains(w.reports, v.Reason); v.Effect != policy.Permit && !reported {
		return v
	}
	return policy.Undecided(policy.ActionInBody, nil)
}
