package compile

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sidewarden/sidewarden/config"
	"github.com/sidewarden/sidewarden/policy"
)

// modeOf returns the mode of a control for one operation; "" asks outside of any.
func (c *compiler) modeOf(operation string, control policy.Control) policy.Mode {
	switch c.cfg.ControlMode(operation, string(control)) {
	case config.Enforce:
		return policy.Enforce
	case config.Shadow:
		if control != policy.AzDefault || c.named(operation, control) {
			return policy.Shadow
		}
		// It denies every request of an operation: beside it no other control could be
		// measured there, and of the backend its own denials say nothing. In shadow it
		// is for who asks for it.
	case config.Off:
	}
	return policy.Off
}

// judgesAnywhere reports whether a control is not off for every operation.
func (c *compiler) judgesAnywhere(control policy.Control) bool {
	for operation := range c.cfg.Operations {
		if c.modeOf(operation, control) != policy.Off {
			return true
		}
	}
	return c.modeOf("", control) != policy.Off
}

// named reports whether a control has a mode by its own name, for an operation or
// at the top level.
func (c *compiler) named(operation string, control policy.Control) bool {
	_, here := c.cfg.Operations[operation].Controls[string(control)]
	_, top := c.cfg.Controls[string(control)]
	return here || top
}

// onError returns Permit for a control that is listed under insecure_fail_open, by
// its id or its family.
func (c *compiler) onError(control policy.Control) policy.Effect {
	if slices.Contains(c.cfg.InsecureFailOpen, string(control)) ||
		slices.Contains(c.cfg.InsecureFailOpen, familyOf(control)) {
		return policy.Permit
	}
	return policy.Indeterminate
}

func familyOf(control policy.Control) string {
	family, _, _ := strings.Cut(string(control), ".")
	return family
}

// needsOf lists what must enforce where control does. A rule of az.*, or of tok.present,
// that reads the body needs a well-formed one. What proves the caller is proof in place of
// tok.sig: path.gateway where the gateway asserts it, key.valid for an API key.
func needsOf(rule *policy.Rule, proof policy.Control) []policy.Control {
	entry, ok := policy.Lookup(rule.Control)
	if !ok {
		return nil
	}
	needs := slices.Clone(entry.Needs)
	if at := slices.Index(needs, policy.TokSig); at >= 0 {
		needs[at] = proof
	} else if proof == policy.PathGateway && asksIdentity(rule.Control) {
		needs = append(needs, proof)
	}
	if rule.Phase == policy.BodyPhase && asksIdentity(rule.Control) {
		needs = append(needs, policy.InSize, policy.InCtype, policy.InWellformed)
	}
	return needs
}

// lacks are the controls that one control needs, by the place where a line for them
// takes effect.
type lacks struct {
	place   string // "" for the top-level controls, else an operation
	control policy.Control
	missing []policy.Control
}

// checkNeeds refuses a control that enforces where one that it needs does not,
// and says which lines to add.
func (c *compiler) checkNeeds(plans *plans) {
	c.checkAsserted(plans)
	found := c.defaultLacks()
	for _, p := range plans.all {
		op := p.operation
		modes := make(map[policy.Control]policy.Mode, len(op.Rules))
		for _, rule := range op.Rules {
			modes[rule.Control] = rule.Mode
		}
		for _, rule := range op.Rules {
			if rule.Mode != policy.Enforce {
				continue
			}
			for _, need := range needsOf(rule, c.proof()) {
				if modes[need] == policy.Enforce {
					continue
				}
				place := "" // where a line helps: what is set for the operation goes before the rest
				if c.setFor(p.key, rule.Control) || c.setFor(p.key, need) {
					place = p.key
				}
				found = add(found, place, rule.Control, need)
			}
		}
	}
	slices.SortFunc(found, func(a, b lacks) int {
		if a.place != b.place {
			return strings.Compare(a.place, b.place)
		}
		return policy.Order(a.control) - policy.Order(b.control)
	})
	for _, l := range found {
		c.problem(c.cfg.ModeField(l.place, string(l.control)),
			fmt.Sprintf("%s enforces, but it needs %s to enforce too: %s", l.control, join(l.missing), why(l)),
			"add "+linesFor(l.place, l.missing))
	}
}

