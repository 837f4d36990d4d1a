package compile

import (
	"fmt"
	"slices"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/message"
)

// reservedHeaders are the names of header fields that the sidecar sends to the backend and
// nobody else may.
func (c *compiler) reservedHeaders() []string {
	var names []string
	for _, f := range c.cfg.Backend.Identity.Fields() {
		names = append(names, f.Header)
	}
	return names
}

// introducer returns what tells the backend who the caller is; nil where nothing does.
func (c *compiler) introducer() policy.Introducer {
	cfg := c.cfg.Backend.Identity
	if cfg == nil {
		return nil
	}
	i, err := message.NewIntroduction(message.IntroductionOptions{
		Issuer: cfg.Issuer, Client: cfg.Client, Principal: cfg.Principal, Accounts: cfg.Accounts, Scopes: cfg.Scopes, Proof: c.proof(),
	})
	if err != nil {
		c.problem("backend.identity", err.Error(), "correct backend.identity")
		return nil
	}
	return i
}

// checkIntroduced refuses to tell the backend of a caller where shadow would add a header,
// or where a request passes whose credential nobody held to its rules. An operation that
// asks nobody who the caller is, such as a public one, introduces nobody.
func (c *compiler) checkIntroduced(plans *plans) {
	if c.cfg.Backend.Identity == nil {
		return
	}
	asked := false
	missing := map[string][]policy.Control{} // by the place where a line for them takes effect
	for _, p := range plans.all {
		c.checkUndeclared(p)
		if !slices.ContainsFunc(p.operation.Rules, func(r *policy.Rule) bool { return isOfCredential(r.Control) && !Untestable(r) }) {
			continue
		}
		asked = true
		for _, control := range c.missingFor(p) {
			place := ""
			if c.setFor(p.key, control) {
				place = p.key
			}
			if !slices.Contains(missing[place], control) {
				missing[place] = append(missing[place], control)
			}
		}
	}
	if !asked {
		c.problem("backend.identity", "no control judges the credential of the caller anywhere, so that nobody would be introduced",
			"add "+linesFor("", c.introducing())+", or remove identity")
	}
	places := make([]string, 0, len(missing))
	for place := range missing {
		places = append(places, place)
	}
	slices.Sort(places)
	for _, place := range places {
		controls := missing[place]
		slices.SortFunc(controls, func(a, b policy.Control) int { return policy.Order(a) - policy.Order(b) })
		where := ""
		if place != "" {
			where = " for " + place
		}
		c.problem("backend.identity", fmt.Sprintf("tells the backend who the caller is, and needs %s to enforce%s: shadow adds no header, and takes none away",
			join(controls), where), "add "+linesFor(place, controls)+", or remove identity")
	}
}

// introducing are the controls without which no identity is worth telling.
func (c *compiler) introducing() []policy.Control {
	all := []policy.Control{policy.TokPresent, c.proof()}
	if !c.tokenless() {
		all = append(all, policy.TokIss, policy.TokTyp, policy.TokAud, policy.TokTime)
	}
	// Nothing can enforce that has no check.
	if entry, ok := policy.Lookup(policy.InHdr); ok && entry.Implemented {
		all = append(all, policy.InHdr)
	}
	slices.SortFunc(all, func(a, b policy.Control) int { return policy.Order(a) - policy.Order(b) })
	return all
}

// missingFor are the controls that have to enforce for an operation and do not: those that
// an identity needs, and those that judge the credential beside them.
func (c *compiler) missingFor(p *planned) []policy.Control {
	var missing []policy.Control
	for _, control := range c.introducing() {
		if p.modeOf(control) != policy.Enforce {
			missing = append(missing, control)
		}
	}
	for _, rule := range p.operation.Rules {
		if isOfCredential(rule.Control) && !Untestable(rule) && rule.Mode != policy.Enforce && !slices.Contains(missing, rule.Control) {
			missing = append(missing, rule.Control)
		}
	}
	return missing
}

// isOfCredential reports whether a control judges the credential itself.
func isOfCredential(control policy.Control) bool {
	family := familyOf(control)
	return family == "tok" || family == "key"
}

// checkUndeclared refuses fields that the contract asks clients for: theirs would be taken
// away.
func (c *compiler) checkUndeclared(p *planned) {
	for _, name := range p.contract.HeaderParams {
		if slices.ContainsFunc(c.reservedHeaders(), func(own string) bool { return policy.SameVariable(name, own) }) {
			c.problem("backend.identity", fmt.Sprintf("operation %s declares the header %s as a parameter: what its clients send there would be taken away",
				p.operation.ID, name), "name another header")
		}
	}
}
