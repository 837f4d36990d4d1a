package config

import "strings"

// ControlIDs returns the identifier of every control of the catalogue, in the
// order of the catalogue. Which of them a version implements is known to
// package policy; here they only tell a name from a typing error.
func ControlIDs() []string {
	return strings.Fields(`
		tok.present tok.sig tok.iss tok.aud tok.time tok.typ tok.ttl tok.replay tok.bind tok.revoked
		key.valid mtls.client path.gateway
		az.scope az.product az.account az.object az.config az.delegate az.field az.priv az.default
		in.route in.method in.ctype in.size in.wellformed in.schema in.frame in.path in.hdr
		out.size out.schema out.data
		rate.app rate.customer rate.quota rate.conc
		waf.sqli waf.xss waf.ssrf waf.inj
		ab.enum ab.brute ab.stuff ab.replay ab.flow
		tls.ver tls.cert
		log.fields log.redact log.deliver log.integrity`)
}

// family returns the part of a control before the dot.
func family(control string) string {
	before, _, _ := strings.Cut(control, ".")
	return before
}

// familiesAndControls returns every family, each before its controls.
func familiesAndControls() []string {
	var all []string
	last := ""
	for _, id := range ControlIDs() {
		if f := family(id); f != last {
			all, last = append(all, f), f
		}
		all = append(all, id)
	}
	return all
}

// ControlMode returns the mode that the configuration asks for one control of
// one operation: the most specific of the operation's controls, the top-level
// controls (in both a control wins over its family) and the default mode. An
// operation that is not configured, or "", asks for the mode outside of it.
func (c *Config) ControlMode(operation, control string) Mode {
	mode, _ := c.modeAt(operation, control)
	return mode
}

// ModeField returns the path of the field that [Config.ControlMode] finds.
func (c *Config) ModeField(operation, control string) string {
	_, field := c.modeAt(operation, control)
	return field
}

func (c *Config) modeAt(operation, control string) (mode Mode, field string) {
	for _, set := range []struct {
		modes map[string]Mode
		field string
	}{{c.Operations[operation].Controls, pathKey("operations", operation) + ".controls"}, {c.Controls, "controls"}} {
		for _, key := range []string{control, family(control)} {
			if m, ok := set.modes[key]; ok {
				return m, pathKey(set.field, key)
			}
		}
	}
	return c.Mode, "mode"
}
