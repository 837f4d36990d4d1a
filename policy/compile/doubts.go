package compile

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sidewarden/sidewarden/config"
	"github.com/sidewarden/sidewarden/policy"
)

// doubt warns of what is allowed and probably not meant.
func (c *compiler) doubt(all []*planned) {
	c.doubtUnguarded(all)
	c.doubtUnbound(all)
	c.doubtUnread(all)
	c.doubtBundles(all)
	c.doubtPublic(all)
	c.doubtAlone(all)
	c.doubtCustomers(all)
	c.doubtPartners(all)
	c.doubtSenders(all)
	c.doubtUnprovenKeys(all)
	c.doubtUnjudged()
	c.doubtRetries(all)
	c.doubtUses(all)
	c.doubtTargets(all)
	c.doubtForwarding(all)
	c.doubtHops(all)
	c.doubtSwitching(all)
}

// doubtForwarding warns where nobody said whether a gateway connects: what it says of
// the client would count as the client's own word.
func (c *compiler) doubtForwarding(all []*planned) {
	_, said := c.cfg.Place("gateway.present")
	if said || c.cfg.Gateway.Forwarded != nil || !slices.ContainsFunc(all, func(p *planned) bool { return p.modeOf(policy.InHdr) != policy.Off }) {
		return
	}
	c.warn("gateway.present", "nobody said whether requests come through a gateway: without one, X-Forwarded-For and its like are what clients say of themselves, and in.hdr denies them",
		"write gateway: {present: true}, with forwarded: {peers: [NETWORK]} to say whose word counts; or, where clients connect themselves, gateway: {present: false}")
}

// doubtCustomers warns of limits by account that never find one, because
// az.account judges no operation: only what it permits is charged.
func (c *compiler) doubtCustomers(all []*planned) {
	if slices.ContainsFunc(all, c.judgesAccounts) {
		return
	}
	for i, l := range c.cfg.Limits {
		if slices.Contains(l.Key, config.KeyAccount) {
			c.warn(fmt.Sprintf("limits[%d].key", i), "no operation has a rule of az.account, which tells whose account a request may name: the limit counts by client instead",
				"add account.rules, and keep az.account on")
		}
	}
}

// doubtUnguarded lists the operations that nothing authorises, unless az.default is
// off there on purpose.
func (c *compiler) doubtUnguarded(all []*planned) {
	found := those(all, func(p *planned) bool {
		return !p.public && c.cfg.ControlMode(p.key, string(policy.AzDefault)) != config.Off && !c.authorises(p)
	})
	if len(found) > 0 {
		c.warn("operations", "nothing authorises the callers of "+names(found)+
			": no scope is asked for and no account rule applies there, so every proven caller passes, unless az.default enforces",
			"ask for scopes: add "+settings(found, "scopes: [[SCOPE]]")+
				"; add an account rule that applies; or, where every proven caller may, add "+settings(found, "controls: {az.default: off}"))
	}
}

// doubtPartners warns of a boundary that a delegation takes away for its partner:
// az.account does not judge it, and az.delegate does not block.
func (c *compiler) doubtPartners(all []*planned) {
	found := those(all, func(p *planned) bool {
		return p.modeOf(policy.AzAccount) == policy.Enforce && p.modeOf(policy.AzDelegate) == policy.Shadow
	})
	if len(found) > 0 {
		c.warn("account.delegation", "az.account enforces for "+names(found)+
			" and does not judge partners; az.delegate, which does, is in shadow, so that nothing blocks them",
			"add "+linesFor("", []policy.Control{policy.AzDelegate}))
	}
}

// doubtUnbound lists the operations for which az.account cannot decide, because no
// account rule can apply to them and nobody said that none has to.
func (c *compiler) doubtUnbound(all []*planned) {
	found := those(all, func(p *planned) bool { return p.has(policy.AzAccount) && p.account.Unbound })
	if len(found) > 0 {
		c.warn("account.rules", "az.account can not decide for "+names(found)+
			": no account rule applies there, so no control is measured there, and under enforce it blocks",
			"add a rule that applies, or add "+settings(found, "account: none"))
	}
}

// doubtUnread lists the operations that declare bodies from which no account is
// read, although a rule asks for accounts in bodies.
func (c *compiler) doubtUnread(all []*planned) {
	found := those(all, func(p *planned) bool {
		return p.has(policy.AzAccount) && !p.account.Unbound && len(p.account.Body) > 0 &&
			slices.ContainsFunc(p.contract.RequestMediaTypes, func(t string) bool { return !policy.IsJSON(t) })
	})
	if len(found) > 0 {
		c.warn("account.rules", "az.account can not decide for bodies of "+names(found)+
			" that are not JSON: no account is read from them, so no control is measured with them, and under enforce it blocks",
			"declare JSON alone, or, where something else guards the account, add "+settings(found, "account: none"))
	}
}

