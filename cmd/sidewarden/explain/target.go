package explain

import (
	"fmt"
	"strings"
)

// target tells what in.path looked at. The host is the client's: whether it is a
// configured one is what counts.
func (v *view) target() []Input {
	inputs := []Input{
		{"target", fmt.Sprintf("%d bytes, limit %s (%s)", len(v.r.Target), v.cfg.Message.MaxTargetBytes, v.set("message.max_target_bytes"))},
		{"path", v.path()},
	}
	if allowed := v.cfg.Message.AllowInPath; len(allowed) > 0 {
		inputs = append(inputs, Input{"allowed in it", strings.Join(allowed, ", ")})
	}
	hosts := v.cfg.Listen.Hosts
	if len(hosts) == 0 {
		return append(inputs, Input{"hosts", "any"})
	}
	host := "none"
	if v.r.Host != "" {
		host = v.known(v.r.Host, hosts)
	}
	return append(inputs,
		Input{"host", host},
		Input{"hosts", v.values(hosts, hosts) + " (" + v.set("listen.hosts") + ")"})
}