// defaultLacks finds az.* and in.* that enforce as a default while in.route or
// in.method does not: an unlisted path would walk around them.
func (c *compiler) defaultLacks() []lacks {
	var found []lacks
	for _, entry := range policy.Catalogue() {
		family := familyOf(entry.ID)
		if !entry.Implemented || (family != "az" && family != "in") || judgesAll(entry.ID) || c.modeOf("", entry.ID) != policy.Enforce {
			continue
		}
		for _, need := range []policy.Control{policy.InRoute, policy.InMethod} {
			if need != entry.ID && c.modeOf("", need) != policy.Enforce && !(entry.ID == policy.InRoute) {
				found = add(found, "", entry.ID, need)
			}
		}
	}
	return found
}

// judgesAll reports whether a control of the edge judges a message as it came, whatever
// operation it asks for: no path walks around it.
func judgesAll(control policy.Control) bool {
	switch control {
	case policy.InFrame, policy.InPath, policy.InHdr:
		return true
	}
	return false
}

func add(found []lacks, place string, control, need policy.Control) []lacks {
	for i := range found {
		if found[i].place == place && found[i].control == control {
			if !slices.Contains(found[i].missing, need) {
				found[i].missing = append(found[i].missing, need)
				slices.SortFunc(found[i].missing, func(a, b policy.Control) int { return policy.Order(a) - policy.Order(b) })
			}
			return found
		}
	}
	return append(found, lacks{place: place, control: control, missing: []policy.Control{need}})
}

// setFor reports whether the mode of a control is set for one operation.
func (c *compiler) setFor(operation string, control policy.Control) bool {
	modes := c.cfg.Operations[operation].Controls
	_, own := modes[string(control)]
	_, family := modes[familyOf(control)]
	return own || family
}

func why(l lacks) string {
	switch familyOf(l.control) {
	case "tok", "key":
		if slices.Contains(l.missing, policy.PathGateway) {
			return "identity headers that anybody sets would pass"
		}
		return "a request without a proven token would pass"
	case "az":
		return "a request that it cannot judge would pass"
	}
	return "a request that it does not see would pass"
}

// linesFor returns the line of YAML that makes controls enforce at a place.
func linesFor(place string, controls []policy.Control) string {
	parts := make([]string, len(controls))
	for i, control := range controls {
		parts[i] = string(control) + ": enforce"
	}
	if place == "" {
		return "to controls: {" + strings.Join(parts, ", ") + "}"
	}
	return fmt.Sprintf("to operations: {%q: {controls: {%s}}}", place, strings.Join(parts, ", "))
}

func join(controls []policy.Control) string {
	words := make([]string, len(controls))
	for i, control := range controls {
		words[i] = string(control)
	}
	return strings.Join(words, ", ")
}

// EnforceLines returns, for each control of a policy that does not enforce
// everywhere, the line of YAML that makes it enforce by default together with
// what it needs.
func EnforceLines(p *policy.Policy) []string {
	var lines []string
	proof := proofOf(p)
	for _, entry := range policy.Catalogue() {
		var needs []policy.Control
		open := false
		for _, op := range append(slices.Clone(p.Operations), p.Unmatched) {
			for _, rule := range op.Rules {
				if rule.Control == entry.ID {
					open = open || rule.Mode != policy.Enforce && !Untestable(rule)
					needs = append(needs, needsOf(rule, proof)...)
				}
			}
		}
		if open {
			lines = append(lines, strings.TrimPrefix(linesFor("", closure(entry.ID, needs)), "to "))
		}
	}
	return lines
}

// closure returns control and everything that must enforce with it as a default,
// in catalogue order.
func closure(control policy.Control, needs []policy.Control) []policy.Control {
	all := append(slices.Clone(needs), control)
	if family := familyOf(control); family == "az" || family == "in" && control != policy.InRoute && !judgesAll(control) {
		all = append(all, policy.InRoute, policy.InMethod)
	}
	slices.SortFunc(all, func(a, b policy.Control) int { return policy.Order(a) - policy.Order(b) })
	return slices.Compact(all)
}