// doubtBundles lists the operations that carry many actions, of which nobody said
// that they are to be judged as a whole.
func (c *compiler) doubtBundles(all []*planned) {
	found := those(all, func(p *planned) bool { return p.settings.Actions == "" && p.bundles() != "" })
	if len(found) == 0 {
		return
	}
	about := make([]string, len(found))
	for i, p := range found {
		about[i] = p.operation.ID + " (" + p.bundles() + ")"
	}
	c.warn(fileOf(found[0].spec), "the body says which of many actions is asked for at "+strings.Join(about, ", ")+
		": az.* and limits judge the operation as a whole; az.scope, az.default and in.schema can deny there and not permit,"+
		" so no control is measured there, and where they enforce they block",
		"declare an operation for each action, or, to judge it as a whole, add "+settings(found, "actions: one"))
}

// doubtPublic lists the operations that only the contract makes public, while
// controls that ask for the caller enforce around them.
func (c *compiler) doubtPublic(all []*planned) {
	found := those(all, func(p *planned) bool {
		return p.contract.Public && p.public && p.settings.Public == nil && c.identityEnforces(p.key)
	})
	if len(found) > 0 {
		c.warn(fileOf(found[0].spec), "the contract makes "+names(found)+" public: tok.* and az.* do not judge "+pronoun(found),
			"set public: false to judge "+pronoun(found)+": add "+settings(found, "public: false"))
	}
}

// identityEnforces reports whether a control of tok.* or az.* would enforce for an
// operation that is not public.
func (c *compiler) identityEnforces(operation string) bool {
	return c.cfg.Credential.Kind != config.KindNone && slices.ContainsFunc(policy.Catalogue(), func(e policy.Entry) bool {
		return e.Implemented && asksIdentity(e.ID) && c.modeOf(operation, e.ID) == policy.Enforce
	})
}

// doubtAlone lists the controls that enforce for single operations only, while
// unmatched requests pass: another spelling of the path, which the backend may
// take for the same, is not the operation.
func (c *compiler) doubtAlone(all []*planned) {
	var missing, controls []policy.Control
	for _, need := range []policy.Control{policy.InRoute, policy.InMethod} {
		if c.modeOf("", need) != policy.Enforce {
			missing = append(missing, need)
		}
	}
	found := those(all, func(p *planned) bool {
		before := len(controls)
		for _, rule := range p.operation.Rules {
			if rule.Mode == policy.Enforce && c.modeOf("", rule.Control) != policy.Enforce {
				controls = append(controls, rule.Control)
			}
		}
		return len(controls) > before
	})
	if len(found) == 0 || len(missing) == 0 {
		return
	}
	slices.SortFunc(controls, func(a, b policy.Control) int { return policy.Order(a) - policy.Order(b) })
	controls = slices.Compact(controls)
	verb := "enforces"
	if len(controls) > 1 {
		verb = "enforce"
	}
	c.warn("operations", fmt.Sprintf("%s %s for %s alone: an unlisted spelling of a path passes by, because %s does not enforce for it",
		join(controls), verb, names(found), join(missing)), "add "+linesFor("", missing))
}

// those returns the operations of the contract with a property.
func those(all []*planned, property func(*planned) bool) []*planned {
	var found []*planned
	for _, p := range all {
		if p.operation.ID != policy.UnmatchedID && property(p) {
			found = append(found, p)
		}
	}
	return found
}

func names(operations []*planned) string {
	ids := make([]string, len(operations))
	for i, p := range operations {
		ids[i] = p.operation.ID
	}
	return strings.Join(ids, ", ")
}

func pronoun(operations []*planned) string {
	if len(operations) == 1 {
		return "it"
	}
	return "them"
}

// settings returns the line of YAML that gives operations a setting, under the
// keys that they have in the configuration.
func settings(operations []*planned, setting string) string {
	lines := make([]string, len(operations))
	for i, p := range operations {
		key := p.key
		if key == "" {
			key = p.operation.ID
		}
		lines[i] = fmt.Sprintf("%q: {%s}", key, setting)
	}
	return "to operations: {" + strings.Join(lines, ", ") + "}"
}
